package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOwnExecutor_TheDocumentedOneIsBuiltAndRunsItsConnector builds what docs/plugins.md shows, as a module of its own.
func TestOwnExecutor_TheDocumentedOneIsBuiltAndRunsItsConnector(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/plugins.md has %d programs, want a connector and a main", len(blocks))
	}
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(mod), "module github.com/sluice-project/sluice", "module example.com/acme", 1) +
		"\nrequire github.com/sluice-project/sluice v0.0.0\n\nreplace github.com/sluice-project/sluice => " + root + "\n"
	for name, text := range map[string]string{"lights/lights.go": blocks[0][1], "executor/main.go": blocks[1][1], "go.mod": own, "go.sum": string(sum)} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "own")
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", bin, "./executor")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := newCluster(t, 1, 0)
	run := exec.CommandContext(t.Context(), bin, "--sluice.control.plane", c.replicas[0].Addr(), "--bootstrap.servers", c.kafka, "--group.id", "g",
		"--offset.storage.topic", "o", "--config.storage.topic", "c", "--status.storage.topic", "s", "--offset.storage.replication.factor", "1",
		"--config.storage.replication.factor", "1", "--status.storage.replication.factor", "1", "--key.converter", "StringConverter", "--value.converter", "StringConverter",
		"--sluice.admin.listen", "127.0.0.1:0", "--plugin.path", "/no/such/folder")
	var log bytes.Buffer
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	stop := func() {
		_ = run.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
		if !strings.Contains(log.String(), "stat /no/such/folder: no such file or directory") {
			t.Errorf("plugin.path is not looked at: %s", log.String())
		}
	}
	defer stop()
	await(t, "the connector is listed", func() bool {
		_, body := c.call("GET", "/connector-plugins", nil)
		return strings.Contains(body, `"acme.Lights"`)
	})
	if code, body := c.call("POST", "/connectors", map[string]any{"name": "l", "config": map[string]string{"connector.class": "acme.Lights", "topics": "t"}}); code != 400 || !strings.Contains(body, `"lamp\"`) {
		t.Errorf("without its key: %d %s", code, body)
	}
	if code, body := c.call("POST", "/connectors", map[string]any{"name": "l", "config": map[string]string{"connector.class": "acme.Lights", "topics": "t", "lamp": "1"}}); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	await(t, "its task runs", func() bool {
		_, body := c.call("GET", "/connectors/l/status", nil)
		return strings.Contains(body, `"id":0,"state":"RUNNING"`)
	})
}
