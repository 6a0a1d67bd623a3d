package httpsource

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
)

// header is that of the last request.
func (a *api) header(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heads[len(a.heads)-1].Get(name)
}

func TestAuth_IsInTheHeader(t *testing.T) {
	a := newAPI(t, says("[]"))
	for want, more := range map[string][]string{
		"":                   {authUserKey, "u"},
		"Basic dTpw":         {authTypeKey, "Basic", authUserKey, "u", authPasswordKey, "p"},
		"Basic dTpx":         {authKey, basicAuth, authUserKey, "u", authPasswordKey, "q"},
		"Bearer t":           {authTypeKey, "bearer", bearerKey, "t"},
		"Own x":              {headersKey, "Authorization: Own x, User-Agent: me"},
		"Basic b3duOm92ZXI=": {headersKey, "Authorization: Own x", authTypeKey, "BASIC", authUserKey, "own", authPasswordKey, "over"},
	} {
		start(t, a.config(more...), &conformance.SourceContext{}).read()
		if got := a.header("Authorization"); got != want {
			t.Errorf("%v: %q, want %q", more, got, want)
		}
	}
}

func TestRefusals_NameTheirCauseAndNoSecret(t *testing.T) {
	a := newAPI(t, nil)
	for _, c := range []struct {
		status int
		class  connectors.ErrorClass
		words  []string
	}{
		{401, connectors.AuthorisationError, []string{"401 Unauthorized", "credentials are refused: http.auth.user and http.auth.password"}},
		{403, connectors.AuthorisationError, []string{"403 Forbidden", "do not allow it"}},
		{407, connectors.AuthorisationError, []string{"http.client.proxy.username"}},
		{404, connectors.ConfigError, []string{"404 Not Found", "http.request.url"}},
		{400, connectors.OtherError, []string{"400 Bad Request", "http.response.policy.codes.process", "because"}},
	} {
		a.becomes(func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			w.WriteHeader(c.status)
			_, _ = fmt.Fprintf(w, "because of %s, %s and %s", password, r.URL.Query().Get("api_key"), r.Header.Get("X-Key"))
		})
		r := start(t, a.config(authTypeKey, "BASIC", authUserKey, "u", authPasswordKey, "hush", paramsKey, "api_key=hushhush1", headersKey, "X-Key: Key Hush-hush2"), &conformance.SourceContext{})
		err := r.fails(append(c.words, "GET "+a.URL+"/items")...)
		if class, _ := connectors.ClassOf(err); class != c.class {
			t.Errorf("%d: %s", c.status, class)
		}
		if strings.Contains(strings.ToLower(err.Error()), "hush") {
			t.Error(err)
		}
	}
}

func TestPolicy_SaysWhichStatusesAreReadAndSkipped(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(number(r, "s"))
		_, _ = w.Write([]byte(`["x"]`))
	})
	for s, want := range map[string]int{"201": 1, "404": 1, "503": 0, "300": 0} {
		r := start(t, a.config(processKey, "200..299, 404", skipKey, "300..399,503", paramsKey, "s="+s), &conformance.SourceContext{})
		if got := r.read(); len(got) != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	r := start(t, a.config(parserKey, recordParser, paramsKey, "s=500"), &conformance.SourceContext{})
	if got := r.read(); len(got) != 1 {
		t.Error(got)
	}
}

// issuer gives tokens t1, t2 and so on, and an API takes the newest alone.
type issuer struct {
	*api
	tokens int
	status int
	form   url.Values
	basic  string
}

func newIssuer(t *testing.T) (i *issuer, config map[string]string) {
	i = &issuer{status: 200}
	i.api = newAPI(t, nil)
	i.becomes(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token" && i.status != 200:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(i.status)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"hush is wrong"}`))
		case r.URL.Path == "/token":
			_ = r.ParseForm()
			i.form = r.Form
			id, secret, _ := r.BasicAuth()
			i.basic = id + ":" + secret
			i.tokens++
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":100}`, i.tokens)
		case r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", i.tokens):
			w.WriteHeader(401)
		default:
			_, _ = w.Write([]byte("[1]"))
		}
	})
	return i, i.config(authTypeKey, "OAuth2", tokenURLKey, i.URL+"/token", clientIDKey, "me", clientSecretKey, "hush", scopesKey, "a,b", oauthParamsKey, "audience=x")
}

