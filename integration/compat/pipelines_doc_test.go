//go:build integration

package compat

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is generated")

const (
	docBegin = "<!-- pipelines: go test writes them with -update -->\n"
	docEnd   = "<!-- end of pipelines -->\n"
)

// TestPipelines_AreCountedInTheDocument keeps docs/pipelines.md true: its counts and differences are made of the table.
func TestPipelines_AreCountedInTheDocument(t *testing.T) {
	path := filepath.Join(root, "docs/pipelines.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), docBegin)
	_, after, closed := strings.Cut(rest, docEnd)
	if !found || !closed {
		t.Fatalf("%s has no %q and %q", path, docBegin, docEnd)
	}
	want := before + docBegin + described(pipelines()) + docEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(b) {
		t.Errorf("%s is stale: run go test -tags integration -run AreCounted ./integration/compat -update", path)
	}
}

func TestPipelines_HaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range pipelines() {
		if seen[p.name] {
			t.Errorf("there are two rows %s", p.name)
		}
		seen[p.name] = true
	}
}

// described is the generated part of the document.
func described(rows []pipeline) string {
	counts, differs := map[string]int{}, []string{}
	for i := range rows {
		p := &rows[i]
		in := map[string]bool{"connector " + p.connector(): true}
		for of, converter := range map[string]string{"key": p.key, "value": p.value, "header": p.header} {
			if f := strings.Fields(converter); len(f) > 0 {
				in["converter "+f[0]] = true
			} else if of == "header" {
				in["converter SimpleHeaderConverter"] = true
			} else {
				in["converter StringConverter"] = true
			}
		}
		for _, s := range p.smts {
			in["transform "+strings.Fields(s)[0]] = true
		}
		for _, s := range p.predicates {
			in["predicate "+strings.Fields(s)[0]] = true
		}
		for what, is := range map[string]bool{
			"errors.tolerance=all": strings.Contains(p.errors, "tolerance=all"), "errors.tolerance=none": !strings.Contains(p.errors, "tolerance=all"),
			"a dead letter queue": strings.Contains(p.errors, "dlq"), "a dead letter queue with context headers": strings.Contains(p.errors, "dlq+"),
			"a task that ends FAILED": p.fails, "paused or stopped at the end": p.end != "", "records that have no value": slices.ContainsFunc(p.in, func(m msg) bool { return m.Value == nil }),
			"records that have headers": slices.ContainsFunc(p.in, func(m msg) bool { return m.Headers != nil }), "topic.creation": strings.Contains(p.more, "topic.creation"),
		} {
			if is {
				in["with "+what] = true
			}
		}
		for k := range in {
			counts[k]++
		}
		for k, why := range p.differs {
			differs = append(differs, fmt.Sprintf("| `%s` | %s | %s |\n", p.name, k, why))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d pipelines; %d differences in %d of them.\n\n| rows with | how many |\n| --- | --- |\n", len(rows), len(differs), different(rows))
	names := make([]string, 0, len(counts))
	for k := range counts {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		fmt.Fprintf(&b, "| %s | %d |\n", strings.TrimPrefix(k, "with "), counts[k])
	}
	b.WriteString("\n| row | differs in | why |\n| --- | --- | --- |\n")
	slices.Sort(differs)
	b.WriteString(strings.Join(differs, ""))
	return b.String()
}

func different(rows []pipeline) (n int) {
	for i := range rows {
		if len(rows[i].differs) > 0 {
			n++
		}
	}
	return n
}
