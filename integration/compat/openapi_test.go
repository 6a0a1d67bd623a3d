//go:build integration

package compat

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	schemathesisSeed  = 20261125
	schemathesisCases = 60 // per operation and phase
	schemathesisLimit = 8 * time.Minute
)

// unchecked are checks of Schemathesis that Kafka Connect's API cannot pass.
var unchecked = map[string]string{
	"unsupported_method":           "Kafka Connect's 405 has no Allow header",
	"positive_data_acceptance":     "which configs, offsets and units are right is the connectors' and the cluster's to say, not a schema's",
	"ensure_resource_availability": "Kafka Connect answers 404 to the status of a connector of which nothing has been reported yet",
}

// serverErrors are the operations whose 500 is Kafka Connect's own.
var serverErrors = map[string]string{
	"alterConnectorOffsets": "a sink's group may still have members when its connector has just been stopped",
	"resetConnectorOffsets": "a sink's group may still have members when its connector has just been stopped",
}

// rejections are the statuses that refuse a wrong request: Schemathesis' own and 412, where If-Match was looked at first.
const rejections = `[400, 403, 404, 405, 406, 409, 412, 415, "5xx"]`

// TestOpenAPI_IsTrueWhateverIsAsked has Schemathesis make requests out of /v1/openapi.json, right and wrong ones, one by one
// and in sequence: nothing is answered with a 5xx but serverErrors, nothing wrong is taken, every answer is as the
// document says.
func TestOpenAPI_IsTrueWhateverIsAsked(t *testing.T) {
	tool := os.Getenv("SCHEMATHESIS")
	if tool == "" {
		t.Fatal("SCHEMATHESIS is not set: run `make compat`, or install Schemathesis (python3 -m venv V && V/bin/pip install schemathesis==4.32.5) and set it to V/bin/schemathesis")
	}
	base := startDev(t)
	executor := strings.TrimPrefix(base, "http://")
	for _, state := range []string{"RUNNING", "PAUSED", "STOPPED"} {
		create(t, base, "source-"+state, state, map[string]string{"connector.class": "Datagen", "topic": "t", "max.records": "100", "tasks.max": "2"})
		create(t, base, "sink-"+state, state, map[string]string{"connector.class": "NullSink", "topics": "t", "tasks.max": "2"})
	}
	s := schemathesis{t: t, tool: tool, base: base}
	// Connectors stay, executors take work and the cluster is Sluice's, until the second time.
	const ends = `^/v1/hand-back$|^/v1/executors/`
	s.run("all that keeps things going", nil, "--exclude-path-regex", ends+s.streams(), "--exclude-operation-id", "deleteConnector")
	s.run("deletions, drains, handing back", []string{executor}, "--include-path-regex", `^/connectors/\{name\}$|`+ends)
	code, body, err := harness.Call(http.MethodGet, base+"/health", nil)
	if err != nil || code != http.StatusOK {
		t.Errorf("afterwards: %d %s %v", code, body, err)
	}
}

type schemathesis struct {
	t          *testing.T
	tool, base string
}

// run makes requests. executors are those that paths may name besides any that comes to mind.
func (s schemathesis) run(what string, executors []string, args ...string) {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	hooks, err := filepath.Abs("testdata/schemathesis_hooks.py")
	if err != nil {
		t.Fatal(err)
	}
	settings := "hooks = " + strconv.Quote(hooks) + `
[checks.negative_data_rejection]
expected-statuses = ` + rejections + `
[dictionaries.names]
values = ["source-RUNNING", "source-PAUSED", "source-STOPPED", "sink-RUNNING", "sink-PAUSED", "sink-STOPPED", "numbers"]
[dictionaries.plugins]
values = ["Datagen", "NullSink", "FileStreamSource", "org.apache.kafka.connect.json.JsonConverter", "org.apache.kafka.connect.transforms.Flatten$Key"]
[dictionaries.tasks]
values = [0, 1, 7]
[dictionaries.executors]
values = [` + quoted(append(executors, "nobody:1")) + `]
[parameters]
"path.name" = { dictionary = "names", probability = 0.7 }
"path.plugin" = { dictionary = "plugins", probability = 0.7 }
"path.task" = { dictionary = "tasks", probability = 0.7 }
"path.executor" = { dictionary = "executors", probability = 0.5 }
`
	for id, why := range serverErrors {
		t.Logf("may answer 500: %s: %s", id, why)
		settings += `
[[operations]]
include-operation-id = ` + strconv.Quote(id) + `
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 500]
`
	}
	file := filepath.Join(dir, "schemathesis.toml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), schemathesisLimit)
	defer cancel()
	args = append([]string{"--config-file", file, "run", s.base + "/v1/openapi.json", "--no-color", "--seed", strconv.Itoa(schemathesisSeed),
		"--max-examples", strconv.Itoa(schemathesisCases), "--continue-on-failure", "--request-timeout", "100", "--generation-database", "none", "--suppress-health-check", "filter_too_much"}, args...)
	for check, why := range unchecked {
		t.Logf("not checked: %s: %s", check, why)
		args = append(args, "--exclude-checks", check)
	}
	t.Logf("%s: seed %d: %s %s", what, schemathesisSeed, s.tool, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, s.tool, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func quoted(all []string) string {
	out := make([]string, 0, len(all))
	for _, s := range all {
		out = append(out, strconv.Quote(s))
	}
	return strings.Join(out, ", ")
}

// streams are the paths whose answers do not end, as more alternatives of a pattern.
func (s schemathesis) streams() string {
	code, body, err := harness.Call(http.MethodGet, s.base+"/v1/openapi.json", nil)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("GET /v1/openapi.json: %d %v", code, err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		s.t.Fatal(err)
	}
	out := ""
	for path, item := range document.Paths {
		for _, op := range item {
			if _, ok := op.Responses["200"].Content["text/event-stream"]; ok {
				out += "|^" + regexp.QuoteMeta(path) + "$"
			}
		}
	}
	return out
}

func create(t *testing.T, base, name, state string, config map[string]string) {
	t.Helper()
	harness.Await(t, "connector "+name, time.Minute, func() bool { // until an executor is there
		code, body, err := harness.Call(http.MethodPost, base+"/connectors", map[string]any{"name": name, "initial_state": state, "config": config})
		if err == nil && code != http.StatusCreated && code != http.StatusServiceUnavailable {
			t.Fatalf("%s: %d %s", name, code, body)
		}
		return err == nil && code == http.StatusCreated
	})
}

// startDev starts `sluice dev`, and returns where it serves REST.
func startDev(t *testing.T) string {
	t.Helper()
	dev := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(harness.Binaries(t, root), "sluice"), "dev", "--data-dir", t.TempDir(),
		"--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--log-level", "error", "--offset.flush.interval.ms", "1000")
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	dev.Stderr = &said
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dev.Process.Signal(syscall.SIGTERM) // one that has ended needs none
		_ = dev.Wait()                          // whatever became of it
		if strings.Contains(said.String(), "panic") {
			t.Errorf("sluice dev panicked:\n%s", said.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for _, f := range strings.Fields(lines.Text()) {
			if v, ok := strings.CutPrefix(f, "rest="); ok && strings.HasPrefix(lines.Text(), "ready ") {
				go func() { // ends with the process
					for lines.Scan() {
					}
				}()
				return v
			}
		}
	}
	_ = dev.Wait() // then all is said
	t.Fatalf("sluice dev has ended before it was ready:\n%s", said.String())
	return ""
}
