package converter

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

func jsonDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: "schemas.enable", Type: configdef.Boolean, Default: configdef.Text("true"), Importance: configdef.High,
			Group: "Schemas", OrderInGroup: 0, Width: "MEDIUM", DisplayName: "Enable Schemas",
			Doc: "Include schemas within each of the serialized values and keys."}).
		Define(configdef.Key{Name: "schemas.cache.size", Type: configdef.Int, Default: configdef.Text("1000"), Importance: configdef.High,
			Group: "Schemas", OrderInGroup: 1, Width: "MEDIUM", DisplayName: "Schema Cache Size",
			Doc: "The maximum number of schemas that can be cached in this converter instance."}).
		Define(configdef.Key{Name: "schema.content", Type: configdef.String, Importance: configdef.High,
			Group: "Schemas", OrderInGroup: 2, Width: "MEDIUM", DisplayName: "Schema Content",
			Doc: "A schema, as JSON, that every message has: with it, and schemas.enable, messages that are read are plain JSON without an envelope. It changes nothing of what a source writes."}).
		Define(configdef.Key{Name: "decimal.format", Type: configdef.String, Default: configdef.Text("BASE64"), Importance: configdef.Low,
			Validator: configdef.InIgnoreCase("BASE64", "NUMERIC"), Group: "Serialization", OrderInGroup: 0, Width: "MEDIUM", DisplayName: "Decimal Format",
			Doc: "Controls which format this converter will serialize decimals in. This value is case insensitive and can be either 'BASE64' (default) or 'NUMERIC'"}).
		Define(configdef.Key{Name: "replace.null.with.default", Type: configdef.Boolean, Default: configdef.Text("true"), Importance: configdef.Low,
			Group: "Serialization", OrderInGroup: 1, Width: "MEDIUM", DisplayName: "Replace null with default",
			Doc: "Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value is used, otherwise null is used."})
}

// JSON is org.apache.kafka.connect.json.JsonConverter: with schemas the envelope
// {"schema":…,"payload":…}, without them plain JSON.
type JSON struct {
	schemas, numeric, defaults bool
	// content is schema.content, for reading; nil where records bring their schemas.
	content *data.Schema
	// The schema that was written last, encoded: most topics have one.
	last        *data.Schema
	lastEncoded []byte
	// The schemas that were read, by their bytes, and the envelope's beginning of the last one.
	read      map[string]*data.Schema
	readLimit int
	readLast  *data.Schema
	readOpen  []byte
	nodes     []node
	doc       []byte // that the nodes are of
	// What of a value is not complete yet, and what objects looked like in the last record.
	values  []data.Value
	entries []data.Entry
	root    shape
	shapes  int
	arena   *data.Arena // of what is read; nil for the heap
	odd     bool        // a null was read that a struct cannot have
}

// Configure implements Converter.
func (j *JSON) Configure(config map[string]string, _ bool) error {
	v, err := jsonDef().Parse(config)
	if err != nil {
		return err
	}
	j.schemas, j.defaults = v.Bool("schemas.enable"), v.Bool("replace.null.with.default")
	f := v.String("decimal.format")
	j.numeric = len(f) > 0 && (f[0] == 'n' || f[0] == 'N')
	j.readLimit = v.Int("schemas.cache.size")
	j.read = map[string]*data.Schema{}
	if text := v.String("schema.content"); text != "" {
		if err := j.parse([]byte(text)); err != nil {
			return fmt.Errorf("schema.content: %w", err)
		}
		if j.content, err = j.schemaOf(0); err != nil {
			return fmt.Errorf("schema.content: %w", err)
		}
	}
	return nil
}

// Borrow implements Borrower.
func (j *JSON) Borrow(a *data.Arena) { j.arena = a }

