package base

import "errors"

// ErrNotStarted is returned by TaskConfigs before a Start that succeeded: the runtime has a bug.
var ErrNotStarted = errors.New("the connector was asked for task configs before it was started (bug)")

// ErrMaxTasks is returned by TaskConfigs for fewer than one task: the runtime has a bug.
var ErrMaxTasks = errors.New("the connector was asked for fewer than one task (bug)")
