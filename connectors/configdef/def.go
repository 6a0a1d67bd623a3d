package configdef

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a key's value.
type Type string

// The types, by Kafka's names.
const (
	Boolean  Type = "BOOLEAN"
	String   Type = "STRING"
	Int      Type = "INT"
	Short    Type = "SHORT"
	Long     Type = "LONG"
	Double   Type = "DOUBLE"
	List     Type = "LIST"
	Class    Type = "CLASS"
	Password Type = "PASSWORD"
)

// Importance of a key.
type Importance string

// The importances.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Hidden stands where a password's value would be shown.
const Hidden = "[hidden]"

// Key declares one key.
type Key struct {
	Name string
	Type Type
	// Default is nil for a null default. Without Default and with Required the key must be given.
	Default    *string
	Required   bool
	Validator  Validator
	Importance Importance
	Doc        string
	// Group and OrderInGroup place it in forms; -1 and "" where it has no place.
	Group        string
	OrderInGroup int
	// Width is NONE, SHORT, MEDIUM or LONG.
	Width       string
	DisplayName string
	Dependents  []string
	// Recommend returns values that would be valid, and whether the key matters; nil means none, visible.
	Recommend func(config map[string]string) (values []string, visible bool)
}

// Text makes a default.
func Text(s string) *string { return &s }

// Def is a config definition: keys in the order of their declaration.
type Def struct {
	keys   []Key
	index  map[string]int
	groups []string
}

// New returns an empty definition.
func New() *Def { return &Def{index: map[string]int{}} }

// Define adds a key. It panics where the key exists or its default is not valid: a mistake of the
// program.
func (d *Def) Define(k Key) *Def {
	if _, ok := d.index[k.Name]; ok {
		panic(fmt.Sprintf("configdef: Configuration %s is defined twice.", k.Name))
	}
	if k.DisplayName == "" {
		k.DisplayName = k.Name
	}
	if k.Width == "" {
		k.Width = "NONE"
	}
	if k.Group == "" && k.OrderInGroup == 0 {
		k.OrderInGroup = -1
	}
	if k.Group != "" && !slices.Contains(d.groups, k.Group) {
		d.groups = append(d.groups, k.Group)
	}
	if k.Default != nil {
		if _, err := parse(k, *k.Default); err != nil {
			panic(fmt.Sprintf("configdef: the default of %s: %v", k.Name, err))
		}
	}
	d.index[k.Name] = len(d.keys)
	d.keys = append(d.keys, k)
	return d
}

// Keys are the keys, in order. They must not be changed.
func (d *Def) Keys() []Key { return d.keys }

// Key returns one key.
func (d *Def) Key(name string) (Key, bool) {
	i, ok := d.index[name]
	if !ok {
		return Key{}, false
	}
	return d.keys[i], true
}

// Groups are the groups, in the order in which they were first used.
func (d *Def) Groups() []string { return d.groups }

// Value is what validation says of one key.
type Value struct {
	Name string
	// Value is nil where there is none; Hidden for passwords.
	Value       *string
	Recommended []string
	Errors      []string
	Visible     bool
}

// Validate checks a config against the definition, key by key. Keys that are not defined are not
// mentioned.
func (d *Def) Validate(config map[string]string) []Value {
	out := make([]Value, 0, len(d.keys))
	for _, k := range d.keys {
		v := Value{Name: k.Name, Visible: true}
		raw, given := config[k.Name]
		switch {
		case given:
			parsed, err := parse(k, raw)
			if err != nil {
				v.Errors = append(v.Errors, err.Error())
				if k.Validator != nil {
					if nerr := k.Validator.Check(k.Name, nil); nerr != nil {
						v.Errors = append(v.Errors, nerr.Error())
					}
				}
				break
			}
			v.Value = &parsed
			if k.Validator != nil {
				if err := k.Validator.Check(k.Name, &parsed); err != nil {
					v.Errors = append(v.Errors, err.Error())
				}
			}
		case k.Default != nil:
			parsed, _ := parse(k, *k.Default) // Define has checked it
			v.Value = &parsed
		case k.Required:
			v.Errors = append(v.Errors, Missing(k.Name))
		}
		if k.Recommend != nil {
			v.Recommended, v.Visible = k.Recommend(config)
		}
		if k.Type == Password && v.Value != nil {
			v.Value = Text(Hidden)
		}
		out = append(out, v)
	}
	return out
}

