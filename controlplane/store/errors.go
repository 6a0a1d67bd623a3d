package store

import "errors"

// The errors of the store. Callers test with errors.Is.
var (
	// ErrUnavailable: etcd has no quorum or does not answer in time. Try again.
	ErrUnavailable = errors.New("store: etcd is not available")
	// ErrCompacted: the revisions that were asked for are not known any more. Begin with what is there now.
	ErrCompacted = errors.New("store: these revisions are compacted")
	// ErrDenied: etcd does not let this user in, or not at these keys. Asking again does not help.
	ErrDenied = errors.New("store: etcd denies access")
	// ErrFull: etcd's quota is used up. It takes no write until it was compacted and defragmented, and the alarm disarmed.
	ErrFull = errors.New("store: etcd is full: compact and defragment it, then disarm its NOSPACE alarm")
	// ErrExists: the connector's name is taken.
	ErrExists = errors.New("store: the connector exists already")
	// ErrNotFound: there is no such connector, task set or session.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: others wrote the key each time it was tried.
	ErrConflict = errors.New("store: written by others at the same time")
	// ErrLapsed: the session's lease is gone. A new session is needed.
	ErrLapsed = errors.New("store: the session's lease has lapsed")
	// ErrSuperseded: a newer stream of the session is served elsewhere.
	ErrSuperseded = errors.New("store: a newer stream owns the session")
	// ErrPlanStale: the plan is for another incarnation, config or planner, or the target is STOPPED. Drop it.
	ErrPlanStale = errors.New("store: the plan does not match what is there now")
	// ErrOffsetsBusy: the connector has changed, or another request alters its offsets. Look again.
	ErrOffsetsBusy = errors.New("store: the connector or its request to alter offsets is another now")
	// ErrOffsetsStale: nobody waits for this result any more, or another executor holds the unit. Drop it.
	ErrOffsetsStale = errors.New("store: the request to alter offsets is not this holder's any more")
	// ErrNotLeader: the guard's key is gone. Stop leading.
	ErrNotLeader = errors.New("store: not the leader any more")
	// ErrTooLarge: a config or task set is above its limit. The message names it.
	ErrTooLarge = errors.New("store: too large")
)
