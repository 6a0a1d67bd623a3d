package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// readDocument is the committed document, as a reader sees it.
func readDocument(t *testing.T) (paths map[string]map[string]map[string]any, schemas map[string]any) {
	t.Helper()
	var d struct {
		Paths      map[string]map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	return d.Paths, d.Components.Schemas
}

func TestDocument_HasEveryRouteAndNoOther(t *testing.T) {
	want, got := map[string]bool{}, map[string]bool{}
	for _, r := range routes {
		want[r.method+" "+r.path()] = true
	}
	paths, _ := readDocument(t)
	for path, item := range paths {
		for method := range item {
			method = strings.ToUpper(method)
			got[method+" "+path] = true
			if !slices.ContainsFunc(routes, func(r route) bool { return r.method == method && r.matches(split(path)) }) {
				t.Errorf("%s %s is not routed", method, path)
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("run `make generate`: %s", d)
	}
	for _, key := range slices.Sorted(maps.Keys(queryKeys)) {
		if !strings.Contains(string(document), `"name": "`+key+`"`) {
			t.Errorf("the parameter %s is read, and no route has it", key)
		}
	}
}

func TestDocument_IsWholeAndExplained(t *testing.T) {
	paths, schemas := readDocument(t)
	ids := map[string]bool{}
	for path, item := range paths {
		for method, op := range item {
			id, _ := op["operationId"].(string)
			if about, _ := op["description"].(string); about == "" || id == "" || ids[id] {
				t.Errorf("%s %s: no description, or its id %q is not its own", method, path, id)
			}
			ids[id] = true
		}
	}
	var look func(at string, v any)
	look = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				look(at, one)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if _, ok := schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !ok {
					t.Errorf("%s: %s is nowhere", at, ref)
				}
			}
			for k, one := range v {
				look(at+"/"+k, one)
			}
		}
	}
	var whole any
	if err := json.Unmarshal(document, &whole); err != nil {
		t.Fatal(err)
	}
	look("", whole)
	for _, word := range []string{"NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"} {
		if strings.Contains(string(document), word) {
			t.Errorf("%s is gRPC's word", word)
		}
	}
}

func TestDocument_IsServed(t *testing.T) {
	h, err := NewHandlers(t.Context(), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Main.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/openapi.json", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != string(document) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestDocument_SaysWhatBodiesAreRead holds bodies.go against decodeBody: what one takes the other takes.
func TestDocument_SaysWhatBodiesAreRead(t *testing.T) {
	_, schemas := readDocument(t)
	members := func(name string) []string {
		properties, _ := schemas[name].(map[string]any)["properties"].(map[string]any)
		return slices.Sorted(maps.Keys(properties))
	}
	full := map[string]string{
		"CreateConnector": `{"name":"a","config":{"k":"v","n":1.5,"b":true,"z":null},"initial_state":"STOPPED"}`,
		"AlterOffsets":    `{"offsets":[{"partition":{"a":1},"offset":null},{}]}`,
		"Level":           `{"level":"DEBUG","x":1}`,
	}
	into := map[string]func() any{
		"CreateConnector": func() any { return &sluicev1.CreateConnectorRequest{} },
		"AlterOffsets":    func() any { return &sluicev1.AlterConnectorOffsetsRequest{} },
		"Level":           func() any { var s *string; return &s },
	}
	for name, body := range full {
		if err := decodeBody(strings.NewReader(body), into[name]()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range members(name) {
			if _, ok := m[k]; !ok {
				t.Errorf("%s: this test does not give %q", name, k)
			}
		}
		closed := schemas[name].(map[string]any)["additionalProperties"] == false
		m["nobody knows"] = "1"
		more, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeBody(strings.NewReader(string(more)), into[name]()); (err != nil) != closed {
			t.Errorf("%s: a member too many: %v, and closed is %t", name, err, closed)
		}
	}
	for _, state := range []string{"RUNNING", "PAUSED", "STOPPED"} {
		if !strings.Contains(string(document), `"`+state+`"`) {
			t.Errorf("no state %s", state)
		}
	}
}
