// Package agent keeps an executor's session with the control plane: heartbeats, the stream, the right.
//
// The one idea: the right is reckoned here and nowhere else, from the sending time of acknowledged heartbeats
// (DESIGN 4.2). The supervisor is told when it runs and whether what is desired is confirmed by the newest
// stream; it never asks the control plane for anything.
//
// Goroutines: one runs sessions and their streams, one the heartbeats of a session on a connection of their
// own, one writes a stream, one watches the right. Start with agent.go, then stream.go.
//
// Locks: tell first, then what the supervisor and its instances have, then mu. Nothing of the supervisor is called
// under mu, because instances ask for the right under locks of their own.
package agent
