package converter

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors/data"
)

func newJSON(t testing.TB, config map[string]string) *JSON {
	t.Helper()
	j := &JSON{}
	if err := j.Configure(config, false); err != nil {
		t.Fatal(err)
	}
	return j
}

func structOf(t testing.TB) (*data.Schema, data.Value) {
	t.Helper()
	s := &data.Schema{Type: data.KindStruct, Name: "rec", Version: 2, Fields: []data.Field{
		{Name: "id", Schema: data.Int64Schema}, {Name: "name", Schema: data.OptionalStringSchema},
		{Name: "tags", Schema: &data.Schema{Type: data.KindArray, Elem: data.StringSchema}},
		{Name: "attrs", Schema: &data.Schema{Type: data.KindMap, Key: data.StringSchema, Elem: data.Int32Schema}},
		{Name: "level", Schema: &data.Schema{Type: data.KindInt8, Default: data.Int8(7)}},
	}}
	st := data.NewStruct(s)
	m := &data.Map{}
	m.Put(data.String("a"), data.Int32(1))
	for name, v := range map[string]data.Value{"id": data.Int64(9), "name": data.Null(), "tags": data.Array([]data.Value{data.String("x")}),
		"attrs": data.MapOf(m), "level": data.Int8(3)} {
		if err := st.Put(name, v); err != nil {
			t.Fatal(err)
		}
	}
	return s, data.StructOf(st)
}

func TestJSON_WritesTheBytesThatJavaWritesAndReadsThemBack(t *testing.T) {
	rec, recValue := structOf(t)
	pairs := &data.Map{}
	pairs.Put(data.Int32(1), data.Bool(true))
	for _, tt := range []struct {
		name   string
		schema *data.Schema
		v      data.Value
		with   string
		plain  string
	}{
		{"null without schema", nil, data.Null(), "", ""},
		{"optional null", data.OptionalStringSchema, data.Null(), `{"schema":{"type":"string","optional":true},"payload":null}`, "null"},
		{"string", data.StringSchema, data.String("a\"\n\u00e4\u0001"), `{"schema":{"type":"string","optional":false},"payload":"a\"\nä\u0001"}`, `"a\"\nä\u0001"`},
		{"int8", data.Int8Schema, data.Int8(-3), `{"schema":{"type":"int8","optional":false},"payload":-3}`, "-3"},
		{"int64", data.Int64Schema, data.Int64(1 << 60), `{"schema":{"type":"int64","optional":false},"payload":1152921504606846976}`, "1152921504606846976"},
		{"double", data.Float64Schema, data.Float64(1.5), `{"schema":{"type":"double","optional":false},"payload":1.5}`, "1.5"},
		{"bool", data.BoolSchema, data.Bool(true), `{"schema":{"type":"boolean","optional":false},"payload":true}`, "true"},
		{"bytes", data.BytesSchema, data.Bytes([]byte{1, 2, 255}), `{"schema":{"type":"bytes","optional":false},"payload":"AQL/"}`, `"AQL/"`},
		{"timestamp", data.TimestampSchema, data.Int64(5), `{"schema":{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1},"payload":5}`, "5"},
		{"pairs", &data.Schema{Type: data.KindMap, Key: data.Int32Schema, Elem: data.BoolSchema}, data.MapOf(pairs),
			`{"schema":{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"boolean","optional":false},"optional":false},"payload":[[1,true]]}`, "[[1,true]]"},
		{"struct", rec, recValue, `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"},` +
			`{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"tags"},` +
			`{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":false},"optional":false,"field":"attrs"},` +
			`{"type":"int8","optional":false,"default":7,"field":"level"}],"optional":false,"name":"rec","version":2},` +
			`"payload":{"id":9,"name":null,"tags":["x"],"attrs":{"a":1},"level":3}}`, `{"id":9,"name":null,"tags":["x"],"attrs":{"a":1},"level":3}`},
	} {
		for config, want := range map[string]string{"true": tt.with, "false": tt.plain} {
			j := newJSON(t, map[string]string{"schemas.enable": config})
			got, null, err := j.FromData(nil, "t", tt.schema, tt.v)
			if err != nil || string(got) != want || null != (want == "") {
				t.Errorf("%s, schemas %s:\n got %s (%v, %v)\nwant %s", tt.name, config, got, null, err, want)
			}
			if config == "false" || null {
				continue
			}
			for range 2 { // the second time the envelope is known
				s, v, err := j.ToData("t", got)
				if err != nil || !data.SameSchema(s, tt.schema) || !data.Equal(v, tt.v) {
					t.Errorf("%s: read back %#v %v", tt.name, v, err)
				}
			}
		}
	}
}

