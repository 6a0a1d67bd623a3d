package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/restart"
	"github.com/sluice-project/sluice/internal/fault"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	// abandonAfter is how long after the graceful timeout an instance is left behind.
	abandonAfter = 2 * time.Second
	// fencedPause keeps two executors that fence one another from doing so without a pause.
	fencedPause = time.Second
	maxTrace    = 8 << 10
)

var errEnded = errors.New("the unit ended by itself")

// slot is the place of one unit. It has a goroutine only while there is something to do or to wait for by the clock: a unit
// that runs costs its instance's.
type slot struct {
	sup  *Supervisor
	id   unit.ID
	wake chan struct{}

	// Guarded by sup.mu.
	parked    bool // the slot has no goroutine: poke begins another
	want      *Desired
	inst      *instance
	suspended bool
	shown     State // as last told; UNSPECIFIED where nothing was

	// Of the slot's goroutine.
	failed  *Spec     // what failed: it is not tried again until something of it changes, or retryAt
	retryAt time.Time // when failed starts again by itself; zero where it does not
	tally   restart.Tally
	counted *Spec     // what tally is of: anything else has its attempts anew
	told    Status    // the last status
	pause   time.Time // nothing is started before
}

// poke has the slot look again at what is wanted. sup.mu is held.
func (s *slot) poke() {
	if s.parked {
		s.parked = s.sup.group.Go(s.run) != nil
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// park says that the slot's goroutine may end: until a poke there is nothing to do. inst is the slot's, or nil.
func (s *slot) park(inst *instance) bool {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	if s.sup.stopping || len(s.wake) > 0 || inst != nil && len(inst.result) > 0 {
		return false
	}
	s.parked = true
	return true
}

// run takes one step after the other until the unit is gone, or nothing is to be done until a poke.
func (s *slot) run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.sup.mu.Lock()
		want, inst, running, confirmed, expired := s.want, s.inst, s.sup.running, s.sup.confirmed, s.sup.expired
		reload := inst != nil && inst.reload
		s.sup.mu.Unlock()
		switch {
		case want == nil:
			s.halt(ctx, false, true)
			if s.leave(nil) {
				return nil
			}
			continue
		case want.Release != 0:
			outcome := s.halt(ctx, want.Release == sluicev1.ReleaseMode_RELEASE_MODE_LEAVE, false)
			if ctx.Err() != nil {
				return nil
			}
			if want.Deleted && s.sup.cfg.Deleted != nil && s.id.Kind == unit.KindTask {
				s.sup.cfg.Deleted(ctx, s.id)
			}
			if s.leave(want) {
				s.record(want.Spec, history.Released, slog.String("outcome", outcome.String()))
				s.sup.control.Released(Released{Unit: s.id, Epoch: want.Spec.Epoch, Outcome: outcome, PredecessorUnfenced: want.Spec.PredecessorUnfenced})
				return nil
			}
			continue
		case inst != nil && s.stale(inst, want):
			s.halt(ctx, want.Target == sluicev1.TargetState_TARGET_STATE_STOPPED, false)
			continue
		case reload && confirmed: // else it could not be started again
			s.halt(ctx, false, false)
			continue
		case inst != nil && !running && s.id.Kind != unit.KindTask:
			s.halt(ctx, false, true) // planners and jobs are begun anew when the right is back
			continue
		case inst != nil && expired && inst.spec.Class == unit.ClassKafkaFenced:
			s.log(inst.spec).Warn("the control plane has been away for longer than static stability lasts: the unit is stopped")
			s.halt(ctx, false, false)
			continue
		case inst == nil && (confirmed || want.Spec.Class == unit.ClassKafkaFenced && fault.Out(fault.EpochGuard)) && s.startable(want):
			s.start(want)
			continue
		case inst == nil && want.Target == sluicev1.TargetState_TARGET_STATE_STOPPED:
			s.failed, s.retryAt = nil, time.Time{} // when it is started again, it is begun anew
			s.tell(want.Spec, sluicev1.State_STATE_STOPPED, "")
		case inst != nil:
			s.apply(inst, want, running, confirmed)
		}
		due := s.due(inst, want)
		if due <= 0 && s.park(inst) {
			return nil
		}
		s.wait(ctx, inst, due)
	}
	// The supervisor stops: softly, and nobody is told.
	stop, cancel := context.WithTimeout(context.Background(), s.sup.cfg.StopTimeout+abandonAfter+2*time.Second)
	defer cancel()
	s.halt(stop, false, false)
	return nil
}

