package unit

import "testing"

func FuzzParse_IsTheInverseOfString(f *testing.F) {
	for _, s := range []string{"connector:a", "task:a/b/0", "task:/0", "offsets:", "system:mirror", "task:a/00", "task:a/-1", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := Parse(s); err == nil && (u.String() != s || u.Name == "") {
			t.Fatalf("%q is %#v, which is %q", s, u, u)
		}
	})
}
