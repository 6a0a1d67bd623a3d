package converter

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

// ToData implements Converter. Where the JSON has another type than the schema, it is read as Java's Jackson does: as 0,
// false, null or nothing.
func (j *JSON) ToData(_ string, b []byte) (*data.Schema, data.Value, error) {
	j.odd = false
	if b == nil {
		return nil, data.Null(), nil
	}
	b, err := toUTF8(b)
	if err != nil {
		return nil, data.Null(), err
	}
	if !j.schemas {
		if err := j.parse(b); err != nil {
			return nil, data.Null(), err
		}
		v, err := j.plain(0)
		return nil, v, err
	}
	if j.content != nil {
		if err := j.parse(b); err != nil {
			return nil, data.Null(), err
		}
		v, err := j.typed(j.content, 0)
		return j.content, v, err
	}
	schema, err := j.envelope(b)
	if err != nil {
		return nil, data.Null(), err
	}
	at := j.nodes[0].first
	for string(j.nodes[at].key) != "payload" {
		at = j.nodes[at].next
	}
	v, err := j.typed(schema, at)
	return schema, v, err
}

func (j *JSON) parse(b []byte) (err error) {
	j.nodes, err = parse(b, j.nodes)
	return err
}

// envelope parses a record and finds its schema; the payload is a member of node 0. The beginning of a record
// that equals the last one's is not parsed again.
func (j *JSON) envelope(b []byte) (*data.Schema, error) {
	if n := len(j.readOpen); n > 0 && bytes.HasPrefix(b, j.readOpen) {
		p := parser{b: b, i: n, nodes: append(j.nodes[:0], node{kind: '{'})}
		at, err := p.value(1)
		if err == nil && p.next('}') {
			if p.space(); p.i == len(b) {
				p.nodes[at].key, p.nodes[0].first = payloadKey, at
				j.nodes = p.nodes
				return j.readLast, nil
			}
		}
	}
	if err := j.parse(b); err != nil {
		return nil, err
	}
	root, members := &j.nodes[0], 0
	schema, payload := 0, 0
	for at := root.first; at != 0; at = j.nodes[at].next {
		members++
		switch string(j.nodes[at].key) {
		case "schema":
			schema = at
		case "payload":
			payload = at
		}
	}
	if root.kind != '{' || members != 2 || schema == 0 || payload == 0 {
		return nil, bad("JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields." +
			" If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.")
	}
	s := &j.nodes[schema]
	raw := b[s.from:s.to]
	out, known := j.read[string(raw)]
	if !known {
		var err error
		if out, err = j.schemaOf(schema); err != nil {
			return nil, err
		}
		if len(j.read) >= max(j.readLimit, 1) {
			clear(j.read)
		}
		j.read[string(raw)] = out
	}
	j.readOpen, j.readLast = j.readOpen[:0], out
	if schema < payload && out != nil {
		// As our own converter and Java's write it.
		j.readOpen = append(append(append(j.readOpen, `{"schema":`...), raw...), `,"payload":`...)
	}
	return out, nil
}

var payloadKey = []byte("payload")

func (j *JSON) member(at int, key string) (found int) {
	for c := j.nodes[at].first; c != 0; c = j.nodes[c].next {
		if string(j.nodes[c].key) == key {
			found = c // the last one counts
		}
	}
	return found
}

func (j *JSON) text(at int) []byte {
	n := &j.nodes[at]
	if n.escaped {
		return unescape(j.arena.Bytes(len(n.text)), n.text)
	}
	return n.text
}

// count is the number of a node's children.
func (j *JSON) count(at int) (n int) {
	for c := j.nodes[at].first; c != 0; c = j.nodes[c].next {
		n++
	}
	return n
}

