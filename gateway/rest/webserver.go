package rest

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxHead bounds a request's line and headers together, in bytes: what Kafka Connect's web server takes.
const maxHead = 8 << 10

// The faults of a path in the order in which Kafka Connect's web server names them.
var faultNames = [...]string{
	"Ambiguous URI path segment", "Ambiguous URI empty segment", "Ambiguous URI path separator", "Ambiguous URI path parameter",
	"Ambiguous URI path encoding", "Bad UTF-8 encoding", "Suspicious Path Character", "Illegal Path Character",
}

const (
	dotSegment = iota
	emptySegment
	pathSeparator
	pathParameter
	pathEncoding
	badUTF8
	suspicious
	illegal
)

// webServer refuses what the web server in front of Kafka Connect refuses: paths that two readers could read in two
// ways, and heads that are too long. It does so before CORS, the headers of answers and /admin/ are looked at. A
// connector whose name has a slash or a percent sign can therefore be listed here, and is reached by the gRPC API and
// the command line. Sluice's own paths are not refused.
func webServer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		path, _, _ = strings.Cut(path, "#")
		if _, after, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
			if path = "/"; strings.Contains(after, "/") {
				path = after[strings.IndexByte(after, '/'):]
			}
		}
		switch {
		case len(r.Method)+len(" ")+len(r.RequestURI) > maxHead:
			refuse(w, http.MethodGet, http.StatusRequestURITooLong, "URI Too Long")
		case headSize(r) > maxHead:
			refuse(w, http.MethodGet, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		case strings.HasPrefix(path, "/v1/"):
			next.ServeHTTP(w, r)
		case unreadable(path):
			refuse(w, http.MethodGet, http.StatusBadRequest, "Bad Request")
		default:
			if faults := pathFaults(path); len(faults) > 0 {
				refuse(w, r.Method, http.StatusBadRequest, strings.Join(faults, ", "))
				return
			}
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers with the usual error body where Kafka Connect has a page in HTML, and with none where it has none.
func refuse(w http.ResponseWriter, method string, code int, message string) {
	w.Header().Set("Cache-Control", noCache)
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		writeError(w, code, message, true)
	default:
		bodyless(w, code)
	}
}

// headSize is about what a request's line and headers were long.
func headSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len("  HTTP/1.1\r\n\r\nHost: \r\n") + len(r.Host)
	for k, values := range r.Header {
		for _, v := range values {
			n += len(k) + len(v) + len(": \r\n")
		}
	}
	return n
}

// unreadable says that a path is none: it has a zero byte, or leads above the root.
func unreadable(path string) bool {
	if path != "*" && !strings.HasPrefix(path, "/") {
		return true
	}
	depth := 0
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		plain, _, _ := strings.Cut(s, ";")
		if strings.Contains(plain, "%00") {
			return true
		}
		switch plain {
		case ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// pathFaults are the faults of a path that is still encoded, each once, in the order of faultNames.
func pathFaults(path string) []string {
	if path == "*" {
		return []string{"Bad URI path"}
	}
	var found [len(faultNames)]bool
	segments := strings.Split(path, "/")[1:]
	for i, s := range segments {
		s, _, parameters := strings.Cut(s, ";")
		if s == "" && i < len(segments)-1 {
			found[emptySegment] = true
		}
		if dots := strings.ReplaceAll(strings.ToLower(s), "%2e", "."); dots == "." || dots == ".." {
			found[dotSegment] = found[dotSegment] || dots != s
			found[pathParameter] = found[pathParameter] || parameters
		}
		for _, c := range []byte(s) {
			found[illegal] = found[illegal] || c != '%' && !inPath(c)
		}
		plain, _ := url.PathUnescape(s) // net/http has tried it
		found[pathSeparator] = found[pathSeparator] || strings.Contains(plain, "/")
		found[pathEncoding] = found[pathEncoding] || strings.Contains(plain, "%")
		found[badUTF8] = found[badUTF8] || !utf8.ValidString(plain)
		found[suspicious] = found[suspicious] || strings.ContainsFunc(plain, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f })
	}
	var out []string
	for i, name := range faultNames {
		if found[i] {
			out = append(out, name)
		}
	}
	return out
}

// inPath says that a character may stand in a path as it is.
func inPath(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}
