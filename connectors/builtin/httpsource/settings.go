package httpsource

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// settings are a parsed config.
type settings struct {
	configdef.Values
	url, headers, params, body template
	initial                    offset
	list, record               pointer
	keys                       []pointer // the deprecated key's parts
	timestamp                  *pointer  // the deprecated timestamp
	offsets, cursors           map[string]pointer
	next                       *pointer
	process, skip              codes
	parseTime                  timeParser
	schedule                   cron.Schedule // nil: intervals
	zone                       *time.Location
	// byKey says that the request names more of the offset than its timestamp, so that the API is what begins behind it.
	byKey bool
}

// parse is the config of a task.
func parse(config map[string]string, now time.Time) (*settings, error) {
	v, err := def().Parse(config)
	if err != nil {
		return nil, configError(fmt.Errorf("%w: %w", ErrConfig, err))
	}
	var faults []error
	s := newSettings(v, now, func(_, message string) { faults = append(faults, errors.New(message)) })
	if err := errors.Join(faults...); err != nil {
		return nil, configError(fmt.Errorf("%w: %w", ErrConfig, err))
	}
	return s, nil
}

// newSettings reads what the definition cannot, and says what is wrong with it. Keys of which the definition has said that they
// are wrong are empty here.
func newSettings(v configdef.Values, now time.Time, fail func(key, message string)) *settings {
	s := &settings{Values: v}
	invalid := func(key string, err error) {
		if err != nil {
			fail(key, configdef.Invalid(key, v.String(key), err.Error()).Error())
		}
	}
	var err error
	for key, t := range map[string]*template{urlKey: &s.url, headersKey: &s.headers, paramsKey: &s.params, bodyKey: &s.body} {
		if *t, err = parseTemplate(v.String(key), v.String(templateKey), now); err != nil {
			fail(key, fmt.Sprintf("Invalid value for configuration %s: %s", key, err)) // the value may have secrets
		}
	}
	s.initial, err = initial(v.String(initialKey))
	invalid(initialKey, err)
	if _, _, err := s.initial.time(); err != nil {
		invalid(initialKey, err)
	}
	for key, p := range map[string]*pointer{listKey: &s.list, recordKey: &s.record} {
		*p, _ = compile(v.String(key)) // its validator has said what is wrong
	}
	for _, text := range v.List(keyPointerKey) {
		p, err := compile(text)
		invalid(keyPointerKey, err)
		s.keys = append(s.keys, p)
	}
	for key, p := range map[string]**pointer{timePointerKey: &s.timestamp, nextKey: &s.next} {
		if v.Has(key) {
			compiled, _ := compile(v.String(key))
			*p = &compiled
		}
	}
	s.offsets, err = names(v.String(offsetKey))
	invalid(offsetKey, err)
	s.cursors, err = names(v.String(cursorKey))
	invalid(cursorKey, err)
	for name := range s.cursors {
		if _, twice := s.offsets[name]; twice || name == keyName || name == timestampName {
			fail(cursorKey, fmt.Sprintf("%s has %s, which is the record's: another name would be right", cursorKey, name))
		}
	}
	s.process, _ = parseCodes(v.String(processKey))
	s.skip, _ = parseCodes(v.String(skipKey))
	if v.String(parserKey) == recordParser {
		s.process, s.skip = codes{{0, 999}}, nil
	}
	s.parseTime = newTimeParser(v, timeParserKey, fail)
	s.checkTemplates(fail)
	s.checkRequest(fail)
	s.checkPages(fail)
	s.checkAuth(fail)
	s.checkSchedule(now, fail)
	return s
}

