package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/gateway/rest"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/loglevel"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func (c *controlPlane) PatchConnectorConfig(_ context.Context, r *sluicev1.PatchConnectorConfigRequest) (*sluicev1.PatchConnectorConfigResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.PatchConnectorConfigResponse{Connector: c.info(r.GetName(), r.GetPatch()), Etag: `"2"`}, nil
}

func (c *controlPlane) GetPluginConfig(_ context.Context, r *sluicev1.GetPluginConfigRequest) (*sluicev1.GetPluginConfigResponse, error) {
	c.calls = append(c.calls, r)
	group := "G"
	return &sluicev1.GetPluginConfigResponse{Plugin: &sluicev1.Plugin{Definition: []*sluicev1.ConfigKey{
		{Name: "k", Type: "STRING", Required: true, Importance: "HIGH", Documentation: "d <1>", Group: &group, Width: "NONE", DisplayName: "K", Order: -1}}}}, nil
}

func (c *controlPlane) GetHealth(context.Context, *sluicev1.GetHealthRequest) (*sluicev1.GetHealthResponse, error) {
	return &sluicev1.GetHealthResponse{Status: "healthy", Message: "m"}, nil
}

func (c *controlPlane) CordonExecutor(_ context.Context, r *sluicev1.CordonExecutorRequest) (*sluicev1.CordonExecutorResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.CordonExecutorResponse{}, nil
}

func (c *controlPlane) DrainExecutor(_ context.Context, r *sluicev1.DrainExecutorRequest) (*sluicev1.DrainExecutorResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.DrainExecutorResponse{Units: 3}, nil
}

func (c *controlPlane) ForgetUnit(_ context.Context, r *sluicev1.ForgetUnitRequest) (*sluicev1.ForgetUnitResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.ForgetUnitResponse{}, nil
}

func (c *controlPlane) ListExecutors(context.Context, *sluicev1.ListExecutorsRequest) (*sluicev1.ListExecutorsResponse, error) {
	return &sluicev1.ListExecutorsResponse{Executors: []*sluicev1.Executor{{Id: "x:1", Session: "s", Pool: "p", Units: 2, Cordoned: true}}}, nil
}

func (c *controlPlane) ListAssignments(_ context.Context, r *sluicev1.ListAssignmentsRequest) (*sluicev1.ListAssignmentsResponse, error) {
	return &sluicev1.ListAssignmentsResponse{Assignments: []*sluicev1.AssignmentInfo{{Unit: "task:" + r.GetConnector() + "/0", Executor: "x:1", Lapsed: true}}}, nil
}

func (c *controlPlane) CheckConfig(_ context.Context, r *sluicev1.CheckConfigRequest) (*sluicev1.CheckConfigResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.CheckConfigResponse{Name: r.GetPlugin(), ErrorCount: 1, Errors: []*sluicev1.KeyErrors{{Name: r.GetConfig().GetEntries()[0].GetKey(), Errors: []string{"e"}}}, Warnings: []string{"w"}}, nil
}

