package configdef

import (
	"fmt"
	"slices"
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
	// Dependents are keys whose recommendations depend on this one. They are looked at after it.
	Dependents []string
	// Recommend returns values that would be valid, and whether the key matters, from the parsed values of
	// all keys that have one; nil means none, visible. What it returns is not changed.
	Recommend func(parsed map[string]string) (values []string, visible bool)
	// Find resolves the name or alias of a CLASS to the class; nil takes every name.
	Find func(name string) (class string, ok bool)
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
	if k.Default != nil || !k.Required {
		if err := checkDefault(k); err != nil {
			panic(fmt.Sprintf("configdef: the default of %s: %v", k.Name, err))
		}
	}
	d.index[k.Name] = len(d.keys)
	d.keys = append(d.keys, k)
	return d
}

func checkDefault(k Key) error {
	value := k.Default
	if value != nil {
		parsed, err := parse(k, *value)
		if err != nil {
			return err
		}
		value = &parsed
	}
	if k.Validator == nil {
		return nil
	}
	return k.Validator.Check(k.Name, value)
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
