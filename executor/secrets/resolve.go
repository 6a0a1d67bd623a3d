package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/configprovider"
	"github.com/sluice-project/sluice/internal/run"
)

// The keys.
const (
	providersKey = "config.providers"
	// Reload is config.action.reload: none, or by default restart.
	Reload = "config.action.reload"
	// AllowDerived is sluice.secrets.allow.derived: true lets task configs hold what references came to.
	AllowDerived = "sluice.secrets.allow.derived"
)

var (
	// ErrProviders is wrapped where config.providers.* cannot be used.
	ErrProviders = errors.New("config providers")
	// ErrResolve is wrapped where a provider fails. The config cannot be used now.
	ErrResolve = errors.New("resolving references")
	// ErrDerived is wrapped where a task config holds what a reference came to.
	ErrDerived = errors.New("a task config holds a secret")
)

// reference is Kafka Connect's pattern; RE2 finds the same matches.
var reference = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// Resolver resolves configs. The zero Resolver has no providers. Safe for concurrent use.
type Resolver struct {
	providers map[string]configprovider.Provider
	// worker are the secrets of the worker's own config.
	worker []secret
}

// New makes a resolver of the providers that a worker's config names. One without a class is left out, with a warning
// for the log, as Kafka Connect leaves it; a class that is not here is an ErrProviders, since Kafka Connect would have
// it from its plugin path.
func New(worker map[string]string) (*Resolver, []string, error) {
	r := &Resolver{providers: map[string]configprovider.Provider{}}
	var warnings []string
	var faults []error
	infos := configprovider.Builtin()
	for _, name := range configdef.SplitList(worker[providersKey]) {
		if name == "" {
			continue
		}
		prefix := providersKey + "." + name + "."
		class, ok := worker[prefix+"class"]
		if !ok {
			warnings = append(warnings, fmt.Sprintf("%s names %q, and there is no %sclass: references to it are not resolved", providersKey, name, prefix))
			continue
		}
		i := slices.IndexFunc(infos, func(i configprovider.Info) bool {
			return i.Class == strings.TrimSpace(class) || slices.Contains(i.Aliases, strings.TrimSpace(class))
		})
		if i < 0 {
			var have []string
			for _, i := range infos {
				have = append(have, i.Class)
			}
			faults = append(faults, fmt.Errorf("%w: %sclass is %q, which is not here: there are %s", ErrProviders, prefix, class, strings.Join(have, ", ")))
			continue
		}
		params := map[string]string{}
		for k, v := range worker {
			if rest, ok := strings.CutPrefix(k, prefix+"param."); ok {
				params[rest] = v
			}
		}
		p, err := infos[i].New(params)
		if err != nil {
			faults = append(faults, fmt.Errorf("%w: %sparam.*: %w", ErrProviders, prefix, err))
			continue
		}
		r.providers[name] = p
	}
	return r, warnings, errors.Join(faults...)
}

// Worker resolves the worker's own config. What its references come to is scrubbed wherever a later Set scrubs.
func (r *Resolver) Worker(ctx context.Context, config map[string]string) (*Set, error) {
	s, err := r.Resolve(ctx, config)
	if err == nil {
		for _, p := range s.secrets {
			r.worker = append(r.worker, secret{p.value, p.reference, false})
		}
	}
	return s, err
}

// lookup is what is looked up at one path of one provider.
type lookup struct{ provider, path string }

// Resolve resolves configs, which stay as they are; Set.Configs has them resolved, in order: one without references is the
// same map, which nobody may change. Each path is asked for once. An error wraps ErrResolve and holds no secret.
func (r *Resolver) Resolve(ctx context.Context, configs ...map[string]string) (*Set, error) {
	wanted := map[lookup]map[string]bool{}
	for _, c := range configs {
		for _, v := range c {
			for _, m := range reference.FindAllStringSubmatch(v, -1) {
				at := lookup{m[1], m[3]}
				if wanted[at] == nil {
					wanted[at] = map[string]bool{}
				}
				wanted[at][m[4]] = true
			}
		}
	}
	found := map[lookup]configprovider.Data{}
	s := &Set{}
	for at, keys := range wanted {
		p := r.providers[at.provider]
		if p == nil {
			continue
		}
		var got configprovider.Data
		err := run.Call(func() (err error) {
			got, err = p.Get(ctx, at.path, slices.Sorted(maps.Keys(keys)))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %s %s: %w", ErrResolve, providersKey, at.provider, err)
		}
		found[at] = got
		if got.TTL > 0 && (s.TTL == 0 || got.TTL < s.TTL) {
			s.TTL = got.TTL
		}
	}
	var collected []secret
	s.Configs = make([]map[string]string, len(configs))
	for i, c := range configs {
		if s.Configs[i] = c; !Has(c) {
			continue
		}
		s.Configs[i] = make(map[string]string, len(c))
		for k, v := range c {
			s.Configs[i][k] = s.replace(k, v, found, &collected)
		}
	}
	if len(configs) > 0 {
		s.raw = configs[0]
	}
	slices.Sort(s.Unresolved)
	s.Unresolved = slices.Compact(s.Unresolved)
	s.build(append(collected, r.worker...))
	return s, nil
}

// replace puts into a value what its references come to.
func (s *Set) replace(key, value string, found map[lookup]configprovider.Data, secrets *[]secret) string {
	var out strings.Builder
	at := 0
	for _, m := range reference.FindAllStringSubmatchIndex(value, -1) {
		group := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return value[m[2*n]:m[2*n+1]]
		}
		text := group(0)
		got, known := found[lookup{group(1), group(3)}]
		v, ok := got.Values[group(4)]
		if !ok {
			why := cmp.Or(got.Why, "there is no such key")
			if !known {
				why = providersKey + " of the worker names no such provider"
			}
			s.Unresolved = append(s.Unresolved, fmt.Sprintf("%s: %s: %s", key, text, why))
			continue
		}
		*secrets = append(*secrets, secret{v, text, true})
		out.WriteString(value[at:m[0]])
		out.WriteString(v)
		at = m[1]
	}
	if at == 0 {
		return value
	}
	out.WriteString(value[at:])
	return out.String()
}

// Has says whether any value of configs has the form of a reference.
func Has(configs ...map[string]string) bool {
	for _, c := range configs {
		for _, v := range c {
			if reference.MatchString(v) {
				return true
			}
		}
	}
	return false
}

// Restarts says whether a change of what a connector's references come to restarts it: config.action.reload.
func Restarts(connector map[string]string) bool {
	return !strings.EqualFold(strings.TrimSpace(connector[Reload]), "none")
}

// ResolveTimeout bounds the look-ups of one config.
const ResolveTimeout = 10 * time.Second
