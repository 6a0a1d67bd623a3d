package framework

import "github.com/sluice-project/sluice/connectors/configdef"

// The groups.
const (
	groupCommon        = "Common"
	groupTransforms    = "Transforms"
	groupPredicates    = "Predicates"
	groupErrors        = "Error Handling"
	groupTopicCreation = "Topic Creation"
	groupExactlyOnce   = "Exactly Once Support"
	groupOffsets       = "offsets.topic"
)

// key is the short form of a configdef.Key.
func key(name string, t configdef.Type, def *string, imp configdef.Importance, group string, order int, width, display, doc string) configdef.Key {
	return configdef.Key{Name: name, Type: t, Default: def, Importance: imp, Group: group, OrderInGroup: order, Width: width, DisplayName: display, Doc: doc}
}

func with(k configdef.Key, v configdef.Validator) configdef.Key { k.Validator = v; return k }

func required(k configdef.Key) configdef.Key { k.Required = true; return k }

// classOf makes a key of the name of a converter's class.
func classOf(k configdef.Key, o Options, kind Kind, of string) configdef.Key {
	k.Find, k.Validator, k.Recommend = o.Plugins.Find, kind.concrete(of), kind.recommend
	return k
}

// versionOf makes a key of the version of the class that another key names.
func versionOf(k configdef.Key, of string, list func(string) []string) configdef.Key {
	k.Validator, k.Recommend = version(), versions(of, list)
	return k
}

