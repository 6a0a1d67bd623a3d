// Package fault takes a guard out, for tests that show what the guard is for: with it out, the checker of histories has
// to see the violation. Without the build tag `faults` no guard can be taken out, and the questions cost nothing.
package fault

// The guards.
const (
	// EpochGuard: an instance starts, and joins its group again, only where the newest stream confirms its epoch.
	EpochGuard = "epoch-guard"
	// Margin: a session outlives the executor's right by the margin.
	Margin = "margin"
	// SelfFencing: an executor suspends what is exclusive when its right ends.
	SelfFencing = "self-fencing"
	// Quiet: no new or changed task is granted before all that it may follow are quiet.
	Quiet = "quiet"
)