// due is how long it is until the clock gives the slot something to do; 0 where it never does.
func (s *slot) due(inst *instance, want *Desired) time.Duration {
	at := s.pause
	if inst == nil && s.failed != nil && want.Target == sluicev1.TargetState_TARGET_STATE_STARTED && s.retryAt.After(at) {
		at = s.retryAt
	}
	return at.Sub(s.sup.cfg.Clock.Now())
}

func (s *slot) wait(ctx context.Context, inst *instance, due time.Duration) {
	var result chan error
	if inst != nil {
		result = inst.result
	}
	var timer <-chan time.Time
	if due > 0 {
		t := s.sup.cfg.Clock.NewTimer(due)
		defer t.Stop()
		timer = t.C()
	}
	select {
	case <-s.wake:
	case <-timer:
	case <-ctx.Done():
	case err := <-result:
		s.ended(inst, err)
	}
}

// leave takes the slot away, unless something else is wanted meanwhile.
func (s *slot) leave(want *Desired) bool {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	if s.want != want {
		return false
	}
	delete(s.sup.slots, s.id)
	return true
}

// stale says whether an instance is not what is wanted.
func (s *slot) stale(inst *instance, want *Desired) bool {
	if want.Target == sluicev1.TargetState_TARGET_STATE_STOPPED {
		return true
	}
	return !same(inst.spec, want.Spec)
}

// same says whether an instance of a may go on as b.
func same(a, b Spec) bool {
	if a.Epoch != b.Epoch || a.Restart != b.Restart || a.Incarnation != b.Incarnation {
		return false
	}
	if string(a.Fingerprint) != string(b.Fingerprint) { // of a task what it runs from, of an offsets: unit its request
		return false
	}
	return a.Unit.Kind == unit.KindTask || a.Generation == b.Generation
}

func (s *slot) startable(want *Desired) bool {
	now := s.sup.cfg.Clock.Now()
	switch {
	case want.Target == sluicev1.TargetState_TARGET_STATE_STOPPED:
		return false
	case s.failed != nil && same(*s.failed, want.Spec):
		// By itself only where it is to run: nobody waits for one that is paused.
		if s.retryAt.IsZero() || now.Before(s.retryAt) || want.Target != sluicev1.TargetState_TARGET_STATE_STARTED {
			return false
		}
	}
	return now.After(s.pause) || s.pause.IsZero()
}

// start makes an instance and runs it.
func (s *slot) start(want *Desired) {
	spec := want.Spec
	spec.Paused = want.Target == sluicev1.TargetState_TARGET_STATE_PAUSED
	ready := s.sup.takePrepared(spec)
	log := s.log(spec)
	if s.failed != nil && !s.retryAt.IsZero() && same(*s.failed, spec) {
		log.Info("unit is started again by itself")
	}
	s.failed, s.retryAt = nil, time.Time{}
	inst := &instance{slot: s, spec: spec, result: make(chan error, 1), paused: spec.Paused}
	err := run.Call(func() error {
		f, err := s.sup.cfg.Factory(spec)
		if err != nil {
			return err
		}
		with := spec
		with.Prepared = ready
		inst.Instance, err = f.New(with, &env{slot: s, inst: inst, spec: &want.Spec, log: log})
		return err
	})
	if err == nil {
		if !s.begin(inst) {
			if ready != nil {
				ready.Close()
			}
			return
		}
		err = inst.launch()
	}
	if err != nil { // it never ran
		if ready != nil {
			ready.Close()
		}
		s.sup.mu.Lock()
		s.inst = nil
		s.sup.mu.Unlock()
		s.count(&s.sup.unstarted)
		s.fail(spec, err, 0)
	}
}

// begin makes an instance the slot's, unless the right has ended while it was made: then it is forgotten, and another is
// made once the unit is confirmed again.
func (s *slot) begin(inst *instance) bool {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	if !s.sup.running && !fault.Out(fault.EpochGuard) {
		return false
	}
	s.record(inst.spec, history.Started)
	s.inst, s.suspended = inst, false
	return true
}

