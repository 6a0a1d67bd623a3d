package kafkaio

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// base is what a client of ours has where its configuration says nothing: Java's behaviour where
// librdkafka's differs.
func base(role Role) map[string]string {
	b := map[string]string{
		"client.dns.lookup":                  "use_all_dns_ips",
		"log.queue":                          "true",
		"log.connection.close":               "false",
		"topic.metadata.refresh.interval.ms": "300000",
		"connections.max.idle.ms":            "540000",
		"socket.timeout.ms":                  "30000",
		"socket.keepalive.enable":            "true",
		"reconnect.backoff.ms":               "50",
		"reconnect.backoff.max.ms":           "1000",
		"topic.metadata.propagation.max.ms":  "30000",
		"allow.auto.create.topics":           "true",
	}
	switch role {
	case RoleProducer:
		// murmur2_random: the newest record of a key has to be where Java would put it. One request in flight keeps
		// the order without idempotence, which costs more than it gives here (ADR 14).
		set(b, "partitioner", "murmur2_random", "acks", "all", "enable.idempotence", "false", "max.in.flight", "1",
			"message.timeout.ms", "0", "message.max.bytes", "1048576", "queue.buffering.max.kbytes", "32768",
			"queue.buffering.max.messages", "1000000", "linger.ms", "5", "compression.type", "none")
		delete(b, "allow.auto.create.topics")
	case RoleConsumer:
		set(b, "isolation.level", "read_uncommitted", "auto.offset.reset", "earliest", "enable.auto.commit", "false",
			"enable.auto.offset.store", "false", "partition.assignment.strategy", "range", "session.timeout.ms", "45000",
			"heartbeat.interval.ms", "3000", "max.poll.interval.ms", "300000", "fetch.min.bytes", "1", "fetch.max.bytes", "52428800",
			"max.partition.fetch.bytes", "1048576", "fetch.wait.max.ms", "500", "check.crcs", "true", "group.protocol", "classic",
			"enable.partition.eof", "false",
			// What is fetched ahead: enough for a Put and for the next fetch's way, not librdkafka's 64 MB and 100,000 records for each
			// partition. It keeps some 350 bytes beside each record.
			"queued.max.messages.kbytes", "16384", "queued.min.messages", "10000", "fetch.queue.backoff.ms", "20")
	case RoleAdmin:
		delete(b, "allow.auto.create.topics")
		delete(b, "topic.metadata.propagation.max.ms")
	}
	if role == RoleConsumer {
		delete(b, "topic.metadata.propagation.max.ms")
	}
	return b
}

func set(m map[string]string, kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
}

// configMap is a client's configuration for confluent-kafka-go. Warnings go to the log once for each client.
func configMap(role Role, c Client, clientID string, log *slog.Logger) (kafka.ConfigMap, error) {
	m, warnings, err := Translate(role, c)
	if err != nil {
		return nil, err
	}
	if m["bootstrap.servers"] == "" {
		return nil, fmt.Errorf("%w: bootstrap.servers is missing: give it host:port of at least one broker", ErrConfig)
	}
	if m["client.id"] == "" && clientID != "" {
		m["client.id"] = clientID
	}
	if len(warnings) > 0 && log != nil {
		log.Warn("client settings without effect", slog.String("client", role.String()), slog.String("settings", strings.Join(warnings, "; ")))
	}
	out := kafka.ConfigMap{}
	for k, v := range m {
		out[k] = v
	}
	return out, nil
}

// logEvent logs what a client reports without being asked.
func logEvent(log *slog.Logger, ev nativeEvent) {
	if log == nil || ev.text == "" {
		return
	}
	level := slog.LevelWarn // librdkafka's own "errors" are brokers that are away; it tries again
	if ev.log {
		switch {
		case ev.level <= 2:
			level = slog.LevelError
		case ev.level >= 6:
			level = slog.LevelDebug
		case ev.level == 5:
			level = slog.LevelInfo
		}
	}
	log.Log(context.Background(), level, "kafka client", slog.String("text", ev.text))
}
