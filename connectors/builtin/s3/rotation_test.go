package s3

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

var (
	tp0 = connectors.TopicPartition{Topic: "t", Partition: 0}
	tp1 = connectors.TopicPartition{Topic: "t", Partition: 1}
)

// versions are schemas of one struct, each with a field more.
var versions = func() (out []*data.Schema) {
	for v := int32(1); v <= 3; v++ {
		s := &data.Schema{Type: data.KindStruct, Name: "r", Version: v, Fields: []data.Field{{Name: "dir", Schema: data.StringSchema}, {Name: "at", Schema: data.Int64Schema}, {Name: "id", Schema: data.StringSchema}}}
		for i := int32(1); i < v; i++ {
			s.Fields = append(s.Fields, data.Field{Name: fmt.Sprint("more", i), Schema: data.OptionalStringSchema})
		}
		out = append(out, s)
	}
	return out
}()

// drawn are records of one partition, as a topic may have them.
func drawn(t *rapid.T, tp connectors.TopicPartition) (out []connectors.SinkRecord) {
	offset, at := rapid.Int64Range(0, 5).Draw(t, "first offset"), int64(1_700_000_000_000)
	for range rapid.IntRange(0, 60).Draw(t, "records") {
		schema := versions[rapid.IntRange(0, 2).Draw(t, "schema")]
		st := data.NewStruct(schema)
		at += rapid.Int64Range(-500, 2000).Draw(t, "time")
		st.Set(0, data.String(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "dir")))
		st.Set(1, data.Int64(at))
		st.Set(2, data.String(fmt.Sprintf("<%d/%d>", tp.Partition, offset)))
		r := connectors.SinkRecord{Topic: tp.Topic, Partition: tp.Partition, Offset: offset, Timestamp: at, ValueSchema: schema, Value: data.StructOf(st)}
		if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
			r.ValueSchema, r.Value = nil, data.Null()
		}
		out = append(out, r)
		offset += rapid.SampledFrom([]int64{1, 1, 1, 2, 7}).Draw(t, "gap")
	}
	return out
}

// putAll puts records in batches of any size, and commits now and then. What was committed is returned: offsets of
// each commit, by partition. Where a Put may be tried again, it is.
func putAll(t *rapid.T, config map[string]string, records []connectors.SinkRecord) []map[connectors.TopicPartition]int64 {
	sink := confluent(clock.NewFake(time.UnixMilli(1))).NewSink().NewTask()
	ctx := context.Background()
	if err := sink.Start(ctx, &conformance.SinkContext{Partitions: []connectors.TopicPartition{tp0, tp1}}, config); err != nil {
		t.Fatal(err)
	}
	var commits []map[connectors.TopicPartition]int64
	next := map[connectors.TopicPartition]int64{}
	commit := func() {
		out, err := sink.(connectors.PreCommitter).PreCommit(ctx, maps.Clone(next))
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, out)
	}
	for len(records) > 0 {
		n := rapid.IntRange(1, min(20, len(records))).Draw(t, "batch")
		batch := records[:n]
		records = records[n:]
		for err := connectors.Retriable(fmt.Errorf("first")); err != nil; {
			if err = sink.Put(ctx, &connectors.SinkBatch{Records: batch}); err != nil && !connectors.IsRetriable(err) {
				t.Fatal(err)
			}
			if err != nil {
				commit() // the runtime may, between tries
			}
		}
		for _, r := range batch {
			next[connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
		}
		commit()
	}
	if err := sink.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	return commits
}

