//go:build verify

package verify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/internal/clock"
)

// runTimeout bounds all that the processes of one test are asked.
const runTimeout = 3 * time.Minute

// process is a real one, started as a container would be.
type process struct {
	t     *testing.T
	name  string
	grace time.Duration
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  []string
}

// launch starts the binary of a Deployment with its arguments, its variables and its file. Flags come last and win:
// the ports and addresses of this machine.
func launch(t *testing.T, ctx context.Context, all binaries, r rendering, d deployment, flags ...string) *process {
	t.Helper()
	p := d.Spec.Template.Spec
	c := p.Containers[0]
	s, faults := all.read(c, func(file string) (string, bool) { return r.file(p, file) })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	file := filepath.Join(t.TempDir(), "worker.properties")
	if err := os.WriteFile(file, []byte(s.words), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment()
	for _, e := range c.Env {
		if e.From == nil {
			env = append(env, e.Name+"="+strings.ReplaceAll(e.Value, "$(POD_IP)", "127.0.0.1"))
		}
	}
	var args []string
	for _, a := range c.Args {
		args = append(args, strings.Replace(a, s.configPath, file, 1))
	}
	run := &process{t: t, name: d.Metadata.Name, grace: time.Duration(p.TerminationGracePeriodSeconds) * time.Second,
		cmd: exec.CommandContext(ctx, s.binary.path, append(args, flags...)...)}
	run.cmd.Env = env
	out, err := run.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.cmd.Stderr = run.cmd.Stdout
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run.lines = bufio.NewScanner(out)
	return run
}

// await reads what the process says up to a line with these words.
func (p *process) await(words string) string {
	p.t.Helper()
	for p.lines.Scan() {
		line := p.lines.Text()
		p.said = append(p.said, line)
		if strings.Contains(line, words) {
			return line
		}
	}
	p.t.Fatalf("%s ended before it said %q:\n%s", p.name, words, strings.Join(p.said, "\n"))
	return ""
}

// stop ends it as Kubernetes does, and wants it to end within its grace and well, and to
// have ignored no key.
func (p *process) stop() {
	p.t.Helper()
	begun := clock.Real().Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	for p.lines.Scan() {
		p.said = append(p.said, p.lines.Text())
	}
	err, took := p.cmd.Wait(), clock.Real().Now().Sub(begun)
	said := strings.Join(p.said, "\n")
	if err != nil {
		p.t.Errorf("%s after SIGTERM: %v\n%s", p.name, err, said)
	}
	if took >= p.grace {
		p.t.Errorf("%s took %s to end: Kubernetes kills it after %s\n%s", p.name, took, p.grace, said)
	}
	if strings.Contains(said, "ignored: ") {
		p.t.Errorf("%s ignores keys:\n%s", p.name, said)
	}
}

// field is a value of a line like `ready grpc=… admin=…`.
func field(line, name string) string {
	for f := range strings.FieldsSeq(line) {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			return v
		}
	}
	return ""
}

func get(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// awaitStatus asks until the answer has this status and these words.
func (p *process) awaitStatus(ctx context.Context, url string, status int, words string) {
	p.t.Helper()
	for {
		got, body, err := get(ctx, url)
		if err == nil && got == status && strings.Contains(body, words) {
			return
		}
		select {
		case <-clock.Real().After(100 * time.Millisecond):
		case <-ctx.Done():
			p.t.Fatalf("%s: GET %s: %d %s (%v), not %d with %q", p.name, url, got, body, err, status, words)
		}
	}
}

// probes asks the process what its probes and its annotation name.
func (p *process) probes(ctx context.Context, d deployment, admin string) {
	p.t.Helper()
	c := d.Spec.Template.Spec.Containers[0]
	for _, pr := range []*probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		p.awaitStatus(ctx, "http://"+admin+pr.HTTPGet.Path, http.StatusOK, "ok")
	}
	p.awaitStatus(ctx, "http://"+admin+d.Spec.Template.Metadata.Annotations["prometheus.io/path"], http.StatusOK, "sluice_build_info")
}

// free is an address that was free a moment ago, for a process that is to be told where it listens.
func free(t *testing.T, ctx context.Context) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func rendered(t *testing.T, dir string) (rendering, map[string]deployment) {
	t.Helper()
	r, err := parse(render(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]deployment{}
	for _, d := range r.deployments {
		by[d.Metadata.Name] = d
	}
	return r, by
}

func TestTheSmallInstallationRunsAsItsManifestsSay(t *testing.T) {
	all := askAll(t)
	r, by := rendered(t, "../k8s/overlays/small")
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()

	d := by[controlName]
	grpc := free(t, ctx)
	control := launch(t, ctx, all, r, d, "--sluice.grpc.listen="+grpc, "--sluice.grpc.advertise="+grpc, "--sluice.admin.listen=127.0.0.1:0", "--sluice.data.dir="+t.TempDir())
	ready := control.await("ready grpc=")
	to := "--sluice.control.plane=" + field(ready, "grpc")
	control.probes(ctx, d, field(ready, "admin"))

	d = by[gatewayName]
	gateway := launch(t, ctx, all, r, d, "--listeners=http://127.0.0.1:0", "--sluice.admin.listen=127.0.0.1:0", to)
	ready = gateway.await("ready rest=")
	gateway.probes(ctx, d, field(ready, "admin"))
	gateway.awaitStatus(ctx, field(ready, "rest")+"/connectors", http.StatusOK, "[]")

	d = by["sluice-executor-default"]
	kafka, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	bootstrap := "--bootstrap.servers=" + strings.Join(kafka.ListenAddrs(), ",")
	executor := launch(t, ctx, all, r, d, "--sluice.admin.listen=127.0.0.1:0", bootstrap, to)
	ready = executor.await("ready executor=")
	if want := fmt.Sprintf("127.0.0.1:%d", d.Spec.Template.Spec.Containers[0].port("admin")); field(ready, "executor") != want {
		t.Errorf("the executor calls itself %s, not %s", field(ready, "executor"), want)
	}
	executor.probes(ctx, d, field(ready, "admin"))

	// A second one, as a rollout starts: the first gives its units to it.
	second := launch(t, ctx, all, r, d, "--sluice.admin.listen=127.0.0.1:0", "--sluice.advertise=127.0.0.1:1", bootstrap, to)
	second.probes(ctx, d, field(second.await("ready executor="), "admin"))

	executor.stop()
	// Nobody is left to take the last one's units: it holds them until it gives up, and says so.
	second.stop()
	gateway.stop()
	control.stop()
}

func TestAReplicaOfTheBaseIsLiveButNotReadyUntilEtcdAnswers(t *testing.T) {
	all := askAll(t)
	r, by := rendered(t, "../k8s/base")
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	d := by[controlName]
	// It says which port it took only once it is ready, which it will not be: so it is given one that was just free.
	admin := free(t, ctx)
	p := launch(t, ctx, all, r, d, "--sluice.grpc.listen=127.0.0.1:0", "--sluice.admin.listen="+admin, "--sluice.etcd.endpoints=http://127.0.0.1:1")
	p.await("etcd does not answer yet")
	p.awaitStatus(ctx, "http://"+admin+"/livez", http.StatusOK, "ok")
	p.awaitStatus(ctx, "http://"+admin+"/readyz", http.StatusServiceUnavailable, "not read the store")
	p.stop()
}