// ask calls a handler with headers, each "Name: value".
func ask(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://h", strings.NewReader(body))
	r.URL, r.RequestURI, r.Host = u, target, "h:1"
	for _, l := range headers {
		k, v, _ := strings.Cut(l, ": ")
		r.Header.Add(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestContainer_AnswersInJAXRSOrder(t *testing.T) {
	const js, html = "Content-Type: application/json", "Accept: text/html"
	body := func(code, text string) string {
		return `{"error_code":` + code + `,"message":"HTTP ` + code + ` ` + text + `"}`
	}
	const page = "{\n\"message\":\"Bad Request\",\n\"url\":\"http://h:1/connectors\",\n\"status\":\"400\"\n}"
	notFound, notAllowed, notAcceptable, unsupported := body("404", "Not Found"), body("405", "Method Not Allowed"), body("406", "Not Acceptable"), body("415", "Unsupported Media Type")
	for _, c := range []struct {
		name, method, path string
		headers            []string
		code               int
		typ, body          string
	}{
		{"an unknown path before its type", "POST", "/nope", []string{"Content-Type: text/plain", html}, 404, "", notFound},
		{"tasks-config is gone", "GET", "/connectors/a/tasks-config", nil, 404, "", notFound},
		{"letters are not decoded", "GET", "/%63onnectors", nil, 404, "", notFound},
		{"a method before the type", "PUT", "/connectors", []string{"Content-Type: text/plain", html}, 405, "", notAllowed},
		{"an unknown method", "BREW", "/connectors", nil, 405, "", notAllowed},
		{"trace", "TRACE", "/", nil, 405, "", notAllowed},
		{"head without get", "HEAD", "/connectors/a/pause", nil, 405, "", notAllowed},
		{"the body's type before the answer's", "PATCH", "/connectors/a/config", []string{"Content-Type: application/merge-patch+json", html}, 415, "", unsupported},
		{"a body without a type", "PUT", "/connectors/a/config", nil, 415, "application/json", unsupported},
		{"another type where no body is read", "GET", "/connectors/a", []string{"Content-Type: text/plain"}, 415, "", unsupported},
		{"any type where no body is read", "DELETE", "/connectors/a", []string{"Content-Type: application/*", html}, 406, "", notAcceptable},
		{"any type where a body is read", "PUT", "/connectors/a/config", []string{"Content-Type: application/*"}, 415, "application/json", unsupported},
		{"a body that nobody reads, without a type", "PUT", "/connectors/a/pause", nil, 202, "", ""},
		{"of the root any type", "GET", "/", []string{"Content-Type: text/plain", html}, 406, "", notAcceptable},
		{"a form where no body is read", "PUT", "/connectors/a/pause", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "", unsupported},
		{"what is no media type", "POST", "/connectors", []string{"Content-Type: json"}, 400, "application/json", `{"error_code":400,"message":"Bad Request"}`},
		{"what is no media type, for JSON", "POST", "/connectors", []string{"Content-Type: json", "Accept: application/json"}, 400, "application/json", page},
		{"what is no media type, for text", "GET", "/nope", []string{"Content-Type: a/b/c", "Accept: text/plain"}, 400, "text/plain", "HTTP ERROR 400 Bad Request\nURI: http://h:1/nope\nSTATUS: 400\nMESSAGE: Bad Request\n"},
		{"what is no media type, no page for the method", "PUT", "/connectors/a/pause", []string{"Content-Type: application/json;charset", "Accept: application/json"}, 400, "", ""},
		{"an answer's type that is none", "GET", "/connectors", []string{"Accept: application/json;q=2"}, 400, "application/json", page},
		{"an answer's type that is none, and no page", "GET", "/connectors", []string{"Accept: a/b/c"}, 400, "", ""},
		{"half an answer's type", "GET", "/connectors/no", []string{"Accept: text"}, 406, "", notAcceptable},
		{"no JSON wanted", "GET", "/connectors/no", []string{html}, 406, "", notAcceptable},
		{"no JSON wanted, no body in the answer", "PUT", "/connectors/a/pause", []string{html, js}, 406, "", notAcceptable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(t, serveMain(t, rest.Options{}), c.method, c.path, "{}", c.headers...)
			if w.Code != c.code || w.Header().Get("Content-Type") != c.typ || w.Header().Get("Allow") != "" {
				t.Errorf("%d, Content-Type %q, Allow %q; want %d, %q", w.Code, w.Header().Get("Content-Type"), w.Header().Get("Allow"), c.code, c.typ)
			}
			if d := cmp.Diff(c.body, w.Body.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func serveMain(t *testing.T, o rest.Options) http.Handler {
	t.Helper()
	o.Clock = clock.Real()
	_, conn := dial(t)
	h, err := rest.NewHandlers(t.Context(), conn, o)
	if err != nil {
		t.Fatal(err)
	}
	return h.Main
}

func TestOptions_NameTheMethodsOfAPath(t *testing.T) {
	h := serveMain(t, rest.Options{})
	for path, want := range map[string]string{
		"/": "GET HEAD OPTIONS", "/health": "GET HEAD OPTIONS", "/connectors": "GET HEAD OPTIONS POST", "/connectors/x": "DELETE GET HEAD OPTIONS",
		"/connectors/x/config": "GET HEAD OPTIONS PATCH PUT", "/connectors/x/tasks": "GET HEAD OPTIONS POST", "/connectors/x/fence": "OPTIONS PUT",
		"/connectors/x/restart": "OPTIONS POST", "/connector-plugins/x/config": "GET HEAD OPTIONS", "/admin/loggers/x": "GET HEAD OPTIONS PUT",
	} {
		w := ask(t, h, "OPTIONS", path, "", "Accept: application/json")
		got := strings.Split(w.Header().Get("Allow"), ",")
		slices.Sort(got)
		if w.Code != 200 || strings.Join(got, " ") != want || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %q %q, want %s", path, w.Code, got, w.Header().Get("Content-Type"), w.Body, want)
		}
	}
	w := ask(t, h, "OPTIONS", "/health", "", "Accept: text/html;q=1, image/png")
	if w.Header().Get("Content-Type") != "text/html" || w.Body.Len() > 0 {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	if w := ask(t, h, "OPTIONS", "/connectors/x/config", ""); w.Body.String() != "HEAD, GET, OPTIONS, PUT, PATCH" || w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	if w := ask(t, h, "OPTIONS", "/nope", ""); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

func TestNames_ComeAsTheyWereMeant(t *testing.T) {
	for path, want := range map[string]string{
		"/connectors/%7Bx%7D/config/": "{x}", "/connectors/a+b/config": "a+b", "/connectors/a%20b/config": "a b", "/connectors/a%3Bb/config": "a;b",
		"/connectors/a;v=1/config;w": "a", "/connectors/%C3%A9%E2%82%AC/config": "é€", "/connectors/a:b/config": "a:b",
	} {
		cp, conn := dial(t)
		h, err := rest.NewHandlers(t.Context(), conn, rest.Options{Clock: clock.Real()})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, h.Main, "PATCH", path, `{}`, "Content-Type: application/json")
		if len(cp.calls) != 1 || cp.calls[0].(*sluicev1.PatchConnectorConfigRequest).GetName() != want {
			t.Errorf("%s: %v, want %q", path, cp.calls, want)
		}
	}
}

func TestSurface_IsKafkaConnects(t *testing.T) {
	const js = "Content-Type: application/json"
	levels := loglevel.New(0, clock.Real())
	if _, err := levels.Set("a", "WARN"); err != nil {
		t.Fatal(err)
	}
	h := serveMain(t, rest.Options{Loggers: &loglevel.Service{Levels: levels, Elsewhere: func(context.Context, *sluicev1.SetLoggerRequest) error { return nil }}})
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"PATCH", "/connectors/a/config", `{"x":null,"y":1.50}`, 200, `{"name":"a","config":{"x":null,"y":"1.50"},"tasks":[],"type":"source"}`},
		{"GET", "/health", "", 200, `{"status":"healthy","message":"m"}`},
		{"GET", "/connector-plugins/p/config", "", 200, `[{"name":"k","type":"STRING","required":true,"default_value":null,"importance":"HIGH","documentation":"d <1>","group":"G","order_in_group":-1,"width":"NONE","display_name":"K","dependents":[],"order":-1}]`},
		{"GET", "/admin/loggers/ROOT", "", 200, `{"level":"INFO","last_modified":null}`},
		{"GET", "/admin/loggers/b", "", 404, `{"error_code":404,"message":"Logger b not found."}`},
		{"PUT", "/admin/loggers/b", `{"level":" debug ","x":1}`, 200, `["b"]`},
		{"PUT", "/admin/loggers/b?scope=galaxy", `{"level":"DEBUG"}`, 200, `[]`},
		{"PUT", "/admin/loggers/b?scope=Cluster", `{"level":"DEBUG"}`, 204, ``},
		{"PUT", "/admin/loggers/b?scope=cluster", `{"level":1}`, 404, `{"error_code":404,"message":"invalid log level '1'."}`},
		{"PUT", "/admin/loggers/b", `{"level":null}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/b", `{"level":[]}`, 400, "{\"error_code\":400,\"message\":\"Cannot deserialize value of type `java.lang.String` from Array value: \\\"level\\\" must be a string\"}"},
		{"POST", "/connectors/a/tasks", `[{}]`, 400, `{"error_code":400,"message":"Internal request missing required signature"}`},
		{"POST", "/connectors/a/tasks", `{}`, 400, `{"error_code":400,"message":"the body must be a list of task configs: json: cannot unmarshal object into Go value of type []map[string]interface {}"}`},
		{"POST", "/v1/executors/x:1/cordon", `{"uncordon":true}`, 200, `{}`},
		{"POST", "/v1/executors/x:1/cordon", ``, 200, `{}`},
		{"POST", "/v1/executors/x:1/drain", ``, 200, `{"units":3}`},
		{"POST", "/v1/units/forget", `{"unit":"task:a/0"}`, 200, `{}`},
		{"GET", "/v1/executors", ``, 200, `{"executors":[{"id":"x:1","session":"s","pool":"p","version":"","labels":{},"capacity":0,"draining":false,"units":2,"replica":"","cordoned":true}]}`},
		{"GET", "/v1/assignments?connector=a", ``, 200, `{"assignments":[{"unit":"task:a/0","executor":"x:1","session":"","epoch":null,"class":"UNIT_CLASS_UNSPECIFIED","lapsed":true,"releasing":false}]}`},
		{"PUT", "/v1/connector-plugins/X/config/validate", `{"k":1}`, 200, `{"name":"X","errorCount":1,"errors":[{"name":"k","errors":["e"]}],"warnings":["w"]}`},
	} {
		w := ask(t, h, c.method, c.path, c.body, js)
		if w.Code != c.code || w.Body.String() != c.want {
			t.Errorf("%s %s %s: %d %s\nwant %d %s", c.method, c.path, c.body, w.Code, w.Body, c.code, c.want)
		}
	}
	for _, c := range []struct {
		algorithm string
		code      int
		message   string
	}{
		{"Rot13", 400, "Algorithm Rot13 not available"}, {"HmacSHA256", 403, "Internal request contained invalid signature."},
		{"HmacSHA512", 400, "This worker does not support the 'HmacSHA512' key signing algorithm"},
	} {
		w := ask(t, h, "PUT", "/connectors/a/fence", "", "X-Connect-Authorization: AAAA", "X-Connect-Request-Signature-Algorithm: "+c.algorithm)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.message) {
			t.Errorf("%s: %d %s", c.algorithm, w.Code, w.Body)
		}
	}
}

func TestConditions_ReachTheControlPlane(t *testing.T) {
	const js = "Content-Type: application/json"
	cp, conn := dial(t)
	h, err := rest.NewHandlers(t.Context(), conn, rest.Options{Clock: clock.Real()})
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, h.Main, "PATCH", "/connectors/a/config", `{}`, js, `If-Match: "1"`, `If-Match: "0"`)
	if got := cp.calls[0].(*sluicev1.PatchConnectorConfigRequest).GetIfMatch(); got != `"1","0"` || w.Header().Get("ETag") != `"2"` {
		t.Errorf("%q, ETag %q", got, w.Header().Get("ETag"))
	}
	id := func(body string, headers ...string) string {
		ask(t, h.Main, "POST", "/connectors", body, append(headers, js)...)
		return cp.calls[len(cp.calls)-1].(*sluicev1.CreateConnectorRequest).GetRequestId()
	}
	one := id(`{"name":"a","config":{}}`, "Idempotency-Key: k")
	if one == "" || len(one) > 64 || one != id(`{"name":"a","config":{}}`, "Idempotency-Key: k") {
		t.Errorf("the same request has not the same id: %q", one)
	}
	if one == id(`{"name":"b","config":{}}`, "Idempotency-Key: k") || one == id(`{"name":"a","config":{}}`, "Idempotency-Key: l") {
		t.Error("another request has the same id")
	}
	if got := id(`{"name":"a","config":{}}`); got != "" {
		t.Errorf("a client that sends no key has the id %q", got)
	}
}

// gone is a control plane that does not answer.
type gone struct{ grpc.ClientConnInterface }

func (gone) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(codes.Unavailable, "nobody")
}

func TestHealth_SaysStartingUntilTheControlPlaneFirstAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		reached bool
		code    int
		want    string
	}{
		"never reached": {false, 503, `{"status":"starting","message":"Worker is still starting up. The control plane does not answer: nobody"}`},
		"reached once":  {true, 500, `{"status":"unhealthy","message":"Worker was unable to handle this request and may be unable to handle other requests. The control plane does not answer: nobody"}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, conn := dial(t)
			to := &switchable{conn}
			h, err := rest.NewHandlers(t.Context(), to, rest.Options{Clock: clock.Real()})
			if err != nil {
				t.Fatal(err)
			}
			if c.reached {
				ask(t, h.Main, "GET", "/", "")
			}
			to.ClientConnInterface = gone{}
			if w := ask(t, h.Main, "GET", "/health", ""); w.Code != c.code || w.Body.String() != c.want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

type switchable struct{ grpc.ClientConnInterface }

func TestListeners_ServeWhatIsTheirs(t *testing.T) {
	_, conn := dial(t)
	cors, err := rest.ParseCORS("http://a.b, https://.*[.]c", "")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := rest.ParseHeaderRules(`set X-One: 1, "add X-Two: a, b",setDate Expires: 0`)
	if err != nil {
		t.Fatal(err)
	}
	h, err := rest.NewHandlers(t.Context(), conn, rest.Options{AdminApart: true, CORS: cors, Headers: rules, Clock: clock.Real(),
		Loggers: &loglevel.Service{Levels: loglevel.New(0, clock.Real())}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ask(t, h.Main, "GET", "/admin/loggers", "").Code, ask(t, h.Main, "OPTIONS", "/admin/loggers/x/", "").Code; a != 404 || b != 404 {
		t.Errorf("admin on the main listeners: %d %d", a, b)
	}
	w := ask(t, h.Admin, "GET", "/admin/loggers", "")
	if w.Code != 200 || w.Header().Get("X-One") != "" || w.Header().Get("Vary") != "" {
		t.Errorf("admin: %d %v", w.Code, w.Header())
	}
	if code := ask(t, h.Admin, "GET", "/connectors", "").Code; code != 404 {
		t.Errorf("connectors on an admin listener: %d", code)
	}
	w = ask(t, h.Main, "OPTIONS", "/connectors", "", "Origin: https://x.c", "Access-Control-Request-Method: DELETE")
	got := w.Header()
	if got.Get("Access-Control-Allow-Origin") != "https://x.c" || got.Get("Access-Control-Allow-Methods") != "POST,GET,HEAD" ||
		got.Get("Access-Control-Max-Age") != "60" || got.Get("Allow") == "" || got.Get("X-One") != "1" || got.Get("X-Two") != "a, b" {
		t.Errorf("preflight: %v", got)
	}
	if at, err := http.ParseTime(got.Get("Expires")); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("Expires: %v", err)
	}
	w = ask(t, h.Main, "GET", "/nope", "", "Origin: http://axb.b")
	if w.Code != 404 || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" || w.Header().Get("X-One") != "1" {
		t.Errorf("another origin: %d %v", w.Code, w.Header())
	}
	for _, bad := range []string{"put x:1", "set x", "set x:1:2", "set a b:1", "setDate x:soon", "set :1"} {
		if _, err := rest.ParseHeaderRules(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := rest.ParseCORS("(", ""); err == nil {
		t.Error("a broken pattern was taken")
	}
}
