package javaregex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dlclark/regexp2"
)

var (
	// ErrArgument is wrapped where Java throws an IllegalArgumentException.
	ErrArgument = errors.New("javaregex: illegal argument")
	// ErrGroup is wrapped where Java throws an IndexOutOfBoundsException.
	ErrGroup = errors.New("javaregex: no such group")
)

// SyntaxError is Java's PatternSyntaxException, with its message; also for what is not supported here.
type SyntaxError struct {
	Message string
	// Unsupported says that Java would take the pattern.
	Unsupported bool
}

func (e *SyntaxError) Error() string { return e.Message }

// Regex is a compiled pattern. Safe for concurrent use.
type Regex struct {
	groups int
	names  map[string]int
	// whole matches a whole text, first finds the first match.
	whole, first   *regexp.Regexp
	whole2, first2 *regexp2.Regexp
}

// Compile compiles a pattern. The error is a *SyntaxError.
func Compile(pattern string) (*Regex, error) {
	p := &parser{pattern: pattern, in: []rune(pattern), names: map[string]int{}}
	out, err := p.parse()
	if err != nil {
		return nil, err
	}
	r := &Regex{groups: p.groups, names: p.names}
	if !p.backtrack {
		whole, err := regexp.Compile(`\A(?:` + out + `)\z`)
		if err == nil {
			r.whole, r.first = whole, regexp.MustCompile(out)
			return r, nil
		}
		// Too large for RE2, as a repetition of more than a thousand.
	}
	if r.whole2, err = regexp2.Compile(`\A(?:`+out+`)\z`, regexp2.None); err == nil {
		r.first2, err = regexp2.Compile(out, regexp2.None)
	}
	if err != nil {
		return nil, &SyntaxError{Message: fmt.Sprintf("the pattern is not supported: %v\n%s", err, pattern), Unsupported: true}
	}
	return r, nil
}

// Matches says whether the pattern matches the whole text, as Matcher.matches.
func (r *Regex) Matches(s string) bool {
	if r.whole != nil {
		return r.whole.MatchString(s)
	}
	ok, err := r.whole2.MatchString(s)
	return ok && err == nil // there is no error without a timeout
}

// Replacement is a replacement string, read for one pattern.
type Replacement struct{ parts []part }

// part is a text, or a group.
type part struct {
	text  string
	group int
}

// Replacement reads a replacement string: $1, ${name}, and \ before what is meant literally. Java finds its faults
// only at the first match, so callers may want to keep the error (ErrArgument, ErrGroup) until then.
func (r *Regex) Replacement(s string) (*Replacement, error) {
	var out []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, part{text: text.String(), group: -1})
			text.Reset()
		}
	}
	digit := func(i int) (int, bool) {
		if i < len(s) && s[i] >= '0' && s[i] <= '9' {
			return int(s[i] - '0'), true
		}
		return 0, false
	}
	for i := 0; i < len(s); {
		switch s[i] {
		case '\\':
			if i+1 == len(s) {
				return nil, fmt.Errorf("%w: character to be escaped is missing", ErrArgument)
			}
			text.WriteByte(s[i+1])
			i += 2
		case '$':
			i++
			if i == len(s) {
				return nil, fmt.Errorf("%w: Illegal group reference: group index is missing", ErrArgument)
			}
			n := 0
			if s[i] == '{' {
				end := i + 1
				for end < len(s) && (s[end] >= 'a' && s[end] <= 'z' || s[end] >= 'A' && s[end] <= 'Z' || s[end] >= '0' && s[end] <= '9') {
					end++
				}
				name := s[i+1 : end]
				if name == "" {
					return nil, fmt.Errorf("%w: named capturing group has 0 length name", ErrArgument)
				}
				if end == len(s) || s[end] != '}' {
					return nil, fmt.Errorf("%w: named capturing group is missing trailing '}'", ErrArgument)
				}
				if name[0] >= '0' && name[0] <= '9' {
					return nil, fmt.Errorf("%w: capturing group name {%s} starts with digit character", ErrArgument, name)
				}
				var ok bool
				if n, ok = r.names[name]; !ok {
					return nil, fmt.Errorf("%w: No group with name {%s}", ErrArgument, name)
				}
				i = end + 1
			} else {
				var ok bool
				if n, ok = digit(i); !ok {
					return nil, fmt.Errorf("%w: Illegal group reference", ErrArgument)
				}
				for i++; ; i++ { // the largest group that there is
					d, ok := digit(i)
					if !ok || n*10+d > r.groups {
						break
					}
					n = n*10 + d
				}
				if n > r.groups {
					return nil, fmt.Errorf("%w: No group %d", ErrGroup, n)
				}
			}
			flush()
			out = append(out, part{group: n})
		default:
			text.WriteByte(s[i])
			i++
		}
	}
	flush()
	return &Replacement{out}, nil
}

// ReplaceFirst replaces the first match, as Matcher.replaceFirst. Without a match the text comes back.
func (r *Regex) ReplaceFirst(s string, with *Replacement) string {
	var b strings.Builder
	if r.first != nil {
		at := r.first.FindStringSubmatchIndex(s)
		if at == nil {
			return s
		}
		b.WriteString(s[:at[0]])
		for _, p := range with.parts {
			if p.group < 0 {
				b.WriteString(p.text)
			} else if at[2*p.group] >= 0 {
				b.WriteString(s[at[2*p.group]:at[2*p.group+1]])
			}
		}
		b.WriteString(s[at[1]:])
		return b.String()
	}
	m, err := r.first2.FindStringMatch(s)
	if m == nil || err != nil {
		return s
	}
	runes := []rune(s)
	b.WriteString(string(runes[:m.Index]))
	for _, p := range with.parts {
		if p.group < 0 {
			b.WriteString(p.text)
		} else if g := m.GroupByNumber(p.group); g != nil && len(g.Captures) > 0 {
			b.WriteString(g.String())
		}
	}
	b.WriteString(string(runes[m.Index+m.Length:]))
	return b.String()
}
