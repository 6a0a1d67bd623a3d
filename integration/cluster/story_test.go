//go:build integration

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/internal/history"
)

const (
	root   = "../.."
	lanes  = 4 // files, topics, sources and sinks
	ttl    = 4 * time.Second
	margin = 3 * time.Second
)

// story is a cluster with a load.
type story struct {
	*harness.Cluster
	t     *testing.T
	kafka *harness.Kafka
	lines int // of each lane
	dir   string
	heavy bool // the last lane is of the pool heavy

	strict  atomic.Bool // users' requests must not fail now
	mu      sync.Mutex
	written int // lines of each lane
}

// trickle appends a few lines at a time to every lane until ctx ends, so that something is always under way.
func (s *story) trickle(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.more(min(100, s.lines-s.sofar()))
			}
		}
	}()
	return func() { <-done }
}

func (s *story) sofar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// more appends n lines to every lane.
func (s *story) more(n int) {
	if n > 0 {
		from := s.sofar()
		s.write(from, from+n)
		s.mu.Lock()
		s.written = from + n
		s.mu.Unlock()
	}
}

func begin(t *testing.T, lines int) *story {
	t.Helper()
	bin, kafka := harness.Binaries(t, root), harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Etcd: 3, Replicas: 3, Gateways: 2, Executors: []string{"default", "default", "default"},
		TTL: ttl, Margin: margin, Kafka: kafka, Root: root, LogLevel: "debug"}, bin)
	c.AwaitHealthy(c.AddExecutor("heavy", kafka.ProxiedAddr))
	return &story{Cluster: c, t: t, kafka: kafka, lines: lines, dir: t.TempDir(), heavy: true}
}

func (s *story) in(i int) string  { return filepath.Join(s.dir, fmt.Sprintf("in-%d.txt", i)) }
func (s *story) out(i int) string { return filepath.Join(s.dir, fmt.Sprintf("out-%d.txt", i)) }

