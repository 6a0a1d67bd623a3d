//go:build integration

package bench

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// stand is how long what stalls stands still.
const stand = time.Minute

// stall lets a side run under load until a quarter has arrived, then the sink or the broker stands still, and goes on until all
// has arrived.
func (b *bench) stall(s *side, name string) map[metric]float64 {
	b.t.Helper()
	w := b.work(s, name)
	await := func(n int) { // what has arrived, while the broker answers
		harness.Await(b.t, s.name+" goes on", 10*time.Minute, func() bool {
			got, err := w.arrived() // a broker that stood still has no leaders for a while
			return err == nil && got >= int64(n)
		})
	}
	stop, goOn := b.kafka.Pause, b.kafka.Continue
	if b.job.Kind == StallSink {
		path := filepath.Join(b.dir, name+"-pipe")
		b.must(syscall.Mkfifo(path, 0o600))
		w.configs[0]["file"] = path
		r, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // both, so that the open does not wait for a writer, nor a read end with one
		b.must(err)
		defer func() { _ = r.Close() }()
		p := &pipe{r: r, buf: make([]byte, 1<<20)}
		await = func(n int) { b.must(p.readTo(n)) }
		stop, goOn = func() {}, func() {} // nobody reads meanwhile
	}
	b.measure(s, true)
	b.post(s, w.names[0], w.configs[0])
	await(b.job.Records / 4)
	first := b.measure(s, false).peak
	stop()
	b.measure(s, true)
	time.Sleep(stand) // what is measured is time in which nothing moves
	second := b.measure(s, false).peak
	goOn()
	await(b.job.Records)
	b.remove(s, w.names[0])
	for _, topic := range w.topics {
		b.must(b.broker.remove(b.t.Context(), topic))
	}
	return map[metric]float64{before: first, stalled: second, growth: second / first}
}

// pipe counts the lines that come out of a named pipe.
type pipe struct {
	r     *os.File
	buf   []byte
	lines int
}

// readTo reads until so many lines have come.
func (p *pipe) readTo(n int) error {
	for p.lines < n {
		_ = p.r.SetReadDeadline(time.Now().Add(10 * time.Minute))
		got, err := p.r.Read(p.buf)
		p.lines += bytes.Count(p.buf[:got], []byte{'\n'})
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
