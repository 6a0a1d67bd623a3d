package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors"
)

// maxReason bounds what is said of a node's words, in bytes.
const maxReason = 500

// Error is what an answer says is wrong.
type Error struct {
	Type, Reason string
}

func (e Error) String() string {
	if e.Type == "" {
		return e.Reason
	}
	return e.Type + ": " + e.Reason
}

// ParseError reads the body of an answer that is none of success.
func ParseError(body []byte) Error {
	var whole struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &whole) != nil || len(whole.Error) == 0 {
		return Error{Reason: Short(string(body))}
	}
	return ReadError(whole.Error)
}

// ReadError reads an error object: its type, its reason and what caused it.
func ReadError(raw json.RawMessage) Error {
	type cause struct {
		Type     string `json:"type"`
		Reason   string `json:"reason"`
		CausedBy *struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"caused_by"`
	}
	var c cause
	if json.Unmarshal(raw, &c) != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		return Error{Reason: Short(text)}
	}
	e := Error{Type: c.Type, Reason: c.Reason}
	if c.CausedBy != nil && c.CausedBy.Reason != "" {
		e.Reason += " (" + c.CausedBy.Type + ": " + c.CausedBy.Reason + ")"
	}
	e.Reason = Short(e.Reason)
	return e
}

// Short is a text of at most maxReason bytes.
func Short(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// Refused says what an answer means that is none of success: which keys to look at, and whether another try may help.
func (c *Client) Refused(doing string, a Answer) error {
	e := ParseError(a.Body)
	switch {
	case a.Status == http.StatusUnauthorized:
		if c.conf.User == "" || c.conf.Password == "" {
			return connectors.Classify(connectors.AuthorisationError, fmt.Errorf("elasticsearch: %s: %s wants to know who asks: set connection.username and connection.password: %s", doing, c.where, e))
		}
		return connectors.Classify(connectors.AuthorisationError, fmt.Errorf("elasticsearch: %s: %s refuses the user %q with this password: correct connection.username and connection.password: %s", doing, c.where, c.conf.User, e))
	case a.Status == http.StatusForbidden && e.Type == "cluster_block_exception":
		return connectors.Classify(connectors.TransientError, fmt.Errorf("elasticsearch: %s: %s takes no writes: %s", doing, c.where, e))
	case a.Status == http.StatusForbidden:
		return connectors.Classify(connectors.AuthorisationError, fmt.Errorf("elasticsearch: %s: %s does not allow this to the user %q of connection.username: give it the rights, or name another: %s", doing, c.where, c.conf.User, e))
	case a.Away():
		return connectors.Classify(connectors.TransientError, fmt.Errorf("elasticsearch: %s: %s is busy or away, and answers %d: %s", doing, c.where, a.Status, e))
	case a.Status/100 == 3:
		return connectors.Classify(connectors.ConfigError, fmt.Errorf("elasticsearch: %s: %s answers %d and wants to be asked elsewhere: correct connection.url", doing, c.where, a.Status))
	}
	return connectors.Classify(connectors.ConfigError, fmt.Errorf("elasticsearch: %s: %s answers %d: %s", doing, c.where, a.Status, e))
}

// Unanswered says that no node answered a request.
func (c *Client) Unanswered(doing string, err error) error { return c.unanswered(doing, err) }

func (c *Client) unanswered(doing string, err error) error {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("elasticsearch: %s: %w", doing, err)
	case errors.As(err, &cert):
		return connectors.Classify(connectors.ConfigError, fmt.Errorf("elasticsearch: %s: the certificate of %s is not trusted: name the authority's in the truststore, or correct connection.url: %w", doing, c.where, cert.Err))
	case errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return connectors.Classify(connectors.ConfigError, fmt.Errorf("elasticsearch: %s: %s does not speak TLS: connection.url has https where http would be right", doing, c.where))
	}
	return connectors.Classify(connectors.TransientError, fmt.Errorf("elasticsearch: %s: no answer from %s (connection.url): %w", doing, c.where, err))
}

// transient says whether another try may help.
func transient(err error) bool {
	class, _ := connectors.ClassOf(err)
	return class == connectors.TransientError
}
