package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/internal/props"
)

// Load merges a properties file (nil for none), environment variables (as os.Environ gives them) and flags
// (key to value), and checks the result. It reports every fault at once; all wrap ErrInvalid. The warnings
// are for the log, at most one line for each kind.
func Load(file []byte, env []string, flags map[string]string) (Worker, []string, error) {
	p, err := props.Merge(file, env, flags, Known)
	if err != nil {
		return Worker{}, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return FromProps(p, nil)
}

// Known says whether a key means anything to a worker, be it only that Kafka Connect knows it.
func Known(key string) bool { return kindOf(key) != unknown }

// FromProps is Load for properties that are merged already. others are the keys that other processes take from the
// same properties, one that ends in a dot standing for all below it: they are nothing to a worker, and no fault.
func FromProps(p props.Props, others []string) (Worker, []string, error) {
	values := maps.Clone(p.Values)
	maps.DeleteFunc(values, func(k, _ string) bool { return matches(k, others) && kindOf(k) != effective })
	return load(values, p.From, others)
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
func load(given, source map[string]string, others []string) (Worker, []string, error) {
	w := Worker{props: given, raw: given}
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
	}
	set, warnings, err := w.resolve()
	if err != nil {
		fail("%w", err)
	} else {
		given, w.props = set.Configs[0], set.Configs[0]
	}
	if w.values, err = definition.Parse(given); err != nil {
		for _, v := range definition.Validate(given) {
			for _, e := range v.Errors {
				fail("%s%s", e, source[v.Name])
			}
		}
	}
	w.standalone = w.values.String(groupID) == "" && w.values.String(offsetsFile) != ""
	var meaningless, unknownKeys []string
	for _, key := range slices.Sorted(maps.Keys(given)) {
		switch k := kindOf(key); {
		case k == unknown && isSluice(key):
			fail("%s%s: Sluice has no such key; the nearest is %s", key, source[key], props.Nearest(key, append(sluiceKeys(), others...)))
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
	strange := "These worker keys are known neither to Kafka Connect nor to Sluice and are ignored: " + strings.Join(unknownKeys, ", ")
	if len(errs) > 0 {
		if len(unknownKeys) > 0 {
			errs = append(errs, errors.New(strange)) // no fault by itself: a key that is missing may be among them, misspelt
		}
		return Worker{}, nil, set.Error(errors.Join(errs...))
	}
	if len(meaningless) > 0 {
		warnings = append(warnings, "These worker keys mean nothing to Sluice and are ignored: "+strings.Join(meaningless, ", "))
	}
	if len(unknownKeys) > 0 {
		warnings = append(warnings, strange)
	}
	if w.standalone && strings.ToLower(w.values.String(eosSupport)) != "disabled" {
		warnings = append(warnings, eosSupport+" has no effect on a standalone worker, as in Kafka Connect: it delivers the records of sources at least once")
	}
	return w, warnings, nil
}

// resolve makes the config providers and puts into the properties what their references come to.
func (w *Worker) resolve() (*secrets.Set, []string, error) {
	resolver, warnings, err := secrets.New(w.raw)
	if err != nil {
		return nil, nil, err
	}
	set, err := resolver.Worker(context.Background(), w.raw)
	if err != nil {
		return nil, nil, err
	}
	w.secrets = resolver
	for _, r := range set.Unresolved {
		warnings = append(warnings, "A reference of the worker's config comes to nothing and stays as it is: "+r)
	}
	return set, warnings, nil
}

// sluiceKeys are the keys that are Sluice's own.
func sluiceKeys() []string {
	var out []string
	for _, k := range definition.Keys() {
		if isSluice(k.Name) {
			out = append(out, k.Name)
		}
	}
	return out
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
