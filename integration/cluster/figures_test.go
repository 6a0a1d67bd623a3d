//go:build integration

package cluster

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/history"
)

// figures are measured values of one kind.
type figures struct {
	what   string
	values []time.Duration
}

func (f *figures) add(d time.Duration) { f.values = append(f.values, d) }

func (f *figures) row(target string) string {
	slices.Sort(f.values)
	if len(f.values) == 0 {
		return ""
	}
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	return fmt.Sprintf("| %s | %s | %s | %d | %s |", f.what, round(f.values[len(f.values)/2]), round(f.values[len(f.values)-1]), len(f.values), target)
}

// TestFigures measures, and fails on nothing but what breaks: `make figures`.
func TestFigures(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("FIGURES"))
	if rounds == 0 {
		t.Skip("it measures: make figures")
	}
	bin, kafka := harness.Binaries(t, root), harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Etcd: 3, Replicas: 3, Gateways: 1, Executors: []string{"default", "default", "default", "default"}, Kafka: kafka, Root: root, LogLevel: "debug"}, bin)
	s := &story{Cluster: c, t: t, kafka: kafka, lines: 100_000_000, dir: t.TempDir()}
	var out []string
	for i, x := range s.Executors {
		out = append(out, fmt.Sprintf("idle executor %d: %d MiB resident", i, resident(x.PID())))
	}
	s.more(1000)
	s.create()
	trickling, stop := context.WithCancel(t.Context())
	wait := s.trickle(trickling)
	sinkKill, sinkTerm := &figures{what: "kill -9 of an executor to the first record of its sink elsewhere"}, &figures{what: "SIGTERM of an executor to the first record of its sink elsewhere"}
	sourceKill, sourceTerm := &figures{what: "kill -9 of an executor to the first record of its source elsewhere"}, &figures{what: "SIGTERM of an executor to the first record of its source elsewhere"}
	sinkGap, sourceGap := &figures{what: "SIGTERM of an executor: the longest standstill of its sink's file (a line is written every 50 ms)"}, &figures{what: "SIGTERM of an executor: from its source's last hand-over to the first elsewhere"}
	calm := &figures{what: "the same in a second in which nothing happens"}
	leader := &figures{what: "kill -9 of the leader to the next grant"}
	for range rounds {
		lane, x := s.apart()
		sinkKill.add(s.untilGrown(lane, x.Kill))
		s.back(x)
		lane, x = s.apart()
		still := s.standstill(lane)
		second := time.Now()
		harness.Await(t, "a second is over", time.Minute, func() bool { return time.Since(second) > time.Second })
		calm.add(still())
		still = s.standstill(lane)
		sinkTerm.add(s.untilGrown(lane, x.Term))
		sinkGap.add(still())
		s.back(x)
		x = s.holder("src-1")
		sourceKill.add(s.untilProduced("task:src-1/0", x, x.Kill))
		s.back(x)
		x = s.holder("src-1")
		sourceTerm.add(s.untilProduced("task:src-1/0", x, x.Term))
		sourceGap.add(s.handedOver("task:src-1/0"))
		s.back(x)
		l := s.leader()
		began := time.Now()
		l.Kill()
		name := fmt.Sprintf("late-%d", time.Now().UnixNano())
		s.Put(t, name, map[string]string{"connector.class": "VerifiableSink", "topics": "nothing", "tasks.max": "1"})
		harness.Await(t, "the new leader grants", time.Minute, func() bool { st, ok := s.Status(name); return ok && st.Connector.State == "RUNNING" })
		leader.add(time.Since(began))
		l.Start()
		l.AwaitReady()
		if code, text, err := harness.Call("DELETE", s.REST(0)+"/connectors/"+name, nil); err != nil || code != 204 {
			t.Fatal(code, text, err)
		}
	}
	stop()
	wait()
	s.awaitLines(s.sofar(), 2*time.Minute)
	out = append(out, s.movements()...)
	out = append(out, s.writes())
	for i, r := range s.Replicas {
		out = append(out, fmt.Sprintf("replica %d: %d MiB resident", i, resident(r.PID())))
	}
	t.Log("| what | median | worst | rounds | target |")
	for _, r := range []string{sinkKill.row("2 s"), sourceKill.row("TTL + margin + 1 s = 16 s"), sinkTerm.row("1 s"), sourceTerm.row("1 s"), sinkGap.row(""), calm.row(""), sourceGap.row(""), leader.row("4 s")} {
		t.Log(r)
	}
	for _, l := range out {
		t.Log(l)
	}
	s.check()
}

// apart is a lane whose sink and source have different holders, and the sink's.
func (s *story) apart() (lane int, holder *harness.Process) {
	s.t.Helper()
	for n := range 20 {
		for i := range lanes {
			if x := s.holder(fmt.Sprintf("dst-%d", i)); x != s.holder(fmt.Sprintf("src-%d", i)) {
				return i, x
			}
		}
		// One that comes back is empty: what is placed next goes there, and a changed config is placed anew.
		x := s.holder("dst-0")
		x.Stop()
		s.back(x)
		s.Put(s.t, "dst-1", s.sink(1, map[string]string{"movement": strconv.Itoa(n)}))
		s.AwaitRunning(s.t, "dst-1", 1)
		s.awaitLines(s.sofar(), time.Minute)
	}
	s.t.Fatal("every lane's sink is where its source is")
	return 0, nil
}

