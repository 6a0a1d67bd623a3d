package converter

import (
	"github.com/sluice-project/sluice/connectors/data"
)

// value reads a value without schema, in one pass: what of arrays and objects is not complete yet is on the stacks.
func (j *JSON) value(p *scanner, depth int, sh *shape) (data.Value, error) {
	if depth > maxDepth {
		return data.Null(), tooDeep()
	}
	if p.space(); p.i >= len(p.b) {
		return data.Null(), p.bad("a value")
	}
	switch c := p.b[p.i]; {
	case c == '"':
		text, escaped, err := p.str()
		if err != nil {
			return data.Null(), err
		}
		return j.string(text, escaped), nil
	case c == '-' || c >= '0' && c <= '9':
		var n number
		if err := p.number(&n); err != nil {
			return data.Null(), err
		}
		if n.integer() {
			return data.Int64(n.long()), nil
		}
		return data.Float64(n.float(64)), nil
	case c == '{':
		return j.object(p, depth, sh)
	case c == '[':
		return j.list(p, depth, sh)
	case c == 't':
		return data.Bool(true), p.word("true")
	case c == 'f':
		return data.Bool(false), p.word("false")
	case c == 'n':
		return data.Null(), p.word("null")
	}
	return data.Null(), p.bad("a value")
}

// string is a text that was between quotes.
func (j *JSON) string(text []byte, escaped bool) data.Value {
	if escaped {
		text = unescape(j.arena.Bytes(len(text)), text)
	}
	return data.StringOfBytes(text)
}

func (j *JSON) list(p *scanner, depth int, sh *shape) (data.Value, error) {
	p.i++
	base := len(j.values)
	for more := !p.next(']'); more; {
		v, err := j.value(p, depth+1, sh)
		if err != nil {
			return v, err
		}
		j.values = append(j.values, v)
		if !p.next(',') {
			if more = false; !p.next(']') {
				return v, p.bad("a comma or ]")
			}
		}
	}
	all := j.values[base:]
	j.values = j.values[:base]
	return data.Array(append(j.arena.Values(len(all)), all...)), nil
}

func (j *JSON) object(p *scanner, depth int, sh *shape) (data.Value, error) {
	p.i++
	base := len(j.entries)
	known := names{shape: sh}
	for more := !p.next('}'); more; {
		key, m, err := known.next(p)
		if err != nil {
			return data.Null(), err
		}
		v, err := j.value(p, depth+1, j.inner(p, m))
		if err != nil {
			return v, err
		}
		j.put(base, key, v, m != nil)
		if !p.next(',') {
			if more = false; !p.next('}') {
				return v, p.bad("a comma or }")
			}
		}
	}
	all := j.entries[base:]
	j.entries = j.entries[:base]
	return data.MapOf(j.arena.MapOf(all)), nil
}

// put adds a member to those on the stack from base on. Of those with one name, the value is the last one's and the place the first one's.
func (j *JSON) put(base int, key []byte, v data.Value, first bool) {
	k := data.StringOfBytes(key)
	if !first {
		for i := base; i < len(j.entries); i++ {
			if e := &j.entries[i]; data.Equal(e.Key, k) {
				e.Value = v
				return
			}
		}
	}
	j.entries = data.AppendEntry(j.entries, k, v)
}

// plain reads a document without schema.
func (j *JSON) plain(b []byte) (data.Value, error) {
	p := scanner{b: b}
	if p.space(); p.i == len(b) {
		return data.Null(), nil
	}
	start := b[p.i]
	v, err := j.value(&p, 0, &j.root)
	if err == nil {
		err = p.end(start)
	}
	return v, err
}
