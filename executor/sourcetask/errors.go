package sourcetask

import "errors"

var (
	// ErrProduce is wrapped where Kafka did not take a record. The task fails and its offset is not
	// committed.
	ErrProduce = errors.New("sourcetask: a record was not delivered")
	// ErrTopic is wrapped where a topic does not exist and nobody creates it.
	ErrTopic = errors.New("sourcetask: the topic does not exist")
	// ErrUnflushed is wrapped by Run's error after a stop where records or offsets could not be finished in
	// time. Nothing is lost: they are read again. The release has failed, not the unit.
	ErrUnflushed = errors.New("sourcetask: stopped before everything was delivered and committed")
	// ErrCut is returned by Run after Cut.
	ErrCut = errors.New("sourcetask: cut from Kafka")
	// ErrHung is wrapped where the plugin has not returned in time and was left behind.
	ErrHung = errors.New("sourcetask: the plugin does not return")
	// ErrConfig is wrapped where the configs cannot be run.
	ErrConfig = errors.New("sourcetask: invalid config")
	// ErrTransaction is wrapped where a transaction cannot end: the connector asked for both a commit and an abort, or
	// Kafka aborted it for its age.
	ErrTransaction = errors.New("sourcetask: transaction")
	// errMark says that a report or an offset does not fit the ledger.
	errMark = errors.New("sourcetask: ledger (bug)")
)
