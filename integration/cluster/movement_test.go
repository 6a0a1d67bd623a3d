//go:build integration

package cluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/internal/history"
)

// TestChange_MovesAndRestartsExactlyTheUnitsThatMust counts the starts of every unit while configs change and executors
// come and go.
func TestChange_MovesAndRestartsExactlyTheUnitsThatMust(t *testing.T) {
	bin, kafka := harness.Binaries(t, root), harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Executors: []string{"default", "default"}, Kafka: kafka, Root: root}, bin)
	dir := t.TempDir()
	file := func(topic string) map[string]string {
		return map[string]string{"connector.class": "FileStreamSource", "file": filepath.Join(dir, "in.txt"), "topic": topic, "tasks.max": "1"}
	}
	sink := func(tasks int) map[string]string {
		return map[string]string{"connector.class": "VerifiableSink", "topics": "movement", "tasks.max": fmt.Sprint(tasks)}
	}
	kafka.Produce("movement", "x")
	started := map[string]int{}
	// news are the units that were started since the last call, as "unit count".
	news := func() (out []string) {
		now := map[string]int{}
		for _, e := range c.Histories() {
			if e.Event == history.Started {
				now[e.Unit]++
			}
		}
		for _, u := range slices.Sorted(maps.Keys(now)) {
			if n := now[u] - started[u]; n > 0 {
				out = append(out, fmt.Sprintf("%s %d", u, n))
			}
		}
		started = now
		return out
	}
	step := func(what string, do func(), want ...string) {
		t.Helper()
		do()
		var got []string
		harness.Await(t, what+": "+strings.Join(want, ", "), time.Minute, func() bool {
			got = append(got, news()...)
			return len(got) >= len(want)
		})
		// Whatever else was to be started would be by the time that another connector runs, and is seen there.
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	parts := func(tasks int) map[string]string {
		return map[string]string{"connector.class": "PartitionedSource", "topic": "parts", "tasks.max": fmt.Sprint(tasks)}
	}
	settled := func() { c.AwaitRunning(t, "other", 1) }
	c.Put(t, "file", file("one"))
	c.Put(t, "sink", sink(2))
	c.Put(t, "parts", parts(12))
	c.Put(t, "other", map[string]string{"connector.class": "VerifiableSink", "topics": "movement", "tasks.max": "1"})
	c.AwaitRunning(t, "file", 1)
	c.AwaitRunning(t, "parts", 12)
	settled()
	news()
	step("tasks.max grows, and the tasks stay what they were", func() { c.Put(t, "parts", parts(20)); c.AwaitRunning(t, "parts", 12) }, "connector:parts 1")
	// VerifiableSink gives each task the connector's whole config, as in Kafka: tasks.max is part of what they run from.
	step("tasks.max grows, and every task has it in its config", func() { c.Put(t, "sink", sink(4)); c.AwaitRunning(t, "sink", 4) },
		"connector:sink 1", "task:sink/0 1", "task:sink/1 1", "task:sink/2 1", "task:sink/3 1")
	step("another topic", func() { c.Put(t, "file", file("two")); c.AwaitRunning(t, "file", 1) }, "connector:file 1", "task:file/0 1")
	step("the same config again", func() { c.Put(t, "file", file("two")); c.AwaitRunning(t, "file", 1) })
	step("an executor comes", func() { c.AwaitHealthy(c.AddExecutor("default", kafka.Addr)) })
	held := map[string]string{}
	for _, e := range c.Histories() {
		if e.Event == history.Started {
			held[e.Unit] = e.Executor
		}
	}
	var moves []string
	leaving := c.Executors[0]
	for u, x := range held {
		if strings.HasPrefix(x, leaving.Name+":") {
			moves = append(moves, u+" 1")
		}
	}
	slices.Sort(moves)
	step("one leaves", leaving.Stop, moves...)
	settled()
	step("and nothing more", func() {})
	if bad := history.Check(c.Histories()); len(bad) > 0 {
		t.Error(bad)
	}
}
