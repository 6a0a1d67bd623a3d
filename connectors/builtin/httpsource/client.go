package httpsource

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/keystore"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/version"
)

// client makes requests. A task has one.
type client struct {
	s         *settings
	clk       clock.Clock
	transport *http.Transport
	http      *http.Client
	tokens    *tokens // nil: none are asked for
}

func newClient(s *settings, clk clock.Clock) (*client, error) {
	config, err := newTLS(s.Values)
	if err != nil {
		return nil, configError(fmt.Errorf("%w: %w", ErrConfig, err))
	}
	connect := milliseconds(s.Values, connectTimeoutKey)
	c := &client{s: s, clk: clk, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout: connect,
		TLSClientConfig:     config,
		IdleConnTimeout:     milliseconds(s.Values, idleKey),
		MaxIdleConnsPerHost: s.Int(maxIdleKey),
		DisableKeepAlives:   s.Int(maxIdleKey) == 0,
		ForceAttemptHTTP2:   true,
	}}
	if host := s.String(proxyHostKey); host != "" {
		proxy := &url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(s.Int(proxyPortKey)))}
		if user := s.String(proxyUserKey); user != "" {
			proxy.User = url.UserPassword(user, s.Password(proxyPasswordKey))
		}
		c.transport.Proxy = http.ProxyURL(proxy)
	}
	c.http = &http.Client{Transport: c.transport, CheckRedirect: sameServer}
	if s.auth() == authOAuth2 {
		c.tokens = newTokens(s, clk, c.transport)
	}
	return c, nil
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// ourKeys are the keys in messages about certificates.
var ourKeys = strings.NewReplacer(keystore.KeyLocation, keystoreKey, keystore.KeyStorePassword, keystorePassword,
	keystore.TrustLocation, truststoreKey, keystore.TrustPassword, truststorePwKey, keystore.TrustType, truststoreType)

// newTLS is what the keys say of certificates.
func newTLS(v configdef.Values) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if path := v.String(keystoreKey); path != "" {
		id, err := keystore.Keys{keystore.KeyLocation: path, keystore.KeyStorePassword: v.Password(keystorePassword), keystore.KeyType: "PKCS12"}.Identity()
		if err != nil {
			return nil, errors.New(ourKeys.Replace(err.Error()))
		}
		out.Certificates = []tls.Certificate{*id}
	}
	if path := v.String(truststoreKey); path != "" {
		certs, err := keystore.Keys{keystore.TrustLocation: path, keystore.TrustPassword: v.Password(truststorePwKey), keystore.TrustType: v.String(truststoreType)}.Authorities()
		if err != nil {
			return nil, errors.New(ourKeys.Replace(err.Error()))
		}
		out.RootCAs = x509.NewCertPool()
		for _, cert := range certs {
			out.RootCAs.AddCert(cert)
		}
	}
	return out, nil
}

// errElsewhere says that a redirect was not followed.
var errElsewhere = errors.New("it is redirected to another server, which is not followed, as the request's credentials are not for it")

func sameServer(r *http.Request, via []*http.Request) error {
	if from := via[0].URL; r.URL.Hostname() != from.Hostname() || from.Scheme == "https" && r.URL.Scheme != "https" {
		return fmt.Errorf("%w: %s://%s", errElsewhere, r.URL.Scheme, r.URL.Host)
	}
	if len(via) >= 10 {
		return errors.New("it is redirected more than ten times")
	}
	return nil
}

// answer is a response that was read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// errSlow is the cause of a request that was ended because nothing came.
var errSlow = errors.New("nothing came in time")

// do makes a request. With validators the server may say that nothing has changed. A request that a token was refused for is
// made again with a new one, once.
func (c *client) do(ctx context.Context, r request, v validators) (answer, error) {
	a, err := c.once(ctx, r, v)
	if err == nil && a.status == http.StatusUnauthorized && c.tokens != nil && c.tokens.refused() {
		a, err = c.once(ctx, r, v)
	}
	return a, err
}

