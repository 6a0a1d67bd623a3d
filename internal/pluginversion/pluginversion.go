// Package pluginversion reads what configs and requests say of a plugin's version: a version, which is exact, a Maven
// version range as [1.0,2.0), or `latest` (KIP-891).
//
// Versions are compared as Maven does: numbers as numbers, known qualifiers (alpha, beta, milestone, rc, snapshot,
// release, sp) in that order, others by their text. A hyphen counts as a dot.
package pluginversion

import (
	"cmp"
	"fmt"
	"strings"
)

// Latest asks for the newest version.
const Latest = "latest"

// Requirement is what a version has to be. The zero Requirement takes any.
type Requirement struct{ ranges []bounds }

type bounds struct {
	lower, upper          *string // nil is open
	lowerClosed, upClosed bool
}

// Parse reads a requirement. The error says what is wrong with it, in Maven's words.
func Parse(spec string) (Requirement, error) {
	if spec == Latest {
		return Requirement{}, nil
	}
	rest := strings.TrimSpace(spec)
	if !strings.HasPrefix(rest, "[") && !strings.HasPrefix(rest, "(") {
		rest = "[" + rest + "]"
	}
	var out Requirement
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return Requirement{}, fmt.Errorf("Unbounded range: %s", spec)
		}
		b, err := parseBounds(rest[:end+1])
		if err != nil {
			return Requirement{}, err
		}
		if n := len(out.ranges); n > 0 {
			if last := out.ranges[n-1].upper; last == nil || b.lower == nil || Compare(*b.lower, *last) < 0 {
				return Requirement{}, fmt.Errorf("Ranges overlap: %s", spec)
			}
		}
		out.ranges = append(out.ranges, b)
		rest = strings.TrimSpace(rest[end+1:])
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	if rest != "" {
		return Requirement{}, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec)
	}
	return out, nil
}

func parseBounds(s string) (bounds, error) {
	b := bounds{lowerClosed: s[0] == '[', upClosed: s[len(s)-1] == ']'}
	inner := strings.TrimSpace(s[1 : len(s)-1])
	low, high, two := strings.Cut(inner, ",")
	if !two {
		if !b.lowerClosed || !b.upClosed {
			return b, fmt.Errorf("Single version must be surrounded by []: %s", s)
		}
		b.lower, b.upper = &inner, &inner
		return b, nil
	}
	if low = strings.TrimSpace(low); low != "" {
		b.lower = &low
	}
	if high = strings.TrimSpace(high); high != "" {
		b.upper = &high
	}
	if b.lower != nil && b.upper != nil && Compare(high, low) < 0 {
		return b, fmt.Errorf("Range defies version ordering: %s", s)
	}
	return b, nil
}

// Allows says whether a version is within the requirement.
func (r Requirement) Allows(version string) bool {
	for _, b := range r.ranges {
		low, high := 1, -1
		if b.lower != nil {
			low = Compare(version, *b.lower)
		}
		if b.upper != nil {
			high = Compare(version, *b.upper)
		}
		if (low > 0 || low == 0 && b.lowerClosed) && (high < 0 || high == 0 && b.upClosed) {
			return true
		}
	}
	return len(r.ranges) == 0
}

// String is the requirement as Maven prints it.
func (r Requirement) String() string {
	if len(r.ranges) == 0 {
		return Latest
	}
	parts := make([]string, 0, len(r.ranges))
	for _, b := range r.ranges {
		text := "("
		if b.lowerClosed {
			text = "["
		}
		if b.lower != nil {
			text += *b.lower
		}
		text += ","
		if b.upper != nil {
			text += *b.upper
		}
		if b.upClosed {
			text += "]"
		} else {
			text += ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ",")
}

// Compare orders two versions: -1, 0 or 1.
func Compare(a, b string) int {
	x, y := tokens(a), tokens(b)
	for i := range max(len(x), len(y)) {
		var s, t string
		if i < len(x) {
			s = x[i]
		}
		if i < len(y) {
			t = y[i]
		}
		if c := compareToken(s, t); c != 0 {
			return c
		}
	}
	return 0
}

// tokens cuts a version at its separators, and between digits and letters.
func tokens(v string) []string {
	var out []string
	start := 0
	flush := func(end int) {
		if end > start {
			out = append(out, strings.ToLower(v[start:end]))
		}
	}
	for i := range len(v) {
		switch {
		case v[i] == '.' || v[i] == '-' || v[i] == '_':
			flush(i)
			start = i + 1
		case i > start && digit(v[i]) != digit(v[i-1]):
			flush(i)
			start = i
		}
	}
	flush(len(v))
	return out
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// qualifiers are those that Maven knows, in order. What is missing is a release, and any number is above them all.
var qualifiers = map[string]int{"alpha": 1, "a": 1, "beta": 2, "b": 2, "milestone": 3, "m": 3, "rc": 4, "cr": 4, "snapshot": 5, "": 6, "ga": 6, "final": 6, "release": 6, "sp": 7}

const otherQualifier = 8

func compareToken(s, t string) int {
	sn, tn := number(s), number(t)
	if sn != "" || tn != "" {
		// A zero equals nothing at all.
		if zero(s, sn) && zero(t, tn) {
			return 0
		}
		switch {
		case sn == "":
			return -1
		case tn == "":
			return 1
		}
		return cmp.Or(cmp.Compare(len(sn), len(tn)), strings.Compare(sn, tn))
	}
	return cmp.Or(cmp.Compare(rank(s), rank(t)), strings.Compare(other(s), other(t)))
}

// number is a token's digits without leading zeros, empty where it is no number.
func number(s string) string {
	if s == "" || !digit(s[0]) {
		return ""
	}
	if n := strings.TrimLeft(s, "0"); n != "" {
		return n
	}
	return "0"
}

func zero(s, n string) bool { return n == "0" || rank(s) == qualifiers[""] && n == "" }

func rank(s string) int {
	if r, ok := qualifiers[s]; ok {
		return r
	}
	return otherQualifier
}

func other(s string) string {
	if _, ok := qualifiers[s]; ok {
		return ""
	}
	return s
}
