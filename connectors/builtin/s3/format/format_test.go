package format

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hamba/avro/v2/ocf"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

func optional(s *data.Schema) *data.Schema {
	out := *s
	out.Optional = true
	return &out
}

// everything is a schema with every type.
var everything = func() *data.Schema {
	inner := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "x", Schema: data.Int32Schema}, {Name: "y", Schema: data.OptionalStringSchema}}}
	array := func(e *data.Schema) *data.Schema { return &data.Schema{Type: data.KindArray, Elem: e} }
	withDefault := *data.Int32Schema
	withDefault.Default = data.Int32(7)
	return &data.Schema{Type: data.KindStruct, Name: "org.example.Everything", Version: 3, Doc: "All of it.", Fields: []data.Field{
		{Name: "z", Schema: data.Int64Schema}, {Name: "i8", Schema: data.Int8Schema}, {Name: "i16", Schema: data.OptionalInt16Schema}, {Name: "i32", Schema: &withDefault},
		{Name: "f32", Schema: data.Float32Schema}, {Name: "f64", Schema: data.OptionalFloat64Schema}, {Name: "b", Schema: data.BoolSchema},
		{Name: "s", Schema: data.StringSchema}, {Name: "os", Schema: data.OptionalStringSchema}, {Name: "raw", Schema: data.BytesSchema},
		{Name: "dec", Schema: data.DecimalSchema(2)}, {Name: "date", Schema: data.DateSchema}, {Name: "time", Schema: data.TimeSchema}, {Name: "ts", Schema: optional(data.TimestampSchema)},
		{Name: "list", Schema: array(data.OptionalInt32Schema)}, {Name: "structs", Schema: optional(array(inner))}, {Name: "nested", Schema: array(array(data.StringSchema))},
		{Name: "map", Schema: &data.Schema{Type: data.KindMap, Key: data.StringSchema, Elem: data.OptionalInt64Schema}},
		{Name: "intmap", Schema: &data.Schema{Type: data.KindMap, Key: data.Int32Schema, Elem: data.StringSchema}},
		{Name: "inner", Schema: optional(inner)},
	}}
}()

// records are two values of everything: one full, one as empty as it may be.
func records(t *testing.T) []connectors.SinkRecord {
	t.Helper()
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	inner := everything.Fields[everything.FieldIndex("inner")].Schema
	in := data.NewStruct(inner)
	in.Set(0, data.Int32(1))
	in.Set(1, data.String("why"))
	bare := data.NewStruct(inner)
	bare.Set(0, data.Int32(2))
	m, im := &data.Map{}, &data.Map{}
	m.Put(data.String("a"), data.Int64(1))
	m.Put(data.String("none"), data.Null())
	im.Put(data.Int32(-5), data.String("minus five"))
	full := map[string]data.Value{"z": data.Int64(1 << 40), "i8": data.Int8(-8), "i16": data.Int16(16), "i32": data.Int32(-32), "f32": data.Float32(0.5), "f64": data.Float64(-0.25),
		"b": data.Bool(true), "s": data.String("ünï"), "os": data.String(""), "raw": data.Bytes([]byte{0, 255}), "dec": data.Decimal(big.NewInt(-12345)),
		"date": data.Date(day), "time": data.Int32(3_600_000), "ts": data.Timestamp(day), "list": data.Array([]data.Value{data.Int32(1), data.Null(), data.Int32(3)}),
		"structs": data.Array([]data.Value{data.StructOf(in), data.StructOf(bare)}),
		"nested":  data.Array([]data.Value{data.Array([]data.Value{data.String("p"), data.String("q")}), data.Array([]data.Value{}), data.Array([]data.Value{data.String("r")})}),
		"map":     data.MapOf(m), "intmap": data.MapOf(im), "inner": data.StructOf(in)}
	empty := map[string]data.Value{"z": data.Int64(0), "i8": data.Int8(0), "f32": data.Float32(0), "b": data.Bool(false), "s": data.String(""), "raw": data.Bytes([]byte{}),
		"dec": data.Decimal(big.NewInt(0)), "date": data.Int32(0), "time": data.Int32(0), "list": data.Array([]data.Value{}), "nested": data.Array([]data.Value{}),
		"map": data.MapOf(&data.Map{}), "intmap": data.MapOf(&data.Map{})}
	var out []connectors.SinkRecord
	for i, fields := range []map[string]data.Value{full, empty} {
		st := data.NewStruct(everything)
		for k, v := range fields {
			if err := st.Put(k, v); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, connectors.SinkRecord{Topic: "t", Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(i), KeySchema: data.StringSchema, Key: data.String(fmt.Sprint("k", i)),
			ValueSchema: everything, Value: data.StructOf(st), Headers: data.Headers{{Key: "h", Schema: data.StringSchema, Value: data.String("v")}}})
	}
	return out
}