// plain reads a value without schema.
func (j *JSON) plain(at int) (data.Value, error) {
	n := &j.nodes[at]
	switch n.kind {
	case 'n', missing:
		return data.Null(), nil
	case 't', 'f':
		return data.Bool(n.kind == 't'), nil
	case '"':
		return data.StringOfBytes(j.text(at)), nil
	case '0':
		if n.integer {
			return data.Int64(wrapInt(n.text)), nil
		}
		return data.Float64(j.float(n, 64)), nil
	case '[':
		list := j.arena.Values(j.count(at))
		for c := n.first; c != 0; c = j.nodes[c].next {
			v, err := j.plain(c)
			if err != nil {
				return v, err
			}
			list = append(list, v)
		}
		return data.Array(list), nil
	}
	m := j.arena.Map(j.count(at))
	for c := n.first; c != 0; c = j.nodes[c].next {
		v, err := j.plain(c)
		if err != nil {
			return v, err
		}
		m.Put(data.StringOfBytes(j.nodes[c].key), v)
	}
	return data.MapOf(m), nil
}

// float is what Jackson's doubleValue or floatValue says of a node: out of range is infinite, there is no -0, and
// what is no number is 0.
func (*JSON) float(n *node, bits int) float64 {
	if n.kind != '0' {
		return 0
	}
	f, _ := strconv.ParseFloat(string(n.text), bits) // out of range is infinite
	if f == 0 {
		return 0
	}
	return f
}

// integer is what Jackson's longValue says of a node: the lowest bits of the integer part, and 0 of what is no number.
func (*JSON) integer(n *node) int64 {
	switch {
	case n.kind != '0':
		return 0
	case n.integer:
		return wrapInt(n.text)
	}
	if d, ok := javadecimal.Parse(string(n.text)); ok {
		return d.Long()
	}
	return 0 // the parser has checked it
}

// wrapInt reads an integer as Java's longValue does: what does not fit loses its high bits.
func wrapInt(text []byte) int64 {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n
	}
	b, _ := new(big.Int).SetString(string(text), 10)
	low := new(big.Int).And(b, new(big.Int).SetUint64(math.MaxUint64))
	return int64(low.Uint64()) //nolint:gosec // meant to wrap
}

var nodeNames = map[byte]string{'n': "NULL", 't': "BOOLEAN", 'f': "BOOLEAN", '"': "STRING", '0': "NUMBER", '[': "ARRAY", '{': "OBJECT", missing: "MISSING"}

// typed reads a value of a schema.
func (j *JSON) typed(s *data.Schema, at int) (data.Value, error) {
	if s == nil {
		return j.plain(at)
	}
	n := &j.nodes[at]
	if n.kind == 'n' {
		return j.null(s)
	}
	if s.Name != "" {
		if v, ok, err := j.logical(s, n); ok || err != nil {
			return v, err
		}
	}
	switch s.Type {
	case data.KindBool:
		return data.Bool(n.kind == 't'), nil
	case data.KindInt8:
		return data.Int8(int8(j.integer(n))), nil //nolint:gosec // as Java
	case data.KindInt16:
		return data.Int16(int16(j.integer(n))), nil //nolint:gosec // as Java
	case data.KindInt32:
		return data.Int32(int32(j.integer(n))), nil //nolint:gosec // as Java
	case data.KindInt64:
		return data.Int64(j.integer(n)), nil
	case data.KindFloat32:
		return data.Float32(float32(j.float(n, 32))), nil
	case data.KindFloat64:
		return data.Float64(j.float(n, 64)), nil
	case data.KindString:
		if n.kind != '"' {
			return j.nothing(s), nil
		}
		return data.StringOfBytes(j.text(at)), nil
	case data.KindBytes:
		if n.kind != '"' {
			return j.nothing(s), nil
		}
		b, err := fromBase64(j.arena.Bytes(len(n.text)), j.text(at))
		if err != nil {
			return data.Null(), &Error{Message: "Invalid bytes field", Detail: ": " + err.Error()}
		}
		return data.Bytes(b), nil
	case data.KindArray:
		return j.array(s, at)
	case data.KindMap:
		return j.pairs(s, at)
	}
	return j.object(s, at)
}

