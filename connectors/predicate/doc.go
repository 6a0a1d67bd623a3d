// Package predicate is Kafka Connect's predicates, which decide whether a transform is applied to a record: the
// interface, and all that Kafka 4.3 ships. Nothing here is safe for concurrent use.
package predicate
