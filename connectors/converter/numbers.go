package converter

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

// Primitive is one of Kafka Connect's converters of a primitive type: a number in the form of Kafka's
// serializers, big-endian, or a boolean as one byte.
type Primitive struct {
	name   string // as messages have it
	kind   data.Kind
	schema *data.Schema
	size   int
}

var primitives = []struct {
	class string
	p     Primitive
}{
	{"BooleanConverter", Primitive{"boolean", data.KindBool, data.OptionalBoolSchema, 1}},
	{"DoubleConverter", Primitive{"double", data.KindFloat64, data.OptionalFloat64Schema, 8}},
	{"FloatConverter", Primitive{"float", data.KindFloat32, data.OptionalFloat32Schema, 4}},
	{"IntegerConverter", Primitive{"integer", data.KindInt32, data.OptionalInt32Schema, 4}},
	{"LongConverter", Primitive{"long", data.KindInt64, data.OptionalInt64Schema, 8}},
	{"ShortConverter", Primitive{"short", data.KindInt16, data.OptionalInt16Schema, 2}},
}

// primitiveInfos describe the converters of primitive types.
func primitiveInfos() []Info {
	out := make([]Info, 0, len(primitives))
	for _, p := range primitives {
		out = append(out, info("org.apache.kafka.connect.converters."+p.class, configdef.New, func() Converter { c := p.p; return &c }))
	}
	return out
}

// Configure implements Converter.
func (*Primitive) Configure(map[string]string, bool) error { return nil }

// FromData implements Converter. As in Kafka Connect, a number has to have exactly the type; its schema is
// not looked at, that of a boolean is.
func (p *Primitive) FromData(dst []byte, _ string, schema *data.Schema, v data.Value) ([]byte, bool, error) {
	if p.kind == data.KindBool && schema != nil && schema.Type != data.KindBool {
		return dst, false, bad("Invalid schema type for BooleanConverter: %s", schema.Type)
	}
	switch {
	case v.IsNull():
		return dst, true, nil
	case v.Kind() != p.kind && p.kind == data.KindBool:
		return dst, false, bad("BooleanConverter is not compatible with objects of type class %s", JavaClass(schema, v))
	case v.Kind() != p.kind || isMoment(schema, v):
		return dst, false, bad("Failed to serialize to %s (was class %s): ", p.name, JavaClass(schema, v))
	}
	switch p.kind {
	case data.KindBool:
		if v.Bool() {
			return append(dst, 1), false, nil
		}
		return append(dst, 0), false, nil
	case data.KindInt16:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())), false, nil
	case data.KindInt32:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), false, nil
	case data.KindInt64:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), false, nil
	case data.KindFloat32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), false, nil
	default: // KindFloat64
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float())), false, nil
	}
}

// isMoment says whether a number is a java.util.Date in Java.
func isMoment(s *data.Schema, v data.Value) bool {
	if s == nil || s.Name == "" {
		return false
	}
	_, moment := momentOf(s, v)
	return moment
}

// ToData implements Converter.
func (p *Primitive) ToData(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return p.schema, data.Null(), nil
	}
	if len(b) != p.size {
		return nil, data.Null(), &Error{Message: "Failed to deserialize " + p.name + ": ", Detail: fmt.Sprintf("Size of data received is not %d", p.size)}
	}
	switch p.kind {
	case data.KindBool:
		if b[0] > 1 {
			return nil, data.Null(), &Error{Message: "Failed to deserialize boolean: ", Detail: fmt.Sprintf("Unexpected byte received by BooleanDeserializer: %d", int8(b[0]))}
		}
		return p.schema, data.Bool(b[0] == 1), nil
	case data.KindInt16:
		return p.schema, data.Int16(int16(binary.BigEndian.Uint16(b))), nil
	case data.KindInt32:
		return p.schema, data.Int32(int32(binary.BigEndian.Uint32(b))), nil
	case data.KindInt64:
		return p.schema, data.Int64(int64(binary.BigEndian.Uint64(b))), nil
	case data.KindFloat32:
		return p.schema, data.Float32(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	default: // KindFloat64
		return p.schema, data.Float64(math.Float64frombits(binary.BigEndian.Uint64(b))), nil
	}
}
