package format

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
)

// avroEncode appends a value in Avro's binary encoding.
type avroEncode func(dst []byte, v data.Value) ([]byte, error)

// What Confluent's AvroData calls things that have no name.
const (
	avroNamespace    = "io.confluent.connect.avro"
	avroRecord       = "ConnectDefault"
	avroMapEntry     = "MapEntry"
	precisionParam   = "connect.decimal.precision"
	defaultPrecision = 64
)

// avroSchema makes a schema's Avro, as JSON text, and what encodes its values.
func avroSchema(s *data.Schema, metadata bool) ([]byte, avroEncode, error) {
	b := &avroBuilder{metadata: metadata, named: map[*data.Schema]string{}}
	typ, encode, err := b.of(s)
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(typ)
	return text, encode, err
}

type avroBuilder struct {
	metadata bool
	named    map[*data.Schema]string // the records that are defined, by their schemas
	unnamed  int
	entries  int
}

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		k, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, k...), ':'), v...)
	}
	return append(out, '}'), nil
}

// of is a schema with whether it is optional.
func (b *avroBuilder) of(s *data.Schema) (any, avroEncode, error) {
	typ, encode, err := b.required(s)
	if err != nil || !s.Optional {
		return typ, withDefault(s, encode), err
	}
	// The default has to be of the union's first type.
	union, null, value := []any{"null", typ}, byte(0), byte(2)
	if !s.Default.IsNull() {
		union, null, value = []any{typ, "null"}, 2, 0
	}
	return union, func(dst []byte, v data.Value) ([]byte, error) {
		if v.IsNull() {
			return append(dst, null), nil
		}
		return encode(append(dst, value), v)
	}, nil
}

func withDefault(s *data.Schema, encode avroEncode) avroEncode {
	return func(dst []byte, v data.Value) ([]byte, error) {
		if v.IsNull() {
			if s.Default.IsNull() {
				return dst, fmt.Errorf("a value is null whose schema, of type %s, is required", s.Type)
			}
			v = s.Default
		}
		return encode(dst, v)
	}
}

// required is a schema as if it were required. Values of another kind than the schema's are refused.
func (b *avroBuilder) required(s *data.Schema) (any, avroEncode, error) {
	typ, encode, err := b.bare(s)
	if err != nil {
		return nil, nil, err
	}
	checked := func(dst []byte, v data.Value) ([]byte, error) {
		if v.Kind() != s.Type {
			return dst, fmt.Errorf("a value is of type %s where its schema says %s", v.Kind(), s.Type)
		}
		return encode(dst, v)
	}
	return typ, checked, nil
}

func (b *avroBuilder) bare(s *data.Schema) (any, avroEncode, error) {
	integer := func(dst []byte, v data.Value) ([]byte, error) { return binary.AppendVarint(dst, v.Int()), nil }
	raw := func(dst []byte, v data.Value) ([]byte, error) {
		return append(binary.AppendVarint(dst, int64(len(v.Raw()))), v.Raw()...), nil
	}
	switch s.Type {
	case data.KindInt8, data.KindInt16:
		o := object{{"type", "int"}}
		if b.metadata {
			o = append(o, member{"connect.type", strings.ToLower(s.Type.String())})
		}
		return b.described(o, s), integer, nil
	case data.KindInt32:
		o := object{{"type", "int"}}
		if l := map[string]string{data.DateName: "date", data.TimeName: "time-millis"}[s.Name]; l != "" {
			o = append(o, member{"logicalType", l})
		}
		return b.described(o, s), integer, nil
	case data.KindInt64:
		o := object{{"type", "long"}}
		if s.Name == data.TimestampName {
			o = append(o, member{"logicalType", "timestamp-millis"})
		}
		return b.described(o, s), integer, nil
	case data.KindFloat32:
		return b.described(object{{"type", "float"}}, s), func(dst []byte, v data.Value) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
		}, nil
	case data.KindFloat64:
		return b.described(object{{"type", "double"}}, s), func(dst []byte, v data.Value) ([]byte, error) {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
		}, nil
	case data.KindBool:
		return b.described(object{{"type", "boolean"}}, s), func(dst []byte, v data.Value) ([]byte, error) {
			if v.Bool() {
				return append(dst, 1), nil
			}
			return append(dst, 0), nil
		}, nil
	case data.KindString:
		return b.described(object{{"type", "string"}}, s), raw, nil
	case data.KindBytes:
		o := object{{"type", "bytes"}}
		if s.Name == data.DecimalName {
			scale, precision, err := decimalOf(s)
			if err != nil {
				return nil, nil, err
			}
			o = append(o, member{"scale", scale}, member{"precision", precision}, member{"logicalType", "decimal"})
		}
		return b.described(o, s), raw, nil
	case data.KindArray:
		return b.array(s)
	case data.KindMap:
		return b.entryMap(s)
	case data.KindStruct:
		return b.record(s)
	}
	return nil, nil, fmt.Errorf("%w: Avro has no type for %s", ErrData, s.Type)
}

// decimalOf is a decimal's scale and precision: Connect's decimals have no bound, and AvroData takes 64 for one.
func decimalOf(s *data.Schema) (scale, precision int, err error) {
	text, _ := s.Param(data.ScaleParameter)
	if scale, err = strconv.Atoi(text); err != nil {
		return 0, 0, fmt.Errorf("%w: the scale of a decimal is %q", ErrData, text)
	}
	precision = defaultPrecision
	if p, ok := s.Param(precisionParam); ok {
		if precision, err = strconv.Atoi(p); err != nil {
			return 0, 0, fmt.Errorf("%w: the precision of a decimal is %q", ErrData, p)
		}
	}
	return scale, precision, nil
}