// names are the names that an offset of this config has.
func (s *settings) names() []string {
	out := []string{keyName}
	if s.timestamp != nil {
		out = append(out, timestampName)
	}
	for name := range s.offsets {
		out = append(out, name)
	}
	for name := range s.cursors {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *settings) templates() map[string]template {
	return map[string]template{urlKey: s.url, headersKey: s.headers, paramsKey: s.params, bodyKey: s.body}
}

// checkTemplates says which names templates have that no record's offset has: the second request would fail.
func (s *settings) checkTemplates(fail func(key, message string)) {
	have := s.names()
	for key, t := range s.templates() {
		for _, name := range t.names() {
			if name != timestampName {
				s.byKey = true
			}
			if !slices.Contains(have, name) {
				fail(key, fmt.Sprintf("%s refers to ${offset.%s}, and the offsets of records have only %s: %s=%s=/pointer would be right", key, name, strings.Join(have, ", "), offsetKey, name))
			}
		}
	}
	if len(s.cursors) == 0 {
		return
	}
	for name := range s.cursors {
		if !slices.ContainsFunc([]template{s.url, s.headers, s.params, s.body}, func(t template) bool { return slices.Contains(t.names(), name) }) {
			fail(cursorKey, fmt.Sprintf("%s has %s, and no part of the request has ${offset.%s}", cursorKey, name, name))
		}
	}
}

// begins says whether requests can be made of an offset.
func (s *settings) begins(o offset) error {
	for key, t := range s.templates() {
		for _, name := range t.names() {
			if _, ok := o[name]; !ok {
				return configError(fmt.Errorf("%w: %s refers to ${offset.%s}, and there is no %s to begin with: %s=%s=value would be right", ErrConfig, key, name, name, initialKey, name))
			}
		}
	}
	return nil
}

func (s *settings) checkRequest(fail func(key, message string)) {
	if u, err := url.Parse(s.String(urlKey)); len(s.url.names()) == 0 && s.String(urlKey) != "" && (err != nil || !isHTTP(u)) {
		fail(urlKey, fmt.Sprintf("Invalid value for configuration %s: it is no URL of http or https with a host", urlKey))
	} else if err == nil && u.User != nil {
		fail(urlKey, fmt.Sprintf("Invalid value for configuration %s: user and password are given by %s and %s", urlKey, authUserKey, authPasswordKey))
	}
	// A template is tried with nothing in it where it can be.
	for key, read := range map[string]func(string) ([]pair, error){headersKey: headers, paramsKey: func(t string) ([]pair, error) { return pairs(t, "&", "=") }} {
		t := s.templates()[key]
		var literal strings.Builder
		for _, p := range t.parts {
			literal.WriteString(p.text)
			if p.name != "" {
				literal.WriteString("0")
			}
		}
		if _, err := read(literal.String()); err != nil {
			fail(key, fmt.Sprintf("Invalid value for configuration %s: %s", key, err))
		}
	}
	if s.String(methodKey) == http.MethodGet && s.String(bodyKey) != "" {
		fail(bodyKey, fmt.Sprintf("%s cannot be with %s=GET: a body goes with POST, PUT or PATCH", bodyKey, methodKey))
	}
	topic := s.String(topicKey)
	if len(topic) > 249 || topic == "." || topic == ".." || strings.ContainsFunc(topic, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		fail(topicKey, configdef.Invalid(topicKey, topic, "no topic can be called so: up to 249 letters, digits, '.', '_' and '-' are right").Error())
	}
}

func isHTTP(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func (s *settings) checkPages(fail func(key, message string)) {
	mode := s.String(pagesKey)
	switch {
	case mode == tokenPages && s.next == nil:
		fail(nextKey, fmt.Sprintf("%s=%s needs %s, which points to the token", pagesKey, mode, nextKey))
	case s.next != nil && mode != tokenPages && mode != linkPages:
		fail(nextKey, fmt.Sprintf("%s goes with %s=%s or %s, not with %s", nextKey, pagesKey, linkPages, tokenPages, mode))
	}
	if mode == "" || mode == noPages {
		return
	}
	if upper(s.Values, orderKey) == descending {
		fail(orderKey, fmt.Sprintf("%s=%s cannot be with %s=%s: the newest record's offset would be committed before older pages were read. Ask the API for ascending order", orderKey, descending, pagesKey, mode))
	}
	if s.Bool(conditionalKey) {
		fail(conditionalKey, fmt.Sprintf("%s cannot be with %s=%s: that a first page has not changed says nothing of the others", conditionalKey, pagesKey, mode))
	}
	if len(s.cursors) > 0 {
		fail(cursorKey, fmt.Sprintf("%s cannot be with %s=%s: either the offset has the cursor or the listing has pages", cursorKey, pagesKey, mode))
	}
	if mode == offsetPages && s.String(offsetParamKey) == "" {
		fail(offsetParamKey, fmt.Sprintf("%s must be given with %s=%s", offsetParamKey, pagesKey, mode))
	}
	if mode == tokenPages && s.String(tokenParamKey) == "" {
		fail(tokenParamKey, fmt.Sprintf("%s must be given with %s=%s", tokenParamKey, pagesKey, mode))
	}
}

// auth is how requests are authenticated.
func (s *settings) auth() string {
	switch s.String(authKey) {
	case noAuth:
		return authNone
	case basicAuth:
		return authBasic
	}
	return upper(s.Values, authTypeKey)
}

func (s *settings) checkAuth(fail func(key, message string)) {
	need := func(keys ...string) {
		for _, key := range keys {
			if s.Password(key) == "" {
				fail(key, fmt.Sprintf("%s must be given with %s=%s", key, authTypeKey, s.auth()))
			}
		}
	}
	switch s.auth() {
	case authBearer:
		need(bearerKey)
	case authOAuth2:
		need(tokenURLKey, clientIDKey, clientSecretKey)
		if u, err := url.Parse(s.String(tokenURLKey)); s.String(tokenURLKey) != "" && (err != nil || !isHTTP(u)) {
			fail(tokenURLKey, configdef.Invalid(tokenURLKey, s.String(tokenURLKey), "a URL of http or https with a host is needed").Error())
		}
		if _, err := pairs(s.String(oauthParamsKey), "&", "="); err != nil {
			fail(oauthParamsKey, configdef.Invalid(oauthParamsKey, s.String(oauthParamsKey), err.Error()).Error())
		}
	}
	if _, err := newTLS(s.Values); err != nil {
		key := keystoreKey
		if s.String(truststoreKey) != "" && strings.HasPrefix(err.Error(), truststoreKey) {
			key = truststoreKey
		}
		fail(key, fmt.Sprintf("Invalid value %s for configuration %s: %s", s.String(key), key, err))
	}
}

func (s *settings) checkSchedule(now time.Time, fail func(key, message string)) {
	text := s.String(cronKey)
	if text == "" {
		return
	}
	for _, key := range []string{intervalKey, catchUpKey, oldIntervalKey, oldCatchUpKey} {
		if k, _ := def().Key(key); s.String(key) != "" && s.String(key) != *k.Default {
			fail(cronKey, fmt.Sprintf("%s and %s are exclusive: leave one out", cronKey, key))
		}
	}
	var err error
	if s.zone, err = time.LoadLocation(s.String(cronZoneKey)); err != nil || s.String(cronZoneKey) == "Local" {
		fail(cronZoneKey, configdef.Invalid(cronZoneKey, s.String(cronZoneKey), "no zone is called so: UTC or Europe/Berlin would be right").Error())
		return
	}
	if strings.Contains(text, "TZ=") {
		fail(cronKey, fmt.Sprintf("%s has a time zone: %s is where it goes", cronKey, cronZoneKey))
		return
	}
	if s.schedule, err = cron.ParseStandard(text); err != nil {
		fail(cronKey, configdef.Invalid(cronKey, text, err.Error()).Error())
		return
	}
	if s.schedule.Next(now.In(s.zone)).IsZero() {
		fail(cronKey, configdef.Invalid(cronKey, text, "there is no such day in the next five years").Error())
	}
}

// interval is a pause between listings: castorm's older key counts where the newer one has its default.
func (s *settings) interval(key, old string, byDefault int64) time.Duration {
	if s.Long(key) == byDefault {
		key = old
	}
	return milliseconds(s.Values, key)
}
