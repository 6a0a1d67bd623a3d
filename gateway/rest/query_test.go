package rest

import "testing"

func TestKnownQuery_IsReadAsJAXRSDoes(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                   "",
		"expand=info&expand=status&x=y":      "expand=info&expand=status",
		"expand=info;expand=status":          "expand=info%3Bexpand%3Dstatus",
		"expand=%zz":                         "expand=%25zz",
		"expand":                             "expand=",
		"connectorsOnly":                     "",
		"connectorsOnly=&connectorsOnly=x":   "",
		"connectorsOnly=x":                   "connectorsOnly=x",
		"includeTasks=&onlyFailed=a+b%20c":   "includeTasks=&onlyFailed=a+b+c",
		"includeTasks=true&includeTasks=no&": "includeTasks=true",
	} {
		if got := knownQuery(raw).Encode(); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
