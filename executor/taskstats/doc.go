// Package taskstats counts what tasks do: how much, how fast, how late, and when they last moved.
//
// The one idea: a Task is a handful of atomics that the task's own goroutines write once a batch, never once a record.
// Whoever asks (an API call, a scrape) reads them with View, at any time, from any goroutine: a task that hangs answers as
// well as one that runs. What has to be a rate, an average or a maximum is taken over a window of 30 s, from samples
// that the executor's Registry takes every 5 s of all its tasks; nothing leaves the executor unless somebody asks.
//
// From the same numbers follows whether a task is stalled: it has something to move, is free to, and has moved nothing for
// StalledAfter. See stalled.go for what that means, case by case.
//
// Counters belong to one run of a task: a restart begins at 0. Times are those of the executor.
//
// Start with task.go, then view.go and stalled.go.
package taskstats
