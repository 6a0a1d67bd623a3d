// Package dev runs every part of Sluice in one process: etcd (embedded, or memory in standalone mode), the control
// plane, the gateway, one executor, and a Kafka-protocol broker (franz-go's kfake) where no other is given.
//
// The parts are the real ones and speak gRPC to one another; only the processes are missing. Start with dev.go.
package dev
