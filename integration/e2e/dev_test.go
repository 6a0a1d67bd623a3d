package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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
	in, out := text(t, 1000), filepath.Join(t.TempDir(), "out.txt")
	args := []string{"dev", "--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--data-dir", data, "--log-level", "error",
		"--offset.flush.interval.ms", "200"}
	p := start(t, bin, args...)
	p.post(t, "src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1", "batch.size": "100"})
	p.post(t, "dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "200", "consumer.override.max.poll.records": "50"})
	// The file grows until the kill, so that it comes while lines are on their way.
	stop := grow(t, in)
	await(t, "lines in the copy", func() bool { return len(lines(out)) > 2000 })
	p.kill()
	stop()
	want := lines(in)
	t.Logf("killed with %d of %d lines in the copy", len(lines(out)), len(want))
	start(t, bin, args...)
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

// grow appends lines to a file, some at a time, until stop.
func grow(t *testing.T, path string) (stop func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n += 20 {
			for i := range 20 {
				if _, err := fmt.Fprintf(f, "more %07d\n", n+i); err != nil {
					done <- err
					return
				}
			}
			<-tick.C
		}
		done <- f.Close()
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestStandalone_RunsConnectorFilesAndGoesOnAtItsOffsetFile(t *testing.T) {
	bin := binary(t)
	c := newCluster(t, 0, 0)
	dir := t.TempDir()
	in, out := text(t, 1000), filepath.Join(dir, "out.txt")
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	worker := write("worker.properties", "bootstrap.servers="+c.kafka+"\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n"+
		"value.converter=org.apache.kafka.connect.storage.StringConverter\noffset.storage.file.filename="+filepath.Join(dir, "connect.offsets")+"\noffset.flush.interval.ms=200\n")
	src := write("src.properties", "name=src\nconnector.class=FileStreamSource\ntasks.max=1\nfile="+in+"\ntopic=lines\n")
	dst := write("dst.json", `{"name":"dst","config":{"connector.class":"FileStreamSink","topics":"lines","tasks.max":"1","consumer.override.metadata.max.age.ms":"200","file":"`+out+`"}}`)
	args := []string{"standalone", worker, src, dst, "--rest-listen", "127.0.0.1:0", "--log-level", "error"}
	p := start(t, bin, args...)
	await(t, "all lines", func() bool { return len(lines(out)) == 1000 })
	await(t, "offsets in the file", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "connect.offsets"))
		return err == nil && strings.Contains(string(b), "position")
	})
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	f, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("one more\n"); err != nil {
		t.Fatal(err)
	}
	c.check(f.Close())
	start(t, bin, args...)
	await(t, "the line after the restart", func() bool { return lines(out)["one more\n"] == 1 })
	for l, n := range lines(out) {
		if n != 1 {
			t.Fatalf("line %q came %d times: the source did not go on at its offset", l, n)
		}
	}
}
