package listen_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/cmd/internal/listen"
	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/gateway"
	"github.com/sluice-project/sluice/internal/keystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const stores = "../../../internal/keystore/testdata/"

func open(t *testing.T, text string) (gateway.Config, error) {
	t.Helper()
	s, err := process.LoadREST([]byte(strings.ReplaceAll(text, "$", stores)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return listen.Open(t.Context(), s, "")
}

// serve answers every request with who asks, and is over when the test is.
func serve(t *testing.T, conf gateway.Config) {
	t.Helper()
	for _, l := range append(conf.Listeners, conf.Admin...) {
		s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := "in the clear"
			if r.TLS != nil {
				who = "nobody"
				for _, c := range r.TLS.PeerCertificates {
					who = c.Subject.CommonName
				}
			}
			fmt.Fprint(w, who)
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close(); <-done })
	}
}

// ask calls a listener, trusting one certificate and showing another where it is given.
func ask(t *testing.T, url, trusted string, change func(*tls.Config)) (string, error) {
	t.Helper()
	pem, err := os.ReadFile(stores + trusted)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	c.RootCAs.AppendCertsFromPEM(pem)
	if change != nil {
		change(c)
	}
	tr := &http.Transport{TLSClientConfig: c}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func showing(t *testing.T, keys keystore.Keys) func(*tls.Config) {
	t.Helper()
	id, err := keys.Identity()
	if err != nil {
		t.Fatal(err)
	}
	// Shown whether or not the server's authorities are those of the certificate.
	return func(c *tls.Config) {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id, nil }
	}
}

func TestHTTPS_ServesWhatJavasStoresHold(t *testing.T) {
	for name, c := range map[string]struct{ text, trusted string }{
		"JKS":              {"ssl.keystore.location=$key.jks\nssl.keystore.password=changeit\nssl.key.password=other-1\n", "jks.pem"},
		"PKCS12":           {"ssl.keystore.location=$key.p12\nssl.keystore.password=changeit\nssl.keystore.type=PKCS12\n", "p12.pem"},
		"PEM":              {"ssl.keystore.location=$key.pem\nssl.key.password=changeit\nssl.keystore.type=PEM\n", "p12.pem"},
		"the prefix alone": {"listeners.https.ssl.keystore.location=$key.p12\nlisteners.https.ssl.keystore.password=changeit\nssl.keystore.location=/no/such\nssl.client.auth=required\n", "p12.pem"},
	} {
		conf, err := open(t, "listeners=https://127.0.0.1:0,http://127.0.0.1:0\n"+c.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		serve(t, conf)
		url := listen.URL(conf.Listeners[0])
		if got, err := ask(t, url, c.trusted, nil); err != nil || got != "nobody" || !strings.HasPrefix(url, "https://127.0.0.1:") {
			t.Errorf("%s: %s: %q %v", name, url, got, err)
		}
		if got, err := ask(t, listen.URL(conf.Listeners[1]), c.trusted, nil); err != nil || got != "in the clear" {
			t.Errorf("%s: http beside it: %q %v", name, got, err)
		}
	}
}

func TestClientAuth_WantsWhatItSays(t *testing.T) {
	keys := "listeners=https://127.0.0.1:0\nadmin.listeners=https://127.0.0.1:0\nssl.keystore.location=$key.p12\nssl.keystore.password=changeit\n" +
		"admin.listeners.https.ssl.keystore.location=$key.p12\nadmin.listeners.https.ssl.keystore.password=changeit\n"
	// Both certificates sign themselves, and so name one another's only by being in the truststore.
	for auth, want := range map[string]struct{ without, with, stranger bool }{
		"none": {true, true, true}, "requested": {true, true, false}, "required": {false, true, false},
	} {
		conf, err := open(t, keys+"ssl.truststore.location=$trust.jks\nssl.client.auth="+auth+"\n")
		if err != nil {
			t.Fatal(err)
		}
		serve(t, conf)
		for who, c := range map[string]struct {
			change func(*tls.Config)
			ok     bool
		}{
			"without one":   {nil, want.without},
			"with one":      {showing(t, keystore.Keys{keystore.KeyLocation: stores + "key.jks", keystore.KeyPassword: "other-1"}), want.with},
			"with a wrong ": {showing(t, keystore.Keys{keystore.KeyLocation: stores + "key.p12", keystore.KeyStorePassword: "changeit"}), want.stranger},
		} {
			if _, err := ask(t, listen.URL(conf.Listeners[0]), "p12.pem", c.change); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", auth, who, err)
			}
			if _, err := ask(t, listen.URL(conf.Admin[0]), "p12.pem", c.change); err != nil {
				t.Errorf("%s, %s: admin.listeners has keys of its own, without ssl.client.auth: %v", auth, who, err)
			}
		}
	}
}

