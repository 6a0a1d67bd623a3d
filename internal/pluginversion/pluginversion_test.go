package pluginversion

import (
	"testing"

	"pgregory.net/rapid"
)

// What Maven's own classes say.
func TestParse_ReadsAsMavenDoes(t *testing.T) {
	for _, c := range []struct{ spec, text, err string }{
		{"latest", "latest", ""},
		{"1", "[1,1]", ""},
		{" 99.0 ", "[99.0,99.0]", ""},
		{"[1]", "[1,1]", ""},
		{"", "[,]", ""},
		{"[1,2)", "[1,2)", ""},
		{"(,2]", "(,2]", ""},
		{"[1 , 2 ]", "[1,2]", ""},
		{"(1,2),[3,4]", "(1,2),[3,4]", ""},
		{"[1,2] , [3,4]", "[1,2],[3,4]", ""},
		{"[2,1]", "", "Range defies version ordering: [2,1]"},
		{"[1,1)", "", "Range defies version ordering: [1,1)"},
		{"(1)", "", "Single version must be surrounded by []: (1)"},
		{"[x", "", "Unbounded range: [x"},
		{"[1,2],3", "", "Only fully-qualified sets allowed in multiple set scenario: [1,2],3"},
		{"[1,2]x", "", "Only fully-qualified sets allowed in multiple set scenario: [1,2]x"},
		{"[1,2],[1.5,3]", "", "Ranges overlap: [1,2],[1.5,3]"},
	} {
		r, err := Parse(c.spec)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("Parse(%q): %v, want %s", c.spec, err, c.err)
			}
			continue
		}
		if err != nil || r.String() != c.text {
			t.Errorf("Parse(%q) = %s, %v; want %s", c.spec, r, err, c.text)
		}
	}
}

func TestRequirement_HasTheVersionsBetweenItsBounds(t *testing.T) {
	for _, c := range []struct {
		spec, version string
		want          bool
	}{
		{"latest", "4.3.1", true}, {"4.3.1", "4.3.1", true}, {"4.3", "4.3.1", false}, {"[4.3.1.0]", "4.3.1", true}, {"", "4.3.1", false},
		{"[0.0.1,)", "4.3.1", true}, {"(4.3.1,)", "4.3.1", false}, {"[4.3.1,)", "4.3.1", true}, {"(,4.3.1)", "4.3.1", false}, {"(,4.3.1]", "4.3.1", true},
		{"[1,2],[4,5)", "4.3.1", true}, {"[1,2],[5,6)", "4.3.1", false}, {"[4.10,)", "4.3.1", false},
	} {
		r, err := Parse(c.spec)
		if err != nil || r.Allows(c.version) != c.want {
			t.Errorf("%q has %s: %v, %v", c.spec, c.version, !c.want, err)
		}
	}
}

func TestCompare_IsMavensOrder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1.0", 0}, {"1.0-alpha", "1.0", -1}, {"1.0-rc1", "1.0", -1}, {"1.0-SNAPSHOT", "1.0-rc1", 1}, {"1.0-sp", "1.0", 1}, {"1.0-xyz", "1.0", 1},
		{"1.0-xyz", "1.0.1", -1}, {"4.3.1", "4.3.1-ccs", -1}, {"4.3.1", "4.10.0", -1}, {"1.0a1", "1.0-alpha-1", 0}, {"1.0-abc", "1.0-sp", 1}, {"", "1", -1}, {"1.0.0.x", "1.0", 1},
		{"-sp", "0", 1}, {"-sp", "", 1}, {"1-sp", "1.0", 1}, {"1.0-sp", "1-sp", 0}, {"1.0.1", "1-sp", 1}, {"1-final.0", "1", 0},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestCompare_IsAnOrder(t *testing.T) {
	version := rapid.StringMatching(`[0-9]{0,3}([.\-](0|[0-9]{1,2}|alpha|rc|sp|x)){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		if Compare(a, b) != -Compare(b, a) || Compare(a, a) != 0 {
			t.Fatalf("%q and %q: %d and %d", a, b, Compare(a, b), Compare(b, a))
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%q <= %q <= %q, but not %q <= %q", a, b, c, a, c)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1", "[1,2)", "(,2],[3,", "latest", "[[", "]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		r, err := Parse(spec)
		if err != nil {
			return
		}
		_ = r.Allows("4.3.1")
		if spec == "latest" {
			return
		}
		if again, err := Parse(r.String()); err != nil || again.String() != r.String() {
			t.Errorf("%q is %s, and that is %s, %v", spec, r, again, err)
		}
	})
}
