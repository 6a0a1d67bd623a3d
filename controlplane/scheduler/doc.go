// Package scheduler decides what the leader writes: Plan takes a snapshot and the time and returns
// actions. Pure: no I/O, no clock, no goroutine, no log. A plan may be made twice, late, or on a stale
// view: each action is compared with what it was planned from when it is written.
//
// What it promises: a held unit is never granted; a healthy unit is never moved to make room or
// balance; no new or changed task is granted until every changed or removed task of earlier sets is
// quiet (ARCHITECTURE 4.9); where nothing has changed there is nothing to do.
//
// Start reading at plan.go.
package scheduler
