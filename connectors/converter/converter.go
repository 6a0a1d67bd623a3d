package converter

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/version"
)

// ErrData is wrapped where data cannot be converted: a bad record, not a bad config.
var ErrData = errors.New("converter: the data cannot be converted")

// Error is how ErrData is wrapped: Kafka Connect's DataException.
type Error struct {
	// Message is what the exception says, to the letter. Detail goes on with what Java has in its cause.
	Message, Detail string
}

func (e *Error) Error() string { return ErrData.Error() + ": " + e.Message + e.Detail }

// Unwrap returns ErrData.
func (e *Error) Unwrap() error { return ErrData }

func bad(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

// Converter converts keys or values.
type Converter interface {
	// Configure is called once, before anything else.
	Configure(config map[string]string, isKey bool) error
	// FromData appends v's bytes to dst. null says that the record has no key or value.
	FromData(dst []byte, topic string, schema *data.Schema, v data.Value) (out []byte, null bool, err error)
	// ToData reads bytes; nil is null. The value may alias b.
	ToData(topic string, b []byte) (*data.Schema, data.Value, error)
}

// Borrower is a Converter that can make what it reads in an arena: its values are good until the next batch. The arena is its
// owner's, who resets it.
type Borrower interface{ Borrow(a *data.Arena) }

// HeaderConverter converts the values of headers.
type HeaderConverter interface {
	Configure(config map[string]string) error
	FromData(dst []byte, topic, key string, schema *data.Schema, v data.Value) (out []byte, null bool, err error)
	ToData(topic, key string, b []byte) (*data.Schema, data.Value, error)
}

// Info describes a converter to the runtime.
type Info struct {
	Class   string
	Aliases []string
	Version string
	Config  func() *configdef.Def
	// New and NewHeader make one; either may be nil.
	New       func() Converter
	NewHeader func() HeaderConverter
}

// Builtin are the converters that are always there.
func Builtin() []Info {
	return append(primitiveInfos(),
		info("org.apache.kafka.connect.converters.ByteArrayConverter", configdef.New, func() Converter { return &ByteArray{} }),
		info("org.apache.kafka.connect.json.JsonConverter", jsonDef, func() Converter { return &JSON{} }),
		Info{Class: SimpleHeaderClass, Aliases: []string{"SimpleHeaderConverter", "Simple"}, Version: version.Connect, Config: configdef.New,
			NewHeader: func() HeaderConverter { return &SimpleHeader{} }},
		info("org.apache.kafka.connect.storage.StringConverter", stringDef, func() Converter { return &String{} }),
	)
}

func info(class string, def func() *configdef.Def, make func() Converter) Info {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	return Info{Class: class, Aliases: []string{simple, strings.TrimSuffix(simple, "Converter")}, Version: version.Connect, Config: def, New: make,
		NewHeader: func() HeaderConverter { return &header{c: make()} }}
}

// header makes a header converter of a converter.
type header struct{ c Converter }

func (h *header) Configure(config map[string]string) error { return h.c.Configure(config, false) }

func (h *header) FromData(dst []byte, topic, _ string, schema *data.Schema, v data.Value) ([]byte, bool, error) {
	return h.c.FromData(dst, topic, schema, v)
}

func (h *header) ToData(topic, _ string, b []byte) (*data.Schema, data.Value, error) {
	return h.c.ToData(topic, b)
}

// Raw says whether a converter passes bytes on as they are, so that nobody needs to look into them.
func Raw(c Converter) bool { _, ok := c.(*ByteArray); return ok }

// ByteArray passes bytes on.
type ByteArray struct{}

// Configure implements Converter.
func (*ByteArray) Configure(map[string]string, bool) error { return nil }

// FromData implements Converter.
func (*ByteArray) FromData(dst []byte, _ string, schema *data.Schema, v data.Value) ([]byte, bool, error) {
	if schema != nil && schema.Type != data.KindBytes {
		return dst, false, bad("Invalid schema type for ByteArrayConverter: %s", schema.Type)
	}
	switch v.Kind() {
	case data.KindNull:
		return dst, true, nil
	case data.KindBytes:
		if schema == nil || schema.Name != data.DecimalName { // that is a BigDecimal in Java
			return append(dst, v.Bytes()...), false, nil
		}
	}
	return dst, false, bad("ByteArrayConverter is not compatible with objects of type class %s", JavaClass(schema, v))
}

// ToData implements Converter.
func (*ByteArray) ToData(_ string, b []byte) (*data.Schema, data.Value, error) {
	return data.OptionalBytesSchema, data.Bytes(b), nil
}

func stringDef() *configdef.Def {
	return configdef.New().Define(configdef.Key{
		Name: "converter.encoding", Type: configdef.String, Default: configdef.Text("UTF-8"), Importance: configdef.High,
		Width: "MEDIUM", DisplayName: "Encoding", Validator: configdef.InIgnoreCase("UTF-8", "UTF8"),
		Doc: "The name of the character set that strings are encoded in. Only UTF-8.",
	})
}

// String writes values as text.
type String struct{}

// Configure implements Converter.
func (*String) Configure(config map[string]string, _ bool) error {
	_, err := stringDef().Parse(config)
	return err
}

// FromData implements Converter.
func (*String) FromData(dst []byte, _ string, s *data.Schema, v data.Value) ([]byte, bool, error) {
	if v.IsNull() {
		return dst, true, nil
	}
	return AppendTextOf(dst, s, v), false, nil
}

// ToData implements Converter.
func (*String) ToData(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return data.OptionalStringSchema, data.Null(), nil
	}
	if !utf8.Valid(b) {
		return data.OptionalStringSchema, data.String(javaText(b)), nil
	}
	return data.OptionalStringSchema, data.StringOfBytes(b), nil
}
