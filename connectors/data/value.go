package data

import (
	"fmt"
	"math"
	"math/big"
	"unsafe"
)

// Kind is what a Value holds.
type Kind uint8

// The kinds of values. They are Kafka Connect's schema types, and Null.
const (
	KindNull Kind = iota
	KindInt8
	KindInt16
	KindInt32
	KindInt64
	KindFloat32
	KindFloat64
	KindBool
	KindString
	KindBytes
	KindArray
	KindMap
	KindStruct
	// KindDate is a moment without a schema, Java's java.util.Date: what TimestampConverter makes in schemaless
	// data. With a schema, dates, times and timestamps are the numbers that their logical types say.
	KindDate
	// KindDecimal is a decimal number without a schema, Java's java.math.BigDecimal, with a scale of its own. With a schema,
	// decimals are bytes, and the scale is the schema's.
	KindDecimal
)

var kindNames = [...]string{"NULL", "INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT", "DATE", "DECIMAL"}

// String is Kafka Connect's name of the type.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Value is one value of any kind. The zero Value is null. 24 bytes; scalars, strings and bytes need no
// allocation.
type Value struct {
	ptr  unsafe.Pointer // string and bytes: the first byte; array, map, struct, decimal: the object
	bits uint64         // scalars: the bits; string, bytes, array: the length; decimal: the scale
	kind Kind
}

// Null is the null value.
func Null() Value { return Value{} }

// Int8 makes an INT8.
func Int8(v int8) Value { return Value{kind: KindInt8, bits: uint64(v)} }

// Int16 makes an INT16.
func Int16(v int16) Value { return Value{kind: KindInt16, bits: uint64(v)} }

// Int32 makes an INT32.
func Int32(v int32) Value { return Value{kind: KindInt32, bits: uint64(v)} }

// Int64 makes an INT64.
func Int64(v int64) Value { return Value{kind: KindInt64, bits: uint64(v)} }

// Float32 makes a FLOAT32.
func Float32(v float32) Value { return Value{kind: KindFloat32, bits: math.Float64bits(float64(v))} }

// Float64 makes a FLOAT64.
func Float64(v float64) Value { return Value{kind: KindFloat64, bits: math.Float64bits(v)} }

// Bool makes a BOOLEAN.
func Bool(v bool) Value {
	if v {
		return Value{kind: KindBool, bits: 1}
	}
	return Value{kind: KindBool}
}

// String makes a STRING. The bytes of s are not copied.
func String(s string) Value {
	return Value{kind: KindString, ptr: unsafe.Pointer(unsafe.StringData(s)), bits: uint64(len(s))}
}

// Bytes makes BYTES; nil is null. b is not copied.
func Bytes(b []byte) Value {
	if b == nil {
		return Value{}
	}
	return Value{kind: KindBytes, ptr: unsafe.Pointer(unsafe.SliceData(b)), bits: uint64(len(b))}
}

// StringOfBytes makes a STRING of b without copying it: b must not change while the value is used.
func StringOfBytes(b []byte) Value {
	return Value{kind: KindString, ptr: unsafe.Pointer(unsafe.SliceData(b)), bits: uint64(len(b))}
}

// Moment makes a DATE of Unix milliseconds.
func Moment(ms int64) Value { return Value{kind: KindDate, bits: uint64(ms)} }

// BigDecimal makes a DECIMAL: unscaled x 10^-scale. unscaled is not copied.
func BigDecimal(unscaled *big.Int, scale int32) Value {
	return Value{kind: KindDecimal, ptr: unsafe.Pointer(unscaled), bits: uint64(scale)}
}

// Array makes an ARRAY; nil is null. The slice is not copied.
func Array(v []Value) Value {
	if v == nil {
		return Value{}
	}
	return Value{kind: KindArray, ptr: unsafe.Pointer(unsafe.SliceData(v)), bits: uint64(len(v))}
}

// MapOf makes a MAP; nil is null.
func MapOf(m *Map) Value {
	if m == nil {
		return Value{}
	}
	return Value{kind: KindMap, ptr: unsafe.Pointer(m)}
}

// StructOf makes a STRUCT; nil is null.
func StructOf(s *Struct) Value {
	if s == nil {
		return Value{}
	}
	return Value{kind: KindStruct, ptr: unsafe.Pointer(s)}
}

// Kind says what the value holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull says whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Int is an integer of any width, or the Unix milliseconds of a DATE; 0 for other kinds.
func (v Value) Int() int64 {
	switch v.kind {
	case KindInt8, KindInt16, KindInt32, KindInt64, KindDate:
		return int64(v.bits)
	}
	return 0
}

