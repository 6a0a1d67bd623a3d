package elasticsearch

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/bulk"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// lines are what a record becomes.
func lines(t testing.TB, extra map[string]string, r connectors.SinkRecord) (string, error) {
	t.Helper()
	config := merge(map[string]string{urlKey: "h:1"}, extra)
	s, err := parse(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.docs.prepare(); err != nil {
		t.Fatal(err)
	}
	name, err := s.name(r.Topic)
	if err != nil {
		t.Fatal(err)
	}
	to := &target{topic: r.Topic, index: []byte(`"` + name + `"`), name: name, raw: s.ignoreSchema, id: s.docs.idOf(r.Topic)}
	b := &bulk.Bulk{}
	_, err = s.docs.add(b, to, &r, bulk.Op{})
	return string(b.Body()), err
}

func one(fields ...any) (*data.Schema, data.Value) {
	s := &data.Schema{Type: data.KindStruct}
	for i := 0; i < len(fields); i += 3 {
		s.Fields = append(s.Fields, data.Field{Name: fields[i].(string), Schema: fields[i+1].(*data.Schema)})
	}
	st := data.NewStruct(s)
	for i := 0; i < len(fields); i += 3 {
		st.Set(i/3, fields[i+2].(data.Value))
	}
	return s, data.StructOf(st)
}

func mapOf(kv ...data.Value) data.Value {
	m := &data.Map{}
	for i := 0; i < len(kv); i += 2 {
		m.Put(kv[i], kv[i+1])
	}
	return data.MapOf(m)
}

func TestLines_OfActions(t *testing.T) {
	schema, value := one("n", data.Int32Schema, data.Int32(1))
	base := connectors.SinkRecord{Topic: "A-b", Partition: 3, Offset: 42, Timestamp: 7, KeySchema: data.StringSchema, Key: data.String("k\"1"), ValueSchema: schema, Value: value}
	header := func(v data.Value) connectors.SinkRecord {
		r := base
		r.Headers = data.Headers{{Key: "v", Value: data.Int64(1)}, {Key: "v", Value: v}}
		return r
	}
	number := base
	number.KeySchema, number.Key = data.Int64Schema, data.Int64(-7)
	gone := base
	gone.ValueSchema, gone.Value = nil, data.Null()
	stream := map[string]string{streamTypeKey: "LOGS", datasetKey: "d", ignoreKeyKey: "true"}
	for _, c := range []struct {
		extra map[string]string
		r     connectors.SinkRecord
		want  string
		err   string
	}{
		{nil, base, `{"index":{"_index":"a-b","_id":"k\"1","version":42,"version_type":"external"}}` + "\n{\"n\":1}\n", ""},
		{nil, number, `{"index":{"_index":"a-b","_id":"-7","version":42,"version_type":"external"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{ignoreKeysKey: "x,A-b"}, base, `{"index":{"_index":"a-b","_id":"A-b+3+42"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{ignoreKeyKey: "true"}, base, `{"index":{"_index":"a-b","_id":"A-b+3+42"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{autoIDsKey: "true"}, base, `{"index":{"_index":"a-b"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{methodKey: "UPSERT"}, base, `{"update":{"_index":"a-b","_id":"k\"1","retry_on_conflict":3}}` + "\n{\"doc\":{\"n\":1},\"doc_as_upsert\":true}\n", ""},
		{map[string]string{versionHeaderKey: "v"}, header(data.String("99")), `{"index":{"_index":"a-b","_id":"k\"1","version":99,"version_type":"external"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{versionHeaderKey: "v"}, header(data.Int64(-1)), "", "from 0 on"},
		{map[string]string{versionHeaderKey: "v"}, header(data.String("new")), "", versionHeaderKey},
		{map[string]string{versionHeaderKey: "w"}, header(data.Int64(1)), "", `"w"`},
		{map[string]string{nullsKey: "delete"}, gone, `{"delete":{"_index":"a-b","_id":"k\"1","version":42,"version_type":"external"}}` + "\n", ""},
		{map[string]string{nullsKey: "delete", methodKey: "upsert"}, gone, `{"delete":{"_index":"a-b","_id":"k\"1"}}` + "\n", ""},
		{map[string]string{nullsKey: "delete", ignoreKeyKey: "true"}, gone, "", ""},
		{nil, gone, "", nullsKey},
		{stream, base, `{"create":{"_index":"logs-d-a-b","_id":"A-b+3+42"}}` + "\n{\"n\":1,\"@timestamp\":7}\n", ""},
		{merge(map[string]string{namespaceKey: "all", timestampFieldKey: "x,n"}, stream), base, `{"create":{"_index":"logs-d-all","_id":"A-b+3+42"}}` + "\n{\"n\":1,\"@timestamp\":\"1\"}\n", ""},
		{merge(map[string]string{timestampFieldKey: "x"}, stream), base, `{"create":{"_index":"logs-d-a-b","_id":"A-b+3+42"}}` + "\n{\"n\":1}\n", ""},
		{map[string]string{usageKey: "alias_index", resourcesKey: "A-b:mine"}, base, `{"index":{"_index":"mine","_id":"k\"1","version":42,"version_type":"external"}}` + "\n{\"n\":1}\n", ""},
	} {
		got, err := lines(t, c.extra, c.r)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %v", c.extra, err)
		}
		if err == nil && got != c.want {
			t.Errorf("%v:\n%s\nwant\n%s", c.extra, got, c.want)
		}
	}
}

func TestLines_OfValues(t *testing.T) {
	price := data.DecimalSchema(2)
	decimals := data.Decimal(big.NewInt(-1250))
	optional := &data.Schema{Type: data.KindBytes, Name: data.DecimalName, Params: price.Params, Optional: true, Default: data.Decimal(big.NewInt(5))}
	byText := &data.Schema{Type: data.KindMap, Key: data.StringSchema, Elem: price}
	byNumber := &data.Schema{Type: data.KindMap, Key: data.Int32Schema, Elem: data.OptionalStringSchema}
	list := &data.Schema{Type: data.KindArray, Elem: byNumber}
	schema, value := one("p", price, decimals, "o", optional, data.Null(), "m", byText, mapOf(data.String("a"), decimals), "l", list, data.Array([]data.Value{mapOf(data.Int32(1), data.Null())}),
		"d", data.DateSchema, data.Int32(3), "b", data.BytesSchema, data.Bytes([]byte{1, 2}))
	for _, c := range []struct {
		extra map[string]string
		s     *data.Schema
		v     data.Value
		want  string
	}{
		{nil, schema, value, `{"p":-12.5,"o":0.05,"m":{"a":-12.5},"l":[[{"key":1,"value":null}]],"d":3,"b":"AQI="}`},
		{map[string]string{compactKey: "false"}, schema, value, `{"p":-12.5,"o":0.05,"m":[{"key":"a","value":-12.5}],"l":[[{"key":1,"value":null}]],"d":3,"b":"AQI="}`},
		{map[string]string{ignoreSchemaKey: "true"}, schema, value, `{"p":"+x4=","o":"BQ==","m":{"a":"+x4="},"l":[[[1,null]]],"d":3,"b":"AQI="}`},
		{nil, nil, mapOf(data.String("a"), mapOf(data.String("b"), data.Int64(1)), data.String("c"), data.Null()), `{"a":{"b":1},"c":null}`},
		{map[string]string{streamTypeKey: "metrics", datasetKey: "x"}, nil, mapOf(data.String("@timestamp"), data.String("old"), data.String("c"), data.Null()), `{"c":null,"@timestamp":9}`},
		{map[string]string{streamTypeKey: "metrics", datasetKey: "x", timestampFieldKey: "@timestamp"}, nil, mapOf(data.String("@timestamp"), data.String("old")), `{"@timestamp":"old"}`},
	} {
		got, err := lines(t, merge(map[string]string{ignoreKeyKey: "true"}, c.extra), connectors.SinkRecord{Topic: "t", Timestamp: 9, ValueSchema: c.s, Value: c.v})
		_, got, _ = strings.Cut(strings.TrimSuffix(got, "\n"), "\n")
		if err != nil || got != c.want {
			t.Errorf("%v: %v\n%s\nwant\n%s", c.extra, err, got, c.want)
		}
	}
	for _, v := range []data.Value{data.String("x"), data.Int64(1), mapOf(data.Int32(1), data.Int32(2))} {
		if _, err := lines(t, map[string]string{ignoreKeyKey: "true", streamTypeKey: "logs", datasetKey: "x"}, connectors.SinkRecord{Topic: "t", Value: v}); err == nil {
			t.Errorf("%#v has a @timestamp", v)
		}
	}
}

func TestDecimal_IsTheNearestDouble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, scale := rapid.Int64Range(-1<<50, 1<<50).Draw(t, "unscaled"), rapid.IntRange(-5, 30).Draw(t, "scale")
		got, err := decimal(data.DecimalSchema(scale), data.Decimal(big.NewInt(n)))
		want := javadecimal.Decimal{Unscaled: big.NewInt(n), Scale: scale}.Float(64)
		if err != nil || got != want {
			t.Fatalf("%d, scale %d: %v, want %v: %v", n, scale, got, want, err)
		}
	})
}

func TestMapping_IsAsTheJavaConnectorMakesIt(t *testing.T) {
	with := func(s data.Schema, def data.Value) *data.Schema { s.Default = def; return &s }
	schema, _ := one("flag", with(*data.BoolSchema, data.Bool(false)), data.Null(), "i8", data.Int8Schema, data.Null(), "i16", data.Int16Schema, data.Null(), "i32", with(*data.Int32Schema, data.Int32(7)), data.Null(),
		"i64", data.Int64Schema, data.Null(), "f32", data.Float32Schema, data.Null(), "f64", with(*data.Float64Schema, data.Float64(1.5)), data.Null(), "text", with(*data.StringSchema, data.String("x")), data.Null(),
		"bin", data.BytesSchema, data.Null(), "dec", data.DecimalSchema(2), data.Null(), "day", with(*data.DateSchema, data.Int32(2)), data.Null(), "at", data.TimestampSchema, data.Null(),
		"list", &data.Schema{Type: data.KindArray, Elem: data.Int64Schema}, data.Null(), "map", &data.Schema{Type: data.KindMap, Key: data.StringSchema, Elem: data.Int32Schema}, data.Null())
	got, err := mapping(schema)
	if err != nil {
		t.Fatal(err)
	}
	const str = `{"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":256}}}`
	want := `{"properties":{"flag":{"type":"boolean","null_value":false},"i8":{"type":"byte"},"i16":{"type":"short"},"i32":{"type":"integer","null_value":7},"i64":{"type":"long"},"f32":{"type":"float"},` +
		`"f64":{"type":"double","null_value":1.5},"text":` + str + `,"bin":{"type":"binary"},"dec":{"type":"double"},"day":{"type":"date","null_value":172800000},"at":{"type":"date"},"list":{"type":"long"},` +
		`"map":{"properties":{"key":` + str + `,"value":{"type":"integer"}}}}}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestPut_AMappingIsMadeOnceAndOfASchemaOnly(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &reporter{}, f.config(map[string]string{ignoreSchemaKey: "false", ignoreSchemasKey: "free", nullsKey: "delete"}))
	schema, value := one("n", data.Int32Schema, data.Int32(1))
	gone := connectors.SinkRecord{Topic: "t", Key: data.String("k")}
	mapped := connectors.SinkRecord{Topic: "t", Offset: 1, ValueSchema: schema, Value: value}
	free := connectors.SinkRecord{Topic: "free", Value: mapOf(data.String("a"), data.Int64(1))}
	if err := puts(t, sink, &connectors.SinkBatch{Records: []connectors.SinkRecord{gone, mapped, free}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"t": `{"properties":{"n":{"type":"integer"}}}`, "free": ""}, f.mappings); d != "" {
		t.Error(d)
	}
	free.Topic = "other"
	err := puts(t, sink, &connectors.SinkBatch{Records: []connectors.SinkRecord{free}})
	if class, _ := connectors.ClassOf(err); class != connectors.DataError || !strings.Contains(err.Error(), ignoreSchemaKey) || !strings.Contains(err.Error(), "other") {
		t.Errorf("%s: %v", class, err)
	}
}

func TestPut_ADataStreamWithoutATemplateSaysSo(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &reporter{}, f.config(map[string]string{streamTypeKey: "metrics", datasetKey: "d"}))
	err := puts(t, sink, numbers(0, 1))
	if class, _ := connectors.ClassOf(err); class != connectors.ConfigError || !strings.Contains(err.Error(), "index template") || !strings.Contains(err.Error(), "metrics-d-t") {
		t.Errorf("%s: %v", class, err)
	}
}

func TestLines_CostNoAllocations(t *testing.T) {
	s, err := parse(map[string]string{urlKey: "h:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.docs.prepare(); err != nil {
		t.Fatal(err)
	}
	schema, value := one("n", data.Int64Schema, data.Int64(1), "text", data.StringSchema, data.String("some text"), "price", data.DecimalSchema(2), data.Decimal(big.NewInt(5)))
	plain, bare := one("n", data.Int64Schema, data.Int64(1), "text", data.StringSchema, data.String("some text"))
	to := &target{topic: "t", index: []byte(`"t"`), id: byKey}
	body := make([]byte, 0, 1<<20)
	for name, c := range map[string]struct {
		schema *data.Schema
		value  data.Value
		most   float64
	}{"plain": {plain, bare, 0}, "a decimal": {schema, value, 0}} {
		r := connectors.SinkRecord{Topic: "t", Offset: 5, KeySchema: data.StringSchema, Key: data.String("key"), ValueSchema: c.schema, Value: c.value}
		got := testing.AllocsPerRun(100, func() {
			var op bulk.Op
			out, _, _, err := s.docs.action(body[:0], to, &r, &op, false)
			if err == nil {
				out, err = s.docs.source(out, to, &r)
			}
			if err != nil || !bytes.HasSuffix(out, []byte("}\n")) {
				t.Fatal(err)
			}
		})
		if got > c.most {
			t.Errorf("%s: %v allocations a record", name, got)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	s, err := parse(map[string]string{urlKey: "h:1"})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.docs.prepare(); err != nil {
		b.Fatal(err)
	}
	schema, value := one("n", data.Int64Schema, data.Int64(1), "text", data.StringSchema, data.String("some text"))
	to := &target{topic: "t", index: []byte(`"t"`), id: byKey}
	body := make([]byte, 0, 1<<20)
	r := connectors.SinkRecord{Topic: "t", Offset: 5, KeySchema: data.StringSchema, Key: data.String("key"), ValueSchema: schema, Value: value}
	b.ReportAllocs()
	for b.Loop() {
		var op bulk.Op
		out, _, _, _ := s.docs.action(body[:0], to, &r, &op, false)
		if _, err := s.docs.source(out, to, &r); err != nil {
			b.Fatal(err)
		}
	}
}
