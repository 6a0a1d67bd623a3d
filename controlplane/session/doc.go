// Package session serves the executors: heartbeats, the stream of the desired set and of reports, and
// the bulk calls beside it.
//
// The one idea: a stream is level-triggered. The server remembers what it has sent to an executor,
// computes what the executor should have from the store's present view, and sends the difference. What
// it misses, coalesces or sends twice does no harm, and any replica can take a stream over.
//
// Who owns what: a session belongs to the replica with the highest stream number, and every write for
// it compares that number. A heartbeat is acknowledged only after its lease has been renewed, and the
// renewal begins only after the heartbeat has been received (DESIGN 4.2). A release is acknowledged only
// after it has been written (4.5). A connection that dies marks its session lost; a replica that stops
// marks nothing (4.7).
//
// Goroutines of a stream: the reader (from gRPC to a bounded inbox), the reporter (from the inbox to the
// store), the writer (to gRPC), and the handler itself, which computes the desired set. All of them end
// when the handler returns.
//
// Start reading at attach.go, then stream.go, desired.go, reports.go.
package session
