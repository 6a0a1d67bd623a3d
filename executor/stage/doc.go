// Package stage turns batches of Connect data into Kafka's bytes and back: key, value and header
// converters, and the operator that retries, tolerates and reports what they fail on.
//
// The one idea: conversion is a stage between the loops and the plugin, not a part of either (DESIGN 7).
// A guest that brings converters of its own hands over bytes and skips this package; the loops stay the
// same. A stage works on whole batches and reuses one buffer for each, so that a record costs no
// allocation here; bytes that a ByteArrayConverter would only pass on are not copied either.
//
// A stage belongs to one task, which calls it from its plugin's goroutine: converters are plugins too, and
// one that panics or hangs fails its own task. Nothing here is safe for concurrent use.
//
// Promise 1: a record is skipped only where errors.tolerance=all says so. Kafka Connect skips one whose
// retries are exhausted even under none; here the task fails.
//
// Transforms, predicates and the dead letter queue are not built yet: Refuse names every config key that
// asks for them, so that none is ignored in silence.
package stage
