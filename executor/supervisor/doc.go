// Package supervisor runs the units that an executor holds: it makes instances, restarts what failed,
// applies what the control plane desires, and takes instances down when the right to run them ends.
//
// The one idea: for each unit there is one slot with at most one goroutine, which compares what is desired with
// what runs and takes the next step. Everything else (a changed target, a restart, an ended right, a
// release) only changes what the slot compares with.
//
// Promises: of a unit at most one instance runs in a process; an instance is started only under a running
// right and for an epoch that the newest stream confirmed (DESIGN 4.6); a release is reported only once the
// instance has returned, or was cut from Kafka because its plugin does not return (DESIGN 4.10).
//
// A slot without anything to do and an instance that has parked have no goroutine: thousands of idle units cost none.
//
// Start with spec.go, then slot.go and instance.go.
package supervisor