// FromData implements Converter.
func (j *JSON) FromData(dst []byte, _ string, schema *data.Schema, v data.Value) ([]byte, bool, error) {
	if schema == nil && v.IsNull() {
		return dst, true, nil
	}
	start := len(dst)
	if j.schemas {
		dst = append(dst, `{"schema":`...)
		var err error
		if dst, err = j.appendSchema(dst, schema); err != nil {
			return dst[:start], false, err
		}
		dst = append(dst, `,"payload":`...)
	}
	dst, err := j.appendValue(dst, schema, v)
	if err != nil {
		return dst[:start], false, err
	}
	if j.schemas {
		dst = append(dst, '}')
	}
	return dst, false, nil
}

func (j *JSON) appendSchema(dst []byte, s *data.Schema) ([]byte, error) {
	if s == nil {
		return append(dst, "null"...), nil
	}
	if s != j.last {
		b, err := encodeSchema(nil, s, j)
		if err != nil {
			return dst, err
		}
		j.last, j.lastEncoded = s, b
	}
	return append(dst, j.lastEncoded...), nil
}

func (j *JSON) appendValue(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	if v.IsNull() {
		switch {
		case s == nil:
			return append(dst, "null"...), nil
		case !s.Default.IsNull() && j.defaults:
			return j.appendValue(dst, s, s.Default)
		case s.Optional:
			return append(dst, "null"...), nil
		}
		return dst, bad("Conversion error: null value for field that is required and has no default value")
	}
	if s != nil && s.Type != v.Kind() {
		return dst, bad("Invalid type for %s: class %s", s.Type, JavaClass(nil, v))
	}
	switch v.Kind() {
	case data.KindString:
		return appendJSONString(dst, v.Str()), nil
	case data.KindBytes:
		if s != nil && s.Name == data.DecimalName && j.numeric {
			return appendDecimal(dst, s, v)
		}
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case data.KindBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case data.KindFloat32, data.KindFloat64:
		bits := 64
		if v.Kind() == data.KindFloat32 {
			bits = 32
		}
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(data.AppendFloat(append(dst, '"'), f, bits), '"'), nil // as Jackson quotes what is no number
		}
		return data.AppendFloat(dst, v.Float(), bits), nil
	case data.KindArray:
		var elem *data.Schema
		if s != nil {
			elem = s.Elem
		}
		dst = append(dst, '[')
		for i, e := range v.Array() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = j.appendValue(dst, elem, e); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case data.KindMap:
		return j.appendMap(dst, s, v.Map())
	case data.KindStruct:
		if own := v.Struct().Schema(); own != s && (s == nil || !data.SameSchema(own, s)) {
			return dst, bad("Mismatching schema.")
		}
		return j.appendStruct(dst, v.Struct())
	case data.KindDecimal:
		return dst, bad("Java class class java.math.BigDecimal does not have corresponding schema type.")
	default:
		return dst, bad("Java class class java.util.Date does not have corresponding schema type.")
	}
}

// appendMap writes an object where all keys are strings, else an array of pairs.
func (j *JSON) appendMap(dst []byte, s *data.Schema, m *data.Map) ([]byte, error) {
	var key, elem *data.Schema
	object := true
	if s != nil {
		key, elem = s.Key, s.Elem
		object = key != nil && key.Type == data.KindString
	} else {
		entries := m.Entries()
		for i := range entries {
			object = object && entries[i].Key.Kind() == data.KindString
		}
	}
	open, end := byte('['), byte(']')
	if object {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	var err error
	entries := m.Entries()
	for i := range entries {
		e := &entries[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		if object {
			name := textOf(e.Key)
			if e.Key.IsNull() {
				if key == nil || !key.Optional && key.Default.IsNull() {
					return dst, bad("Conversion error: null value for field that is required and has no default value")
				}
				if name = "null"; !key.Default.IsNull() && j.defaults {
					name = textOf(key.Default)
				}
			}
			dst = append(appendJSONString(dst, name), ':')
		} else {
			dst = append(dst, '[')
			if dst, err = j.appendValue(dst, key, e.Key); err != nil {
				return dst, err
			}
			dst = append(dst, ',')
		}
		if dst, err = j.appendValue(dst, elem, e.Value); err != nil {
			return dst, err
		}
		if !object {
			dst = append(dst, ']')
		}
	}
	return append(dst, end), nil
}

func (j *JSON) appendStruct(dst []byte, st *data.Struct) ([]byte, error) {
	dst = append(dst, '{')
	var err error
	fields := st.Schema().Fields
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, f.Name), ':')
		if dst, err = j.appendValue(dst, f.Schema, st.Raw(i)); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return append(dst, '}'), nil
}

