//go:build integration

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
)

// TestChaos_UnderFire kills executors and replicas at random moments while exactly-once sources count and sinks write down
// what they read, CHAOS_KILLS times in an order that CHAOS_SEED gives (`make chaos`), ten times without. Then executors are
// stopped through their replacements' start, and go on. A reader of what is committed must have every number once, in order;
// every record must be in each sink or its dead letter queue at least once, and no committed offset may ever pass one that is
// in neither.
func TestChaos_UnderFire(t *testing.T) {
	kills, _ := strconv.Atoi(os.Getenv("CHAOS_KILLS"))            // none where it is not set
	seed, _ := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64) // 0 where it is not set
	if kills == 0 {
		kills = 10
	}
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) //nolint:gosec // any will do
	}
	t.Logf("%d kills, CHAOS_SEED=%d", kills, seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // to be repeated
	s := &story{t: t, kafka: harness.StartKafka(t, root)}
	s.Cluster = harness.Start(t, harness.Options{Etcd: 1, Replicas: 2, Executors: []string{"default", "default", "default"}, TTL: ttl, Margin: margin, Kafka: s.kafka, Root: root,
		LogLevel: "debug", ExecutorFlags: []string{"--exactly.once.source.support", "enabled"}}, harness.Binaries(t, root))
	const tasks, sinkTasks = 2, 3
	boundaries := []map[string]string{
		{"transaction.boundary": "poll"},
		{"transaction.boundary": "interval", "transaction.boundary.interval.ms": "700", "offsets.storage.topic": "counted-offsets"},
	}
	name := func(i int) string { return fmt.Sprintf("counted-%d", i) }
	for i, b := range boundaries {
		config := map[string]string{"connector.class": "VerifiableSource", "topic": name(i), "tasks.max": strconv.Itoa(tasks), "throughput": "300"}
		for k, v := range b {
			config[k] = v
		}
		s.Put(t, name(i), config)
	}
	topic := watch(t, s.kafka.Addr, "watched", 12)
	var sinks []*witnessed
	for _, assignor := range []string{"RangeAssignor", "CooperativeStickyAssignor"} { // eager rebalances, and cooperative ones
		sink, config := topic.witness("witness-"+assignor, sinkTasks, map[string]string{"refuse": "25",
			"consumer.override.partition.assignment.strategy": "org.apache.kafka.clients.consumer." + assignor})
		s.Put(t, sink.name, config)
		sinks = append(sinks, sink)
	}
	running := func() {
		for i := range boundaries {
			s.AwaitRunning(t, name(i), tasks)
		}
		for _, sink := range sinks {
			s.AwaitRunning(t, sink.name, sinkTasks)
		}
	}
	running()
	writing, stop := context.WithCancel(t.Context())
	wrote := topic.trickle(writing)
	pick := func(all []*harness.Process) *harness.Process { return all[random.IntN(len(all))] }
	for n := range kills {
		s.pass(time.Duration(random.IntN(int(3 * time.Second))))
		p := pick(s.Executors)
		if random.IntN(3) == 0 {
			p = pick(s.Replicas)
		}
		p.Kill()
		for _, sink := range sinks {
			sink.passed()
		}
		if random.IntN(2) == 0 { // its units have moved, or not, when it is back
			s.pass(time.Duration(random.IntN(int(2 * time.Second))))
		}
		p.Start()
		t.Logf("%3d kill -9 of %s", n+1, p.Name)
	}
	for _, x := range s.Executors {
		s.AwaitHealthy(x)
	}
	running()
	// One holder of a source's task, one of a sink's; both may be the same.
	stopped := map[string]*harness.Process{name(0): s.holder(name(0)), sinks[0].name: s.holder(sinks[0].name)}
	for _, zombie := range stopped {
		zombie.Pause()
	}
	for connector, zombie := range stopped {
		harness.Await(t, "task 0 of "+connector+" runs elsewhere", time.Minute, func() bool {
			st, ok := s.Status(connector)
			return ok && len(st.Tasks) > 0 && st.Tasks[0].State == "RUNNING" && !strings.HasPrefix(st.Tasks[0].WorkerID, zombie.Name+":")
		})
	}
	s.pass(2 * time.Second) // all are at work, the zombies from where they were
	for _, zombie := range stopped {
		zombie.Continue()
	}
	for _, zombie := range stopped {
		s.AwaitHealthy(zombie)
	}
	for _, sink := range sinks {
		sink.passed()
	}
	s.pass(2 * time.Second)
	running()
	stop()
	wrote()
	for _, sink := range sinks {
		sink.whole()
	}
	for i := range boundaries {
		s.halt(name(i))
		s.once(topic, name(i), tasks)
	}
	s.check()
}

// once wants the numbers of every task in a topic, each once and in order, as a reader of what is committed sees them. The topic has
// one partition, keys are tasks and values numbers.
func (s *story) once(w *watched, topic string, tasks int) {
	s.t.Helper()
	end := int64(0)
	harness.Await(s.t, "no transaction is open in "+topic, 2*time.Minute, func() bool {
		end = w.end(topic, readUncommitted)
		return w.end(topic, readCommitted) == end
	})
	next := map[int]int{}
	faults := 0
	w.each(topic, end, func(r *kgo.Record) {
		if r.Attrs.IsControl() { // the last one ends a transaction
			return
		}
		task, noTask := strconv.Atoi(string(r.Key))
		n, noNumber := strconv.Atoi(string(r.Value))
		if noTask != nil || noNumber != nil {
			s.t.Errorf("topic %s, offset %d: %q %q is no task's number", topic, r.Offset, r.Key, r.Value)
			return
		}
		if n != next[task] {
			if faults++; faults < 10 {
				s.t.Errorf("topic %s, task %d: %d comes where %d is right", topic, task, n, next[task])
			}
		}
		next[task] = max(next[task], n+1)
	})
	if len(next) != tasks {
		s.t.Errorf("topic %s has the numbers of %d tasks: %v", topic, len(next), next)
	}
	s.t.Logf("topic %s: %v numbers by task, %d lost or twice", topic, next, faults)
}
