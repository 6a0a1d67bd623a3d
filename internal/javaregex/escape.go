package javaregex

import (
	"fmt"
	"strconv"
	"strings"
)

// escape is what follows a backslash outside of a class.
func (p *parser) escape(start int) (string, error) {
	c := p.peek()
	switch {
	case c == 'Q':
		p.i++
		return p.quoted(), nil
	case c == 'A':
		p.i++
		return `(?:\A)`, nil
	case c == 'z', c == 'Z':
		p.i++
		return `(?:\z)`, nil
	case c == 'b' && p.at(1) != '{', c == 'B':
		p.i++
		return `(?:\` + string(c) + `)`, nil
	case c == 'G', c == 'R', c == 'X', c == 'b':
		return "", p.unsupported(`\` + string(c))
	case c >= '1' && c <= '9':
		p.i++
		n := int(c - '0')
		for d := p.peek(); d >= '0' && d <= '9' && n*10+int(d-'0') <= p.groups; d = p.peek() {
			n = n*10 + int(d-'0')
			p.i++
		}
		return p.reference(n)
	case c == 'k':
		p.i++
		if !p.take("<") {
			return "", p.fail(p.i, `\k is not followed by '<' for named capturing group`)
		}
		name := p.name()
		if !p.take(">") {
			return "", p.fail(p.i, "named capturing group is missing trailing '>'")
		}
		n, ok := p.names[name]
		if !ok {
			return "", p.fail(p.i-1, "named capturing group <%s> does not exist", name)
		}
		return p.reference(n)
	}
	s, folds, err := p.shared(start)
	if err != nil {
		return "", err
	}
	if folds {
		return p.emit(s), nil
	}
	return s.writeClass(p), nil
}

func (p *parser) reference(n int) (string, error) {
	if !p.closed[n] {
		return "", p.unsupported(fmt.Sprintf(`\%d, a reference to a group that is not closed before it,`, n))
	}
	if p.flags.fold {
		return "", p.unsupported(fmt.Sprintf(`\%d without regard to case`, n))
	}
	p.backtrack = true
	return fmt.Sprintf(`(?:\%d)`, n), nil
}

// quoted is \Q...\E. A quantifier that follows is its last character's.
func (p *parser) quoted() string {
	var b strings.Builder
	for p.i < len(p.in) && !p.take(`\E`) {
		b.WriteString(p.emit(single(p.in[p.i])))
		p.i++
	}
	return b.String()
}

// shared are the escapes that classes know too. folds says that flags of case apply.
func (p *parser) shared(start int) (s set, folds bool, err error) {
	c := p.peek()
	if c < 0 {
		return nil, false, p.fail(start+1, "Unexpected internal error")
	}
	p.i++
	switch c {
	case 'd':
		return digits, false, nil
	case 'D':
		return digits.not(), false, nil
	case 'w':
		return words, false, nil
	case 'W':
		return words.not(), false, nil
	case 's':
		return spaces, false, nil
	case 'S':
		return spaces.not(), false, nil
	case 'h':
		return horizontal, false, nil
	case 'H':
		return horizontal.not(), false, nil
	case 'v':
		return vertical, false, nil
	case 'V':
		return vertical.not(), false, nil
	case 'p', 'P':
		s, err := p.property()
		if c == 'P' {
			s = s.not()
		}
		return s, true, err
	}
	if c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z' {
		return single(c), true, nil
	}
	r, err := p.char(c)
	return single(r), true, err
}

// char are the escapes of single characters; c is taken already.
func (p *parser) char(c rune) (rune, error) {
	if r, ok := map[rune]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'a': 7, 'e': 27}[c]; ok {
		return r, nil
	}
	at := p.i - 1
	hex := func(n int) (rune, bool) {
		if p.i+n > len(p.in) {
			return 0, false
		}
		v, err := strconv.ParseUint(string(p.in[p.i:p.i+n]), 16, 32)
		if err == nil {
			p.i += n
		}
		return rune(v), err == nil && v <= 0x10FFFF
	}
	switch c {
	case 'c':
		if p.peek() < 0 {
			return 0, p.fail(p.i, "Illegal control escape sequence")
		}
		p.i++
		return p.in[p.i-1] ^ 64, nil
	case 'x':
		if p.take("{") {
			n := 0
			for p.at(n) >= 0 && p.at(n) != '}' {
				n++
			}
			if r, ok := hex(n); ok && p.take("}") {
				return r, nil
			}
			return 0, p.fail(p.i, "Unclosed hexadecimal escape sequence")
		}
		if r, ok := hex(2); ok {
			return r, nil
		}
		return 0, p.fail(p.i, "Illegal hexadecimal escape sequence")
	case 'u':
		if r, ok := hex(4); ok {
			return r, nil
		}
		return 0, p.fail(p.i, "Illegal Unicode escape sequence")
	case '0':
		n, v := 0, rune(0)
		for n < 3 && p.peek() >= '0' && p.peek() <= '7' && v*8+p.peek()-'0' <= 0o377 {
			v = v*8 + p.peek() - '0'
			p.i++
			n++
		}
		if n == 0 {
			return 0, p.fail(p.i, "Illegal octal escape sequence")
		}
		return v, nil
	case 'N':
		return 0, p.unsupported(`\N`)
	}
	return 0, p.fail(at, "Illegal/unsupported escape sequence")
}

// property is \pL or \p{name}.
func (p *parser) property() (set, error) {
	var name string
	if p.take("{") {
		end := p.i
		for end < len(p.in) && p.in[end] != '}' {
			end++
		}
		if end == len(p.in) {
			return nil, p.fail(len(p.in)-1, "Unclosed character family")
		}
		name = string(p.in[p.i:end])
		p.i = end + 1
	} else if p.peek() >= 0 {
		name = string(p.peek())
		p.i++
	}
	if strings.HasPrefix(name, "In") || strings.HasPrefix(name, "java") || strings.HasPrefix(name, "blk=") || strings.HasPrefix(name, "block=") {
		return nil, p.unsupported(`\p{` + name + `}`)
	}
	s, ok := property(name)
	if !ok {
		return nil, p.fail(p.i-1, "Unknown character property name {%s}", name)
	}
	return s, nil
}

// class reads a class whose [ is taken already.
func (p *parser) class(start int) (set, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.unsupported(fmt.Sprintf("a nesting deeper than %d", maxDepth))
	}
	defer func() { p.depth-- }()
	negate := p.take("^")
	var all, now set
	seen, joined := false, false
	for {
		at := p.i
		switch c := p.peek(); {
		case c < 0:
			return nil, p.fail(len(p.in)-1, "Unclosed character class")
		case c == ']' && (seen || joined):
			p.i++
			if joined && seen {
				all = all.and(now)
			} else if !joined {
				all = now
			}
			if negate {
				all = all.not()
			}
			return all, nil
		case c == '[':
			p.i++
			s, err := p.class(at)
			if err != nil {
				return nil, err
			}
			now, seen = now.or(s), true
		case c == '&' && p.at(1) == '&':
			for p.take("&") { // any number is one operator
			}
			switch {
			case !seen && !joined:
				return nil, p.unsupported("an intersection with nothing before it")
			case joined && seen:
				all = all.and(now)
			case !joined:
				all = now
			}
			now, seen, joined = nil, false, true
		default:
			s, err := p.member(start)
			if err != nil {
				return nil, err
			}
			now, seen = now.or(s), true
		}
	}
}

// member is a character, a range or a class by name.
func (p *parser) member(start int) (set, error) {
	low, one, err := p.one(start)
	if err != nil || !one {
		return low, err
	}
	s := low
	if p.peek() == '-' && p.at(1) != ']' && p.at(1) != '[' && p.at(1) >= 0 {
		at := p.i
		p.i++
		high, one, err := p.one(start)
		switch {
		case err != nil:
			return nil, err
		case !one:
			s = low.or(single('-')).or(high)
		case high[0][0] < low[0][0]:
			return nil, p.fail(at+1, "Illegal character range")
		default:
			s = set{{low[0][0], high[0][0]}}
		}
	}
	if p.flags.fold {
		s = s.fold(p.flags.unicode)
	}
	return s, nil
}

// one reads one character, or a class by name, for which character is false.
func (p *parser) one(start int) (s set, character bool, err error) {
	c := p.peek()
	p.i++
	if c != '\\' {
		return single(c), true, nil
	}
	if p.peek() == 'Q' {
		return nil, false, p.unsupported(`\Q inside a class`)
	}
	named := strings.ContainsRune("dDwWsShHvVpP", p.peek())
	s, folds, err := p.shared(start)
	if err == nil && named && folds && p.flags.fold {
		s = s.fold(p.flags.unicode)
	}
	return s, !named, err
}
