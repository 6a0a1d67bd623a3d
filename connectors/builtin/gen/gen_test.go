package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors/builtin/all"
)

const committed = "../../../docs/connectors"

func TestReference_IsNotStale(t *testing.T) {
	want, err := pages(all.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	files, err := filepath.Glob(filepath.Join(committed, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(f)] = string(b)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("docs/connectors is stale: run `go run ./connectors/builtin/gen`\n%s", d)
	}
}

func TestGenerate_RemovesPagesOfPluginsThatAreGone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gone.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "gone.md")); !os.IsNotExist(err) {
		t.Errorf("gone.md: %v", err)
	}
}
