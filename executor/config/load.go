package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/magiconair/properties"

	"github.com/sluice-project/sluice/connectors/configdef"
)

const envPrefix = "SLUICE_"

// Load merges a properties file (nil for none), environment variables (as os.Environ gives them) and flags
// (key to value), and checks the result. It reports every fault at once; all wrap ErrInvalid. The warnings
// are for the log, at most one line for each kind.
func Load(file []byte, env []string, flags map[string]string) (Worker, []string, error) {
	props, source := map[string]string{}, map[string]string{}
	set := func(key, value, from string) {
		props[key] = value
		source[key] = from
	}
	fromFile, err := parse(file)
	if err != nil {
		return Worker{}, nil, err
	}
	for k, v := range fromFile {
		set(k, v, "")
	}
	byEnv, err := fromEnv(env)
	if err != nil {
		return Worker{}, nil, err
	}
	for k, v := range byEnv {
		set(k, v.value, " (from "+v.variable+")")
	}
	for k, v := range flags {
		set(k, v, " (from --"+k+")")
	}
	return load(props, source)
}

func parse(file []byte) (map[string]string, error) {
	if len(file) == 0 {
		return nil, nil
	}
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	if !utf8.Valid(file) {
		loader.Encoding = properties.ISO_8859_1
	}
	p, err := loader.LoadBytes(file)
	if err != nil {
		return nil, fmt.Errorf("%w: the properties file cannot be read: %w", ErrInvalid, err)
	}
	return p.Map(), nil
}

type variable struct{ variable, value string }

// envKey is the key that a variable names, by the rule in the package's comment.
func envKey(name string) string {
	rest := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	rest = strings.ReplaceAll(rest, "___", "\x00")
	rest = strings.ReplaceAll(rest, "__", "-")
	rest = strings.ReplaceAll(rest, "_", ".")
	key := strings.ReplaceAll(rest, "\x00", "_")
	if _, ok := definition.Key("sluice." + key); ok && kindOf(key) == unknown {
		return "sluice." + key
	}
	return key
}

func fromEnv(env []string) (map[string]variable, error) {
	out := map[string]variable{}
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) || name == envPrefix {
			continue
		}
		key := envKey(name)
		if other, ok := out[key]; ok && other.value != value {
			return nil, fmt.Errorf("%w: %s: the environment variables %s and %s give it different values: keep one", ErrInvalid, key, other.variable, name)
		}
		out[key] = variable{name, value}
	}
	return out, nil
}

// kind says what a key is to the worker.
type kind uint8

const (
	unknown kind = iota
	effective
	meaningless
)

func isSluice(key string) bool { return strings.HasPrefix(key, "sluice.") }

// matches says whether a key is in a list, where a trailing dot stands for every key below.
func matches(key string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return key == p || strings.HasSuffix(p, ".") && len(key) > len(p) && strings.HasPrefix(key, p)
	})
}

func kindOf(key string) kind {
	if _, ok := definition.Key(key); ok {
		return effective
	}
	switch {
	case matches(key, idle):
		return meaningless
	case matches(key, free), matches(key, clientKeys):
		return effective
	}
	return unknown
}

// load checks merged properties. source says where a value is from, where not from the file.
func load(props, source map[string]string) (Worker, []string, error) {
	w := Worker{props: maps.Clone(props)}
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	var err error
	if w.values, err = definition.Parse(props); err != nil {
		for _, v := range definition.Validate(props) {
			for _, e := range v.Errors {
				fail("%s%s", e, source[v.Name])
			}
		}
	}
	w.standalone = w.values.String(groupID) == "" && w.values.String(offsetsFile) != ""
	var meaningless, unknownKeys []string
	for _, key := range slices.Sorted(maps.Keys(props)) {
		switch k := kindOf(key); {
		case k == unknown && isSluice(key):
			fail("%s%s: Sluice has no such key; the nearest is %s", key, source[key], nearest(key))
		case k == unknown:
			unknownKeys = append(unknownKeys, key)
		case k != effective:
			meaningless = append(meaningless, key)
		case key == offsetsFile && !w.standalone,
			w.standalone && (strings.HasPrefix(key, "config.storage.") || strings.HasPrefix(key, "status.storage.") || strings.HasPrefix(key, "offset.storage.") && key != offsetsFile),
			strings.HasSuffix(key, ".storage.cleanup.policy"), key == "config.storage.partitions":
			meaningless = append(meaningless, key)
		}
	}
	if !w.standalone {
		for _, key := range []string{groupID, offsetsTopic, configTopic, statusTopic} {
			if w.values.String(key) == "" {
				fail("%s A worker without %s, but with %s, is standalone.", configdef.Missing(key), groupID, offsetsFile)
			}
		}
		errs = append(errs, w.checkTopics()...)
	}
	for _, key := range []string{keyConverter, valueConverter, headerConverter} {
		if w.values.Has(key) && w.values.String(key) == "" {
			fail("%s is empty: name a converter%s", key, source[key])
		}
	}
	if len(w.values.List(bootstrapServers)) == 0 {
		fail("%s is empty: give host:port pairs", bootstrapServers)
	}
	if len(errs) > 0 {
		return Worker{}, nil, errors.Join(errs...)
	}
	var warnings []string
	if len(meaningless) > 0 {
		warnings = append(warnings, "These worker keys mean nothing to Sluice and are ignored: "+strings.Join(meaningless, ", "))
	}
	if len(unknownKeys) > 0 {
		warnings = append(warnings, "These worker keys are known neither to Kafka Connect nor to Sluice and are ignored: "+strings.Join(unknownKeys, ", "))
	}
	if w.ExactlyOnce() != "disabled" {
		warnings = append(warnings, eosSupport+"="+w.ExactlyOnce()+": this version delivers the records of sources at least once")
	}
	return w, warnings, nil
}

// checkTopics wants three names, all different.
func (w Worker) checkTopics() (errs []error) {
	seen := map[string]string{}
	for _, key := range []string{offsetsTopic, configTopic, statusTopic} {
		name := w.values.String(key)
		if other, ok := seen[name]; ok && name != "" {
			errs = append(errs, fmt.Errorf("%w: Invalid value %s for configuration %s: %s names the same topic; each needs one of its own", ErrInvalid, name, key, other))
		}
		seen[name] = key
	}
	return errs
}

// nearest is the key of Sluice that takes the fewest changes.
func nearest(key string) string {
	best, least := "", -1
	var names []string
	for _, k := range definition.Keys() {
		if isSluice(k.Name) {
			names = append(names, k.Name)
		}
	}
	sort.Strings(names)
	for _, n := range names {
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

func parseLabels(v *string) (out map[string]string, bad string) {
	out = map[string]string{}
	if v == nil || *v == "" {
		return out, ""
	}
	for _, pair := range strings.Split(*v, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" {
			return nil, fmt.Sprintf("%q", pair)
		}
		out[name] = value
	}
	return out, ""
}
