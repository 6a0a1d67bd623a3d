//go:build integration

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// perSecond is the rate of lines; ahead is how many come first and do not count.
const (
	perSecond = 1000
	ahead     = 5 * perSecond
)

// latency has lines with the time of their writing go through a source, a sink, or both, and reads them at the other end.
func (b *bench) latency(s *side, name string) map[metric]float64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 3*time.Minute)
	defer cancel()
	in, out := filepath.Join(b.dir, name+"-in"), filepath.Join(b.dir, name+"-out")
	b.must(b.broker.create(ctx, name, 1))
	var write func(ctx context.Context, lines []string) error
	var read func(ctx context.Context, n int, f func(line []byte)) error
	var created []string
	if b.job.Direction == Sink {
		kc, err := kgo.NewClient(kgo.SeedBrokers(b.broker.addr), kgo.DefaultProduceTopic(name), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))
		b.must(err)
		defer kc.Close()
		write = func(ctx context.Context, lines []string) error {
			for _, l := range lines {
				kc.Produce(ctx, kgo.StringRecord(l), nil) // one that is lost is missed by the reader
			}
			return nil
		}
	} else {
		f, err := os.Create(in)
		b.must(err)
		defer func() { _ = f.Close() }()
		write = func(_ context.Context, lines []string) error {
			for _, l := range lines {
				if _, err := f.WriteString(l + "\n"); err != nil {
					return err
				}
			}
			return nil
		}
		created = append(created, name+"-source")
		b.post(s, name+"-source", b.job.Config(Source, name, in))
	}
	if b.job.Direction == Source {
		read = func(ctx context.Context, n int, f func([]byte)) error {
			return b.broker.each(ctx, name, int64(n), func(r *kgo.Record) { f(r.Value) })
		}
	} else {
		created = append(created, name+"-sink")
		b.post(s, name+"-sink", b.job.Config(Sink, name, out))
		read = func(ctx context.Context, n int, f func([]byte)) error { return follow(ctx, out, n, f) }
	}
	b.allRun(s, len(created))
	var took []float64
	was, is, at, ended := used{}, used{}, time.Time{}, time.Time{}
	wrote := make(chan error, 1)
	go func() { wrote <- b.pace(ctx, ahead+b.job.Records, write) }() // it is waited for below
	n := 0
	err := read(ctx, ahead+b.job.Records, func(line []byte) {
		if n++; n == ahead {
			was, at = b.measure(s, false), time.Now()
		}
		if n <= ahead {
			return
		}
		text, _, _ := bytes.Cut(line, []byte{' '})
		when, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			b.t.Errorf("%s: a line that nobody wrote: %q", s.name, line)
		}
		took = append(took, float64(time.Now().UnixNano()-when)/1e6)
		if n == ahead+b.job.Records {
			is, ended = b.measure(s, false), time.Now()
		}
	})
	if err != nil {
		cancel()
	}
	if err = errors.Join(err, <-wrote); err != nil {
		b.t.Fatalf("%s: %d of %d lines after the first %d: %v", s.name, len(took), b.job.Records, ahead, err)
	}
	for _, c := range created {
		b.remove(s, c)
	}
	b.must(b.broker.remove(b.t.Context(), name))
	slices.Sort(took)
	return map[metric]float64{p50: quantile(took, 0.5), p99: quantile(took, 0.99), busy: busyOf(was.cpu, is.cpu, ended.Sub(at)), busyAll: busyOf(was.cpuAll, is.cpuAll, ended.Sub(at))}
}

// pace writes lines at the rate: in each millisecond those that are due.
func (b *bench) pace(ctx context.Context, n int, write func(ctx context.Context, lines []string) error) error {
	began, tick := time.Now(), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for done := 0; done < n; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		var lines []string
		for due := min(n, int(time.Since(began)*perSecond/time.Second)); done < due; done++ {
			head := fmt.Sprintf("%d %d ", time.Now().UnixNano(), done)
			lines = append(lines, head+filler(done, b.job.Size-len(head)))
		}
		if err := write(ctx, lines); err != nil {
			return err
		}
	}
	return nil
}

// follow reads n lines of a file that grows, and looks again every millisecond.
func follow(ctx context.Context, path string, n int, f func(line []byte)) error {
	var file *os.File
	defer func() {
		if file != nil {
			_ = file.Close()
		}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var rest []byte
	for buf, at := make([]byte, 1<<20), int64(0); ; {
		if file == nil {
			var err error
			if file, err = os.Open(path); err != nil && !errors.Is(err, os.ErrNotExist) { //nolint:gosec // the bench's own file
				return err
			}
		}
		for file != nil {
			got, err := file.ReadAt(buf, at)
			at += int64(got)
			rest = append(rest, buf[:got]...)
			for {
				line, after, found := bytes.Cut(rest, []byte{'\n'})
				if !found {
					break
				}
				rest = after
				f(line)
				if n--; n == 0 {
					return nil
				}
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if got == 0 {
				break
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
