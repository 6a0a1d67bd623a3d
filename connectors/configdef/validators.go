package configdef

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/data"
)

// Validator checks a value that has the right type, in its canonical text; nil is the null value. A message
// is the whole error: Invalid makes Kafka's.
type Validator interface {
	Check(name string, value *string) error
	// String says what is valid, for the reference.
	String() string
}

// Func makes a validator: Kafka's LambdaValidator.
func Func(describe string, check func(name string, value *string) error) Validator {
	return funcValidator{describe, check}
}

type funcValidator struct {
	describe string
	check    func(string, *string) error
}

func (f funcValidator) Check(name string, value *string) error { return f.check(name, value) }
func (f funcValidator) String() string                         { return f.describe }

// All is Kafka's CompositeValidator: the first fault counts.
func All(validators ...Validator) Validator {
	texts := make([]string, len(validators))
	for i, v := range validators {
		texts[i] = v.String()
	}
	return Func(strings.Join(texts, ", "), func(name string, value *string) error {
		for _, v := range validators {
			if err := v.Check(name, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Number is what ranges are made of: integers for integers, and for a DOUBLE either.
type Number interface{ ~int | ~int64 | ~float64 }

// AtLeast takes numbers from min on.
func AtLeast[N Number](min N) Validator { return within("["+numberText(min)+",...]", &min, nil) }

// AtMost takes numbers up to max.
func AtMost[N Number](max N) Validator { return within("[...,"+numberText(max)+"]", nil, &max) }

// Between takes numbers from min to max.
func Between[N Number](min, max N) Validator {
	return within("["+numberText(min)+",...,"+numberText(max)+"]", &min, &max)
}

func within[N Number](describe string, min, max *N) Validator {
	return Func(describe, func(name string, value *string) error {
		if value == nil {
			return Invalid(name, "null", "Value must be non-null")
		}
		n, err := strconv.ParseFloat(*value, 64)
		switch {
		case err != nil:
			return fmt.Errorf("%s: a range is for numbers, not for %q", name, *value)
		case min != nil && n < float64(*min):
			return Invalid(name, *value, "Value must be at least "+numberText(*min))
		case max != nil && n > float64(*max):
			return Invalid(name, *value, "Value must be no more than "+numberText(*max))
		}
		return nil
	})
}

// numberText is a number as Java prints it.
func numberText[N Number](n N) string {
	if f, ok := any(n).(float64); ok {
		return string(data.AppendFloat(nil, f, 64))
	}
	return strconv.FormatInt(int64(n), 10)
}

// In takes one of the given texts.
func In(valid ...string) Validator {
	return Func(ListText(valid), func(name string, value *string) error { return oneOf(name, value, valid) })
}

func oneOf(name string, value *string, valid []string) error {
	if value == nil || !slices.Contains(valid, *value) {
		return Invalid(name, orNull(value), "String must be one of: "+strings.Join(valid, ", "))
	}
	return nil
}

// InIgnoreCase takes one of the given texts, in any case. Messages show them in the order of Java's set.
func InIgnoreCase(valid ...string) Validator {
	upper := make([]string, len(valid))
	for i, v := range valid {
		upper[i] = strings.ToUpper(v)
	}
	upper = HashOrder(upper)
	return Func("(case insensitive) "+ListText(upper), func(name string, value *string) error {
		if value != nil && slices.Contains(upper, strings.ToUpper(*value)) {
			return nil
		}
		return Invalid(name, orNull(value), "String must be one of (case insensitive): "+strings.Join(upper, ", "))
	})
}

// NonNull takes everything but null.
func NonNull() Validator {
	return Func("non-null string", func(name string, value *string) error {
		if value == nil {
			return Invalid(name, "null", "entry must be non null")
		}
		return nil
	})
}

// NonEmpty takes texts that are not empty, and null.
func NonEmpty() Validator {
	return Func("non-empty string", func(name string, value *string) error {
		if value != nil && *value == "" {
			return Invalid(name, "", "String must be non-empty")
		}
		return nil
	})
}

// NonEmptyWithoutControlChars is the validator of connector names. It takes null.
func NonEmptyWithoutControlChars() Validator {
	return Func("non-empty string without ISO control characters", func(name string, value *string) error {
		if value == nil {
			return nil
		}
		if *value == "" {
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

// validList is Kafka's ValidList. Parse knows it.
type validList struct {
	valid []string // none: any
	empty bool     // whether an empty list is taken
}

// ListIn takes lists without duplicates of the given texts, and an empty one: Kafka's ValidList.in.
func ListIn(valid ...string) Validator { return validList{valid: valid, empty: true} }

// DistinctList takes lists without duplicates and empty entries, and an empty one if emptyAllowed: Kafka's
// ValidList.anyNonDuplicateValues. Null is refused; OrNull takes it.
func DistinctList(emptyAllowed bool) Validator { return validList{empty: emptyAllowed} }

// NonEmptyListIn is ListIn without the empty list.
func NonEmptyListIn(valid ...string) Validator { return validList{valid: valid} }

// OrNull takes null, and what v takes.
func OrNull(v Validator) Validator { return nullable{v} }

type nullable struct{ Validator }

func (n nullable) Check(name string, value *string) error {
	if value == nil {
		return nil
	}
	return n.Validator.Check(name, value)
}

func (l validList) Check(name string, value *string) error {
	if value == nil {
		return errors.New("Configuration '" + name + "' values must not be null.")
	}
	list := SplitList(*value)
	if len(list) == 0 && !l.empty {
		valid := "any non-empty value"
		if len(l.valid) > 0 {
			valid = ListText(l.valid)
		}
		return errors.New("Configuration '" + name + "' must not be empty. Valid values include: " + valid)
	}
	sorted := slices.Sorted(slices.Values(list))
	if len(slices.Compact(sorted)) != len(list) {
		return errors.New("Configuration '" + name + "' values must not be duplicated.")
	}
	for _, s := range list {
		if s == "" {
			return errors.New("Configuration '" + name + "' values must not be empty.")
		}
		if len(l.valid) > 0 {
			if err := oneOf(name, &s, l.valid); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l validList) String() string {
	if len(l.valid) == 0 {
		return ""
	}
	return ListText(l.valid)
}

// ListOfAtMost takes lists of at most max elements.
func ListOfAtMost(max int) Validator {
	return Func(fmt.Sprintf("List containing maximum of %d elements", max), func(name string, value *string) error {
		if value == nil {
			return nil
		}
		if len(SplitList(*value)) > max {
			return Invalid(name, Shown(value), fmt.Sprintf("exceeds maximum list size of [%d].", max))
		}
		return nil
	})
}

// NonEmptyList takes lists of at least one entry.
func NonEmptyList() Validator {
	return Func("non-empty list", func(name string, value *string) error {
		if value == nil || *value == "" {
			return Invalid(name, Shown(value), "Empty list")
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
