package harness

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// flag is the last value that a process is given for a flag.
func (p *Process) flag(name string) (value string) {
	for i := 1; i < len(p.args); i++ {
		if p.args[i-1] == name {
			value = p.args[i]
		}
	}
	return value
}

// Probe asks /livez or /readyz, also of a process that has not said yet that it is ready. Code 0 where nobody answers.
func (p *Process) Probe(path string) (code int, text string) {
	code, text, err := Call("GET", "http://"+p.flag("--sluice.admin.listen")+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	return code, strings.TrimSpace(text)
}

// Becomes makes it another program from its next start on.
func (p *Process) Becomes(program string) { p.bin = program }

// Said counts the lines of all lives' logs that have all these words.
func (p *Process) Said(words ...string) (n int) {
	p.t.Helper()
	for _, path := range p.Logs() {
		b, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				n++
			}
		}
	}
	return n
}

// Endpoints are etcd's client addresses.
func (c *Cluster) Endpoints() []string { return strings.Split(c.endpoints, ",") }

// ControlPlane are the replicas' gRPC addresses.
func (c *Cluster) ControlPlane() []string { return c.grpc }

// EtcdData is the directory of a member's data.
func (c *Cluster) EtcdData(i int) string { return c.Etcd[i].flag("--data-dir") }

// AddTwin starts a second process with an executor's settings, its advertised address included.
func (c *Cluster) AddTwin(of *Process) *Process {
	c.t.Helper()
	p := c.start(of.Name+"-twin", "sluice-executor", of.args...)
	c.Executors = append(c.Executors, p)
	return p
}

// Replica builds the control plane as of another version.
func (c *Cluster) Replica(version string) string {
	c.t.Helper()
	out := filepath.Join(c.t.TempDir(), "sluice-controlplane")
	build := exec.CommandContext(c.t.Context(), "go", "build", "-ldflags", "-X github.com/sluice-project/sluice/internal/version.Version="+version, "-o", out, "./cmd/sluice-controlplane")
	build.Dir = c.o.Root
	if text, err := build.CombinedOutput(); err != nil {
		c.t.Fatalf("building: %v\n%s", err, text)
	}
	return out
}

// CLI runs the command line against one replica.
func (c *Cluster) CLI(replica int, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), filepath.Join(c.bin, "sluice"), append(args, "--server", c.grpc[replica])...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("sluice %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Answer is a whole answer of the REST API.
type Answer struct {
	Code    int
	Body    string
	Warning string
}

// Ask is Call with the Warning header.
func Ask(method, url, body string) (a Answer, err error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		return a, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := patient.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, strings.TrimSpace(string(b)), res.Header.Get("Warning")}, err
}

// patient waits as long as any answer may take.
var patient = &http.Client{Timeout: 2 * time.Minute}

// Binary is one of the programs that the cluster runs.
func (c *Cluster) Binary(name string) string { return filepath.Join(c.bin, name) }
