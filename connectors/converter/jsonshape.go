package converter

import (
	"bytes"

	"github.com/sluice-project/sluice/connectors/data"
)

// shape is what is known of an object from the last one in its place: its members' names as they stood there, in their order. A record that looks
// like the one before it has its names read with one comparison each. No two names of a shape are equal: where an object's are a
// shape's, in its order, none of them is there twice.
//
// It only foretells: what an object is does not depend on it.
type shape struct {
	names []member
	// schema is whose fields the names are; nil without one.
	schema *data.Schema
}

// member is a member's name.
type member struct {
	raw      []byte // from after the comma or bracket to the colon
	from, to int    // the name, in raw
	field    int    // of the schema, -1 where it is none; unresolved at first
	inner    *shape // of the objects that are its values
}

const (
	unresolved = -2
	// maxNames bounds a shape, maxName what of a record is remembered as a name, and maxShapes the shapes of a converter.
	maxNames, maxName, maxShapes = 64, 256, 256
	// ahead is how many members may be left out before another is looked for as if nothing were known.
	ahead = 4
	// unknown is a place in no shape.
	unknown = maxNames + 1
)

// names is a place in a shape: what an object's next name is looked for from.
type names struct {
	*shape
	at int
}

// next reads a name, up to its colon. m is what its shape knows of it; nil says that the name may have been there before.
func (n *names) next(p *scanner) (key []byte, m *member, err error) {
	if n.shape == nil {
		key, _, err = p.name()
		return key, nil, err
	}
	for i := n.at; i < len(n.names) && i < n.at+ahead; i++ {
		if m := &n.names[i]; bytes.HasPrefix(p.b[p.i:], m.raw) {
			key = p.b[p.i+m.from : p.i+m.to]
			p.i += len(m.raw)
			n.at = i + 1
			return key, m, nil
		}
	}
	start := p.i
	key, escaped, err := p.name()
	if err != nil {
		return nil, nil, err
	}
	if raw := p.b[start:p.i]; !escaped && len(raw) <= maxName && n.at <= len(n.names) && n.at < maxNames {
		if m = n.learn(raw, key); m != nil {
			return key, m, nil
		}
	}
	n.at = unknown
	return key, nil, nil
}

// learn makes a name the next of the shape, and forgets those that came there; nil where the shape has it already.
func (n *names) learn(raw, key []byte) *member {
	for i := range n.names[:n.at] {
		if m := &n.names[i]; bytes.Equal(m.raw[m.from:m.to], key) {
			return nil
		}
	}
	if n.at < cap(n.names) {
		n.names = n.names[:n.at+1]
	} else {
		n.names = append(n.names, member{})
	}
	m := &n.names[n.at]
	from := bytes.IndexByte(raw, '"') + 1
	m.raw, m.from, m.to, m.field = append(m.raw[:0], raw...), from, from+len(key), unresolved
	n.at++
	return m
}

// inner is the shape of a member's value, where it may have one.
func (j *JSON) inner(p *scanner, m *member) *shape {
	if m == nil || p.i >= len(p.b) || p.b[p.i] != '{' && p.b[p.i] != '[' {
		return nil
	}
	if m.inner == nil && j.shapes < maxShapes {
		j.shapes++
		m.inner = &shape{}
	}
	return m.inner
}
