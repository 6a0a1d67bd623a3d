package transform_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/transform"
)

// vector is a line of the oracle's; integration/compat/oracle says what its members are.
type vector struct {
	Class  string            `json:"c"`
	Config map[string]string `json:"cfg"`
	Def    []definition      `json:"def"`
	Val    [][]*string       `json:"val"`
	CErr   []*string         `json:"cerr"`
	In     *recordJSON       `json:"in"`
	Out    *recordJSON       `json:"out"`
	Drop   bool              `json:"drop"`
	Match  *bool             `json:"match"`
	Err    []*string         `json:"err"`
	S      []schemaJSON      `json:"s"`

	line    int
	file    string
	schemas []*data.Schema
}

type definition struct {
	Name, Type, Importance, Doc string
	Required                    bool
	Default, Valid              *string
}

type recordJSON struct {
	Topic string
	Part  *int32
	TS    *int64 `json:"ts"`
	Off   *int64
	K, V  []json.RawMessage
	H     [][]json.RawMessage
}

type schemaJSON struct {
	T   string
	O   bool
	N   string
	V   int32
	D   string
	P   [][2]string
	F   [][]json.RawMessage
	K   *int
	E   *int
	Def json.RawMessage
}

// unlike is wrapped where Java's data cannot be said in ours: such a vector is in docs/transforms.md.
type unlike string

func (u unlike) Error() string { return string(u) }

// vectors are what the real classes answered.
func vectors(t testing.TB) []*vector {
	t.Helper()
	out, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var readOnce = sync.OnceValues(func() ([]*vector, error) {
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	if err != nil || len(files) < 29 {
		return nil, fmt.Errorf("%d files of vectors: %w", len(files), err)
	}
	var out []*vector
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			v := &vector{line: n, file: filepath.Base(name)}
			if err := json.Unmarshal(lines.Bytes(), v); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
			out = append(out, v)
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
})

// schema is the schema of an index.
func (v *vector) schema(i int) (*data.Schema, error) {
	if v.schemas == nil {
		v.schemas = make([]*data.Schema, len(v.S))
	}
	if v.schemas[i] != nil {
		return v.schemas[i], nil
	}
	j := v.S[i]
	s := &data.Schema{Optional: j.O, Name: j.N, Version: j.V, Doc: j.D}
	for k := data.KindInt8; k <= data.KindStruct; k++ {
		if k.String() == j.T {
			s.Type = k
		}
	}
	for _, p := range j.P {
		s.Params = append(s.Params, data.Param{Key: p[0], Value: p[1]})
	}
	var err error
	for _, f := range j.F {
		var fd data.Field
		var at int
		if err := json.Unmarshal(f[0], &fd.Name); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(f[1], &at); err != nil {
			return nil, err
		}
		if fd.Schema, err = v.schema(at); err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, fd)
	}
	if j.K != nil {
		if s.Key, err = v.schema(*j.K); err != nil {
			return nil, err
		}
	}
	if j.E != nil {
		if s.Elem, err = v.schema(*j.E); err != nil {
			return nil, err
		}
	}
	if j.Def != nil {
		bare := *s
		if s.Default, err = v.value(&bare, j.Def); err != nil {
			return nil, err
		}
	}
	v.schemas[i] = s
	return s, nil
}