// Whoever begins again at any offset that was ever committed makes the same objects, whatever the batches are and however
// often the store fails: no object more, none less, none that differs. And every record is in exactly one, in order.
func TestRotation_AnyReplayFromAnyCommittedOffsetGivesTheSameObjects(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake(t)
		defer f.server.Close()
		config := f.config(map[string]string{"behavior.on.null.values": "ignore", "topics.dir": "x",
			"flush.size":                 fmt.Sprint(rapid.IntRange(1, 12).Draw(rt, "flush.size")),
			"sluice.s3.rotate.bytes":     fmt.Sprint(rapid.SampledFrom([]int{-1, 60, 200}).Draw(rt, "bytes")),
			"schema.compatibility":       rapid.SampledFrom([]string{"NONE", "BACKWARD", "FORWARD", "FULL"}).Draw(rt, "compatibility"),
			"partitioner.max.open.files": fmt.Sprint(rapid.SampledFrom([]int{-1, 1, 2}).Draw(rt, "open")),
			"timezone":                   "Europe/Berlin", "locale": "en", "partition.duration.ms": "5000", "path.format": "'m'=mm/'s'=ss", "partition.field.name": "dir", "timestamp.field": "at",
			"partitioner.class":               rapid.SampledFrom([]string{byDefault, byField, byTime, byHour}).Draw(rt, "partitioner"),
			"timestamp.extractor":             rapid.SampledFrom([]string{"Record", "RecordField"}).Draw(rt, "extractor"),
			"rotate.interval.ms":              fmt.Sprint(rapid.SampledFrom([]int{-1, 3000, 20000}).Draw(rt, "interval")),
			"rotate.file.on.partition.change": fmt.Sprint(rapid.Bool().Draw(rt, "on change")),
		})
		all := append(drawn(rt, tp0), drawn(rt, tp1)...)
		putAll(rt, config, all)
		want := f.objects(t)
		wantWhole(rt, all, want)

		// Again, with a store that fails, into another bucket's worth of objects; then a third life from any commit of the second.
		g := newFake(t)
		defer g.server.Close()
		config["store.url"] = g.url
		failing := rapid.SliceOfN(rapid.Bool(), 0, 12).Draw(rt, "failures")
		var mu sync.Mutex // requests come beside each other
		g.answers(func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if r.Method != http.MethodPut || len(failing) == 0 {
				return false
			}
			fail := failing[0]
			failing = failing[1:]
			return fail && failure(w, http.StatusServiceUnavailable, "SlowDown")
		})
		commits := putAll(rt, config, all)
		g.answers(nil)
		if d := cmp.Diff(want, g.objects(t)); d != "" {
			rt.Fatalf("with a store that fails: %s", d)
		}
		if len(commits) == 0 {
			return
		}
		from := map[connectors.TopicPartition]int64{}
		for _, c := range commits[:rapid.IntRange(0, len(commits)-1).Draw(rt, "commit")+1] {
			for tp, o := range c {
				if o < from[tp] {
					rt.Fatalf("%v goes back from %d to %d", tp, from[tp], o)
				}
				from[tp] = o
			}
		}
		rest := slices.DeleteFunc(slices.Clone(all), func(r connectors.SinkRecord) bool {
			return r.Offset < from[connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}]
		})
		putAll(rt, config, rest)
		if d := cmp.Diff(want, g.objects(t)); d != "" {
			rt.Fatalf("again from %v: %s", from, d)
		}
	})
}

// wantWhole says whether the objects have each record exactly once, up to the last cut of each partition.
func wantWhole(t *rapid.T, all []connectors.SinkRecord, objects map[string]string) {
	text := strings.Join(slices.Collect(maps.Values(objects)), "")
	ended := map[int32]bool{}
	for i := len(all) - 1; i >= 0; i-- { // what is behind the last cut is in none
		r := all[i]
		if r.Value.IsNull() {
			continue
		}
		id := r.Value.Struct().Get("id").Str()
		n := strings.Count(text, id)
		if n > 1 || n == 0 && ended[r.Partition] {
			t.Fatalf("%s is in the objects %d times", id, n)
		}
		ended[r.Partition] = ended[r.Partition] || n == 1
	}
}

func TestRotation_ByTheWallClockTakesNoRecord(t *testing.T) {
	f := newFake(t)
	clk := clock.NewFake(time.Date(2024, 5, 1, 10, 20, 30, 0, time.UTC))
	sink := confluent(clk).NewSink().NewTask()
	config := f.config(map[string]string{"rotate.schedule.interval.ms": "600000", "timezone": "UTC", "flush.size": "100"})
	if err := sink.Start(t.Context(), &conformance.SinkContext{Partitions: []connectors.TopicPartition{tp0}}, config); err != nil {
		t.Fatal(err)
	}
	put := func(records ...connectors.SinkRecord) {
		t.Helper()
		if err := sink.Put(t.Context(), &connectors.SinkBatch{Records: records}); err != nil {
			t.Fatal(err)
		}
	}
	put(connectors.SinkRecord{Topic: "t", Offset: 4, Value: data.String("v")})
	clk.Advance(9 * time.Minute) // 10:29:30
	put()
	if n := len(f.objects(t)); n != 0 {
		t.Errorf("%d objects before the time", n)
	}
	clk.Advance(31 * time.Second)
	put()
	if d := cmp.Diff(map[string]string{"topics/t/partition=0/t+0+0000000004.json": "\"v\"\n"}, f.objects(t)); d != "" {
		t.Error(d)
	}
	out, err := sink.(connectors.PreCommitter).PreCommit(t.Context(), map[connectors.TopicPartition]int64{tp0: 5})
	if err != nil || out[tp0] != 5 {
		t.Error(out, err)
	}
	if err := sink.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
