package config

import (
	"slices"

	"github.com/sluice-project/sluice/connectors/configdef"
)

// Key describes one key of the worker's config, for --help and the reference.
type Key struct {
	Name string
	Type configdef.Type
	// Default is empty where there is none; Required where the key must then be given.
	Default  string
	Required bool
	Doc      string
	// Sluice says that Kafka Connect does not know the key.
	Sluice bool
}

// The keys that code asks for by name.
const (
	bootstrapServers = "bootstrap.servers"
	groupID          = "group.id"
	clientID         = "client.id"
	keyConverter     = "key.converter"
	valueConverter   = "value.converter"
	headerConverter  = "header.converter"
	offsetsTopic     = "offset.storage.topic"
	configTopic      = "config.storage.topic"
	statusTopic      = "status.storage.topic"
	offsetsFile      = "offset.storage.file.filename"
	overridePolicy   = "connector.client.config.override.policy"
	overrideAllow    = "connector.client.config.override.allowlist"
	eosSupport       = "exactly.once.source.support"

	listeners      = "listeners"
	advertisedHost = "rest.advertised.host.name"
	advertisedPort = "rest.advertised.port"

	pluginPath = "plugin.path"

	sluiceControlPlane  = "sluice.control.plane"
	sluiceAdvertise     = "sluice.advertise"
	sluicePool          = "sluice.pool"
	sluiceLabels        = "sluice.labels"
	sluiceCapacity      = "sluice.capacity"
	sluiceLeaseLoss     = "sluice.lease.loss"
	sluiceCallTimeout   = "sluice.plugin.call.timeout.ms"
	sluiceTraceInterval = "sluice.otlp.trace.interval.ms"

	defaultHeaderConverter = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

// definition is the definition of the keys that have an effect. The three topics, group.id and the offsets
// file are required by mode, not here.
var definition = func() *configdef.Def {
	d := configdef.New()
	add := func(name string, t configdef.Type, def *string, v configdef.Validator, doc string) {
		d.Define(configdef.Key{Name: name, Type: t, Default: def, Validator: v, Importance: importanceOf(name), Doc: doc})
	}
	req := func(name string, t configdef.Type, doc string) {
		d.Define(configdef.Key{Name: name, Type: t, Required: true, Importance: configdef.High, Doc: doc})
	}
	text := configdef.Text
	add(bootstrapServers, configdef.List, text("localhost:9092"), nil, "The Kafka cluster, host:port pairs.")
	add(groupID, configdef.String, nil, nil, "The name of the cluster in Kafka: it begins consumer groups' and transactional ids' names. Required but for a standalone worker.")
	add(clientID, configdef.String, text(""), nil, "What the executor's own clients call themselves.")
	req(keyConverter, configdef.Class, "The converter of keys for connectors that name none; key.converter.* are its settings.")
	req(valueConverter, configdef.Class, "The converter of values for connectors that name none; value.converter.* are its settings.")
	add(headerConverter, configdef.Class, text(defaultHeaderConverter), nil, "The converter of headers for connectors that name none; header.converter.* are its settings.")
	add(offsetsTopic, configdef.String, nil, nil, "The topic of source offsets. Other offset.storage.* keys are topic configs.")
	add(configTopic, configdef.String, nil, nil, "The topic that mirrors the connector configs. Other config.storage.* keys are topic configs.")
	add(statusTopic, configdef.String, nil, nil, "The topic that mirrors the states. Other status.storage.* keys are topic configs.")
	add("offset.storage.partitions", configdef.Int, text("25"), partitions, "How many partitions the offsets topic is made with.")
	add("status.storage.partitions", configdef.Int, text("5"), partitions, "How many partitions the status topic is made with.")
	add("offset.storage.replication.factor", configdef.Short, text("3"), replication, "The replication factor that the offsets topic is made with; -1 is the broker's default.")
	add("config.storage.replication.factor", configdef.Short, text("3"), replication, "The replication factor that the config topic is made with; -1 is the broker's default.")
	add("status.storage.replication.factor", configdef.Short, text("3"), replication, "The replication factor that the status topic is made with; -1 is the broker's default.")
	add(offsetsFile, configdef.String, nil, nil, "The file of source offsets of a standalone worker: one without group.id.")
	add("offset.flush.interval.ms", configdef.Long, text("60000"), configdef.AtLeast(1), "How often offsets are committed.")
	add("offset.flush.timeout.ms", configdef.Long, text("5000"), configdef.AtLeast(1), "How long a commit of offsets may take.")
	add("task.shutdown.graceful.timeout.ms", configdef.Long, text("5000"), configdef.AtLeast(0), "How long tasks have to stop before they are abandoned.")
	add("topic.creation.enable", configdef.Boolean, text("true"), nil, "Whether topic.creation.* of source connectors have an effect.")
	add("topic.tracking.enable", configdef.Boolean, text("true"), nil, "Whether the topics that connectors use are recorded.")
	add("topic.tracking.allow.reset", configdef.Boolean, text("true"), nil, "Whether that record may be reset.")
	add(eosSupport, configdef.String, text("disabled"), configdef.InIgnoreCase("disabled", "preparing", "enabled"), "Exactly-once delivery by source connectors: enabled for all of them; preparing is the step before it, on every executor of a cluster. See docs/exactly-once.md.")
	add(overridePolicy, configdef.String, text("All"), policies, "Which client configs connectors may override: All, None, Principal or Allowlist.")
	add(overrideAllow, configdef.List, text(""), nil, "The client configs that the policy Allowlist allows.")
	add("config.providers", configdef.List, text(""), nil, "The names of config providers; config.providers.<name>.class and .param.* describe each.")
	add(pluginPath, configdef.List, nil, nil, "Folders and jars with Java plugins. None is loaded: Sluice's plugins are compiled in. The log names those that have no counterpart.")
	add("plugin.discovery", configdef.String, text("hybrid_warn"), configdef.InIgnoreCase("only_scan", "service_load", "hybrid_warn", "hybrid_fail"), "Taken as Kafka Connect takes it. Only plugins with a manifest (META-INF/services) are named, whatever it says.")
	add(listeners, configdef.List, nil, nil, "Where a gateway serves the REST API. An executor takes only the port from it, for rest.advertised.host.name.")
	add(advertisedHost, configdef.String, nil, nil, "The host by which this executor is known, where sluice.advertise does not say: the first part of worker_id.")
	add(advertisedPort, configdef.Int, nil, nil, "The port by which it is known, with rest.advertised.host.name; that of the first listener, or 8083, where it is not set.")
	add("rest.advertised.listener", configdef.String, nil, nil, "Taken as Kafka Connect takes it. Sluice's processes do not call one another over REST, so it changes nothing.")
	add("security.protocol", configdef.String, text("PLAINTEXT"), configdef.InIgnoreCase("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), "How clients talk to Kafka.")

	add(sluiceControlPlane, configdef.List, text("localhost:8082"), nil, "The control plane's replicas, host:port pairs.")
	add(sluiceAdvertise, configdef.String, nil, nil, "The host:port by which this executor is known, Kafka Connect's worker_id. The host's name where it is not set.")
	add(sluicePool, configdef.String, text("default"), configdef.NonEmptyWithoutControlChars(), "The pool of executors that this one belongs to.")
	add(sluiceLabels, configdef.List, text(""), labels, "Labels for people and placement, name=value pairs.")
	add(sluiceCapacity, configdef.Int, text("0"), configdef.AtLeast(0), "How many connectors and tasks this executor takes; 0 is no limit.")
	add(sluiceLeaseLoss, configdef.String, text("suspend"), configdef.In("suspend", "continue"), "What an at-least-once source does while the control plane cannot be reached: suspend, or continue at the price of duplicates.")
	add(sluiceCallTimeout, configdef.Long, text("60000"), configdef.AtLeast(1), "How long a connector may take to validate, start, plan its tasks or stop.")
	add(sluiceTraceInterval, configdef.Long, text("0"), configdef.AtLeast(0), "How often each task follows one record from its poll to its acknowledgement and exports the trace by OTLP, as OTEL_EXPORTER_OTLP_ENDPOINT and OpenTelemetry's other variables say; 0 is never.")
	return d
}()

// importanceOf is Kafka Connect's, and for Sluice's own keys by its rule: high is what most people set.
func importanceOf(name string) configdef.Importance {
	switch name {
	case bootstrapServers, groupID, offsetsTopic, configTopic, statusTopic, offsetsFile, eosSupport, sluiceControlPlane:
		return configdef.High
	case overridePolicy, overrideAllow, "security.protocol", sluiceAdvertise, sluicePool, sluiceCapacity, sluiceLeaseLoss:
		return configdef.Medium
	}
	return configdef.Low
}

// The errors of these are Kafka's.
var (
	partitions = configdef.Func("positive, or -1", func(name string, v *string) error {
		if v != nil && (*v == "0" || (*v)[0] == '-' && *v != "-1") {
			return configdef.Invalid(name, *v, "Number of partitions must be positive, or -1 to use the broker's default")
		}
		return nil
	})
	replication = configdef.Func("positive, or -1", func(name string, v *string) error {
		if v != nil && (*v == "0" || (*v)[0] == '-' && *v != "-1") {
			return configdef.Invalid(name, *v, "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
		}
		return nil
	})
	policies = configdef.Func("All, None, Principal or Allowlist", func(name string, v *string) error {
		if v != nil && policyOf(*v) == "" {
			return configdef.Invalid(name, *v, "It must be All, None, Principal or Allowlist: policies that are Java classes of your own are not supported")
		}
		return nil
	})
	labels = configdef.Func("name=value pairs", func(name string, v *string) error {
		if _, bad := parseLabels(v); bad != "" {
			return configdef.Invalid(name, *v, "The label "+bad+" is no name=value pair")
		}
		return nil
	})
)

// Definitions are all keys that have an effect, Kafka Connect's first, in the order of the reference.
func Definitions() []Key {
	var out []Key
	for _, k := range definition.Keys() {
		d := Key{Name: k.Name, Type: k.Type, Required: k.Required, Doc: k.Doc, Sluice: isSluice(k.Name)}
		if k.Default != nil {
			d.Default = *k.Default
		}
		out = append(out, d)
	}
	return out
}

// Reference is what a worker's file may hold, for the reference: the keys that have an effect, the prefixes and keys that
// go to Kafka clients, plugins and topics as they are, and what Kafka Connect knows and means nothing here. A trailing dot
// stands for every key below.
func Reference() (keys []configdef.Key, passed, ignored []string) {
	for _, k := range append(slices.Clone(free), clientKeys...) {
		if _, ok := definition.Key(k); !ok {
			passed = append(passed, k)
		}
	}
	slices.Sort(passed)
	ignored = slices.Clone(idle)
	slices.Sort(ignored)
	return definition.Keys(), passed, ignored
}

// idle are keys that Kafka Connect knows and that mean nothing here: the control plane does their work, or
// there is no JVM. A trailing dot stands for every key below.
var idle = []string{
	"session.timeout.ms", "heartbeat.interval.ms", "rebalance.timeout.ms", "worker.sync.timeout.ms", "worker.unsync.backoff.ms",
	"connect.protocol", "scheduled.rebalance.max.delay.ms", "inter.worker.",
	"metric.reporters", "metrics.sample.window.ms", "metrics.num.samples", "metrics.recording.level", "metrics.context.", "auto.include.jmx.reporter",
	"listeners.https.", "port", "rest.", "access.control.", "admin.listeners", "admin.listeners.https.", "response.http.headers.config",
	"ssl.client.auth", "internal.key.converter", "internal.key.converter.", "internal.value.converter", "internal.value.converter.",
	"connect.", "key.converter.plugin.version", "value.converter.plugin.version", "header.converter.plugin.version",
}

// free are the prefixes below which any key may be.
var free = []string{
	"producer.", "consumer.", "admin.", keyConverter + ".", valueConverter + ".", headerConverter + ".", "config.providers.",
	"offset.storage.", "config.storage.", "status.storage.",
}

// clientKeys are the client configs that a worker may have without a prefix; a trailing dot stands for
// every key below.
var clientKeys = []string{
	bootstrapServers, "client.dns.lookup", "security.protocol", "security.providers", "ssl.", "sasl.",
	"metadata.max.age.ms", "metadata.recovery.", "request.timeout.ms", "default.api.timeout.ms", "retries", "retry.backoff.ms", "retry.backoff.max.ms",
	"reconnect.backoff.ms", "reconnect.backoff.max.ms", "socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.max.ms",
	"connections.max.idle.ms", "send.buffer.bytes", "receive.buffer.bytes",
}

// connectionKeys are those of clientKeys that say how to reach the cluster.
var connectionKeys = []string{bootstrapServers, "client.dns.lookup", "security.protocol", "security.providers", "ssl.", "sasl."}