// written is the file of records.
func written(t *testing.T, f Format, records []connectors.SinkRecord) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := f.New(&out, records[0].ValueSchema)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if n, err := w.Write(&records[i]); err != nil || n <= 0 {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("SLUICE_KEEP_FILES"); dir != "" { // for another language's eyes
		_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")+f.Extension()), out.Bytes(), 0o600)
	}
	return out.Bytes()
}

func TestAvro_IsReadBackWithAllTypes(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "snappy", "zstandard"} {
		t.Run(codec, func(t *testing.T) {
			b := written(t, Avro(codec, true), records(t))
			d, err := ocf.NewDecoder(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			var all []map[string]any
			for d.HasNext() {
				var v map[string]any
				if err := d.Decode(&v); err != nil {
					t.Fatal(err)
				}
				all = append(all, v)
			}
			if d.Error() != nil || len(all) != 2 {
				t.Fatal(d.Error(), all)
			}
			for k, want := range map[string]any{"z": int64(1 << 40), "i8": -8, "s": "ünï", "os": "", "b": true, "list": []any{1, nil, 3}, "map": map[string]any{"a": int64(1), "none": nil}} {
				if d := cmp.Diff(want, all[0][k]); d != "" {
					t.Errorf("%s: %s", k, d)
				}
			}
			if v := all[0]["dec"].(*big.Rat).FloatString(2); v != "-123.45" {
				t.Error(v)
			}
			if all[1]["i32"] != 7 || all[1]["inner"] != nil || all[1]["ts"] != nil {
				t.Errorf("%v", all[1])
			}
		})
	}
}