// Common are the keys of every connector, in Kafka Connect's order.
func Common(o Options) []configdef.Key {
	const (
		high, medium, low = configdef.High, configdef.Medium, configdef.Low
		converterDoc      = " class used to convert between Kafka Connect format and the serialized form that is written to Kafka. This controls the format of the "
		independentDoc    = " in messages written to or read from Kafka, and since this is independent of connectors it allows any connector to work with any serialization format. Examples of common formats include JSON and Avro."
	)
	t := configdef.Text
	return []configdef.Key{
		required(with(key(Name, configdef.String, nil, high, groupCommon, 1, "MEDIUM", "Connector name",
			"Globally unique name to use for this connector."), configdef.NonEmptyWithoutControlChars())),
		required(key(Class, configdef.String, nil, high, groupCommon, 2, "LONG", "Connector class",
			"Name or alias of the class for this connector. Must be a subclass of org.apache.kafka.connect.connector.Connector. If the connector is org.apache.kafka.connect.file.FileStreamSinkConnector, you can either specify this full name,  or use \"FileStreamSink\" or \"FileStreamSinkConnector\" to make the configuration a bit shorter")),
		versionOf(key(ConnectorVersion, configdef.String, optional(o.ConnectorVersion), medium, groupCommon, 3, "MEDIUM", "Connector version",
			"Version of the connector."), Class, o.Plugins.Versions),
		with(key(TasksMax, configdef.Int, t("1"), high, groupCommon, 4, "SHORT", "Tasks max",
			"Maximum number of tasks to use for this connector."), configdef.AtLeast(1)),
		key("tasks.max.enforce", configdef.Boolean, t("true"), low, groupCommon, 5, "SHORT", "Enforce tasks max",
			"(Deprecated) Whether to enforce that the tasks.max property is respected by the connector. By default, connectors that generate too many tasks will fail, and existing sets of tasks that exceed the tasks.max property will also be failed. If this property is set to false, then connectors will be allowed to generate more than the maximum number of tasks, and existing sets of tasks that exceed the tasks.max property will be allowed to run. This property is deprecated and will be removed in an upcoming major release."),
		classOf(key(KeyConverter, configdef.Class, optional(o.Key.Default), low, groupCommon, 6, "SHORT", "Key converter class",
			"Converter"+converterDoc+"keys"+independentDoc), o, o.Plugins.Converters, "org.apache.kafka.connect.storage.Converter"),
		versionOf(key(KeyConverter+PluginVersion, configdef.String, optional(o.Key.Version), low, groupCommon, 7, "SHORT", "Key converter version",
			"Version of the key converter."), KeyConverter, o.Plugins.Converters.Versions),
		classOf(key(ValueConverter, configdef.Class, optional(o.Value.Default), low, groupCommon, 8, "SHORT", "Value converter class",
			"Converter"+converterDoc+"values"+independentDoc), o, o.Plugins.Converters, "org.apache.kafka.connect.storage.Converter"),
		versionOf(key(ValueConverter+PluginVersion, configdef.String, optional(o.Value.Version), low, groupCommon, 9, "SHORT", "Value converter version",
			"Version of the value converter."), ValueConverter, o.Plugins.Converters.Versions),
		classOf(key(HeaderConverter, configdef.Class, optional(o.Header.Default), low, groupCommon, 10, "SHORT", "Header converter class",
			"HeaderConverter"+converterDoc+"header values"+independentDoc+" By default, the SimpleHeaderConverter is used to serialize header values to strings and deserialize them by inferring the schemas."), o, o.Plugins.Headers, "org.apache.kafka.connect.storage.HeaderConverter"),
		versionOf(key(HeaderConverter+PluginVersion, configdef.String, optional(o.Header.Version), low, groupCommon, 11, "SHORT", "Header converter version",
			"Version of the header converter."), HeaderConverter, o.Plugins.Headers.Versions),
		with(key(Transforms, configdef.List, t(""), low, groupTransforms, 12, "LONG", "Transforms",
			"Aliases for the transformations to be applied to records."), aliases("transformation aliases")),
		with(key(Predicates, configdef.List, t(""), low, groupPredicates, 13, "LONG", "Predicates",
			"Aliases for the predicates used by transformations."), aliases("predicate aliases")),
		with(key("config.action.reload", configdef.String, t("restart"), low, groupCommon, 14, "MEDIUM", "Reload Action",
			"The action that Connect should take on the connector when changes in external configuration providers result in a change in the connector's configuration properties. A value of 'none' indicates that Connect will do nothing. A value of 'restart' indicates that Connect should restart/reload the connector with the updated configuration properties.The restart may actually be scheduled in the future if the external configuration provider indicates that a configuration value will expire in the future."),
			configdef.In("none", "restart")),
		key("errors.retry.timeout", configdef.Long, t("0"), medium, groupErrors, 1, "MEDIUM", "Retry Timeout for Errors",
			"The maximum duration in milliseconds that a failed operation will be reattempted. The default is 0, which means no retries will be attempted. Use -1 for infinite retries."),
		key("errors.retry.delay.max.ms", configdef.Long, t("60000"), medium, groupErrors, 2, "MEDIUM", "Maximum Delay Between Retries for Errors",
			"The maximum duration in milliseconds between consecutive retry attempts. Jitter will be added to the delay once this limit is reached to prevent thundering herd issues."),
		with(key("errors.tolerance", configdef.String, t("none"), medium, groupErrors, 3, "SHORT", "Error Tolerance",
			"Behavior for tolerating errors during connector operation. 'none' is the default value and signals that any error will result in an immediate connector task failure; 'all' changes the behavior to skip over problematic records."),
			configdef.In("none", "all")),
		key("errors.log.enable", configdef.Boolean, t("false"), medium, groupErrors, 4, "SHORT", "Log Errors",
			"If true, write each error and the details of the failed operation and problematic record to the Connect application log. This is 'false' by default, so that only errors that are not tolerated are reported."),
		key("errors.log.include.messages", configdef.Boolean, t("false"), medium, groupErrors, 5, "SHORT", "Log Error Details",
			"Whether to include in the log the Connect record that resulted in a failure. For sink records, the topic, partition, offset, and timestamp will be logged. For source records, the key and value (and their schemas), all headers, and the timestamp, Kafka topic, Kafka partition, source partition, and source offset will be logged. This is 'false' by default, which will prevent record keys, values, and headers from being written to log files."),
	}
}

