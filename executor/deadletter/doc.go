// Package deadletter writes records that a sink could not process to another topic: Kafka Connect's dead letter queue
// (KIP-298, DeadLetterQueueReporter).
//
// The one idea: a Queue knows which of its records Kafka has not acknowledged, so that the task can wait for all of them
// before it commits. Promise 1: no offset passes a record that is in neither the sink nor the queue. (Kafka Connect
// waits for the records that tasks report, and not for those that converters and transforms failed on; and where Kafka
// refuses one of those, it logs that and goes on. Here the task fails.)
//
// The producer is opened at the first record and closed after a minute without one. A goroutine of the queue's carries
// its reports; Close joins it. A Queue is safe for concurrent use.
//
// What is Java's own in a record's context headers is said in Java's words as far as there are some: java.go.
package deadletter
