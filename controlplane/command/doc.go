// Package command asks executors to do what the control plane cannot do itself (it links no plugin and
// no Kafka client): validate a config, fence the last instance of a unit, read
// offsets and active topics. A command goes down the
// stream of one session and is answered by a call of its own, within a deadline.
//
// The one idea: whoever owns a session's stream runs its commands. Commander.Run finds that replica and
// either sends the command itself or asks the peer by PeerService. The id of a command names the
// replica that waits for it, so that an answer that reaches another replica is handed on.
//
// A command may be run twice (its answer lost, its executor gone): all of them are idempotent.
// The number of commands that wait is bounded, in all and per session.
// Start reading at commander.go.
package command
