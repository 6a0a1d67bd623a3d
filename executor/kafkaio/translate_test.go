package kafkaio_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// javaBehaviour is what differs from librdkafka's own defaults, as a user of Kafka Connect expects it (D5).
var javaBehaviour = map[kafkaio.Role]map[string]string{
	kafkaio.RoleProducer: {"partitioner": "murmur2_random", "acks": "all", "enable.idempotence": "false", "max.in.flight": "1",
		"message.timeout.ms": "0", "message.max.bytes": "1048576", "compression.type": "none"},
	kafkaio.RoleConsumer: {"isolation.level": "read_uncommitted", "auto.offset.reset": "earliest", "enable.auto.commit": "false",
		"enable.auto.offset.store": "false", "partition.assignment.strategy": "range", "session.timeout.ms": "45000",
		"max.poll.interval.ms": "300000", "max.partition.fetch.bytes": "1048576", "fetch.wait.max.ms": "500", "check.crcs": "true"},
	kafkaio.RoleAdmin: {"client.dns.lookup": "use_all_dns_ips"},
}

func TestTranslate_BehavesAsJavaWhereNothingIsSet(t *testing.T) {
	for role, want := range javaBehaviour {
		got, warnings, err := kafkaio.Translate(role, nil)
		if err != nil || len(warnings) > 0 {
			t.Fatal(warnings, err)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%v: %s = %q, want %q", role, k, got[k], v)
			}
		}
	}
}

// stores are keytool's.
const stores = "../../internal/keystore/testdata/"

func pemOf(name string) string {
	b, err := os.ReadFile(stores + name)
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(b), "\r", "")
}

func TestTranslate_ATableOfJavaKeys(t *testing.T) {
	p, c, a := kafkaio.RoleProducer, kafkaio.RoleConsumer, kafkaio.RoleAdmin
	scram := `org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="it's \"so\" secret";`
	for _, tt := range []struct {
		role     kafkaio.Role
		key, val string
		want     map[string]string // of librdkafka
		warn     string
		err      string
	}{
		{p, "linger.ms", "7", map[string]string{"linger.ms": "7"}, "", ""},
		{p, "delivery.timeout.ms", "2147483647", map[string]string{"message.timeout.ms": "0"}, "", ""},
		{p, "delivery.timeout.ms", "1000", map[string]string{"message.timeout.ms": "1000"}, "", ""},
		{p, "buffer.memory", "33554432", map[string]string{"queue.buffering.max.kbytes": "32768"}, "", ""},
		{p, "max.request.size", "5", map[string]string{"message.max.bytes": "5"}, "", ""},
		{p, "acks", "1", map[string]string{"acks": "1"}, "", ""},
		{p, "max.in.flight.requests.per.connection", "9", map[string]string{"max.in.flight": "9"}, "", ""},
		{p, "enable.idempotence", "true", map[string]string{"enable.idempotence": "true"}, "", ""},
		{p, "partitioner.class", "com.acme.Mine", nil, "", "partitioner.class"},
		{p, "partitioner.ignore.keys", "true", map[string]string{"partitioner": "random"}, "", ""},
		{p, "interceptor.classes", "com.acme.I", nil, "", "interceptor.classes"},
		{p, "interceptor.classes", "", nil, "", ""},
		{p, "key.serializer", "x", nil, "", ""},
		{p, "max.block.ms", "5", nil, "", ""},
		{p, "no.such.key", "5", nil, "no.such.key is not known", ""},
		{p, "auto.offset.reset", "latest", nil, "", ""}, // a worker's file has keys of all roles
		{p, "ssl.enabled.protocols", "TLSv1.3", nil, "ssl.enabled.protocols has no effect here", ""},
		{c, "auto.offset.reset", "none", map[string]string{"auto.offset.reset": "error"}, "", ""},
		{c, "auto.offset.reset", "by_duration:PT1H", nil, "", "earliest, latest or none"},
		{c, "fetch.max.wait.ms", "9", map[string]string{"fetch.wait.max.ms": "9"}, "", ""},
		{c, "isolation.level", "READ_COMMITTED", map[string]string{"isolation.level": "read_committed"}, "", ""},
		{c, "enable.auto.commit", "true", map[string]string{"enable.auto.commit": "false"}, "", ""},
		{c, "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor, org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
			map[string]string{"partition.assignment.strategy": "range"}, "", ""},
		{c, "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
			map[string]string{"partition.assignment.strategy": "cooperative-sticky"}, "", ""},
		{c, "partition.assignment.strategy", "com.acme.Mine", nil, "", "com.acme.Mine"},
		{c, "group.protocol", "consumer", nil, "", "group.protocol"},
		{a, "sasl.jaas.config", scram, map[string]string{"sasl.username": "bob", "sasl.password": `it's "so" secret`}, "", ""},
		{a, "sasl.jaas.config", "com.sun.security.auth.module.Krb5LoginModule required keyTab=\"hunter2\";", nil, "", "Krb5LoginModule"},
		{a, "sasl.jaas.config", `o.a.PlainLoginModule required password="hunter2";`, nil, "", "no option username"},
		{a, "sasl.jaas.config", `password="hunter2"`, nil, "", "it must begin with the class of a login module"},
		{a, "sasl.jaas.config", "o.a.PlainLoginModule\trequired username=u password=\"hunter2\";", map[string]string{"sasl.username": "u", "sasl.password": "hunter2"}, "", ""},
		{a, "ssl.endpoint.identification.algorithm", "", map[string]string{"ssl.endpoint.identification.algorithm": "none"}, "", ""},
		{a, "ssl.truststore.location", "/x/trust.jks", nil, "", "no such file"},
		{a, "ssl.truststore.location", stores + "trust.jks", map[string]string{"ssl.ca.pem": pemOf("jks.pem")}, "", ""},
		{a, "ssl.keystore.location", "/x/key.p12", nil, "", "no such file"},
		{a, "ssl.keystore.location", stores + "key.jks", nil, "", "ssl.key.password"},
		{a, "ssl.keystore.key", "hunter2", nil, "", "PEM"},
		{a, "request.timeout.ms", "4000", map[string]string{"socket.timeout.ms": "4000"}, "", ""},
		{a, "sasl.login.callback.handler.class", "com.acme.L", nil, "", "token.endpoint"},
	} {
		got, warnings, err := kafkaio.Translate(tt.role, map[string]string{tt.key: tt.val})
		if tt.err != "" {
			if !errors.Is(err, kafkaio.ErrConfig) || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.key) {
				t.Errorf("%v %s=%s: error %v", tt.role, tt.key, tt.val, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: the error tells a secret: %v", tt.key, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v %s=%s: %v", tt.role, tt.key, tt.val, err)
		}
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%v %s=%s: %s = %q, want %q", tt.role, tt.key, tt.val, k, got[k], v)
			}
		}
		if w := strings.Join(warnings, ";"); w != tt.warn {
			t.Errorf("%v %s=%s: warning %q, want %q", tt.role, tt.key, tt.val, w, tt.warn)
		}
	}
}