func TestProtocols_AreBoundAsAsked(t *testing.T) {
	keys := "listeners=https://127.0.0.1:0\nssl.keystore.location=$key.p12\nssl.keystore.password=changeit\n"
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	for text, ok := range map[string]bool{
		"": true, "ssl.enabled.protocols=TLSv1.3\n": false, "ssl.enabled.protocols=TLSv1.2, TLSv1.3\n": true, "ssl.cipher.suites=TLS_AES_128_GCM_SHA256\n": false,
		"ssl.cipher.suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_AES_128_GCM_SHA256\n": true, "ssl.cipher.suites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n": false,
	} {
		conf, err := open(t, keys+text)
		if err != nil {
			t.Fatal(err)
		}
		serve(t, conf)
		if _, err := ask(t, listen.URL(conf.Listeners[0]), "p12.pem", old); (err == nil) != ok {
			t.Errorf("TLSv1.2 with %q: %v", text, err)
		}
	}
}

func TestErrors_NameTheListenersAndTheKey(t *testing.T) {
	keys := "listeners=https://127.0.0.1:0\nssl.keystore.location=$key.p12\nssl.keystore.password=changeit\n"
	missing := filepath.Join(t.TempDir(), "none.jks")
	for text, want := range map[string]string{
		"listeners=https://127.0.0.1:0\n": "listeners: https: ssl.keystore.location: a certificate is needed",
		"listeners=https://127.0.0.1:0\nlisteners.https.ssl.keystore.location=" + missing + "\n": "listeners: https: listeners.https.ssl.keystore.location: open " + missing,
		keys + "ssl.client.auth=required\n":                                                              "ssl.truststore.location: the authorities of callers' certificates are needed for ssl.client.auth=required",
		keys + "ssl.enabled.protocols=TLSv1.1\n":                                                         `ssl.enabled.protocols: "TLSv1.1" is not supported`,
		keys + "ssl.cipher.suites=X\n":                                                                   `ssl.cipher.suites: "X" is unknown`,
		keys + "ssl.cipher.suites=TLS_AES_128_GCM_SHA256\nssl.enabled.protocols=TLSv1.2\n":               "ssl.cipher.suites: it has suites of TLSv1.3 alone",
		keys + "ssl.engine.factory.class=x\n":                                                            "ssl.engine.factory.class: it is a Java class",
		keys + "listeners.https.ssl.client.auth=required\n":                                              "listeners: https: listeners.https.ssl.keystore.location: a certificate is needed",
		keys + "admin.listeners=https://127.0.0.1:0\nadmin.listeners.https.ssl.x=hunter2\n":              "admin.listeners: https: admin.listeners.https.ssl.keystore.location: a certificate is needed",
		"listeners=https://127.0.0.1:0\nssl.keystore.location=$key.p12\nssl.keystore.password=hunter2\n": "decryption password incorrect",
	} {
		conf, err := open(t, text)
		if err == nil {
			err = errors.Join(listen.Close(conf), errors.New("it was opened"))
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n%v, want %s", text, err, want)
		}
	}
}