func (c *client) once(ctx context.Context, r request, v validators) (answer, error) {
	wait := milliseconds(c.s.Values, readTimeoutKey)
	var authorization string
	if c.tokens != nil {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return answer{}, err
		}
		authorization = token
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Connecting has a limit of its own, so that this one is for the rest.
	timer := c.clk.NewTimer(milliseconds(c.s.Values, connectTimeoutKey) + wait)
	defer timer.Stop()
	watch := run.New(ctx, "http-timeout")
	if err := watch.Go(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-timer.C():
			cancel(errSlow)
		}
		return nil
	}); err != nil {
		return answer{}, err
	}
	defer watch.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // it returns none

	req, err := c.request(ctx, r, v, authorization)
	if err != nil {
		return answer{}, configError(fmt.Errorf("%w: %s: %w", ErrConfig, r, err))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.failed(ctx, r, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	out := answer{status: resp.StatusCode, header: resp.Header}
	if out.body, err = c.read(resp.Body, func() { timer.Reset(wait) }); err != nil {
		return answer{}, c.failed(ctx, r, err)
	}
	return out, nil
}

func (c *client) request(ctx context.Context, r request, v validators, authorization string) (*http.Request, error) {
	var body io.Reader
	if r.method != http.MethodGet {
		body = bytes.NewReader([]byte(r.body))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	for _, h := range r.headers {
		if strings.EqualFold(h.name, "Host") {
			req.Host = h.value
		} else {
			req.Header.Add(h.name, h.value)
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "sluice/"+version.Version)
	}
	switch c.s.auth() {
	case authBasic:
		if user, password := c.s.String(authUserKey), c.s.Password(authPasswordKey); user != "" || password != "" {
			req.SetBasicAuth(user, password)
		}
	case authBearer:
		req.Header.Set("Authorization", "Bearer "+c.s.Password(bearerKey))
	case authOAuth2:
		req.Header.Set("Authorization", authorization)
	}
	v.ask(req.Header)
	return req, nil
}

// read reads a body whole. alive is called when some of it has come.
func (c *client) read(body io.Reader, alive func()) ([]byte, error) {
	most := c.s.Int(maxBytesKey)
	var out bytes.Buffer
	for {
		alive()
		n, err := io.CopyN(&out, body, min(32<<10, int64(most-out.Len())+1))
		switch {
		case out.Len() > most:
			return nil, dataError(fmt.Errorf("%w: it has more than %s=%d bytes: smaller pages would be right", ErrAnswer, maxBytesKey, most))
		case errors.Is(err, io.EOF):
			return out.Bytes(), nil
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.ErrUnexpectedEOF
		}
	}
}

// failed is why a request was not answered. Errors of net/http have the URL with its query, which is left out.
func (c *client) failed(ctx context.Context, r request, err error) error {
	if _, ok := connectors.ClassOf(err); ok {
		return fmt.Errorf("%s: %w", r, err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(context.Cause(ctx), errSlow):
		err = fmt.Errorf("%w: %s: nothing came for %s=%d", ErrUnreachable, r, readTimeoutKey, c.s.Long(readTimeoutKey))
	case errors.As(err, &cert):
		return configError(fmt.Errorf("%w: %s: the server's certificate is not trusted (%s): %w", ErrUnreachable, r, truststoreKey, err))
	case errors.Is(err, errElsewhere):
		return configError(fmt.Errorf("%w: %s: %w", ErrUnreachable, r, err))
	default:
		err = fmt.Errorf("%w: %s: %w", ErrUnreachable, r, err)
	}
	return connectors.Classify(connectors.TransientError, err)
}

// validators are those of an answer, by which a server knows whether the next one would be the same.
type validators struct{ etag, modified string }

func validatorsOf(h http.Header) validators { return validators{h.Get("ETag"), h.Get("Last-Modified")} }

func (v validators) ask(h http.Header) {
	if v.etag != "" {
		h.Set("If-None-Match", v.etag)
	}
	if v.modified != "" {
		h.Set("If-Modified-Since", v.modified)
	}
}

// refusal is the error of a status that the config does not take, and how long the server asks to wait.
func (c *client) refusal(r request, a answer) (wait time.Duration, asked bool, err error) {
	wait, asked = retryAfter(a.header, c.clk.Now())
	text := fmt.Sprintf("%s was answered %d %s", r, a.status, http.StatusText(a.status))
	switch {
	case a.status == http.StatusTooManyRequests, a.status == http.StatusForbidden && exhausted(a.header):
		return wait, asked, connectors.Classify(connectors.TransientError, fmt.Errorf("%w: %s: there were too many requests (%s)", ErrStatus, text, rateKey))
	case a.status == http.StatusRequestTimeout, a.status == http.StatusInternalServerError, a.status >= 502 && a.status <= 504:
		return wait, asked, connectors.Classify(connectors.TransientError, fmt.Errorf("%w: %s", ErrStatus, text))
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		// The body may repeat what was sent.
		return 0, false, connectors.Classify(connectors.AuthorisationError, fmt.Errorf("%w: %s: %s", ErrStatus, text, c.credentials(a.status)))
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed, a.status == http.StatusGone:
		return 0, false, configError(fmt.Errorf("%w: %s: %s and %s are what was asked for", ErrStatus, text, urlKey, methodKey))
	}
	return 0, false, fmt.Errorf("%w: %s, which is neither in %s nor in %s: %q", ErrStatus, text, processKey, skipKey, excerpt(c.scrubbed(r, string(a.body)), 300))
}

// credentials says what a server has refused.
func (c *client) credentials(status int) string {
	if status == http.StatusProxyAuthRequired {
		return fmt.Sprintf("the proxy refuses %s and %s", proxyUserKey, proxyPasswordKey)
	}
	what := map[string]string{authNone: "there are none (" + authTypeKey + ", " + headersKey + ")", authBasic: authUserKey + " and " + authPasswordKey,
		authBearer: bearerKey, authOAuth2: "the token of " + tokenURLKey + " for " + clientIDKey + " and " + scopesKey}[c.s.auth()]
	if status == http.StatusForbidden {
		return "the credentials do not allow it: " + what
	}
	return "the credentials are refused: " + what
}

// scrubbed is what a server says without the config's secrets, and without what headers and parameters may have of them.
func (c *client) scrubbed(r request, text string) string {
	var secrets []string
	for _, key := range []string{authPasswordKey, bearerKey, clientSecretKey, proxyPasswordKey} {
		secrets = append(secrets, c.s.Password(key))
	}
	const short = 8 // words that are shorter say too much else
	for _, h := range r.headers {
		for word := range strings.FieldsSeq(h.value) {
			if len(word) >= short {
				secrets = append(secrets, word)
			}
		}
	}
	for _, values := range r.url.Query() {
		for _, v := range values {
			if len(v) >= short {
				secrets = append(secrets, v)
			}
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, configdef.Hidden)
		}
	}
	return text
}
