package props

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// escaped is a text as java.util.Properties.store could write it: every character by its code.
func escaped(s string) string {
	var b strings.Builder
	for _, c := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

func TestMerge_ReadsWhatJavaWrote(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want map[string]string
	}{
		"separators":              {"a=1\nb:2\nc 3\nd\t=\t4\n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}},
		"comments":                {"# a=1\n! b=2\n  # c=3\nd=4 # not one\n", map[string]string{"d": "4 # not one"}},
		"lines that go on":        {"a=1,\\\n   2,\\\n\t3\nb=x\n", map[string]string{"a": "1,2,3", "b": "x"}},
		"escapes":                 {`a\ b\:\=c=\ x\ty\\z` + "\n", map[string]string{"a b:=c": " x\ty\\z"}},
		"the last counts":         {"a=1\na=2\n", map[string]string{"a": "2"}},
		"no value":                {"a\nb=\n", map[string]string{"a": "", "b": ""}},
		"references are no ours":  {"a=${file:/x:y}\nb=${a}\n", map[string]string{"a": "${file:/x:y}", "b": "${a}"}},
		"Windows' ends of lines":  {"a=1\r\nb=2\r\n", map[string]string{"a": "1", "b": "2"}},
		"ISO 8859-1 where it is":  {"a=\xe4\n", map[string]string{"a": "ä"}},
		"pairs of escapes":        {`a=\ud83d\ude00 \uD83D\uDE00\u00e4` + "\n" + `b=\\ud83d\\ude00` + "\n", map[string]string{"a": "😀 😀ä", "b": `\ud83d\ude00`}},
		"UTF-8 where it is":       {"a=ä\n", map[string]string{"a": "ä"}},
		"blanks at a value's end": {"a=1  \n", map[string]string{"a": "1  "}},
	} {
		p, err := Merge([]byte(c.file), nil, nil, func(string) bool { return false })
		if err != nil || fmt.Sprint(p.Values) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, %v; want %q", name, p.Values, err, c.want)
		}
	}
}

func TestMerge_ReadsBackEveryText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringN(1, 20, -1), rapid.String()).Draw(t, "props")
		var file strings.Builder
		for k, v := range want {
			fmt.Fprintf(&file, "%s=%s\n", escaped(k), escaped(v))
		}
		p, err := Merge([]byte(file.String()), nil, nil, func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Values) != len(want) {
			t.Fatalf("%q, want %q", p.Values, want)
		}
		for k, v := range want {
			if p.Values[k] != v {
				t.Fatalf("%q is %q, want %q", k, p.Values[k], v)
			}
		}
	})
}

func TestNearest_TakesTheFewestChanges(t *testing.T) {
	names := []string{"tasks.max", "topics", "topics.regex"}
	for key, want := range map[string]string{"task.max": "tasks.max", "topic": "topics", "topics.regexp": "topics.regex", "": "topics"} {
		if got := Nearest(key, names); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Error(got)
	}
}

func FuzzMerge_ReadsWhatItReadAgain(f *testing.F) {
	for _, s := range []string{"a=1\nb: 2\n", "a=\\\n b", `\u00e4=\u`, "\xff=\xfe", "#", "=", `a\`, "a=${b}\nb=${a}", `a=\ud83d\ude00`, "\ufeffa=1", "a\fb\r\nc"} {
		f.Add([]byte(s), "SLUICE_A_B=c")
	}
	none := func(string) bool { return false }
	f.Fuzz(func(t *testing.T, file []byte, env string) {
		p, err := Merge(file, []string{env, "SLUICE_X=1"}, map[string]string{"flag": "1"}, func(k string) bool { return len(k)%2 == 0 })
		if err == nil && p.Values["flag"] != "1" {
			t.Errorf("the flag is lost: %q", p.Values)
		}
		if p, err = Merge(file, nil, nil, none); err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		var again strings.Builder
		for k, v := range p.Values {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				t.Fatalf("%q: %q=%q is no text", file, k, v)
			}
			fmt.Fprintf(&again, "%s=%s\n", escaped(k), escaped(v))
		}
		q, err := Merge([]byte(again.String()), nil, nil, none)
		if err != nil || !maps.Equal(p.Values, q.Values) {
			t.Fatalf("%q: %q, and written %q: %v", file, p.Values, q.Values, err)
		}
	})
}
