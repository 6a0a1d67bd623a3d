package converter

import (
	"bytes"

	"github.com/sluice-project/sluice/connectors/data"
)

// ToData implements Converter. Where the JSON has another type than the schema, it is read as Java's Jackson does: as 0,
// false, null or nothing.
func (j *JSON) ToData(_ string, b []byte) (*data.Schema, data.Value, error) {
	if b == nil {
		return nil, data.Null(), nil
	}
	b, err := toUTF8(b)
	if err != nil {
		return nil, data.Null(), err
	}
	j.begin()
	if !j.schemas {
		v, err := j.plain(b)
		return nil, v, err
	}
	if j.content != nil {
		v, err := j.ofContent(b)
		return j.content, v, err
	}
	if v, ok := j.again(b); ok {
		return j.readLast, v, nil
	}
	j.begin()
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

// begin forgets what is left of a value that was not read to its end.
func (j *JSON) begin() { j.odd, j.entries, j.values = false, j.entries[:0], j.values[:0] }

func (j *JSON) parse(b []byte) (err error) {
	j.doc = b
	j.nodes, err = parse(b, j.nodes)
	return err
}

// ofContent reads a document of schema.content.
func (j *JSON) ofContent(b []byte) (data.Value, error) {
	if p := (scanner{b: b}); p.next('{') {
		p.i--
		if v, ok := j.quick(&p, j.content, 0, &j.root); ok {
			return v, nil
		}
		j.begin()
	}
	if err := j.parse(b); err != nil {
		return data.Null(), err
	}
	return j.typed(j.content, 0)
}

// again reads a record whose beginning equals the last one's, with its schema.
func (j *JSON) again(b []byte) (v data.Value, ok bool) {
	if len(j.readOpen) == 0 || !bytes.HasPrefix(b, j.readOpen) {
		return v, false
	}
	p := scanner{b: b, i: len(j.readOpen)}
	if v, ok = j.quick(&p, j.readLast, 1, &j.root); !ok || !p.next('}') {
		return v, false
	}
	p.space()
	return v, p.i == len(b)
}

// envelope parses a record and finds its schema; the payload is a member of node 0. The beginning of a record
// that equals the last one's is not parsed again.
func (j *JSON) envelope(b []byte) (*data.Schema, error) {
	if n := len(j.readOpen); n > 0 && bytes.HasPrefix(b, j.readOpen) {
		p := parser{scanner: scanner{b: b, i: n}, nodes: append(j.nodes[:0], node{kind: '{'})}
		at, err := p.value(1)
		if err == nil && p.next('}') {
			if p.space(); p.i == len(b) {
				p.nodes[at].key, p.nodes[0].first = payloadKey, at
				j.nodes, j.doc = p.nodes, b
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
	if schema < payload {
		// As our own converter and Java's write it.
		j.readOpen = append(append(append(j.readOpen, `{"schema":`...), raw...), `,"payload":`...)
	}
	return out, nil
}

var payloadKey = []byte("payload")
