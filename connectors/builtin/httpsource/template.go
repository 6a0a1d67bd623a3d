package httpsource

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/javadate"
)

// template is a text with references to the offset: the part of FreeMarker's language that the connector's users need.
//
//	${offset.name}                             the text
//	${offset.name?datetime.iso?long}           milliseconds since 1970 of a time in ISO 8601
//	${offset.name?datetime.iso?string['P']}    such a time by a pattern of java.text.SimpleDateFormat, in UTC and English
//
// The brackets may be parentheses, the quotes double ones. Anything else of the language is refused.
type template struct{ parts []templatePart }

// templatePart is a text, or a name of the offset and what is made of its value.
type templatePart struct {
	text, name string
	form       func(string) (string, error)
}

const templateForms = "${offset.name}, ${offset.name?datetime.iso?long} and ${offset.name?datetime.iso?string['pattern']} are supported"

var reference = regexp.MustCompile(`^\s*(offset\s*\.\s*)?([A-Za-z_][A-Za-z0-9_]*)\s*(\?\s*datetime\.iso\s*\?\s*(?:long|string\s*(?:\[\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\]|\(\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\))))?\s*$`)

// parseTemplate reads one. factory is http.request.template.factory; now places years of two digits.
func parseTemplate(text, factory string, now time.Time) (template, error) {
	if factory == noTemplates {
		return template{[]templatePart{{text: text}}}, nil
	}
	for _, s := range []string{"<#", "</#", "<@", "</@", "#{"} {
		if strings.Contains(text, s) {
			return template{}, fmt.Errorf("%q of FreeMarker's language is not supported: %s", s, templateForms)
		}
	}
	var t template
	for {
		before, rest, found := strings.Cut(text, "${")
		if before != "" {
			t.parts = append(t.parts, templatePart{text: before})
		}
		if !found {
			return t, nil
		}
		n := closing(rest)
		if n < 0 {
			return template{}, errors.New("a reference, ${, has no end: } is missing")
		}
		p, err := parseReference(rest[:n], factory, now)
		if err != nil {
			return template{}, err
		}
		t.parts = append(t.parts, p)
		text = rest[n+1:]
	}
}

// closing is where the brace is that ends a reference, outside of quotes.
func closing(s string) int {
	quote := rune(0)
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '}':
			return i
		}
	}
	return -1
}

func parseReference(expression, factory string, now time.Time) (p templatePart, err error) {
	m := reference.FindStringSubmatch(expression)
	switch {
	case m == nil:
		return p, fmt.Errorf("${%s} is not supported: %s", expression, templateForms)
	case m[1] == "" && (m[2] == "offset" || factory != oldFreeMarker):
		return p, fmt.Errorf("${%s} names nothing of the offset: %s", expression, templateForms)
	}
	p.name = m[2]
	if m[3] == "" {
		return p, nil
	}
	pattern := m[4] + m[5] + m[6] + m[7]
	if pattern == "" {
		if !strings.HasSuffix(strings.TrimSpace(m[3]), "long") {
			return p, fmt.Errorf("${%s} has an empty pattern: %s", expression, templateForms)
		}
		p.form = func(s string) (string, error) {
			t, err := parseISO(s)
			return strconv.FormatInt(t.UnixMilli(), 10), err
		}
		return p, nil
	}
	format, err := javadate.New(pattern, now)
	if err != nil {
		return p, fmt.Errorf("${%s}: the pattern %q: %w", expression, pattern, err)
	}
	p.form = func(s string) (string, error) {
		t, err := parseISO(s)
		return string(format.Append(nil, t.UnixMilli())), err
	}
	return p, nil
}

// names are those that the template refers to.
func (t template) names() []string {
	out := map[string]bool{}
	for _, p := range t.parts {
		if p.name != "" {
			out[p.name] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// apply puts an offset in.
func (t template) apply(o offset) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.name == "" {
			continue
		}
		v, ok := o[p.name]
		if !ok {
			return "", fmt.Errorf("the template refers to ${offset.%s}, and the offset has no %s", p.name, p.name)
		}
		if p.form != nil {
			var err error
			if v, err = p.form(v); err != nil {
				return "", fmt.Errorf("the template refers to ${offset.%s} as a time: %w", p.name, err)
			}
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// parseISO reads a time in ISO 8601. Without a zone it is in UTC.
func parseISO(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "20060102T150405Z0700", "20060102T150405"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time in ISO 8601, such as 2020-05-08T07:55:44Z", excerpt(s, 60))
}
