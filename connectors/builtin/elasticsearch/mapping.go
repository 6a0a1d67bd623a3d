package elasticsearch

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// property is a part of a mapping.
type property struct {
	Type       string              `json:"type,omitempty"`
	NullValue  any                 `json:"null_value,omitempty"`
	Fields     map[string]property `json:"fields,omitempty"`
	IgnoreMore int                 `json:"ignore_above,omitempty"`
	Properties properties          `json:"properties,omitempty"`
}

// properties are those of an object, in the order of their fields.
type properties []struct {
	name string
	property
}

// MarshalJSON implements json.Marshaler.
func (p properties) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, f := range p {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(f.property)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), body...)
	}
	return append(out, '}'), nil
}

func (p *properties) add(name string, of property) {
	*p = append(*p, struct {
		name string
		property
	}{name, of})
}

// types are Elasticsearch's by Kafka Connect's, as the Confluent connector has them.
var types = map[data.Kind]string{data.KindBool: "boolean", data.KindInt8: "byte", data.KindInt16: "short", data.KindInt32: "integer", data.KindInt64: "long",
	data.KindFloat32: "float", data.KindFloat64: "double", data.KindString: "text", data.KindBytes: "binary"}

// mapping is the body that makes the mapping of a schema.
func mapping(s *data.Schema) ([]byte, error) {
	p, err := propertyOf(s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

func propertyOf(s *data.Schema) (property, error) {
	if s == nil {
		return property{}, ErrNoSchema
	}
	switch s.Name {
	case data.DateName, data.TimeName, data.TimestampName:
		p := property{Type: "date"}
		if !s.Default.IsNull() {
			p.NullValue = s.Default.Int()
			if s.Name == data.DateName {
				p.NullValue = s.Default.Int() * day
			}
		}
		return p, nil
	case data.DecimalName:
		p := property{Type: "double"}
		if !s.Default.IsNull() {
			f, err := decimal(s, s.Default)
			if err != nil {
				return p, err
			}
			p.NullValue = f
		}
		return p, nil
	}
	switch s.Type {
	case data.KindArray:
		return propertyOf(s.Elem) // a list has the mapping of its elements
	case data.KindMap:
		// Also of maps that are written as objects: so the Java connector has it.
		key, err := propertyOf(s.Key)
		if err != nil {
			return property{}, err
		}
		value, err := propertyOf(s.Elem)
		var p property
		p.Properties.add("key", key)
		p.Properties.add("value", value)
		return p, err
	case data.KindStruct:
		p := property{Properties: properties{}}
		for _, f := range s.Fields {
			of, err := propertyOf(f.Schema)
			if err != nil {
				return p, fmt.Errorf("the field %s: %w", f.Name, err)
			}
			p.Properties.add(f.Name, of)
		}
		return p, nil
	}
	p := property{Type: types[s.Type]}
	switch s.Type {
	case data.KindString:
		p.Fields = map[string]property{"keyword": {Type: "keyword", IgnoreMore: 256}}
	case data.KindBytes: // a default of a text or of bytes is none that the server takes
	case data.KindBool:
		if !s.Default.IsNull() {
			p.NullValue = s.Default.Bool()
		}
	case data.KindFloat32, data.KindFloat64:
		if !s.Default.IsNull() {
			p.NullValue = s.Default.Float()
		}
	default:
		if !s.Default.IsNull() {
			p.NullValue = s.Default.Int()
		}
	}
	return p, nil
}

// decimal is a Decimal as the double that is nearest.
func decimal(s *data.Schema, v data.Value) (float64, error) {
	text, _ := s.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%w: the scale %q of a Decimal is not a number", ErrRecord, text)
	}
	// Nearly all are small: then both numbers are doubles, and so their quotient is the nearest.
	if b := v.Bytes(); len(b) > 0 && len(b) <= 6 && scale >= 0 && scale < len(tens) {
		n := int64(int8(b[0])) //nolint:gosec // two's complement
		for _, c := range b[1:] {
			n = n<<8 | int64(c)
		}
		return float64(n) / tens[scale], nil
	}
	return javadecimal.Decimal{Unscaled: data.Unscaled(v), Scale: scale}.Float(64), nil
}

// tens are the powers of ten that are doubles.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
