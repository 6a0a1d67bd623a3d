// Package api serves the gRPC services that users call: connectors, plugins, the cluster. Each call is
// thin: it checks its input, reads the view or writes through the store, and answers in Kafka Connect's
// words, since the REST gateway passes messages on as they are.
//
// Reads follow writes: a read waits until the view is as new as the store. Without quorum it answers
// from the view as it is and says so in the header `sluice-warning`; a write fails then.
//
// Bad input gets an error with a reason and changes nothing: everything is checked, by an executor that
// has the plugin too, before the one write of a call.
//
// status.go is the only place of the control plane that builds gRPC statuses; handlers anywhere return
// errs.Error or a sentinel of their package, and the interceptors translate them.
// Start reading at connectors.go, then write.go.
package api
