//go:build integration

package compat

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/integration/harness"
)

// TestACLs_WhatKafkaConnectDidNotNeedIsNamedWithItsCommand: on a broker with Kafka's own authorizer, a user who may do what
// Kafka Connect's workers have to, and no more.
func TestACLs_WhatKafkaConnectDidNotNeedIsNamedWithItsCommand(t *testing.T) {
	w := &world{t: t, kafka: harness.StartKafkaWithACLs(t, root, "connect"), bin: harness.Binaries(t, root)}
	acls := func(args ...string) {
		t.Helper()
		w.kafka.Tool("org.apache.kafka.tools.AclCommand", args...)
	}
	// What an administrator has allowed the workers.
	acls("--bootstrap-server", w.kafka.Addr, "--add", "--allow-principal", "User:connect", "--operation", "All", "--topic", "connect-", "--resource-pattern-type", "prefixed", "--group", "connect-")
	w.sluice = harness.Start(t, harness.Options{Kafka: w.kafka, Root: root, Executors: []string{"default"}}, w.bin)
	w.properties = filepath.Join(t.TempDir(), "worker.properties")
	text := fmt.Sprintf("bootstrap.servers=%s\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"+
		"sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"connect\" password=\"connect-secret\";\n"+
		"group.id=connect-cluster\nconfig.storage.topic=connect-configs\noffset.storage.topic=connect-offsets\nstatus.storage.topic=connect-status\n"+
		"key.converter=org.apache.kafka.connect.storage.StringConverter\nvalue.converter=org.apache.kafka.connect.storage.StringConverter\n", w.kafka.SASLAddr)
	if err := os.WriteFile(w.properties, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log(t, w, "src", "connector.class", "FileStreamSource", "file", filepath.Join(t.TempDir(), "in"), "topic", "lines")

	out, err := w.migrate("migrate", "from-connect")
	commands := regexp.MustCompile(`Allow it: kafka-acls\.sh (.*)`).FindAllStringSubmatch(out, -1)
	if err == nil || len(commands) != 2 || !strings.Contains(out, "nothing was changed") || strings.Contains(out, "connect-secret") {
		t.Fatalf("two transactional ids are not allowed: %v\n%s", err, out)
	}
	for _, id := range []string{"connect-cluster-sluice-mirror", "connect-cluster-src-offsets"} {
		want := fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --add --allow-principal User:connect --operation Describe --operation Write --transactional-id %s\n", w.kafka.SASLAddr, id)
		if !strings.Contains(out, want) {
			t.Errorf("%s\nhas no %s", out, want)
		}
	}
	if code, body, err := harness.Call("GET", w.sluice.REST(0)+"/connectors", nil); err != nil || code != 200 || strings.TrimSpace(body) != "[]" {
		t.Fatalf("something was changed: %d %s %v", code, body, err)
	}
	// The one alone is not enough; the commands as they were printed are, given by somebody who may.
	for i, c := range commands {
		if i > 0 {
			if out, err := w.migrate("migrate", "from-connect", "--dry-run"); err == nil || strings.Count(out, "Allow it: ") != 1 {
				t.Errorf("one of two is allowed: %v\n%s", err, out)
			}
		}
		args := strings.Fields(c[1])
		args[1] = w.kafka.Addr
		acls(args...)
	}
	if out, err := w.migrate("migrate", "from-connect"); err != nil || strings.Contains(out, "problem:") {
		t.Fatalf("with the ACLs: %v\n%s", err, out)
	}
	side{t, "Sluice", w.sluice.REST(0)}.is("src", "RUNNING RUNNING")
}

// log writes a connector to connect-configs, as a worker does.
func log(t *testing.T, w *world, name string, kv ...string) {
	t.Helper()
	props := []topics.Property{{Key: "name", Value: &name}}
	for i := 0; i < len(kv); i += 2 {
		props = append(props, topics.Property{Key: kv[i], Value: &kv[i+1]})
	}
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": w.kafka.Addr}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Deliver(t.Context(), []kafkaio.Message{{Topic: "connect-configs", Partition: -1, Key: []byte(topics.ConnectorKey(name)), Value: topics.PropertiesValue(props), Timestamp: -1}}); err != nil {
		t.Fatal(err)
	}
}
