// Package executor runs connectors and tasks: it composes the session with the control plane, the supervisor, the
// planners, the source and sink tasks, and what they share of Kafka.
//
// Reading order: executor.go (what is made of what), agent (the session and its right), supervisor (units),
// sourcetask and sinktask (the record path), kafkaio (Kafka, by the batch), offsets, planner, mirror, validate.
package executor