// appendDecimal writes a decimal as a number, in BigDecimal's words: 1E-10, say.
func appendDecimal(dst []byte, s *data.Schema, v data.Value) ([]byte, error) {
	text, _ := s.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(text)
	if err != nil {
		return dst, bad("the scale %q of a Decimal is not a number", text)
	}
	return append(dst, javadecimal.Decimal{Unscaled: data.Unscaled(v), Scale: scale}.String()...), nil
}

// textOf is the bytes of a string, or of bytes.
func textOf(v data.Value) string { return data.StringOfBytes(v.Raw()).Str() }

const hexDigits = "0123456789ABCDEF"

func appendEscape(dst []byte, unit rune) []byte {
	return append(dst, '\\', 'u', hexDigits[unit>>12], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
}

// appendJSONString escapes as Jackson does: quotes, backslash, control characters, and what UTF-16 has in two halves.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		if i += asciiRun(s[i:]); i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
				continue
			}
			if n == utf8.UTFMax {
				high, low := utf16.EncodeRune(r)
				dst = appendEscape(appendEscape(append(dst, s[start:i]...), high), low)
				start = i + n
			}
			i += n - 1
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		start = i + 1
	}
	return append(append(dst, s[start:]...), '"')
}

var typeNames = map[data.Kind]string{
	data.KindInt8: "int8", data.KindInt16: "int16", data.KindInt32: "int32", data.KindInt64: "int64", data.KindFloat32: "float",
	data.KindFloat64: "double", data.KindBool: "boolean", data.KindString: "string", data.KindBytes: "bytes", data.KindArray: "array",
	data.KindMap: "map", data.KindStruct: "struct",
}

// encodeSchema writes the members in Java's order: type, its parts, optional, name, version, doc,
// parameters, default, and the field's name last.
func encodeSchema(dst []byte, s *data.Schema, j *JSON) ([]byte, error) {
	dst, err := encodeOpen(dst, s, j)
	return append(dst, '}'), err
}

func encodeOpen(dst []byte, s *data.Schema, j *JSON) ([]byte, error) {
	dst = append(append(dst, `{"type":"`...), typeNames[s.Type]...)
	dst = append(dst, '"')
	var err error
	switch s.Type {
	case data.KindArray:
		if dst, err = encodeSchema(append(dst, `,"items":`...), s.Elem, j); err != nil {
			return dst, err
		}
	case data.KindMap:
		if dst, err = encodeSchema(append(dst, `,"keys":`...), s.Key, j); err != nil {
			return dst, err
		}
		if dst, err = encodeSchema(append(dst, `,"values":`...), s.Elem, j); err != nil {
			return dst, err
		}
	case data.KindStruct:
		dst = append(dst, `,"fields":[`...)
		for i, f := range s.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = encodeOpen(dst, f.Schema, j); err != nil {
				return dst, err
			}
			dst = append(dst, `,"field":`...)
			dst = append(appendJSONString(dst, f.Name), '}')
		}
		dst = append(dst, ']')
	}
	dst = strconv.AppendBool(append(dst, `,"optional":`...), s.Optional)
	if s.Name != "" {
		dst = appendJSONString(append(dst, `,"name":`...), s.Name)
	}
	if s.Version != 0 {
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(s.Version), 10)
	}
	if s.Doc != "" {
		dst = appendJSONString(append(dst, `,"doc":`...), s.Doc)
	}
	if len(s.Params) > 0 {
		dst = append(dst, `,"parameters":{`...)
		for i, p := range s.Params {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, p.Key), ':')
			dst = appendJSONString(dst, p.Value)
		}
		dst = append(dst, '}')
	}
	if !s.Default.IsNull() {
		if dst, err = j.appendValue(append(dst, `,"default":`...), s, s.Default); err != nil {
			return dst, err
		}
	}
	return dst, nil
}
