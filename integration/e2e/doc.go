// Package e2e has the end-to-end tests: real gRPC, embedded etcd, a Kafka-protocol broker, several replicas and
// executors in one process, and whole processes that are killed.
package e2e
