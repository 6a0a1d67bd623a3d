//go:build integration

package cluster

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/integration/harness/witness"
	"github.com/sluice-project/sluice/internal/history"
)

// everywhere writes a record to each partition and returns their places.
func (w *watched) everywhere() (out []place) {
	w.t.Helper()
	before := maps.Clone(w.written)
	for p := range w.partitions {
		w.write(w.t.Context(), p, false)
	}
	w.flush()
	for r := range w.written {
		if _, old := before[r]; !old {
			out = append(out, r)
		}
	}
	return out
}

// owners is which task has each partition by what the sink was told, and which partitions were ever taken from one.
func (s *witnessed) owners() (owner map[int32]int, taken map[int32]bool) {
	owner, taken = map[int32]int{}, map[int32]bool{}
	for _, l := range s.lines {
		switch l.What {
		case witness.Opened:
			owner[l.Partition] = l.Task
		case witness.Closing:
			delete(owner, l.Partition)
			taken[l.Partition] = true
		}
	}
	return owner, taken
}

// TestRebalance_StopsNoPartitionThatDoesNotMove adds executors. Where tasks have been waiting for one they join their group, and take
// partitions from the tasks that run: with the cooperative assignor nothing else of those stops. That is tried in the middle of the
// rebalance, which a task holds up that does not return from closing a partition: whatever the others have and keep arrives all the
// same. Where none have been waiting nothing moves, and no group is rebalanced, whatever its assignor.
func TestRebalance_StopsNoPartitionThatDoesNotMove(t *testing.T) {
	const tasks, first, partitions = 9, 6, 18
	bin, kafka := harness.Binaries(t, root), harness.StartKafka(t, root)
	// Two executors have room for the mirror, the planner and six tasks.
	c := harness.Start(t, harness.Options{Executors: []string{"default", "default"}, Kafka: kafka, Root: root,
		ExecutorFlags: []string{"--sluice.capacity", fmt.Sprint((first + 2) / 2)}}, bin)
	topic := watch(t, kafka.Addr, "watched", partitions)
	hold := filepath.Join(t.TempDir(), "hold")
	sink, config := topic.witness("shared", tasks, map[string]string{"hold": hold, "consumer.override.heartbeat.interval.ms": "300",
		"consumer.override.partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"})
	c.Put(t, sink.name, config)
	shared := func(n int) { // among n tasks, evenly
		t.Helper()
		harness.Await(t, fmt.Sprintf("%d tasks share the partitions", n), time.Minute, func() bool {
			sink.look()
			owner, _ := sink.owners()
			each := map[int]int{}
			for _, task := range owner {
				each[task]++
			}
			return len(owner) == partitions && len(each) == n && !slices.ContainsFunc(slices.Collect(maps.Values(each)), func(k int) bool { return k != partitions/n })
		})
	}
	arrive := func(what string, records []place) {
		t.Helper()
		harness.Await(t, what, time.Minute, func() bool {
			sink.look()
			return !slices.ContainsFunc(records, func(r place) bool { return sink.seen[r] == 0 })
		})
	}
	shared(first)
	arrive("what is written before the rebalance arrives", topic.everywhere())
	sink.lines = slices.DeleteFunc(sink.lines, func(l witness.Line) bool { return l.What == witness.Closing || l.What == witness.Closed }) // of the first joins
	before, _ := sink.owners()
	if !slices.Contains(slices.Collect(maps.Values(before)), 0) {
		t.Fatalf("task 0 has no partition to be held: %v", before)
	}
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.AwaitHealthy(c.AddExecutor("default", kafka.Addr))
	harness.Await(t, "task 0 closes a partition", time.Minute, func() bool {
		sink.look()
		return slices.ContainsFunc(sink.lines, func(l witness.Line) bool { return l.What == witness.Closing && l.Task == 0 })
	})
	during, arrived := topic.everywhere(), 0
	harness.Await(t, "what is written during the rebalance arrives where nothing moves", time.Minute, func() bool {
		sink.look()
		arrived = 0
		_, taken := sink.owners()
		for _, r := range during {
			if before[r.partition] != 0 && !taken[r.partition] {
				if sink.seen[r] == 0 {
					return false
				}
				arrived++
			}
		}
		return true
	})
	if slices.ContainsFunc(sink.lines, func(l witness.Line) bool { return l.What == witness.Closed && l.Task == 0 }) {
		t.Fatal("the rebalance was not held up: nothing is shown")
	}
	if want := (first - 1) * (partitions / tasks); arrived < want {
		t.Errorf("%d partitions went on during the rebalance, want at least %d", arrived, want)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	shared(tasks)
	arrive("what was written during the rebalance arrives", during)
	arrive("what is written after the rebalance arrives", topic.everywhere())
	after, taken := sink.owners()
	moved := 0
	for p, task := range after {
		if task != before[p] {
			moved++
		}
		if taken[p] != (task != before[p]) {
			t.Errorf("partition %d was of task %d and is of task %d; was it closed: %t", p, before[p], task, taken[p])
		}
	}
	if want := partitions - first*(partitions/tasks); moved != want {
		t.Errorf("%d partitions moved, want %d", moved, want)
	}
	t.Logf("%d of %d partitions moved; %d others went on while the rebalance was held up", moved, partitions, arrived)

	// Two more tasks, with Kafka Connect's default assignor; they fill the third executor and begin a fourth.
	c.AwaitHealthy(c.AddExecutor("default", kafka.Addr))
	eager, config := topic.witness("eager", 2, nil)
	c.Put(t, eager.name, config)
	c.AwaitRunning(t, eager.name, 2)
	sinks := []*witnessed{sink, eager}
	state := func() (out []string) {
		for _, s := range sinks {
			s.look()
			for _, l := range s.lines {
				out = append(out, fmt.Sprint(s.name, l))
			}
		}
		for _, e := range c.Histories() {
			if e.Event == history.Started && (strings.HasPrefix(e.Unit, "task:shared/") || strings.HasPrefix(e.Unit, "task:eager/")) {
				out = append(out, e.Unit+" started "+e.Epoch)
			}
		}
		return out
	}
	harness.Await(t, "the two have all partitions", time.Minute, func() bool {
		eager.look()
		owner, _ := eager.owners()
		return len(owner) == partitions
	})
	was := state()
	c.AwaitHealthy(c.AddExecutor("default", kafka.Addr))
	// What is placed now is placed after whatever else would be.
	c.Put(t, "other", map[string]string{"connector.class": "VerifiableSink", "topics": "other", "tasks.max": "1"})
	c.AwaitRunning(t, "other", 1)
	last := topic.everywhere()
	for _, s := range sinks {
		harness.Await(t, "what is written at last arrives at "+s.name, time.Minute, func() bool {
			s.look()
			return !slices.ContainsFunc(last, func(r place) bool { return s.seen[r] == 0 })
		})
	}
	if now := state(); !slices.Equal(was, now) {
		t.Errorf("an executor that nobody has been waiting for changed something: %q, then %q", was, now)
	}
	for _, s := range sinks {
		s.whole()
	}
	if bad := history.Check(c.Histories()); len(bad) > 0 {
		t.Error(bad)
	}
}
