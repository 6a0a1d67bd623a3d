package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/javaregex"
)

var regexes = configdef.Func("a list of regular expressions", func(name string, value *string) error {
	for _, r := range configdef.SplitList(*value) {
		if _, err := javaregex.Compile(r); err != nil {
			return configdef.Invalid(name, configdef.Shown(value), "Must be a valid comma-separated list of regular expression patterns: "+err.Error())
		}
	}
	return nil
})

// mapping checks regex:column, or regex:[column|column].
func mapping(several bool) configdef.Validator {
	describe := "a list of regex:column"
	if several {
		describe = "a list of regex:[column|column]"
	}
	return configdef.Func(describe, func(name string, value *string) error {
		if _, err := parseMapping(*value, several); err != nil {
			return configdef.Invalid(name, configdef.Shown(value), err.Error())
		}
		return nil
	})
}

type mapped struct {
	tables  *javaregex.Regex
	columns []string
}

func parseMapping(value string, several bool) (out []mapped, err error) {
	for _, entry := range configdef.SplitList(value) {
		parts := strings.Split(entry, ":")
		if len(parts) != 2 {
			return nil, fmt.Errorf("Invalid format. Expected a %q", "regex:"+map[bool]string{true: "[col1|col2|...]", false: "columnName"}[several])
		}
		var m mapped
		if m.tables, err = javaregex.Compile(strings.TrimSpace(parts[0])); err != nil {
			return nil, fmt.Errorf("Invalid regular expression: %w", err)
		}
		columns := strings.TrimSpace(parts[1])
		if several {
			if !strings.HasPrefix(columns, "[") || !strings.HasSuffix(columns, "]") || len(columns) < 2 {
				return nil, fmt.Errorf("Columns list must be enclosed in square brackets")
			}
			columns = columns[1 : len(columns)-1]
			m.columns = strings.Split(columns, "|")
		} else {
			m.columns = []string{columns}
		}
		for i := range m.columns {
			if m.columns[i] = strings.TrimSpace(m.columns[i]); m.columns[i] == "" {
				return nil, fmt.Errorf("Every column name should be non-empty string")
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// columnsOf are the columns that a mapping has for a table: of just one entry.
func columnsOf(mapping []mapped, key string, t dialect.Table) ([]string, error) {
	var found [][]string
	for _, m := range mapping {
		if m.tables.Matches(t.String()) {
			found = append(found, m.columns)
		}
	}
	if len(found) != 1 {
		return nil, configError(fmt.Errorf("%w: the table %s matches %d entries of %s: one would be right", ErrColumn, t, len(found), key))
	}
	return found[0], nil
}

// filter chooses among the tables of a database.
func (s settings) filter(all []dialect.Table) ([]dialect.Table, error) {
	include, err := compile(s.List(includeKey))
	if err != nil {
		return nil, err
	}
	exclude, err := compile(s.List(excludeKey))
	if err != nil {
		return nil, err
	}
	white, black := s.List(whitelistKey), s.List(blacklistKey)
	var out []dialect.Table
	for _, t := range all {
		listed := func(list []string) bool {
			return slices.ContainsFunc(list, func(n string) bool { return n == t.Name || n == t.String() || n == t.Quoted(s.db.Quote) })
		}
		matches := func(list []*javaregex.Regex) bool {
			return slices.ContainsFunc(list, func(r *javaregex.Regex) bool { return r.Matches(t.String()) })
		}
		switch {
		case s.Has(catalogKey) && t.Catalog != s.String(catalogKey) && s.db.Name() != dialect.Postgres,
			s.Has(schemaKey) && !like(s.String(schemaKey), t.Schema),
			len(white) > 0 && !listed(white), listed(black), len(include) > 0 && !matches(include), matches(exclude):
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

func compile(list []string) (out []*javaregex.Regex, err error) {
	for _, r := range list {
		c, err := javaregex.Compile(r)
		if err != nil {
			return nil, configError(err)
		}
		out = append(out, c)
	}
	return out, nil
}

// like matches JDBC's patterns: % is any text, _ any character.
func like(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	switch pattern[0] {
	case '%':
		for i := 0; i <= len(s); i++ {
			if likeRest(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	case '_':
		return s != "" && likeRest(pattern[1:], s[1:])
	}
	return s != "" && pattern[0] == s[0] && likeRest(pattern[1:], s[1:])
}

func likeRest(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	return like(pattern, s)
}
