//go:build integration

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

const root = "../.."

// TestBench runs what BENCH_JOBS matches and writes docs/benchmarks: `make bench`.
func TestBench(t *testing.T) {
	match := os.Getenv("BENCH_JOBS")
	if match == "" {
		t.Skip("BENCH_JOBS says what to run: make bench")
	}
	re, err := regexp.Compile(match)
	if err != nil {
		t.Fatalf("JOBS: %v", err)
	}
	jobs := Jobs(re)
	if len(jobs) == 0 {
		t.Fatalf("JOBS=%s matches none; there are: %s", match, strings.Join(names(Jobs(regexp.MustCompile(""))), " "))
	}
	of := commit() // before the first job changes the page
	kafka, bin := harness.StartKafka(t, root), harness.Release(t, root)
	broker, err := dial(kafka.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.close()
	var starts atomic.Int64
	for i, j := range jobs {
		switch j.Kind {
		case Start, Running:
		case Idle:
			j.Records = number64(t, "BENCH_CONNECTORS", j.Records)
		default:
			j.Records = number64(t, "BENCH_RECORDS", j.Records)
		}
		t.Run(jobs[i].Name(), func(t *testing.T) {
			b := &bench{t: t, broker: broker, kafka: kafka, bin: bin, job: &j, id: i, dir: t.TempDir(), starts: &starts}
			r := Result{Job: jobs[i].Name(), Records: j.Records, Date: time.Now().UTC().Format(time.DateOnly), Commit: of, Machine: machine(), Load: load(t)}
			b.run(&r, number64(t, "BENCH_ROUNDS", 5))
			all, err := Load(filepath.Join(results, "results.json"))
			if err == nil {
				err = Save(results, Merge(all, r))
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func names(jobs []Job) (out []string) {
	for i := range jobs {
		out = append(out, jobs[i].Name())
	}
	return out
}

func number64(t *testing.T, key string, otherwise int) int {
	t.Helper()
	v := os.Getenv(key)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: a number of at least 1 would be right", key, v)
	}
	return n
}

// bench runs one job.
type bench struct {
	t      *testing.T
	broker *broker
	kafka  *harness.Kafka
	bin    string
	job    *Job
	id     int
	dir    string
	raw    string            // the program
	topic  string            // of a sink
	db     *harness.Database // of a table
	want   string            // the hash of what arrives
	// starts counts what was started by all jobs: each has its own group and topics.
	starts *atomic.Int64
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// run fills a result.
func (b *bench) run(out *Result, rounds int) {
	b.t.Helper()
	switch b.job.Kind {
	case Idle:
		b.idle(out, rounds)
		return
	case Start:
		b.start(out, rounds)
		return
	case Running:
		b.alternate(out, append(b.sides(), b.dev()), rounds, 1, b.running)
		return
	case Latency:
		b.alternate(out, b.sides(), rounds, 1, b.latency)
		return
	case StallSink, StallBroker:
		b.prepare()
		b.alternate(out, b.sides(), rounds, 0, b.stall)
		return
	default:
		b.prepare()
		b.alternate(out, b.sides(), rounds, maxWarm, b.round)
	}
}

// alternate has the sides take turns, the one that was last first: until the JVM is warm, or as many rounds as are given
// for that, which do not count; then the rounds.
func (b *bench) alternate(out *Result, sides []*side, rounds, warming int, one func(s *side, name string) map[metric]float64) {
	b.t.Helper()
	both := func(what string, i int) (runs []Run) {
		for k := range sides {
			s := sides[(i+k)%len(sides)]
			values := one(s, fmt.Sprintf("%s-%d-%s-%d", s.name, b.id, what, i+1))
			b.say(s.name, what, i+1, values)
			runs = append(runs, Run{s.name, i + 1, values})
		}
		return runs
	}
	for i := 0; i < warming && !warm(out.Warm); i++ {
		out.Warm = append(out.Warm, both("warm-up", i)...)
	}
	for i := range rounds {
		out.Runs = append(out.Runs, both("round", i)...)
	}
}

// say logs a round's figures.
func (b *bench) say(side, what string, round int, values map[metric]float64) {
	b.t.Helper()
	var text []string
	for _, m := range []metric{rate, micros, microsAll, peak, peakAll, seconds, create, memory, memoryAll, threads, threadsAll, busy, busyAll, list, p50, p99, start, running, before, stalled, growth} {
		if v, ok := values[m]; ok {
			text = append(text, fmt.Sprintf("%s %s", m, number(v)))
		}
	}
	b.t.Logf("%-10s %s %d: %s", side, what, round, strings.Join(text, "  "))
}

// used is what a side's processes have used: CPU time, and peaks in MiB.
type used struct {
	cpu, cpuAll   time.Duration
	peak, peakAll float64
}

// measure reads CPU time and peaks, or begins new peaks.
func (b *bench) measure(s *side, anew bool) (u used) {
	b.t.Helper()
	for i, p := range s.procs {
		if anew {
			b.must(resetPeak(p.PID()))
		}
		c, err := cpu(p.PID())
		b.must(err)
		kib, err := status(p.PID(), "VmHWM")
		b.must(err)
		mib := float64(kib) / 1024
		if i == 0 {
			u.cpu, u.peak = c, mib
		}
		u.cpuAll += c
		u.peakAll += mib
	}
	return u
}

// busyOf is how much of a core was used between two measurements, in per cent.
func busyOf(a, z time.Duration, window time.Duration) float64 {
	return 100 * float64(z-a) / float64(window)
}

// commit is what is built, and dirty where anything but the page differs from it.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	at := strings.TrimSpace(string(out))
	if out, err = exec.Command("git", "status", "--porcelain", "--untracked-files=no", "--", root, ":!"+results).Output(); err != nil || len(out) > 0 {
		at += "-dirty"
	}
	return at
}

// load is the load average of the last minute.
func load(t *testing.T) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	v, err := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// machine is what the bench ran on, as far as it matters.
func machine() string {
	model := "unknown CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}
