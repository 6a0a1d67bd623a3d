// Package logkey holds the keys of structured logs, so that one thing has one name in every process.
package logkey

// The keys.
const (
	Connector = "connector"
	Task      = "task"
	Unit      = "unit"
	Epoch     = "epoch"
	Class     = "class"
	Executor  = "executor"
	Session   = "session"
	Replica   = "replica"
	Plugin    = "plugin"
	Topic     = "topic"
	Partition = "partition"
	Offset    = "offset"
	State     = "state"
	Err       = "err"
	// Component is the part of a process that logs.
	Component = "component"
)
