package oracle

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// least is how often each class, and each method of Values, must have been asked.
const least = 200

// Counts says how often each class was asked, and of how many vectors the answer differs, by reason. It is in a document, between
// marks; there it is compared, so that it cannot go stale, or written anew.
func Counts(t testing.TB, document string, update bool, asked, differ map[string]int) {
	t.Helper()
	var b strings.Builder
	all, other := 0, 0
	b.WriteString("| class | vectors |\n| --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if asked[name] < least {
			t.Errorf("%s was asked %d times, want at least %d", name, asked[name], least)
		}
		all += asked[name]
		fmt.Fprintf(&b, "| `%s` | %d |\n", name[strings.LastIndexByte(name[:strings.LastIndexAny(name, ".")], '.')+1:], asked[name])
	}
	fmt.Fprintf(&b, "| all %d | %d |\n", len(asked), all)
	for _, why := range slices.Sorted(maps.Keys(differ)) {
		other += differ[why]
		fmt.Fprintf(&b, "| answered otherwise: %s | %d |\n", why, differ[why])
	}
	if other == 0 {
		b.WriteString("| answered otherwise | none |\n")
	}
	const from, to = "<!-- vectors: go test writes them with -update -->\n", "<!-- end of vectors -->"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	have, after, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("%s has no part between %s and %s", document, from, to)
	}
	switch want := b.String(); {
	case have == want:
	case !update:
		t.Errorf("%s is stale: run go test -run Oracle -update in this package\ngot\n%swant\n%s", document, have, want)
	default:
		if err := os.WriteFile(document, []byte(before+from+want+to+after), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
}
