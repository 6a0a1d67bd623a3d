package conformance

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// What the records of the checks are made of.
const (
	sinkTopic   = "conformance"
	sinkBatches = 5
	perBatch    = 40
	scribble    = '#'
)

func marker(n int) string { return fmt.Sprintf("conformance-record-%06d.", n) }

// sink is a started sink task with its partitions open.
type sink struct {
	t    connectors.SinkTask
	next map[connectors.TopicPartition]int64 // the offsets to commit
	n    int                                 // the number of the next record
	f    Fixture
}

func startSink(tb testing.TB, p connectors.Plugin, f Fixture) *sink {
	tb.Helper()
	config := taskConfig(tb, p, f.Config)
	tps := []connectors.TopicPartition{{Topic: sinkTopic, Partition: 0}, {Topic: sinkTopic, Partition: 1}}
	s := &sink{t: p.NewSink().NewTask(), f: f, next: map[connectors.TopicPartition]int64{tps[0]: 0, tps[1]: 0}}
	must(tb, "the task's Start", func(ctx context.Context) error { return s.t.Start(ctx, &SinkContext{Partitions: tps}, config) })
	if l, ok := s.t.(connectors.PartitionListener); ok {
		must(tb, "Open", func(ctx context.Context) error { return l.Open(ctx, tps) })
	}
	return s
}

// put puts a batch, then destroys its memory.
func (s *sink) put(tb testing.TB, records int) {
	tb.Helper()
	arena := make([]byte, 0, records*64)
	b := &connectors.SinkBatch{}
	for range records {
		from := len(arena)
		arena = append(arena, marker(s.n)...)
		text := arena[from:len(arena):len(arena)]
		tp := connectors.TopicPartition{Topic: sinkTopic, Partition: int32(s.n % 2)}
		schema, value := data.StringSchema, data.StringOfBytes(text)
		if s.f.Value != nil {
			schema, value = s.f.Value(text)
		}
		b.Records = append(b.Records, connectors.SinkRecord{Topic: tp.Topic, Partition: tp.Partition, Offset: s.next[tp],
			Timestamp: 1_700_000_000_000, TimestampType: 1, ValueSchema: schema, Value: value})
		s.next[tp]++
		s.n++
	}
	must(tb, "Put", func(ctx context.Context) error { return s.t.Put(ctx, b) })
	for i := range arena {
		arena[i] = scribble
	}
	for i := range b.Records {
		b.Records[i] = connectors.SinkRecord{Topic: strings.Repeat(string(scribble), 8), Value: data.String(strings.Repeat(string(scribble), 8))}
	}
}

// flush does what the runtime does before it commits.
func (s *sink) flush(tb testing.TB) map[connectors.TopicPartition]int64 {
	tb.Helper()
	out := maps.Clone(s.next)
	if c, ok := s.t.(connectors.PreCommitter); ok {
		must(tb, "PreCommit", func(ctx context.Context) (err error) { out, err = c.PreCommit(ctx, maps.Clone(s.next)); return err })
	} else if c, ok := s.t.(connectors.Flusher); ok {
		must(tb, "Flush", func(ctx context.Context) error { return c.Flush(ctx, maps.Clone(s.next)) })
	}
	return out
}

func (s *sink) stop(tb testing.TB) {
	tb.Helper()
	if l, ok := s.t.(connectors.PartitionListener); ok {
		must(tb, "Close", func(ctx context.Context) error {
			return l.Close(ctx, []connectors.TopicPartition{{Topic: sinkTopic, Partition: 0}, {Topic: sinkTopic, Partition: 1}})
		})
	}
	must(tb, "the task's Stop", s.t.Stop)
}

func checkEmptyPut(tb testing.TB, p connectors.Plugin, f Fixture) {
	s := startSink(tb, p, f)
	s.put(tb, 0)
	s.flush(tb)
	s.put(tb, 1)
	s.put(tb, 0)
	s.flush(tb)
	s.stop(tb)
}

func checkPut(tb testing.TB, p connectors.Plugin, f Fixture) {
	s := startSink(tb, p, f)
	for range sinkBatches {
		s.put(tb, perBatch)
		s.put(tb, 0)
		committed := s.flush(tb)
		if f.Delivered == nil {
			continue
		}
		out := f.Delivered(tb)
		for n := range s.n {
			// Records alternate between two partitions, so record n has the offset n/2.
			tp := connectors.TopicPartition{Topic: sinkTopic, Partition: int32(n % 2)}
			if int64(n/2) < committed[tp] && !strings.Contains(out, marker(n)) {
				tb.Fatalf("record %d is committed, but was not delivered", n)
			}
		}
		if strings.Contains(out, strings.Repeat(string(scribble), 8)) {
			tb.Fatal("memory of a batch was used after Put had returned")
		}
	}
	s.stop(tb)
	if f.Delivered == nil {
		return
	}
	out := f.Delivered(tb)
	for n := range s.n {
		if !strings.Contains(out, marker(n)) {
			tb.Errorf("record %d was not delivered by the time the task had stopped", n)
		}
	}
}

func checkPreCommit(tb testing.TB, p connectors.Plugin, f Fixture) {
	s := startSink(tb, p, f)
	s.put(tb, perBatch)
	for tp, offset := range s.flush(tb) {
		if most, ok := s.next[tp]; !ok || offset > most || offset < 0 {
			tb.Errorf("PreCommit returned %d for %v, which has nothing above %d", offset, tp, most)
		}
	}
	s.stop(tb)
}
