// Package kafka runs the main job on a real Kafka broker (KRaft, one node), and has Kafka's own console tools look at
// what is in it afterwards. `make integration` runs it; it needs a JDK and Maven, and says so.
package kafka
