package converter

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

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

const (
	maxDepth    = 1000 // Jackson's limit
	maxExponent = 2_000_000_000
)

// parser reads one document.
type parser struct {
	b     []byte
	i     int
	nodes []node
}

// missing is the kind of a document without a value.
const missing = 'm'

// parse reads the first value of b into nodes; node 0 is the root. The nodes point into b. As Jackson in JsonDeserializer, it
// leaves what comes after the value.
func parse(b []byte, nodes []node) ([]node, error) {
	p := parser{b: b, nodes: nodes[:0]}
	if p.space(); p.i == len(p.b) {
		return append(p.nodes, node{kind: missing}), nil
	}
	if _, err := p.value(0); err != nil {
		return p.nodes, err
	}
	// A word or a number has to end where it ends.
	if k := p.nodes[0].kind; k != '{' && k != '[' && k != '"' && p.i < len(p.b) && strings.IndexByte(" \t\r\n", p.b[p.i]) < 0 && (k == '0' || wordGoesOn(p.b[p.i])) {
		return p.nodes, p.bad("nothing right after the value")
	}
	return p.nodes, nil
}

func wordGoesOn(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// noJSON says that bytes are no JSON, in JsonConverter's words, and why.
func noJSON(format string, args ...any) error {
	return &Error{Message: "Converting byte[] to Kafka Connect data failed due to serialization error: ", Detail: fmt.Sprintf(format, args...)}
}

func (p *parser) bad(want string) error {
	if p.i >= len(p.b) {
		return noJSON("it ends at byte %d: want %s", p.i, want)
	}
	return noJSON("at byte %d: found %q, want %s", p.i, p.b[p.i], want)
}

func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\t' || p.b[p.i] == '\r') {
		p.i++
	}
}

func (p *parser) next(c byte) bool {
	if p.space(); p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) value(depth int) (int, error) {
	if depth > maxDepth {
		return 0, noJSON("it is nested more than %d deep", maxDepth)
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
		err = p.number(at)
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
			if p.space(); p.i >= len(p.b) || p.b[p.i] != '"' {
				return p.bad("a member's name")
			}
			text, escaped, err := p.str()
			if err != nil {
				return err
			}
			if key = text; escaped {
				key = unescape(nil, text)
			}
			if !p.next(':') {
				return p.bad("a colon")
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

func (p *parser) word(w string) error {
	if len(p.b)-p.i < len(w) || string(p.b[p.i:p.i+len(w)]) != w {
		return p.bad(w)
	}
	p.i += len(w)
	return nil
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

func (p *parser) number(at int) error {
	start := p.i
	n := &p.nodes[at]
	n.kind, n.integer = '0', true
	if p.b[p.i] == '-' {
		p.i++
	}
	if !p.digits() { // leading zeros are taken, as JsonDeserializer has it
		return p.bad("a number")
	}
	if p.i < len(p.b) && p.b[p.i] == '.' {
		p.i++
		if n.integer = false; !p.digits() {
			return p.bad("a digit")
		}
	}
	if p.i < len(p.b) && (p.b[p.i] == 'e' || p.b[p.i] == 'E') {
		p.i++
		if p.i < len(p.b) && (p.b[p.i] == '+' || p.b[p.i] == '-') {
			p.i++
		}
		digits := p.i
		if n.integer = false; !p.digits() {
			return p.bad("a digit")
		}
		if e, err := strconv.ParseInt(string(p.b[digits:p.i]), 10, 32); err != nil || e > maxExponent {
			return p.bad("an exponent that BigDecimal has")
		}
	}
	n.text = p.b[start:p.i]
	return nil
}

// str reads a string with its quotes.
func (p *parser) str() (text []byte, escaped bool, err error) {
	p.i++
	start := p.i
	var all byte // all bytes, or-ed: most strings are ASCII
	for p.i < len(p.b) {
		if n, high := plainRun(p.b[p.i:]); n > 0 {
			p.i, all = p.i+n, all|high
			continue
		}
		c := p.b[p.i]
		all |= c
		switch {
		case c == '"':
			text = p.b[start:p.i]
			if all >= utf8.RuneSelf && !utf8.Valid(text) {
				return nil, false, noJSON("the string from byte %d on is not valid UTF-8", start)
			}
			p.i++
			return text, escaped, nil
		case c < ' ':
			return nil, false, p.bad("no control character in a string")
		case c == '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return nil, false, err
			}
		default:
			p.i++
		}
	}
	return nil, false, p.bad("the end of a string")
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainRun is how many bytes mean themselves in a string, up to the first that may not: a quote, a backslash, a control character, or
// one of the last seven of b. high has the highest bit where one of them has it. Of eight bytes at once, (w-n*ones)&^w&highs marks
// those that are less than n; above the first of them it may mark others.
func plainRun(b []byte) (n int, high byte) {
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		plain := 8
		if special := ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs; special != 0 {
			plain = bits.TrailingZeros64(special) / 8
		}
		if w<<(64-8*plain)&highs != 0 { // a shift by 64 leaves nothing
			high = 0x80
		}
		if plain < 8 {
			return n + plain, high
		}
	}
	return n, high
}

func (p *parser) escape() error {
	if p.i++; p.i >= len(p.b) {
		return p.bad("an escape")
	}
	switch p.b[p.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.i++
		return nil
	case 'u':
		if len(p.b)-p.i >= 5 {
			if _, err := strconv.ParseUint(string(p.b[p.i+1:p.i+5]), 16, 32); err == nil {
				p.i += 5
				return nil
			}
		}
	}
	return p.bad("an escape")
}

// unescape appends the text of a string whose escapes were checked.
func unescape(out, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) && len(s)-i > 6 && s[i+1] == '\\' && s[i+2] == 'u' {
				if both := utf16.DecodeRune(r, hex4(s[i+3:])); both != utf8.RuneError {
					r = both
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, s[i])
		}
	}
	return out
}

func hex4(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 32)
	return rune(n)
}