func TestJSON_EscapesWhatUTF16HasInTwoHalvesAsJacksonDoes(t *testing.T) {
	j := newJSON(t, map[string]string{"schemas.enable": "false"})
	b, _, err := j.FromData(nil, "t", nil, data.String("aé😀b"))
	if want := `"aé\uD83D\uDE00b"`; err != nil || string(b) != want {
		t.Fatalf("%s %v, want %s", b, err, want)
	}
	if _, v, err := j.ToData("t", b); err != nil || v.Str() != "aé😀b" {
		t.Errorf("it is read as %v, %v", v, err)
	}
}

func TestJSON_ReadsPlainJSON(t *testing.T) {
	j := newJSON(t, map[string]string{"schemas.enable": "false"})
	for text, want := range map[string]data.Value{
		"null": data.Null(), " true ": data.Bool(true), "12": data.Int64(12), "1.0": data.Float64(1), "1e3": data.Float64(1000),
		`"a\u00e4\ud83d\ude00\n"`: data.String("aä😀\n"), "[1,[]]": data.Array([]data.Value{data.Int64(1), data.Array([]data.Value{})}),
		"18446744073709551617": data.Int64(1), "-0": data.Int64(0),
	} {
		s, v, err := j.ToData("t", []byte(text))
		if err != nil || s != nil || !data.Equal(v, want) {
			t.Errorf("%s: %#v %v %v", text, v, s, err)
		}
	}
	_, v, err := j.ToData("t", []byte(`{"b":{"x":null},"a":"y"}`))
	if a, _ := v.Map().Get(data.String("a")); err != nil || v.Map().Len() != 2 || a.Str() != "y" {
		t.Errorf("%#v %v", v, err)
	}
}

func TestJSON_SaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ text, schemas, want string }{
		{`{"a":1}`, "true", "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."},
		{`{"schema":{},"payload":1}`, "true", "Schema must contain 'type' field"},
		{`{"schema":{"type":"int128"},"payload":1}`, "true", "Unknown schema type: int128"},
		{`{"schema":{"type":"int32"},"payload":null}`, "true", "Invalid null value for required INT32 field"},
		{`{"schema":{"type":"struct","fields":[{"field":"f","type":"string"}]},"payload":{"f":1}}`, "true", "null used for required field"},
		{`{"schema":{"type":"struct","fields":[]},"payload":1}`, "true", "Structs should be encoded as JSON objects, but found NUMBER"},
		{`{"schema":{"type":"struct","fields":[{"field":"f","type":"int8"},{"field":"f","type":"int8"}]},"payload":{}}`, "true", "field name duplication f"},
		{`{"schema":{"type":"struct","fields":[{"field":"f","type":"string"}]},"payload":{}}`, "true", "field f: "},
		{`{"schema":{"type":"int64"},"payload":1.5e99999999999999}`, "true", "an exponent that BigDecimal has"},
		{`{"a":}`, "false", `Converting byte[] to Kafka Connect data failed due to serialization error: at byte 5: found '}', want a value`},
		{`{"a":1`, "false", "it ends at byte 6"},
		{`1x`, "false", "byte"}, {`"\x"`, "false", "an escape"}, {"\"\n\"", "false", "control character"}, {"\"\xff\"", "false", "UTF-8"},
		{strings.Repeat("[", 5000), "false", "nested"},
	} {
		_, _, err := newJSON(t, map[string]string{"schemas.enable": tt.schemas}).ToData("t", []byte(tt.text))
		if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: %v", tt.text, err)
		}
	}
}

