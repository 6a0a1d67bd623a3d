// Package loglevel holds the levels of a process's loggers, which can be changed while it runs (Kafka Connect's
// /admin/loggers).
//
// A logger is the part of a process that a log line names as its `component`. It has a level of its own, or that of the
// nearest logger above it by the dots of its name, in the end that of `root`. Setting a level also sets those of the
// loggers whose names begin with the name and that have levels of their own: log4j's rule, which Kafka Connect's users
// know.
//
// What is set for all processes, or for an executor, is kept by the control plane as a list, oldest first. Every process
// follows that list (Follow) and takes each setting once, by its number: so it does not matter which process was away
// when, and what was set in one process alone afterwards stays. A process that starts takes the whole list: unlike Kafka
// Connect's workers, of which one that is restarted forgets.
//
// Start reading at levels.go; handler.go is the slog side, service.go the gRPC side.
package loglevel