func TestOAuth2_AsksForATokenUntilItEnds(t *testing.T) {
	i, config := newIssuer(t)
	r := start(t, config, &conformance.SourceContext{})
	for range 3 {
		if got := r.read(); len(got) != 1 {
			t.Fatal(got)
		}
	}
	if i.tokens != 1 || i.basic != "me:hush" || i.form.Get("scope") != "a b" || i.form.Get("audience") != "x" || i.form.Get("grant_type") != "client_credentials" {
		t.Error(i.tokens, i.basic, i.form)
	}
	r.clk.Advance(91 * time.Second) // ten seconds before its end
	if r.read(); i.tokens != 2 {
		t.Errorf("%d tokens, want a second one", i.tokens)
	}
	i.tokens = 7 // as if it had been revoked
	if got := r.read(); len(got) != 1 || i.tokens != 8 {
		t.Error(got, i.tokens)
	}
	config[oauthStyleKey] = "params"
	if start(t, config, &conformance.SourceContext{}).read(); i.form.Get("client_secret") != "hush" || i.basic != ":" {
		t.Error(i.form, i.basic)
	}
}

func TestOAuth2_ThatIsRefusedNamesItsKeys(t *testing.T) {
	i, config := newIssuer(t)
	i.status = 401
	err := start(t, config, &conformance.SourceContext{}).fails(tokenURLKey, "401", "invalid_client", clientIDKey+" and "+clientSecretKey)
	if class, _ := connectors.ClassOf(err); class != connectors.AuthorisationError || strings.Contains(err.Error(), "hush") {
		t.Error(class, err)
	}
	i.status = 503
	if err := start(t, config, &conformance.SourceContext{}).fails(tokenURLKey, "503"); !connectors.IsRetriable(err) {
		t.Error(err)
	}
	// A new token that is refused is not asked for again and again.
	i.status = 200
	i.becomes(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"x","token_type":"bearer"}`))
	})
	i.paths()
	_ = start(t, config, &conformance.SourceContext{}).fails("the token of " + tokenURLKey)
	same(t, "requests", i.paths(), []string{"/token", "/items"})
	config[tokenURLKey] = "http://127.0.0.1:1/token"
	if err := start(t, config, &conformance.SourceContext{}).fails(tokenURLKey, "refused"); !connectors.IsRetriable(err) {
		t.Error(err)
	}
}

func TestTLS_TrustsWhatTheTruststoreHas(t *testing.T) {
	server := httptest.NewUnstartedServer(says("[1]"))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	a := &api{Server: server}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := start(t, a.config(truststoreKey, path), &conformance.SourceContext{}).read(); len(got) != 1 {
		t.Error(got)
	}
	err := start(t, a.config(), &conformance.SourceContext{}).fails("not trusted", truststoreKey)
	if class, _ := connectors.ClassOf(err); class != connectors.ConfigError {
		t.Error(class)
	}
}

func TestProxy_IsAskedWithItsCredentials(t *testing.T) {
	var auth, asked string
	proxy := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		auth, asked = r.Header.Get("Proxy-Authorization"), r.URL.String()
		_, _ = w.Write([]byte("[1]"))
	})
	u, _ := url.Parse(proxy.URL)
	r := start(t, proxy.config(urlKey, "http://elsewhere.example/items", proxyHostKey, u.Hostname(), proxyPortKey, u.Port(), proxyUserKey, "u", proxyPasswordKey, "p"), &conformance.SourceContext{})
	if got := r.read(); len(got) != 1 || auth != "Basic dTpw" || asked != "http://elsewhere.example/items" {
		t.Error(got, auth, asked)
	}
}

func TestPost_SendsItsBody(t *testing.T) {
	a := newAPI(t, nil)
	var body, kind string
	a.becomes(func(_ http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		body, kind = r.Method+" "+string(b[:n]), r.Header.Get("Content-Type")
	})
	start(t, a.config(methodKey, "POST", bodyKey, `{"after":[${offset.timestamp?datetime.iso?long}]}`, headersKey, "Content-Type: application/json", initialKey, "timestamp=2020-01-01T00:00:00Z",
		offsetKey, byIDAndTime), &conformance.SourceContext{}).read()
	if body != `POST {"after":[1577836800000]}` || kind != "application/json" {
		t.Error(body, kind)
	}
}
