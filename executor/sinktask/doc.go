// Package sinktask runs a sink task: poll, convert, put, and commit what the task says is safe.
//
// The one idea: one goroutine, the loop, owns the consumer, and polls it only while the plugin is not busy. So
// rebalances come when the task can be asked (Open, PreCommit, Close), and a Put that hangs costs the member its
// place in the group, as in Kafka Connect. The plugin runs in a lane (executor/stage/lane), so a hung
// plugin never keeps the loop from stopping.
//
// A task is a static member of connect-<name>: a successor with the same instance id takes its partitions at once
// (DESIGN 4.6). Joining needs a confirmed epoch; a member that was fenced or lost its partitions commits
// nothing, and Run returns an error that wraps kafkaio.ErrFenced.
//
// Start with task.go, then loop.go, commit.go and rebalance.go.
package sinktask
