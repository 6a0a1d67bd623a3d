package converter

import (
	"strconv"
	"time"

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
		return data.AppendFloat(dst, v.Float(), 32)
	case data.KindFloat64:
		return data.AppendFloat(dst, v.Float(), 64)
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
	case data.KindDate:
		return time.UnixMilli(v.Int()).UTC().AppendFormat(dst, "Mon Jan 02 15:04:05 UTC 2006")
	default:
		return append(dst, "null"...)
	}
}
