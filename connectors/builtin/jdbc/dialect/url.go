package dialect

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Options say which database is meant.
type Options struct {
	// URL begins with jdbc:.
	URL string
	// User and Password take the place of the URL's where they are not empty.
	User, Password string
	// Properties are what else the config has below connection., parameters as those of the URL.
	Properties map[string]string
}

// Supported are the beginnings of URLs that Parse takes.
var Supported = []string{"jdbc:postgresql:", "jdbc:mysql:", "jdbc:mariadb:", "jdbc:sqlite:", "jdbc:sqlserver:"}

// Parse understands a URL, or says what of it is not supported. It connects to nothing. Errors wrap ErrURL and have no
// passwords in them.
func Parse(o Options) (*Database, error) {
	rest, ok := strings.CutPrefix(o.URL, "jdbc:")
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with jdbc: (%s would be right)", ErrURL, strings.Join(Supported, ", "))
	}
	scheme, rest, _ := strings.Cut(rest, ":")
	var parse func(rest string, p *params) (*Database, error)
	switch scheme {
	case "postgresql":
		parse = parsePostgres
	case "mysql":
		parse = parseMySQL
	case "mariadb":
		parse = parseMariaDB
	case "sqlite":
		parse = parseSQLite
	case "sqlserver":
		parse = parseSQLServer
	default:
		if !plainName(scheme) {
			scheme = "..."
		}
		return nil, fmt.Errorf("%w: jdbc:%s: is not supported (%s are)", ErrURL, scheme, strings.Join(Supported, ", "))
	}
	p := &params{values: map[string]string{}}
	for k, v := range o.Properties {
		p.set(k, v)
	}
	p.user, p.password = o.User, o.Password
	d, err := parse(rest, p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if unknown := slices.Sorted(maps.Keys(p.values)); len(unknown) > 0 {
		if slices.ContainsFunc(unknown, func(s string) bool { return !parameterName.MatchString(s) }) { // perhaps the end of a password
			return nil, fmt.Errorf("%w: a parameter has a name that none has: values with ; or & in them are to be encoded, or in braces", ErrURL)
		}
		return nil, fmt.Errorf("%w: the parameter %s of jdbc:%s: is not supported: leave it out", ErrURL, strings.Join(unknown, ", "), scheme)
	}
	for _, s := range append(p.secrets, p.password) {
		// What is as short as this is in many texts by chance, and a password of this length is none.
		if len(s) > 2 {
			d.secrets = append(d.secrets, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
	return d, nil
}

var parameterName = regexp.MustCompile(`^[a-z][a-z0-9_.]*$`)

func plainName(s string) bool {
	return len(s) < 20 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'a' || r > 'z' })
}

// params are the parameters of a URL that nobody has taken yet. Names are compared without regard to case.
type params struct {
	values         map[string]string // by the name in small letters
	user, password string
	secrets        []string
}

func (p *params) set(name, value string) {
	if _, ok := p.values[strings.ToLower(name)]; !ok { // what the config has beside the URL is first
		p.values[strings.ToLower(name)] = value
	}
}

// query adds the parameters of a query string.
func (p *params) query(text string) error {
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		if err != nil {
			return fmt.Errorf("a parameter's name is not well encoded")
		}
		// A plus is a plus: drivers decode %2B, and most passwords with a plus are written as they are.
		value, err := url.PathUnescape(v)
		if err != nil {
			value = v
		}
		p.set(name, value)
	}
	return nil
}

// take returns a parameter, once.
func (p *params) take(names ...string) (value string) {
	for _, n := range names {
		n = strings.ToLower(n)
		if v, ok := p.values[n]; ok {
			if value == "" {
				value = v
			}
			delete(p.values, n)
		}
	}
	return value
}

// ignore takes parameters that change nothing here: how the Java driver buffers, caches or logs.
func (p *params) ignore(names ...string) { p.take(names...) }

// credentials takes the user and the password; the config's own are first.
func (p *params) credentials(userNames ...string) {
	user, password := p.take(userNames...), p.take("password")
	if password != "" {
		p.secrets = append(p.secrets, password)
	}
	if p.user == "" {
		p.user = user
	}
	if p.password == "" {
		p.password = password
	}
}

// flag takes a parameter that is true or false.
func (p *params) flag(name string) (value, given bool, err error) {
	switch v := p.take(name); strings.ToLower(v) {
	case "":
		return false, false, nil
	case "true", "yes":
		return true, true, nil
	case "false", "no":
		return false, true, nil
	default:
		return false, false, fmt.Errorf("the parameter %s must be true or false", name)
	}
}

// only refuses a parameter that has another value than one of those.
func (p *params) only(name string, values ...string) error {
	v := p.take(name)
	if v == "" || slices.ContainsFunc(values, func(s string) bool { return strings.EqualFold(s, v) }) {
		return nil
	}
	return fmt.Errorf("the parameter %s is not supported with this value: only %s is", name, strings.Join(values, ", "))
}

// oneOf looks a parameter's value up.
func (p *params) oneOf(name string, table map[string]string) (string, error) {
	v := p.take(name)
	if v == "" {
		return "", nil
	}
	out, ok := table[strings.ToLower(v)]
	if !ok {
		return "", fmt.Errorf("the parameter %s is not supported with this value: %s are", name, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
	}
	return out, nil
}