// nothing is what is read of a value that has none of the schema's type. In a struct, it has to be optional.
func (j *JSON) nothing(s *data.Schema) data.Value {
	j.odd = j.odd || !s.Optional
	return data.Null()
}

func (j *JSON) object(s *data.Schema, at int) (data.Value, error) {
	if n := &j.nodes[at]; n.kind != '{' {
		return data.Null(), bad("Structs should be encoded as JSON objects, but found %s", nodeNames[n.kind])
	}
	st := j.arena.Struct(s)
	inOrder, c := j.inOrder(s, at), 0
	for i := range s.Fields {
		f := &s.Fields[i]
		var v data.Value
		var err error
		switch {
		case !inOrder:
			c = j.member(at, f.Name)
		case i == 0:
			c = j.nodes[at].first
		default:
			c = j.nodes[c].next
		}
		if c != 0 {
			v, err = j.typed(f.Schema, c)
		} else {
			v, err = j.null(f.Schema)
		}
		if err == nil && j.odd {
			err = bad("Invalid value: null used for required field: \"%s\", schema type: %s", f.Name, f.Schema.Type)
		}
		if err != nil {
			return v, fmt.Errorf("field %s: %w", f.Name, err)
		}
		st.Set(i, v)
	}
	return data.StructOf(st), nil
}

// inOrder says whether an object has just the fields of a schema, in their order, as converters write them.
func (j *JSON) inOrder(s *data.Schema, at int) bool {
	c := j.nodes[at].first
	for i := range s.Fields {
		if c == 0 || string(j.nodes[c].key) != s.Fields[i].Name {
			return false
		}
		c = j.nodes[c].next
	}
	return c == 0
}