func TestJSON_Decimals(t *testing.T) {
	s := data.DecimalSchema(2)
	v := data.Decimal(big.NewInt(-12345))
	for format, want := range map[string]string{"BASE64": `"z8c="`, "numeric": "-123.45"} {
		j := newJSON(t, map[string]string{"decimal.format": format, "schemas.enable": "false"})
		got, _, err := j.FromData(nil, "t", s, v)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v", format, got, err)
		}
		j = newJSON(t, map[string]string{"decimal.format": format})
		b, _, _ := j.FromData(nil, "t", s, v)
		if _, back, err := j.ToData("t", b); err != nil || !data.Equal(back, v) {
			t.Errorf("%s: %#v %v", b, back, err)
		}
	}
}

// genTyped draws a schema and a value of it. No float is -0, which JSON in Java does not keep: -0 + 0 is 0.
func genTyped(depth int) *rapid.Generator[struct {
	S *data.Schema
	V data.Value
}] {
	type out = struct {
		S *data.Schema
		V data.Value
	}
	return rapid.Custom(func(t *rapid.T) out {
		limit := 8
		if depth > 0 {
			limit = 11
		}
		switch rapid.IntRange(0, limit).Draw(t, "kind") {
		case 0:
			return out{data.Int8Schema, data.Int8(rapid.Int8().Draw(t, "v"))}
		case 1:
			return out{data.Int16Schema, data.Int16(rapid.Int16().Draw(t, "v"))}
		case 2:
			return out{data.Int32Schema, data.Int32(rapid.Int32().Draw(t, "v"))}
		case 3:
			return out{data.Int64Schema, data.Int64(rapid.Int64().Draw(t, "v"))}
		case 4:
			return out{data.Float64Schema, data.Float64(rapid.Float64().Draw(t, "v") + 0)}
		case 5:
			return out{data.Float32Schema, data.Float32(rapid.Float32().Draw(t, "v") + 0)}
		case 6:
			return out{data.BoolSchema, data.Bool(rapid.Bool().Draw(t, "v"))}
		case 7:
			return out{data.BytesSchema, data.Bytes(append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "v")...))}
		case 8:
			return out{data.OptionalStringSchema, data.String(rapid.String().Draw(t, "v"))}
		case 9:
			e := genTyped(depth-1).Draw(t, "e")
			return out{&data.Schema{Type: data.KindArray, Elem: e.S}, data.Array([]data.Value{e.V, e.V})}
		case 10:
			e := genTyped(depth-1).Draw(t, "e")
			m := &data.Map{}
			m.Put(data.String(rapid.String().Draw(t, "k")), e.V)
			return out{&data.Schema{Type: data.KindMap, Key: data.StringSchema, Elem: e.S}, data.MapOf(m)}
		}
		a, b := genTyped(depth-1).Draw(t, "a"), genTyped(depth-1).Draw(t, "b")
		s := &data.Schema{Type: data.KindStruct, Name: "n", Fields: []data.Field{{Name: "a", Schema: a.S}, {Name: "b", Schema: b.S}}}
		st := data.NewStruct(s)
		st.Set(0, a.V)
		st.Set(1, b.V)
		return out{s, data.StructOf(st)}
	})
}

func TestJSON_ReadsWhatItWritesWhateverTheSchema(t *testing.T) {
	j := newJSON(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		in := genTyped(3).Draw(t, "in")
		b, _, err := j.FromData(nil, "t", in.S, in.V)
		if err != nil {
			t.Fatal(err)
		}
		s, v, err := j.ToData("t", b)
		if err != nil || !data.SameSchema(s, in.S) || !data.Equal(v, in.V) {
			t.Fatalf("%s: %#v, want %#v (%v)", b, v, in.V, err)
		}
	})
}

// zeros are the leading ones of numbers.
var zeros = regexp.MustCompile(`(^|[^0-9.eE+-])(-?)0+([0-9])`)

