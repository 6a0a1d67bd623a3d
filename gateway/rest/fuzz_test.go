package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/gateway/rest"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// kept is a control plane that refuses every call, and keeps the last one.
type kept struct {
	refuse
	last any
}

func (k *kept) Invoke(_ context.Context, _ string, req, _ any, _ ...grpc.CallOption) error {
	k.last = req
	return status.Error(codes.Unavailable, "refused")
}

// send sends a body, and fails where the answer is not a refusal that a client can read.
func send(t *testing.T, h http.Handler, method, path, body string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 400 && w.Code != 503 || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
	}
}

func handlers(f *testing.F, conn grpc.ClientConnInterface) http.Handler {
	f.Helper()
	h, err := rest.NewHandlers(context.Background(), conn, rest.Options{Clock: clock.Real()})
	if err != nil {
		f.Fatal(err)
	}
	return h.Main
}

// FuzzBody_ConfigsArriveAsTheyWereSent compares each config that gets through with what encoding/json reads.
func FuzzBody_ConfigsArriveAsTheyWereSent(f *testing.F) {
	for i, body := range []string{`{"name":"a","config":{"a":1}}`, `{"config":{"a":[`, `{"a":1e400,"b":null,"c":true,"a":"\ud83d\ude00"}`, `{"level":"INFO"}`,
		`{"name":null,"initial_state":"stopped","config":{}}`, `{"a":"b"} {}`, `null`, ``, `{"a":{"b":1}}`, `{"config":{"a":1},"zz":1}`} {
		f.Add(uint8(i), body)
	}
	conn := &kept{}
	h := handlers(f, conn)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		conn.last = nil
		at := [][2]string{{"POST", "/connectors"}, {"PUT", "/connectors/a/config"}, {"PATCH", "/connectors/a/config"},
			{"PUT", "/connector-plugins/x/config/validate"}}[which%4]
		send(t, h, at[0], at[1], body)
		var got *sluicev1.Config
		raw := json.RawMessage(strings.TrimPrefix(body, "\ufeff"))
		switch r := conn.last.(type) {
		case nil:
			return
		case *sluicev1.CreateConnectorRequest:
			got = r.GetConfig()
			var m map[string]json.RawMessage
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatalf("%q is no object: %v", body, err)
			}
			raw = m["config"]
		case *sluicev1.PutConnectorConfigRequest:
			got = r.GetConfig()
		case *sluicev1.PatchConnectorConfigRequest:
			got = r.GetPatch()
		case *sluicev1.ValidateConfigRequest:
			got = r.GetConfig()
		default:
			t.Fatalf("%T", r)
		}
		if text := strings.TrimSpace(string(raw)); got == nil && (text == "" || text == "null") {
			return // that there is no config is said after whether there is a connector
		}
		same(t, raw, got)
	})
}

func same(t *testing.T, raw json.RawMessage, got *sluicev1.Config) {
	t.Helper()
	var want map[string]json.RawMessage
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%q was taken: %v", raw, err)
	}
	for _, e := range got.GetEntries() {
		w, ok := want[e.GetKey()]
		text := string(w)
		if len(w) > 0 && w[0] == '"' {
			if err := json.Unmarshal(w, &text); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case !ok:
			t.Fatalf("%q: %q is there twice, or was not sent", raw, e.GetKey())
		case (e.Value == nil) != (string(w) == "null"), e.Value != nil && e.GetValue() != text:
			t.Fatalf("%q: %q is %q, want %q", raw, e.GetKey(), e.GetValue(), text)
		}
		delete(want, e.GetKey())
	}
	if len(want) > 0 {
		t.Fatalf("%q: lost %q", raw, want)
	}
}

// FuzzOffsets_ArriveAsTheyWereSent: digit by digit.
func FuzzOffsets_ArriveAsTheyWereSent(f *testing.F) {
	for _, s := range []string{`{"offsets":[{"partition":{"a":1},"offset":{"b":9007199254740993}}]}`, `{"offsets":[{"partition":{"a":`, `{"offsets":null}`,
		`{"offsets":[{"partition":{"a":[1e5, {"é":"\u00e9"}]},"offset":null},{}]}`, `{"offsets":[],"x":1}`} {
		f.Add(s)
	}
	conn := &kept{}
	h := handlers(f, conn)
	f.Fuzz(func(t *testing.T, body string) {
		conn.last = nil
		send(t, h, "PATCH", "/connectors/a/offsets", body)
		r, ok := conn.last.(*sluicev1.AlterConnectorOffsetsRequest)
		if !ok {
			return
		}
		var want struct {
			Offsets []map[string]json.RawMessage `json:"offsets"`
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "\ufeff")), &want); err != nil || len(want.Offsets) != len(r.GetOffsets()) {
			t.Fatalf("%q was taken as %v: %v", body, r.GetOffsets(), err)
		}
		for i, o := range r.GetOffsets() {
			for member, got := range map[string]*string{"partition": o.Partition, "offset": o.Offset} {
				var text bytes.Buffer
				if w := want.Offsets[i][member]; len(w) > 0 && string(w) != "null" {
					if err := json.Compact(&text, w); err != nil {
						t.Fatal(err)
					}
				}
				if (got == nil) != (text.Len() == 0) || got != nil && *got != text.String() {
					t.Fatalf("%q: %s of %d is %v, want %s", body, member, i, got, text.String())
				}
			}
		}
	})
}

