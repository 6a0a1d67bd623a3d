package rest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// CORS says which pages of other origins may call the API. The zero CORS says nothing to browsers, so that none may.
type CORS struct {
	any     bool
	origins []*regexp.Regexp
	methods string
}

// ParseCORS reads access.control.allow.origin, a list of origins that may be patterns, or *, and
// access.control.allow.methods. Where origin is blank, there is no CORS.
func ParseCORS(origin, methods string) (CORS, error) {
	var c CORS
	for o := range strings.SplitSeq(origin, ",") {
		switch o = strings.TrimSpace(o); o {
		case "":
		case "*":
			c.any = true
		default:
			re, err := regexp.Compile("^(?:" + o + ")$")
			if err != nil {
				return CORS{}, fmt.Errorf("access.control.allow.origin: %q is neither an origin nor a pattern of some: %w", o, err)
			}
			c.origins = append(c.origins, re)
		}
	}
	c.methods = "POST,GET,HEAD"
	if strings.TrimSpace(methods) != "" {
		c.methods = methods
	}
	return c, nil
}

func (c CORS) allows(origin string) bool {
	if c.any {
		return true
	}
	for _, re := range c.origins {
		if re.MatchString(origin) {
			return true
		}
	}
	return false
}

// around adds what browsers ask for. A preflight is then answered like any OPTIONS, as by Kafka Connect.
func (c CORS) around(next http.Handler) http.Handler {
	if !c.any && len(c.origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" && c.allows(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", c.methods)
				h.Set("Access-Control-Allow-Headers", "Content-Type")
				h.Set("Access-Control-Max-Age", "60")
			}
		}
		next.ServeHTTP(w, r)
	})
}
