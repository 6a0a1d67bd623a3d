package mirror

import (
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/configdef/kafkaclients"
)

const emitOffsetSyncs = "emit.offset-syncs.enabled"

var (
	text     = configdef.Text
	distinct = configdef.DistinctList(true)
)

// hasOffsetSyncs says whether a config has any key of the topic of offset syncs or of its clients.
func hasOffsetSyncs(config map[string]string) bool {
	for k := range config {
		if strings.HasPrefix(k, "offset-syncs-") || strings.HasPrefix(k, "offset-syncs.topic.") {
			return true
		}
	}
	return false
}

func key(name string, t configdef.Type, def *string, importance configdef.Importance, doc string) configdef.Key {
	return configdef.Key{Name: name, Type: t, Default: def, Importance: importance, Doc: doc}
}

func with(k configdef.Key, v configdef.Validator) configdef.Key { k.Validator = v; return k }

func required(k configdef.Key) configdef.Key { k.Required = true; return k }

// class makes a key of a class: its default and those named are the ones that there are.
func class(k configdef.Key, others ...string) configdef.Key {
	k.Find = func(name string) (string, bool) {
		if k.Default != nil && name == *k.Default {
			return name, true
		}
		for _, c := range others {
			if name == c {
				return name, true
			}
		}
		return "", false
	}
	return k
}