// apply brings a running instance's switches to what is wanted.
func (s *slot) apply(inst *instance, want *Desired, running, confirmed bool) {
	paused := want.Target == sluicev1.TargetState_TARGET_STATE_PAUSED
	s.sup.mu.Lock()
	change := inst.paused != paused
	inst.paused = paused
	told := inst.running
	resume := s.suspended && running && confirmed
	if resume {
		s.suspended = false
	}
	inst.spec.Generation, inst.spec.TaskSet, inst.spec.TaskCount = want.Spec.Generation, want.Spec.TaskSet, want.Spec.TaskCount
	s.sup.mu.Unlock()
	if change {
		inst.SetPaused(paused)
	}
	if resume {
		s.record(inst.spec, history.Resumed)
		inst.SetSuspended(false)
	}
	if told {
		s.tell(inst.spec, stateOf(paused), "")
	}
}

func stateOf(paused bool) sluicev1.State {
	if paused {
		return sluicev1.State_STATE_PAUSED
	}
	return sluicev1.State_STATE_RUNNING
}

// ended deals with an instance that returned without being asked to.
func (s *slot) ended(inst *instance, err error) {
	s.record(inst.spec, history.Stopped, slog.String("by", "itself"))
	s.sup.mu.Lock()
	s.inst = nil
	running := s.sup.running
	if !inst.running && err != nil {
		s.count(&s.sup.unstarted)
	}
	var ran time.Duration
	if !inst.since.IsZero() {
		ran = s.sup.cfg.Clock.Now().Sub(inst.since)
	}
	s.sup.mu.Unlock()
	switch {
	case err == nil:
		err = errEnded
	case s.sup.cfg.Fenced != nil && s.sup.cfg.Fenced(err):
		s.log(inst.spec).Warn("unit was fenced, and starts again once it is confirmed", logkey.Err, err)
		s.pause = s.sup.cfg.Clock.Now().Add(fencedPause)
		return
	case inst.spec.Class == unit.ClassExclusive && !running:
		s.log(inst.spec).Info("unit ended with its right", logkey.Err, err)
		return
	}
	s.fail(inst.spec, err, ran)
}

// count counts a task's instance.
func (s *slot) count(n *atomic.Int64) {
	if s.id.Kind == unit.KindTask {
		n.Add(1)
	}
}

// fail has a unit failed, and plans the next attempt where its connector's config wants one: the status stays FAILED,
// with its trace, until that attempt runs.
func (s *slot) fail(spec Spec, err error, ran time.Duration) {
	s.failed = &spec
	log := s.log(spec)
	if s.id.Kind != unit.KindConnector && s.id.Kind != unit.KindTask {
		log.Error("unit failed", logkey.Err, err)
		s.tell(spec, sluicev1.State_STATE_FAILED, trace(err))
		return
	}
	if s.counted == nil || !same(*s.counted, spec) {
		s.tally = restart.Tally{}
	}
	s.counted = &spec
	class := connectors.OtherError
	if s.sup.cfg.Classify != nil {
		class = s.sup.cfg.Classify(err)
	}
	policy, invalid := restart.Parse(spec.ConnectorConfig)
	r := &Recovery{Next: s.tally.Failed(policy, class, ran, rand.Float64())} //nolint:gosec // it spreads attempts
	if invalid != nil {
		r.Reason = invalid.Error()
	}
	if r.Again {
		r.At = s.sup.cfg.Clock.Now().Add(r.Delay)
		s.retryAt = r.At
		log.Error("unit failed, and is started again by itself", logkey.Err, err, logkey.Class, class.String(), slog.Int("attempt", r.Attempt), slog.Int("of", r.Attempts), slog.Duration("in", r.Delay))
	} else {
		log.Error("unit failed", logkey.Err, err, logkey.Class, class.String(), slog.String("not started again", r.Reason))
	}
	st := s.status(spec, sluicev1.State_STATE_FAILED, trace(err))
	st.Recovery = r
	s.send(spec, st)
}

func trace(err error) string {
	t := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(t) > maxTrace {
		t = strings.ToValidUTF8(t[:maxTrace-len("\n…")], "") + "\n…"
	}
	return t
}

