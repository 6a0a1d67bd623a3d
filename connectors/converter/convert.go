package converter

import (
	"math"
	"math/big"
	"strconv"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// Convert makes a value one of another type, as the conversions of org.apache.kafka.connect.data.Values do (convertToInteger,
// convertToTimestamp and their like): to is what is wanted, from the value's own schema, or nil. Text is read as ParseText
// reads it, or as a number; numbers are cut as Java casts them; null is taken where to is optional. An array or a map that was
// text has no schema, any other keeps from's. A decimal gets the scale of to, and what needs more digits is an error. Errors wrap
// ErrData.
func Convert(to, from *data.Schema, v data.Value) (data.Value, error) {
	out, ok := convert(to, from, v)
	if ok {
		return out, nil
	}
	if v.IsNull() {
		return data.Null(), bad("a null value for a schema that requires a value (%s)", typeName(to))
	}
	kind := v.Kind().String()
	if from != nil {
		kind = typeName(from)
	}
	return data.Null(), bad("%s of type %s is no %s", appendSimple(nil, from, v, true), kind, typeName(to))
}

func typeName(s *data.Schema) string {
	if scale, ok := s.Param(data.ScaleParameter); ok && s.Name == data.DecimalName {
		return s.Name + " of scale " + scale
	}
	if s.Name != "" {
		return s.Name
	}
	return s.Type.String()
}

func convert(to, from *data.Schema, v data.Value) (data.Value, bool) {
	if v.IsNull() {
		return v, to.Optional
	}
	switch to.Type {
	case data.KindString:
		return data.String(string(appendSimple(nil, from, v, false))), true
	case data.KindBytes:
		if to.Name == data.DecimalName {
			return toDecimal(to, from, v)
		}
		_, decimal := decimalOf(from, v)
		return v, v.Kind() == data.KindBytes && !decimal
	case data.KindArray, data.KindMap:
		if v.Kind() == data.KindString {
			s, parsed := ParseText(v.Str())
			v = bare(s, parsed)
		}
		return v, v.Kind() == to.Type
	case data.KindStruct:
		return v, v.Kind() == to.Type
	case data.KindFloat32, data.KindFloat64:
		f, ok := toFloat(from, v)
		if to.Type == data.KindFloat32 {
			return data.Float32(float32(f)), ok
		}
		return data.Float64(f), ok
	case data.KindBool:
		if v.Kind() == data.KindBool {
			return v, true
		}
		if v.Kind() == data.KindString {
			if _, parsed := ParseText(v.Str()); parsed.Kind() == data.KindBool {
				return parsed, true
			}
		}
	case data.KindInt32, data.KindInt64:
		if to.Name == data.DateName || to.Name == data.TimeName || to.Name == data.TimestampName {
			return toTime(to, from, v)
		}
	}
	n, ok := toLong(from, v)
	switch to.Type {
	case data.KindBool:
		return data.Bool(n != 0), ok
	case data.KindInt8:
		return data.Int8(int8(n)), ok //nolint:gosec // as Java casts
	case data.KindInt16:
		return data.Int16(int16(n)), ok //nolint:gosec // as Java casts
	case data.KindInt32:
		return data.Int32(int32(n)), ok //nolint:gosec // as Java casts
	default:
		return data.Int64(n), ok
	}
}

// decimalOf is what Java has as a BigDecimal: a value of a Decimal schema, or a decimal without one.
func decimalOf(s *data.Schema, v data.Value) (javadecimal.Decimal, bool) {
	if n, scale := v.BigDecimal(); n != nil {
		return javadecimal.Decimal{Unscaled: n, Scale: int(scale)}, true
	}
	if s == nil || s.Name != data.DecimalName || v.Kind() != data.KindBytes {
		return javadecimal.Decimal{}, false
	}
	text, _ := s.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(text)
	return javadecimal.Decimal{Unscaled: data.Unscaled(v), Scale: scale}, err == nil
}

// toLong is Values.asLong. A time's number is that of its schema, and a moment without one has none.
func toLong(s *data.Schema, v data.Value) (int64, bool) {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return v.Int(), true
	case data.KindFloat32, data.KindFloat64:
		return javadecimal.Saturate(v.Float(), math.MinInt64, math.MaxInt64), true
	case data.KindString:
		d, ok := javadecimal.Parse(v.Str())
		if !ok {
			return 0, false
		}
		return d.Long(), true
	}
	d, ok := decimalOf(s, v)
	if !ok {
		return 0, false
	}
	return d.Long(), true
}

// toFloat is Values.asDouble.
func toFloat(s *data.Schema, v data.Value) (float64, bool) {
	d, ok := decimalOf(s, v)
	switch v.Kind() {
	case data.KindFloat32, data.KindFloat64:
		return v.Float(), true
	case data.KindString:
		d, ok = javadecimal.Parse(v.Str())
	}
	if ok {
		return d.Float(64), true
	}
	n, ok := toLong(s, v)
	return float64(n), ok
}

