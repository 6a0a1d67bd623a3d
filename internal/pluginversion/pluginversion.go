// Package pluginversion reads what configs and requests say of a plugin's version: a version, which is exact, a
// version range as Maven writes it, such as [4.0,5.0) or (,4.2], several joined by commas, or `latest` (KIP-891).
// Order and messages are Maven's.
package pluginversion

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Latest asks for the newest version.
const Latest = "latest"

// Requirement is what a version has to be. The zero Requirement takes any.
type Requirement struct {
	restrictions []restriction
}

type restriction struct {
	lower, upper                   string
	lowerInclusive, upperInclusive bool
	single                         bool // exactly lower
}

// Parse reads a requirement. A plain version is exactly that one, where Maven by itself would only prefer it.
// The error says what is wrong, in Maven's words.
func Parse(spec string) (Requirement, error) {
	if spec == Latest {
		return Requirement{}, nil
	}
	spec = strings.TrimFunc(spec, func(r rune) bool { return r <= ' ' })
	r, err := parse(spec)
	if err != nil || len(r.restrictions) > 0 {
		return r, err
	}
	return parse("[" + spec + "]")
}

func parse(spec string) (Requirement, error) {
	var r Requirement
	rest := spec
	for strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, "(") {
		end := strings.IndexAny(rest, ")]")
		if end < 0 {
			return Requirement{}, fmt.Errorf("Unbounded range: %s", spec)
		}
		one, err := parseRestriction(rest[:end+1])
		if err != nil {
			return Requirement{}, err
		}
		if n := len(r.restrictions); n > 0 {
			if before := r.restrictions[n-1].upper; before != "" && (one.lower == "" || Compare(one.lower, before) < 0) {
				return Requirement{}, fmt.Errorf("Ranges overlap: %s", spec)
			}
		}
		r.restrictions = append(r.restrictions, one)
		rest = strings.TrimPrefix(strings.TrimSpace(rest[end+1:]), ",")
		rest = strings.TrimSpace(rest)
	}
	if rest != "" && len(r.restrictions) > 0 {
		return Requirement{}, fmt.Errorf("Only fully-qualified sets allowed in multiple set scenario: %s", spec)
	}
	return r, nil
}

func parseRestriction(spec string) (restriction, error) {
	r := restriction{lowerInclusive: spec[0] == '[', upperInclusive: spec[len(spec)-1] == ']'}
	lower, upper, two := strings.Cut(strings.TrimSpace(spec[1:len(spec)-1]), ",")
	if !two {
		if !r.lowerInclusive || !r.upperInclusive {
			return r, fmt.Errorf("Single version must be surrounded by []: %s", spec)
		}
		r.lower, r.upper, r.single = lower, lower, true
		return r, nil
	}
	r.lower, r.upper = strings.TrimSpace(lower), strings.TrimSpace(upper)
	if r.lower == "" || r.upper == "" {
		return r, nil
	}
	if c := Compare(r.upper, r.lower); c < 0 || c == 0 && (!r.lowerInclusive || !r.upperInclusive) {
		return r, fmt.Errorf("Range defies version ordering: %s", spec)
	}
	return r, nil
}

// Allows says whether a version is within the requirement.
func (r Requirement) Allows(version string) bool {
	return len(r.restrictions) == 0 || slices.ContainsFunc(r.restrictions, func(x restriction) bool {
		if x.single {
			return Compare(version, x.lower) == 0
		}
		if x.lower != "" {
			if c := Compare(version, x.lower); c < 0 || c == 0 && !x.lowerInclusive {
				return false
			}
		}
		if x.upper != "" {
			if c := Compare(version, x.upper); c > 0 || c == 0 && !x.upperInclusive {
				return false
			}
		}
		return true
	})
}

// String is the requirement as Maven prints it.
func (r Requirement) String() string {
	if len(r.restrictions) == 0 {
		return Latest
	}
	parts := make([]string, len(r.restrictions))
	for i, x := range r.restrictions {
		open, end := "(", ")"
		if x.lowerInclusive {
			open = "["
		}
		if x.upperInclusive {
			end = "]"
		}
		parts[i] = open + x.lower + "," + x.upper + end
	}
	return strings.Join(parts, ",")
}

// Compare compares two versions by Maven's order: numbers by value, `alpha` to `rc` before a release, `sp`
// after it, other words by the alphabet, after the known ones and before a number.
func Compare(a, b string) int {
	x, y := tokens(a), tokens(b)
	for i := range max(len(x), len(y)) {
		var p, q token
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if c := p.compare(q); c != 0 {
			return c
		}
	}
	return 0
}

// token is a number or a word; the zero token stands where a version has no more.
type token struct {
	number *big.Int
	word   string
}

// ranks are those of the words that Maven knows; a release is 0.
var ranks = map[string]int{"alpha": -5, "a": -5, "beta": -4, "b": -4, "milestone": -3, "m": -3, "rc": -2, "cr": -2, "snapshot": -1, "": 0, "ga": 0, "final": 0, "release": 0, "sp": 1}

func (t token) compare(u token) int {
	zero := new(big.Int)
	switch {
	case t.number != nil && u.number != nil:
		return t.number.Cmp(u.number)
	case t.number != nil:
		if u.word == "" {
			return t.number.Cmp(zero) // 1 and 1.0 are one version
		}
		return 1
	case u.number != nil:
		return -u.compare(t)
	}
	p, known := ranks[t.word]
	q, alsoKnown := ranks[u.word]
	switch {
	case known && alsoKnown:
		return cmp.Compare(p, q)
	case known:
		return -1
	case alsoKnown:
		return 1
	}
	return cmp.Compare(t.word, u.word)
}

// none says whether a token says no more than that there is none: 0, final.
func (t token) none() bool { return t.compare(token{}) == 0 }

// trim drops what is none from the end: as in Maven nothing of that is left at the end of a version, nor before a word, as 1.0-sp
// is 1-sp.
func trim(list []token) []token {
	for len(list) > 0 && list[len(list)-1].none() {
		list = list[:len(list)-1]
	}
	return list
}

func tokens(version string) (out []token) {
	version = strings.ToLower(version)
	for i := 0; i < len(version); {
		digit := func(c byte) bool { return '0' <= c && c <= '9' }
		j := i + 1
		switch c := version[i]; {
		case c == '.' || c == '-' || c == '_':
			i = j
			continue
		case digit(c):
			for j < len(version) && digit(version[j]) {
				j++
			}
			n, _ := new(big.Int).SetString(version[i:j], 10)
			out = append(out, token{number: n})
		default:
			for j < len(version) && !digit(version[j]) && !strings.ContainsRune(".-_", rune(version[j])) {
				j++
			}
			out = append(trim(out), token{word: version[i:j]})
		}
		i = j
	}
	return trim(out)
}
