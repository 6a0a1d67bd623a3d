// Package gateway is the process in front of the control plane that speaks REST: Kafka Connect's API at
// the root, Sluice's own under /v1/. It holds no state: any number of gateways may stand behind one
// address, and each finds the replicas of the control plane by itself.
//
// A write carries a request id that the gateway makes, and is sent again where a replica went away
// before it answered: the id makes the second attempt get the first one's answer.
//
// Start reading at gateway.go; the translation is in rest.
package gateway
