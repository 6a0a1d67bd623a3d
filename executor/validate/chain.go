package validate

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/pluginversion"
)

// kind is transforms or predicates: what differs between them for validation.
type kind struct {
	key        string // of the list of aliases
	group      string
	name, noun string // Transformation, transformation
	classes    []string
	// find resolves a name to the class and its version.
	find func(name string) (class, version string, err error)
}

// chain are the keys of the transforms and predicates that the config lists, as ConnectorConfig.enrich adds them:
// of each alias its class, its version, and what its class defines.
func (s *state) chain() []configdef.Key {
	r := s.Registry
	var out []configdef.Key
	for _, k := range []kind{
		{framework.Transforms, "Transforms", "Transformation", "transformation", r.Transforms(), func(name string) (string, string, error) {
			i, err := r.Transform(name)
			return i.Class, i.Version, err
		}},
		{framework.Predicates, "Predicates", "Predicate", "predicate", r.Predicates(), func(name string) (string, string, error) {
			i, err := r.Predicate(name)
			return i.Class, i.Version, err
		}},
	} {
		var seen []string
		for _, alias := range configdef.SplitList(s.config[k.key]) {
			if slices.Contains(seen, alias) { // an empty one is an alias, for which nothing is configured
				continue
			}
			seen = append(seen, alias)
			out = append(out, s.alias(k, alias)...)
		}
	}
	return out
}

// alias are the keys of one alias.
func (s *state) alias(k kind, alias string) []configdef.Key {
	prefix, group := k.key+"."+alias+".", k.group+": "+alias
	typeKey, versionKey := prefix+"type", prefix+strings.TrimPrefix(framework.PluginVersion, ".")
	given, named := s.config[typeKey]
	class, version, err := k.find(strings.TrimSpace(given))
	ok := named && err == nil
	var versions []string
	if ok && version != "" {
		versions = []string{version}
	}
	fits := func(spec *string) error {
		if !ok || spec == nil || version == "" {
			return nil
		}
		want, err := pluginversion.Parse(*spec)
		if err == nil && !want.Allows(version) {
			err = errors.New(noVersion(class, want, versions))
		}
		return err
	}
	var asked *string
	if spec, given := s.config[versionKey]; given {
		asked = &spec
	}
	out := []configdef.Key{
		{Name: typeKey, Type: configdef.Class, Required: true, Importance: configdef.High, Group: group, Width: "LONG",
			DisplayName: k.name + " type for " + alias, Doc: "Class for the '" + alias + "' " + k.noun + ".",
			Find:      s.Registry.Find,
			Recommend: func(map[string]string) ([]string, bool) { return k.classes, true },
			Validator: configdef.Func("valid configs for "+alias+" "+k.noun, func(_ string, value *string) error {
				if err := s.negated(k, prefix); err != nil {
					return err
				}
				if value == nil {
					return nil // it was not found: there is nothing to add
				}
				if _, _, err := k.find(*value); err != nil {
					return noPlugin(k, *value)
				}
				return fits(asked)
			})},
		{Name: versionKey, Type: configdef.String, Default: optional(version), Importance: configdef.High, Group: group, OrderInGroup: 1, Width: "LONG",
			DisplayName: k.name + " version for " + alias, Doc: "Version of the '" + alias + "' " + k.noun + ".",
			Recommend: func(map[string]string) ([]string, bool) { return versions, true },
			Validator: configdef.Func("", func(_ string, value *string) error { return fits(value) })},
	}
	if !ok || fits(asked) != nil {
		return out
	}
	for i, own := range embedded(k, s.Registry.Def(class).Keys()) {
		if v := own.Validator; v != nil { // which knows the key by its own name
			own.Validator = configdef.Func(v.String(), func(name string, value *string) error { return v.Check(strings.TrimPrefix(name, prefix), value) })
		}
		own.Name, own.Group, own.OrderInGroup = prefix+own.Name, group, i+2
		out = append(out, own)
	}
	return out
}

// negated refuses a negation of nothing.
func (s *state) negated(k kind, prefix string) error {
	_, negate := s.config[prefix+"negate"]
	_, predicate := s.config[prefix+"predicate"]
	if k.key == framework.Transforms && negate && !predicate {
		return errors.New("Config '" + prefix + "negate' was provided but there is no config '" + prefix + "predicate' defining a predicate to be negated.")
	}
	return nil
}

// noPlugin says why a class that there is cannot be a transform or predicate.
func noPlugin(k kind, class string) error {
	if slices.Contains(k.classes, class+"$Key") {
		return errors.New("This class is abstract and cannot be created. Did you mean " + class + "$Key, " + class + "$Value?")
	}
	return errors.New("Class class " + class + " does not implement the " + k.name + " interface")
}

// embedded are a plugin's keys with the framework's, which mask them, in the order of ConfigDef.sortedConfigs:
// without default first, then by importance, then by name.
func embedded(k kind, own []configdef.Key) []configdef.Key {
	var out []configdef.Key
	if k.key == framework.Transforms {
		for _, implicit := range []configdef.Key{
			{Name: "predicate", Type: configdef.String, Importance: configdef.Medium, Doc: "The alias of a predicate used to determine whether to apply this transformation."},
			{Name: "negate", Type: configdef.Boolean, Default: configdef.Text("false"), Importance: configdef.Medium, Doc: "Whether the configured predicate should be negated."},
		} {
			implicit.DisplayName, implicit.Width = implicit.Name, "NONE"
			out = append(out, implicit)
		}
		own = slices.DeleteFunc(slices.Clone(own), func(o configdef.Key) bool { return o.Name == "predicate" || o.Name == "negate" })
	}
	out = append(out, own...)
	rank := func(k configdef.Key) int {
		importance := slices.Index([]configdef.Importance{configdef.High, configdef.Medium, configdef.Low}, k.Importance)
		if k.Required {
			return importance
		}
		return importance + 3
	}
	slices.SortFunc(out, func(a, b configdef.Key) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Name, b.Name)) })
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
