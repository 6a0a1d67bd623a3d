//go:build verify

package verify

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	tree          = "../.."
	generateLimit = 5 * time.Minute
)

// TestReferences_AreNotStale has everything that `make generate` writes for readers written elsewhere, and compares.
func TestReferences_AreNotStale(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join(dir, "docs")
	run := func(stdin []byte, name string, args ...string) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), generateLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		var out, said bytes.Buffer
		cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = tree, bytes.NewReader(stdin), &out, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, said.String())
		}
		return out.Bytes()
	}
	protos := run(nil, need(t, "BUF"), "build", "proto", "-o", "-")
	run(protos, "go", "run", "./gateway/rest/gen", "--dir", dir)
	run(nil, "go", "run", "./connectors/builtin/gen", "--dir", docs)
	run(nil, "go", "run", "./cmd/internal/process/gen", "--dir", docs)
	generated := files(t, dir)
	if len(generated) < 5 {
		t.Fatalf("too little was generated: %v", generated)
	}
	for name, want := range generated {
		got, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			t.Errorf("%s: %v: run `make generate`", name, err)
			continue
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%s is stale: run `make generate`\n%s", name, d)
		}
	}
	for _, all := range []string{"docs/connectors", "docs/transforms"} { // nothing there is written by hand
		for name := range files(t, filepath.Join(tree, all)) {
			if _, ok := generated[filepath.Join(all, name)]; !ok {
				t.Errorf("%s/%s is of nothing that there is: run `make generate`", all, name)
			}
		}
	}
}

// files are the texts below a directory, by their paths in it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