// write appends the lines from..to of every lane.
func (s *story) write(from, to int) {
	s.t.Helper()
	for i := range lanes {
		f, err := os.OpenFile(s.in(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			s.t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		for n := from; n < to; n++ {
			fmt.Fprintf(w, "%07d of lane %d\n", n, i)
		}
		if err := w.Flush(); err != nil {
			s.t.Fatal(err)
		}
		_ = f.Close()
	}
}

func (s *story) create() {
	s.t.Helper()
	for i := range lanes {
		pool := "default"
		if s.heavy && i == lanes-1 {
			pool = "heavy"
		}
		s.Put(s.t, fmt.Sprintf("src-%d", i), map[string]string{"connector.class": "FileStreamSource", "file": s.in(i), "topic": fmt.Sprintf("lane-%d", i), "tasks.max": "1", "sluice.pool": pool})
		s.Put(s.t, fmt.Sprintf("dst-%d", i), s.sink(i, nil))
	}
	for i := range lanes {
		s.AwaitRunning(s.t, fmt.Sprintf("src-%d", i), 1)
		s.AwaitRunning(s.t, fmt.Sprintf("dst-%d", i), 1)
	}
}

// sink is the config of a lane's sink.
func (s *story) sink(i int, more map[string]string) map[string]string {
	out := map[string]string{"connector.class": "FileStreamSink", "file": s.out(i), "topics": fmt.Sprintf("lane-%d", i), "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "500"}
	maps.Copy(out, more)
	return out
}

// arrived counts the different lines of a lane's copy, and those that came more than once.
func (s *story) arrived(i int) (different, twice int) {
	f, err := os.Open(s.out(i))
	if err != nil {
		return 0, 0
	}
	defer func() { _ = f.Close() }()
	seen := make([]uint8, s.lines)
	for r := bufio.NewScanner(f); r.Scan(); {
		if len(r.Text()) < 7 {
			continue
		}
		n, err := strconv.Atoi(r.Text()[:7])
		if err != nil || n >= s.lines {
			s.t.Errorf("lane %d has a line that nobody wrote: %q", i, r.Text())
			continue
		}
		switch seen[n] {
		case 0:
			different++
		case 1:
			twice++
		}
		seen[n] = min(seen[n]+1, 2)
	}
	return different, twice
}

// awaitLines waits until every lane has the first n lines.
func (s *story) awaitLines(n int, limit time.Duration) (twice int) {
	s.t.Helper()
	for i := range lanes {
		last := -1
		harness.Await(s.t, fmt.Sprintf("lane %d has its first %d lines (it has %d)", i, n, last), limit, func() bool {
			st, err := os.Stat(s.out(i))
			if err != nil || st.Size() < int64(n)*int64(len("0000000 of lane 0\n")) {
				return false
			}
			have, more := s.arrived(i)
			last = have
			if have >= n {
				twice += more
				return true
			}
			return false
		})
	}
	return twice
}

// holder is the executor of a connector's task 0.
func (s *story) holder(name string) *harness.Process {
	s.t.Helper()
	st, ok := s.Status(name)
	if !ok || len(st.Tasks) == 0 {
		s.t.Fatalf("%s has no status", name)
	}
	for _, x := range s.Executors {
		if strings.HasPrefix(st.Tasks[0].WorkerID, x.Name+":") {
			return x
		}
	}
	s.t.Fatalf("%s runs at %q, which is no executor", name, st.Tasks[0].WorkerID)
	return nil
}

func (s *story) leader() *harness.Process {
	s.t.Helper()
	var out *harness.Process
	harness.Await(s.t, "a replica leads", 20*time.Second, func() bool {
		for _, r := range s.Replicas {
			if _, text, err := harness.Call("GET", "http://"+r.Ready("admin")+"/metrics", nil); err == nil && strings.Contains(text, "\nsluice_controlplane_leading 1") {
				out = r
				return true
			}
		}
		return false
	})
	return out
}

// starts counts the starts of tasks in the histories.
func starts(events []history.Event) map[string]int {
	out := map[string]int{}
	for _, e := range events {
		if e.Event == history.Started && (strings.HasPrefix(e.Unit, "task:src-") || strings.HasPrefix(e.Unit, "task:dst-")) {
			out[e.Unit]++
		}
	}
	return out
}

func (s *story) check() {
	s.t.Helper()
	events := s.Histories()
	bad := history.Check(events)
	for i, v := range bad {
		if i < 20 {
			s.t.Errorf("history: %s", v)
		}
	}
	s.t.Logf("histories: %d events, %d violations", len(events), len(bad))
}

func TestStory_EveryLineArrivesWhateverDies(t *testing.T) {
	s := begin(t, 250_000)
	s.more(20_000)
	s.create()
	s.awaitLines(s.sofar(), time.Minute)
	trickling, stop := context.WithCancel(t.Context())
	wait := s.trickle(trickling)
	users := s.users(trickling)
	scaled, verified := s.scale(trickling), s.verify()

	step := func(what string, f func()) {
		began := time.Now()
		f()
		s.awaitLines(min(s.sofar()+1000, s.lines), 2*time.Minute) // some of them are written only now
		t.Logf("%-60s %6.1f s", what, time.Since(began).Seconds())
	}
	s.kafka.Produce("outside", "first")
	s.Put(t, "outside", map[string]string{"connector.class": "FileStreamSink", "file": filepath.Join(s.dir, "outside.txt"), "topics": "outside", "tasks.max": "1"})
	s.AwaitRunning(t, "outside", 1)
	step("kill -9 of the executor of a source", func() {
		x := s.holder("src-0")
		x.Kill()
		x.Start()
	})
	step("kill -9 of the leader", func() {
		l := s.leader()
		l.Kill()
		s.leader()
		l.Start()
	})
	step("kill -9 of a gateway", func() {
		s.Gateways[1].Kill()
		s.Gateways[1].Start()
		s.Gateways[1].AwaitReady()
	})
	step("one member of etcd stopped", func() {
		s.Etcd[0].Kill()
		s.awaitLines(s.sofar(), time.Minute)
		s.Etcd[0].Start()
	})
	step("all replicas away for a minute", func() {
		before := starts(s.Histories())
		for _, r := range s.Replicas {
			r.Kill()
		}
		away := time.Now()
		harness.Await(t, "half a minute is over", time.Minute, func() bool { return time.Since(away) > 30*time.Second })
		// Sinks go on all the while: what others write into the topic arrives.
		s.kafka.Produce("outside", "written while there was no control plane")
		harness.Await(t, "a sink wrote what came while there was no control plane", 30*time.Second, func() bool {
			b, err := os.ReadFile(filepath.Join(s.dir, "outside.txt"))
			return err == nil && strings.Contains(string(b), "while there was no control plane")
		})
		harness.Await(t, "a minute is over", time.Minute, func() bool { return time.Since(away) > time.Minute })
		for _, r := range s.Replicas {
			r.Start()
		}
		for i := range lanes {
			s.AwaitRunning(t, fmt.Sprintf("src-%d", i), 1)
		}
		s.awaitLines(s.sofar(), time.Minute)
		for u, n := range starts(s.Histories()) {
			if n != before[u] {
				t.Errorf("%s was started %d times while the control plane was away or came back: nothing may restart", u, n-before[u])
			}
		}
	})
	step("an executor stopped past its lease, and continued", func() {
		x := s.holder("src-1")
		x.Pause()
		harness.Await(t, "its source runs elsewhere", time.Minute, func() bool {
			st, ok := s.Status("src-1")
			return ok && len(st.Tasks) == 1 && st.Tasks[0].State == "RUNNING" && !strings.HasPrefix(st.Tasks[0].WorkerID, x.Name+":")
		})
		x.Continue()
		s.AwaitHealthy(x)
	})
	step("an executor cut off from the control plane, not from Kafka", func() {
		x := s.holder("src-2")
		for i, e := range s.Executors {
			if e == x {
				for _, p := range s.ToControlPlane[i] {
					p.Cut()
				}
				harness.Await(t, "its source runs elsewhere", time.Minute, func() bool { return s.moved("src-2", x) })
				for _, p := range s.ToControlPlane[i] {
					p.Heal()
				}
			}
		}
		s.AwaitHealthy(x)
	})
	step("an executor cut off from Kafka, not from the control plane", func() {
		s.kafka.Proxy.Cut()
		s.pass(10 * time.Second)
		s.kafka.Proxy.Heal()
	})
	before := 0
	for i := range lanes {
		_, twice := s.arrived(i)
		before += twice
	}
	roll := func(all []*harness.Process) func() {
		return func() {
			for _, p := range all {
				p.Stop()
				p.Start()
				p.AwaitReady()
				if p.Ready("executor") != "" {
					s.AwaitHealthy(p)
				}
			}
		}
	}
	s.strict.Store(true)
	step("every replica rolled by SIGTERM", roll(s.Replicas))
	step("every executor rolled by SIGTERM", roll(s.Executors))
	s.strict.Store(false)
	step("every gateway rolled by SIGTERM", roll(s.Gateways))
	stop()
	wait()
	users()
	scaled()
	verified()
	s.more(s.lines - s.sofar())
	twice := s.awaitLines(s.lines, 3*time.Minute)
	t.Logf("%d lines arrived; %d came twice, %d of them since the roll began", lanes*s.lines, twice, twice-before)
	if twice != before {
		t.Errorf("the roll duplicated %d lines", twice-before)
	}
	s.check()
	for _, p := range s.Executors {
		p.Stop()
	}
}

func (s *story) moved(name string, from *harness.Process) bool {
	st, ok := s.Status(name)
	return ok && len(st.Tasks) == 1 && st.Tasks[0].State == "RUNNING" && !strings.HasPrefix(st.Tasks[0].WorkerID, from.Name+":")
}

// resident is a process's memory in MiB.
func resident(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) // elsewhere than on Linux: 0
	var size, pages int
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * os.Getpagesize() >> 20
}
