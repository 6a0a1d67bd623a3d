// Package conformance is what every connector passes, builtin or not: Run checks a plugin against the
// promises that the runtime relies on, with one or more cases of how it is configured. Its other half,
// Hostile, is a plugin that keeps none of them, for the tests of the runtime.
//
// The one idea: the checks see a connector as the runtime does, through the SDK alone, and what a case
// knows about the outer system it says in a few functions (Case). Every call has a deadline, real time
// is used only for that.
//
// A sink's batch memory is scribbled over after each Put, and a source is stopped and resumed after each
// of its records: the two mistakes that only show in production otherwise.
package conformance
