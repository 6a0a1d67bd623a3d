// Package harness runs Sluice as it is run in production, on one machine: a real Kafka broker (from Maven), members of
// etcd, replicas of the control plane, gateways and executors, each a process with a log of its own; and kills, stops,
// continues, cuts off and starts them again. Everything that waits, waits for a condition.
//
// The processes take the example files of deploy/examples, with addresses and times over them as flags.
package harness
