package rest

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	mediaJSON   = "application/json"
	mediaText   = "text/plain"
	mediaEvents = "text/event-stream"
	noCache     = "must-revalidate,no-cache,no-store"
)

// parseMedia reads one media type or range as JAX-RS does; of a range, the subtype may be left out.
func parseMedia(s string, isRange bool) (string, map[string]string, bool) {
	s = strings.TrimRight(s, "; \t")
	media, params, _ := strings.Cut(s, ";")
	if media = strings.TrimSpace(media); isRange && media != "" && !strings.Contains(media, "/") {
		media += "/*"
	}
	if !strings.Contains(media, "/") {
		return "", nil, false
	}
	if params != "" {
		params = ";" + params
	}
	media, p, err := mime.ParseMediaType(media + params)
	return media, p, err == nil
}

// parseAccept reads the media ranges that a client takes, the best first. None means any.
func parseAccept(lines []string) ([]string, bool) {
	type weighed struct {
		media string
		q     float64
	}
	var all []weighed
	line := strings.Join(lines, ",")
	if strings.TrimSpace(line) == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(line, ","), ",") {
		media, params, ok := parseMedia(part, true)
		q := 1.0
		if v, given := params["q"]; given && ok {
			var err error
			q, err = strconv.ParseFloat(v, 64)
			ok = err == nil && q >= 0 && q <= 1
		}
		if !ok {
			return nil, false
		}
		all = append(all, weighed{media, q})
	}
	slices.SortStableFunc(all, func(a, b weighed) int { return int(1000*b.q) - int(1000*a.q) })
	out := make([]string, 0, len(all))
	for _, w := range all {
		out = append(out, w.media)
	}
	return out, true
}

// compatible says that a media range takes a media type, or that the type is itself such a range.
func compatible(media, with string) bool {
	kind, sub, _ := strings.Cut(media, "/")
	wantKind, wantSub, _ := strings.Cut(with, "/")
	return (kind == "*" || kind == wantKind) && (sub == "*" || sub == wantSub)
}

// accepts says whether one of a client's media ranges takes a media type.
func accepts(ranges []string, media string) bool {
	return len(ranges) == 0 || slices.ContainsFunc(ranges, func(m string) bool { return compatible(m, media) })
}

// refusedBody answers a request whose body is not declared to be JSON, whether it has one or not. /v1/ is Sluice's own,
// and takes a body without a type too.
func refusedBody(w http.ResponseWriter, r *http.Request, at route) bool {
	given, declared := r.Header["Content-Type"]
	switch {
	case at.anyType:
		return false
	case !declared:
		if at.bodyField == "" || r.ContentLength == 0 || at.own {
			return false
		}
	default:
		media, _, _ := parseMedia(given[0], false) // serve has tried it
		if !compatible(media, mediaJSON) {
			containerError(w, http.StatusUnsupportedMediaType)
			return true
		}
		if media == mediaJSON || at.bodyField == "" {
			return false
		}
	}
	writeError(w, http.StatusUnsupportedMediaType, containerText(http.StatusUnsupportedMediaType), true)
	return true
}

// options answers OPTIONS as JAX-RS does: with the methods, and a Content-Type that the client accepts.
func options(w http.ResponseWriter, methods, accepted []string) {
	w.Header().Set("Allow", strings.Join(methods, ","))
	media := mediaText
	if len(accepted) > 0 && !compatible(accepted[0], mediaText) {
		media = accepted[0]
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(http.StatusOK)
	if media == mediaText {
		_, _ = fmt.Fprint(w, strings.Join(methods, ", ")) // the client is gone: there is nobody to tell
	}
}

// badRequest answers headers that cannot be read as Kafka Connect's web server does: in its words and in the type that is
// asked for where a body goes with such a method, else without one.
func badRequest(w http.ResponseWriter, r *http.Request) {
	url := base(r) + r.RequestURI
	html := len(r.Header.Values("Accept")) == 0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";q=")
		switch {
		case media == "text/html" || media == "text/*" || media == "*/*":
			html = true
		case r.Method == http.MethodPost || r.Method == http.MethodGet || r.Method == http.MethodHead:
			if body := page(media, url); body != "" {
				w.Header().Set("Cache-Control", noCache)
				w.Header().Set("Content-Type", media)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprint(w, body) // the client is gone: there is nobody to tell
				return
			}
		}
		if html {
			break
		}
	}
	method := r.Method
	if !html {
		method = http.MethodPut // nothing that is asked for can be given
	}
	refuse(w, method, http.StatusBadRequest, "Bad Request")
}

func page(media, url string) string {
	switch media {
	case mediaJSON, "text/json":
		return fmt.Sprintf("{\n\"message\":\"Bad Request\",\n\"url\":%q,\n\"status\":\"400\"\n}", url)
	case mediaText:
		return fmt.Sprintf("HTTP ERROR 400 Bad Request\nURI: %s\nSTATUS: 400\nMESSAGE: Bad Request\n", url)
	}
	return ""
}