func FuzzPath_IsAnsweredOrRefused(f *testing.F) {
	for _, p := range []string{"/", "/connectors/a%2Fb/config", "/connectors/;a", "//", "/connectors/%ff", "/connectors/a/tasks/0/status", "/v1/executors/a:b/drain", "/connectors/%25%32%46",
		"/connectors?expand=status&expand=info", "/connectors/a/restart?includeTasks=true&onlyFailed=x", "/connectors/a/offsets", "/admin/loggers/root?scope=cluster", "/connectors/a/tasks/999999999999/restart"} {
		f.Add("GET", p)
		f.Add("PUT", p)
		f.Add("POST", p)
	}
	h := handlers(f, refuse{})
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || strings.ContainsAny(method, " \x00") || strings.HasPrefix(u.Path, "/v1/events") {
			return // net/http has refused it; a stream waits for a replica
		}
		r := httptest.NewRequest("GET", "http://h", nil)
		r.Method, r.URL, r.RequestURI = method, u, path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch health := strings.Contains(path, "health"); {
		case w.Code == 500 && !health:
			t.Fatalf("%s %q: %d %s", method, path, w.Code, w.Body)
		case w.Code == 400 && w.Body.Len() == 0 && w.Header().Get("Cache-Control") != "": // the web server's
		case w.Code >= 400 && !health && (!strings.HasPrefix(w.Body.String(), `{"error_code":`) || !json.Valid(w.Body.Bytes())):
			t.Fatalf("%s %q: %d %q", method, path, w.Code, w.Body)
		}
	})
}

// FuzzRequestHead_IsAnsweredOrRefused: the headers that are looked at. What is said to be JSON is JSON.
func FuzzRequestHead_IsAnsweredOrRefused(f *testing.F) {
	f.Add(uint8(0), "/connectors", "text/html;q=0.5, */*", "", "", "", "http://a")
	f.Add(uint8(1), "/connectors/a/config", "application/json", "application/json;charset=utf-8", `W/"1-2"`, "x", "")
	f.Add(uint8(2), "/connectors", "a/b;q=2", "json", "*", strings.Repeat("k", 300), "null")
	f.Add(uint8(3), "/connectors/\xff", "application/json", "application/;", `"`, "", "")
	f.Add(uint8(4), "http://h/v1/openapi.json", ",", "x/y;a=\"", "", "", "")
	h := handlers(f, refuse{})
	f.Fuzz(func(t *testing.T, method uint8, path, accept, contentType, ifMatch, key, origin string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || strings.HasPrefix(u.Path, "/v1/events") {
			return // net/http has refused it; a stream waits for a replica
		}
		r := httptest.NewRequest([]string{"GET", "PUT", "POST", "PATCH", "OPTIONS", "HEAD", "DELETE"}[method%7], "http://h", strings.NewReader("{}"))
		r.URL, r.RequestURI = u, path
		for name, v := range map[string]string{"Accept": accept, "Content-Type": contentType, "If-Match": ifMatch, "Idempotency-Key": key, "Origin": origin} {
			if v != "" && !strings.ContainsAny(v, "\r\n\x00") {
				r.Header.Set(name, v)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 500 && !strings.Contains(path, "health") {
			t.Fatalf("%s %q %q: %d %s", r.Method, path, r.Header, w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Body.Len() > 0 && r.Method != "HEAD" && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q %q: %d, which is no JSON: %q", r.Method, path, r.Header, w.Code, w.Body)
		}
	})
}

// FuzzHeaderRules_AreRefusedOrObeyed: what every answer has besides, and which origins are told so.
func FuzzHeaderRules_AreRefusedOrObeyed(f *testing.F) {
	f.Add(`set X-A: b, "add Cache-Control: no-cache, no-store", setDate Expires: 1000`, "https?://.*[.]example[.]org", "GET,PUT", "http://a.example.org")
	f.Add("addDate X: -9223372036854775808", "*", "", "null")
	f.Add(`"`, "(", ",", "")
	f.Fuzz(func(t *testing.T, rules, origins, methods, origin string) {
		parsed, err := rest.ParseHeaderRules(rules)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "response.http.headers.config: ") {
				t.Fatal(err)
			}
			return
		}
		cors, err := rest.ParseCORS(origins, methods)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "access.control.allow.origin: ") {
				t.Fatal(err)
			}
			return
		}
		h, err := rest.NewHandlers(context.Background(), refuse{}, rest.Options{Clock: clock.Real(), Headers: parsed, CORS: cors})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/nope", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		h.Main.ServeHTTP(w, r)
		if w.Code != 404 || strings.TrimSpace(origins) == "" && w.Header().Get("Vary") == "Origin" && !strings.Contains(strings.ToLower(rules), "vary") {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
		for name := range maps.Keys(w.Header()) {
			if len(parsed) > 0 && textproto.CanonicalMIMEHeaderKey(name) != name {
				t.Fatalf("%q makes the header %q, which net/http would not send", rules, name)
			}
		}
	})
}
