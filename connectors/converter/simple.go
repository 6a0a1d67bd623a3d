package converter

import (
	"encoding/base64"
	"strings"

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
func (*SimpleHeader) FromData(dst []byte, _, _ string, s *data.Schema, v data.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	return appendSimple(dst, s, v, false), false, nil
}

func appendSimple(dst []byte, s *data.Schema, v data.Value, embedded bool) []byte {
	if out, ok := appendLogical(dst, s, v, ""); ok {
		return out
	}
	switch v.Kind() {
	case data.KindNull:
		return append(dst, "null"...)
	case data.KindString:
		if embedded {
			return appendQuoted(dst, v.Str())
		}
		return append(dst, v.Raw()...)
	case data.KindBytes:
		if embedded {
			return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes()), '"')
		}
		return base64.StdEncoding.AppendEncode(dst, v.Bytes())
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendSimple(dst, elemOf(s), e, true)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendSimple(dst, keyOf(s), e.Key, true), ':')
			dst = appendSimple(dst, elemOf(s), e.Value, true)
		}
		return append(dst, '}')
	case data.KindStruct:
		dst = append(dst, '{')
		for i, f := range v.Struct().Schema().Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, f.Name), ':')
			dst = appendSimple(dst, f.Schema, v.Struct().At(i), true)
		}
		return append(dst, '}')
	default:
		return appendScalar(dst, v)
	}
}

func appendQuoted(dst []byte, s string) []byte {
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
	return append(append(append(dst, '"'), s...), '"')
}

// ToData implements HeaderConverter. It never fails: what has no other meaning is a string.
func (*SimpleHeader) ToData(_, _ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null(), nil
	}
	s := javaText(b)
	if s == "" {
		return data.StringSchema, data.String(""), nil
	}
	schema, v := ParseText(s)
	return schema, v, nil
}
