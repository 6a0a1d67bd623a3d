package javaregex

import (
	"errors"
	"strings"
	"testing"
)

func TestMatches_AsJavaDoes(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`a|ab`, []string{"a", "ab"}, []string{"abc", ""}},
		{`(?!internal)[a-z.]+`, []string{"orders", "my.orders"}, []string{"internal.orders", "internal"}},
		{`.*(?<!\.tmp)`, []string{"a.txt"}, []string{"a.tmp"}},
		{`a*+a`, nil, []string{"aaa", "a"}},
		{`(?>a|ab)c`, []string{"ac"}, []string{"abc"}},
		{`(\w+)-\1`, []string{"x-x", "ab-ab"}, []string{"x-y"}},
		{`(?<n>a)\k<n>`, []string{"aa"}, []string{"ab"}},
		{`[a-z&&[^m-p]]+`, []string{"abc", "xyz"}, []string{"m", "amb"}},
		{`[a-c[x-z]]+`, []string{"ax", "zzz"}, []string{"m"}},
		{`[]a]+`, []string{"]", "a]"}, []string{"b"}},
		{`(?i)ABC-[d-f]`, []string{"abc-D", "ABC-f"}, []string{"abc-g"}},
		{`(?i:a)b`, []string{"Ab", "ab"}, []string{"aB"}},
		{`\Qa.b\E+`, []string{"a.b", "a.bbb"}, []string{"axb"}},
		{`\p{Alpha}\p{Digit}\pL`, []string{"a1é"}, []string{"é1a"}},
		{`\x41\u0042\x{43}\0104`, []string{"ABCD"}, []string{"ABC"}},
		{`^a$`, []string{"a"}, []string{"ba"}},
		{`a{2,3}`, []string{"aa", "aaa"}, []string{"a", "aaaa"}},
		{`[\w.-]+`, []string{"a-b.c"}, []string{"a b"}},
		{`[a\-z]+`, []string{"a-z"}, []string{"b"}},
		{`[a-]+`, []string{"a-"}, []string{"b"}},
		{`(?i)[a-]+`, []string{"A-"}, []string{"b"}},
		{`}]`, []string{"}]"}, nil},
		{``, []string{""}, []string{"a"}},
		{`a{1001}`, []string{strings.Repeat("a", 1001)}, []string{"a"}},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, s := range c.yes {
			if !r.Matches(s) {
				t.Errorf("%s does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if r.Matches(s) {
				t.Errorf("%s matches %q", c.pattern, s)
			}
		}
	}
}

func TestReplaceFirst_AsJavaDoes(t *testing.T) {
	for _, c := range []struct{ pattern, text, with, want string }{
		{`a|ab`, "ab", "x", "xb"},
		{`(.*)-(.*)`, "a-b", "$2.$1", "b.a"},
		{`(a)(b)?`, "a", "<$2>", "<>"},
		{`(a)`, "a", "$10", "a0"},
		{`(?<who>.*)`, "a", "${who}!", "a!"},
		{`a`, "a", `\$1\\`, `$1\`},
		{`(?=a)a(.)`, "ab", "$1", "b"},
		{`(?<=x)é`, "xéy", "z", "xzy"},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		with, err := r.Replacement(c.with)
		if err != nil {
			t.Fatalf("%s: %v", c.with, err)
		}
		if got := r.ReplaceFirst(c.text, with); got != c.want {
			t.Errorf("%s of %q with %s: %q, want %q", c.pattern, c.text, c.with, got, c.want)
		}
	}
}

func TestReplacement_ItsFaultsAreJavas(t *testing.T) {
	r, err := Compile(`(a)(?<n>b)`)
	if err != nil {
		t.Fatal(err)
	}
	for with, want := range map[string]error{`$3`: ErrGroup, `$`: ErrArgument, `\`: ErrArgument, `$x`: ErrArgument, `${n`: ErrArgument, `${m}`: ErrArgument, `${1}`: ErrArgument, `${}`: ErrArgument} {
		if _, err := r.Replacement(with); !errors.Is(err, want) {
			t.Errorf("%s: %v", with, err)
		}
	}
}

func TestCompile_SaysWhatIsWrongAsJavaDoes(t *testing.T) {
	for pattern, want := range map[string]string{
		`(`: "Unclosed group near index 1\n(", `a)`: "Unmatched closing ')' near index 0\na)\n^", `*a`: "Dangling meta character '*' near index 0\n*a\n^",
		`[a`: "Unclosed character class near index 1\n[a\n ^", `a**`: "Dangling meta character '*' near index 2\na**\n  ^", `\y`: "Illegal/unsupported escape sequence near index 1\n\\y\n ^",
	} {
		_, err := Compile(pattern)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Unsupported || syntax.Message != want {
			t.Errorf("%s: %q, want %q", pattern, err, want)
		}
	}
	for _, pattern := range []string{`\G`, `a\R`, `\X`, `(?x)a b`, `(?U)a`, `\p{InGreek}`, `\p{javaLowerCase}`, `\b{g}`, `\N{DIGIT ONE}`, `\1(a)`} {
		_, err := Compile(pattern)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !syntax.Unsupported {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(a|b)*+`, `[a-z&&[^x]]`, `(?<n>x)\k<n>`, `\Q*\E`, `(?i)é`, `a{2,3}?`, `\p{Lu}`} {
		f.Add(s, "ab")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 40 || len(text) > 20 {
			return // backtracking has Java's cost
		}
		r, err := Compile(pattern)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatal(err)
			}
			return
		}
		if with, err := r.Replacement("$0"); err == nil && r.ReplaceFirst(text, with) != string([]rune(text)) && r.ReplaceFirst(text, with) != text {
			t.Fatalf("%q of %q: $0 changes it", pattern, text)
		}
	})
}
