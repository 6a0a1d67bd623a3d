package configdef

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Validator checks a value that has the right type; nil is the null value.
type Validator interface {
	Check(name string, value *string) error
	// String says what is valid, for the reference.
	String() string
}

// Func makes a validator.
func Func(describe string, check func(name string, value *string) error) Validator {
	return funcValidator{describe, check}
}

type funcValidator struct {
	describe string
	check    func(string, *string) error
}

func (f funcValidator) Check(name string, value *string) error { return f.check(name, value) }
func (f funcValidator) String() string                         { return f.describe }

// AtLeast takes numbers from min on.
func AtLeast(min int64) Validator {
	return Func(fmt.Sprintf("[%d,...]", min), func(name string, value *string) error {
		if value == nil {
			return Invalid(name, "null", "Value must be non-null")
		}
		if n, err := strconv.ParseInt(*value, 10, 64); err == nil && n < min {
			return Invalid(name, *value, fmt.Sprintf("Value must be at least %d", min))
		}
		return nil
	})
}

// Between takes numbers from min to max.
func Between(min, max int64) Validator {
	return Func(fmt.Sprintf("[%d,...,%d]", min, max), func(name string, value *string) error {
		if value == nil {
			return Invalid(name, "null", "Value must be non-null")
		}
		n, err := strconv.ParseInt(*value, 10, 64)
		if err != nil {
			return nil //nolint:nilerr // another validator reports it
		}
		if n < min {
			return Invalid(name, *value, fmt.Sprintf("Value must be at least %d", min))
		}
		if n > max {
			return Invalid(name, *value, fmt.Sprintf("Value must be no more than %d", max))
		}
		return nil
	})
}

// In takes one of the given texts.
func In(valid ...string) Validator {
	return Func("["+strings.Join(valid, ", ")+"]", func(name string, value *string) error {
		if value == nil || !slices.Contains(valid, *value) {
			return Invalid(name, orNull(value), "String must be one of: "+strings.Join(valid, ", "))
		}
		return nil
	})
}

// InIgnoreCase takes one of the given texts, in any case.
func InIgnoreCase(valid ...string) Validator {
	return Func("(case insensitive) ["+strings.Join(valid, ", ")+"]", func(name string, value *string) error {
		if value != nil && slices.ContainsFunc(valid, func(v string) bool { return strings.EqualFold(v, *value) }) {
			return nil
		}
		return Invalid(name, orNull(value), "String must be one of (case insensitive): "+strings.Join(valid, ", "))
	})
}

// NonEmpty takes texts that are not empty.
func NonEmpty() Validator {
	return Func("non-empty string", func(name string, value *string) error {
		if value != nil && *value == "" {
			return Invalid(name, "", "String must be non-empty")
		}
		return nil
	})
}

// NonEmptyWithoutControlChars is the validator of connector names.
func NonEmptyWithoutControlChars() Validator {
	return Func("non-empty string without ISO control characters", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		if strings.TrimFunc(*value, func(r rune) bool { return r <= ' ' }) == "" {
			return Invalid(name, *value, "String may not be empty")
		}
		var codes []string
		for _, r := range *value {
			if r <= 0x1f || r >= 0x7f && r <= 0x9f {
				codes = append(codes, strconv.Itoa(int(r)))
			}
		}
		if len(codes) > 0 {
			return Invalid(name, *value, "String may not contain control sequences but had the following ASCII chars: "+strings.Join(codes, ", "))
		}
		return nil
	})
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// Reference is the definition as Markdown, one section a key.
func Reference(d *Def) string {
	var b strings.Builder
	for _, k := range d.Keys() {
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n", k.Name, strings.TrimSpace(k.Doc))
		fmt.Fprintf(&b, "- Type: %s\n", strings.ToLower(string(k.Type)))
		switch {
		case k.Default != nil && *k.Default != "":
			fmt.Fprintf(&b, "- Default: `%s`\n", *k.Default)
		case k.Required:
			b.WriteString("- Required\n")
		default:
			b.WriteString("- Default: none\n")
		}
		if k.Validator != nil {
			fmt.Fprintf(&b, "- Valid values: %s\n", k.Validator)
		}
		fmt.Fprintf(&b, "- Importance: %s\n\n", strings.ToLower(string(k.Importance)))
	}
	return b.String()
}
