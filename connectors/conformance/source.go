package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/run"
)

// roomy is more than any fixture's records.
const roomy = 1 << 16

// maxResumes bounds how many offsets of a fixture are resumed from.
const maxResumes = 64

// record is a source record that outlives its batch. The timestamp is left out: it may be the time of
// reading.
type record struct {
	partition, offset map[string]any
	r                 connectors.SourceRecord
}

// keep copies a record out of its batch.
func keep(b *connectors.SourceBatch, r connectors.SourceRecord) record {
	out := record{partition: maps.Clone(b.PartitionMap(r.Partition)), offset: OffsetMap(r.Offset), r: r}
	out.r.Topic = string([]byte(r.Topic))
	out.r.Key, out.r.Value = data.Clone(r.Key), data.Clone(r.Value)
	out.r.Headers = append(data.Headers(nil), r.Headers...)
	for i := range out.r.Headers {
		out.r.Headers[i].Value = data.Clone(r.Headers[i].Value)
	}
	return out
}

// differs says in what two records differ, or nothing.
func differs(a, b record) string {
	switch {
	case !reflect.DeepEqual(a.partition, b.partition):
		return fmt.Sprintf("source partition %v and %v", a.partition, b.partition)
	case !reflect.DeepEqual(a.offset, b.offset):
		return fmt.Sprintf("offset %v and %v", a.offset, b.offset)
	case a.r.Topic != b.r.Topic || a.r.KafkaPartition != b.r.KafkaPartition:
		return fmt.Sprintf("topic and partition %s/%d and %s/%d", a.r.Topic, a.r.KafkaPartition, b.r.Topic, b.r.KafkaPartition)
	case !data.SameSchema(a.r.KeySchema, b.r.KeySchema) || !data.Equal(a.r.Key, b.r.Key):
		return fmt.Sprintf("key %#v and %#v", a.r.Key, b.r.Key)
	case !data.SameSchema(a.r.ValueSchema, b.r.ValueSchema) || !data.Equal(a.r.Value, b.r.Value):
		return fmt.Sprintf("value %#v and %#v", a.r.Value, b.r.Value)
	case len(a.r.Headers) != len(b.r.Headers):
		return fmt.Sprintf("%d and %d headers", len(a.r.Headers), len(b.r.Headers))
	}
	for i := range a.r.Headers {
		x, y := a.r.Headers[i], b.r.Headers[i]
		if x.Key != y.Key || !data.SameSchema(x.Schema, y.Schema) || !data.Equal(x.Value, y.Value) {
			return fmt.Sprintf("header %s=%#v and %s=%#v", x.Key, x.Value, y.Key, y.Value)
		}
	}
	return ""
}

// compare reports the first difference.
func compare(tb testing.TB, what string, want, got []record) {
	tb.Helper()
	for i := range min(len(want), len(got)) {
		if d := differs(want[i], got[i]); d != "" {
			tb.Errorf("%s: record %d of %d differs: %s", what, i, len(want), d)
			return
		}
	}
	if len(want) != len(got) {
		tb.Errorf("%s: %d records instead of %d", what, len(got), len(want))
	}
}

func startSource(tb testing.TB, p connectors.Plugin, config map[string]string, tc connectors.SourceTaskContext) connectors.SourceTask {
	tb.Helper()
	t := p.NewSource().NewTask()
	must(tb, "the task's Start", func(ctx context.Context) error { return t.Start(ctx, tc, maps.Clone(config)) })
	return t
}

// poll polls until there are as many records as wanted, by batches with that much room.
func poll(tb testing.TB, t connectors.SourceTask, want, room int, each func(b *connectors.SourceBatch, r connectors.SourceRecord)) {
	tb.Helper()
	b := connectors.NewSourceBatch(room)
	got := 0
	must(tb, fmt.Sprintf("Poll, until there are %d records", want), func(ctx context.Context) error {
		for got < want {
			b.Reset()
			if err := t.Poll(ctx, b); err != nil {
				return fmt.Errorf("after %d records: %w", got, err)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("only %d of %d records came", got, want)
			}
			if len(b.Records) > room {
				return fmt.Errorf("a batch with room for %d has %d records", room, len(b.Records))
			}
			for _, r := range b.Records {
				if got < want {
					each(b, r)
				}
				got++
			}
		}
		return nil
	})
}

