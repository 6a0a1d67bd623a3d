// Package migrate moves a Kafka Connect cluster to Sluice and back: `sluice migrate from-connect`, `to-connect`, `undo`.
//
// The one idea: Kafka has everything. A take-over reads connect-configs as a Kafka Connect worker does, says what would
// not run before it changes anything, and creates the connectors over the control API; source offsets stay in their topic
// or are copied, sink offsets stay in their groups. A hand-back sets a key under which Sluice lets go of everything
// (ADR 10), and leaves topics from which a worker starts.
//
// Each step can be done again: what is there already is left as it is. Start with take.go and back.go.
package migrate
