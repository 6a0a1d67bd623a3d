package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// binary builds bin/sluice once for all tests of the package.
func binary(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "sluice")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "./cmd/sluice")
	cmd.Dir = "../.."
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

// process is a running `sluice dev` or `sluice standalone`.
type process struct {
	cmd  *exec.Cmd
	rest string
	grpc string
}

// start runs a command of sluice and waits for its ready line.
func start(t *testing.T, bin string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), bin, args...)}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 4 && f[0] == "ready" {
			p.rest, p.grpc = strings.TrimPrefix(f[1], "rest="), strings.TrimPrefix(f[2], "grpc=")
			return p
		}
	}
	t.Fatalf("sluice %v ended without a ready line", args)
	return nil
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait() // killed: that is what it says
	}
}

func (p *process) post(t *testing.T, name string, conf map[string]string) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"name": name, "config": conf})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(p.rest+"/connectors", "application/json", strings.NewReader(string(b))) //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != 201 {
		t.Fatalf("creating %s: %s", name, res.Status)
	}
}

func TestDev_KilledInTheMiddleAndStartedAgainOnItsDataEndsTheFile(t *testing.T) {
	bin := binary(t)
	data := t.TempDir()
	const n = 50_000
	in, out := text(t, n), filepath.Join(t.TempDir(), "out.txt")
	args := []string{"dev", "--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--data-dir", data, "--log-level", "error",
		"--offset.flush.interval.ms", "200"}
	p := start(t, bin, args...)
	p.post(t, "src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1", "batch.size": "100"})
	p.post(t, "dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "200", "consumer.override.max.poll.records": "50"})
	await(t, "lines in the copy", func() bool { return len(lines(out)) > 100 })
	p.kill()
	before := len(lines(out))
	if before >= n {
		t.Fatalf("all %d lines were through before the kill", n)
	}
	t.Logf("killed with %d of %d lines in the copy", before, n)
	start(t, bin, args...)
	want := lines(in)
	missing := func() (n int) {
		have := lines(out)
		for l := range want {
			if have[l] == 0 {
				n++
			}
		}
		return n
	}
	await(t, "every line", func() bool { return missing() == 0 })
}
