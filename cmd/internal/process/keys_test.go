package process

import (
	"slices"
	"strings"
	"testing"
)

func TestListeners_AreKafkaConnects(t *testing.T) {
	for _, c := range []struct {
		list, want, err string
	}{
		{"http://:8083", ":8083", ""},
		{"HTTP://host:1, http://[::1]:0", "host:1 [::1]:0", ""},
		{"http://fe80::1%eth0:80", "[fe80::1%eth0]:80", ""},
		{"", "", "Listener doesn't have the right format"},
		{"http://a:1,", "", "Listener doesn't have the right format"},
		{"host:8083", "", "Listener doesn't have the right format"},
		{"https://:8443", "", "serves no TLS"},
		{"ftp://:21", "", `Listener protocol must be either "http" or "https".`},
		{"http://:-1", "", "no port"},
		{"http://:65536", "", "no port"},
	} {
		got, err := Addresses(c.list)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %s", c.list, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q: %v %v, want %s", c.list, got, err, c.want)
		}
	}
}

func TestAdminListeners_AbsentIsNotEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		has  bool
	}{"absent": {"", false}, "empty": {"admin.listeners=\n", true}, "apart": {"admin.listeners=http://:1\n", true}} {
		s, err := LoadREST([]byte(c.file), nil, nil)
		if err != nil || s.Values.Has(AdminListeners) != c.has {
			t.Errorf("%s: %v %v", name, s.Values.Has(AdminListeners), err)
		}
	}
	if _, err := LoadREST([]byte("listeners=http\n"), nil, nil); err == nil || !strings.Contains(err.Error(), "configuration listeners") {
		t.Errorf("%v", err)
	}
}