// Float is a FLOAT32 or FLOAT64, 0 for other kinds.
func (v Value) Float() float64 {
	if v.kind == KindFloat32 || v.kind == KindFloat64 {
		return math.Float64frombits(v.bits)
	}
	return 0
}

// Bool is a BOOLEAN, false for other kinds.
func (v Value) Bool() bool { return v.kind == KindBool && v.bits == 1 }

// Str is a STRING, empty for other kinds.
func (v Value) Str() string {
	if v.kind != KindString {
		return ""
	}
	return unsafe.String((*byte)(v.ptr), int(v.bits))
}

// Bytes is BYTES, nil for other kinds. It must not be changed.
func (v Value) Bytes() []byte {
	if v.kind != KindBytes {
		return nil
	}
	if v.bits == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(v.ptr), int(v.bits))
}

// Raw is the bytes of a STRING or BYTES, nil for other kinds. It must not be changed.
func (v Value) Raw() []byte {
	if v.kind != KindBytes && v.kind != KindString {
		return nil
	}
	if v.bits == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(v.ptr), int(v.bits))
}

// BigDecimal is a DECIMAL, nil for other kinds. It must not be changed.
func (v Value) BigDecimal() (unscaled *big.Int, scale int32) {
	if v.kind != KindDecimal {
		return nil, 0
	}
	return (*big.Int)(v.ptr), int32(v.bits)
}

// Array is an ARRAY, nil for other kinds. It must not be changed.
func (v Value) Array() []Value {
	if v.kind != KindArray {
		return nil
	}
	if v.bits == 0 {
		return []Value{}
	}
	return unsafe.Slice((*Value)(v.ptr), int(v.bits))
}

// Map is a MAP, nil for other kinds.
func (v Value) Map() *Map {
	if v.kind != KindMap {
		return nil
	}
	return (*Map)(v.ptr)
}

// Struct is a STRUCT, nil for other kinds.
func (v Value) Struct() *Struct {
	if v.kind != KindStruct {
		return nil
	}
	return (*Struct)(v.ptr)
}

// Equal says whether two values are of one kind and equal, deeply. NaN equals NaN.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindString, KindBytes:
		return string(a.Raw()) == string(b.Raw())
	case KindArray:
		x, y := a.Array(), b.Array()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case KindMap:
		return a.Map().equal(b.Map())
	case KindStruct:
		return a.Struct().equal(b.Struct())
	case KindDecimal:
		return a.bits == b.bits && (*big.Int)(a.ptr).Cmp((*big.Int)(b.ptr)) == 0
	default:
		return a.bits == b.bits
	}
}

// Clone copies what a value points to, so that it outlives its batch.
func Clone(v Value) Value {
	switch v.kind {
	case KindString:
		return String(string([]byte(v.Str())))
	case KindBytes:
		return Bytes(append([]byte{}, v.Bytes()...))
	case KindArray:
		out := make([]Value, len(v.Array()))
		for i, e := range v.Array() {
			out[i] = Clone(e)
		}
		return Array(out)
	case KindMap:
		m := &Map{}
		for _, e := range v.Map().Entries() {
			m.Put(Clone(e.Key), Clone(e.Value))
		}
		return MapOf(m)
	case KindStruct:
		s := &Struct{schema: v.Struct().schema, values: make([]Value, len(v.Struct().values))}
		for i, e := range v.Struct().values {
			s.values[i] = Clone(e)
		}
		return StructOf(s)
	default:
		return v
	}
}

// GoString is for tests and messages.
func (v Value) GoString() string {
	switch v.kind {
	case KindNull:
		return "null"
	case KindString:
		return fmt.Sprintf("%q", v.Str())
	case KindBytes:
		return fmt.Sprintf("bytes(%x)", v.Bytes())
	case KindBool:
		return fmt.Sprint(v.Bool())
	case KindFloat32, KindFloat64:
		return fmt.Sprint(v.Float())
	case KindArray:
		return fmt.Sprintf("%#v", v.Array())
	case KindMap:
		return fmt.Sprintf("map%#v", v.Map().Entries())
	case KindStruct:
		return fmt.Sprintf("struct%#v", v.Struct().values)
	case KindDecimal:
		unscaled, scale := v.BigDecimal()
		return fmt.Sprintf("decimal(%s, %d)", unscaled, scale)
	default:
		return fmt.Sprint(v.Int())
	}
}