// TestTranslate_EveryResultIsAKeyOfLibrdkafka makes clients of everything the table can say.
func TestTranslate_EveryResultIsAKeyOfLibrdkafka(t *testing.T) {
	java := kafkaio.Client{"bootstrap.servers": "127.0.0.1:1", "client.id": "x", "retry.backoff.ms": "100", "retry.backoff.max.ms": "1000",
		"send.buffer.bytes": "-1", "receive.buffer.bytes": "65536", "socket.connection.setup.timeout.ms": "10000", "client.dns.lookup": "use_all_dns_ips",
		"acks": "all", "batch.size": "16384", "linger.ms": "0", "enable.idempotence": "true", "transaction.timeout.ms": "60000", "compression.type": "gzip",
		"group.id": "g", "group.instance.id": "i", "session.timeout.ms": "10000", "heartbeat.interval.ms": "3000", "max.poll.interval.ms": "300000",
		"fetch.min.bytes": "1", "fetch.max.bytes": "52428800", "max.partition.fetch.bytes": "1048576", "check.crcs": "true", "client.rack": "r",
		"allow.auto.create.topics": "true", "security.protocol": "PLAINTEXT", "metadata.max.age.ms": "1000", "connections.max.idle.ms": "10000"}
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: java, Logger: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	c, err := kafkaio.NewConsumer(kafkaio.ConsumerConfig{Client: java, Group: "g", Topics: []string{"a"}, Logger: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	a, err := kafkaio.NewAdmin(java, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := kafkaio.NewAdmin(kafkaio.Client{}, quietLog()); !errors.Is(err, kafkaio.ErrConfig) || !strings.Contains(err.Error(), "bootstrap.servers") {
		t.Errorf("%v", err)
	}
}
