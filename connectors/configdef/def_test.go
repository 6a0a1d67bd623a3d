package configdef

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Values and messages are those of ConfigDef.parseType and ConfigDef.convertToString.
func TestKey_ParseReadsEveryTypeAsKafkaDoes(t *testing.T) {
	find := func(name string) (string, bool) {
		if name == "Json" {
			return "org.x.JsonConverter", true
		}
		return "", false
	}
	number := func(raw string, typ Type) string {
		return "Invalid value " + raw + " for configuration k: Not a number of type " + string(typ)
	}
	for _, c := range []struct {
		typ       Type
		raw, want string
		err       string
	}{
		{Boolean, " TRUE ", "true", ""}, {Boolean, "False", "false", ""},
		{Boolean, "yes", "", "Invalid value yes for configuration k: Expected value to be either true or false"},
		{Boolean, "", "", "Invalid value  for configuration k: Expected value to be either true or false"},
		{Int, " +7 ", "7", ""}, {Int, "-0", "0", ""}, {Int, "007", "7", ""}, {Int, "2147483647", "2147483647", ""},
		{Int, "2147483648", "", number("2147483648", Int)}, {Int, "1.0", "", number("1.0", Int)}, {Int, "", "", number("", Int)}, {Int, "+", "", number("+", Int)},
		{Int, "1_000", "", number("1_000", Int)}, {Int, "0x1", "", number("0x1", Int)}, {Int, " x", "", number(" x", Int)},
		{Short, "32767", "32767", ""}, {Short, "32768", "", number("32768", Short)},
		{Long, "-9223372036854775808", "-9223372036854775808", ""}, {Long, "9223372036854775808", "", number("9223372036854775808", Long)},
		{Double, "1", "1.0", ""}, {Double, " .5 ", "0.5", ""}, {Double, "1e10", "1.0E10", ""}, {Double, "1d", "1.0", ""}, {Double, "0x1p3", "8.0", ""}, {Double, "0x1.8p1F", "3.0", ""},
		{Double, "NaN", "NaN", ""}, {Double, "-Infinity", "-Infinity", ""}, {Double, "1e999", "Infinity", ""}, {Double, "0.0001", "1.0E-4", ""}, {Double, "-0", "-0.0", ""},
		{Double, "inf", "", number("inf", Double)}, {Double, "nan", "", number("nan", Double)}, {Double, "1_0", "", number("1_0", Double)}, {Double, "0x1", "", number("0x1", Double)}, {Double, "", "", number("", Double)},
		{String, " a b\t", "a b", ""}, {String, "\u00a0", "\u00a0", ""},
		{List, " a , b\n,c ", "a,b,c", ""}, {List, "  ", "", ""}, {List, ",", ",", ""}, {List, "a,,b", "a,,b", ""}, {List, "a,\u00a0b", "a,\u00a0b", ""},
		{Class, " Json ", "org.x.JsonConverter", ""},
		{Class, " Nope", "", "Invalid value  Nope for configuration k: Class  Nope could not be found."},
		{Password, " secret ", "secret", ""},
	} {
		got, err := Key{Name: "k", Type: c.typ, Find: find}.Parse(c.raw)
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err {
				t.Errorf("%s %q: %v, want %s", c.typ, c.raw, err, c.err)
			}
		case err != nil || got != c.want:
			t.Errorf("%s %q = %q, %v; want %q", c.typ, c.raw, got, err, c.want)
		}
	}
	if got, err := (Key{Name: "k", Type: Class}).Parse(" any.Thing "); err != nil || got != "any.Thing" {
		t.Error(got, err)
	}
}

// show is an answer in one line a key.
func show(values []Value) (out []string) {
	for _, v := range values {
		line := v.Name + "=" + orNull(v.Value)
		if !v.Visible {
			line += " hidden"
		}
		if len(v.Recommended) > 0 {
			line += " try " + strings.Join(v.Recommended, ",")
		}
		for _, e := range v.Errors {
			line += " | " + e
		}
		out = append(out, line)
	}
	return out
}

