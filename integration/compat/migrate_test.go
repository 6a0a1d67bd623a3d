//go:build integration

package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/integration/harness"
)

const (
	root    = "../.."
	patient = 90 * time.Second
)

// side is a REST API: the real worker's or Sluice's.
type side struct {
	t    *testing.T
	name string
	base string
}

func (s side) call(method, path string, body any, want ...int) string {
	s.t.Helper()
	text := ""
	// A real worker answers 409 and 404 while it rebalances.
	harness.Await(s.t, fmt.Sprintf("%s: %s %s", s.name, method, path), patient, func() bool {
		code, got, err := harness.Call(method, s.base+path, body)
		text = fmt.Sprintf("%d %s %v", code, got, err)
		for _, w := range want {
			if code == w {
				text = got
				return true
			}
		}
		if err == nil && code != 409 && code != 404 && code != 500 && code != 503 {
			s.t.Fatalf("%s: %s %s: %s", s.name, method, path, text)
		}
		return false
	})
	return text
}

// is waits for the states of a connector and its tasks, `RUNNING RUNNING`.
func (s side) is(connector, states string) {
	s.t.Helper()
	last := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%s: %s is %s", s.name, connector, last)
		}
	}()
	harness.Await(s.t, fmt.Sprintf("%s: %s is %s", s.name, connector, states), patient, func() bool {
		code, text, err := harness.Call("GET", s.base+"/connectors/"+connector+"/status", nil)
		last = text
		var st harness.Status
		if err != nil || code != 200 || json.Unmarshal([]byte(text), &st) != nil {
			return false
		}
		got := []string{st.Connector.State}
		for _, task := range st.Tasks {
			got = append(got, task.State)
		}
		return strings.Join(got, " ") == states
	})
}

func (s side) create(name, initial string, config map[string]string) {
	s.t.Helper()
	body := map[string]any{"name": name, "config": config}
	if initial != "" {
		body["initial_state"] = initial
	}
	s.call("POST", "/connectors", body, 201)
}

