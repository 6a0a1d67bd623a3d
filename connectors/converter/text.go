package converter

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/data"
)

// AppendText appends a value without a schema as Java's String.valueOf shows it.
func AppendText(dst []byte, v data.Value) []byte { return AppendTextOf(dst, nil, v) }

// AppendTextOf is AppendText of a value of a schema: decimals are numbers, and dates, times and timestamps as a
// java.util.Date in UTC.
func AppendTextOf(dst []byte, s *data.Schema, v data.Value) []byte {
	if v.Kind() >= data.KindDate || s != nil && s.Name != "" {
		if out, ok := appendLogical(dst, s, v, javaDate); ok {
			return out
		}
	}
	switch v.Kind() {
	case data.KindString:
		return append(dst, v.Str()...)
	case data.KindBytes:
		return append(dst, v.Bytes()...)
	case data.KindBool, data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		return appendScalar(dst, v)
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendTextOf(dst, elemOf(s), e)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		key, elem, entries := keyOf(s), elemOf(s), v.Map().Entries()
		for i := range entries {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			e := &entries[i]
			if key == nil && e.Key.Kind() == data.KindString {
				dst = append(dst, e.Key.Str()...)
			} else {
				dst = AppendTextOf(dst, key, e.Key)
			}
			dst = AppendTextOf(append(dst, '='), elem, e.Value)
		}
		return append(dst, '}')
	case data.KindStruct:
		dst = append(dst, "Struct{"...)
		first := true
		fields := v.Struct().Schema().Fields
		for i := range fields {
			e := v.Struct().Raw(i)
			if e.IsNull() {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, fields[i].Name...), '=')
			dst = AppendTextOf(dst, fields[i].Schema, e)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// javaDate is java.util.Date.toString.
const javaDate = "Mon Jan 02 15:04:05 UTC 2006"

// appendScalar appends numbers and booleans.
func appendScalar(dst []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case data.KindFloat32:
		return data.AppendFloat(dst, v.Float(), 32)
	case data.KindFloat64:
		return data.AppendFloat(dst, v.Float(), 64)
	default:
		return strconv.AppendInt(dst, v.Int(), 10)
	}
}

// appendLogical appends what is an object of its own in Java: decimals, and times in a layout, which is chosen by the
// time where it is empty.
func appendLogical(dst []byte, s *data.Schema, v data.Value, layout string) ([]byte, bool) {
	if d, ok := decimalOf(s, v); ok {
		return append(dst, d.String()...), true
	}
	ms, ok := momentOf(s, v)
	if !ok {
		return dst, false
	}
	if layout == "" {
		layout = valuesLayout(ms)
	}
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout), true
}

const msPerDay = 86_400_000

// momentOf is the time that Java has as a java.util.Date, in Unix milliseconds.
func momentOf(s *data.Schema, v data.Value) (int64, bool) {
	switch {
	case v.Kind() == data.KindDate:
		return v.Int(), true
	case s == nil:
	case s.Name == data.DateName && v.Kind() == data.KindInt32:
		return v.Int() * msPerDay, true
	case s.Name == data.TimeName && v.Kind() == data.KindInt32, s.Name == data.TimestampName && v.Kind() == data.KindInt64:
		return v.Int(), true
	}
	return 0, false
}

// valuesLayout is how org.apache.kafka.connect.data.Values writes a time: those of the first day, and all before it, have no date.
func valuesLayout(ms int64) string {
	switch {
	case ms < msPerDay:
		return "15:04:05.000Z"
	case ms%msPerDay == 0:
		return "2006-01-02"
	}
	return "2006-01-02T15:04:05.000Z"
}

func elemOf(s *data.Schema) *data.Schema {
	if s == nil {
		return nil
	}
	return s.Elem
}

func keyOf(s *data.Schema) *data.Schema {
	if s == nil {
		return nil
	}
	return s.Key
}

// javaText decodes UTF-8 as Java does: what is no character, up to where it could not go on, is one U+FFFD.
func javaText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = maximal(b)
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// maximal is how many bytes begin a character that does not end.
func maximal(b []byte) int {
	low, high, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		switch c {
		case 0xE0:
			low = 0xA0
		case 0xED:
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		switch c {
		case 0xF0:
			low = 0x90
		case 0xF4:
			high = 0x8F
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= low && b[n] <= high; n++ {
		low, high = 0x80, 0xBF
	}
	return n
}
