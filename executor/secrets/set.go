package secrets

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// minSecret is the shortest value that is hidden, in bytes: any text holds shorter ones.
	minSecret = 4
	// minLine is the shortest line of a value of several lines that is hidden by itself.
	minLine = 16
)

// secret is a value and the reference that came to it.
type secret struct {
	value, reference string
	own              bool // of the config itself, not of the worker's
}

// Set is what references came to. A nil Set has none. Safe for concurrent use.
type Set struct {
	// Configs are the configs, resolved.
	Configs []map[string]string
	// TTL is how long the values hold; 0 says that they do not end.
	TTL time.Duration
	// Unresolved are the references that came to nothing, each after its key, sorted.
	Unresolved []string

	raw     map[string]string // the first config, as it was given
	secrets []secret          // longest first
	hide    *strings.Replacer // nil where there are none
}

// build takes the secrets over.
func (s *Set) build(found []secret) {
	seen := map[string]bool{}
	for _, f := range found {
		for _, v := range forms(f.value) {
			if len(v) >= minSecret && !seen[v] {
				seen[v] = true
				s.secrets = append(s.secrets, secret{v, f.reference, f.own})
			}
		}
	}
	slices.SortFunc(s.secrets, func(a, b secret) int {
		return cmp.Or(cmp.Compare(len(b.value), len(a.value)), cmp.Compare(a.value, b.value))
	})
	if len(s.secrets) == 0 {
		return
	}
	pairs := make([]string, 0, 2*len(s.secrets))
	for _, p := range s.secrets {
		pairs = append(pairs, p.value, p.reference)
	}
	s.hide = strings.NewReplacer(pairs...)
}

// forms are the ways in which a value is likely to be written: as it is, without the blanks around it (configs are
// trimmed), as the libraries escape it in messages and URLs, and its lines.
func forms(v string) []string {
	trimmed := strings.TrimSpace(v)
	if len(trimmed) < minSecret || strings.EqualFold(trimmed, "true") || strings.EqualFold(trimmed, "false") {
		return nil // it is in any text
	}
	out := []string{v, trimmed, url.QueryEscape(trimmed), url.PathEscape(trimmed), base64.StdEncoding.EncodeToString([]byte(trimmed))}
	quoted := strconv.Quote(trimmed)
	out = append(out, quoted[1:len(quoted)-1])
	if j, err := json.Marshal(trimmed); err == nil {
		out = append(out, string(j[1:len(j)-1]))
	}
	if strings.ContainsRune(trimmed, '\n') {
		for line := range strings.Lines(trimmed) {
			if line = strings.TrimSpace(line); len(line) >= minLine {
				out = append(out, line)
			}
		}
	}
	return out
}

// Scrub puts the references back in the place of what they came to.
func (s *Set) Scrub(text string) string {
	if s == nil || s.hide == nil {
		return text
	}
	return s.hide.Replace(text)
}

// scrubbed is an error without secrets in its text.
type scrubbed struct {
	error
	text string
}

func (e *scrubbed) Error() string { return e.text }

// Unwrap returns the cause, whose text may hold secrets: ask what it is, do not show it.
func (e *scrubbed) Unwrap() error { return e.error }

// Error is err with a text that holds no secrets.
func (s *Set) Error(err error) error {
	if err == nil || s == nil || s.hide == nil {
		return err
	}
	full := err.Error()
	if text := s.hide.Replace(full); text != full {
		return &scrubbed{err, text}
	}
	return err
}

// Reverse makes what goes to the control plane of a task config that a plugin made of the resolved config: Kafka
// Connect's rule, where a key of the connector's config that holds references has the value there (reverseTransform).
// What still holds a secret is refused, with an ErrDerived that names the key, unless sluice.secrets.allow.derived is
// true. The task config stays as it is.
func (s *Set) Reverse(task map[string]string) (map[string]string, error) {
	if s == nil || s.raw == nil {
		return task, nil
	}
	out := maps.Clone(task)
	for k, v := range s.raw {
		if _, ok := out[k]; ok && reference.MatchString(v) {
			out[k] = v
		}
	}
	if strings.EqualFold(strings.TrimSpace(s.raw[AllowDerived]), "true") {
		return out, nil
	}
	var faults []error
	for _, k := range slices.Sorted(maps.Keys(out)) {
		if raw, ok := s.raw[k]; ok && raw == out[k] {
			continue // it is no more than what the user wrote
		}
		if hit := s.in(out[k]); hit != "" {
			faults = append(faults, fmt.Errorf("%w: the key %s of a task config contains what %s comes to, under another key than the connector's config has it: "+
				"it would be stored as it is. Give the connector its value by a key that its tasks take over, or set %s to true to allow it", ErrDerived, s.Scrub(k), hit, AllowDerived))
		} else if hit = s.in(k); hit != "" {
			faults = append(faults, fmt.Errorf("%w: the name of a task config's key contains what %s comes to", ErrDerived, hit))
		}
	}
	return out, errors.Join(faults...)
}

// in is the reference of the config whose value a text contains; empty where it contains none.
func (s *Set) in(text string) string {
	for _, p := range s.secrets {
		if p.own && strings.Contains(text, p.value) {
			return p.reference
		}
	}
	return ""
}

// Equal says whether references came to the same.
func (s *Set) Equal(o *Set) bool {
	return slices.EqualFunc(s.Configs, o.Configs, func(a, b map[string]string) bool { return maps.Equal(a, b) })
}