// described adds what of Connect's schema Avro does not know; a type without any is its name alone.
func (b *avroBuilder) described(o object, s *data.Schema) any {
	if b.metadata {
		if s.Doc != "" {
			o = append(o, member{"connect.doc", s.Doc})
		}
		if s.Version != 0 {
			o = append(o, member{"connect.version", s.Version})
		}
		if len(s.Params) > 0 {
			var params object
			for _, p := range s.Params {
				params = append(params, member{p.Key, p.Value})
			}
			o = append(o, member{"connect.parameters", params})
		}
		if s.Name != "" {
			o = append(o, member{"connect.name", s.Name})
		}
	}
	if len(o) == 1 {
		return o[0].value
	}
	return o
}

// blocks encodes n elements as Avro's arrays and maps are: one block, and an empty one.
func blocks(dst []byte, n int, each func(dst []byte, i int) ([]byte, error)) (_ []byte, err error) {
	if n > 0 {
		dst = binary.AppendVarint(dst, int64(n))
	}
	for i := range n {
		if dst, err = each(dst, i); err != nil {
			return dst, err
		}
	}
	return append(dst, 0), nil
}

func (b *avroBuilder) array(s *data.Schema) (any, avroEncode, error) {
	items, encode, err := b.of(s.Elem)
	return b.described(object{{"type", "array"}, {"items", items}}, s), func(dst []byte, v data.Value) ([]byte, error) {
		a := v.Array()
		return blocks(dst, len(a), func(dst []byte, i int) ([]byte, error) { return encode(dst, a[i]) })
	}, err
}

// entryMap is a map where keys are texts, else an array of pairs.
func (b *avroBuilder) entryMap(s *data.Schema) (any, avroEncode, error) {
	texts := s.Key.Type == data.KindString && !s.Key.Optional
	var name string
	if !texts {
		if b.entries++; b.entries == 1 {
			name = avroMapEntry
		} else {
			name = avroMapEntry + strconv.Itoa(b.entries)
		}
	}
	keys, key, err := b.of(s.Key)
	if err != nil {
		return nil, nil, err
	}
	values, value, err := b.of(s.Elem)
	if err != nil {
		return nil, nil, err
	}
	encode := func(dst []byte, v data.Value) ([]byte, error) {
		entries := v.Map().Entries()
		return blocks(dst, len(entries), func(dst []byte, i int) ([]byte, error) {
			dst, err := key(dst, entries[i].Key)
			if err != nil {
				return dst, err
			}
			return value(dst, entries[i].Value)
		})
	}
	if texts {
		return b.described(object{{"type", "map"}, {"values", values}}, s), encode, nil
	}
	entry := object{{"type", "record"}, {"name", name}, {"namespace", avroNamespace},
		{"fields", []any{object{{"name", "key"}, {"type", keys}}, object{{"name", "value"}, {"type", values}}}}}
	return b.described(object{{"type", "array"}, {"items", entry}}, s), encode, nil
}

func (b *avroBuilder) record(s *data.Schema) (any, avroEncode, error) {
	name, namespace := s.Name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		namespace, name = name[:i], name[i+1:]
	}
	if s.Name == "" {
		if b.unnamed++; b.unnamed == 1 {
			name = avroRecord
		} else {
			name = avroRecord + strconv.Itoa(b.unnamed)
		}
		namespace = avroNamespace
	}
	defined := false
	full := strings.TrimPrefix(namespace+"."+name, ".")
	for known, as := range b.named {
		if as == full && data.SameSchema(known, s) {
			defined = true // by its name alone; its fields are gone through for their encoding
		}
	}
	b.named[s] = full
	o := object{{"type", "record"}, {"name", name}}
	if namespace != "" {
		o = append(o, member{"namespace", namespace})
	}
	if s.Doc != "" {
		o = append(o, member{"doc", s.Doc})
	}
	members := make([]any, len(s.Fields))
	encodes := make([]avroEncode, len(s.Fields))
	for i, f := range s.Fields {
		typ, encode, err := b.of(f.Schema)
		if err != nil {
			return nil, nil, err
		}
		m := object{{"name", f.Name}, {"type", typ}}
		if def, ok := avroDefault(f.Schema); ok {
			m = append(m, member{"default", def})
		}
		members[i], encodes[i] = m, encode
	}
	encode := func(dst []byte, v data.Value) (_ []byte, err error) {
		st := v.Struct()
		if len(st.Schema().Fields) != len(encodes) {
			return dst, fmt.Errorf("a struct has %d fields where the file's schema has %d", len(st.Schema().Fields), len(encodes))
		}
		for i := range encodes {
			if dst, err = encodes[i](dst, st.At(i)); err != nil {
				return dst, fmt.Errorf("field %q: %w", s.Fields[i].Name, err)
			}
		}
		return dst, nil
	}
	if defined {
		return full, encode, nil
	}
	return b.described(append(o, member{"fields", members}), s), encode, nil
}

// avroDefault is the default of a field; that of one which is optional is null where it has none. Defaults of structs, arrays
// and maps are left out.
func avroDefault(s *data.Schema) (any, bool) {
	switch d := s.Default; d.Kind() {
	case data.KindNull:
		return nil, s.Optional
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return d.Int(), true
	case data.KindFloat32, data.KindFloat64:
		return d.Float(), !math.IsNaN(d.Float()) && !math.IsInf(d.Float(), 0)
	case data.KindBool:
		return d.Bool(), true
	case data.KindString:
		return d.Str(), true
	case data.KindBytes: // each byte a character
		runes := make([]rune, 0, len(d.Bytes()))
		for _, c := range d.Bytes() {
			runes = append(runes, rune(c))
		}
		return string(runes), true
	}
	return nil, false
}
