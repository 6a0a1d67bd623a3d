//go:build integration

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/internal/history"
)

// scale changes a connector of twelve source partitions from 2 to 5 tasks and back until ctx ends; in the end each
// partition has to be whole. The history says whether one was ever read by two.
func (s *story) scale(ctx context.Context) (wait func()) {
	config := map[string]string{"connector.class": "PartitionedSource", "topic": "partitioned", "tasks.max": "2"}
	s.Put(s.t, "scaled", config)
	s.AwaitRunning(s.t, "scaled", 2)
	done, times := make(chan struct{}), 0
	go func() {
		defer close(done)
		tick := time.NewTicker(3 * time.Second)
		defer tick.Stop()
		for ; ; times++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			config["tasks.max"] = []string{"5", "2"}[times%2]
			_, _, _ = harness.Call("PUT", s.REST(times%2)+"/connectors/scaled/config", config) // refused while nobody is there: it comes again
		}
	}()
	return func() {
		<-done
		config["tasks.max"] = "3"
		s.Put(s.t, "scaled", config)
		s.AwaitRunning(s.t, "scaled", 3)
		s.halt("scaled")
		readers := map[string]bool{}
		for _, e := range s.Histories() {
			if e.Event == history.Produced && strings.HasPrefix(e.Unit, "task:scaled/") {
				readers[e.Unit+" "+e.Epoch] = true
			}
		}
		next, twice := s.whole("partitioned", func(value string) (p string, n int, ok bool) {
			_, err := fmt.Sscan(value, &p, &n)
			return p, n, err == nil && len(p) <= 2
		})
		s.t.Logf("scaled %d times, %d readers: %d source partitions, %d of partition 0, %d came twice", times, len(readers), len(next), next["0"], twice)
	}
}

// whole reads a topic, whose records are numbers of source partitions, and fails where one is missing. It returns how many
// there are of each, and how many came twice.
func (s *story) whole(topic string, parse func(value string) (partition string, n int, ok bool)) (next map[string]int, twice int) {
	s.t.Helper()
	kc, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Addr))
	if err != nil {
		s.t.Fatal(err)
	}
	defer kc.Close()
	w := &watched{t: s.t, kc: kc}
	next = map[string]int{}
	w.each(topic, w.end(topic, readUncommitted), func(r *kgo.Record) {
		p, n, ok := parse(string(r.Value))
		switch {
		case !ok:
			s.t.Errorf("topic %s, offset %d: %q has no number", topic, r.Offset, r.Value)
		case n == next[p]:
			next[p]++
		case n < next[p]:
			twice++
		default:
			s.t.Errorf("topic %s, source partition %s: %d comes after %d: records between are lost", topic, p, n, next[p]-1)
			next[p] = n + 1
		}
	})
	return next, twice
}

// verify has Kafka's verifiable connectors run beside everything else; in the end no number may be missing.
func (s *story) verify() (wait func()) {
	s.Put(s.t, "verified", map[string]string{"connector.class": "VerifiableSource", "topic": "verified", "throughput": "50", "tasks.max": "3",
		"complete.record.data": "true", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"})
	s.Put(s.t, "verifying", map[string]string{"connector.class": "VerifiableSink", "topics": "verified", "tasks.max": "2",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"})
	s.AwaitRunning(s.t, "verified", 3)
	s.AwaitRunning(s.t, "verifying", 2)
	return func() {
		s.AwaitRunning(s.t, "verifying", 2)
		s.halt("verified")
		next, twice := s.whole("verified", func(value string) (string, int, bool) {
			var r struct{ Task, Seqno int }
			r.Task = -1
			err := json.Unmarshal([]byte(value), &r)
			return fmt.Sprint(r.Task), r.Seqno, err == nil && r.Task >= 0
		})
		s.t.Logf("verifiable connectors: %v records by task, %d came twice", next, twice)
		if len(next) != 3 {
			s.t.Errorf("records of %d tasks, want 3", len(next))
		}
	}
}

// halt stops a connector and waits until all of it is.
func (s *story) halt(name string) {
	s.t.Helper()
	if code, text, err := harness.Call("PUT", s.REST(0)+"/connectors/"+name+"/stop", nil); err != nil || code != 204 {
		s.t.Fatal(code, text, err)
	}
	harness.Await(s.t, name+" is stopped", time.Minute, func() bool {
		st, ok := s.Status(name)
		return ok && st.Connector.State == "STOPPED" && len(st.Tasks) == 0
	})
}
