package converter

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/javadecimal"
)

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

// numberOf is a number as one of a kind.
func numberOf(k data.Kind, n *number) data.Value {
	switch k {
	case data.KindFloat32:
		return data.Float32(float32(n.float(32)))
	case data.KindFloat64:
		return data.Float64(n.float(64))
	}
	i := n.long()
	if !n.integer() {
		i = 0 // where its exponent has more digits than BigDecimal takes
		if d, ok := javadecimal.Parse(string(n.text)); ok {
			i = d.Long()
		}
	}
	switch k {
	case data.KindInt8:
		return data.Int8(int8(i)) //nolint:gosec // as Java
	case data.KindInt16:
		return data.Int16(int16(i)) //nolint:gosec // as Java
	case data.KindInt32:
		return data.Int32(int32(i)) //nolint:gosec // as Java
	}
	return data.Int64(i)
}

// number is that of a node, 0 of what is none.
func (n *node) number() (out number) {
	if n.kind == '0' {
		p := scanner{b: n.text}
		_ = p.number(&out) // it was read before
	}
	return out
}

var nodeNames = map[byte]string{'n': "NULL", 't': "BOOLEAN", 'f': "BOOLEAN", '"': "STRING", '0': "NUMBER", '[': "ARRAY", '{': "OBJECT", missing: "MISSING"}

// typed reads a value of a schema.
func (j *JSON) typed(s *data.Schema, at int) (data.Value, error) {
	n := &j.nodes[at]
	if s == nil {
		if n.kind == missing {
			return data.Null(), nil
		}
		return j.value(&scanner{b: j.doc[:n.to], i: n.from}, 0, nil) // its bytes are known to be good
	}
	if n.kind == 'n' {
		return j.null(s)
	}
	if logical(s) {
		return j.logical(s, n)
	}
	switch s.Type {
	case data.KindBool:
		return data.Bool(n.kind == 't'), nil
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindFloat32, data.KindFloat64:
		num := n.number()
		return numberOf(s.Type, &num), nil
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
	return j.structure(s, at)
}

// nothing is what is read of a value that has none of the schema's type. In a struct, it has to be optional.
func (j *JSON) nothing(s *data.Schema) data.Value {
	j.odd = j.odd || !s.Optional
	return data.Null()
}

func (j *JSON) structure(s *data.Schema, at int) (data.Value, error) {
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
func (j *JSON) logical(s *data.Schema, n *node) (data.Value, error) {
	want := data.KindInt32
	switch s.Name {
	case data.DecimalName:
		want = data.KindBytes
	case data.TimestampName:
		want = data.KindInt64
	}
	wrong := func(what string) (data.Value, error) {
		return data.Null(), bad("Invalid type for %s, underlying representation should be %s but was %s", s.Name[strings.LastIndexByte(s.Name, '.')+1:], what, nodeNames[n.kind])
	}
	if s.Type != want {
		return data.Null(), bad("a schema of the type %s cannot be %s", s.Type, s.Name)
	}
	switch {
	case want == data.KindBytes:
		if n.kind == '0' {
			return typedDecimal(s, string(n.text))
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
			return data.Null(), bad("Invalid bytes for Decimal field")
		}
		return data.Bytes(b), nil
	case n.kind != '0' || !n.integer:
		return wrong("integral")
	case want == data.KindInt64:
		num := n.number()
		return data.Int64(num.long()), nil
	}
	i, err := strconv.ParseInt(string(n.text), 10, 32)
	if err != nil {
		return wrong("integer")
	}
	if s.Name == data.TimeName && (i < 0 || i > msPerDay) {
		return data.Null(), bad("Time values must use number of milliseconds greater than 0 and less than 86400000")
	}
	return data.Int32(int32(i)), nil
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
