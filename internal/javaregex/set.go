package javaregex

import (
	"slices"
	"strings"
	"unicode"
)

// set is a set of runes: sorted ranges, from and to, that neither touch nor overlap.
type set [][2]rune

func single(r rune) set { return set{{r, r}} }

func ranges(pairs ...rune) set {
	var s set
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, [2]rune{pairs[i], pairs[i+1]})
	}
	return s.normal()
}

func table(t *unicode.RangeTable) set {
	var s set
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			s = append(s, [2]rune{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			s = append(s, [2]rune{r, r})
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return s.normal()
}

func (s set) normal() set {
	slices.SortFunc(s, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var out set
	for _, r := range s {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

func (s set) or(o set) set { return append(slices.Clone(s), o...).normal() }

func (s set) not() set {
	var out set
	next := rune(0)
	for _, r := range s {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, [2]rune{next, unicode.MaxRune})
	}
	return out
}

func (s set) and(o set) set { return s.not().or(o.not()).not() }

// fold adds the other cases: of ASCII, or of all letters.
func (s set) fold(all bool) set {
	out := slices.Clone(s)
	for _, r := range s {
		hi := r[1]
		if !all {
			hi = min(hi, unicode.MaxASCII)
		}
		for c := r[0]; c <= hi; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				if all || f <= unicode.MaxASCII {
					out = append(out, [2]rune{f, f})
				}
			}
		}
	}
	return out.normal()
}

// text writes the set as a class.
func (s set) text() string {
	if len(s) == 0 {
		return `(?!)`
	}
	if len(s) == 1 && s[0][0] == s[0][1] {
		return quote(s[0][0])
	}
	var b strings.Builder
	b.WriteByte('[')
	for _, r := range s {
		b.WriteString(quote(r[0]))
		if r[1] > r[0] {
			b.WriteByte('-')
			b.WriteString(quote(r[1]))
		}
	}
	b.WriteByte(']')
	return b.String()
}

func quote(r rune) string {
	if strings.ContainsRune(`\.+*?()|[]{}^$-#`, r) {
		return `\` + string(r)
	}
	if r >= 0xD800 && r <= 0xDFFF || r == 0xFFFD {
		return "\uFFFD" // what Go's strings hold in their place
	}
	return string(r)
}

var (
	digits = ranges('0', '9')
	words  = ranges('a', 'z', 'A', 'Z', '0', '9', '_', '_')
	spaces = ranges('\t', '\r', ' ', ' ')
	// horizontal and vertical are \h and \v.
	horizontal = ranges('\t', '\t', ' ', ' ', 0xA0, 0xA0, 0x1680, 0x1680, 0x180E, 0x180E, 0x2000, 0x200A, 0x202F, 0x202F, 0x205F, 0x205F, 0x3000, 0x3000)
	vertical   = ranges('\n', '\r', 0x85, 0x85, 0x2028, 0x2029)
	anyRune    = ranges(0, unicode.MaxRune)
	terminator = ranges('\n', '\n', '\r', '\r', 0x85, 0x85, 0x2028, 0x2029)
)

var posix = map[string]set{
	"Lower": ranges('a', 'z'), "Upper": ranges('A', 'Z'), "ASCII": ranges(0, 0x7F), "Alpha": ranges('a', 'z', 'A', 'Z'), "Digit": digits,
	"Alnum": ranges('a', 'z', 'A', 'Z', '0', '9'), "Punct": ranges('!', '/', ':', '@', '[', '`', '{', '~'), "Graph": ranges('!', '~'),
	"Print": ranges(' ', '~'), "Blank": ranges(' ', ' ', '\t', '\t'), "Cntrl": ranges(0, 0x1F, 0x7F, 0x7F), "XDigit": ranges('0', '9', 'a', 'f', 'A', 'F'), "Space": spaces,
}

// property is \p{name}.
func property(name string) (set, bool) {
	if s, ok := posix[name]; ok {
		return s, true
	}
	for _, prefix := range []string{"general_category=", "gc=", "script=", "sc=", "Is"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name = rest
			break
		}
	}
	if t, ok := unicode.Categories[name]; ok {
		return table(t), true
	}
	for script, t := range unicode.Scripts {
		if strings.EqualFold(script, name) {
			return table(t), true
		}
	}
	switch strings.ToLower(name) {
	case "alphabetic":
		return table(unicode.L).or(table(unicode.Nl)).or(table(unicode.Other_Alphabetic)), true
	case "ideographic":
		return table(unicode.Ideographic), true
	case "lowercase":
		return table(unicode.Ll).or(table(unicode.Other_Lowercase)), true
	case "uppercase":
		return table(unicode.Lu).or(table(unicode.Other_Uppercase)), true
	case "white_space", "whitespace":
		return table(unicode.White_Space), true
	}
	return nil, false
}
