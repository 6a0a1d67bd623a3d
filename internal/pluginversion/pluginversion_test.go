package pluginversion_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/internal/pluginversion"
)

func TestParse_IsMavens(t *testing.T) {
	for _, c := range []struct{ spec, text, allows, refuses, err string }{
		{"latest", "latest", "1 9.9-SNAPSHOT", "", ""},
		{"4.3.1", "[4.3.1,4.3.1]", "4.3.1 4.3.1.0", "4.3 4.3.2 4.3.1-rc1", ""},
		{" [1.0] ", "[1.0,1.0]", "1 1.0", "1.1", ""},
		{"[1.0,2.0)", "[1.0,2.0)", "1.0 1.9 2.0-SNAPSHOT", "0.9 2.0 10", ""},
		{"(1,]", "(1,]", "1.0.1 99", "1 0", ""},
		{"[1,2],[3,)", "[1,2],[3,)", "1 2 3 4", "2.5", ""},
		{"", "[,]", "", "1 4.3.1", ""},
		{"[x", "", "", "", "Unbounded range: [x"},
		{"(1)", "", "", "", "Single version must be surrounded by []: (1)"},
		{"[2,1]", "", "", "", "Range defies version ordering: [2,1]"},
		{"[1,3],[2,4]", "", "", "", "Ranges overlap: [1,3],[2,4]"},
		{"[1,2]x", "", "", "", "Only fully-qualified sets allowed in multiple set scenario: [1,2]x"},
	} {
		r, err := pluginversion.Parse(c.spec)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: %v, want %s", c.spec, err, c.err)
			}
			continue
		}
		if err != nil || r.String() != c.text {
			t.Errorf("%q: %s %v, want %s", c.spec, r, err, c.text)
			continue
		}
		for v := range strings.FieldsSeq(c.allows) {
			if !r.Allows(v) {
				t.Errorf("%q does not allow %s", c.spec, v)
			}
		}
		for v := range strings.FieldsSeq(c.refuses) {
			if r.Allows(v) {
				t.Errorf("%q allows %s", c.spec, v)
			}
		}
	}
}

func TestCompare_OrdersVersions(t *testing.T) {
	ordered := strings.Fields("0 0.9 1-alpha1 1-beta 1-m2 1-rc1 1-SNAPSHOT 1 1-sp 1-x 1.0.1 1.2 1.10 2 11 100000000000000000000")
	rapid.Check(t, func(t *rapid.T) {
		got := rapid.Permutation(ordered).Draw(t, "versions")
		slices.SortFunc(got, pluginversion.Compare)
		if !slices.Equal(got, ordered) {
			t.Fatalf("%v", got)
		}
	})
	for _, same := range [][2]string{{"1", "1.0.0"}, {"1", "1-final"}, {"1.RC1", "1-cr1"}, {"", "0"}, {"01", "1"}} {
		if pluginversion.Compare(same[0], same[1]) != 0 || pluginversion.Compare(same[1], same[0]) != 0 {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
}

func FuzzParse_NeverPanics(f *testing.F) {
	for _, s := range []string{"[1,2)", "(,]", "[[", "],[", "latest", "1.0-SNAPSHOT"} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, spec, version string) {
		r, err := pluginversion.Parse(spec)
		if err == nil {
			r.Allows(version)
			_ = r.String()
		}
		if pluginversion.Compare(spec, version) != -pluginversion.Compare(version, spec) {
			t.Fatalf("%q and %q are not ordered", spec, version)
		}
	})
}
