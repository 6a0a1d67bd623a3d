// Package kafkaio is the only door to Kafka, and the only user of confluent-kafka-go and of cgo.
//
// The one idea: records cross between Go and librdkafka by the batch. confluent-kafka-go keeps
// configuration, groups, commits, transactions, admin calls and errors; its calls for one record each are
// not used. Batches go through native.go, a small cgo layer on the same client's handle: a call crosses
// once for hundreds of records, and memory is copied, so that no pointer of one side stays on the other.
//
// Clients are configured with Java's keys and behave as Java's: translate.go has the table. A Producer and a
// Consumer each belong to the goroutine that polls them; nothing blocks a thread while it waits, because
// librdkafka wakes the reader through a pipe.
package kafkaio
