//go:build integration

package systems

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/integration/harness"
)

// letters is a dead letter queue.
type letters struct {
	conformance.SinkContext
	causes []string
}

func (l *letters) Reporter() connectors.ErrantRecordReporter { return l }

func (l *letters) Report(_ context.Context, _ *connectors.SinkRecord, cause error) (*connectors.Reported, error) {
	l.causes = append(l.causes, cause.Error())
	out := connectors.NewReported()
	out.Resolve(nil)
	return out, nil
}

// puts has one task after another put a batch, as after a crash.
func puts(t *testing.T, server *harness.OpenSearch, plugin int, l *letters, config map[string]string, batches ...[]connectors.SinkRecord) {
	t.Helper()
	all := map[string]string{"name": "c", "connection.url": server.URL, "read.timeout.ms": "30000"}
	maps.Copy(all, config)
	for _, b := range batches {
		task := elasticsearch.Plugins()[plugin].NewSink().NewTask()
		if err := task.Start(t.Context(), l, all); err != nil {
			t.Fatal(err)
		}
		err := task.Put(t.Context(), &connectors.SinkBatch{Records: b})
		if err == nil {
			err = task.(connectors.Flusher).Flush(t.Context(), nil)
		}
		if e := task.Stop(t.Context()); err != nil || e != nil {
			t.Fatal(err, e)
		}
	}
}

// record is one of a schema that has what documents are made otherwise of.
func record(offset int64, key string, n int64) connectors.SinkRecord {
	s := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "n", Schema: data.Int64Schema}, {Name: "text", Schema: data.StringSchema}, {Name: "price", Schema: data.DecimalSchema(2)},
		{Name: "at", Schema: data.TimestampSchema}, {Name: "tags", Schema: &data.Schema{Type: data.KindArray, Elem: data.StringSchema}}}}
	st := data.NewStruct(s)
	for i, v := range []data.Value{data.Int64(n), data.String("é \"x\" 😀\n"), data.Bytes([]byte{4, 0xce}), data.Int64(1_700_000_000_000 + offset), data.Array([]data.Value{data.String("a"), data.String("b")})} {
		st.Set(i, v)
	}
	return connectors.SinkRecord{Topic: "Things", Offset: offset, Timestamp: 1_700_000_000_000, KeySchema: data.StringSchema, Key: data.String(key), ValueSchema: s, Value: data.StructOf(st)}
}

func TestOpenSearch_TakesWhatTheSinkSends(t *testing.T) {
	server := harness.StartOpenSearch(t, root)
	const confluent, aiven = 0, 1
	count := func(t *testing.T, index string, want int) {
		t.Helper()
		if n, _, _, _ := server.Stats(index, "n"); n != want {
			t.Errorf("%s has %d documents, want %d", index, n, want)
		}
	}
	gone := connectors.SinkRecord{Topic: "Things", Offset: 9, Key: data.String("b")}

	t.Run("a mapping is made, documents are as the Java connector writes them, and tombstones delete", func(t *testing.T) {
		l := &letters{}
		b := []connectors.SinkRecord{record(1, "a", 1), record(2, "b", 2), record(3, "a", 3), gone}
		puts(t, server, confluent, l, map[string]string{"behavior.on.null.values": "delete", "connection.compression": "true", "batch.size": "1"}, b, b, b[:2])
		count(t, "things", 1)
		var m map[string]struct {
			Mappings struct {
				Properties map[string]struct{ Type string }
			}
		}
		server.Do(http.MethodGet, "/things/_mapping", "", &m)
		got := map[string]string{}
		for name, p := range m["things"].Mappings.Properties {
			got[name] = p.Type
		}
		if d := cmp.Diff(map[string]string{"n": "long", "text": "text", "price": "double", "at": "date", "tags": "text"}, got); d != "" {
			t.Error(d)
		}
		var doc struct {
			Version int64          `json:"_version"`
			Source  map[string]any `json:"_source"`
		}
		server.Do(http.MethodGet, "/things/_doc/a", "", &doc)
		if d := cmp.Diff(map[string]any{"n": 3.0, "text": "é \"x\" 😀\n", "price": 12.3, "at": 1_700_000_000_003.0, "tags": []any{"a", "b"}}, doc.Source); d != "" || doc.Version != 3 {
			t.Error(d, doc.Version)
		}
		if len(l.causes) > 0 {
			t.Error(l.causes)
		}
	})
	t.Run("a data stream of a template", func(t *testing.T) {
		server.Do(http.MethodPut, "/_index_template/logs", `{"index_patterns":["logs-*-*"],"data_stream":{},"priority":100}`, nil)
		b := []connectors.SinkRecord{record(1, "a", 1), record(2, "b", 2)}
		puts(t, server, confluent, &letters{}, map[string]string{"key.ignore": "true", "data.stream.type": "logs", "data.stream.dataset": "shop", "data.stream.timestamp.field": "at"}, b, b)
		count(t, "logs-shop-things", 2)
	})
	t.Run("a data stream that gets a template", func(t *testing.T) {
		b := []connectors.SinkRecord{record(1, "a", 1), record(2, "b", 2)}
		puts(t, server, aiven, &letters{}, map[string]string{"key.ignore": "true", "schema.ignore": "true", "data.stream.enabled": "true", "data.stream.prefix": "mine", "behavior.on.version.conflict": "ignore"}, b, b)
		count(t, "mine-things", 2)
	})
	t.Run("upserts change fields", func(t *testing.T) {
		server.Do(http.MethodPut, "/merged", "", nil)
		server.Do(http.MethodPost, "/merged/_doc/a", `{"kept":true,"n":0}`, nil)
		puts(t, server, confluent, &letters{}, map[string]string{"write.method": "upsert", "schema.ignore": "true", "external.resource.usage": "index", "topic.to.external.resource.mapping": "Things:merged"},
			[]connectors.SinkRecord{record(1, "a", 1), record(2, "b", 2), record(3, "a", 3)})
		var doc struct {
			Source map[string]any `json:"_source"`
		}
		server.Do(http.MethodGet, "/merged/_doc/a", "", &doc)
		if doc.Source["kept"] != true || doc.Source["n"] != 3.0 {
			t.Error(doc.Source)
		}
		count(t, "merged", 2)
	})
	t.Run("what is refused is reported alone", func(t *testing.T) {
		server.Do(http.MethodPut, "/strict", `{"mappings":{"dynamic":"strict","properties":{"n":{"type":"long"}}}}`, nil)
		value := func(offset int64, name string, v data.Value) connectors.SinkRecord {
			m := &data.Map{}
			m.Put(data.String(name), v)
			return connectors.SinkRecord{Topic: "strict", Offset: offset, Timestamp: 1, Key: data.String(fmt.Sprint(offset)), Value: data.MapOf(m)}
		}
		l := &letters{}
		puts(t, server, confluent, l, map[string]string{"schema.ignore": "true", "behavior.on.malformed.documents": "ignore"},
			[]connectors.SinkRecord{value(0, "n", data.Int64(1)), value(1, "n", data.String("x")), value(2, "other", data.Int64(1)), value(3, "n", data.Int64(2)),
				{Topic: "strict", Offset: 4, Key: data.String("4"), Value: data.String("no object")}})
		count(t, "strict", 2)
		if len(l.causes) != 3 || !strings.Contains(l.causes[0], "offset 1") || !strings.Contains(l.causes[1], "strict_dynamic_mapping_exception") || !strings.Contains(l.causes[2], "offset 4") {
			t.Error(l.causes)
		}
	})
}
