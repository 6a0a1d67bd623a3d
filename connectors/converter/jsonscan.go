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

// scanner reads the words of a document: strings, numbers, and what lies between them. Both readers have it: the one that makes
// values at once (jsonvalue.go), and the one that makes nodes (jsonparse.go).
type scanner struct {
	b []byte
	i int
}

const (
	maxDepth    = 1000 // Jackson's limit
	maxExponent = 2_000_000_000
)

// end says whether a document may end after its first value, which begins with first: a word or a number has to end where it
// ends. What comes after the value is nobody's, as in JsonDeserializer.
func (p *scanner) end(first byte) error {
	if first == '{' || first == '[' || first == '"' || p.i == len(p.b) || strings.IndexByte(" \t\r\n", p.b[p.i]) >= 0 {
		return nil
	}
	if first >= 'a' && !wordGoesOn(p.b[p.i]) {
		return nil
	}
	return p.bad("nothing right after the value")
}

func wordGoesOn(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// noJSON says that bytes are no JSON, in JsonConverter's words, and why.
func noJSON(format string, args ...any) error {
	return &Error{Message: "Converting byte[] to Kafka Connect data failed due to serialization error: ", Detail: fmt.Sprintf(format, args...)}
}

func tooDeep() error { return noJSON("it is nested more than %d deep", maxDepth) }

func (p *scanner) bad(want string) error {
	if p.i >= len(p.b) {
		return noJSON("it ends at byte %d: want %s", p.i, want)
	}
	return noJSON("at byte %d: found %q, want %s", p.i, p.b[p.i], want)
}

func (p *scanner) space() {
	for p.i < len(p.b) && p.b[p.i] <= ' ' && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\t' || p.b[p.i] == '\r') {
		p.i++
	}
}

func (p *scanner) next(c byte) bool {
	if p.space(); p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

// name reads a member's name and the colon after it.
func (p *scanner) name() (key []byte, escaped bool, err error) {
	if p.space(); p.i >= len(p.b) || p.b[p.i] != '"' {
		return nil, false, p.bad("a member's name")
	}
	key, escaped, err = p.str()
	if err != nil {
		return nil, false, err
	}
	if escaped {
		key = unescape(nil, key)
	}
	if !p.next(':') {
		return nil, false, p.bad("a colon")
	}
	return key, escaped, nil
}

func (p *scanner) word(w string) error {
	if len(p.b)-p.i < len(w) || string(p.b[p.i:p.i+len(w)]) != w {
		return p.bad(w)
	}
	p.i += len(w)
	return nil
}

// number is a number of a document.
type number struct {
	text []byte
	// digits are all of it before an exponent, without the point, modulo 2^64; count is how many, of which scale follow the point.
	digits       uint64
	count, scale int
	negative     bool
	exponent     bool
}

// read reads digits.
func (n *number) read(p *scanner) (some bool) {
	i, digits := p.i, n.digits
	for ; len(p.b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(p.b[i:])
		if (w&(w+0x06*ones))&(0xF0*ones) != '0'*ones {
			break
		}
		digits = digits*100_000_000 + eightDigits(w)
	}
	for ; i < len(p.b); i++ {
		d := p.b[i] - '0'
		if d > 9 {
			break
		}
		digits = digits*10 + uint64(d)
	}
	read := i - p.i
	p.i, n.digits, n.count = i, digits, n.count+read
	return read > 0
}

// eightDigits is what eight digits say, the first the highest: pairs of digits become numbers of two, of four, and one of eight.
func eightDigits(w uint64) uint64 {
	w -= '0' * ones
	w = w*10 + w>>8
	return (w&0x000000FF000000FF*(100+1_000_000<<32) + w>>16&0x000000FF000000FF*(1+10_000<<32)) >> 32
}

// number reads a number into n, which is zero.
func (p *scanner) number(n *number) error {
	start := p.i
	if p.b[p.i] == '-' {
		n.negative = true
		p.i++
	}
	if !n.read(p) { // leading zeros are taken, as JsonDeserializer has it
		return p.bad("a number")
	}
	if p.i < len(p.b) && p.b[p.i] == '.' {
		p.i++
		whole := n.count
		if !n.read(p) {
			return p.bad("a digit")
		}
		n.scale = n.count - whole
	}
	if p.i < len(p.b) && p.b[p.i]|0x20 == 'e' {
		n.exponent = true
		if err := p.exponent(); err != nil {
			return err
		}
	}
	n.text = p.b[start:p.i]
	return nil
}

func (p *scanner) exponent() error {
	p.i++
	if p.i < len(p.b) && (p.b[p.i] == '+' || p.b[p.i] == '-') {
		p.i++
	}
	start := p.i
	var n number
	if !n.read(p) {
		return p.bad("a digit")
	}
	if e, err := strconv.ParseInt(string(p.b[start:p.i]), 10, 32); err != nil || e > maxExponent {
		return p.bad("an exponent that BigDecimal has")
	}
	return nil
}

func (n *number) integer() bool { return n.scale == 0 && !n.exponent }

// long is an integer as Java's longValue has it: what does not fit loses its high bits.
func (n *number) long() int64 {
	if n.negative {
		return -int64(n.digits) //nolint:gosec // meant to wrap
	}
	return int64(n.digits) //nolint:gosec // meant to wrap
}

// exact are the powers of ten by which 15 digits are divided with one rounding.
var exact = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// float is Jackson's doubleValue or floatValue: out of range is infinite, and there is no -0.
func (n *number) float(bits int) float64 {
	var f float64
	if bits == 64 && !n.exponent && n.count < len(exact) {
		if f = float64(n.digits) / exact[n.scale]; n.negative {
			f = -f
		}
	} else {
		f, _ = strconv.ParseFloat(string(n.text), bits) // out of range is infinite
	}
	if f == 0 {
		return 0
	}
	return f
}

// str reads a string with its quotes.
func (p *scanner) str() (text []byte, escaped bool, err error) {
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

// specials marks, by its highest bit, the first of eight bytes that does not mean itself in a string: a quote, a backslash or a control
// character. (w-n*ones)&^w&highs marks bytes that are less than n; above the first of them it may mark others.
func specials(w uint64) uint64 {
	quote, slash := w^('"'*ones), w^('\\'*ones)
	return ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// plainRun is how many bytes mean themselves in a string, up to the first that may not: a quote, a backslash, a control character, or
// one of the last seven of b. high has the highest bit where one of them has it.
func plainRun(b []byte) (n int, high byte) {
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		plain := 8
		if special := specials(w); special != 0 {
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

// asciiRun is how many characters from the first on are ASCII and mean themselves in a string.
func asciiRun(s string) (n int) {
	for ; len(s)-n >= 8; n += 8 {
		w := load(s[n : n+8])
		if special := specials(w) | w&highs; special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for ; n < len(s); n++ {
		if c := s[n]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return n
}

// load is eight bytes as one number, the first the lowest.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (p *scanner) escape() error {
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
