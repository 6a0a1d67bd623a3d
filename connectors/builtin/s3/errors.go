package s3

import "errors"

var (
	// errLocal is of a zone that differs from machine to machine.
	errLocal = errors.New("s3: Local is no time zone")
	// ErrNoValue is wrapped where a record has no value, and behavior.on.null.values=fail.
	ErrNoValue = errors.New("s3: the record has no value")
	// ErrMoved is wrapped where a record comes under a topic that the task is not assigned: a transform has changed it.
	ErrMoved = errors.New("s3: the record comes under another topic than it was consumed from")
)
