package converter

// node is a value of a parsed document. Nodes are in one slice that is used again for each record; a parsed
// record costs no allocation for its structure.
type node struct {
	kind byte // one of n t f 0 " [ {
	// text is a number as it stands, or a string between its quotes; escaped says that it has escapes.
	text    []byte
	escaped bool
	integer bool
	// key is the member's name in an object, already unescaped.
	key []byte
	// from and to are the bytes of the whole value.
	from, to int
	// first and next are indices of nodes; 0 is none, as node 0 is the root.
	first, next int
}

// parser reads one document into nodes.
type parser struct {
	scanner
	nodes []node
}

// missing is the kind of a document without a value.
const missing = 'm'

// parse reads the first value of b into nodes; node 0 is the root. The nodes point into b. As Jackson in JsonDeserializer, it
// leaves what comes after the value.
func parse(b []byte, nodes []node) ([]node, error) {
	p := parser{scanner: scanner{b: b}, nodes: nodes[:0]}
	if p.space(); p.i == len(p.b) {
		return append(p.nodes, node{kind: missing, from: p.i, to: p.i}), nil
	}
	if _, err := p.value(0); err != nil {
		return p.nodes, err
	}
	return p.nodes, p.end(b[p.nodes[0].from])
}

func (p *parser) value(depth int) (int, error) {
	if depth > maxDepth {
		return 0, tooDeep()
	}
	p.space()
	if p.i >= len(p.b) {
		return 0, p.bad("a value")
	}
	at := len(p.nodes)
	c := p.b[p.i]
	p.nodes = append(p.nodes, node{kind: c, from: p.i})
	var err error
	switch {
	case c == '{', c == '[':
		err = p.children(at, depth)
	case c == '"':
		var escaped bool
		var text []byte
		text, escaped, err = p.str()
		p.nodes[at].text, p.nodes[at].escaped = text, escaped
	case c == 't':
		err = p.word("true")
	case c == 'f':
		err = p.word("false")
	case c == 'n':
		err = p.word("null")
	case c == '-' || c >= '0' && c <= '9':
		var num number
		err = p.number(&num)
		n := &p.nodes[at]
		n.kind, n.text, n.integer = '0', num.text, num.integer()
	default:
		err = p.bad("a value")
	}
	p.nodes[at].to = p.i
	return at, err
}

func (p *parser) children(at, depth int) error {
	object := p.b[p.i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	p.i++
	if p.next(end) {
		return nil
	}
	for last := 0; ; {
		var key []byte
		if object {
			var err error
			if key, _, err = p.name(); err != nil {
				return err
			}
		}
		child, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		p.nodes[child].key = key
		if last == 0 {
			p.nodes[at].first = child
		} else {
			p.nodes[last].next = child
		}
		last = child
		if p.next(end) {
			return nil
		}
		if !p.next(',') {
			return p.bad("a comma or " + string(end))
		}
	}
}
