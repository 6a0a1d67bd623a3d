package configdef

import (
	"fmt"
	"strings"
)

// Table is the reference of keys as Markdown. prefix stands before each where they are used.
func Table(keys []Key, prefix string) string {
	if len(keys) == 0 {
		return "It has no keys of its own.\n"
	}
	var b strings.Builder
	b.WriteString("| key | type | default | valid values | importance | description |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", prefix+k.Name, strings.ToLower(string(k.Type)), defaultOf(k), validOf(k), strings.ToLower(string(k.Importance)), Cell(k.Doc))
	}
	return b.String()
}

func defaultOf(k Key) string {
	switch {
	case k.Default != nil && *k.Default == "":
		return "empty"
	case k.Default != nil:
		return "`" + Cell(*k.Default) + "`"
	case k.Required:
		return "**required**"
	default:
		return "null"
	}
}

func validOf(k Key) string {
	if k.Validator == nil {
		return ""
	}
	return Cell(k.Validator.String())
}

// Cell makes a text fit a cell of a table in Markdown.
func Cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
