package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

const (
	// maxPause bounds the pause between two tries.
	maxPause = time.Minute
	// maxAnswer bounds what is read of an answer, in bytes: a bulk of a million records is answered with less.
	maxAnswer = 256 << 20
)

// ContentJSON is the type of a body that is one document.
const ContentJSON = "application/json"

// Config says which cluster, and how it is reached.
type Config struct {
	// URLs are the nodes', at least one, without users.
	URLs []*url.URL
	// User and Password are sent where both are set.
	User, Password string
	// TLS is used for https, the system's authorities where it is nil.
	TLS   *tls.Config
	Proxy *url.URL
	// Compress has bodies sent with gzip.
	Compress bool
	// Connect bounds making a connection, Read the wait for an answer once the request is sent, Whole a try from end to
	// end; 0 is no bound. Idle is how long an unused connection is kept, 0 for ever.
	Connect, Read, Whole, Idle time.Duration
	// Retries is how often a request is tried again before its error is returned. The pauses begin at Backoff and double.
	Retries int
	Backoff time.Duration
	// Abreast is how many requests there are at once.
	Abreast int
}

// Client sends requests. Safe for concurrent use.
type Client struct {
	conf Config
	clk  clock.Clock
	http *http.Client
	at   atomic.Uint32 // the node that answered last
	zips sync.Pool     // of *gzip.Writer
	// where are the nodes, for messages.
	where string
}

// Answer is a node's. Its body is good until the buffer that it was read into is used again.
type Answer struct {
	Status int
	Body   []byte
}

// elsewhere says that another node may do at once what this one cannot.
func (a Answer) elsewhere() bool {
	return a.Status == http.StatusBadGateway || a.Status == http.StatusServiceUnavailable || a.Status == http.StatusGatewayTimeout
}

// OK says that the request was done.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// Away says that another node, or another time, may bring a better one.
func (a Answer) Away() bool {
	switch a.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// New makes a client. Nothing is sent yet.
func New(c Config, clk clock.Clock) *Client {
	dialer := &net.Dialer{Timeout: c.Connect}
	t := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: c.TLS, TLSHandshakeTimeout: c.Connect, ResponseHeaderTimeout: c.Read, IdleConnTimeout: c.Idle,
		MaxIdleConnsPerHost: max(2, c.Abreast), ForceAttemptHTTP2: false, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	if c.Proxy != nil {
		t.Proxy = http.ProxyURL(c.Proxy)
	}
	hosts := make([]string, len(c.URLs))
	for i, u := range c.URLs {
		hosts[i] = u.Redacted()
	}
	return &Client{conf: c, clk: clk, where: strings.Join(hosts, ","),
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close gives up connections that are not used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Where are the nodes, for messages.
func (c *Client) Where() string { return c.where }

// Retries is how often a request is tried again.
func (c *Client) Retries() int { return c.conf.Retries }

// Once sends a request to one node after the other until one answers that can do it. The answer's body is read into into.
func (c *Client) Once(ctx context.Context, method, path, content string, body []byte, into *bytes.Buffer) (Answer, error) {
	var last Answer
	var lastErr error
	start := c.at.Load()
	for i := range c.conf.URLs {
		n := (start + uint32(i)) % uint32(len(c.conf.URLs)) //nolint:gosec // few nodes
		a, err := c.send(ctx, c.conf.URLs[n], method, path, content, body, into)
		if err == nil && !a.elsewhere() {
			c.at.Store(n)
			return a, nil
		}
		if err == nil {
			// An answer says more than a connection that another node refuses.
			last, lastErr = Answer{Status: a.Status, Body: bytes.Clone(a.Body)}, nil
		} else if last.Status == 0 {
			lastErr = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	c.at.Store((start + 1) % uint32(len(c.conf.URLs))) //nolint:gosec // few nodes
	return last, lastErr
}

// Do is Once, tried again while no node answers or all are away. What is wrong with the answer else is the caller's.
func (c *Client) Do(ctx context.Context, doing, method, path string, body []byte) (Answer, error) {
	for attempt := 0; ; attempt++ {
		var into bytes.Buffer
		a, err := c.Once(ctx, method, path, ContentJSON, body, &into)
		if err == nil && !a.Away() {
			return a, nil
		}
		if err == nil {
			err = c.Refused(doing, a)
		} else {
			err = c.unanswered(doing, err)
		}
		if attempt >= c.conf.Retries || !transient(err) {
			return a, err
		}
		if e := c.Pause(ctx, attempt); e != nil {
			return a, e
		}
	}
}

// Pause waits before try attempt+1, half of the time always and half at random, so that tasks that failed together do not
// come again together.
func (c *Client) Pause(ctx context.Context, attempt int) error {
	most := c.conf.Backoff << min(attempt, 20)
	if most > maxPause {
		most = maxPause
	}
	t := c.clk.NewTimer(most/2 + rand.N(most/2+1)) //nolint:gosec // no secret
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Client) send(ctx context.Context, node *url.URL, method, path, content string, body []byte, into *bytes.Buffer) (Answer, error) {
	if c.conf.Whole > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.conf.Whole)
		defer cancel()
	}
	zipped := c.conf.Compress && len(body) > 0
	var reader io.Reader = http.NoBody
	if zipped {
		b, err := c.zip(body)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(b)
	} else if len(body) > 0 {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(node.String(), "/")+path, reader)
	if err != nil {
		return Answer{}, err
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", content)
	}
	if zipped {
		r.Header.Set("Content-Encoding", "gzip")
	}
	r.Header.Set("Accept", ContentJSON)
	if c.conf.User != "" && c.conf.Password != "" {
		r.SetBasicAuth(c.conf.User, c.conf.Password)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or of no use
	into.Reset()
	n, err := into.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, fmt.Errorf("the answer ended early: %w", err)
	}
	if n > maxAnswer {
		return Answer{}, errors.New("the answer has more than 256 MiB")
	}
	return Answer{Status: resp.StatusCode, Body: into.Bytes()}, nil
}

func (c *Client) zip(body []byte) ([]byte, error) {
	w, _ := c.zips.Get().(*gzip.Writer)
	if w == nil {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	}
	defer c.zips.Put(w)
	out := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	w.Reset(out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}
