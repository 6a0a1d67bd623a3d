package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ConnectWorker is a real Kafka Connect worker in distributed mode.
type ConnectWorker struct {
	*Process
	// Base is its REST API, Properties its file.
	Base, Properties string
}

// ConnectProperties writes a worker's file, with the names of a cluster's group and topics, and more lines.
func ConnectProperties(t testing.TB, k *Kafka, group, configs, offsets, statuses string, more ...string) (path, base string) {
	t.Helper()
	listen := freeAddr(t)
	path = filepath.Join(t.TempDir(), "worker.properties")
	text := fmt.Sprintf(`bootstrap.servers=%s
group.id=%s
config.storage.topic=%s
offset.storage.topic=%s
status.storage.topic=%s
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.flush.interval.ms=500
listeners=http://%s
session.timeout.ms=6000
heartbeat.interval.ms=1000
scheduled.rebalance.max.delay.ms=0
plugin.discovery=service_load
%s
`, k.Addr, group, configs, offsets, statuses, listen, strings.Join(more, "\n"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, "http://" + listen
}

// StartConnect starts a worker and waits until it serves.
func StartConnect(t testing.TB, root, properties, base string) *ConnectWorker {
	t.Helper()
	jars := Fetch(t, filepath.Join(root, "integration/harness/connect/pom.xml"), "connect-"+KafkaVersion)
	w := &ConnectWorker{Base: base, Properties: properties, Process: &Process{Name: "connect", t: t, dir: t.TempDir(), bin: "java",
		args: []string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", jars + "/*", "org.apache.kafka.connect.cli.ConnectDistributed", properties}}}
	w.Start()
	t.Cleanup(w.Kill)
	w.AwaitServing()
	return w
}

// AwaitServing waits until it answers.
func (w *ConnectWorker) AwaitServing() {
	w.t.Helper()
	Await(w.t, "the worker answers", 2*time.Minute, func() bool {
		code, body, err := Call("GET", w.Base+"/connectors", nil)
		return err == nil && code == 200 && strings.HasPrefix(body, "[")
	})
}
