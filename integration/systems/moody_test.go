//go:build integration

package systems

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// moody is an HTTP proxy that, while it is on, answers some requests itself: 503, 429, or with a connection that is reset.
type moody struct {
	URL string
	on  atomic.Bool
	// refused counts what it answered itself.
	refused atomic.Int64
}

// startMoody starts one before a server. allow may answer a request, and says then that it has. busy is the body of a 429.
func startMoody(t *testing.T, server, busy string, allow func(w http.ResponseWriter, r *http.Request) bool) *moody {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(to)
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	m := &moody{}
	var requests atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allow(w, r) {
			return
		}
		n := requests.Add(1)
		if !m.on.Load() || n%7 != 0 && n%11 != 0 && n%13 != 0 {
			through.ServeHTTP(w, r)
			return
		}
		m.refused.Add(1)
		switch {
		case n%7 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n%11 == 0:
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = fmt.Fprint(w, busy)
		default:
			panic(http.ErrAbortHandler) // the connection is reset
		}
	}))
	t.Cleanup(proxy.Close)
	m.URL = proxy.URL
	return m
}
