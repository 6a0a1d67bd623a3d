// Package altering reads and alters the offsets of connectors: source offsets in the store of executor/offsets, a
// sink's as the committed offsets of its consumer group.
//
// The one idea: a request is absolute, so doing it twice is doing it once. The holder of offsets:<name> does it while
// none of the connector's tasks can be held, says what it came to, and waits to be released; one that is stopped
// before that, or dies, says nothing, and whoever is granted the unit next begins anew. Source offsets are written in
// one transaction, and a later attempt fences an earlier one. A sink's are first checked as far as they can be (the
// partitions exist, the group has no members), then committed, then forgotten: two requests to Kafka, so that a kill
// between them is repaired by the next holder.
//
// What is refused is refused before anything is written, in Kafka Connect's words where it has some.
// Start with altering.go; sink.go and source.go are the two kinds, parse.go reads the JSON.
package altering