func source() []configdef.Key {
	t := configdef.Text
	return []configdef.Key{
		with(key("topic.creation.groups", configdef.List, t(""), configdef.Low, groupTopicCreation, 1, "LONG", "Topic Creation Groups",
			"Groups of configurations for topics created by source connectors"), aliases("topic creation groups")),
		with(key(ExactlyOnce, configdef.String, t("requested"), configdef.Medium, groupExactlyOnce, 2, "SHORT", "Exactly once support",
			"Permitted values are requested, required. If set to \"required\", forces a preflight check for the connector to ensure that it can provide exactly-once semantics with the given configuration. Some connectors may be capable of providing exactly-once semantics but not signal to Connect that they support this; in that case, documentation for the connector should be consulted carefully before creating it, and the value for this property should be set to \"requested\". Additionally, if the value is set to \"required\" but the worker that performs preflight validation does not have exactly-once support enabled for source connectors, requests to create or validate the connector will fail."),
			configdef.InIgnoreCase("REQUIRED", "REQUESTED")),
		with(key(Boundary, configdef.String, t("poll"), configdef.Medium, groupExactlyOnce, 3, "SHORT", "Transaction Boundary",
			"Permitted values are: poll, interval, connector. If set to 'poll', a new producer transaction will be started and committed for every batch of records that each task from this connector provides to Connect. If set to 'connector', relies on connector-defined transaction boundaries; note that not all connectors are capable of defining their own transaction boundaries, and in that case, attempts to instantiate a connector with this value will fail. Finally, if set to 'interval', commits transactions only after a user-defined time interval has passed."),
			configdef.InIgnoreCase("INTERVAL", "POLL", "CONNECTOR")),
		with(key(BoundaryInterval, configdef.Long, nil, configdef.Low, groupExactlyOnce, 4, "SHORT", "Transaction boundary interval",
			"If 'transaction.boundary' is set to 'interval', determines the interval for producer transaction commits by connector tasks. If unset, defaults to the value of the worker-level 'offset.flush.interval.ms' property. It has no effect if a different transaction.boundary is specified."),
			configdef.OrNull(configdef.AtLeast(0))),
		with(key(OffsetsTopic, configdef.String, nil, configdef.Low, groupOffsets, 1, "LONG", "Offsets topic",
			"The name of a separate offsets topic to use for this connector. If empty or not specified, the worker’s global offsets topic name will be used. If specified, the offsets topic will be created if it does not already exist on the Kafka cluster targeted by this connector (which may be different from the one used for the worker's global offsets topic if the bootstrap.servers property of the connector's producer has been overridden from the worker's). Only applicable in distributed mode; in standalone mode, setting this property will have no effect."),
			configdef.NonEmpty()),
	}
}

func sink() []configdef.Key {
	t := configdef.Text
	return []configdef.Key{
		with(key(Topics, configdef.List, t(""), configdef.High, groupCommon, 4, "LONG", "Topics",
			"List of topics to consume, separated by commas"), configdef.DistinctList(true)),
		with(key(TopicsRegex, configdef.String, t(""), configdef.High, groupCommon, 4, "LONG", "Topics regex",
			"Regular expression giving topics to consume. Under the hood, the regex is compiled to a <code>java.util.regex.Pattern</code>. Only one of topics or topics.regex should be specified."),
			pattern()),
		key(DeadLetters, configdef.String, t(""), configdef.Medium, groupErrors, 6, "MEDIUM", "Dead Letter Queue Topic Name",
			"The name of the topic to be used as the dead letter queue (DLQ) for messages that result in an error when processed by this sink connector, or its transformations or converters. The topic name is blank by default, which means that no messages are to be recorded in the DLQ."),
		key("errors.deadletterqueue.topic.replication.factor", configdef.Short, t("3"), configdef.Medium, groupErrors, 7, "MEDIUM", "Dead Letter Queue Topic Replication Factor",
			"Replication factor used to create the dead letter queue topic when it doesn't already exist."),
		key("errors.deadletterqueue.context.headers.enable", configdef.Boolean, t("false"), configdef.Medium, groupErrors, 8, "MEDIUM", "Enable Error Context Headers",
			"If true, add headers containing error context to the messages written to the dead letter queue. To avoid clashing with headers from the original record, all error context header keys, all error context header keys will start with <code>__connect.errors.</code>"),
	}
}