func TestValidate_AnswersForEveryKeyInOrder(t *testing.T) {
	def := New().
		Define(Key{Name: "must", Type: String, Required: true}).
		Define(Key{Name: "pick", Type: String, Required: true, Validator: In("a", "b")}).
		Define(Key{Name: "n", Type: Int, Default: Text("3"), Validator: Between(1, 5)}).
		Define(Key{Name: "pw", Type: Password, Validator: Func("", func(name string, v *string) error {
			if v != nil && len(*v) < 9 {
				return Invalid(name, *v, "too short")
			}
			return nil
		})}).
		Define(Key{Name: "opt", Type: Long})
	for _, c := range []struct {
		name   string
		config map[string]string
		nulls  []string
		want   []string
	}{
		{"nothing given", nil, nil, []string{
			`must=null | Missing required configuration "must" which has no default value.`,
			`pick=null | Missing required configuration "pick" which has no default value. | Invalid value null for configuration pick: String must be one of: a, b`,
			"n=3", "pw=null", "opt=null"}},
		{"all good", map[string]string{"must": " x ", "pick": "a", "n": "+5", "pw": "long enough", "opt": "-1", "other": "y"}, nil,
			[]string{"must=x", "pick=a", "n=5", "pw=[hidden]", "opt=-1"}},
		{"a number that is none", map[string]string{"must": "", "pick": "a", "n": "x", "opt": "y"}, nil,
			[]string{"must=", "pick=a", "n=null | Invalid value x for configuration n: Not a number of type INT | Invalid value null for configuration n: Value must be non-null", "pw=null",
				"opt=null | Invalid value y for configuration opt: Not a number of type LONG"}},
		{"a password in a message", map[string]string{"must": "m", "pick": "b", "pw": " hush "}, nil,
			[]string{"must=m", "pick=b", "n=3", "pw=[hidden] | Invalid value [hidden] for configuration pw: too short", "opt=null"}},
		{"nulls are set", nil, []string{"must", "pick", "n", "pw", "opt"}, []string{
			"must=null", "pick=null | Invalid value null for configuration pick: String must be one of: a, b",
			"n=null | Invalid value null for configuration n: Value must be non-null", "pw=null", "opt=null"}},
	} {
		if d := cmp.Diff(c.want, show(def.Validate(c.config, c.nulls...))); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestValidate_LooksAtDependentsAfterTheirParents(t *testing.T) {
	// As ConfigDefTest does: what a key recommends, and whether it is visible, hangs on another's value.
	sizes := func(parsed map[string]string) ([]string, bool) {
		if parsed["kind"] == "big" {
			return []string{"10", "20"}, true
		}
		return []string{"1"}, parsed["kind"] != ""
	}
	def := New().
		Define(Key{Name: "size", Type: Int, Default: Text("1"), Recommend: sizes}).
		Define(Key{Name: "kind", Type: String, Dependents: []string{"size", "nobody"}}).
		Define(Key{Name: "other", Type: String, Dependents: []string{"size"}})
	for _, c := range []struct {
		config map[string]string
		want   []string
	}{
		{map[string]string{"kind": "big"}, []string{"size=1 try 10,20", "kind=big", "other=null", "nobody=null hidden | nobody is referred in the dependents, but not defined."}},
		{map[string]string{"kind": "small"}, []string{"size=1 try 1", "kind=small", "other=null", "nobody=null hidden | nobody is referred in the dependents, but not defined."}},
		{nil, []string{"size=1 hidden try 1", "kind=null", "other=null", "nobody=null hidden | nobody is referred in the dependents, but not defined."}},
		// Two parents: it is looked at twice, and says what is wrong twice, as in Kafka.
		{map[string]string{"size": "x", "kind": "small"}, []string{"size=null try 1 | Invalid value x for configuration size: Not a number of type INT | Invalid value x for configuration size: Not a number of type INT",
			"kind=small", "other=null", "nobody=null hidden | nobody is referred in the dependents, but not defined."}},
	} {
		if d := cmp.Diff(c.want, show(def.Validate(c.config))); d != "" {
			t.Errorf("%v: %s", c.config, d)
		}
	}
}

func TestValidate_EndsWhereKeysDependOnThemselves(t *testing.T) {
	def := New().Define(Key{Name: "root", Type: String, Dependents: []string{"a"}}).
		Define(Key{Name: "a", Type: String, Dependents: []string{"b"}}).Define(Key{Name: "b", Type: String, Dependents: []string{"a"}})
	if d := cmp.Diff([]string{"root=null", "a=1", "b=2"}, show(def.Validate(map[string]string{"a": "1", "b": "2"}))); d != "" {
		t.Error(d)
	}
}

func TestDefine_RefusesMistakesOfTheProgram(t *testing.T) {
	for name, k := range map[string]Key{
		"twice":                     {Name: "there", Type: String},
		"a default of another type": {Name: "n", Type: Int, Default: Text("x")},
		"a default that is invalid": {Name: "n", Type: Int, Default: Text("0"), Validator: AtLeast(1)},
		"null that is invalid":      {Name: "s", Type: String, Validator: In("a")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it was defined", name)
				}
			}()
			New().Define(Key{Name: "there", Type: String}).Define(k)
		}()
	}
	New().Define(Key{Name: "s", Type: String, Required: true, Validator: In("a")}) // there is no default to check
}

