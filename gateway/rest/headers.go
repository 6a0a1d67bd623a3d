package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// HeaderRule adds a header to every answer.
type HeaderRule struct {
	name, value string
	add, date   bool
}

// headerActions are those of a rule, in lower case.
var headerActions = []string{"set", "add", "setdate", "adddate"}

// ParseHeaderRules reads response.http.headers.config: rules `<action> <header>:<value>` between commas; one that has a
// comma is in double quotes. The value of setDate and addDate is how much later than now, in ms.
func ParseHeaderRules(s string) ([]HeaderRule, error) {
	var out []HeaderRule
	for _, text := range splitQuoted(s) {
		action, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		action = strings.ToLower(action)
		parts := strings.Split(rest, ":")
		bad := func(why string) error {
			return fmt.Errorf("response.http.headers.config: the rule %q is not `<action> <header>:<value>`: %s", text, why)
		}
		switch {
		case !slices.Contains(headerActions, action):
			return nil, bad("the action must be one of set, add, setDate and addDate")
		case len(parts) != 2:
			return nil, bad("there must be one colon, between the header and its value")
		}
		r := HeaderRule{name: strings.TrimSpace(parts[0]), value: strings.TrimSpace(parts[1]), add: strings.HasPrefix(action, "add"), date: strings.HasSuffix(action, "date")}
		if r.name == "" || strings.ContainsAny(r.name, " \t\r\n") {
			return nil, bad("the header must have a name without blanks")
		}
		if _, err := strconv.ParseInt(r.value, 10, 64); r.date && err != nil {
			return nil, bad("the value of a date must be a number of milliseconds")
		}
		out = append(out, r)
	}
	return out, nil
}

// splitQuoted cuts at commas that are in no double quotes, and takes the quotes off.
func splitQuoted(s string) []string {
	var out []string
	var one strings.Builder
	quoted := false
	flush := func() {
		if t := strings.TrimSpace(one.String()); t != "" {
			out = append(out, t)
		}
		one.Reset()
	}
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			flush()
		default:
			one.WriteRune(c)
		}
	}
	flush()
	return out
}

func addHeaders(rules []HeaderRule, c clock.Clock, next http.Handler) http.Handler {
	if len(rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, rule := range rules {
			value := rule.value
			if rule.date {
				ms, _ := strconv.ParseInt(value, 10, 64) // ParseHeaderRules has tried it
				value = c.Now().Add(time.Duration(ms) * time.Millisecond).UTC().Format(http.TimeFormat)
			}
			if rule.add {
				w.Header().Add(rule.name, value)
			} else {
				w.Header().Set(rule.name, value)
			}
		}
		next.ServeHTTP(w, r)
	})
}
