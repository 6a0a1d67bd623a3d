package rest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/gateway/rest"
)

func TestWebServer_RefusesPathsThatTwoReadersReadInTwoWays(t *testing.T) {
	const (
		dots, empty, slash      = "Ambiguous URI path segment", "Ambiguous URI empty segment", "Ambiguous URI path separator"
		param, percent, control = "Ambiguous URI path parameter", "Ambiguous URI path encoding", "Suspicious Path Character"
		illegal, bad            = "Illegal Path Character", "Bad Request"
	)
	h := serveMain(t, rest.Options{Headers: []rest.HeaderRule{}})
	for path, want := range map[string]string{
		"/connectors/a%2Fb": slash, "/connectors/a%2fb/status": slash, "/connectors/a%25b": percent, "/connectors/a%2Fb%25c": slash + ", " + percent,
		"/connectors/a%5Cb": control, `/connectors/a\b`: control + ", " + illegal, "/connectors/a%0Ab": control, "/connectors/a%7Fb": control, "/connectors/a%C2%80": "",
		"/connectors/a%00b": bad, "/../connectors": bad, "/connectors/a/../..": "", "/connectors/a/../../..": bad,
		"/connectors/%2e": dots, "/connectors/%2E%2e/b": dots, "/connectors/.%2e/b": dots, "/connectors/./x": "", "/connectors/...": "",
		"/connectors/.;x": param, "/connectors/..;/x": param, "/connectors/%2e;x": dots + ", " + param, "/connectors/a;x=%2F": "", "/connectors/a;x=%FF": "",
		"//connectors": empty, "/connectors//": empty, "/connectors//x": empty, "/connectors/": "", "/connectors/;b=c": "", "/connectors/;/x": empty, "/connectors/;/": empty, "/;": "", "//": empty,
		"/connectors/a%FFb": "Bad UTF-8 encoding", "/connectors/%ED%A0%80": "Bad UTF-8 encoding", "/connectors/%EF%BF%BD": "",
		"/connectors/<a>": illegal, "/connectors/{a}": illegal, `/connectors/a"b`: illegal, "/connectors/é": illegal, "/connectors/a%7Bb": "", "/connectors/a|b?x=|": illegal, "/connectors?x=%2F//": "",
		"*": "Bad URI path", "/admin/loggers/a%2Fb": slash, "/v1/executors/a%2Fb/cordon": "",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT"} {
			w := raw(h, method, path, nil)
			refused := w.Header().Get("Cache-Control") != ""
			body := ""
			switch {
			case want == "":
				if refused {
					t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
				}
				continue
			case method == "GET" || method == "POST" || want == bad:
				body = `{"error_code":400,"message":"` + want + `"}`
			}
			if !refused || w.Code != 400 || w.Body.String() != body || (w.Header().Get("Content-Type") == "") != (body == "") {
				t.Errorf("%s %s: %d %v %q, want %q", method, path, w.Code, w.Header(), w.Body, body)
			}
		}
	}
}

func TestWebServer_RefusesHeadsThatAreTooLong(t *testing.T) {
	h := serveMain(t, rest.Options{})
	for _, c := range []struct {
		path, header string
		code         int
	}{
		{"/connectors/" + strings.Repeat("a", 8000), "", 404},
		{"/connectors/" + strings.Repeat("a", 8150), "", 431},
		{"/connectors?" + strings.Repeat("a", 9000), "", 414},
		{"/connectors/a", strings.Repeat("a", 8000), 404},
		{"/connectors/a", strings.Repeat("a", 8190), 431},
	} {
		if w := raw(h, "GET", c.path, http.Header{"X": {c.header}}); w.Code != c.code {
			t.Errorf("%.20s %d, header %d: %d, want %d", c.path, len(c.path), len(c.header), w.Code, c.code)
		}
	}
}

// raw calls a handler with a path as it is.
func raw(h http.Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://h", nil)
	u, err := url.ParseRequestURI(path)
	if err != nil {
		panic(err) // a test's own mistake
	}
	r.URL, r.RequestURI, r.Host = u, path, "h:1"
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
