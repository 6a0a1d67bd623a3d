package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors/builtin/all"
)

const committed = "../../../docs"

func TestReference_IsNotStale(t *testing.T) {
	connectors, err := pages(all.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]map[string]string{"connectors": connectors, "transforms": chainPages()} {
		compare(t, dir, want)
	}
}

func compare(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	files, err := filepath.Glob(filepath.Join(committed, dir, "*.md"))
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
		t.Errorf("docs/%s is stale: run `go run ./connectors/builtin/gen`\n%s", dir, d)
	}
}

func TestGenerate_RemovesPagesOfPluginsThatAreGone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "connectors"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "connectors", "gone.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "connectors", "gone.md")); !os.IsNotExist(err) {
		t.Errorf("gone.md: %v", err)
	}
}
