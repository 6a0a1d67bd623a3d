package converter

import (
	"math"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
)

// AppendText appends a value as Java's String.valueOf shows it.
func AppendText(dst []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindString:
		return append(dst, v.Raw()...)
	case data.KindBytes:
		return append(dst, v.Bytes()...)
	case data.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case data.KindFloat32:
		return appendFloat(dst, v.Float(), 32)
	case data.KindFloat64:
		return appendFloat(dst, v.Float(), 64)
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendText(dst, e)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(AppendText(dst, e.Key), '=')
			dst = AppendText(dst, e.Value)
		}
		return append(dst, '}')
	case data.KindStruct:
		dst = append(dst, "Struct{"...)
		first := true
		for i, f := range v.Struct().Schema().Fields {
			e := v.Struct().At(i)
			if e.IsNull() {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, f.Name...), '=')
			dst = AppendText(dst, e)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// appendFloat is Java's Double.toString: a point always, an exponent outside of [1e-3, 1e7).
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		s := strconv.FormatFloat(f, 'E', -1, bits)
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		exp = strings.TrimPrefix(exp, "+")
		neg := strings.HasPrefix(exp, "-")
		exp = strings.TrimLeft(strings.TrimPrefix(exp, "-"), "0")
		if neg {
			exp = "-" + exp
		}
		return append(dst, mantissa+"E"+exp...)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	if !strings.Contains(string(dst[n:]), ".") {
		dst = append(dst, ".0"...)
	}
	return dst
}
