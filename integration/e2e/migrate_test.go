package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-project/sluice/cmd/sluice/migrate"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
)

// connect is a Kafka Connect cluster, as far as its topics go.
type connect struct {
	*cluster
	properties string
	configs    string
	offsets    string
}

func (c *cluster) connect(group, configs, offsets, statuses string) *connect {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "worker.properties")
	plugins := filepath.Join(c.t.TempDir(), "META-INF/services")
	if err := errors.Join(os.MkdirAll(plugins, 0o750), os.WriteFile(filepath.Join(plugins, "org.apache.kafka.connect.sink.SinkConnector"),
		[]byte("io.acme.LightsSink\norg.apache.kafka.connect.file.FileStreamSinkConnector\n"), 0o600)); err != nil {
		c.t.Fatal(err)
	}
	text := fmt.Sprintf("bootstrap.servers=%s\ngroup.id=%s\nconfig.storage.topic=%s\noffset.storage.topic=%s\nstatus.storage.topic=%s\n"+
		"key.converter=org.apache.kafka.connect.storage.StringConverter\nvalue.converter=org.apache.kafka.connect.storage.StringConverter\nlisteners=http://:8083\nplugin.path=%s\n",
		c.kafka, group, configs, offsets, statuses, filepath.Dir(filepath.Dir(plugins)))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return &connect{c, path, configs, offsets}
}

