// Package datagen is a source of made-up records, for demos, tests and measurements.
//
// The one idea: record n of a task is a pure function of (seed, task, n), whatever was read before. So
// the offset is n alone, a resumed task goes on with the very records that it would have made, and a
// reader who knows the config can tell what must have arrived.
//
// The source partition is {"task": number}, the offset {"sequence": n}, where n is the number of the
// record, from 0; a task resumes with n+1. Start reading in shapes.go.
package datagen
