package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/topics"
)

// Worker is an executor's config. Make one with Load. Safe for concurrent use.
type Worker struct {
	props      map[string]string // references resolved
	raw        map[string]string // as given
	secrets    *secrets.Resolver
	values     configdef.Values
	standalone bool
}

// Converter is a converter that the worker names.
type Converter struct {
	// Class is the class or alias.
	Class string
	// Config are its settings, without the prefix. The caller owns it.
	Config map[string]string
}

// Secrets resolves references in connectors' configs with the worker's config.providers.
func (w Worker) Secrets() *secrets.Resolver { return w.secrets }

// Properties are the properties, merged and with references resolved, secrets included. The caller owns the map.
func (w Worker) Properties() map[string]string { return maps.Clone(w.props) }

// Get is one property, with references resolved.
func (w Worker) Get(key string) (string, bool) { v, ok := w.props[key]; return v, ok }

// Standalone says that the worker has no group.id but a file for source offsets.
func (w Worker) Standalone() bool { return w.standalone }

// OffsetsFile is offset.storage.file.filename, of a standalone worker.
func (w Worker) OffsetsFile() string { return w.values.String(offsetsFile) }

// GroupID is group.id; empty for a standalone worker.
func (w Worker) GroupID() string { return w.values.String(groupID) }

// ClientID is client.id, empty by default.
func (w Worker) ClientID() string { return w.values.String(clientID) }

// KeyConverter is the worker's converter of keys.
func (w Worker) KeyConverter() Converter { return w.converter(keyConverter) }

// ValueConverter is the worker's converter of values.
func (w Worker) ValueConverter() Converter { return w.converter(valueConverter) }

// HeaderConverter is the worker's converter of headers, SimpleHeaderConverter by default.
func (w Worker) HeaderConverter() Converter { return w.converter(headerConverter) }

func (w Worker) converter(key string) Converter {
	return Converter{Class: w.values.String(key), Config: below(w.props, key+".")}
}

// below are the properties under a prefix, without it.
func below(props map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			out[rest] = v
		}
	}
	return out
}

// OffsetsTopic is how the topic of source offsets is to look. 25 partitions by default.
func (w Worker) OffsetsTopic() topics.Spec {
	return topics.OffsetsSpec(w.values.String(offsetsTopic), int32(w.values.Int("offset.storage.partitions")), w.replication("offset"), w.extra("offset"))
}

// ConfigTopic is how the topic of configs is to look: always one partition.
func (w Worker) ConfigTopic() topics.Spec {
	return topics.ConfigsSpec(w.values.String(configTopic), w.replication("config"), w.extra("config"))
}

// StatusTopic is how the topic of states is to look. 5 partitions by default.
func (w Worker) StatusTopic() topics.Spec {
	return topics.StatusSpec(w.values.String(statusTopic), int32(w.values.Int("status.storage.partitions")), w.replication("status"), w.extra("status"))
}

func (w Worker) replication(which string) int16 {
	return int16(w.values.Int(which + ".storage.replication.factor"))
}

// extra are the topic's own configs. cleanup.policy is not the user's to choose.
func (w Worker) extra(which string) map[string]string {
	out := below(w.props, which+".storage.")
	for _, k := range []string{"topic", "partitions", "replication.factor", "cleanup.policy", "file.filename"} {
		delete(out, k)
	}
	return out
}

func (w Worker) ms(key string) time.Duration {
	// Longs of Java's size are no durations of Go's: they mean for ever.
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(w.values.Long(key), most)) * time.Millisecond
}

// OffsetFlushInterval is how often offsets are committed. Default 60 s.
func (w Worker) OffsetFlushInterval() time.Duration { return w.ms("offset.flush.interval.ms") }

// OffsetFlushTimeout is how long that may take. Default 5 s.
func (w Worker) OffsetFlushTimeout() time.Duration { return w.ms("offset.flush.timeout.ms") }

// TaskShutdownTimeout is how long tasks have to stop. Default 5 s.
func (w Worker) TaskShutdownTimeout() time.Duration { return w.ms("task.shutdown.graceful.timeout.ms") }

// PluginCallTimeout is how long one connector-level call of a plugin may take. Default 60 s.
func (w Worker) PluginCallTimeout() time.Duration { return w.ms(sluiceCallTimeout) }

