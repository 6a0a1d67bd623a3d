// Package cluster runs Sluice as separate processes on a real Kafka and a real etcd, and takes them away from one
// another: `make integration` tells the story with about ten kills, `make chaos` with as many as are asked for.
package cluster
