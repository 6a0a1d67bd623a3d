// Package framework declares the keys that every connector config has, whatever the plugin: Kafka Connect
// 4.3's ConnectorConfig, SourceConnectorConfig and SinkConnectorConfig, to the letter, because tools build
// forms from them. It only declares; executor/validate checks what spans several keys, and executor/plugin
// appends these keys to a plugin's own in the catalogue.
package framework
