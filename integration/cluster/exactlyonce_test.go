//go:build integration

package cluster

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// TestChaos_ExactlyOnceUnderFire kills executors and replicas at random moments while sources count, CHAOS_KILLS times in
// an order that CHAOS_SEED gives (`make chaos`), ten times without. Then an executor is stopped through its replacement's
// start, and goes on. A reader of what is committed must have every number once, in order.
func TestChaos_ExactlyOnceUnderFire(t *testing.T) {
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
	const tasks = 2
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
	for i := range boundaries {
		s.AwaitRunning(t, name(i), tasks)
	}
	pick := func(all []*harness.Process) *harness.Process { return all[random.IntN(len(all))] }
	for n := range kills {
		s.pass(time.Duration(random.IntN(int(3 * time.Second))))
		p := pick(s.Executors)
		if random.IntN(3) == 0 {
			p = pick(s.Replicas)
		}
		p.Kill()
		if random.IntN(2) == 0 { // its units have moved, or not, when it is back
			s.pass(time.Duration(random.IntN(int(2 * time.Second))))
		}
		p.Start()
		t.Logf("%3d kill -9 of %s", n+1, p.Name)
	}
	for _, x := range s.Executors {
		s.AwaitHealthy(x)
	}
	for i := range boundaries {
		s.AwaitRunning(t, name(i), tasks)
	}
	zombie := s.holder(name(0))
	zombie.Pause()
	harness.Await(t, "its task runs elsewhere", time.Minute, func() bool {
		st, ok := s.Status(name(0))
		return ok && len(st.Tasks) == tasks && st.Tasks[0].State == "RUNNING" && !strings.HasPrefix(st.Tasks[0].WorkerID, zombie.Name+":")
	})
	s.pass(2 * time.Second) // both are counting, the zombie from where it was
	zombie.Continue()
	s.AwaitHealthy(zombie)
	s.pass(2 * time.Second)
	for i := range boundaries {
		s.AwaitRunning(t, name(i), tasks)
		s.halt(name(i))
		s.once(name(i), tasks)
	}
	s.check()
}

// once wants the numbers of every task in a topic, each once and in order, as a reader of what is committed sees them.
func (s *story) once(topic string, tasks int) {
	s.t.Helper()
	out := s.kafka.Tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", s.kafka.Addr, "--topic", topic, "--from-beginning", "--timeout-ms", "5000",
		"--isolation-level", "read_committed", "--formatter-property", "print.key=true")
	next := map[int]int{}
	faults := 0
	for line := range strings.Lines(out) {
		// The tool's own words come too. Not by Sscan: to it "08:52:11.123 [main] ERROR" begins with the numbers 0 and 8.
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		task, noTask := strconv.Atoi(key)
		n, noNumber := strconv.Atoi(value)
		if !ok || noTask != nil || noNumber != nil {
			continue
		}
		if n != next[task] {
			if faults++; faults < 10 {
				s.t.Errorf("topic %s, task %d: %d comes where %d is right", topic, task, n, next[task])
			}
		}
		next[task] = max(next[task], n+1)
	}
	if len(next) != tasks {
		s.t.Errorf("topic %s has the numbers of %d tasks: %v", topic, len(next), next)
	}
	s.t.Logf("topic %s: %v numbers by task, %d lost or twice", topic, next, faults)
}