func (c *connect) put(topic, key string, value []byte) {
	c.t.Helper()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": c.kafka}, Logger: quiet()})
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	if err := p.Deliver(limited(c.t), []kafkaio.Message{{Topic: topic, Partition: -1, Key: []byte(key), Value: value, Timestamp: -1}}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *connect) has(name, target string, kv ...string) {
	c.t.Helper()
	props := []topics.Property{}
	for i := 0; i < len(kv); i += 2 {
		props = append(props, topics.Property{Key: kv[i], Value: &kv[i+1]})
	}
	name = strings.TrimSpace(name)
	if target != "" {
		c.put(c.configs, topics.TargetStateKey(name), topics.TargetStateValue(target))
	}
	c.put(c.configs, topics.ConnectorKey(name), topics.PropertiesValue(append(props, topics.Property{Key: "name", Value: &name})))
}

// newest are the newest records of a topic, by key.
func (c *cluster) newest(topic, isolation string) map[string]string {
	c.t.Helper()
	out := map[string]string{}
	_, err := kafkaio.ReadToEnd(limited(c.t), kafkaio.Client{"bootstrap.servers": c.kafka}, topic, kafkaio.ReadOptions{Isolation: isolation, Logger: quiet()}, func(r kafkaio.Record) error {
		out[string(r.Key)] = "null"
		if r.Value != nil {
			out[string(r.Key)] = string(r.Value)
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// migrate runs `sluice migrate`.
func (c *connect) migrate(args ...string) (string, error) {
	c.t.Helper()
	cmd := migrate.Command(clock.Real())
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(append(args, "--server", c.replicas[0].Addr(), "--worker-properties", c.properties, "--timeout", "50s"))
	err := cmd.ExecuteContext(limited(c.t))
	c.t.Logf("sluice migrate %s\n%s%v", strings.Join(args, " "), out.String(), err)
	return out.String(), err
}

func (c *connect) must(args ...string) string {
	c.t.Helper()
	out, err := c.migrate(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cluster) names() string {
	_, body := c.call("GET", "/connectors", nil)
	return strings.TrimSpace(body)
}

func TestMigrate_AWholeClusterThereAndBack(t *testing.T) {
	c := newCluster(t, 1, 1)
	old := c.connect("e2e", "connect-configs", "connect-offsets", "connect-status")
	in, out := text(t, 10), filepath.Join(t.TempDir(), "out.txt")
	old.put("connect-configs", "session-key", []byte(`{"key":"x"}`))
	old.has("src", "STARTED", "connector.class", "FileStreamSource", "file", in, "topic", "lines", "tasks.max", "1")
	// It was in mid-file: five lines of 21 bytes were delivered.
	old.put("connect-offsets", `["src",{"filename":"`+in+`"}]`, []byte(fmt.Sprintf(`{"position":%d}`, 5*len("line 0000000 äöü\n"))))
	old.has("dst", "", "connector.class", "FileStreamSink", "file", out, "topics", "lines", "tasks.max", "1", "consumer.override.metadata.max.age.ms", "200")
	old.has("idle", "STOPPED", "connector.class", "FileStreamSource", "file", in, "topic", "idle", "tasks.max", "1")
	old.has("held", "PAUSED", "connector.class", "FileStreamSource", "file", in, "topic", "held", "tasks.max", "1")
	old.has("alien", "STARTED", "connector.class", "io.example.AlienConnector", "tasks.max", "1")
	before := c.newest("connect-configs", "read_committed")

	report, err := old.migrate("from-connect")
	if err == nil || !strings.Contains(report, "alien") || !strings.Contains(report, "AlienConnector") || c.names() != "[]" {
		t.Fatalf("what would not run is named and nothing is changed: %v", err)
	}
	if report := old.must("from-connect", "--dry-run", "--skip-unsupported"); !strings.Contains(report, "dry run") || !strings.Contains(report, "no counterpart of: io.acme.LightsSink (sink connector)\n") || c.names() != "[]" {
		t.Fatal("a dry run changes nothing")
	}
	old.must("from-connect", "--skip-unsupported")
	c.running("src", 1)
	c.running("dst", 1)
	await(t, "the second half of the lines, and no other", func() bool { return len(lines(out)) == 5 && lines(out)["line 0000005 äöü\n"] == 1 })
	await(t, "states as they were", func() bool {
		return c.status("idle").Connector.State == "STOPPED" && c.status("held").Connector.State == "PAUSED"
	})
	old.must("from-connect", "--skip-unsupported") // again: all is there
	for key, value := range c.newest("connect-configs", "read_committed") {
		if was, ok := before[key]; ok && was != value {
			t.Errorf("the take-over changed %s: %s, was %s", key, value, was)
		}
	}

	// Back. A record of an aborted transaction must not be what a worker reads.
	offsetKey := `["src",{"filename":"` + in + `"}]`
	await(t, "the offset of the whole file", func() bool { return strings.Contains(c.newest("connect-offsets", "read_committed")[offsetKey], "200") })
	abortedOffset(t, c, offsetKey)
	if got := c.newest("connect-offsets", "read_uncommitted")[offsetKey]; got != `{"position":1}` {
		t.Fatalf("the test's own aborted record: %s", got)
	}
	if report := old.must("to-connect"); !strings.Contains(report, "1 offsets were written again") || !strings.Contains(report, "run again: alien") {
		t.Error("the alien was never Sluice's, and stays where it is")
	}
	old.must("to-connect") // again: it is done
	old.put("connect-configs", "connector-alien", nil)
	if got := c.newest("connect-offsets", "read_uncommitted")[offsetKey]; got != c.newest("connect-offsets", "read_committed")[offsetKey] || !strings.Contains(got, "200") {
		t.Errorf("a worker would read the offset %s", got)
	}
	if v := c.replicas[0].Store().View(); len(v.Assignments) != 0 {
		t.Errorf("somebody still acts: %v", v.Assignments)
	}
	for key, value := range c.newest("connect-status", "read_uncommitted") {
		if !strings.HasPrefix(key, "status-topic-") && value != "null" {
			t.Errorf("a state of Sluice's stays: %s %s", key, value)
		}
	}
	if code, body := c.call("GET", "/v1/hand-back", nil); code != 200 || !strings.Contains(strings.ReplaceAll(body, " ", ""), `"done":true`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := c.call("PUT", "/connectors/src/pause", nil); code != 409 || !strings.Contains(body, "handed back") {
		t.Errorf("%d %s", code, body)
	}
	// Kafka Connect changes something: to undo would lose it, to take over brings it.
	old.has("dst", "", "connector.class", "FileStreamSink", "file", out+"2", "topics", "lines", "tasks.max", "1", "consumer.override.metadata.max.age.ms", "200")
	old.put("connect-configs", "connector-idle", nil)
	old.put("connect-configs", "target-state-idle", nil)
	if _, err := old.migrate("undo"); err == nil || !strings.Contains(err.Error(), "dst") || !strings.Contains(err.Error(), "idle") {
		t.Fatalf("%v", err)
	}
	old.must("from-connect")
	c.running("src", 1)
	c.running("dst", 1)
	if code, body := c.call("GET", "/connectors/dst/config", nil); code != 200 || !strings.Contains(body, "out.txt2") {
		t.Errorf("%d %s", code, body)
	}
	if got := c.names(); strings.Contains(got, "idle") {
		t.Error(got)
	}
	old.must("to-connect")
	old.must("undo")
	c.running("src", 1)
}

// abortedOffset leaves a record of an aborted transaction behind.
func abortedOffset(t *testing.T, c *cluster, key string) {
	t.Helper()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": c.kafka}, TransactionalID: "died", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := limited(t)
	for _, err := range []error{p.InitTransactions(ctx), p.Begin(), p.Deliver(ctx, []kafkaio.Message{{Topic: "connect-offsets", Partition: -1, Key: []byte(key), Value: []byte(`{"position":1}`), Timestamp: -1}}), p.Abort(ctx)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrate_SingleConnectorsAreStoppedInTheOldClusterFirst(t *testing.T) {
	c := newCluster(t, 1, 1)
	old := c.connect("old", "old-configs", "old-offsets", "old-status")
	sluice := c.connect("e2e", "connect-configs", "connect-offsets", "connect-status")
	in := text(t, 10)
	for topic, partitions := range map[string]int32{"old-configs": 1, "old-offsets": 5, "old-status": 5} {
		admin, err := kafkaio.NewAdmin(kafkaio.Client{"bootstrap.servers": c.kafka}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := admin.CreateTopic(limited(t), kafkaio.TopicSpec{Name: topic, Partitions: partitions, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
			t.Fatal(err)
		}
		admin.Close()
	}
	old.has("src", "STARTED", "connector.class", "FileStreamSource", "file", in, "topic", "lines", "tasks.max", "1")
	old.has("stays", "STARTED", "connector.class", "FileStreamSource", "file", in, "topic", "stays", "tasks.max", "1")
	old.put("old-offsets", `["src",{"filename":"`+in+`"}]`, []byte(`{"position":209}`))
	old.put("old-offsets", `["stays",{"filename":"`+in+`"}]`, []byte(`{"position":1}`))
	var mu sync.Mutex
	var calls []string
	rest := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, r.Method+" "+r.URL.Path)
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write([]byte(`{"connector":{"state":"STOPPED"},"tasks":[]}`))
	}))
	t.Cleanup(rest.Close)
	if _, err := old.migrate("from-connect", "--connector", "src", "--rest", rest.URL); err == nil || c.names() != "[]" {
		t.Fatalf("with the old cluster's own topics two would write them: %v", err)
	}
	old.must("from-connect", "--connector", "src", "--rest", rest.URL, "--executor-properties", sluice.properties)
	c.running("src", 1)
	if got := c.names(); got != `["src"]` {
		t.Error(got)
	}
	if !slices.Equal(calls, []string{"PUT /connectors/src/stop", "GET /connectors/src/status"}) {
		t.Error(calls)
	}
	got := c.newest("connect-offsets", "read_committed")
	if got[`["src",{"filename":"`+in+`"}]`] == "" || got[`["stays",{"filename":"`+in+`"}]`] != "" {
		t.Errorf("the offsets of what was taken come along, and no other: %v", got)
	}
}
