// Package props reads the settings of a process out of a Java properties file, the environment and flags, the later
// over the earlier, and remembers where each is from.
package props

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/magiconair/properties"
)

// ErrInvalid is wrapped by every error here.
var ErrInvalid = errors.New("invalid configuration")

const envPrefix = "SLUICE_"

// Props are merged settings.
type Props struct {
	// Values are what was given, secrets included.
	Values map[string]string
	// From says, for messages, where a value is from where that is not the file: ` (from SLUICE_POOL)`.
	From map[string]string
}

// Merge reads a properties file (nil for none), environment variables (as os.Environ gives them) and flags (key to
// value). known says whether a key exists: SLUICE_X_Y is the key x.y, or sluice.x.y where only that is known; two
// underscores are a dash, three one underscore.
func Merge(file []byte, env []string, flags map[string]string, known func(key string) bool) (Props, error) {
	p := Props{Values: map[string]string{}, From: map[string]string{}}
	read, err := Parse(file)
	if err != nil {
		return Props{}, err
	}
	maps.Copy(p.Values, read)
	if err := p.addEnv(env, known); err != nil {
		return Props{}, err
	}
	for k, v := range flags {
		p.Values[k], p.From[k] = v, " (from --"+k+")"
	}
	return p, nil
}

// Parse reads a Java properties file: UTF-8, or Latin-1 where it is not.
func Parse(file []byte) (map[string]string, error) {
	if len(file) == 0 {
		return map[string]string{}, nil
	}
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	if !utf8.Valid(file) {
		file = fromLatin1(file)
	}
	read, err := loader.LoadBytes(joinPairs(file))
	if err != nil {
		return nil, fmt.Errorf("%w: the properties file cannot be read: %w", ErrInvalid, err)
	}
	return read.Map(), nil
}

func fromLatin1(file []byte) []byte {
	runes := make([]rune, len(file))
	for i, c := range file {
		runes[i] = rune(c)
	}
	return []byte(string(runes))
}

// joinPairs writes out what Java escapes as two: a character beyond U+FFFF is \ud83d\ude00 there, of which the
// library would make two that are none.
func joinPairs(file []byte) []byte {
	if !bytes.Contains(file, []byte(`\u`)) {
		return file
	}
	out := make([]byte, 0, len(file))
	for i := 0; i < len(file); {
		if file[i] != '\\' || i+1 == len(file) {
			out = append(out, file[i])
			i++
			continue
		}
		if r := utf16.DecodeRune(escape(file[i:]), escape(file[min(i+6, len(file)):])); r != utf8.RuneError {
			out = utf8.AppendRune(out, r)
			i += 12
			continue
		}
		out = append(out, file[i], file[i+1])
		i += 2
	}
	return out
}

// escape is the code of the \uXXXX that b begins with; -1 where it begins with none.
func escape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

func (p Props) addEnv(env []string, known func(string) bool) error {
	by := map[string]string{}
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) || name == envPrefix {
			continue
		}
		key := envKey(name, known)
		if other, ok := by[key]; ok && p.Values[key] != value {
			return fmt.Errorf("%w: %s: the environment variables %s and %s give it different values: keep one", ErrInvalid, key, other, name)
		}
		by[key] = name
		p.Values[key], p.From[key] = value, " (from "+name+")"
	}
	return nil
}

func envKey(name string, known func(string) bool) string {
	rest := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	rest = strings.ReplaceAll(rest, "___", "\x00")
	rest = strings.ReplaceAll(rest, "__", "-")
	rest = strings.ReplaceAll(rest, "_", ".")
	key := strings.ReplaceAll(rest, "\x00", "_")
	if own := "sluice." + key; !known(key) && known(own) {
		return own
	}
	return key
}

// Nearest is the name that takes the fewest changes to become key; empty where there are no names.
func Nearest(key string, names []string) string {
	best, least := "", -1
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(key, n); least < 0 || d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
