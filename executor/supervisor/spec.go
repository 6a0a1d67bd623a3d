package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// ErrParked is what Run returns, with nothing around it, where there is nothing to do until somebody says Parker.Again.
var ErrParked = errors.New("supervisor: the instance has parked")

// Spec is what an instance is made of. It does not change during the instance's life.
type Spec struct {
	Unit  unit.ID
	Epoch lease.Epoch
	Class unit.Class
	// ConnectorConfig is the connector's; for a task the one that its task set was planned from.
	ConnectorConfig map[string]string
	// TaskConfig is the task's own, as the plugin planned it; nil for other units.
	TaskConfig map[string]string
	// Generation counts the connector's configs, Incarnation tells connectors of one name apart.
	Generation, Incarnation int64
	// TaskSet and TaskCount are of a task.
	TaskSet   string
	TaskCount int
	// Fingerprint is equal for tasks that need no restart when one becomes the other.
	Fingerprint []byte
	// Offsets is what an offsets: unit is to alter; nil where nobody waits for it any more.
	Offsets *sluicev1.OffsetsRequest
	// Restart counts the restarts that users asked for.
	Restart uint64
	// PredecessorUnfenced says that an instance of another executor may still be alive: call Env.Fenced once
	// it cannot act any more.
	PredecessorUnfenced bool
	// Paused says that the instance is to start paused.
	Paused bool
	// Secrets are what references in the configs came to; nil where there are none.
	Secrets *secrets.Set
	// Prepared is what the factory made ready before the grant, or nil: from its Run on the instance's to close.
	Prepared Prepared
}

// Env is what an instance may ask of its surroundings and tell them. Safe for concurrent use.
type Env interface {
	// Logger has the unit and the epoch.
	Logger() *slog.Logger
	// RightLeft is how long the right to run still lasts; 0 where it has ended.
	RightLeft() time.Duration
	// Confirm waits until the newest stream has the unit with this epoch under a running right. Call it
	// before each join of a group and each initTransactions. Its error is ctx's, or says that the epoch is over.
	Confirm(ctx context.Context) error
	// Running says that the plugin has started: the status becomes RUNNING, or PAUSED.
	Running()
	// Fenced says that the fence took effect: a sink has joined its group, an exactly-once source has
	// initialised its transactions.
	Fenced()
	// Warn logs a trouble that the unit outlives.
	Warn(trace string)
}

// Reloader is what the supervisor's Env is too, for whoever resolves configs.
type Reloader interface {
	// Reload has the unit stopped softly and started again, once that is possible: its config resolves to other values.
	Reload()
}

// Parker is what the supervisor's Env is too, for instances that go on without a goroutine while they wait: thousands that
// have nothing to do then cost no stacks.
type Parker interface {
	// Again has Run called again once it has returned ErrParked, at once where it has. It never blocks. An instance that parks
	// calls it whenever something happens that Run is to see.
	Again()
}

// Instance is one run of a unit. Run is called once, and once more after each time that it has parked; the other methods may
// be called at any time, also before and after Run, from other goroutines, and never block.
type Instance interface {
	// Run returns nil after Stop, with everything flushed and committed as far as was possible in the graceful
	// timeout. An error before Stop fails the unit; an error after it means that the release was not clean.
	Run(ctx context.Context) error
	// Stop ends Run softly. leave: a sink's member leaves its group.
	Stop(leave bool)
	// SetPaused pauses or resumes.
	SetPaused(paused bool)
	// SetSuspended suspends an at-least-once source: clients stay open, the plugin is not polled, nothing is
	// committed. Other units ignore it.
	SetSuspended(suspended bool)
	// Cut: from now on nothing is produced and no offset is committed. It comes before the instance is abandoned,
	// and when an exclusive unit's right ends with records in flight.
	Cut()
}

// Factory makes instances. An error is a failure of the unit.
type Factory interface {
	New(spec Spec, env Env) (Instance, error)
}
