package converter

import "github.com/sluice-project/sluice/connectors/data"

// quick reads a value of a schema in one pass, where it is as converters write it. Where it is not ok, nothing is said of the value: the
// reader of nodes finds what it is, or what is wrong with it.
func (j *JSON) quick(p *scanner, s *data.Schema, depth int, sh *shape) (v data.Value, ok bool) {
	if s == nil {
		v, err := j.value(p, depth, sh)
		return v, err == nil
	}
	if p.space(); p.i >= len(p.b) || depth > maxDepth {
		return v, false
	}
	c := p.b[p.i]
	switch {
	case c == 'n':
		v, err := j.null(s)
		return v, err == nil && p.word("null") == nil
	case logical(s):
	case s.Type == data.KindStruct:
		return j.fields(p, s, depth, sh)
	case s.Type == data.KindString && c == '"':
		text, escaped, err := p.str()
		return j.string(text, escaped), err == nil
	case s.Type == data.KindBool && c == 't':
		return data.Bool(true), p.word("true") == nil
	case s.Type == data.KindBool && c == 'f':
		return data.Bool(false), p.word("false") == nil
	case s.Type <= data.KindFloat64 && (c == '-' || c >= '0' && c <= '9'):
		var n number
		if p.number(&n) != nil {
			return v, false
		}
		return numberOf(s.Type, &n), true
	}
	nodes := parser{scanner: *p, nodes: j.nodes[:0]}
	at, err := nodes.value(depth)
	*p, j.nodes, j.doc = nodes.scanner, nodes.nodes, nodes.b
	if err != nil {
		return v, false
	}
	v, err = j.typed(s, at)
	return v, err == nil && !j.odd
}

// fields reads a struct. A field that is there twice has the last one's value.
func (j *JSON) fields(p *scanner, s *data.Schema, depth int, sh *shape) (v data.Value, ok bool) {
	var seen [4]uint64
	if p.b[p.i] != '{' || len(s.Fields) > 64*len(seen) {
		return v, false
	}
	if sh != nil && sh.schema != s {
		sh.names, sh.schema = sh.names[:0], s
	}
	p.i++
	st, known, next := j.arena.Struct(s), names{shape: sh}, 0
	for more := !p.next('}'); more; {
		key, m, err := known.next(p)
		if err != nil {
			return v, false
		}
		i := unresolved
		if m != nil {
			i = m.field
		}
		if i == unresolved {
			if i = next; i >= len(s.Fields) || s.Fields[i].Name != string(key) {
				i = s.FieldIndex(data.StringOfBytes(key).Str())
			}
			if m != nil {
				m.field = i
			}
		}
		if i < 0 {
			return v, false // a value that nobody asks for
		}
		next = i + 1
		v, ok := j.quick(p, s.Fields[i].Schema, depth+1, j.inner(p, m))
		if !ok {
			return v, false
		}
		st.Set(i, v)
		seen[i>>6] |= 1 << (i & 63)
		if !p.next(',') {
			if more = false; !p.next('}') {
				return v, false
			}
		}
	}
	for i := range s.Fields {
		if seen[i>>6]&(1<<(i&63)) == 0 {
			v, err := j.null(s.Fields[i].Schema)
			if err != nil {
				return v, false
			}
			st.Set(i, v)
		}
	}
	return data.StructOf(st), true
}

// logical says whether a schema is that of a logical type, whose values have to be what they are.
func logical(s *data.Schema) bool {
	switch s.Name {
	case data.DecimalName, data.DateName, data.TimeName, data.TimestampName:
		return true
	}
	return false
}