func TestParse_GivesValuesOfTheirTypes(t *testing.T) {
	def := New().
		Define(Key{Name: "s", Type: String, Default: Text(" d ")}).Define(Key{Name: "n", Type: Long}).Define(Key{Name: "f", Type: Double, Default: Text("2")}).
		Define(Key{Name: "b", Type: Boolean, Default: Text("TRUE")}).Define(Key{Name: "l", Type: List, Default: Text("x , y"), Validator: DistinctList(true)}).
		Define(Key{Name: "pw", Type: Password, Default: Text("p")})
	v, err := def.Parse(map[string]string{"n": "+5", "l": "a,b,a", "pw": " secret ", "unknown": "1"})
	if err != nil {
		t.Fatal(err)
	}
	if v.String("s") != "d" || v.Long("n") != 5 || v.Int("n") != 5 || v.Double("f") != 2 || !v.Bool("b") || v.Password("pw") != "secret" || !v.Has("n") {
		t.Errorf("%+v", v)
	}
	if d := cmp.Diff([]string{"a", "b"}, v.List("l")); d != "" {
		t.Error("what is twice in such a list is dropped, as in Kafka:", d)
	}
	if v, err = def.Parse(nil); err != nil || v.Has("n") || v.Long("n") != 0 || v.Password("pw") != "p" || !slices.Equal(v.List("l"), []string{"x", "y"}) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err = def.Parse(map[string]string{"n": "x", "f": "y"}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("every fault at once: %v", err)
	}
}

func TestParse_IsStable(t *testing.T) {
	types := []Type{Boolean, String, Int, Short, Long, Double, List, Class, Password}
	rapid.Check(t, func(t *rapid.T) {
		k := Key{Name: "k", Type: rapid.SampledFrom(types).Draw(t, "type")}
		raw := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ +-]?[0-9]{0,20}(\.[0-9]{0,3})?([eEpP][+-]?[0-9]{1,3})?[fFdD]? ?`), rapid.StringMatching(`[ ,a\t]{0,8}`)).Draw(t, "raw")
		once, err := k.Parse(raw)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Invalid value "+raw+" for configuration k: ") {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if again, err := k.Parse(once); err != nil || again != once {
			t.Fatalf("%s %q is %q, and that is %q, %v", k.Type, raw, once, again, err)
		}
		if k.Type == Int {
			if n, err := strconv.ParseInt(once, 10, 32); err != nil || fmt.Sprint(n) != once {
				t.Fatalf("%q is %q", raw, once)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", " a , b ", "+1", "0x1p-3", "1e400", "true", "\x00", ","} {
		f.Add(s, uint8(0))
	}
	types := []Type{Boolean, String, Int, Short, Long, Double, List, Class, Password}
	f.Fuzz(func(t *testing.T, raw string, typ uint8) {
		k := Key{Name: "k", Type: types[int(typ)%len(types)], Validator: All(OrNull(NonEmpty()))}
		d := New().Define(k).Define(Key{Name: "l", Type: List, Default: Text(""), Validator: DistinctList(true)})
		values := d.Validate(map[string]string{"k": raw, "l": raw})
		parsed, err := d.Parse(map[string]string{"k": raw, "l": raw})
		if len(values) != 2 {
			t.Fatal(values)
		}
		if err == nil && len(values[0].Errors) > 0 {
			t.Errorf("%s %q: parsed to %q, but invalid: %q", k.Type, raw, parsed.String("k"), values[0].Errors)
		}
	})
}
