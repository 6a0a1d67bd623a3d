package httpsource

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// request is one that is to be made.
type request struct {
	method  string
	url     *url.URL
	headers []pair
	body    string
}

// String names the request without its query, which may have secrets.
func (r request) String() string { return r.method + " " + where(r.url) }

// where is a URL without user, query and fragment.
func where(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// same is what two requests have in common whose answers may be compared.
func (r request) same() string { return r.method + " " + r.url.String() + "\n" + r.body }

// request makes the first request behind an offset.
func (s *settings) request(o offset) (request, error) {
	r := request{method: s.String(methodKey)}
	var fault error
	fill := func(key string, t template) string {
		text, err := t.apply(o)
		if err != nil && fault == nil {
			fault = dataError(fmt.Errorf("%w: %s: %w", ErrOffset, key, err))
		}
		return text
	}
	address := fill(urlKey, s.url)
	head, params, body := fill(headersKey, s.headers), fill(paramsKey, s.params), fill(bodyKey, s.body)
	if fault != nil {
		return request{}, fault
	}
	u, err := url.Parse(address)
	if err != nil || !isHTTP(u) {
		return request{}, configError(fmt.Errorf("%w: %s is no URL of http or https with a host, with the offset in it", ErrConfig, urlKey))
	}
	u.RawQuery, u.Fragment = encode(u.RawQuery, ` "'<>#`), ""
	list, err := pairs(params, "&", "=")
	if err != nil {
		return request{}, configError(fmt.Errorf("%w: %s, with the offset in it: %w", ErrConfig, paramsKey, err))
	}
	for _, p := range list {
		u.RawQuery = query(u.RawQuery, p)
	}
	if r.headers, err = headers(head); err != nil {
		return request{}, configError(fmt.Errorf("%w: %s, with the offset in it: %w", ErrConfig, headersKey, err))
	}
	r.url, r.body = u, body
	return r, nil
}

// listing is one request behind an offset, and its pages.
type listing struct {
	first request
	since offset // the offset that it began behind
	count int64  // what the next page's offset is counted by
	seen  bool   // whether the record of that offset has come
	news  bool   // whether there was a record that was handed over
	next  request
	token string // the token of the request, to see that tokens move on
}

// begin is the listing behind an offset.
func (s *settings) begin(o offset) (*listing, error) {
	first, err := s.request(o)
	if err != nil {
		return nil, err
	}
	l := &listing{first: first, since: o, count: s.Long(offsetStartKey)}
	l.next = first
	if s.String(pagesKey) == offsetPages {
		l.next = s.counted(l)
	} else {
		l.next = s.limited(first)
	}
	return l, nil
}

func (r request) plus(p pair) request {
	u := *r.url
	u.RawQuery = query(u.RawQuery, p)
	r.url = &u
	return r
}

// limited is a request with the page's size.
func (s *settings) limited(r request) request {
	if n := s.Int(limitKey); n > 0 && s.String(pagesKey) != noPages && s.String(limitParamKey) != "" {
		return r.plus(pair{s.String(limitParamKey), strconv.Itoa(n)})
	}
	return r
}

func (s *settings) counted(l *listing) request {
	return s.limited(l.first).plus(pair{s.String(offsetParamKey), strconv.FormatInt(l.count, 10)})
}

// follow makes the request for the page behind an answer; more says whether there is one. entries is how many the list had.
func (s *settings) follow(l *listing, header http.Header, body []byte, entries int) (more bool, err error) {
	switch s.String(pagesKey) {
	case offsetPages:
		if entries == 0 {
			return false, nil
		}
		if l.count++; s.String(offsetUnitKey) == unitRecords {
			l.count += int64(entries) - 1
		}
		l.next = s.counted(l)
		return true, nil
	case tokenPages:
		token := s.nextIn(body)
		if token == "" {
			return false, nil
		}
		if token == l.token {
			return false, dataError(fmt.Errorf("%w: %s: the page's own token is at %s=%s: the pages would have no end", ErrAnswer, l.next, nextKey, s.next.text))
		}
		l.token, l.next = token, s.limited(l.first).plus(pair{s.String(tokenParamKey), url.QueryEscape(token)})
		return true, nil
	case linkPages:
		link := nextLink(header)
		if s.next != nil {
			link = s.nextIn(body)
		}
		if link == "" {
			return false, nil
		}
		return true, l.followLink(link)
	}
	return false, nil
}

// nextIn is the text that sluice.http.pagination.next.pointer points to.
func (s *settings) nextIn(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	v, ok := s.next.in(body)
	if !ok || string(v) == "null" || string(v) == "false" {
		return ""
	}
	return textOf(v)
}

// followLink goes to a URL, if it is one of the same server: the request's credentials go there too.
func (l *listing) followLink(link string) error {
	u, err := l.next.url.Parse(link)
	if err != nil {
		return dataError(fmt.Errorf("%w: %s: the next page's link is no URL", ErrAnswer, l.next))
	}
	if u.Scheme != l.first.url.Scheme || u.Host != l.first.url.Host {
		return dataError(fmt.Errorf("%w: %s: the next page's link goes to %s://%s, which is not followed, as the request's credentials are for %s://%s",
			ErrAnswer, l.next, u.Scheme, u.Host, l.first.url.Scheme, l.first.url.Host))
	}
	if u.Fragment = ""; u.String() == l.next.url.String() {
		return dataError(fmt.Errorf("%w: %s: the next page's link is the page's own: the pages would have no end", ErrAnswer, l.next))
	}
	l.next.url = u
	return nil
}

// link is one of a Link header (RFC 8288): a URL in brackets, and parameters.
var link = regexp.MustCompile(`<([^>]*)>((?:\s*;\s*[^\s;,="]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))*)`)

var rel = regexp.MustCompile(`(?i);\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))`)

// nextLink is the URL with rel=next, empty where there is none.
func nextLink(h http.Header) string {
	for _, line := range h.Values("Link") {
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if r := rel.FindStringSubmatch(m[2]); r != nil && strings.Contains(" "+strings.ToLower(r[1]+r[2])+" ", " next ") {
				return m[1]
			}
		}
	}
	return ""
}
