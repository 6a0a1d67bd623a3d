// Package store holds everything that Sluice keeps in etcd: keys, encodings, guarded transactions, and
// the watch that makes a state.Snapshot of it.
//
// It is written once, over a narrow Backend with two implementations: etcd, and memory for standalone
// mode and tests. Both pass the contract in storetest.
//
// The one idea: who may write is decided by what a transaction compares, never by an if before it. API
// writes compare the key's mod revision, an owner's writes the epoch (the create revision of the
// assignment's key) or the session's stream number, the leader's the election key. A write that loses
// says so by a sentinel of errors.go, and the caller looks again.
//
// Start reading at store.go, then leader.go.
package store