// TopicCreation says whether topic.creation.* of connectors have an effect. Default true.
func (w Worker) TopicCreation() bool { return w.values.Bool("topic.creation.enable") }

// TopicTracking says whether the topics that connectors use are recorded. Default true.
func (w Worker) TopicTracking() bool { return w.values.Bool("topic.tracking.enable") }

// TopicTrackingReset says whether that record may be reset. Default true.
func (w Worker) TopicTrackingReset() bool { return w.values.Bool("topic.tracking.allow.reset") }

// ExactlyOnce says whether exactly.once.source.support is enabled: a standalone worker has none, and preparing, which Kafka
// Connect needs for its rolling restart, enables nothing.
func (w Worker) ExactlyOnce() bool {
	return !w.standalone && strings.EqualFold(w.values.String(eosSupport), "enabled")
}

// ConfigProviders are config.providers and the keys below it, as they were given.
func (w Worker) ConfigProviders() map[string]string {
	out := map[string]string{}
	for k, v := range w.props {
		if k == "config.providers" || strings.HasPrefix(k, "config.providers.") {
			out[k] = v
		}
	}
	return out
}

// PluginPath is plugin.path: folders and jars.
func (w Worker) PluginPath() []string { return w.values.List(pluginPath) }

// ControlPlane are the addresses of the control plane's replicas.
func (w Worker) ControlPlane() []string { return w.values.List(sluiceControlPlane) }

// Advertise is the host:port by which the executor is known; empty where it is not set.
func (w Worker) Advertise() string {
	host := w.values.String(advertisedHost)
	if own := w.values.String(sluiceAdvertise); own != "" || host == "" {
		return own
	}
	port := "8083"
	first, _, _ := strings.Cut(w.values.String(listeners), ",")
	if i := strings.LastIndexByte(first, ':'); i >= 0 && !strings.HasSuffix(first, ":0") {
		port = strings.TrimSpace(first[i+1:])
	}
	if w.values.Has(advertisedPort) {
		port = w.values.String(advertisedPort)
	}
	return net.JoinHostPort(host, port)
}

// Pool is the executor's pool, `default` by default.
func (w Worker) Pool() string { return w.values.String(sluicePool) }

// Capacity is how many units the executor takes; 0 is no limit.
func (w Worker) Capacity() int { return w.values.Int(sluiceCapacity) }

// Labels are the executor's labels. The caller owns the map.
func (w Worker) Labels() map[string]string {
	v := w.values.String(sluiceLabels)
	out, _ := parseLabels(&v) // Load has checked it
	return out
}

// ContinueOnLeaseLoss says that at-least-once sources go on while the control plane cannot be reached.
func (w Worker) ContinueOnLeaseLoss() bool { return w.values.String(sluiceLeaseLoss) == "continue" }

// TraceInterval is how often a task traces a record; 0 is never.
func (w Worker) TraceInterval() time.Duration {
	return time.Duration(w.values.Long(sluiceTraceInterval)) * time.Millisecond
}

// Secret says whether the value of a key is not to be shown: Java's PASSWORD keys, and every key whose
// name says that it holds one.
func Secret(key string) bool {
	key = strings.ToLower(key)
	for _, s := range []string{"password", "passwd", "sasl.jaas.config", "ssl.keystore.key", "ssl.key", "secret", "token", "credential", "private.key", "api.key", "apikey", "access.key"} {
		if !strings.Contains(key, s) {
			continue
		}
		// Names of the above that hold no secret.
		for _, open := range []string{"ssl.keystore.location", "ssl.keystore.type", "ssl.keystore.certificate.chain", "ssl.keymanager.algorithm", "token.endpoint.url"} {
			if strings.HasSuffix(key, open) {
				return false
			}
		}
		return true
	}
	return false
}

// Redacted are the properties with secrets hidden and references unresolved, for people. The caller owns the map.
func (w Worker) Redacted() map[string]string {
	out := maps.Clone(w.raw)
	for k := range out {
		if Secret(k) {
			out[k] = configdef.Hidden
		}
	}
	return out
}

// String is Redacted, sorted, for logs.
func (w Worker) String() string {
	r := w.Redacted()
	parts := make([]string, 0, len(r))
	for _, k := range slices.Sorted(maps.Keys(r)) {
		parts = append(parts, fmt.Sprintf("%s=%s", k, r[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// GoString keeps %#v from showing secrets.
func (w Worker) GoString() string { return w.String() }
