package verifiable

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSource_Conforms(t *testing.T) {
	// The values of complete records carry the time: it stands still.
	still := env{clock.NewFake(time.UnixMilli(5)), &bytes.Buffer{}}
	conformance.Run(t, still.source(),
		conformance.Case{Name: "numbers", Setup: func(testing.TB) conformance.Fixture {
			return conformance.Fixture{Config: map[string]string{"name": "c", "topic": "t"},
				Broken: map[string]string{"name": "c", "topic": "t", "throughput": "much"}, Records: 80, Endless: true}
		}},
		conformance.Case{Name: "complete", Setup: func(testing.TB) conformance.Fixture {
			return conformance.Fixture{Config: map[string]string{"name": "c", "topic": "t", "complete.record.data": "true"}, Records: 20, Endless: true}
		}},
		conformance.Case{Name: "silent", Setup: func(testing.TB) conformance.Fixture {
			return conformance.Fixture{Config: map[string]string{"name": "c", "topic": "t", "throughput": "0"}}
		}})
}

func TestSink_Conforms(t *testing.T) {
	var out bytes.Buffer
	conformance.Run(t, env{clock.Real(), &out}.sink(), conformance.Case{Name: "plain", Setup: func(testing.TB) conformance.Fixture {
		out.Reset()
		return conformance.Fixture{Config: map[string]string{"name": "c"}, Delivered: func(testing.TB) string { return out.String() }}
	}})
}

func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, l := range bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) {
		var m map[string]any
		if err := json.Unmarshal(l, &m); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		all = append(all, m)
	}
	out.Reset()
	return all
}

func TestSource_PrintsWhatItSendsAndWhatIsCommitted(t *testing.T) {
	var out bytes.Buffer
	tc := &conformance.SourceContext{}
	tc.Commit(map[string]any{"id": 3}, map[string]any{"seqno": int64(9)})
	task := env{clock.NewFake(time.UnixMilli(77)), &out}.source().NewSource().NewTask()
	if err := task.Start(t.Context(), tc, map[string]string{"name": `a "b"`, "topic": "t", "id": "3"}); err != nil {
		t.Fatal(err)
	}
	b := connectors.NewSourceBatch(3)
	if err := task.Poll(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	line := func(n int, committed bool) map[string]any {
		m := map[string]any{"name": `a "b"`, "task": 3.0, "topic": "t", "time_ms": 77.0, "seqno": float64(n)}
		if committed {
			m["committed"] = true
		}
		return m
	}
	if d := cmp.Diff([]map[string]any{line(10, false), line(11, false), line(12, false)}, lines(t, &out)); d != "" {
		t.Error(d)
	}
	r := b.Records[2]
	if !data.Equal(r.Key, data.Int32(3)) || !data.Equal(r.Value, data.Int64(12)) {
		t.Errorf("the record is %#v = %#v", r.Key, r.Value)
	}
	// The last record is still on the way.
	tc.Commit(map[string]any{"id": 3}, map[string]any{"seqno": int64(11)})
	for range 2 {
		if err := task.(connectors.SourceCommitter).Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]map[string]any{line(10, true), line(11, true)}, lines(t, &out)); d != "" {
		t.Error(d)
	}
}

func TestSink_PrintsWhatItGetsAndWhatIsFlushed(t *testing.T) {
	var out bytes.Buffer
	task := env{clock.NewFake(time.UnixMilli(77)), &out}.sink().NewSink().NewTask()
	if err := task.Start(t.Context(), &conformance.SinkContext{}, map[string]string{"name": "n", "id": "1"}); err != nil {
		t.Fatal(err)
	}
	m := &data.Map{}
	m.Put(data.String("a"), data.Int64(1))
	m.Put(data.String("b"), data.Null())
	b := &connectors.SinkBatch{Records: []connectors.SinkRecord{
		{Topic: "t", Offset: 5, Key: data.Int32(2), Value: data.Int64(40)},
		{Topic: "t", Offset: 6, Value: data.String("x\ny")},
		{Topic: "t", Offset: 7, Key: data.MapOf(m), Value: data.MapOf(&data.Map{})},
	}}
	if err := task.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "n", "task": 2.0, "sinkTask": 1.0, "topic": "t", "seqno": 40.0, "offset": 5.0, "time_ms": 77.0},
		{"name": "n", "task": nil, "sinkTask": 1.0, "topic": "t", "seqno": "x\ny", "offset": 6.0, "time_ms": 77.0},
		{"name": "n", "task": map[string]any{"a": 1.0, "b": nil}, "sinkTask": 1.0, "topic": "t", "seqno": map[string]any{}, "offset": 7.0, "time_ms": 77.0},
	}
	if d := cmp.Diff(want, lines(t, &out)); d != "" {
		t.Error(d)
	}
	for _, m := range want {
		m["flushed"] = true
	}
	flush := task.(connectors.Flusher).Flush
	if err := flush(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, lines(t, &out)); d != "" {
		t.Error(d)
	}
	if err := flush(t.Context(), nil); err != nil || out.Len() > 0 {
		t.Errorf("a second flush printed %q, %v", out.String(), err)
	}
}

func TestSink_AsksForACommitBeforeItHoldsTooMuch(t *testing.T) {
	tc := &conformance.SinkContext{}
	task := env{clock.Real(), &bytes.Buffer{}}.sink().NewSink().NewTask()
	if err := task.Start(t.Context(), tc, map[string]string{"id": "0"}); err != nil {
		t.Fatal(err)
	}
	b := &connectors.SinkBatch{Records: []connectors.SinkRecord{{Topic: "t", Value: data.String(string(make([]byte, maxUnflushed/4)))}}}
	if err := task.Put(t.Context(), b); err != nil || tc.Commits == 0 {
		t.Errorf("%d requests, %v", tc.Commits, err)
	}
}

func TestValues_AreJSON(t *testing.T) {
	for _, v := range []data.Value{data.Null(), data.Float64(1e300), data.Float32(0.5), data.Bool(true), data.Bytes([]byte{1}), data.Array([]data.Value{data.Int8(1), data.Null()})} {
		if b := appendValue(nil, v); !json.Valid(b) {
			t.Errorf("%#v is %s", v, b)
		}
	}
}