// toTime is a date, a time or a timestamp, which are numbers of days or of milliseconds here.
func toTime(to, from *data.Schema, v data.Value) (data.Value, bool) {
	own := from // the schema that says how v is to be read
	if v.Kind() == data.KindString {
		own, v = ParseText(v.Str())
	}
	ms, isTime := momentOf(own, v)
	name := ""
	if from != nil {
		name = from.Name
	}
	switch {
	case !isTime:
	case from == nil || name == to.Name:
		return inTime(to.Name, ms)
	case own != from && !fits(name, ms): // text that is a time, under a schema of another
		return v, false
	case to.Name == data.TimestampName && (name == data.DateName || name == data.TimeName):
		return data.Int64(ms), true
	case to.Name == data.DateName && name == data.TimestampName:
		return data.Int32(int32(ms / msPerDay)), true //nolint:gosec // as Java casts
	case to.Name == data.TimeName && name == data.TimestampName:
		return data.Int32(int32((ms%msPerDay + msPerDay) % msPerDay)), true //nolint:gosec // of one day
	case own != from: // text that is a time, under a schema that is none
		return v, false
	}
	n, ok := toLong(own, v)
	switch to.Name {
	case data.DateName:
		return data.Int32(int32(n)), ok //nolint:gosec // as Java casts
	case data.TimeName:
		n = int64(int32(n)) //nolint:gosec // as Java casts
		return data.Int32(int32(n)), ok && n >= 0 && n <= msPerDay
	default:
		return data.Int64(n), ok
	}
}

// inTime is a moment under the name of a logical type. Java takes one that does not belong there, and fails when it is written.
func inTime(name string, ms int64) (data.Value, bool) {
	switch name {
	case data.DateName:
		return data.Int32(int32(ms / msPerDay)), ms%msPerDay == 0 //nolint:gosec // as Java casts
	case data.TimeName:
		return data.Int32(int32(ms)), ms >= 0 && ms <= msPerDay //nolint:gosec // it is checked
	default:
		return data.Int64(ms), true
	}
}

func fits(name string, ms int64) bool {
	_, ok := inTime(name, ms)
	return ok
}

// toDecimal takes bytes as the digits of a decimal of that scale, and a number as it is written.
func toDecimal(to, from *data.Schema, v data.Value) (data.Value, bool) {
	d, ok := decimalOf(from, v)
	switch v.Kind() {
	case data.KindBytes:
		if !ok {
			return v, len(v.Bytes()) > 0
		}
	case data.KindString:
		d, ok = javadecimal.Parse(v.Str())
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		if _, isTime := momentOf(from, v); isTime {
			return v, false
		}
		f, _ := toFloat(from, v) // as a double, as Java does
		d, ok = javadecimal.Parse(string(data.AppendFloat(nil, f, 64)))
	}
	text, _ := to.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(text)
	if !ok || err != nil {
		return v, false
	}
	n, ok := rescale(d, scale)
	if !ok {
		return v, false
	}
	return data.Decimal(n), true
}

// rescale is the unscaled value of a decimal in another scale, if no digit is lost.
func rescale(d javadecimal.Decimal, scale int) (*big.Int, bool) {
	by := scale - d.Scale
	switch {
	case by == 0 || d.Unscaled.Sign() == 0:
		return d.Unscaled, true
	case by > maxDigits || by < -maxDigits:
		return nil, false
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(by, -by))), nil)
	if by > 0 {
		return power.Mul(power, d.Unscaled), true
	}
	n, rest := new(big.Int).QuoRem(d.Unscaled, power, new(big.Int))
	return n, rest.Sign() == 0
}

// InferSchema is org.apache.kafka.connect.data.Values.inferSchema: the schema of a value that has none, nil where none can be said (null,
// a moment, a decimal, an array or map that is empty or has nulls only, elements of several types). Schemas of elements say a type only.
func InferSchema(v data.Value) *data.Schema {
	switch v.Kind() {
	case data.KindNull, data.KindDate, data.KindDecimal:
		return nil
	case data.KindStruct:
		return v.Struct().Schema()
	case data.KindArray:
		var elem detector
		for _, e := range v.Array() {
			elem.see(e)
		}
		if s := elem.schema(); s != nil {
			return &data.Schema{Type: data.KindArray, Elem: s}
		}
		return nil
	case data.KindMap:
		var key, elem detector
		for _, e := range v.Map().Entries() {
			key.see(e.Key)
			elem.see(e.Value)
		}
		if k, s := key.schema(), elem.schema(); k != nil && s != nil {
			return &data.Schema{Type: data.KindMap, Key: k, Elem: s}
		}
		return nil
	default:
		return &data.Schema{Type: v.Kind()}
	}
}

// detector finds the type that values have in common.
type detector struct {
	kind     data.Kind
	optional bool
	unknown  bool
}

func (d *detector) see(v data.Value) {
	if v.IsNull() {
		d.optional = true
		return
	}
	s := InferSchema(v)
	if s == nil || d.kind != data.KindNull && d.kind != s.Type {
		d.unknown = true
		return
	}
	d.kind = s.Type
}

func (d *detector) schema() *data.Schema {
	if d.unknown || d.kind == data.KindNull {
		return nil
	}
	return &data.Schema{Type: d.kind, Optional: d.optional}
}
