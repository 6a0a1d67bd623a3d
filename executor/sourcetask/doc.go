// Package sourcetask runs a source task, at least once or exactly once: poll, convert, produce, and commit the offsets of
// what Kafka has acknowledged.
//
// The one idea: one goroutine, the loop, owns the ledger and everything that reaches Kafka. The plugin
// runs in a lane beside it (executor/stage/lane), where a batch is polled and converted; delivery reports
// come from a goroutine that only carries them; offsets are written from a second lane. So a plugin that
// hangs never keeps the loop from stopping, and Cut takes effect at once.
//
//	lane: Poll, convert ──▶ loop: ledger.Add, Produce ──▶ Kafka ──▶ reports ──▶ loop: ledger.Ack
//	                                                      loop: ledger.Collect ──▶ lane: offsets.Store.Write
//
// A task that has nothing to do has one goroutine, the lane's, which waits in the plugin's Poll and polls again by itself as long
// as nothing comes; the loop parks (supervisor.ErrParked), and is run again once a call returns with something, offsets are written
// or a switch is set.
//
// Promise 1: the ledger hands out an offset only once every earlier record of its source partition is
// acknowledged; a record that Kafka refuses fails the task, unless errors.tolerance=all. Promise 2: nothing
// is polled, handed to the producer or committed without a running right, and after Cut nothing at all.
//
// An exactly-once source (a Kafka-fenced unit) puts records and offsets in one transaction: transaction.go. There an
// instance acts without a right, because Kafka refuses it once its successor has initialised the transactional id; and
// nothing is initialised without a right.
//
// Start with task.go (the instance and its states), then loop.go, deliver.go, commit.go, finish.go and ledger.go.
package sourcetask
