package httpsource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are to be known in images that have none

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/javaregex"
)

// timeParser reads the timestamps of records.
type timeParser func(text string) (time.Time, error)

// newTimeParser makes the parser that a key names; each may have another as its delegate, once.
func newTimeParser(v configdef.Values, key string, fail func(key, message string)) timeParser {
	switch v.String(key) {
	case epochMillis:
		return parseMillis
	case formattedTimestamp:
		return newDateParser(v, fail)
	case regexTimestamp:
		if key == delegateKey && v.String(regexDelegateKey) == epochOrDelegate {
			fail(delegateKey, fmt.Sprintf("%s and %s delegate to each other", delegateKey, regexDelegateKey))
			return parseMillis
		}
		return newRegexParser(v, fail)
	case epochOrDelegate:
		if key == regexDelegateKey && v.String(delegateKey) == regexTimestamp {
			fail(regexDelegateKey, fmt.Sprintf("%s and %s delegate to each other", delegateKey, regexDelegateKey))
			return parseMillis
		}
		delegate := newTimeParser(v, delegateKey, fail)
		return func(text string) (time.Time, error) {
			if t, err := parseMillis(text); err == nil {
				return t, nil
			}
			return delegate(text)
		}
	}
	return parseMillis // what is wrong with the key was said
}

func parseMillis(text string) (time.Time, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no number of milliseconds since 1970", excerpt(text, 60))
	}
	return time.UnixMilli(ms).UTC(), nil
}

func newRegexParser(v configdef.Values, fail func(key, message string)) timeParser {
	pattern := v.String(regexKey)
	delegate := newTimeParser(v, regexDelegateKey, fail)
	// The group of the first match is what is left where the match with all that is around it is replaced by it.
	_, err := javaregex.Compile(pattern)
	var around *javaregex.Regex
	if err == nil {
		around, err = javaregex.Compile(`(?s:.*?)(?:` + pattern + `)(?s:.*)`)
	}
	var group *javaregex.Replacement
	if err == nil {
		if group, err = around.Replacement("$1"); err != nil {
			err = errors.New("it has no group: the first one is the timestamp")
		}
	}
	if err != nil {
		fail(regexKey, configdef.Invalid(regexKey, pattern, err.Error()).Error())
		return parseMillis
	}
	return func(text string) (time.Time, error) {
		if !around.Matches(text) {
			return time.Time{}, fmt.Errorf("%s=%s does not match %q", regexKey, pattern, excerpt(text, 60))
		}
		return delegate(around.ReplaceFirst(text, group))
	}
}

func newDateParser(v configdef.Values, fail func(key, message string)) timeParser {
	pattern := v.String(patternKey)
	zone, err := time.LoadLocation(v.String(zoneKey))
	if err != nil || v.String(zoneKey) == "Local" || v.String(zoneKey) == "" {
		zone, err = fixedZone(v.String(zoneKey))
	}
	if err != nil {
		fail(zoneKey, configdef.Invalid(zoneKey, v.String(zoneKey), "no zone is called so: UTC, Europe/Berlin or +02:00 would be right").Error())
		zone = time.UTC
	}
	layouts, err := goLayouts(pattern)
	if err != nil {
		fail(patternKey, configdef.Invalid(patternKey, pattern, err.Error()).Error())
	}
	return func(text string) (time.Time, error) {
		for _, l := range layouts {
			if t, err := time.ParseInLocation(l, text, zone); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, fmt.Errorf("%q does not have the pattern %s=%s", excerpt(text, 60), patternKey, pattern)
	}
}

func fixedZone(name string) (*time.Location, error) {
	t, err := time.Parse("Z07:00", strings.TrimPrefix(strings.TrimPrefix(name, "UTC"), "GMT"))
	if err != nil {
		return nil, err
	}
	_, seconds := t.Zone()
	return time.FixedZone(name, seconds), nil
}

// javaToGo are the runs of DateTimeFormatter's letters that there are, as Go writes them. Of a zone's letters Go reads one
// form a layout: zoneForms are tried all.
var javaToGo = map[string]string{"yyyy": "2006", "uuuu": "2006", "y": "2006", "u": "2006", "yy": "06", "uu": "06", "MM": "01", "M": "1", "MMM": "Jan", "MMMM": "January",
	"dd": "02", "d": "2", "HH": "15", "H": "15", "hh": "03", "h": "3", "a": "PM", "mm": "04", "m": "4", "ss": "05", "s": "5", "E": "Mon", "EE": "Mon", "EEE": "Mon", "EEEE": "Monday"}

var zoneForms = []string{"Z07:00", "Z0700", "Z07"}

// zoneMark stands for a zone until its forms are put in.
const zoneMark = "\x00"

// goLayouts are the layouts that read what a DateTimeFormatter's pattern reads, in Java's order.
func goLayouts(pattern string) ([]string, error) {
	layouts, rest, err := optional(pattern, false)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, errors.New("] has no [")
	}
	var out []string
	for _, l := range layouts {
		if !strings.Contains(l, zoneMark) {
			out = append(out, l)
			continue
		}
		for _, z := range zoneForms {
			out = append(out, strings.ReplaceAll(l, zoneMark, z))
		}
	}
	return out, nil
}