// halt stops the instance, if there is one, and says how that went.
func (s *slot) halt(ctx context.Context, leave, cut bool) sluicev1.ReleaseOutcome {
	s.sup.mu.Lock()
	inst := s.inst
	s.sup.mu.Unlock()
	if inst == nil {
		return sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN
	}
	if cut {
		inst.Cut()
	}
	inst.Stop(leave)
	outcome := sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN
	err, returned := s.await(ctx, inst, s.sup.cfg.StopTimeout+abandonAfter)
	if !returned {
		inst.Cut()
		err, returned = s.await(ctx, inst, abandonAfter/2)
	}
	switch {
	case !returned && ctx.Err() != nil:
	case !returned:
		outcome = sluicev1.ReleaseOutcome_RELEASE_OUTCOME_ABANDONED
		s.log(inst.spec).Error("the plugin does not return: the unit was cut from Kafka and is left behind",
			slog.Duration("after", s.sup.cfg.StopTimeout+abandonAfter))
	case err != nil:
		outcome = sluicev1.ReleaseOutcome_RELEASE_OUTCOME_FAILED
		s.log(inst.spec).Warn("unit stopped with an error", logkey.Err, err)
	}
	if returned {
		s.record(inst.spec, history.Stopped)
	} else {
		s.record(inst.spec, history.Abandoned)
	}
	s.sup.mu.Lock()
	s.inst, s.suspended = nil, false
	s.sup.mu.Unlock()
	s.told = Status{}
	return outcome
}

func (s *slot) await(ctx context.Context, inst *instance, d time.Duration) (error, bool) { //nolint:revive // the error is the instance's result
	t := s.sup.cfg.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-inst.result:
		return err, true
	case <-t.C():
	case <-ctx.Done():
	}
	return nil, false
}

// tell reports a status that is new.
func (s *slot) tell(spec Spec, state sluicev1.State, trace string) {
	s.send(spec, s.status(spec, state, trace))
}

func (s *slot) status(spec Spec, state sluicev1.State, trace string) Status {
	st := Status{Unit: s.id, Epoch: spec.Epoch, State: state, Trace: trace, Restart: spec.Restart, Generation: spec.Generation}
	if s.sup.cfg.Version != nil {
		st.Version = s.sup.cfg.Version(spec)
	}
	return st
}

func (s *slot) send(spec Spec, st Status) {
	if st != s.told {
		s.told = st
		s.sup.mu.Lock()
		s.shown = stateOfSpec(spec, st.State)
		s.sup.mu.Unlock()
		s.sup.control.Status(st)
	}
}

func (s *slot) log(spec Spec) *slog.Logger {
	return s.sup.cfg.Logger.With(slog.String(logkey.Unit, s.id.String()), slog.String(logkey.Epoch, spec.Epoch.String()))
}

// record writes into the history.
func (s *slot) record(spec Spec, event string, more ...slog.Attr) {
	history.Record(s.log(spec), s.sup.cfg.Clock, event, append(more, slog.String(logkey.Class, spec.Class.String()))...)
}

// env is what an instance sees of its slot.
type env struct {
	slot *slot
	inst *instance
	spec *Spec // as it was started: the slot brings its own copy up to date
	log  *slog.Logger
}

func (e *env) Logger() *slog.Logger { return e.log }

func (e *env) RightLeft() time.Duration {
	if e.slot.sup.cfg.ContinueOnLeaseLoss && e.spec.Class == unit.ClassExclusive && e.spec.Unit.Kind == unit.KindTask {
		return math.MaxInt64
	}
	return e.slot.sup.control.RightLeft()
}

func (e *env) Confirm(ctx context.Context) error {
	if err := e.slot.sup.control.Confirm(ctx, e.slot.id, e.spec.Epoch); err != nil {
		return fmt.Errorf("confirming %s: %w", e.slot.id, err)
	}
	return nil
}

func (e *env) Running() {
	e.slot.sup.mu.Lock()
	defer e.slot.sup.mu.Unlock()
	if !e.inst.running {
		e.slot.count(&e.slot.sup.started)
		e.inst.running, e.inst.since = true, e.slot.sup.cfg.Clock.Now()
	}
	e.slot.poke() // the slot tells it, in order with everything else
}

func (e *env) Fenced() {
	e.slot.record(*e.spec, history.Fenced)
	e.slot.sup.control.Fenced(e.slot.id, e.spec.Epoch)
}

// Again implements Parker.
func (e *env) Again() { e.inst.unpark() }

// Reload implements Reloader.
func (e *env) Reload() {
	e.slot.sup.mu.Lock()
	defer e.slot.sup.mu.Unlock()
	e.inst.reload = true
	e.slot.poke()
}

func (e *env) Warn(trace string) { e.log.Warn("unit goes on", slog.String("trace", trace)) }
