package dev

import (
	"encoding/json"
	"maps"
	"testing"
)

// FuzzConnectorFile_IsRefusedOrCanBeSent: what is made of a file is a request that says the same.
func FuzzConnectorFile_IsRefusedOrCanBeSent(f *testing.F) {
	for _, s := range []string{"name=a\nconnector.class=B\n", `{"name":"a","config":{"x":"1"}}`, `{"name":"a","x":"1"}`, `{"config":{}}`, `{"name":1}`, "name=${name}\n\\u0061:\\\n b", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConnector("f", b)
		if err != nil {
			return
		}
		if c.Name == "" || c.Config["name"] != c.Name {
			t.Fatalf("%q: the name is %q, in the config %q", b, c.Name, c.Config["name"])
		}
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var sent connectorFile
		if err := json.Unmarshal(body, &sent); err != nil || sent.Name != c.Name || !maps.Equal(sent.Config, c.Config) {
			t.Fatalf("%q: %q is sent as %s: %v", b, c.Config, body, err)
		}
	})
}
