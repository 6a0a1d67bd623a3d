package rest

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// plainPath is a request's path, still encoded, without what means nothing: a slash at the end, and the matrix
// parameters that JAX-RS cuts off every segment. An error is a path that nothing can be meant by.
func plainPath(u *url.URL) (string, error) {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		return "", errors.New("it must begin with a slash")
	}
	if strings.Contains(path, ";") {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		path = strings.Join(segments, "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(plain) {
		return "", errors.New("it is not UTF-8")
	}
	return path, nil
}

// setPath gives a URL a path that is still encoded.
func setPath(u *url.URL, path string) {
	u.RawPath = path
	u.Path, _ = url.PathUnescape(path) // plainPath has tried it
}
