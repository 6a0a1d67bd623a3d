package converter

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/data"
)

// SimpleHeaderClass is the default header converter's class.
const SimpleHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"

// SimpleHeader is org.apache.kafka.connect.storage.SimpleHeaderConverter: values as text, and a guess of the type
// when they are read (org.apache.kafka.connect.data.Values).
type SimpleHeader struct{}

// Configure implements HeaderConverter.
func (*SimpleHeader) Configure(map[string]string) error { return nil }

// FromData implements HeaderConverter.
func (*SimpleHeader) FromData(dst []byte, _, _ string, _ *data.Schema, v data.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	return appendSimple(dst, v, false), false, nil
}

func appendSimple(dst []byte, v data.Value, embedded bool) []byte {
	switch v.Kind() {
	case data.KindString:
		if embedded {
			s := strings.ReplaceAll(strings.ReplaceAll(v.Str(), `\`, `\\`), `"`, `\"`)
			return append(append(append(dst, '"'), s...), '"')
		}
		return append(dst, v.Raw()...)
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendSimple(dst, e, true)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendSimple(dst, e.Key, true), ':')
			dst = appendSimple(dst, e.Value, true)
		}
		return append(dst, '}')
	case data.KindStruct:
		dst = append(dst, '{')
		for i, f := range v.Struct().Schema().Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(dst, f.Name...), ':')
			dst = appendSimple(dst, v.Struct().At(i), true)
		}
		return append(dst, '}')
	default:
		return AppendText(dst, v)
	}
}

// ToData implements HeaderConverter. It never fails: what has no other meaning is a string.
func (*SimpleHeader) ToData(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null(), nil
	}
	if !utf8.Valid(b) {
		return data.StringSchema, data.String(strings.ToValidUTF8(string(b), "\uFFFD")), nil
	}
	s := string(b)
	if s == "" {
		return data.StringSchema, data.String(""), nil
	}
	schema, v := ParseText(s)
	return schema, v, nil
}