// records reads a topic, in each partition's order.
func records(t *testing.T, kafka, topic, isolation string) []kafkaio.Record {
	t.Helper()
	out, err := readAll(t.Context(), kafka, topic, isolation)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readAll is records for who is no test.
func readAll(ctx context.Context, kafka, topic, isolation string) (out []kafkaio.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	_, err = kafkaio.ReadToEnd(ctx, kafkaio.Client{"bootstrap.servers": kafka}, topic, kafkaio.ReadOptions{Isolation: isolation, Logger: slog.New(slog.DiscardHandler)}, func(r kafkaio.Record) error {
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		r.Headers = slices.Clone(r.Headers)
		for i := range r.Headers {
			r.Headers[i].Value = bytes.Clone(r.Headers[i].Value)
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// world is one broker, a Sluice, and the file of the workers of the cluster that is taken over.
type world struct {
	t          *testing.T
	kafka      *harness.Kafka
	sluice     *harness.Cluster
	bin        string
	properties string
	base       string
}

// migrate runs `sluice migrate`.
func (w *world) migrate(args ...string) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(w.bin, "sluice"), append(args, "--server", w.sluice.Replicas[0].Ready("grpc"), "--worker-properties", w.properties)...).CombinedOutput()
	w.t.Logf("sluice %s\n%s", strings.Join(args, " "), out)
	return string(out), err
}

func write(t *testing.T, path string, from, to int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %07d\n", i)
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// distinct counts the whole lines of a file that occur at least once.
func distinct(path string) int {
	b, _ := os.ReadFile(path) // not there yet: none
	seen := map[string]bool{}
	for _, l := range strings.SplitAfter(string(b), "\n") {
		if strings.HasSuffix(l, "\n") {
			seen[l] = true
		}
	}
	return len(seen)
}

// gapless says how many numbers from 0 on the verifiable source's topic has without a gap.
func (w *world) gapless() int {
	w.t.Helper()
	seen := map[int]bool{}
	for _, r := range records(w.t, w.kafka.Addr, "numbers", "read_committed") {
		n := -1
		if _, err := fmt.Sscan(string(r.Value), &n); err != nil {
			var v struct {
				Seqno int `json:"seqno"`
			}
			if err := json.Unmarshal(r.Value, &v); err != nil {
				w.t.Fatalf("%q: %v", r.Value, err)
			}
			n = v.Seqno
		}
		seen[n] = true
	}
	n := 0
	for seen[n] {
		n++
	}
	if n < len(seen) {
		w.t.Fatalf("number %d is missing though %d came", n, len(seen))
	}
	return n
}

func TestConnect_ALifeIsTheSameInTheTopics_AndAClusterGoesThereAndBack(t *testing.T) {
	w := &world{t: t, kafka: harness.StartKafka(t, root), bin: harness.Binaries(t, root)}
	w.sluice = harness.Start(t, harness.Options{Kafka: w.kafka, Root: root, Executors: []string{"default"}}, w.bin)
	w.properties, w.base = harness.ConnectProperties(t, w.kafka, "connect-cluster", "connect-configs", "connect-offsets", "connect-status")
	t.Run("a life", w.life)
	if t.Failed() {
		return
	}
	t.Run("taken over and handed back", w.thereAndBack)
}

func (w *world) thereAndBack(t *testing.T) {
	w.t = t
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	write(t, in, 0, 20_000)
	java := harness.StartConnect(t, root, w.properties, w.base)
	real, ours := side{t, "Kafka Connect", w.base}, side{t, "Sluice", w.sluice.REST(0)}
	real.create("src", "", map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": in, "topic": "lines"}) // with a small batch.size the real source keeps the last lines of a file to itself until more come
	real.create("dst", "", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "file": out, "topics": "lines"})
	real.create("numbers", "", map[string]string{"connector.class": "VerifiableSourceConnector", "tasks.max": "1", "topic": "numbers", "throughput": "200"})
	real.create("paused", "PAUSED", map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": in, "topic": "paused"})
	real.create("stopped", "STOPPED", map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": in, "topic": "stopped"})
	harness.Await(t, "the worker is in mid-file", patient, func() bool { return distinct(out) > 1000 })
	write(t, in, 20_000, 40_000)
	java.Kill()
	before := w.gapless()
	write(t, in, 40_000, 50_000)

	// The dead worker is still a member of its group for a while.
	if text, err := w.migrate("migrate", "from-connect"); err == nil || !strings.Contains(text, "stop them first") {
		t.Error("it takes over while a worker is a member")
	}
	harness.Await(t, "the group is empty and the cluster is taken over", patient, func() bool {
		_, err := w.migrate("migrate", "from-connect")
		return err == nil
	})
	ours.is("src", "RUNNING RUNNING")
	ours.is("dst", "RUNNING RUNNING")
	ours.is("paused", "PAUSED")
	ours.is("stopped", "STOPPED")
	harness.Await(t, "every line of the file", patient, func() bool { return distinct(out) == 50_000 })
	harness.Await(t, "the numbers go on", patient, func() bool { return w.gapless() > before+200 })

	write(t, in, 50_000, 60_000)
	if text, err := w.migrate("migrate", "to-connect"); err != nil || !strings.Contains(text, "done") {
		t.Fatal(err)
	}
	before = w.gapless()
	first := times(t, out, "line 0000000\n") // more than once where the kill came before the worker's first commit
	write(t, in, 60_000, 80_000)
	java.Start()
	java.AwaitServing()
	for name, states := range map[string]string{"src": "RUNNING RUNNING", "dst": "RUNNING RUNNING", "numbers": "RUNNING RUNNING", "paused": "PAUSED", "stopped": "STOPPED"} {
		real.is(name, states)
	}
	harness.Await(t, "every line of the longer file", patient, func() bool { return distinct(out) == 80_000 })
	harness.Await(t, "the numbers go on", patient, func() bool { return w.gapless() > before+200 })
	// It went on from Sluice's offsets, of source and sink, and did not begin anew.
	if n := times(t, out, "line 0000000\n"); n != first {
		t.Errorf("the first line came %d times, and %d times before the cluster was handed back", n, first)
	}
	if n := times(t, out, "line 0059999\n"); n != 1 {
		t.Errorf("the last line before the hand-back came %d times", n)
	}
}

// times is how often a line is in a file.
func times(t *testing.T, path, line string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), line)
}
