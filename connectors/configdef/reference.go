package configdef

import (
	"fmt"
	"strings"
)

// Reference is the definition as Markdown, one section a key.
func Reference(d *Def) string {
	var b strings.Builder
	for _, k := range d.Keys() {
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n", k.Name, strings.TrimSpace(k.Doc))
		fmt.Fprintf(&b, "- Type: %s\n", strings.ToLower(string(k.Type)))
		switch {
		case k.Default != nil && *k.Default != "":
			fmt.Fprintf(&b, "- Default: `%s`\n", *k.Default)
		case k.Required:
			b.WriteString("- Required\n")
		default:
			b.WriteString("- Default: none\n")
		}
		if k.Validator != nil && k.Validator.String() != "" {
			fmt.Fprintf(&b, "- Valid values: %s\n", k.Validator)
		}
		fmt.Fprintf(&b, "- Importance: %s\n\n", strings.ToLower(string(k.Importance)))
	}
	return b.String()
}
