package command

import (
	"errors"

	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

var (
	// ErrNoStream says that this replica does not own the session's stream; the caller looks again.
	ErrNoStream = errors.New("command: this replica does not own the session's stream")
	// ErrNotWaiting says that nobody waits for the answer (any more); it is dropped.
	ErrNotWaiting = errors.New("command: nobody waits for this answer any more")
	// ErrStreamLost says that the executor's stream ended before the answer; another may be asked.
	ErrStreamLost = errors.New("command: the executor's stream ended before it answered")
)

// resultError is the error that an executor answered with, or nil.
func resultError(r *sluicev1.CommandResult) error {
	e := r.GetError()
	if e == nil {
		return nil
	}
	return errs.New(KnownReason(e.GetReason()), "%s", e.GetMessage())
}

// KnownReason is a reason that an executor gave, Internal where this version has none of that name.
func KnownReason(s string) errs.Reason {
	if _, ok := errs.Reasons()[errs.Reason(s)]; !ok {
		return errs.Internal
	}
	return errs.Reason(s)
}
