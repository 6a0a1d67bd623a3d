package data

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"
)

// Names of the logical types, as Kafka Connect has them.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
	// ScaleParameter is the parameter of a Decimal schema, a number as text.
	ScaleParameter = "scale"
)

// ErrMismatch is wrapped where a value does not fit its schema.
var ErrMismatch = errors.New("data: the value does not fit the schema")

// Param is one parameter of a schema. Parameters keep their order.
type Param struct{ Key, Value string }

// Field is one field of a struct schema.
type Field struct {
	Name   string
	Schema *Schema
}

// Schema describes values. It must not be changed once it is used; a nil *Schema means no schema.
type Schema struct {
	Type     Kind
	Optional bool
	// Name is a logical or struct name; empty means none.
	Name string
	// Version is a positive number; 0 means none.
	Version int32
	Doc     string
	// Default is null where there is none.
	Default Value
	Params  []Param
	// Fields are those of a STRUCT.
	Fields []Field
	// Key is the key schema of a MAP.
	Key *Schema
	// Elem is the element schema of an ARRAY and the value schema of a MAP.
	Elem *Schema
}

// The schemas of scalars, required and optional.
var (
	Int8Schema            = &Schema{Type: KindInt8}
	Int16Schema           = &Schema{Type: KindInt16}
	Int32Schema           = &Schema{Type: KindInt32}
	Int64Schema           = &Schema{Type: KindInt64}
	Float32Schema         = &Schema{Type: KindFloat32}
	Float64Schema         = &Schema{Type: KindFloat64}
	BoolSchema            = &Schema{Type: KindBool}
	StringSchema          = &Schema{Type: KindString}
	BytesSchema           = &Schema{Type: KindBytes}
	OptionalInt8Schema    = &Schema{Type: KindInt8, Optional: true}
	OptionalInt16Schema   = &Schema{Type: KindInt16, Optional: true}
	OptionalInt32Schema   = &Schema{Type: KindInt32, Optional: true}
	OptionalInt64Schema   = &Schema{Type: KindInt64, Optional: true}
	OptionalFloat32Schema = &Schema{Type: KindFloat32, Optional: true}
	OptionalFloat64Schema = &Schema{Type: KindFloat64, Optional: true}
	OptionalBoolSchema    = &Schema{Type: KindBool, Optional: true}
	OptionalStringSchema  = &Schema{Type: KindString, Optional: true}
	OptionalBytesSchema   = &Schema{Type: KindBytes, Optional: true}
	// DateSchema counts days since 1970-01-01 in an INT32.
	DateSchema = &Schema{Type: KindInt32, Name: DateName, Version: 1}
	// TimeSchema counts milliseconds since midnight in an INT32.
	TimeSchema = &Schema{Type: KindInt32, Name: TimeName, Version: 1}
	// TimestampSchema counts milliseconds since 1970-01-01T00:00Z in an INT64.
	TimestampSchema = &Schema{Type: KindInt64, Name: TimestampName, Version: 1}
)

// DecimalSchema is the schema of decimals with that many digits after the point; negative moves the
// point to the right.
func DecimalSchema(scale int) *Schema {
	return &Schema{Type: KindBytes, Name: DecimalName, Version: 1, Params: []Param{{ScaleParameter, fmt.Sprint(scale)}}}
}

// Param returns a parameter.
func (s *Schema) Param(key string) (string, bool) {
	if s == nil {
		return "", false
	}
	for _, p := range s.Params {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// FieldIndex returns the position of a field, or -1.
func (s *Schema) FieldIndex(name string) int {
	if s != nil {
		for i := range s.Fields {
			if s.Fields[i].Name == name {
				return i
			}
		}
	}
	return -1
}

// Decimal makes the value of an unscaled number: big-endian two's complement, as Java's BigInteger.
func Decimal(unscaled *big.Int) Value {
	n := unscaled.BitLen()/8 + 1
	if unscaled.Sign() >= 0 {
		b := make([]byte, n)
		return Bytes(unscaled.FillBytes(b))
	}
	// The shortest two's complement: -128 fits one byte.
	n = new(big.Int).Not(unscaled).BitLen()/8 + 1
	m := new(big.Int).Lsh(big.NewInt(1), uint(n*8))
	return Bytes(m.Add(m, unscaled).FillBytes(make([]byte, n)))
}

// Unscaled is the inverse of Decimal.
func Unscaled(v Value) *big.Int {
	b := v.Bytes()
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
	}
	return n
}

// Timestamp makes the value of TimestampSchema.
func Timestamp(t time.Time) Value { return Int64(t.UnixMilli()) }

// Date makes the value of DateSchema.
func Date(t time.Time) Value { return Int32(int32(math.Floor(float64(t.Unix()) / 86400))) }

// Validate says whether a value fits a schema, deeply. A nil schema takes everything.
func Validate(s *Schema, v Value) error { return validate(s, v, "") }

func validate(s *Schema, v Value, at string) error {
	if s == nil {
		return nil
	}
	if v.IsNull() {
		if s.Optional || !s.Default.IsNull() {
			return nil
		}
		return fmt.Errorf("%w: null used for required field%s of type %s", ErrMismatch, at, s.Type)
	}
	if v.kind != s.Type {
		return fmt.Errorf("%w: %s used for field%s of type %s", ErrMismatch, v.kind, at, s.Type)
	}
	switch s.Type {
	case KindArray:
		for i, e := range v.Array() {
			if err := validate(s.Elem, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case KindMap:
		for _, e := range v.Map().Entries() {
			if err := validate(s.Key, e.Key, at+" (key)"); err != nil {
				return err
			}
			if err := validate(s.Elem, e.Value, at+" (value)"); err != nil {
				return err
			}
		}
	case KindStruct:
		st := v.Struct()
		if st.schema != s && !SameSchema(st.schema, s) {
			return fmt.Errorf("%w: the struct%s has another schema", ErrMismatch, at)
		}
		for i, f := range s.Fields {
			if err := validate(f.Schema, st.values[i], at+" "+f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// SameSchema says whether two schemas are equal, deeply.
func SameSchema(a, b *Schema) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Type != b.Type || a.Optional != b.Optional || a.Name != b.Name || a.Version != b.Version ||
		a.Doc != b.Doc || !Equal(a.Default, b.Default) || len(a.Params) != len(b.Params) || len(a.Fields) != len(b.Fields) {
		return false
	}
	for _, p := range a.Params {
		if v, ok := b.Param(p.Key); !ok || v != p.Value {
			return false
		}
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name || !SameSchema(a.Fields[i].Schema, b.Fields[i].Schema) {
			return false
		}
	}
	return SameSchema(a.Key, b.Key) && SameSchema(a.Elem, b.Elem)
}
