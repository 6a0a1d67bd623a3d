// Package reconciler is the leader's loop: snapshot -> scheduler.Plan -> guarded transactions. It is
// level-triggered: it is told that something changed, never what, and may run twice, late, or on a
// stale view and still be right, because every action is compared with what it was planned from.
//
// It also has the fences performed that nobody else would: of Kafka-fenced units whose holder lapsed
// and that have no successor.
package reconciler
