// Package connectors is the SDK: what a connector implements and what it is handed. A connector plans
// (SourceConnector, SinkConnector), its tasks move records (SourceTask polls, SinkTask puts). The batch
// is the only unit of data, so that a plugin can be served from another process later.
//
// The runtime calls one task from one goroutine at a time and converts, produces, commits and retries
// for it; a task that panics or hangs fails alone. The core (this package, data, configdef) imports the
// standard library alone.
package connectors