// value decodes a value; s is nil for schemaless data.
func (v *vector) value(s *data.Schema, raw json.RawMessage) (data.Value, error) {
	if string(raw) == "null" {
		return data.Null(), nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return data.Null(), err
	}
	var tag string
	if err := json.Unmarshal(parts[0], &tag); err != nil {
		return data.Null(), err
	}
	number := func() int64 {
		n, err := strconv.ParseInt(string(parts[1]), 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	text := func() (s string) {
		if err := json.Unmarshal(parts[1], &s); err != nil {
			panic(err)
		}
		return s
	}
	switch tag {
	case "i8":
		return data.Int8(int8(number())), nil
	case "i16":
		return data.Int16(int16(number())), nil
	case "i32":
		return data.Int32(int32(number())), nil
	case "i64":
		return data.Int64(number()), nil
	case "f32":
		return data.Float32(math.Float32frombits(uint32(number()))), nil
	case "f64":
		return data.Float64(math.Float64frombits(uint64(number()))), nil
	case "b":
		return data.Bool(string(parts[1]) == "true"), nil
	case "s":
		return data.String(text()), nil
	case "y":
		b, err := base64.StdEncoding.DecodeString(text())
		return data.Bytes(b), err
	case "d":
		return date(s, number())
	case "n":
		n, _ := new(big.Int).SetString(text(), 10)
		scale, ok := s.Param(data.ScaleParameter)
		if !ok {
			return data.Null(), unlike("a BigDecimal without a schema")
		}
		if scale != string(parts[2]) {
			return data.Null(), unlike("a BigDecimal of another scale than its schema")
		}
		return data.Decimal(n), nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(parts[len(parts)-1], &list); err != nil {
		return data.Null(), err
	}
	var elem, key *data.Schema
	if s != nil {
		elem, key = s.Elem, s.Key
	}
	switch tag {
	case "a":
		out := make([]data.Value, len(list))
		for i, e := range list {
			var err error
			if out[i], err = v.value(elem, e); err != nil {
				return data.Null(), err
			}
		}
		return data.Array(out), nil
	case "m":
		m := &data.Map{}
		for _, e := range list {
			var pair []json.RawMessage
			if err := json.Unmarshal(e, &pair); err != nil {
				return data.Null(), err
			}
			k, err := v.value(key, pair[0])
			if err != nil {
				return k, err
			}
			e, err := v.value(elem, pair[1])
			if err != nil {
				return e, err
			}
			m.Put(k, e)
		}
		return data.MapOf(m), nil
	default:
		if at := int(number()); at >= 0 {
			own, err := v.schema(at)
			if err != nil {
				return data.Null(), err
			}
			if s == nil || !data.SameSchema(s, own) {
				s = own
			}
		}
		st := data.NewStruct(s)
		for i, e := range list {
			f, err := v.value(s.Fields[i].Schema, e)
			if err != nil {
				return f, err
			}
			st.Set(i, f)
		}
		return data.StructOf(st), nil
	}
}

// date is a java.util.Date: a number where a schema says so.
func date(s *data.Schema, ms int64) (data.Value, error) {
	if s != nil {
		switch s.Name {
		case data.DateName:
			if ms%86_400_000 != 0 {
				return data.Null(), unlike("a Date with a time of the day")
			}
			return data.Int32(int32(ms / 86_400_000)), nil
		case data.TimeName:
			return data.Int32(int32(ms)), nil
		case data.TimestampName:
			return data.Int64(ms), nil
		}
	}
	return data.Moment(ms), nil
}

func (v *vector) pair(raw []json.RawMessage) (*data.Schema, data.Value, error) {
	if string(raw[0]) == "null" {
		val, err := v.value(nil, raw[1])
		return nil, val, err
	}
	at, err := strconv.Atoi(string(raw[0]))
	if err != nil {
		return nil, data.Null(), err
	}
	s, err := v.schema(at)
	if err != nil {
		return nil, data.Null(), err
	}
	val, err := v.value(s, raw[1])
	return s, val, err
}

// record decodes a record.
func (v *vector) record(j *recordJSON) (*transform.Record, error) {
	r := &transform.Record{Topic: j.Topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp, Offset: transform.NoOffset}
	if j.Part != nil {
		r.Partition = *j.Part
	}
	if j.TS != nil {
		r.Timestamp = *j.TS
	}
	if j.Off != nil {
		r.Offset = *j.Off
	}
	var err error
	if r.KeySchema, r.Key, err = v.pair(j.K); err != nil {
		return nil, err
	}
	if r.ValueSchema, r.Value, err = v.pair(j.V); err != nil {
		return nil, err
	}
	for _, raw := range j.H {
		var h data.Header
		if err := json.Unmarshal(raw[0], &h.Key); err != nil {
			return nil, err
		}
		if h.Schema, h.Value, err = v.pair(raw[1:]); err != nil {
			return nil, err
		}
		r.Headers = append(r.Headers, h)
	}
	return r, nil
}

// show writes a record so that equal ones are equal texts: entries of maps have no order, and the schema of a
// default is that of its schema.
func show(r *transform.Record) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "topic %q partition %d timestamp %d offset %d\n", r.Topic, r.Partition, r.Timestamp, r.Offset)
	fmt.Fprintf(&b, "key %s\n  %s\nvalue %s\n  %s\n", showSchema(r.KeySchema), showValue(r.Key), showSchema(r.ValueSchema), showValue(r.Value))
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "header %q %s %s\n", h.Key, showSchema(h.Schema), showValue(h.Value))
	}
	return b.String()
}

func showSchema(s *data.Schema) string {
	if s == nil {
		return "-"
	}
	out := fmt.Sprintf("%s optional=%v name=%q v%d doc=%q %v", s.Type, s.Optional, s.Name, s.Version, s.Doc, s.Params)
	for _, f := range s.Fields {
		out += fmt.Sprintf("; %q (%s)", f.Name, showSchema(f.Schema))
	}
	if s.Key != nil {
		out += " keys (" + showSchema(s.Key) + ")"
	}
	if s.Elem != nil {
		out += " of (" + showSchema(s.Elem) + ")"
	}
	if st := s.Default.Struct(); st != nil {
		out += " default {"
		for i := range s.Fields {
			out += showValue(st.Raw(i)) + " "
		}
		return out + "}"
	}
	return out + " default " + showValue(s.Default)
}

func showValue(v data.Value) string {
	switch v.Kind() {
	case data.KindNull:
		return "null"
	case data.KindArray:
		var parts []string
		for _, e := range v.Array() {
			parts = append(parts, showValue(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case data.KindMap:
		var parts []string
		for _, e := range v.Map().Entries() {
			parts = append(parts, showValue(e.Key)+"="+showValue(e.Value))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case data.KindStruct:
		out := "struct(" + showSchema(v.Struct().Schema()) + "){"
		for i := range v.Struct().Schema().Fields {
			out += showValue(v.Struct().Raw(i)) + " "
		}
		return out + "}"
	case data.KindFloat32, data.KindFloat64:
		return fmt.Sprintf("%s:%x", v.Kind(), math.Float64bits(v.Float()))
	default:
		return fmt.Sprintf("%s:%#v", v.Kind(), v)
	}
}
