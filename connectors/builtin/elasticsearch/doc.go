// Package elasticsearch is the sink for Elasticsearch and OpenSearch, with the keys of the Confluent Elasticsearch sink and
// of Aiven's OpenSearch sink.
//
// The one idea: a record becomes the lines of a bulk request at once, in Put, and the record itself is forgotten: what
// waits and is on its way are bytes (package bulk). Flush, before offsets are committed, waits for all answers. Where records may have
// to go to a dead letter queue, Put waits for its own answers, so that the queue gets what was consumed, byte for byte.
//
// A record that comes again changes nothing: its document has the id of its key, with its offset as the version, or the id of its
// place in Kafka. Start with task.go; document.go makes lines, shape.go values as Elasticsearch has them, index.go what has
// to be there before.
package elasticsearch
