package configdef

import (
	"errors"
	"slices"
	"strings"
)

// Value is what validation says of one key.
type Value struct {
	Name string
	// Value is nil where there is none; Hidden for passwords.
	Value       *string
	Recommended []string
	Errors      []string
	Visible     bool
}

// Validate checks a config against the definition and answers for every key of it, in order, and then for
// every dependent that is not defined. Keys that are not defined are not mentioned. nulls are keys that the
// config gives without a value: they are set, to null. Safe for concurrent use.
func (d *Def) Validate(config map[string]string, nulls ...string) []Value {
	v := validation{Def: d, config: config, nulls: nulls, values: make([]Value, len(d.keys)), parsed: map[string]string{}}
	for i, k := range d.keys {
		v.values[i] = Value{Name: k.Name, Visible: true}
	}
	parents := d.parents()
	for _, name := range parents {
		v.parse(name)
	}
	for _, name := range parents {
		v.recommend(name)
	}
	for i, k := range d.keys {
		if k.Type == Password {
			v.values[i].hide(v.parsed[k.Name])
		}
	}
	return append(v.values, d.undefined()...)
}

// validation is one call of Validate.
type validation struct {
	*Def
	config map[string]string
	nulls  []string
	values []Value // of keys
	parsed map[string]string
	path   []string // the keys whose dependents are being looked at
}

// parents are the keys that are no other's dependents: where validation starts.
func (d *Def) parents() []string {
	dependent := map[string]bool{}
	for _, k := range d.keys {
		for _, name := range k.Dependents {
			dependent[name] = true
		}
	}
	out := make([]string, 0, len(d.keys))
	for _, k := range d.keys {
		if !dependent[k.Name] {
			out = append(out, k.Name)
		}
	}
	return out
}

func (d *Def) undefined() (out []Value) {
	for _, k := range d.keys {
		for _, name := range k.Dependents {
			if _, ok := d.index[name]; !ok && !slices.ContainsFunc(out, func(v Value) bool { return v.Name == name }) {
				out = append(out, Value{Name: name, Errors: []string{name + " is referred in the dependents, but not defined."}})
			}
		}
	}
	return out
}

// walk calls f for a key, then for its dependents. A key that depends on itself is left out the second time.
func (v *validation) walk(name string, f func(k Key, out *Value)) {
	i, ok := v.index[name]
	if !ok || slices.Contains(v.path, name) {
		return
	}
	f(v.keys[i], &v.values[i])
	v.path = append(v.path, name)
	for _, dependent := range v.keys[i].Dependents {
		v.walk(dependent, f)
	}
	v.path = v.path[:len(v.path)-1]
}

// parse parses a key's value and checks it. Kafka's validators run whatever came before, on null where there
// is no value, so a number that is none gets a second error from a validator that wants one.
func (v *validation) parse(name string) {
	v.walk(name, func(k Key, out *Value) {
		value, err := v.value(k)
		if err != nil {
			out.Errors = append(out.Errors, err.Error())
		}
		if k.Validator != nil {
			if err := k.Validator.Check(k.Name, value); err != nil {
				out.Errors = append(out.Errors, err.Error())
			}
		}
		out.Value = value
		if value != nil {
			v.parsed[k.Name] = *value
		}
	})
}

func (v *validation) value(k Key) (*string, error) {
	raw, given := v.config[k.Name]
	switch {
	case slices.Contains(v.nulls, k.Name):
		return nil, nil
	case given:
	case k.Default != nil:
		raw = *k.Default
	case k.Required:
		return nil, errors.New(Missing(k.Name))
	default:
		return nil, nil
	}
	parsed, err := parse(k, raw)
	if err != nil {
		return nil, err
	}
	return &parsed, nil
}

func (v *validation) recommend(name string) {
	v.walk(name, func(k Key, out *Value) {
		if k.Recommend == nil {
			return
		}
		values, visible := k.Recommend(v.parsed)
		if before := out.Recommended; len(before) > 0 {
			values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return !slices.Contains(before, s) })
		}
		out.Recommended, out.Visible = values, visible
	})
}

// hide takes a password out of an answer.
func (v *Value) hide(password string) {
	if v.Value == nil {
		return
	}
	v.Value = Text(Hidden)
	if password == "" {
		return
	}
	for i, e := range v.Errors {
		v.Errors[i] = strings.ReplaceAll(e, password, Hidden)
	}
}
