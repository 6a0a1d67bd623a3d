package javaregex

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of groups and classes.
const maxDepth = 200

// parser reads Java's grammar and writes the common one.
type parser struct {
	pattern   string
	in        []rune
	i         int
	depth     int
	flags     flags
	groups    int
	names     map[string]int
	closed    map[int]bool
	backtrack bool
}

type flags struct{ fold, unicode, dotall, unix bool }

// fail is a PatternSyntaxException.
func (p *parser) fail(at int, format string, args ...any) error {
	m := fmt.Sprintf(format, args...)
	if at >= 0 {
		m += fmt.Sprintf(" near index %d", at)
	}
	m += "\n" + p.pattern
	if at >= 0 && at < len(p.in) {
		m += "\n" + strings.Repeat(" ", at) + "^"
	}
	return &SyntaxError{Message: m}
}

func (p *parser) unsupported(what string) error {
	return &SyntaxError{Message: fmt.Sprintf("%s is not supported\n%s", what, p.pattern), Unsupported: true}
}

func (p *parser) peek() rune { return p.at(0) }

func (p *parser) at(n int) rune {
	if p.i+n < len(p.in) {
		return p.in[p.i+n]
	}
	return -1
}

func (p *parser) take(s string) bool {
	r := []rune(s)
	if p.i+len(r) > len(p.in) || string(p.in[p.i:p.i+len(r)]) != s {
		return false
	}
	p.i += len(r)
	return true
}

func (p *parser) parse() (string, error) {
	p.closed = map[int]bool{}
	out, err := p.alternatives()
	if err != nil {
		return "", err
	}
	if p.i < len(p.in) {
		return "", p.fail(p.i-1, "Unmatched closing ')'")
	}
	return out, nil
}

// alternatives reads up to a closing parenthesis or the end.
func (p *parser) alternatives() (string, error) {
	if p.depth++; p.depth > maxDepth {
		return "", p.unsupported(fmt.Sprintf("a nesting deeper than %d", maxDepth))
	}
	defer func() { p.depth-- }()
	var b strings.Builder
	for {
		switch p.peek() {
		case -1, ')':
			return b.String(), nil
		case '|':
			p.i++
			b.WriteByte('|')
		default:
			a, err := p.piece()
			if err != nil {
				return "", err
			}
			b.WriteString(a)
		}
	}
}

// piece is an atom with its quantifier.
func (p *parser) piece() (string, error) {
	a, err := p.atom()
	if err != nil || a == "" {
		return a, err
	}
	switch c := p.peek(); c {
	case '*', '+', '?':
		p.i++
		return p.greed(a, string(c)), nil
	case '{':
		start := p.i
		p.i++
		low, ok := p.number()
		if !ok {
			return "", p.fail(p.i-1, "Illegal repetition")
		}
		times := fmt.Sprintf("{%d}", low)
		if p.take(",") {
			if high, ok := p.number(); ok {
				if high < low {
					return "", p.fail(p.i-1, "Illegal repetition range")
				}
				times = fmt.Sprintf("{%d,%d}", low, high)
			} else {
				times = fmt.Sprintf("{%d,}", low)
			}
		}
		if !p.take("}") {
			return "", p.fail(start, "Unclosed counted closure")
		}
		return p.greed(a, times), nil
	}
	return a, nil
}

func (p *parser) number() (int, bool) {
	start := p.i
	for p.peek() >= '0' && p.peek() <= '9' {
		p.i++
	}
	n, err := strconv.ParseInt(string(p.in[start:p.i]), 10, 32)
	return int(n), err == nil
}

func (p *parser) greed(atom, times string) string {
	switch {
	case p.take("?"):
		return atom + times + "?"
	case p.take("+"):
		p.backtrack = true
		return "(?>" + atom + times + ")"
	}
	return atom + times
}

// emit writes a set under the flags.
func (p *parser) emit(s set) string {
	if p.flags.fold {
		s = s.fold(p.flags.unicode)
	}
	if len(s) == 0 {
		p.backtrack = true
	}
	return s.text()
}

func (p *parser) atom() (string, error) {
	start := p.i
	c := p.peek()
	p.i++
	switch c {
	case '(':
		return p.group()
	case '[':
		s, err := p.class(start)
		if err != nil {
			return "", err
		}
		return s.writeClass(p), nil
	case '.':
		switch {
		case p.flags.dotall:
			return anyRune.text(), nil
		case p.flags.unix:
			return single('\n').not().text(), nil
		}
		return terminator.not().text(), nil
	case '^':
		return `(?:\A)`, nil
	case '$':
		return `(?:\z)`, nil
	case '*', '+', '?':
		return "", p.fail(start, "Dangling meta character '%c'", c)
	case '{':
		return "", p.fail(-1, "Illegal repetition")
	case '\\':
		return p.escape(start)
	}
	return p.emit(single(c)), nil
}

// writeClass writes a class, whose parts were folded as they were read.
func (s set) writeClass(p *parser) string {
	if len(s) == 0 {
		p.backtrack = true
	}
	return s.text()
}

func (p *parser) group() (string, error) {
	open, number := "(", 0
	saved := p.flags
	if p.take("?") {
		switch {
		case p.take(":"):
			open = "(?:"
		case p.take("="), p.take("!"), p.take(">"):
			open, p.backtrack = "(?"+string(p.in[p.i-1]), true
		case p.take("<="), p.take("<!"):
			open, p.backtrack = "(?<"+string(p.in[p.i-1]), true
		case p.take("<"):
			name := p.name()
			if name == "" || !p.take(">") {
				return "", p.fail(p.i, "named capturing group is missing trailing '>'")
			}
			if _, ok := p.names[name]; ok {
				return "", p.fail(p.i-1, "Named capturing group <%s> is already defined", name)
			}
			p.groups++
			number, p.names[name] = p.groups, p.groups
		default:
			scoped, err := p.readFlags()
			if err != nil || !scoped {
				return "", err
			}
			open = "(?:"
		}
	} else {
		p.groups++
		number = p.groups
	}
	body, err := p.alternatives()
	if err != nil {
		return "", err
	}
	if !p.take(")") {
		return "", p.fail(len(p.in), "Unclosed group")
	}
	p.flags = saved
	if number > 0 {
		p.closed[number] = true
	}
	return open + body + ")", nil
}

func (p *parser) name() string {
	start := p.i
	for c := p.peek(); c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || p.i > start && c >= '0' && c <= '9'; c = p.peek() {
		p.i++
	}
	return string(p.in[start:p.i])
}

// readFlags reads (?flags) or, scoped, (?flags:.
func (p *parser) readFlags() (scoped bool, err error) {
	on := true
	for {
		c := p.peek()
		p.i++
		switch c {
		case 'i':
			p.flags.fold = on
		case 'u':
			p.flags.unicode = on
		case 's':
			p.flags.dotall = on
		case 'd':
			p.flags.unix = on
		case 'm': // a name of a topic has one line
		case 'x', 'U', 'c':
			return false, p.unsupported("the flag (?" + string(c) + ")")
		case '-':
			if !on {
				return false, p.fail(p.i-1, "Unknown inline modifier")
			}
			on = false
		case ':':
			return true, nil
		case ')':
			return false, nil
		default:
			return false, p.fail(p.i-1, "Unknown inline modifier")
		}
	}
}