// logical reads decimals and times, which have to be what they are.
func (j *JSON) logical(s *data.Schema, n *node) (data.Value, bool, error) {
	want := data.KindInt32
	switch s.Name {
	case data.DecimalName:
		want = data.KindBytes
	case data.TimestampName:
		want = data.KindInt64
	case data.DateName, data.TimeName:
	default:
		return data.Null(), false, nil
	}
	wrong := func(what string) (data.Value, bool, error) {
		return data.Null(), false, bad("Invalid type for %s, underlying representation should be %s but was %s", s.Name[strings.LastIndexByte(s.Name, '.')+1:], what, nodeNames[n.kind])
	}
	if s.Type != want {
		return data.Null(), false, bad("a schema of the type %s cannot be %s", s.Type, s.Name)
	}
	switch {
	case want == data.KindBytes:
		if n.kind == '0' {
			v, err := typedDecimal(s, string(n.text))
			return v, true, err
		}
		if n.kind != '"' {
			return wrong("numeric or bytes")
		}
		param, _ := s.Param(data.ScaleParameter)
		text := n.text
		if n.escaped {
			text = unescape(nil, text)
		}
		b, err := fromBase64(j.arena.Bytes(len(n.text)), text)
		if _, serr := strconv.Atoi(param); err != nil || serr != nil || len(b) == 0 {
			return data.Null(), false, bad("Invalid bytes for Decimal field")
		}
		return data.Bytes(b), true, nil
	case n.kind != '0' || !n.integer:
		return wrong("integral")
	case want == data.KindInt64:
		return data.Int64(wrapInt(n.text)), true, nil
	}
	i, err := strconv.ParseInt(string(n.text), 10, 32)
	if err != nil {
		return wrong("integer")
	}
	if s.Name == data.TimeName && (i < 0 || i > msPerDay) {
		return data.Null(), false, bad("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return data.Int32(int32(i)), true, nil
}

// fromBase64 appends what text decodes to, as Jackson's MIME-NO-LINEFEEDS: blanks may be between groups of four.
func fromBase64(out, text []byte) ([]byte, error) {
	for i := 0; i < len(text); {
		if text[i] <= ' ' {
			i++
			continue
		}
		end := min(i+4, len(text))
		// Runs without blanks are decoded in one go.
		for end < len(text) && text[end] > ' ' {
			end = min(end+4, len(text))
		}
		var err error
		if out, err = base64.StdEncoding.AppendDecode(out, text[i:end]); err != nil {
			return nil, err
		}
		i = end
	}
	return out, nil
}

func (j *JSON) null(s *data.Schema) (data.Value, error) {
	switch {
	case j.defaults && !s.Default.IsNull():
		return s.Default, nil
	case s.Optional:
		return data.Null(), nil
	}
	return data.Null(), bad("Invalid null value for required %s field", s.Type)
}

// typedDecimal reads a number with the schema's scale.
func typedDecimal(s *data.Schema, text string) (data.Value, error) {
	param, _ := s.Param(data.ScaleParameter)
	scale, err := strconv.Atoi(param)
	if err != nil {
		return data.Null(), bad("the scale %q of a Decimal is not a number", param)
	}
	if scale > maxDigits || scale < -maxDigits {
		return data.Null(), bad("the scale %d of a Decimal is out of range", scale)
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxDigits || e < -maxDigits {
			return data.Null(), bad("the number %s is out of range", text)
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return data.Null(), bad("%s is not a number", text)
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil)
	if scale >= 0 {
		r.Mul(r, new(big.Rat).SetInt(ten))
	} else {
		r.Quo(r, new(big.Rat).SetInt(ten))
	}
	if !r.IsInt() {
		return data.Null(), bad("the number %s has more digits than the scale %d", text, scale)
	}
	return data.Decimal(r.Num()), nil
}

func (j *JSON) array(s *data.Schema, at int) (data.Value, error) {
	list := j.arena.Values(j.count(at))
	var members map[string]int // of an object, which Jackson takes for its values: where each is in list
	if j.nodes[at].kind == '{' {
		members = map[string]int{}
	}
	for c := j.nodes[at].first; c != 0; c = j.nodes[c].next {
		v, err := j.typed(s.Elem, c)
		if err != nil {
			return v, err
		}
		if members != nil {
			key := string(j.nodes[c].key)
			if i, again := members[key]; again { // the last one counts
				list[i] = v
				continue
			}
			members[key] = len(list)
		}
		list = append(list, v)
	}
	return data.Array(list), nil
}

// pairs reads a map: an object where the keys are strings, else an array of pairs.
func (j *JSON) pairs(s *data.Schema, at int) (data.Value, error) {
	m := j.arena.Map(j.count(at))
	n := &j.nodes[at]
	if s.Key == nil || s.Key.Type == data.KindString {
		if n.kind != '{' {
			return data.Null(), bad("Maps with string fields should be encoded as JSON objects, but found %s", nodeNames[n.kind])
		}
		for c := n.first; c != 0; c = j.nodes[c].next {
			v, err := j.typed(s.Elem, c)
			if err != nil {
				return v, err
			}
			m.Put(data.StringOfBytes(j.nodes[c].key), v)
		}
		return data.MapOf(m), nil
	}
	if n.kind != '[' {
		return data.Null(), bad("Maps with non-string fields should be encoded as JSON array of tuples, but found %s", nodeNames[n.kind])
	}
	for c := n.first; c != 0; c = j.nodes[c].next {
		key := j.nodes[c].first
		if j.nodes[c].kind != '[' || key == 0 || j.nodes[key].next == 0 || j.nodes[j.nodes[key].next].next != 0 {
			if j.nodes[c].kind != '[' {
				return data.Null(), bad("Found invalid map entry instead of array tuple: %s", nodeNames[j.nodes[c].kind])
			}
			return data.Null(), bad("Found invalid map entry, expected length 2 but found :%d", j.count(c))
		}
		k, err := j.typed(s.Key, key)
		if err != nil {
			return k, err
		}
		v, err := j.typed(s.Elem, j.nodes[key].next)
		if err != nil {
			return v, err
		}
		m.Put(k, v)
	}
	return data.MapOf(m), nil
}

var kinds = func() map[string]data.Kind {
	out := map[string]data.Kind{}
	for k, name := range typeNames {
		out[name] = k
	}
	return out
}()

// schemaOf reads a schema.
func (j *JSON) schemaOf(at int) (*data.Schema, error) {
	if j.nodes[at].kind == 'n' {
		return nil, nil
	}
	t := 0
	if j.nodes[at].kind == '{' {
		t = j.member(at, "type")
	}
	if t == 0 || j.nodes[t].kind != '"' {
		return nil, bad("Schema must contain 'type' field")
	}
	kind, ok := kinds[string(j.text(t))]
	if !ok {
		return nil, bad("Unknown schema type: %s", j.text(t))
	}
	s := &data.Schema{Type: kind}
	part := func(key, missing string) (*data.Schema, error) {
		c := j.member(at, key)
		if c == 0 || j.nodes[c].kind == 'n' {
			return nil, bad("%s", missing)
		}
		return j.schemaOf(c)
	}
	var err error
	switch kind {
	case data.KindArray:
		s.Elem, err = part("items", "Array schema did not specify the element type")
	case data.KindMap:
		if s.Key, err = part("keys", "Map schema did not specify the key type"); err == nil {
			s.Elem, err = part("values", "Map schema did not specify the value type")
		}
	case data.KindStruct:
		err = j.fields(s, at)
	}
	if err != nil {
		return nil, err
	}
	return s, j.attributes(s, at)
}

func (j *JSON) fields(s *data.Schema, at int) error {
	list := j.member(at, "fields")
	if list == 0 || j.nodes[list].kind != '[' {
		return bad("Struct schema's \"fields\" argument is not an array.")
	}
	seen := map[string]bool{}
	for c := j.nodes[list].first; c != 0; c = j.nodes[c].next {
		name := j.member(c, "field")
		if name == 0 || j.nodes[name].kind != '"' {
			return bad("Struct schema's field name not specified properly")
		}
		f, err := j.schemaOf(c)
		if err != nil {
			return err
		}
		text := string(j.text(name))
		if seen[text] {
			return bad("Cannot create field because of field name duplication %s", text)
		}
		seen[text] = true
		s.Fields = append(s.Fields, data.Field{Name: text, Schema: f})
	}
	return nil
}

func (j *JSON) attributes(s *data.Schema, at int) error {
	for c := j.nodes[at].first; c != 0; c = j.nodes[c].next {
		n := &j.nodes[c]
		switch key := string(n.key); {
		case n.kind == 'n':
		case key == "optional":
			s.Optional = n.kind == 't'
		case key == "name" && n.kind == '"':
			s.Name = string(j.text(c))
		case key == "doc" && n.kind == '"':
			s.Doc = string(j.text(c))
		case key == "version" && n.kind == '0' && n.integer:
			s.Version = int32(wrapInt(n.text)) //nolint:gosec // as Java
		case key == "parameters" && n.kind == '{':
			for p := n.first; p != 0; p = j.nodes[p].next {
				if j.nodes[p].kind != '"' {
					return bad("Schema parameters must have string values.")
				}
				s.Params = append(s.Params, data.Param{Key: string(j.nodes[p].key), Value: string(j.text(p))})
			}
		}
	}
	if d := j.member(at, "default"); d != 0 {
		v, err := j.typed(s, d)
		if err == nil && (j.odd || v.IsNull() && !s.Optional) {
			err = bad("Invalid default value")
		}
		if err != nil {
			return fmt.Errorf("default: %w", err)
		}
		s.Default = data.Clone(v)
	}
	return nil
}
