package elasticsearch

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func TestSink_Conforms(t *testing.T) {
	structs := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "text", Schema: data.StringSchema}}}
	for _, p := range Plugins() {
		var cases []conformance.Case
		for name, extra := range map[string]map[string]string{
			"by place": nil,
			"small":    {batchKey: "7", inFlightKey: "2", bufferedKey: "20", lingerKey: "0"},
			"lingers":  {lingerKey: "900", flushKey: "5000"},
			"mapped":   {ignoreSchemaKey: "false"},
		} {
			cases = append(cases, conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
				f := newFake(tb)
				closed := newFake(tb)
				closed.answer = func(w http.ResponseWriter, _ *http.Request) bool {
					return failed(w, 401, "security_exception", "missing authentication")
				}
				return conformance.Fixture{Config: f.config(extra), Broken: closed.config(nil),
					Delivered: func(testing.TB) string { return strings.Join(slices.Collect(maps.Values(f.sources())), "\n") },
					Value: func(text []byte) (*data.Schema, data.Value) {
						st := data.NewStruct(structs)
						st.Set(0, data.StringOfBytes(text))
						return structs, data.StructOf(st)
					}}
			}})
		}
		t.Run(p.Class, func(t *testing.T) { conformance.Run(t, p, cases...) })
	}
}

// reporter is a dead letter queue.
type reporter struct {
	conformance.SinkContext
	letters []letter
}

type letter struct {
	offset int64
	cause  error
}

func (r *reporter) Reporter() connectors.ErrantRecordReporter { return r }

func (r *reporter) Report(_ context.Context, rec *connectors.SinkRecord, cause error) (*connectors.Reported, error) {
	r.letters = append(r.letters, letter{rec.Offset, cause})
	out := connectors.NewReported()
	out.Resolve(nil)
	return out, nil
}

// offsets are those of the letters.
func (r *reporter) offsets() (out []int64) {
	for _, l := range r.letters {
		out = append(out, l.offset)
	}
	return out
}

// begin starts a task.
func begin(t testing.TB, tc connectors.SinkTaskContext, config map[string]string) connectors.SinkTask {
	t.Helper()
	sink := Plugins()[0].NewSink().NewTask()
	if err := sink.Start(t.Context(), tc, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// values are records whose values are maps of one field, from an offset on; their keys are k0, k1, …
func values(from int64, fields ...data.Value) *connectors.SinkBatch {
	b := &connectors.SinkBatch{}
	for i, v := range fields {
		m := &data.Map{}
		m.Put(data.String("n"), v)
		b.Records = append(b.Records, connectors.SinkRecord{Topic: "T", Offset: from + int64(i), Timestamp: 1_700_000_000_000, KeySchema: data.StringSchema,
			Key: data.String("k" + string(rune('0'+i%10))), Value: data.MapOf(m)})
	}
	return b
}

func numbers(from int64, n int) *connectors.SinkBatch {
	all := make([]data.Value, n)
	for i := range all {
		all[i] = data.Int64(from + int64(i))
	}
	return values(from, all...)
}

// puts puts and flushes.
func puts(t testing.TB, sink connectors.SinkTask, b *connectors.SinkBatch) error {
	t.Helper()
	if err := sink.Put(t.Context(), b); err != nil {
		return err
	}
	return sink.(connectors.Flusher).Flush(t.Context(), nil)
}