// Missing is Kafka's message for a required key that is not given.
func Missing(name string) string {
	return fmt.Sprintf("Missing required configuration %q which has no default value.", name)
}

// Invalid is Kafka's message for a value that is not valid.
func Invalid(name, value, why string) error {
	if why == "" {
		return fmt.Errorf("Invalid value %s for configuration %s", value, name)
	}
	return fmt.Errorf("Invalid value %s for configuration %s: %s", value, name, why)
}

// parse checks a value's type and returns its canonical text.
func parse(k Key, raw string) (string, error) {
	s := strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' }) // Java's trim
	number := func(bits int) error {
		if _, err := strconv.ParseInt(s, 10, bits); err != nil {
			return Invalid(k.Name, raw, "Not a number of type "+string(k.Type))
		}
		return nil
	}
	switch k.Type {
	case Boolean:
		switch strings.ToLower(s) {
		case "true", "false":
			return strings.ToLower(s), nil
		}
		return "", Invalid(k.Name, raw, "Expected value to be either true or false")
	case Int:
		return strings.TrimPrefix(s, "+"), number(32)
	case Short:
		return strings.TrimPrefix(s, "+"), number(16)
	case Long:
		return strings.TrimPrefix(s, "+"), number(64)
	case Double:
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return "", Invalid(k.Name, raw, "Not a number of type DOUBLE")
		}
		return s, nil
	case List:
		return strings.Join(splitList(s), ","), nil
	case Password:
		return raw, nil
	default:
		return s, nil
	}
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// Parse checks a config and returns its values. It reports all faults at once, in Kafka's words.
func (d *Def) Parse(config map[string]string) (Values, error) {
	out := Values{def: d, values: map[string]string{}}
	var errs []error
	for _, v := range d.Validate(config) {
		for _, e := range v.Errors {
			errs = append(errs, errors.New(e))
		}
		k := d.keys[d.index[v.Name]]
		switch raw, given := config[v.Name]; {
		case k.Type == Password && given:
			out.values[v.Name] = raw
		case k.Type == Password && k.Default != nil:
			out.values[v.Name] = *k.Default
		case v.Value != nil:
			out.values[v.Name] = *v.Value
		}
	}
	return out, errors.Join(errs...)
}

// Values are the values of a parsed config. Getters return zero for a null value and panic for a key
// that is not defined.
type Values struct {
	def    *Def
	values map[string]string
}

func (v Values) get(name string) string {
	if _, ok := v.def.index[name]; !ok {
		panic(fmt.Sprintf("configdef: Unknown configuration '%s'", name))
	}
	return v.values[name]
}

// Has says whether the key has a value that is not null.
func (v Values) Has(name string) bool { v.get(name); _, ok := v.values[name]; return ok }

// String is the text of a value.
func (v Values) String(name string) string { return v.get(name) }

// Long is an integer of any type.
func (v Values) Long(name string) int64 {
	n, _ := strconv.ParseInt(v.get(name), 10, 64) // checked by Parse; null is 0
	return n
}

// Int is Long as an int.
func (v Values) Int(name string) int { return int(v.Long(name)) }

// Double is a DOUBLE.
func (v Values) Double(name string) float64 {
	f, _ := strconv.ParseFloat(v.get(name), 64) // checked by Parse; null is 0
	return f
}

// Bool is a BOOLEAN.
func (v Values) Bool(name string) bool { return v.get(name) == "true" }

// List is a LIST.
func (v Values) List(name string) []string { return splitList(v.get(name)) }

// Password is a PASSWORD in the clear: it must not be logged.
func (v Values) Password(name string) string { return v.get(name) }
