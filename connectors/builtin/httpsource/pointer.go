package httpsource

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

// pointer is a JSON pointer (RFC 6901). It walks over JSON that is known to be valid, and decodes nothing that it
// does not return.
type pointer struct {
	text   string
	tokens []string
}

// compile reads a pointer. "/" is the whole, as castorm has it.
func compile(text string) (pointer, error) {
	if text == "/" || text == "" {
		return pointer{text: text}, nil
	}
	if text[0] != '/' {
		return pointer{}, fmt.Errorf("%q is no JSON pointer: it begins with /", text)
	}
	p := pointer{text: text}
	for token := range strings.SplitSeq(text[1:], "/") {
		p.tokens = append(p.tokens, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
	}
	return p, nil
}

func pointerValidator() configdef.Validator {
	return configdef.Func("a JSON pointer, as /items", func(name string, value *string) error {
		if value == nil {
			return configdef.Invalid(name, "null", "a JSON pointer is needed")
		}
		if _, err := compile(*value); err != nil {
			return configdef.Invalid(name, *value, err.Error())
		}
		return nil
	})
}

// in is what the pointer points to in a document, and whether there is anything.
func (p pointer) in(doc []byte) ([]byte, bool) {
	doc = value(doc)
	for _, token := range p.tokens {
		var found []byte
		switch doc[0] {
		case '{':
			for name, v := range members(doc) {
				if name == token {
					found = v // the last counts, as for Jackson
				}
			}
		case '[':
			n, err := strconv.Atoi(token)
			if err != nil || strconv.Itoa(n) != token {
				return nil, false
			}
			for v := range elements(doc) {
				if n == 0 {
					found = v
					break
				}
				n--
			}
		}
		if found == nil {
			return nil, false
		}
		doc = found
	}
	return doc, true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// value is a value without the space around it.
func value(doc []byte) []byte {
	for len(doc) > 0 && isSpace(doc[0]) {
		doc = doc[1:]
	}
	return doc[:end(doc)]
}

// end is where the value that a document begins with ends.
func end(doc []byte) int {
	switch doc[0] {
	case '"':
		for i := 1; ; i++ {
			switch doc[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case '{', '[':
		depth := 0
		for i := 0; ; i++ {
			switch doc[i] {
			case '"':
				i += end(doc[i:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i, c := range doc {
		if isSpace(c) || c == ',' || c == '}' || c == ']' || c == ':' {
			return i
		}
	}
	return len(doc)
}

// elements are those of an array.
func elements(doc []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 1; ; {
			for isSpace(doc[i]) || doc[i] == ',' {
				i++
			}
			if doc[i] == ']' {
				return
			}
			n := end(doc[i:])
			if !yield(doc[i : i+n]) {
				return
			}
			i += n
		}
	}
}

// members are those of an object.
func members(doc []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		name, named := "", false
		for i := 1; ; {
			for isSpace(doc[i]) || doc[i] == ',' || doc[i] == ':' {
				i++
			}
			if doc[i] == '}' {
				return
			}
			n := end(doc[i:])
			if named = !named; named {
				name = unquote(doc[i : i+n])
			} else if !yield(name, doc[i:i+n]) {
				return
			}
			i += n
		}
	}
}

// unquote is the text of a string.
func unquote(s []byte) string {
	if strings.IndexByte(string(s), '\\') < 0 {
		return string(s[1 : len(s)-1])
	}
	var out string
	if err := json.Unmarshal(s, &out); err != nil {
		return "" // the document was valid
	}
	return out
}

// textOf is a value as text, as Jackson's asText: nothing for lists and objects.
func textOf(v []byte) string {
	switch v[0] {
	case '"':
		return unquote(v)
	case '{', '[':
		return ""
	case 't', 'f', 'n':
		return string(v)
	}
	return string(appendNumber(nil, v))
}

// appendNumber writes a number as Jackson does: whole ones as they are, others as Java's Double.toString. Those that have more
// digits than a double keep them.
func appendNumber(dst, v []byte) []byte {
	if string(v) == "-0" {
		return append(dst, '0')
	}
	digits, whole := 0, true
	for _, c := range v {
		switch {
		case c == 'e' || c == 'E':
			whole = false
		case c == '.':
			whole = false
		case c >= '0' && c <= '9' && (digits > 0 || c != '0'):
			digits++
		}
	}
	if f, err := strconv.ParseFloat(string(v), 64); !whole && digits <= 17 && err == nil && !math.IsInf(f, 0) {
		return data.AppendFloat(dst, f, 64)
	}
	return append(dst, v...)
}

// appendJSON writes a value without space, with Jackson's escapes and numbers.
func appendJSON(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case isSpace(c):
			i++
		case strings.IndexByte("{}[]:,", c) >= 0:
			dst = append(dst, c)
			i++
		default:
			n := end(v[i:])
			switch {
			case c == '"':
				dst = appendText(dst, v[i:i+n])
			case c == '-' || c >= '0' && c <= '9':
				dst = appendNumber(dst, v[i:i+n])
			default:
				dst = append(dst, v[i:i+n]...)
			}
			i += n
		}
	}
	return dst
}

// appendText writes a string that is JSON with no more escapes than it needs.
func appendText(dst, s []byte) []byte {
	if strings.IndexByte(string(s), '\\') < 0 {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, r := range unquote(s) {
		if short := strings.IndexRune("\"\\\b\f\n\r\t", r); short >= 0 {
			dst = append(dst, '\\', `"\bfnrt`[short])
		} else if r < ' ' {
			dst = fmt.Appendf(dst, `\u%04X`, r)
		} else {
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}
