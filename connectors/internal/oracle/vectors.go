// Package oracle reads what Kafka Connect's own classes answered: the vectors that integration/compat/oracle writes and tests
// replay. For tests.
package oracle

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

	"github.com/sluice-project/sluice/connectors/data"
)

// Lines calls f with each line of each file that a pattern names.
func Lines(pattern string, f func(file string, n int, line []byte) error) error {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no files of vectors in %s: %w", pattern, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			if err := f(filepath.Base(name), n, lines.Bytes()); err != nil {
				return fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
		if err := lines.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Vector is what lines have in common: the schemas that values point into.
type Vector struct {
	S []schemaJSON `json:"s"`

	schemas []*data.Schema
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

// Unlike is wrapped where Java's data cannot be said in ours: such a vector is in docs/transforms.md.
type Unlike string

func (u Unlike) Error() string { return string(u) }

// Schema is the schema of an index.
func (v *Vector) Schema(i int) (*data.Schema, error) {
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
		if fd.Schema, err = v.Schema(at); err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, fd)
	}
	if j.K != nil {
		if s.Key, err = v.Schema(*j.K); err != nil {
			return nil, err
		}
	}
	if j.E != nil {
		if s.Elem, err = v.Schema(*j.E); err != nil {
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
func (v *Vector) value(s *data.Schema, raw json.RawMessage) (data.Value, error) {
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
		if s == nil || s.Name != data.DecimalName {
			own, err := strconv.ParseInt(string(parts[2]), 10, 32)
			return data.BigDecimal(n, int32(own)), err
		}
		if !ok || scale != string(parts[2]) {
			return data.Null(), Unlike("a BigDecimal of another scale than its schema")
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
			own, err := v.Schema(at)
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
				return data.Null(), Unlike("a Date with a time of the day")
			}
			return data.Int32(int32(ms / 86_400_000)), nil
		case data.TimeName:
			if ms < 0 || ms > 86_400_000 {
				return data.Null(), Unlike("a Time with a date")
			}
			return data.Int32(int32(ms)), nil
		case data.TimestampName:
			return data.Int64(ms), nil
		}
	}
	return data.Moment(ms), nil
}

// Pair decodes a schema, or null, and a value.
func (v *Vector) Pair(raw []json.RawMessage) (*data.Schema, data.Value, error) {
	if string(raw[0]) == "null" {
		val, err := v.value(nil, raw[1])
		return nil, val, err
	}
	at, err := strconv.Atoi(string(raw[0]))
	if err != nil {
		return nil, data.Null(), err
	}
	s, err := v.Schema(at)
	if err != nil {
		return nil, data.Null(), err
	}
	val, err := v.value(s, raw[1])
	return s, val, err
}

// ShowSchema writes a schema so that equal ones are equal texts.
func ShowSchema(s *data.Schema) string {
	if s == nil {
		return "-"
	}
	out := fmt.Sprintf("%s optional=%v name=%q v%d doc=%q %v", s.Type, s.Optional, s.Name, s.Version, s.Doc, s.Params)
	for _, f := range s.Fields {
		out += fmt.Sprintf("; %q (%s)", f.Name, ShowSchema(f.Schema))
	}
	if s.Key != nil {
		out += " keys (" + ShowSchema(s.Key) + ")"
	}
	if s.Elem != nil {
		out += " of (" + ShowSchema(s.Elem) + ")"
	}
	if st := s.Default.Struct(); st != nil {
		out += " default {"
		for i := range s.Fields {
			out += ShowValue(st.Raw(i)) + " "
		}
		return out + "}"
	}
	return out + " default " + ShowValue(s.Default)
}

// ShowValue writes a value so that equal ones are equal texts: entries of maps have no order.
func ShowValue(v data.Value) string {
	switch v.Kind() {
	case data.KindNull:
		return "null"
	case data.KindArray:
		var parts []string
		for _, e := range v.Array() {
			parts = append(parts, ShowValue(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case data.KindMap:
		var parts []string
		for _, e := range v.Map().Entries() {
			parts = append(parts, ShowValue(e.Key)+"="+ShowValue(e.Value))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case data.KindStruct:
		out := "struct(" + ShowSchema(v.Struct().Schema()) + "){"
		for i := range v.Struct().Schema().Fields {
			out += ShowValue(v.Struct().Raw(i)) + " "
		}
		return out + "}"
	case data.KindFloat32, data.KindFloat64:
		if math.IsNaN(v.Float()) {
			return "NaN" // whichever: the vectors have one
		}
		return fmt.Sprintf("%s:%x", v.Kind(), math.Float64bits(v.Float()))
	default:
		return fmt.Sprintf("%s:%#v", v.Kind(), v)
	}
}
