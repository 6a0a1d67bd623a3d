package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/restart"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Desired is what the control plane wants of a unit.
type Desired struct {
	Spec   Spec
	Target sluicev1.TargetState
	// Release is not zero where the unit is to be given back.
	Release sluicev1.ReleaseMode
	// Deleted says that it is given back because its connector is no more.
	Deleted bool
}

// Status is the state of a unit, as the control plane is told.
type Status struct {
	Unit       unit.ID
	Epoch      lease.Epoch
	State      sluicev1.State
	Trace      string
	Version    string
	Restart    uint64
	Generation int64
	// Recovery says how a failed unit is started again by itself; nil where it has not failed.
	Recovery *Recovery
}

// Recovery is a failed unit's way back.
type Recovery struct {
	restart.Next
	// At is when the next attempt begins, where there is one.
	At time.Time
}

// Released says that a unit is not held any more.
type Released struct {
	Unit                unit.ID
	Epoch               lease.Epoch
	Outcome             sluicev1.ReleaseOutcome
	PredecessorUnfenced bool
}

// Held is a unit that is held.
type Held struct {
	Unit      unit.ID
	Epoch     lease.Epoch
	Suspended bool
}

// Control is what the supervisor needs of the session with the control plane. It never blocks, but for Confirm.
type Control interface {
	RightLeft() time.Duration
	Confirm(ctx context.Context, u unit.ID, e lease.Epoch) error
	Status(s Status)
	Fenced(u unit.ID, e lease.Epoch)
	Released(r Released)
	// Prepared says that a unit is ready that e's holder still has.
	Prepared(u unit.ID, e lease.Epoch)
}

// Config is what a supervisor needs.
type Config struct {
	// Factory finds what makes instances of a unit.
	Factory func(s Spec) (Factory, error)
	// Fenced tells an instance's error that means "a newer instance took this one's place": the unit is then
	// confirmed and started again, and has not failed.
	Fenced func(err error) bool
	// Classify says what kind of trouble an error is, for sluice.restart.on; nil knows none.
	Classify func(err error) connectors.ErrorClass
	// Version is the version of a unit's plugin.
	Version func(s Spec) string
	// Deleted, where it is set, is called before a task of a deleted connector is reported as released, once it has
	// stopped. It has to be quick.
	Deleted func(ctx context.Context, u unit.ID)
	// StopTimeout is what an instance has for stopping (task.shutdown.graceful.timeout.ms); it is left behind
	// two seconds after it.
	StopTimeout time.Duration
	// ContinueOnLeaseLoss lets at-least-once sources go on while the right does not run (sluice.lease.loss=continue):
	// where another executor is given them meanwhile, records come twice.
	ContinueOnLeaseLoss bool
	Clock               clock.Clock
	Logger              *slog.Logger
}

// Supervisor holds units. Safe for concurrent use; nothing but Stop blocks.
type Supervisor struct {
	cfg     Config
	control Control
	group   *run.Group // the slots'
	runs    *run.Group // the instances': it outlives group, whose slots stop them

	started, unstarted atomic.Int64 // instances of tasks

	mu        sync.Mutex
	slots     map[unit.ID]*slot
	prepared  map[unit.ID]*preparation
	running   bool // the right runs
	confirmed bool // and the newest stream's set is whole
	expired   bool // the right has ended for longer than Kafka-fenced units may go on
	stopping  bool // every slot has its goroutine until its unit has stopped
}

// New returns a supervisor that holds nothing.
func New(cfg Config, control Control) *Supervisor {
	return &Supervisor{cfg: cfg, control: control, group: run.New(context.Background(), "supervisor"), runs: run.New(context.Background(), "unit"), slots: map[unit.ID]*slot{}, prepared: map[unit.ID]*preparation{}}
}

// Desire says what is wanted of a unit from now on.
func (s *Supervisor) Desire(d Desired) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[d.Spec.Unit]
	if sl == nil {
		if s.stopping {
			return
		}
		sl = &slot{sup: s, id: d.Spec.Unit, wake: make(chan struct{}, 1), parked: true}
		s.slots[d.Spec.Unit] = sl
	}
	if sl.want == nil || sl.want.Spec.Epoch != d.Spec.Epoch {
		sl.record(d.Spec, history.Granted)
	}
	sl.want = &d
	sl.poke()
}

// Remove says that a unit is not to be held any more, and that nobody waits for its release.
func (s *Supervisor) Remove(u unit.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.slots[u]; sl != nil {
		sl.want = nil
		sl.poke()
	}
}

// Right says whether the right to run units runs, and whether what is desired is confirmed.
func (s *Supervisor) Right(running, confirmed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == running && s.confirmed == confirmed {
		return
	}
	s.running, s.confirmed = running, running && confirmed
	for _, sl := range s.slots {
		// At once, and not by the slot's goroutine, which may be waiting for a plugin.
		if !running && sl.inst != nil && sl.inst.spec.Class == unit.ClassExclusive && !s.cfg.ContinueOnLeaseLoss {
			sl.suspended = true
			sl.inst.SetSuspended(true)
			sl.record(sl.inst.spec, history.Suspended)
		}
		sl.poke()
	}
}

// Expire says whether the right has ended for longer than Kafka-fenced units may go on without it: they are stopped
// then, as the control plane counts them as quiet.
func (s *Supervisor) Expire(expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expired == expired {
		return
	}
	s.expired = expired
	for _, sl := range s.slots {
		sl.poke()
	}
}

// Held lists what is held.
func (s *Supervisor) Held() []Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Held
	for id, sl := range s.slots {
		if sl.inst != nil {
			out = append(out, Held{Unit: id, Epoch: sl.inst.spec.Epoch, Suspended: sl.suspended})
		} else if sl.want != nil {
			out = append(out, Held{Unit: id, Epoch: sl.want.Spec.Epoch, Suspended: !s.running})
		}
	}
	return out
}

// State is what was last told of a unit.
type State struct {
	Unit unit.ID
	// Class is the connector.class.
	Class string
	State sluicev1.State
}

func stateOfSpec(s Spec, st sluicev1.State) State {
	return State{Unit: s.Unit, Class: s.ConnectorConfig["connector.class"], State: st}
}

// States lists what was last told of the units that are held, failed ones too. A unit of which nothing was told yet is UNASSIGNED.
func (s *Supervisor) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []State
	for _, sl := range s.slots {
		switch {
		case sl.shown.State != sluicev1.State_STATE_UNSPECIFIED:
			out = append(out, sl.shown)
		case sl.want != nil:
			out = append(out, stateOfSpec(sl.want.Spec, sluicev1.State_STATE_UNASSIGNED))
		}
	}
	return out
}

// Startups says how many instances of tasks have started, and how many failed before they had.
func (s *Supervisor) Startups() (started, failed int64) { return s.started.Load(), s.unstarted.Load() }

// Units lists the units of the slots, also of those that are going.
func (s *Supervisor) Units() []unit.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []unit.ID
	for id := range s.slots {
		out = append(out, id)
	}
	return out
}

// Stop stops all instances softly and waits for them, or until ctx ends; nothing is reported as released.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for _, sl := range s.slots {
		sl.poke()
	}
	s.mu.Unlock()
	return errors.Join(s.group.Stop(ctx), s.runs.Stop(ctx))
}

// Kill cuts all instances from Kafka and waits for nothing, as the death of the process would. For tests.
func (s *Supervisor) Kill() {
	s.mu.Lock()
	for _, sl := range s.slots {
		if sl.inst != nil {
			sl.inst.Cut()
		}
	}
	s.mu.Unlock()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Stop(gone)
}
