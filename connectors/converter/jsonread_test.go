package converter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors/data"
)

// sameRead says whether two readings have one outcome.
func sameRead(s, t *data.Schema, v, w data.Value, e, f error) bool {
	if e != nil || f != nil {
		return e != nil && f != nil && e.Error() == f.Error()
	}
	return (s == nil && t == nil || s != nil && t != nil && data.SameSchema(s, t)) && data.Equal(v, w)
}

const (
	fiveFields = `{"type":"struct","fields":[{"field":"id","type":"int32"},{"field":"name","type":"string","optional":true,"default":"d"},{"field":"in","type":"struct","optional":true,"fields":[{"field":"id","type":"int8","optional":true,"default":3},` +
		`{"field":"ok","type":"boolean"}]},{"field":"n","type":"double","optional":true},{"field":"l","type":"array","optional":true,"items":{"type":"string"}}]}`
	inOrder = `{"id":1,"name":"x","in":{"id":2,"ok":true},"n":1.5,"l":["a"]}`
)

// likes are documents beside which others look alike.
var likes = []string{inOrder, `{"id":1}`, `{"name":"y","id":7,"id":8}`, `{"id":1,"n":2,"name":null}`, `{ "id" : 1 , "name":"x"}`, `{"id":1,"na\u006de":"x","name":"y"}`, `{"id":1.5,"in":{"ok":false,"id":300}}`,
	`{"id":1,"name":5}`, `{"id":1,"l":[{"id":1,"ok":2},{"id":1,"ok":2,"ok":3},5]}`, `{"id":1,"in":{"id":null}}`, `{"id":1,"x":{"id":[]}}`, `{"id":1,"id":"x"}`, `{"id":1,`, `{"id":1}}`, `[` + inOrder + `,` + inOrder + `]`, "", " ", "1", "truex", `{"id":1}x`, `{"id":1e01234567890}`}

// FuzzJSON_WhatARecordIsDoesNotDependOnTheOnesBefore reads documents one after another, and each with a converter that has seen nothing.
func FuzzJSON_WhatARecordIsDoesNotDependOnTheOnesBefore(f *testing.F) {
	for i, a := range likes {
		f.Add(a, likes[(i+1)%len(likes)], fiveFields)
		f.Add(inOrder, a, "null")
	}
	f.Fuzz(func(t *testing.T, a, b, schema string) {
		for _, config := range []map[string]string{{"schemas.enable": "false"}, {}, {"schema.content": fiveFields}} {
			var arena data.Arena
			j := newJSON(t, config)
			j.Borrow(&arena)
			for _, doc := range []string{a, b, a, a, b, b} {
				if len(config) == 0 {
					doc = `{"schema":` + schema + `,"payload":` + doc + `}`
				}
				arena.Reset()
				s, v, err := j.ToData("t", []byte(doc))
				s2, v2, err2 := newJSON(t, config).ToData("t", []byte(doc))
				if !sameRead(s, s2, v, v2, err, err2) {
					t.Fatalf("%v: %q is %#v, %v; to one that has seen nothing it is %#v, %v", config, doc, v, err, v2, err2)
				}
			}
		}
	})
}

// FuzzJSON_BothReadersOfASchemaAgree reads a document in one pass where that can be, and by its nodes.
func FuzzJSON_BothReadersOfASchemaAgree(f *testing.F) {
	for _, a := range likes {
		f.Add(a, fiveFields)
		f.Add(a, strings.ReplaceAll(fiveFields, `"boolean"`, `"float"`))
	}
	f.Add(`{"t":1,"d":"AQ==","m":{"a":1},"b":"AQ=="}`, `{"type":"struct","fields":[{"field":"t","type":"int64","name":"org.apache.kafka.connect.data.Timestamp"},{"field":"d","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}},`+
		`{"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int8"}},{"field":"b","type":"bytes"}]}`)
	f.Fuzz(func(t *testing.T, doc, schema string) {
		j := &JSON{}
		if j.Configure(map[string]string{"schema.content": schema}, false) != nil || j.content == nil {
			return
		}
		for range 2 {
			s, v, err := j.ToData("t", []byte(doc))
			plain, failed := toUTF8([]byte(doc))
			if failed != nil {
				return
			}
			j.begin()
			var v2 data.Value
			err2 := j.parse(plain)
			if err2 == nil {
				v2, err2 = j.typed(s, 0)
			}
			if !sameRead(s, s, v, v2, err, err2) {
				t.Fatalf("%q is %#v, %v; by its nodes it is %#v, %v", doc, v, err, v2, err2)
			}
		}
	})
}

func TestJSON_AWideObjectKeepsItsPlacesAndLastValues(t *testing.T) {
	j := newJSON(t, map[string]string{"schemas.enable": "false"})
	for range 3 {
		var b strings.Builder
		for i := range 300 {
			fmt.Fprintf(&b, `,"n%d":%d`, i%200, i)
		}
		_, v, err := j.ToData("t", []byte("{"+b.String()[1:]+"}"))
		if err != nil || v.Map().Len() != 200 {
			t.Fatal(v.Map().Len(), err)
		}
		for i, e := range v.Map().Entries() {
			if want := int64(i); e.Key.Str() != fmt.Sprint("n", i) || e.Value.Int() != want && e.Value.Int() != want+200 || i < 100 && e.Value.Int() == want {
				t.Fatalf("%d: %#v", i, e)
			}
		}
	}
}
