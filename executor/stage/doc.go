// Package stage turns batches of Connect data into Kafka's bytes and back: the chain of transforms with their
// predicates, key, value and header converters, and the operator that retries, tolerates and reports what they
// fail on. Sources: transforms, then converters; sinks: converters, then transforms.
//
// The one idea: conversion is a stage between the loops and the plugin, not a part of either (DESIGN 7).
// A guest that brings converters of its own hands over bytes and skips this package; the loops stay the
// same. A stage works on whole batches and reuses one buffer for each, so that a record costs no
// allocation here; bytes that a ByteArrayConverter would only pass on are not copied either.
//
// A stage belongs to one task, which calls it from its plugin's goroutine: converters are plugins too, and
// one that panics or hangs fails its own task. Nothing here is safe for concurrent use.
//
// Promise 1: a record is skipped only where errors.tolerance=all says so. What is skipped or fails a sink is written to its
// dead letter queue (executor/deadletter), where there is one, with tolerance or without.
//
// A record of a source that a transform filters, or whose failure is tolerated, leaves a mark without a message: its
// offset is committed with a later record of its partition, as Kafka Connect does. That of a sink is passed by its
// group's offset.
package stage
