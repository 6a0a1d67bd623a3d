package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// chain is what a Registry has of transforms and predicates: those that are built in, by class.
type chain struct {
	transforms       []transform.Info
	predicates       []predicate.Info
	transformsByName map[string]int
	predicatesByName map[string]int
}

func (r *Registry) addChain() error {
	r.transformsByName, r.predicatesByName = map[string]int{}, map[string]int{}
	r.transforms, r.predicates = transform.Builtin(), predicate.Builtin()
	slices.SortStableFunc(r.transforms, func(a, b transform.Info) int { return cmp.Compare(a.Class, b.Class) })
	slices.SortStableFunc(r.predicates, func(a, b predicate.Info) int { return cmp.Compare(a.Class, b.Class) })
	add := func(index map[string]int, i int, class string, aliases []string, config func() *configdef.Def) error {
		if err := r.define(class, config); err != nil {
			return err
		}
		for _, name := range append([]string{class}, aliases...) {
			if _, ok := index[name]; ok {
				return fmt.Errorf("%w: %q is claimed twice, the second time by %s", ErrDuplicate, name, class)
			}
			index[name] = i
		}
		return nil
	}
	for i, t := range r.transforms {
		if err := add(r.transformsByName, i, t.Class, t.Aliases, t.Config); err != nil {
			return err
		}
	}
	for i, p := range r.predicates {
		if err := add(r.predicatesByName, i, p.Class, p.Aliases, p.Config); err != nil {
			return err
		}
	}
	return nil
}

// Transform finds a transform by its class, or where it has no forms for key and value by its simple name. The
// error is an *UnknownError.
func (r *Registry) Transform(name string) (transform.Info, error) {
	if i, ok := r.transformsByName[name]; ok {
		return r.transforms[i], nil
	}
	return transform.Info{}, unknown("Transformation", name, r.Transforms())
}

// Predicate finds a predicate by its class or simple name. The error is an *UnknownError.
func (r *Registry) Predicate(name string) (predicate.Info, error) {
	if i, ok := r.predicatesByName[name]; ok {
		return r.predicates[i], nil
	}
	return predicate.Info{}, unknown("Predicate", name, r.Predicates())
}

func unknown(kind, name string, have []string) error {
	return &UnknownError{Name: name, text: fmt.Sprintf("Failed to find any class that implements %s and which name matches %s, available are: %s", kind, name, strings.Join(have, ", "))}
}

// Transforms are the classes of all transforms, sorted.
func (r *Registry) Transforms() []string {
	out := make([]string, len(r.transforms))
	for i, t := range r.transforms {
		out[i] = t.Class
	}
	return out
}

// Predicates are the classes of all predicates, sorted.
func (r *Registry) Predicates() []string {
	out := make([]string, len(r.predicates))
	for i, p := range r.predicates {
		out[i] = p.Class
	}
	return out
}

// listChain is the catalogue's part.
func (r *Registry) listChain() []*sluicev1.Plugin {
	var out []*sluicev1.Plugin
	for _, t := range r.transforms {
		out = append(out, entry(sluicev1.PluginType_PLUGIN_TYPE_TRANSFORMATION, t.Class, t.Aliases, t.Version, r.defs[t.Class].Keys()))
	}
	for _, p := range r.predicates {
		out = append(out, entry(sluicev1.PluginType_PLUGIN_TYPE_PREDICATE, p.Class, p.Aliases, p.Version, r.defs[p.Class].Keys()))
	}
	return out
}
