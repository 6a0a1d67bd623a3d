package httpsource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/internal/clock"
)

// early is how long before its end a token is not used any more.
const early = 10 * time.Second

// tokens asks for tokens, and keeps one until it ends. A token without an end is used until it is refused.
type tokens struct {
	config clientcredentials.Config
	clk    clock.Clock
	http   *http.Client
	header string // the token as requests have it; empty: none
	ends   time.Time
	used   bool // whether the token has been taken by a server, or is at least not new
}

func newTokens(s *settings, clk clock.Clock, transport http.RoundTripper) *tokens {
	t := &tokens{clk: clk, http: &http.Client{Transport: transport, CheckRedirect: sameServer, Timeout: milliseconds(s.Values, connectTimeoutKey) + milliseconds(s.Values, readTimeoutKey)},
		config: clientcredentials.Config{ClientID: s.String(clientIDKey), ClientSecret: s.Password(clientSecretKey), TokenURL: s.String(tokenURLKey), Scopes: s.List(scopesKey),
			EndpointParams: url.Values{}, AuthStyle: oauth2.AuthStyleInHeader}}
	if s.String(oauthStyleKey) == "params" {
		t.config.AuthStyle = oauth2.AuthStyleInParams
	}
	params, _ := pairs(s.String(oauthParamsKey), "&", "=") // it was checked
	for _, p := range params {
		t.config.EndpointParams.Add(p.name, p.value)
	}
	return t
}

// get is the value of the Authorization header.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.header != "" && (t.ends.IsZero() || t.clk.Now().Before(t.ends)) {
		t.used = true
		return t.header, nil
	}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		return "", t.failed(err)
	}
	t.header, t.ends, t.used = token.Type()+" "+token.AccessToken, time.Time{}, false
	if seconds, err := strconv.ParseFloat(fmt.Sprint(token.Extra("expires_in")), 64); err == nil && seconds > 0 {
		lives := time.Duration(min(seconds, longestWait.Seconds())) * time.Second
		t.ends = t.clk.Now().Add(lives - min(early, lives/2))
	}
	return t.header, nil
}

// refused forgets the token, and says whether another one is worth a try: not where this one was new.
func (t *tokens) refused() bool {
	t.header = ""
	return t.used
}

// failed is why there is no token. What the server says besides its error code is left out: it may repeat what was sent.
func (t *tokens) failed(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) || answered.Response == nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return connectors.Classify(connectors.TransientError, fmt.Errorf("%w: %s has no token: %w", ErrUnreachable, tokenURLKey, err))
	}
	status := answered.Response.StatusCode
	err = fmt.Errorf("%w: %s was answered %d %s %s", ErrStatus, tokenURLKey, status, http.StatusText(status), answered.ErrorCode)
	if status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500 {
		return connectors.Classify(connectors.TransientError, err)
	}
	return connectors.Classify(connectors.AuthorisationError, fmt.Errorf("%w: %s and %s are refused", err, clientIDKey, clientSecretKey))
}
