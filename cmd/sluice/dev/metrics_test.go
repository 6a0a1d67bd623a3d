package dev

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/executor"
	"github.com/sluice-project/sluice/gateway"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// descForm is prometheus.Desc's text: the only way to what it holds.
var descForm = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "(.*?)", (?:unit: ".*", )?constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

const page, marker = "../../../docs/metrics.md", "\n<!-- generated: go test ./cmd/sluice/dev -run Metrics -update -->\n"

func TestMetrics_AreDocumentedAsTheyAreRegistered(t *testing.T) {
	var out bytes.Buffer
	for _, of := range []struct {
		title   string
		metrics prometheus.Collector
	}{{"sluice-executor", &executor.Metrics{}}, {"sluice-controlplane", &controlplane.Metrics{}}, {"sluice-gateway", &gateway.Metrics{}}} {
		fmt.Fprintf(&out, "\n## %s\n\n| metric | labels | meaning |\n| --- | --- | --- |\n", of.title)
		ch := make(chan *prometheus.Desc, 1000)
		of.metrics.Describe(ch)
		close(ch)
		var rows []string
		for d := range ch {
			m := descForm.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("a metric that cannot be read: %s", d)
			}
			if m[2] == "" {
				t.Errorf("%s has no help", m[1])
			}
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", m[1], strings.ReplaceAll(m[3], ",", ", "), strings.ReplaceAll(m[2], `\"`, `"`)))
		}
		slices.Sort(rows)
		fmt.Fprintln(&out, strings.Join(slices.Compact(rows), "\n"))
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(have), marker)
	if !found {
		t.Fatalf("%s has no line %q", page, marker)
	}
	want := text + marker + out.String()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
		return
	}
	if want != string(have) {
		t.Errorf("docs/metrics.md is stale: go test ./cmd/sluice/dev -run Metrics -update")
	}
}