// base has the keys that all three have.
func base() *configdef.Def {
	const low, medium, high = configdef.Low, configdef.Medium, configdef.High
	d := configdef.New()
	for _, k := range []configdef.Key{
		key("enabled", configdef.Boolean, text("true"), low, "Whether records are replicated from source to target."),
		required(key("source.cluster.alias", configdef.String, nil, high, "The name of the source cluster.")),
		key("target.cluster.alias", configdef.String, text("target"), high, "The name of the target cluster, for metrics."),
		key("admin.timeout.ms", configdef.Long, text("60000"), low, "How long an administrative task may take, such as the search for new topics."),
		class(key("replication.policy.class", configdef.Class, text(pkg+"DefaultReplicationPolicy"), low, "The class that names topics in the target cluster."), pkg+"IdentityReplicationPolicy"),
		key("replication.policy.separator", configdef.String, text("."), low, "What stands between a cluster's name and a topic's."),
		key("replication.policy.internal.topic.separator.enabled", configdef.Boolean, text("true"), low, "Whether the names of internal topics have that separator too."),
		class(key("forwarding.admin.class", configdef.Class, text("org.apache.kafka.clients.admin.ForwardingAdmin"), low, "The class that creates topics and changes ACLs.")),
		with(key("metric.reporters", configdef.List, text("org.apache.kafka.common.metrics.JmxReporter"), low, "The classes that report metrics."), distinct),
		with(key("security.protocol", configdef.String, text("PLAINTEXT"), medium, "How clients talk to Kafka."), configdef.InIgnoreCase("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
		with(key("config.providers", configdef.List, text(""), low, "The names of the config providers."), distinct),
	} {
		d.Define(k)
	}
	for _, k := range kafkaclients.Security() {
		if k.Type == configdef.Class {
			k = class(k)
		}
		d.Define(k)
	}
	return d
}

func define(d *configdef.Def, keys ...configdef.Key) *configdef.Def {
	for _, k := range keys {
		d.Define(k)
	}
	return d
}

func location() configdef.Key {
	return with(key("offset-syncs.topic.location", configdef.String, text("source"), configdef.Low, "The cluster that has the topic of offset syncs."), configdef.In("source", "target"))
}

func topicFilter() configdef.Key {
	return class(key("topic.filter.class", configdef.Class, text(pkg+"DefaultTopicFilter"), configdef.Low, "The class that chooses topics."))
}

func pollTimeout() configdef.Key {
	return key("consumer.poll.timeout.ms", configdef.Long, text("1000"), configdef.Low, "How long a poll of the source cluster waits.")
}

func metricNames() configdef.Key {
	return with(key("metric.names.formats", configdef.List, text("legacy"), configdef.Low, "How metrics are named."), configdef.NonEmptyListIn("legacy", "new"))
}

func sourceDef() *configdef.Def {
	const low, high = configdef.Low, configdef.High
	return define(base(),
		with(key("topics", configdef.List, text(".*"), high, "The topics to replicate: names and regular expressions."), distinct),
		with(key("topics.exclude", configdef.List, text(`mm2.*\.internal,.*\.replica,__.*`), high, "Topics that are left out, in spite of topics."), distinct),
		with(key("config.properties.exclude", configdef.List, text("follower.replication.throttled.replicas,leader.replication.throttled.replicas,message.timestamp.difference.max.ms,log.message.timestamp.before.max.ms,log.message.timestamp.after.max.ms,message.timestamp.type,unclean.leader.election.enable,min.insync.replicas"), high,
			"Configs of topics that are not replicated: names and regular expressions."), distinct),
		topicFilter(),
		class(key("config.property.filter.class", configdef.Class, text(pkg+"DefaultConfigPropertyFilter"), low, "The class that chooses configs of topics.")),
		pollTimeout(),
		key("refresh.topics.enabled", configdef.Boolean, text("true"), low, "Whether new topics and partitions are looked for."),
		key("refresh.topics.interval.seconds", configdef.Long, text("600"), low, "How often."),
		key("sync.topic.configs.enabled", configdef.Boolean, text("true"), low, "Whether the configs of topics are kept alike."),
		key("sync.topic.configs.interval.seconds", configdef.Long, text("600"), low, "How often."),
		key("sync.topic.acls.enabled", configdef.Boolean, text("true"), low, "Whether the ACLs of topics are kept alike."),
		key("sync.topic.acls.interval.seconds", configdef.Long, text("600"), low, "How often."),
		key("replication.factor", configdef.Int, text("2"), low, "The replication factor of topics that are created."),
		key("offset-syncs.topic.replication.factor", configdef.Short, text("3"), low, "The replication factor of the topic of offset syncs."),
		key("offset.lag.max", configdef.Long, text("100"), low, "How far apart the two clusters' offsets may be until they are synced."),
		location(),
		key(emitOffsetSyncs, configdef.Boolean, text("true"), low, "Whether the offsets of replicated records are kept in the topic of offset syncs."),
		key("heartbeats.replication.enabled", configdef.Boolean, text("true"), low, "Whether heartbeats are replicated, whatever the topic filter says."),
		metricNames(),
	)
}

func checkpointDef() *configdef.Def {
	const low, high = configdef.Low, configdef.High
	return define(base(),
		pollTimeout(),
		with(key("groups", configdef.List, text(".*"), high, "The consumer groups to replicate: names and regular expressions."), distinct),
		with(key("groups.exclude", configdef.List, text("console-consumer-.*,connect-.*,__.*"), high, "Groups that are left out, in spite of groups."), distinct),
		class(key("group.filter.class", configdef.Class, text(pkg+"DefaultGroupFilter"), low, "The class that chooses groups.")),
		key("refresh.groups.enabled", configdef.Boolean, text("true"), low, "Whether new groups are looked for."),
		key("refresh.groups.interval.seconds", configdef.Long, text("600"), low, "How often."),
		key("emit.checkpoints.enabled", configdef.Boolean, text("true"), low, "Whether the groups' offsets are written to the target cluster."),
		key("emit.checkpoints.interval.seconds", configdef.Long, text("60"), low, "How often."),
		key("sync.group.offsets.enabled", configdef.Boolean, text("false"), low, "Whether they are committed there, for groups without members."),
		key("sync.group.offsets.interval.seconds", configdef.Long, text("60"), low, "How often."),
		key("checkpoints.topic.replication.factor", configdef.Short, text("3"), low, "The replication factor of the topic of checkpoints."),
		location(),
		topicFilter(),
		metricNames(),
	)
}

func heartbeatDef() *configdef.Def {
	const low = configdef.Low
	return define(base(),
		key("emit.heartbeats.enabled", configdef.Boolean, text("true"), low, "Whether heartbeats are written to the target cluster."),
		key("emit.heartbeats.interval.seconds", configdef.Long, text("1"), low, "How often."),
		key("heartbeats.topic.replication.factor", configdef.Short, text("3"), low, "The replication factor of the topic of heartbeats."),
	)
}