// optional reads up to the end of an optional part, and returns each way to read it.
func optional(p string, inside bool) (out []string, rest string, err error) {
	out = []string{""}
	add := func(s string) {
		for i := range out {
			out[i] += s
		}
	}
	for p != "" {
		switch c := p[0]; {
		case c == ']':
			if inside {
				return out, p[1:], nil
			}
			return out, p, nil
		case c == '[':
			with, after, err := optional(p[1:], true)
			if err != nil {
				return nil, "", err
			}
			if len(out)*(len(with)+1) > 64 {
				return nil, "", errors.New("it has too many optional parts")
			}
			var all []string
			for _, w := range with {
				for _, o := range out {
					all = append(all, o+w)
				}
			}
			out, p = append(all, out...), after
		case c == '\'':
			n := strings.IndexByte(p[1:], '\'')
			if n < 0 {
				return nil, "", errors.New("a quote has no end")
			}
			text := p[1 : n+1]
			if text == "" {
				text = "'"
			}
			if !plain(text) {
				return nil, "", fmt.Errorf("the text %q in it is not supported", text)
			}
			add(text)
			p = p[n+2:]
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			run := p[:len(p)-len(strings.TrimLeft(p, string(c)))]
			p = p[len(run):]
			switch {
			case c == 'X' || c == 'x' || c == 'Z':
				add(zoneMark)
			case c == 'S':
				// Go reads a fraction behind the seconds whether the layout has one or not.
				for i, l := range out {
					before, ok := strings.CutSuffix(l, ".")
					if !ok {
						before, ok = strings.CutSuffix(l, ",")
					}
					if !ok || !strings.HasSuffix(before, "5") && before != "" {
						return nil, "", errors.New("a fraction (S) stands behind seconds and a point")
					}
					out[i] = before
				}
			case javaToGo[run] == "":
				return nil, "", fmt.Errorf("%s in it is not supported", run)
			default:
				add(javaToGo[run])
			}
		case c >= '0' && c <= '9' || c == '{' || c == '}' || c == '#' || c == '_':
			return nil, "", fmt.Errorf("%q in it is not supported", string(c))
		default:
			add(p[:1])
			p = p[1:]
		}
	}
	if inside {
		return nil, "", errors.New("[ has no ]")
	}
	return out, "", nil
}

// plain says whether a text means only itself in Go's layouts.
func plain(text string) bool {
	return time.Date(1999, 11, 28, 21, 37, 49, 987654321, time.FixedZone("QQQ", -12345)).Format(text) == text &&
		!strings.ContainsAny(text, "0123456789_")
}

// instant is a time as Java's Instant prints it.
func instant(t time.Time) string {
	layout := "2006-01-02T15:04:05"
	switch n := t.Nanosecond(); {
	case n == 0:
	case n%1e6 == 0:
		layout += ".000"
	case n%1e3 == 0:
		layout += ".000000"
	default:
		layout += ".000000000"
	}
	return t.UTC().Format(layout + "Z")
}
