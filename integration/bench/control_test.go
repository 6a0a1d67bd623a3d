//go:build integration

package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// start starts all anew in each round, one after the other.
func (b *bench) start(out *Result, rounds int) {
	b.t.Helper()
	for i := range rounds {
		for _, f := range []func() *side{b.connect, b.sluice, b.dev} {
			s := f()
			s.kill()
			values := map[metric]float64{start: float64(s.took.Microseconds()) / 1000}
			b.say(s.name, "round", i+1, values)
			out.Runs = append(out.Runs, Run{s.name, i + 1, values})
		}
	}
}

// empty makes an empty file, for sources that have nothing to do.
func (b *bench) empty() string {
	b.t.Helper()
	path := filepath.Join(b.dir, "empty")
	b.must(os.WriteFile(path, nil, 0o600))
	return path
}

// rest is how long a side is left alone before a connector is created: right after a deletion Kafka Connect's rebalance is
// still under way, and Sluice's states are paced.
const rest = 2 * time.Second

// running creates sources of an empty file one after another, each on a side at rest until it runs, and deletes them.
func (b *bench) running(s *side, name string) map[metric]float64 {
	b.t.Helper()
	file := b.empty()
	var took []float64
	for i := range b.job.Records {
		name := fmt.Sprintf("%s-%d", name, i)
		time.Sleep(rest) // nothing may happen in it
		began := time.Now()
		b.post(s, name, b.job.Config(Source, name, file))
		tick := time.NewTicker(2 * time.Millisecond)
		for {
			code, text := b.call("GET", s.base+"/connectors/"+name+"/status", nil)
			var is harness.Status
			if code == http.StatusOK {
				b.must(json.Unmarshal(text, &is))
			}
			if len(is.Tasks) == 1 && is.Tasks[0].State == "RUNNING" {
				break
			}
			if time.Since(began) > 10*time.Minute {
				b.t.Fatalf("%s: %s does not run: %d %s", s.name, name, code, text)
			}
			<-tick.C
		}
		tick.Stop()
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		b.remove(s, name)
	}
	return map[metric]float64{running: median(took)}
}

// settle is how long what was created is left alone before the window; window is how long nothing is asked.
const (
	settle = 20 * time.Second
	window = time.Minute
)

// idle starts all anew in each round, one after the other: thousands of threads that wait are no company for a measurement.
func (b *bench) idle(out *Result, rounds int) {
	b.t.Helper()
	starts := []func() *side{b.connect, b.sluice}
	if b.job.Alone {
		starts = starts[1:]
	}
	for i := range rounds {
		for k := range starts {
			s := starts[(i+k)%len(starts)]()
			values := b.idleRound(s, fmt.Sprintf("idle-%d-%d", b.id, b.starts.Load()))
			s.kill()
			b.say(s.name, "round", i+1, values)
			out.Runs = append(out.Runs, Run{s.name, i + 1, values})
		}
	}
}

// idleRound creates the connectors and measures a window in which they have nothing to do.
func (b *bench) idleRound(s *side, name string) map[metric]float64 {
	b.t.Helper()
	file, topic := b.empty(), name
	if b.job.Direction == Sink {
		file = filepath.Join(b.dir, name)
		b.must(b.broker.create(b.t.Context(), topic, 1))
	}
	began := time.Now()
	for i := range b.job.Records {
		b.post(s, fmt.Sprintf("%s-%d", name, i), b.job.Config(b.job.Direction, topic, file))
	}
	b.allRun(s, b.job.Records)
	values := map[metric]float64{create: float64(time.Since(began).Microseconds()) / 1000 / float64(b.job.Records)}
	asked := time.Now()
	if n := len(b.list(s)); n < b.job.Records {
		b.t.Fatalf("%s lists %d connectors: %d were right", s.name, n, b.job.Records)
	}
	values[list] = float64(time.Since(asked).Microseconds()) / 1000
	time.Sleep(settle) // what is measured is time in which nothing happens
	was, at := b.measure(s, false), time.Now()
	time.Sleep(window)
	is, took := b.measure(s, false), time.Since(at)
	values[busy], values[busyAll] = busyOf(was.cpu, is.cpu, took), busyOf(was.cpuAll, is.cpuAll, took)
	for i, p := range s.procs {
		kib, err := status(p.PID(), "VmRSS")
		b.must(err)
		n, err := status(p.PID(), "Threads")
		b.must(err)
		if i == 0 {
			values[memory], values[threads] = float64(kib)/1024, float64(n)
		}
		values[memoryAll] += float64(kib) / 1024
		values[threadsAll] += float64(n)
	}
	return values
}
