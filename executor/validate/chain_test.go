package validate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/executor/validate"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const smt = "org.apache.kafka.connect.transforms."

func chained(t *testing.T, config ...string) *sluicev1.ValidateResult {
	t.Helper()
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs(source(config...)...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTransforms_WhatIsWrongIsSaidByKeyInKafkaConnectsWords(t *testing.T) {
	for _, c := range []struct {
		name   string
		config []string
		want   []string
	}{
		{"right", []string{"transforms", "a,b", "transforms.a.type", smt + "InsertField$Value", "transforms.a.static.field", "f", "transforms.a.static.value", "x", "transforms.b.type", "RegexRouter", "transforms.b.regex", "(.*)",
			"transforms.b.replacement", "x-$1", "transforms.b.predicate", "p", "transforms.b.negate", "true", "predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "a.*"}, nil},
		{"no type", []string{"transforms", "a", "predicates", "p"}, []string{`transforms.a.type | Missing required configuration "transforms.a.type" which has no default value.`,
			`predicates.p.type | Missing required configuration "predicates.p.type" which has no default value.`}},
		{"an unknown type", []string{"transforms", "a", "transforms.a.type", "Nope"}, []string{"transforms.a.type | Invalid value Nope for configuration transforms.a.type: Class Nope could not be found."}},
		{"a predicate as a transform", []string{"transforms", "a", "transforms.a.type", "HasHeaderKey"}, []string{"transforms.a.type | Class class " + smt + "predicates.HasHeaderKey does not implement the Transformation interface"}},
		{"a transform as a predicate", []string{"predicates", "p", "predicates.p.type", "Filter"}, []string{"predicates.p.type | Class class " + smt + "Filter does not implement the Predicate interface"}},
		{"one of Java's classes", []string{"transforms", "a", "transforms.a.type", "java.lang.String"}, []string{"transforms.a.type | Class class java.lang.String does not implement the Transformation interface"}},
		{"without its form", []string{"transforms", "a", "transforms.a.type", smt + "InsertField"}, []string{"transforms.a.type | This class is abstract and cannot be created. Did you mean " + smt + "InsertField$Key, " + smt + "InsertField$Value?"}},
		{"the form alone", []string{"transforms", "a", "transforms.a.type", "InsertField$Value"}, []string{"transforms.a.type | Invalid value InsertField$Value for configuration transforms.a.type: Class InsertField$Value could not be found."}},
		{"another version", []string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.plugin.version", "1.0"}, []string{
			"transforms.a.type | Plugin " + smt + "Filter not found that matches the version range [1.0,1.0], available versions: [4.3.1]",
			"transforms.a.plugin.version | Plugin " + smt + "Filter not found that matches the version range [1.0,1.0], available versions: [4.3.1]"}},
		{"a negation of nothing", []string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.negate", "true"}, []string{
			"transforms.a.type | Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated."}},
		{"a predicate that is not there", []string{"transforms", "a", "transforms.a.type", "Filter", "transforms.a.predicate", "p"}, nil},
		{"its keys", []string{"transforms", "a", "transforms.a.type", smt + "Cast$Key", "transforms.a.spec", "a:nope", "transforms.a.replace.null.with.default", "maybe", "transforms.a.negate", "x", "transforms.a.predicate", "p"}, []string{
			"transforms.a.spec | Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.NOPE for configuration Invalid type found in casting spec: nope",
			"transforms.a.negate | Invalid value x for configuration transforms.a.negate: Expected value to be either true or false",
			"transforms.a.replace.null.with.default | Invalid value maybe for configuration transforms.a.replace.null.with.default: Expected value to be either true or false"}},
		{"a regex that Java refuses", []string{"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "("}, []string{"predicates.p.pattern | Invalid value ( for configuration pattern: Invalid regex: Unclosed group near index 1\n("}},
		{"a regex that is not supported", []string{"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", `\G.`}, []string{"predicates.p.pattern | Invalid value \\G. for configuration pattern: Invalid regex: \\G is not supported\n\\G."}},
		{"times that cannot be read", []string{"transforms", "a", "transforms.a.type", smt + "TimestampConverter$Value", "transforms.a.target.type", "unix", "transforms.a.format", "YYYY-MM-dd"}, []string{
			`transforms.a.format | Invalid value YYYY-MM-dd for configuration format: reading times by "YYYY-MM-dd" is not supported: the letter Y counts weeks; use y, M and d`}},
	} {
		r := chained(t, c.config...)
		if d := cmp.Diff(c.want, problems(r)); d != "" || int(r.ErrorCount) != len(c.want) {
			t.Errorf("%s: %d errors: %s", c.name, r.ErrorCount, d)
		}
	}
}

func TestTransforms_EachAliasIsAGroupOfItsOwn(t *testing.T) {
	r := chained(t, "transforms", "h,r", "transforms.h.type", smt+"HoistField$Value", "transforms.h.field", "line", "transforms.r.type", "RegexRouter", "transforms.r.regex", "a", "transforms.r.replacement", "b",
		"predicates", "p", "predicates.p.type", "TopicNameMatches", "predicates.p.pattern", "a")
	if d := cmp.Diff([]string{"Transforms: h", "Transforms: r", "Predicates: p"}, r.Groups[len(r.Groups)-3:]); d != "" {
		t.Error(d)
	}
	var got []string
	for _, i := range r.Configs {
		if d := i.GetDefinition(); strings.HasPrefix(d.GetName(), "transforms.r.") {
			got = append(got, fmt.Sprintf("%d %s %s %v %s %s", d.Order, d.Name, d.Type, d.Required, d.Importance, d.DisplayName))
		}
	}
	want := []string{"0 transforms.r.type CLASS true HIGH Transformation type for r", "1 transforms.r.plugin.version STRING false HIGH Transformation version for r", "2 transforms.r.regex STRING true HIGH regex",
		"3 transforms.r.replacement STRING true HIGH replacement", "4 transforms.r.negate BOOLEAN false MEDIUM negate", "5 transforms.r.predicate STRING false MEDIUM predicate"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	i := slices.IndexFunc(r.Configs, func(i *sluicev1.ConfigInfo) bool { return i.Value.Name == "transforms.r.type" })
	if v := r.Configs[i].Value; v.GetValue() != smt+"RegexRouter" || len(v.RecommendedValues) != 26 {
		t.Errorf("%v", v)
	}
}
