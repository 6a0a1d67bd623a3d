package process

import (
	"net"
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
		{"https://:8443, http://a:1", "tls::8443 a:1", ""},
		{"ftp://:21", "", `Listener protocol must be either "http" or "https".`},
		{"http://:-1", "", "no port"},
		{"http://:65536", "", "no port"},
	} {
		listeners, err := ParseListeners(c.list)
		var got []string
		for _, l := range listeners {
			if l.Secure {
				l.Address = "tls:" + l.Address
			}
			got = append(got, l.Address)
		}
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

// FuzzListeners_AreRefusedOrAddresses also asks every listener that is taken again.
func FuzzListeners_AreRefusedOrAddresses(f *testing.F) {
	for _, s := range []string{"http://:8083", "HTTPS://host:1, http://[::1]:0", "http://fe80::1%eth0:80", "http://a:1,", "ftp://:21", "http://:-1", "http://]:[:1", "http://http://a:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got, err := ParseListeners(list)
		if err != nil {
			return
		}
		if len(got) != strings.Count(list, ",")+1 {
			t.Fatalf("%q: %v", list, got)
		}
		for _, l := range got {
			host, port, err := net.SplitHostPort(l.Address)
			if err != nil {
				t.Fatalf("%q: %v", list, err)
			}
			scheme := "http"
			if l.Secure {
				scheme = "https"
			}
			again, err := ParseListeners(scheme + "://[" + host + "]:" + port)
			if err != nil || len(again) != 1 || again[0] != l {
				t.Fatalf("%q: %v is %v, %v", list, l, again, err)
			}
		}
	})
}