// back starts an executor again and waits until everything runs.
func (s *story) back(x *harness.Process) {
	s.t.Helper()
	x.AwaitEnd()
	x.Start()
	s.AwaitHealthy(x)
	for i := range lanes {
		s.AwaitRunning(s.t, fmt.Sprintf("src-%d", i), 1)
		s.AwaitRunning(s.t, fmt.Sprintf("dst-%d", i), 1)
	}
	s.awaitLines(s.sofar(), time.Minute)
}

// untilGrown is how long it takes until a lane's copy grows by another hand.
func (s *story) untilGrown(i int, f func()) time.Duration {
	s.t.Helper()
	name := fmt.Sprintf("dst-%d", i)
	x := s.holder(name)
	began := time.Now()
	f()
	harness.Await(s.t, name+" runs elsewhere", time.Minute, func() bool { return s.moved(name, x) })
	// The status comes after the first record or before it: the copy is what counts.
	size := func() int64 {
		st, err := os.Stat(s.out(i))
		if err != nil {
			return 0
		}
		return st.Size()
	}
	before := size()
	harness.Await(s.t, name+" writes", time.Minute, func() bool { return size() > before })
	return time.Since(began)
}

// untilProduced is how long it takes until another executor produces for a unit.
func (s *story) untilProduced(unit string, not *harness.Process, f func()) time.Duration {
	s.t.Helper()
	began := int64(clock.Real().Boot())
	f()
	first := int64(0)
	harness.Await(s.t, unit+" produces elsewhere", time.Minute, func() bool {
		for _, e := range s.Histories() {
			if e.Event == history.Produced && e.Unit == unit && e.Begin > began && !strings.HasPrefix(e.Process, not.Name+".") && (first == 0 || e.Begin < first) {
				first = e.Begin
			}
		}
		return first != 0
	})
	return time.Duration(first - began)
}

// standstill begins to watch a lane's copy; what it returns ends that and says for how long the copy did not grow at most.
func (s *story) standstill(i int) func() time.Duration {
	ctx, cancel := context.WithCancel(s.t.Context())
	longest := make(chan time.Duration, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var size int64
		var worst time.Duration
		for last := time.Now(); ; {
			if st, err := os.Stat(s.out(i)); err == nil && st.Size() != size {
				size, last = st.Size(), time.Now()
			}
			worst = max(worst, time.Since(last))
			select {
			case <-tick.C:
			case <-ctx.Done():
				longest <- worst
				return
			}
		}
	}()
	return func() time.Duration { cancel(); return <-longest }
}

// handedOver is the time between the last two executors' hand-overs of a unit: the last of the one, the first of the other.
func (s *story) handedOver(unit string) time.Duration {
	all := slices.DeleteFunc(s.Histories(), func(e history.Event) bool { return e.Event != history.Produced || e.Unit != unit })
	slices.SortFunc(all, func(a, b history.Event) int { return cmp.Compare(a.Begin, b.Begin) })
	for i := len(all) - 1; i > 0; i-- {
		if all[i].Process != all[i-1].Process {
			return time.Duration(all[i].Begin - all[i-1].End)
		}
	}
	return 0
}

// movements counts the units that move when an executor leaves and when one comes.
func (s *story) movements() []string {
	s.t.Helper()
	held := s.assignments()
	count := func(x *harness.Process) (n int) {
		for _, at := range held {
			if strings.HasPrefix(at, x.Name+":") {
				n++
			}
		}
		return n
	}
	last := slices.MaxFunc(s.Executors, func(a, b *harness.Process) int { return count(a) - count(b) })
	its := count(last)
	last.Stop()
	harness.Await(s.t, "all units are held", time.Minute, func() bool { return len(s.assignments()) == len(held) })
	left := s.assignments()
	moved := differ(held, left)
	s.AwaitHealthy(s.AddExecutor("default", s.kafka.Addr))
	s.Put(s.t, "one-more", map[string]string{"connector.class": "VerifiableSink", "topics": "nothing", "tasks.max": "1"})
	s.AwaitRunning(s.t, "one-more", 1)
	came := differ(left, s.assignments())
	return []string{fmt.Sprintf("one of four executors left: %d units moved, of %d; it held %d", moved, len(held), its), fmt.Sprintf("another came: %d units moved", came)}
}

// assignments are the executors of all units.
func (s *story) assignments() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	code, text, err := harness.Call("GET", s.REST(0)+"/v1/assignments", nil)
	if err != nil || code != 200 {
		return out
	}
	for _, a := range decode[struct {
		Assignments []struct{ Unit, Executor string }
	}](s.t, text).Assignments {
		if a.Executor != "" {
			out[a.Unit] = a.Executor
		}
	}
	return out
}

func differ(a, b map[string]string) (n int) {
	for u, x := range a {
		if b[u] != x {
			n++
		}
	}
	return n
}

// writes counts the writes of keys in etcd in half a minute in which nothing changes, and names the keys.
func (s *story) writes() string {
	s.t.Helper()
	watch := func(d time.Duration) (keys []string) {
		ctx, cancel := context.WithTimeout(s.t.Context(), d)
		defer cancel()
		for r := range s.etcd(s.t).Watch(ctx, "/", clientv3.WithPrefix()) {
			for _, e := range r.Events {
				keys = append(keys, string(e.Kv.Key))
			}
		}
		return keys
	}
	// Sessions and replicas that were killed are gone when their leases end: longer than one lives nothing may change.
	harness.Await(s.t, "twenty seconds without a change", 3*time.Minute, func() bool { return len(watch(20*time.Second)) == 0 })
	keys := watch(30 * time.Second)
	return fmt.Sprintf("etcd: %d writes of keys a minute while nothing changes (the renewals of leases are none) %v", 2*len(keys), keys)
}
