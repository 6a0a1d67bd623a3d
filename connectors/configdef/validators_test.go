package configdef

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// null stands for the null value in tables.
const null = "\x00"

func value(s string) *string {
	if s == null {
		return nil
	}
	return &s
}

// The texts are those of Kafka's ConfigDef.
func TestValidators_SayWhatKafkasSay(t *testing.T) {
	atLeastOne, between := AtLeast(1), Between(-1, 5)
	half := Between(0.5, 1.0)
	for _, c := range []struct {
		v     Validator
		text  string
		value string
		want  string // empty: it is valid
	}{
		{atLeastOne, "[1,...]", "1", ""},
		{atLeastOne, "[1,...]", "0", "Invalid value 0 for configuration k: Value must be at least 1"},
		{atLeastOne, "[1,...]", null, "Invalid value null for configuration k: Value must be non-null"},
		{AtMost(5), "[...,5]", "6", "Invalid value 6 for configuration k: Value must be no more than 5"},
		{AtMost(5), "[...,5]", "-7", ""},
		{between, "[-1,...,5]", "-2", "Invalid value -2 for configuration k: Value must be at least -1"},
		{between, "[-1,...,5]", "6", "Invalid value 6 for configuration k: Value must be no more than 5"},
		{half, "[0.5,...,1.0]", "0.5", ""},
		{half, "[0.5,...,1.0]", "1.5", "Invalid value 1.5 for configuration k: Value must be no more than 1.0"},
		{half, "[0.5,...,1.0]", "NaN", ""},
		{In("a", "b"), "[a, b]", "a", ""},
		{In("a", "b"), "[a, b]", "A", "Invalid value A for configuration k: String must be one of: a, b"},
		{In("a", "b"), "[a, b]", null, "Invalid value null for configuration k: String must be one of: a, b"},
		{InIgnoreCase("poll", "interval", "connector"), "(case insensitive) [INTERVAL, POLL, CONNECTOR]", "Poll", ""},
		{InIgnoreCase("poll", "interval", "connector"), "(case insensitive) [INTERVAL, POLL, CONNECTOR]", "x", "Invalid value x for configuration k: String must be one of (case insensitive): INTERVAL, POLL, CONNECTOR"},
		{InIgnoreCase("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), "(case insensitive) [SASL_SSL, PLAINTEXT, SSL, SASL_PLAINTEXT]", null,
			"Invalid value null for configuration k: String must be one of (case insensitive): SASL_SSL, PLAINTEXT, SSL, SASL_PLAINTEXT"},
		{ListIn("a", "b"), "[a, b]", "", ""},
		{ListIn("a", "b"), "[a, b]", "b,a", ""},
		{ListIn("a", "b"), "[a, b]", "b,c", "Invalid value c for configuration k: String must be one of: a, b"},
		{ListIn("a", "b"), "[a, b]", "a,a", "Configuration 'k' values must not be duplicated."},
		{ListIn("a", "b"), "[a, b]", null, "Configuration 'k' values must not be null."},
		{NonEmptyListIn("a", "b"), "[a, b]", "", "Configuration 'k' must not be empty. Valid values include: [a, b]"},
		{DistinctList(true), "", "", ""},
		{DistinctList(true), "", "x,y", ""},
		{DistinctList(true), "", "x,", "Configuration 'k' values must not be empty."},
		{DistinctList(true), "", ",", "Configuration 'k' values must not be duplicated."},
		{DistinctList(false), "", "", "Configuration 'k' must not be empty. Valid values include: any non-empty value"},
		{DistinctList(true), "", null, "Configuration 'k' values must not be null."},
		{OrNull(DistinctList(true)), "", null, ""},
		{OrNull(atLeastOne), "[1,...]", null, ""},
		{OrNull(atLeastOne), "[1,...]", "0", "Invalid value 0 for configuration k: Value must be at least 1"},
		{NonEmptyList(), "non-empty list", "", "Invalid value [] for configuration k: Empty list"},
		{NonEmptyList(), "non-empty list", null, "Invalid value null for configuration k: Empty list"},
		{NonNull(), "non-null string", null, "Invalid value null for configuration k: entry must be non null"},
		{NonNull(), "non-null string", "", ""},
		{NonEmpty(), "non-empty string", "", "Invalid value  for configuration k: String must be non-empty"},
		{NonEmpty(), "non-empty string", null, ""},
		{NonEmptyWithoutControlChars(), "non-empty string without ISO control characters", null, ""},
		{NonEmptyWithoutControlChars(), "non-empty string without ISO control characters", "", "Invalid value  for configuration k: String may not be empty"},
		{NonEmptyWithoutControlChars(), "non-empty string without ISO control characters", "a\nb\u0085", "Invalid value a\nb\u0085 for configuration k: String may not contain control sequences but had the following ASCII chars: 10, 133"},
		{NonEmptyWithoutControlChars(), "non-empty string without ISO control characters", "\u00a0", ""},
		{ListOfAtMost(2), "List containing maximum of 2 elements", "a,b", ""},
		{ListOfAtMost(2), "List containing maximum of 2 elements", "a,b,c", "Invalid value [a, b, c] for configuration k: exceeds maximum list size of [2]."},
		{All(NonNull(), In("a")), "non-null string, [a]", null, "Invalid value null for configuration k: entry must be non null"},
		{All(NonNull(), In("a")), "non-null string, [a]", "b", "Invalid value b for configuration k: String must be one of: a"},
		{All(NonNull(), In("a")), "non-null string, [a]", "a", ""},
		{Func("what I say", func(string, *string) error { return nil }), "what I say", null, ""},
	} {
		if c.v.String() != c.text {
			t.Errorf("%q: want the text %q", c.v, c.text)
		}
		got := ""
		if err := c.v.Check("k", value(c.value)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s, %q:\n got %s\nwant %s", c.v, c.value, got, c.want)
		}
	}
}

func TestListIn_WantsSomethingWhereNothingIsNotAllowed(t *testing.T) {
	if err := NonEmptyListIn().Check("k", Text("")); err == nil || !strings.Contains(err.Error(), "any non-empty value") {
		t.Error(err)
	}
}

// What a HashMap of Java 17 gives back.
func TestHashOrder_IsJavas(t *testing.T) {
	for _, c := range []struct{ put, want string }{
		{"", ""},
		{"converter.type schemas.enable schemas.cache.size schema.content decimal.format replace.null.with.default",
			"decimal.format converter.type schemas.cache.size replace.null.with.default schemas.enable schema.content"},
		{"linger.ms acks sasl.jaas.config zz interceptor.classes", "zz acks sasl.jaas.config interceptor.classes linger.ms"},
	} {
		got := HashOrder(strings.Fields(c.put))
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Error(d)
		}
	}
}

func TestHashOrder_KeepsEveryName(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, strings.Repeat("a", i%7)+string(rune('a'+i%26)))
	}
	got := HashOrder(names)
	slices.Sort(got)
	slices.Sort(names)
	if d := cmp.Diff(names, got); d != "" {
		t.Error(d)
	}
}
