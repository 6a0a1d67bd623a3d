// Package configdef declares configs: Kafka's ConfigDef. From one definition come parsing, validation,
// the answers of the REST API and the reference documentation. Semantics and message texts are those
// of org.apache.kafka.common.config.ConfigDef.
package configdef