// FuzzJSON_WhatIsReadIsWrittenAndReadAgain also gives every other converter the bytes: it must take or refuse them.
func FuzzJSON_WhatIsReadIsWrittenAndReadAgain(f *testing.F) {
	for _, s := range []string{`{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"string"}},"payload":[[1,"a"]]}`, `"\ud83d\ude00"`, `[1e999,{}]`, `{"schema":null,"payload":{}}`,
		`{"schema":{"type":"struct","fields":[{"field":"a","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},{"field":"b","type":"array","items":{"type":"float"},"optional":true,"default":[1.5]}]},"payload":{"a":"AQ==","b":null}}`,
		`{"schema":{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1},"payload":1}`, "\x00\x00\x00\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range Builtin() {
			if c.New != nil && !strings.HasSuffix(c.Class, "JsonConverter") {
				one := c.New()
				if err := one.Configure(map[string]string{}, false); err != nil {
					t.Fatal(err)
				}
				if s, v, err := one.ToData("t", b); err == nil && s != nil && !v.IsNull() && s.Type != v.Kind() {
					t.Fatalf("%s: %q is a %s with the schema of a %s", c.Class, b, v.Kind(), s.Type)
				}
			}
		}
		for _, on := range []string{"true", "false"} {
			j := newJSON(t, map[string]string{"schemas.enable": on})
			s, v, err := j.ToData("t", b)
			if err != nil {
				continue
			}
			// Numbers may begin with zeros, as Jackson has it, and what comes after the value is nobody's.
			first := func(b []byte) error { return json.NewDecoder(bytes.NewReader(b)).Decode(new(json.RawMessage)) }
			plain, err := toUTF8(b)
			if err == nil {
				err = first(plain)
			}
			if err != nil && !errors.Is(err, io.EOF) && first(zeros.ReplaceAll(plain, []byte("$1$2$3"))) != nil {
				t.Errorf("%q is no JSON, and was read: %v", b, err)
			}
			out, _, err := j.FromData(nil, "t", s, v)
			if !utf8.Valid(out) {
				t.Errorf("%q was written as %q", b, out)
			}
			if err != nil {
				if s == nil {
					t.Errorf("%q was read and cannot be written: %v", b, err)
				}
				continue
			}
			s2, v2, err := j.ToData("t", out)
			if bytes.Contains(out, []byte(`"Infinity"`)) || bytes.Contains(out, []byte(`"-Infinity"`)) {
				continue // a number beyond a double, which JSON has no other word for
			}
			if err != nil || !data.SameSchema(s, s2) || !data.Equal(v, v2) {
				t.Errorf("%q was written as %q, which is %#v: %v", b, out, v2, err)
			}
		}
	})
}

func TestSimpleHeader_GuessesAsJavaDoes(t *testing.T) {
	h := &SimpleHeader{}
	for text, want := range map[string]struct {
		kind data.Kind
		name string
	}{
		"abc": {data.KindString, ""}, "true": {data.KindBool, ""}, "1": {data.KindInt8, ""}, "300": {data.KindInt16, ""}, "70000": {data.KindInt32, ""},
		"5000000000": {data.KindInt64, ""}, "1.5": {data.KindFloat32, ""}, "1e100": {data.KindFloat64, ""}, "1e400": {data.KindBytes, data.DecimalName}, "18446744073709551616": {data.KindBytes, data.DecimalName},
		"2020-01-02": {data.KindInt32, data.DateName}, "10:20:30.400Z": {data.KindInt32, data.TimeName}, "2020-01-02T10:20:30.400Z": {data.KindInt64, data.TimestampName},
		"[1,2]": {data.KindArray, ""}, `{"a":1}`: {data.KindMap, ""}, "[1,": {data.KindString, ""}, "{x": {data.KindString, ""}, "": {data.KindString, ""},
	} {
		s, v, err := h.ToData("t", "k", []byte(text))
		if err != nil || s == nil || s.Type != want.kind || s.Name != want.name || v.Kind() != want.kind {
			t.Errorf("%q: %v %#v %v", text, s, v, err)
		}
	}
	for _, text := range []string{"null"} {
		if s, v, err := h.ToData("t", "k", []byte(text)); s != nil || !v.IsNull() || err != nil {
			t.Errorf("%q: %v %#v %v", text, s, v, err)
		}
	}
	m := &data.Map{}
	m.Put(data.String(`q"`), data.Array([]data.Value{data.Int8(1), data.Int8(2)}))
	b, null, err := h.FromData(nil, "t", "k", nil, data.MapOf(m))
	if string(b) != `{"q\"":[1,2]}` || null || err != nil {
		t.Errorf("%s %v %v", b, null, err)
	}
	m = &data.Map{} // the backslash stays, as in Java
	m.Put(data.String(`q\"`), data.Array([]data.Value{data.Int8(1), data.Int8(2)}))
	if _, v, _ := h.ToData("t", "k", b); !data.Equal(v, data.MapOf(m)) {
		t.Errorf("%#v", v)
	}
}

