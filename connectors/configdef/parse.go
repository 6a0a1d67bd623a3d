package configdef

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
)

// Missing is Kafka's message for a required key that is not given.
func Missing(name string) string {
	return fmt.Sprintf("Missing required configuration \"%s\" which has no default value.", name)
}

// Invalid is Kafka's message for a value that is not valid.
func Invalid(name, value, why string) error {
	if why == "" {
		return fmt.Errorf("Invalid value %s for configuration %s", value, name)
	}
	return fmt.Errorf("Invalid value %s for configuration %s: %s", value, name, why)
}

// Trim trims as Java's String.trim does: U+0000 to U+0020, and nothing else.
func Trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// Parse checks a value's type and returns its canonical text, without the key's validator.
func (k Key) Parse(raw string) (string, error) { return parse(k, raw) }

// parse checks a value's type and returns its canonical text: that of the Java object, a list's elements
// joined by commas.
func parse(k Key, raw string) (string, error) {
	s := Trim(raw)
	switch k.Type {
	case Boolean:
		for _, b := range []string{"true", "false"} {
			if strings.EqualFold(s, b) {
				return b, nil
			}
		}
		return "", Invalid(k.Name, raw, "Expected value to be either true or false")
	case Int:
		return integer(k, raw, s, 32)
	case Short:
		return integer(k, raw, s, 16)
	case Long:
		return integer(k, raw, s, 64)
	case Double:
		if !javaDouble.MatchString(s) {
			return "", Invalid(k.Name, raw, "Not a number of type DOUBLE")
		}
		// What is out of range is infinite or zero, as in Java.
		f, _ := strconv.ParseFloat(strings.TrimRight(s, "fFdD"), 64)
		if strings.ContainsAny(s, "xX") { // where f and d are digits, but behind the exponent
			mantissa, exp, _ := strings.Cut(strings.ToLower(s), "p")
			f, _ = strconv.ParseFloat(mantissa+"p"+strings.TrimRight(exp, "fd"), 64)
		}
		return string(data.AppendFloat(nil, f, 64)), nil
	case List:
		return strings.Join(SplitList(s), ","), nil
	case Class:
		if k.Find == nil {
			return s, nil
		}
		class, ok := k.Find(s)
		if !ok {
			return "", Invalid(k.Name, raw, "Class "+raw+" could not be found.")
		}
		return class, nil
	default:
		return s, nil
	}
}

func integer(k Key, raw, s string, bits int) (string, error) {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return "", Invalid(k.Name, raw, "Not a number of type "+string(k.Type))
	}
	return strconv.FormatInt(n, 10), nil
}

// javaDouble is what Java's Double.parseDouble takes.
var javaDouble = regexp.MustCompile(`^[+-]?(NaN|Infinity|((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?\d+)[fFdD]?)$`)

// SplitList splits a LIST: none for an empty text.
func SplitList(s string) []string {
	s = Trim(s)
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t\n\v\f\r")
	}
	return parts
}

// ListText is a LIST as Java prints it, which is how messages show one.
func ListText(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

// Shown is the value of a LIST as messages show it; null stays null.
func Shown(value *string) string {
	if value == nil {
		return "null"
	}
	return ListText(SplitList(*value))
}

// Parse checks a config and returns its values. It reports all faults at once, in Kafka's words. Unlike
// Validate, and as Kafka, it drops what a list that may have no duplicates has twice.
func (d *Def) Parse(config map[string]string) (Values, error) {
	out := Values{def: d, values: map[string]string{}}
	var errs []error
	for i, v := range d.Validate(d.distinct(config)) {
		for _, e := range v.Errors {
			errs = append(errs, errors.New(e))
		}
		if i >= len(d.keys) || v.Value == nil {
			continue
		}
		value := *v.Value
		if k := d.keys[i]; k.Type == Password {
			raw, given := config[k.Name]
			if !given {
				raw = *k.Default // there is a value, so there is one
			}
			value = Trim(raw)
		}
		out.values[v.Name] = value
	}
	return out, errors.Join(errs...)
}

func (d *Def) distinct(config map[string]string) map[string]string {
	out := config
	for _, k := range d.keys {
		validator := k.Validator
		if n, ok := validator.(nullable); ok {
			validator = n.Validator
		}
		raw, given := config[k.Name]
		if _, ok := validator.(validList); !ok || !given {
			continue
		}
		list, seen := []string{}, map[string]bool{}
		for _, s := range SplitList(raw) {
			if !seen[s] {
				list = append(list, s)
			}
			seen[s] = true
		}
		if joined := strings.Join(list, ","); joined != raw {
			copied := make(map[string]string, len(out))
			for k, v := range out {
				copied[k] = v
			}
			copied[k.Name], out = joined, copied
		}
	}
	return out
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
func (v Values) List(name string) []string { return SplitList(v.get(name)) }

// Password is a PASSWORD in the clear: it must not be logged.
func (v Values) Password(name string) string { return v.get(name) }
