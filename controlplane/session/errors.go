package session

import (
	"errors"
	"fmt"

	"github.com/sluice-project/sluice/controlplane/state"
)

// ErrStopping says that this replica stops; the executor goes to another.
var ErrStopping = errors.New("session: this replica is stopping")

// Reasons of a refusal; executors act on them.
const (
	reasonLapsed     = "session.lapsed"
	reasonSuperseded = "session.superseded"
	reasonDuplicate  = "executor.duplicate"
)

// refusalError ends a stream with a refusal that says why.
type refusalError struct{ reason, message string }

func (e *refusalError) Error() string { return e.reason + ": " + e.message }

func lapsed() *refusalError {
	return &refusalError{reasonLapsed, "The session's lease has lapsed: open a new session"}
}

func superseded() *refusalError {
	return &refusalError{reasonSuperseded, "A newer stream of this session is served"}
}

// duplicated names the session of the newer of two processes with one address.
func duplicated(newer *state.Session) *refusalError {
	return &refusalError{reasonDuplicate, fmt.Sprintf("Another process is connected as executor %s (session %s): give each its own advertised address", newer.Value.GetExecutor(), newer.ID)}
}
