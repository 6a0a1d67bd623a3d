package verifiable

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
)

// appendString appends JSON text.
func appendString(dst []byte, s string) []byte {
	b, _ := json.Marshal(s) // a string always can be
	return append(dst, b...)
}

// appendField appends a name and a number, with the comma before.
func appendField(dst []byte, name string, n int64) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return strconv.AppendInt(dst, n, 10)
}

// appendValue appends a record's key or value. Structs, which are none of VerifiableSource's plain records, are shown
// as text.
func appendValue(dst []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.KindNull:
		return append(dst, "null"...)
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindBool:
		return converter.AppendText(dst, v)
	case data.KindFloat32, data.KindFloat64:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return converter.AppendText(dst, v)
		}
	case data.KindBytes:
		b, _ := json.Marshal(v.Bytes()) // base64, always can be
		return append(dst, b...)
	case data.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	case data.KindMap:
		dst = append(dst, '{')
		for i, e := range v.Map().Entries() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, string(converter.AppendText(nil, e.Key))), ':')
			dst = appendValue(dst, e.Value)
		}
		return append(dst, '}')
	}
	return appendString(dst, string(converter.AppendText(nil, v)))
}