// read reads records with a task of its own. With none wanted it starts and stops the task.
func read(tb testing.TB, p connectors.Plugin, config map[string]string, tc connectors.SourceTaskContext, want, room int) []record {
	tb.Helper()
	t := startSource(tb, p, config, tc)
	var out []record
	poll(tb, t, want, room, func(b *connectors.SourceBatch, r connectors.SourceRecord) { out = append(out, keep(b, r)) })
	must(tb, "the task's Stop", t.Stop)
	return out
}

func checkRecords(tb testing.TB, p connectors.Plugin, f Fixture) {
	t := startSource(tb, p, taskConfig(tb, p, f.Config), &SourceContext{})
	n := 0
	poll(tb, t, f.Records, roomy, func(b *connectors.SourceBatch, r connectors.SourceRecord) {
		n++
		if err := wellFormed(b, r); err != nil {
			tb.Errorf("record %d: %v", n-1, err)
		}
	})
	if c, ok := t.(connectors.SourceCommitter); ok {
		must(tb, "Commit", c.Commit)
	}
	must(tb, "the task's Stop", t.Stop)
}

func wellFormed(b *connectors.SourceBatch, r connectors.SourceRecord) error {
	switch {
	case r.Topic == "":
		return errors.New("it has no topic")
	case r.KafkaPartition < connectors.NoPartition || r.Timestamp < connectors.NoTimestamp:
		return fmt.Errorf("it has the partition %d and the timestamp %d: none is -1", r.KafkaPartition, r.Timestamp)
	case r.Partition != 0 && b.PartitionMap(r.Partition) == nil:
		return fmt.Errorf("its source partition ref %d is not of this batch", r.Partition)
	case r.Offset.Key == "" && r.Offset.Value.Kind() != data.KindMap && !r.Offset.Value.IsNull():
		return fmt.Errorf("its offset has no key and is %#v: a map or null would be right", r.Offset.Value)
	}
	return errors.Join(data.Validate(r.KeySchema, r.Key), data.Validate(r.ValueSchema, r.Value))
}

func checkRooms(tb testing.TB, p connectors.Plugin, f Fixture) {
	if f.NotResumable {
		return
	}
	config := taskConfig(tb, p, f.Config)
	want := read(tb, p, config, &SourceContext{}, f.Records, roomy)
	for _, room := range []int{1, 3} {
		compare(tb, fmt.Sprintf("by batches of %d", room), want, read(tb, p, config, &SourceContext{}, f.Records, room))
	}
}

func checkPollEnds(tb testing.TB, p connectors.Plugin, f Fixture) {
	t := startSource(tb, p, taskConfig(tb, p, f.Config), &SourceContext{})
	b := connectors.NewSourceBatch(roomy)
	endedPoll := func(what string, ctx context.Context) {
		b.Reset()
		err := call(tb, what, func(context.Context) error { return t.Poll(ctx, b) })
		if err != nil && !errors.Is(err, context.Canceled) {
			tb.Errorf("%s: %v", what, err)
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	endedPoll("Poll with a context that has ended", ended)
	left := f.Records - len(b.Records)
	if !f.Endless {
		poll(tb, t, left, roomy, func(*connectors.SourceBatch, connectors.SourceRecord) {})
	}
	// There is nothing left: Poll may wait, until its context ends at an arbitrary moment.
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		polling := run.New(context.Background(), "conformance-cancel")
		if err := polling.Go(func(context.Context) error { cancel(); return nil }); err != nil {
			tb.Fatal(err)
		}
		endedPoll("Poll while its context ends", ctx)
		must(tb, "the cancellation", polling.Stop)
		if len(b.Records) > 0 && !f.Endless {
			tb.Errorf("%d records came after the %d of the case", len(b.Records), f.Records)
		}
	}
	must(tb, "the task's Stop", t.Stop)
}

func checkResume(tb testing.TB, p connectors.Plugin, f Fixture) {
	if f.NotResumable || f.Records == 0 {
		return
	}
	config := taskConfig(tb, p, f.Config)
	all := read(tb, p, config, &SourceContext{}, f.Records, roomy)
	tc := &SourceContext{}
	step := max(1, len(all)/maxResumes)
	for i, r := range all {
		tc.Commit(r.partition, r.offset)
		if i%step != 0 && i != len(all)-1 {
			continue
		}
		what := fmt.Sprintf("resumed after record %d, at %v %v", i, r.partition, r.offset)
		rest := all[i+1:]
		compare(tb, what, rest, read(tb, p, config, tc, len(rest), roomy))
	}
}