func TestAvro_SchemasAreAsAvroDataMakesThem(t *testing.T) {
	s := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "i", Schema: data.Int8Schema}, {Name: "o", Schema: data.OptionalStringSchema}, {Name: "d", Schema: data.DecimalSchema(3)},
		{Name: "m", Schema: &data.Schema{Type: data.KindMap, Key: data.Int32Schema, Elem: data.BoolSchema}}}}
	text, _, err := avroSchema(s, true)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"i","type":{"type":"int","connect.type":"int8"}},` +
		`{"name":"o","type":["null","string"],"default":null},{"name":"d","type":{"type":"bytes","scale":3,"precision":64,"logicalType":"decimal","connect.version":1,"connect.parameters":{"scale":"3"},"connect.name":"org.apache.kafka.connect.data.Decimal"}},` +
		`{"name":"m","type":{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"boolean"}]}}}]}`
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Error(d)
	}
}

func TestParquet_IsReadBackWithAllTypes(t *testing.T) {
	for codec := range parquetCodecs {
		t.Run(codec, func(t *testing.T) {
			b := written(t, Parquet(codec), records(t))
			f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if f.NumRows() != 2 {
				t.Fatal(f.NumRows())
			}
			var names []string
			for _, c := range f.Schema().Fields() {
				names = append(names, c.Name())
			}
			var want []string
			for _, c := range everything.Fields {
				want = append(want, c.Name)
			}
			if d := cmp.Diff(want, names); d != "" {
				t.Errorf("the fields are not in their order: %s", d)
			}
			rows := f.RowGroups()[0].Rows()
			defer func() { _ = rows.Close() }()
			got := make([]parquet.Row, 2)
			if n, err := rows.ReadRows(got); n != 2 || err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(n, err)
			}
			if s := fmt.Sprintf("%+v", got[0]); !strings.Contains(s, "ünï") || !strings.Contains(s, "1099511627776") {
				t.Error(s)
			}
		})
	}
}

func TestLines_Golden(t *testing.T) {
	two := []connectors.SinkRecord{
		{Offset: 5, Timestamp: 1_700_000_000_123, KeySchema: data.StringSchema, Key: data.String("k"), Value: data.String(`say "hi"`), Headers: data.Headers{{Key: "h", Value: data.String("v")}}},
		{Offset: 6, Timestamp: connectors.NoTimestamp, Value: data.Bytes([]byte("b"))},
	}
	all := []Field{Key, Value, Offset, Timestamp, Headers}
	for name, c := range map[string]struct {
		f    Format
		want string
	}{
		"json":    {JSON(false), "\"say \\\"hi\\\"\"\n\"Yg==\"\n"},
		"csv":     {CSV(all, true), "aw==,c2F5ICJoaSI=,5,1700000000123,aA==:dg==;\n,Yg==,6,,\n"},
		"csv raw": {CSV([]Field{Value}, false), "say \"hi\"\nb\n"},
		"objects": {Objects(all, true, false), `{"key":"k","value":"say \"hi\"","offset":5,"timestamp":"2023-11-14T22:13:20.123Z","headers":[{"key":"h","value":"v"}]}` + "\n" +
			`{"key":null,"value":"Yg==","offset":6,"timestamp":null,"headers":[]}` + "\n"},
		"alone": {Objects([]Field{Value}, false, false), "\"say \\\"hi\\\"\"\n\"Yg==\"\n"},
		"array": {Objects([]Field{Offset}, true, true), "[\n{\"offset\":5},\n{\"offset\":6}\n]"},
	} {
		if d := cmp.Diff(c.want, string(written(t, c.f, two))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestCompressed_IsReadBackByWhoeverKnowsTheCompression(t *testing.T) {
	var many []connectors.SinkRecord
	for i := range 5000 {
		many = append(many, connectors.SinkRecord{Value: data.String(strings.Repeat("x", i%100))})
	}
	plain := written(t, JSON(false), many)
	for how, open := range map[Compression]func(r io.Reader) (io.Reader, error){
		Gzip:   func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Zstd:   func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		Snappy: func(r io.Reader) (io.Reader, error) { return snappy.NewReader(r), nil },
		None:   func(r io.Reader) (io.Reader, error) { return r, nil },
	} {
		b := written(t, Compressed(JSON(false), how, -1), many)
		r, err := open(bytes.NewReader(b))
		if err != nil {
			t.Fatal(how, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %v, %d bytes instead of %d", how, err, len(got), len(plain))
		}
	}
}

func TestFormats_RefuseWhatTheyDoNotHaveAndGoOn(t *testing.T) {
	st := func(s *data.Schema) data.Value { return data.StructOf(data.NewStruct(s)) }
	required := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "a", Schema: data.StringSchema}}}
	for name, c := range map[string]struct {
		f Format
		r connectors.SinkRecord
	}{
		"avro without a schema":    {Avro("null", true), connectors.SinkRecord{Value: data.String("x")}},
		"avro, a required null":    {Avro("null", true), connectors.SinkRecord{ValueSchema: required, Value: st(required)}},
		"avro, a name":             {Avro("null", true), connectors.SinkRecord{ValueSchema: &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "a-b", Schema: data.StringSchema}}}}},
		"parquet without a struct": {Parquet("none"), connectors.SinkRecord{ValueSchema: data.StringSchema, Value: data.String("x")}},
		"parquet, a required null": {Parquet("none"), connectors.SinkRecord{ValueSchema: required, Value: st(required)}},
		"parquet, a name":          {Parquet("none"), connectors.SinkRecord{ValueSchema: &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "a,b", Schema: data.StringSchema}}}}},
		"parquet, no fields":       {Parquet("none"), connectors.SinkRecord{ValueSchema: &data.Schema{Type: data.KindStruct}}},
		"bytes of a string":        {Bytes(".bin", "\n"), connectors.SinkRecord{Value: data.String("x")}},
		"csv of a number":          {CSV([]Field{Value}, true), connectors.SinkRecord{Value: data.Int32(1)}},
	} {
		w, err := c.f.New(io.Discard, c.r.ValueSchema)
		if err == nil {
			_, err = w.Write(&c.r)
		}
		if !errors.Is(err, ErrData) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
