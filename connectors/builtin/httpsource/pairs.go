package httpsource

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// pair is a name and a value of a list in a config.
type pair struct{ name, value string }

// pairs reads name=value lists, as castorm's ConfigUtils does. Its error shows nothing of the text, which may have secrets.
func pairs(text, between, within string) (out []pair, err error) {
	for i, item := range strings.Split(text, between) {
		if item = configdef.Trim(item); item == "" {
			continue
		}
		name, value, ok := strings.Cut(item, within)
		if !ok {
			return nil, fmt.Errorf("entry %d is no pair: name%svalue would be right", i+1, within)
		}
		out = append(out, pair{configdef.Trim(name), configdef.Trim(value)})
	}
	return out, nil
}

// headers reads Name: Value lists. A comma with a backslash before it is part of a value.
func headers(text string) ([]pair, error) {
	const kept = "\x00"
	out, err := pairs(strings.ReplaceAll(text, `\,`, kept), ",", ":")
	for i := range out {
		out[i].value = strings.ReplaceAll(out[i].value, kept, ",")
		if strings.ContainsAny(out[i].value, "\r\n\x00") || out[i].name == "" || strings.ContainsFunc(out[i].name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }) {
			return nil, fmt.Errorf("entry %d is no header: its name or value has a character that none may have", i+1)
		}
	}
	return out, err
}

// names reads name=/pointer lists.
func names(text string) (map[string]pointer, error) {
	list, err := pairs(text, ",", "=")
	out := map[string]pointer{}
	for _, p := range list {
		if out[p.name], err = compile(p.value); err != nil {
			return nil, err
		}
	}
	return out, err
}

// initial reads the first offset.
func initial(text string) (offset, error) {
	list, err := pairs(text, ",", "=")
	out := offset{}
	for _, p := range list {
		out[p.name] = p.value
	}
	return out, err
}

// codes are ranges of statuses.
type codes [][2]int

func parseCodes(text string) (out codes, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = configdef.Trim(part); part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "..")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(configdef.Trim(first))
		if err != nil {
			return nil, fmt.Errorf("%q is no status or range of them, such as 200..299", part)
		}
		to, err := strconv.Atoi(configdef.Trim(last))
		if err != nil {
			return nil, fmt.Errorf("%q is no status or range of them, such as 200..299", part)
		}
		out = append(out, [2]int{min(from, to), max(from, to)})
	}
	return out, nil
}

func (c codes) has(status int) bool {
	for _, r := range c {
		if status >= r[0] && status <= r[1] {
			return true
		}
	}
	return false
}

func rangesValidator() configdef.Validator {
	return configdef.Func("statuses and ranges of them, as 200..205, 207", func(name string, value *string) error {
		if value == nil {
			return configdef.Invalid(name, "null", "statuses are needed")
		}
		if _, err := parseCodes(*value); err != nil {
			return configdef.Invalid(name, *value, err.Error())
		}
		return nil
	})
}

// query adds a parameter to a query, as OkHttp's addEncodedQueryParameter does.
func query(raw string, p pair) string {
	if raw != "" {
		raw += "&"
	}
	return raw + encode(p.name, ` "'<>#&=`) + "=" + encode(p.value, ` "'<>#&=`)
}

// encode percent-encodes these characters, those that no URL may have, and a percent sign that encodes nothing.
func encode(s, these string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\t' || c == '\n' || c == '\f' || c == '\r': // left out, where text is taken as encoded
		case c < 0x20 || c >= 0x7f || c != '%' && strings.IndexByte(these, c) >= 0 || c == '%' && !encoded(s[i:]):
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func encoded(s string) bool {
	if len(s) < 3 {
		return false
	}
	_, err := strconv.ParseUint(s[1:3], 16, 8)
	return err == nil
}

// excerpt is the beginning of a text, for an error.
func excerpt(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