func TestBuiltin_EachIsFoundByItsClassAndMakesItself(t *testing.T) {
	for _, in := range Builtin() {
		if in.New != nil {
			if err := in.New().Configure(map[string]string{}, true); err != nil {
				t.Errorf("%s: %v", in.Class, err)
			}
		}
		h := in.NewHeader()
		if err := h.Configure(map[string]string{}); err != nil {
			t.Errorf("%s: %v", in.Class, err)
		}
		if b, _, err := h.FromData(nil, "t", "k", nil, data.Null()); err != nil || len(b) > 0 {
			t.Errorf("%s: %q %v", in.Class, b, err)
		}
	}
	c := &ByteArray{}
	if !Raw(c) || Raw(&String{}) {
		t.Error("only ByteArrayConverter passes bytes on")
	}
	if _, v, _ := c.ToData("t", nil); !v.IsNull() {
		t.Errorf("%#v", v)
	}
	if b, _, err := c.FromData([]byte("x"), "t", nil, data.Bytes([]byte("y"))); !bytes.Equal(b, []byte("xy")) || err != nil {
		t.Error(string(b), err)
	}
	if _, _, err := c.FromData(nil, "t", data.StringSchema, data.String("y")); !errors.Is(err, ErrData) {
		t.Error(err)
	}
}

// What eight bytes at once say of a string is what one after the other says.
func TestPlainRun_EndsAtTheFirstByteThatMeansSomethingElse(t *testing.T) {
	interesting := []byte{0, 0x1f, ' ', '!', '"', '#', '[', '\\', ']', 'a', 0x7f, 0x80, 0xa2, 0xdc, 0xff}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom(interesting), 0, 40).Draw(t, "b")
		want, wantHigh := 0, byte(0)
		for want < len(b)/8*8 && b[want] >= ' ' && b[want] != '"' && b[want] != '\\' {
			wantHigh |= b[want] & 0x80
			want++
		}
		if n, high := plainRun(b); n != want || high != wantHigh {
			t.Fatalf("%q: %d %x, want %d %x", b, n, high, want, wantHigh)
		}
	})
}

// The arena is what a sink's batches are read into.
func TestJSON_ABatchIsReadIntoTheMemoryOfTheLastAndAllocatesNothing(t *testing.T) {
	for _, on := range []string{"true", "false"} {
		s, v := structOf(t)
		j, plain := newJSON(t, map[string]string{"schemas.enable": on}), newJSON(t, map[string]string{"schemas.enable": on})
		var arena data.Arena
		j.Borrow(&arena)
		text, _, err := j.FromData(nil, "t", s, v)
		if err != nil {
			t.Fatal(err)
		}
		batch := func() (last data.Value) {
			arena.Reset()
			for range 10 {
				if _, last, err = j.ToData("t", text); err != nil {
					t.Fatal(err)
				}
			}
			return last
		}
		_, want, _ := plain.ToData("t", text)
		for range 3 {
			if got := batch(); !data.Equal(got, want) {
				t.Fatalf("schemas.enable=%s: %#v, want %#v", on, got, want)
			}
		}
		if n := testing.AllocsPerRun(20, func() { batch() }); n != 0 {
			t.Errorf("schemas.enable=%s: %v allocations a batch", on, n)
		}
	}
}

func TestJSON_WhatIsEmptyIsNotNull(t *testing.T) {
	var arena data.Arena
	for _, a := range []*data.Arena{nil, &arena} {
		j := newJSON(t, map[string]string{"schemas.enable": "false"})
		j.Borrow(a)
		for text, kind := range map[string]data.Kind{"[]": data.KindArray, "{}": data.KindMap, `""`: data.KindString} {
			arena.Reset()
			if _, v, err := j.ToData("t", []byte(text)); err != nil || v.Kind() != kind {
				t.Errorf("%s: %#v, %v", text, v, err)
			}
		}
		j = newJSON(t, nil)
		j.Borrow(a)
		if _, v, err := j.ToData("t", []byte(`{"schema":{"type":"bytes"},"payload":""}`)); err != nil || v.Kind() != data.KindBytes {
			t.Errorf("bytes: %#v, %v", v, err)
		}
	}
}

func BenchmarkJSON_Read(b *testing.B) {
	s, v := structOf(b)
	for _, on := range []string{"true", "false"} {
		b.Run("schemas="+on, func(b *testing.B) {
			j := newJSON(b, map[string]string{"schemas.enable": on})
			text, _, _ := j.FromData(nil, "t", s, v)
			var arena data.Arena
			j.Borrow(&arena)
			b.ReportAllocs()
			for b.Loop() {
				arena.Reset()
				if _, _, err := j.ToData("t", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJSON_Write(b *testing.B) {
	s, v := structOf(b)
	j := newJSON(b, nil)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _, _ = j.FromData(buf[:0], "t", s, v)
	}
}

// The bytes are those of Kafka's serializers.
func TestPrimitives_WriteAndReadKafkasBytes(t *testing.T) {
	byAlias := map[string]Info{}
	for _, i := range Builtin() {
		byAlias[i.Aliases[len(i.Aliases)-1]] = i
	}
	for _, c := range []struct {
		alias  string
		v      data.Value
		bytes  string
		schema *data.Schema
	}{
		{"Boolean", data.Bool(true), "\x01", data.OptionalBoolSchema}, {"Boolean", data.Bool(false), "\x00", data.OptionalBoolSchema},
		{"Short", data.Int16(-2), "\xff\xfe", data.OptionalInt16Schema},
		{"Integer", data.Int32(0x01020304), "\x01\x02\x03\x04", data.OptionalInt32Schema}, {"Integer", data.Int32(-1), "\xff\xff\xff\xff", data.OptionalInt32Schema},
		{"Long", data.Int64(-2), "\xff\xff\xff\xff\xff\xff\xff\xfe", data.OptionalInt64Schema},
		{"Float", data.Float32(1.5), "\x3f\xc0\x00\x00", data.OptionalFloat32Schema},
		{"Double", data.Float64(-2), "\xc0\x00\x00\x00\x00\x00\x00\x00", data.OptionalFloat64Schema},
	} {
		info := byAlias[c.alias]
		conv, header := info.New(), info.NewHeader()
		got, null, err := conv.FromData([]byte("x"), "t", c.schema, c.v)
		if err != nil || null || string(got) != "x"+c.bytes {
			t.Errorf("%s writes %q, %v", c.alias, got, err)
		}
		schema, v, err := header.ToData("t", "h", []byte(c.bytes))
		if err != nil || schema != c.schema || !data.Equal(v, c.v) {
			t.Errorf("%s reads %v %v, %v", c.alias, schema, v, err)
		}
		if schema, v, err := conv.ToData("t", nil); err != nil || schema != c.schema || !v.IsNull() {
			t.Errorf("%s reads null as %v, %v", c.alias, v, err)
		}
		if _, null, err := conv.FromData(nil, "t", nil, data.Null()); err != nil || !null {
			t.Errorf("%s writes null as %v, %v", c.alias, null, err)
		}
		if _, _, err := conv.ToData("t", []byte(c.bytes+"\x00")); !errors.Is(err, ErrData) {
			t.Errorf("%s reads a byte too many: %v", c.alias, err)
		}
		if _, _, err := conv.FromData(nil, "t", nil, data.String("1")); !errors.Is(err, ErrData) {
			t.Errorf("%s writes a string: %v", c.alias, err)
		}
	}
	if _, _, err := byAlias["Boolean"].New().ToData("t", []byte{2}); err == nil || !strings.Contains(err.Error(), "Unexpected byte received by BooleanDeserializer: 2") {
		t.Error(err)
	}
	if _, _, err := byAlias["Boolean"].New().FromData(nil, "t", data.StringSchema, data.Bool(true)); err == nil || !strings.Contains(err.Error(), "Invalid schema type for BooleanConverter: STRING") {
		t.Error(err)
	}
}

func TestJSON_AByteOrderMarkMovesNoSchema(t *testing.T) {
	j := newJSON(t, nil)
	for i, text := range []string{"\xEF\xBB\xBF" + `{"schema":{"type":"int8"},"payload":1}`, `{"schema":{"type":"int16"},"payload":1}`, "\xEF\xBB\xBF" + `{"schema":{"type":"int8"},"payload":2}`} {
		want := []data.Kind{data.KindInt8, data.KindInt16, data.KindInt8}[i]
		if s, v, err := j.ToData("t", []byte(text)); err != nil || s.Type != want || v.Kind() != want {
			t.Errorf("%q: %v %#v %v", text, s, v, err)
		}
	}
}

func TestJSON_SchemaContentIsTheSchemaOfEveryMessageThatIsRead(t *testing.T) {
	j := newJSON(t, map[string]string{"schema.content": `{"type":"struct","optional":true,"fields":[{"field":"id","type":"int32","optional":false},{"field":"name","type":"string","optional":true}]}`})
	schema, v, err := j.ToData("t", []byte(`{"id":7,"name":null}`))
	if err != nil || schema.Type != data.KindStruct || v.Struct().At(0).Int() != 7 || v.Struct().At(0).Kind() != data.KindInt32 || !v.Struct().At(1).IsNull() {
		t.Fatalf("%v %v, %v", schema, v, err)
	}
	if again, _, err := j.ToData("t", []byte(`{"id":8}`)); err != nil || again != schema {
		t.Errorf("%v, %v", again, err)
	}
	if _, v, err := j.ToData("t", []byte(`{"id":"x"}`)); err != nil || v.Struct().At(0).Int() != 0 { // as Jackson reads it
		t.Errorf("a value of another type: %v, %v", v, err)
	}
	if got, _, err := j.FromData(nil, "t", data.Int32Schema, data.Int32(1)); err != nil || string(got) != `{"schema":{"type":"int32","optional":false},"payload":1}` {
		t.Errorf("what is written keeps its envelope: %s, %v", got, err)
	}
	plain := newJSON(t, map[string]string{"schema.content": `{"type":"int32"}`, "schemas.enable": "false"})
	if schema, v, err := plain.ToData("t", []byte("5")); err != nil || schema != nil || v.Kind() != data.KindInt64 {
		t.Errorf("without schemas.enable it has no effect: %v %v, %v", schema, v, err)
	}
	for _, bad := range []string{`{`, `{"type":"what"}`, `[]`} {
		if err := (&JSON{}).Configure(map[string]string{"schema.content": bad}, false); err == nil || !strings.Contains(err.Error(), "schema.content: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzParseText_ASchemaAlwaysFits(f *testing.F) {
	for _, s := range []string{`[1,2.5,"x"]`, `{"a":[1,{"b":2024-02-29}]}`, `10:20:30.400Z`, `1e400`, `\:`, `[[1],[2.5]]`, `{1:2,}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, v := ParseText(text)
		if s == nil && !v.IsNull() || s != nil && s.Type != v.Kind() {
			t.Errorf("%q: %v %#v", text, s, v)
		}
	})
}
