package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// control notes what the supervisor tells.
type control struct {
	mu       sync.Mutex
	statuses []Status
	released []Released
	prepared []lease.Epoch
}

func (*control) RightLeft() time.Duration                            { return time.Hour }
func (*control) Confirm(context.Context, unit.ID, lease.Epoch) error { return nil }
func (*control) Fenced(unit.ID, lease.Epoch)                         {}
func (c *control) Prepared(u unit.ID, e lease.Epoch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prepared = append(c.prepared, e)
}
func (c *control) Status(s Status) { c.mu.Lock(); c.statuses = append(c.statuses, s); c.mu.Unlock() }
func (c *control) Released(r Released) {
	c.mu.Lock()
	c.released = append(c.released, r)
	c.mu.Unlock()
}

func (c *control) last() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.statuses) == 0 {
		return Status{}
	}
	return c.statuses[len(c.statuses)-1]
}

func (c *control) gone() []Released {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Released{}, c.released...)
}

// fake is an instance that does what it is told.
type fake struct {
	f    *factory
	spec Spec
	env  Env
	end  chan error
	hang bool

	mu                                sync.Mutex
	stopped, left, paused, susp, gone bool
}

func (i *fake) Run(context.Context) error {
	i.env.Running()
	return <-i.end
}

func (i *fake) Stop(leave bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.stopped && !i.hang {
		i.end <- nil
	}
	i.stopped, i.left = true, leave
}

func (i *fake) SetPaused(p bool)    { i.mu.Lock(); i.paused = p; i.mu.Unlock() }
func (i *fake) SetSuspended(s bool) { i.mu.Lock(); i.susp = s; i.mu.Unlock() }
func (i *fake) Cut()                { i.mu.Lock(); i.gone = true; i.mu.Unlock() }

func (i *fake) is(f func(i *fake) bool) func() bool {
	return func() bool { i.mu.Lock(); defer i.mu.Unlock(); return f(i) }
}

type factory struct {
	mu   sync.Mutex
	made []*fake
	hang bool
	err  error
}

func (f *factory) New(spec Spec, env Env) (Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	i := &fake{f: f, spec: spec, env: env, end: make(chan error, 2), hang: f.hang, paused: spec.Paused}
	f.made = append(f.made, i)
	return i, nil
}

func (f *factory) count() int     { f.mu.Lock(); defer f.mu.Unlock(); return len(f.made) }
func (f *factory) at(n int) *fake { f.mu.Lock(); defer f.mu.Unlock(); return f.made[n] }

var errFenced = errors.New("fenced")

func newTest(t *testing.T, f *factory) (*Supervisor, *control) {
	t.Helper()
	c := &control{}
	s := New(Config{Factory: func(Spec) (Factory, error) { return f, nil }, Fenced: func(err error) bool { return errors.Is(err, errFenced) },
		StopTimeout: 10 * time.Millisecond, Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)}, c)
	t.Cleanup(s.Kill)
	return s, c
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("waiting in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func want(epoch int64, change func(d *Desired)) Desired {
	d := Desired{Spec: Spec{Unit: unit.Task("c", 0), Epoch: lease.Epoch{Revision: epoch}, Class: unit.ClassExclusive, Fingerprint: []byte("f")},
		Target: sluicev1.TargetState_TARGET_STATE_STARTED}
	if change != nil {
		change(&d)
	}
	return d
}

func TestSupervisor_StartsOnlyUnderAConfirmedRight(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Desire(want(1, nil))
	s.Right(true, false)
	<-time.After(30 * time.Millisecond)
	if f.count() != 0 {
		t.Fatal("started without confirmation")
	}
	s.Right(true, true)
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	if f.count() != 1 {
		t.Errorf("%d instances", f.count())
	}
}

func TestSupervisor_AReleaseStopsFirstAndIsReportedOnce(t *testing.T) {
	for mode, leave := range map[sluicev1.ReleaseMode]bool{sluicev1.ReleaseMode_RELEASE_MODE_MOVE: false, sluicev1.ReleaseMode_RELEASE_MODE_LEAVE: true} {
		f := &factory{}
		s, c := newTest(t, f)
		s.Right(true, true)
		s.Desire(want(1, nil))
		await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
		s.Desire(want(1, func(d *Desired) { d.Release = mode }))
		await(t, "the release", func() bool { return len(c.gone()) == 1 })
		if r := c.gone()[0]; r.Outcome != sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN || r.Epoch.Revision != 1 {
			t.Errorf("%+v", r)
		}
		if i := f.at(0); !i.is(func(i *fake) bool { return i.stopped && i.left == leave && !i.gone })() {
			t.Errorf("%v: stopped %v, left %v, cut %v", mode, i.stopped, i.left, i.gone)
		}
		await(t, "no slot", func() bool { return len(s.Units()) == 0 })
	}
}

func TestSupervisor_AFailureStaysUntilARestartIsAskedFor(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	f.at(0).end <- errors.New("boom")
	await(t, "FAILED", func() bool { return c.last().State == sluicev1.State_STATE_FAILED && c.last().Trace == "boom" })
	s.Desire(want(1, nil))
	<-time.After(20 * time.Millisecond)
	if f.count() != 1 {
		t.Fatal("it was started again without being asked to")
	}
	s.Desire(want(1, func(d *Desired) { d.Spec.Restart = 1 }))
	await(t, "RUNNING again", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING && c.last().Restart == 1 })
}

func TestSupervisor_PausesInPlaceAndKeepsWhatIsEqual(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	s.Desire(want(1, func(d *Desired) { d.Target = sluicev1.TargetState_TARGET_STATE_PAUSED }))
	await(t, "PAUSED", func() bool { return c.last().State == sluicev1.State_STATE_PAUSED })
	s.Desire(want(1, func(d *Desired) { d.Spec.TaskSet, d.Spec.Generation = "next", 2 }))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING && c.last().Generation == 2 })
	if f.count() != 1 {
		t.Errorf("an equal task was restarted: %d instances", f.count())
	}
	s.Desire(want(1, func(d *Desired) { d.Spec.Fingerprint = []byte("other") }))
	await(t, "another instance", func() bool { return f.count() == 2 })
	if !f.at(0).is(func(i *fake) bool { return i.stopped })() {
		t.Error("the first goes on beside the second")
	}
}

func TestSupervisor_AnEndedRightSuspendsAndItsReturnResumesOnlyConfirmed(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	s.Right(false, false)
	if !f.at(0).is(func(i *fake) bool { return i.susp })() {
		t.Error("not suspended at once")
	}
	s.Right(true, false)
	<-time.After(20 * time.Millisecond)
	if !f.at(0).is(func(i *fake) bool { return i.susp })() {
		t.Error("resumed without confirmation")
	}
	s.Right(true, true)
	await(t, "resumed", f.at(0).is(func(i *fake) bool { return !i.susp }))
	if f.count() != 1 {
		t.Errorf("%d instances", f.count())
	}
}

func TestSupervisor_APluginThatDoesNotStopIsCutAndAbandoned(t *testing.T) {
	f := &factory{hang: true}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	s.Desire(want(1, func(d *Desired) { d.Release = sluicev1.ReleaseMode_RELEASE_MODE_MOVE }))
	await(t, "the release", func() bool { return len(c.gone()) == 1 })
	if r := c.gone()[0]; r.Outcome != sluicev1.ReleaseOutcome_RELEASE_OUTCOME_ABANDONED {
		t.Errorf("%+v", r)
	}
	if !f.at(0).is(func(i *fake) bool { return i.gone })() {
		t.Error("abandoned without being cut from Kafka")
	}
	f.at(0).end <- nil
}

func TestSupervisor_AFencedUnitStartsAgainAndHasNotFailed(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, func(d *Desired) { d.Spec.Class = unit.ClassKafkaFenced }))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	f.at(0).end <- errFenced
	await(t, "another instance", func() bool { return f.count() == 2 })
	for _, st := range c.statuses {
		if st.State == sluicev1.State_STATE_FAILED {
			t.Errorf("%+v", st)
		}
	}
}

func TestSupervisor_AUnitThatIsRemovedIsCutAndNotReported(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	s.Remove(unit.Task("c", 0))
	await(t, "no slot", func() bool { return len(s.Units()) == 0 })
	if len(c.gone()) != 0 || !f.at(0).is(func(i *fake) bool { return i.gone && i.stopped })() {
		t.Errorf("%v", c.gone())
	}
}

func TestSupervisor_AUnitThatCannotBeMadeIsFailed(t *testing.T) {
	f := &factory{err: errors.New("no such class")}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "FAILED", func() bool { return c.last().State == sluicev1.State_STATE_FAILED && c.last().Trace == "no such class" })
}

func TestSupervisor_WhereTheRightEndsWhileAnInstanceIsMadeNothingStarts(t *testing.T) {
	f := &factory{}
	c := &control{}
	var s *Supervisor
	var once sync.Once
	s = New(Config{Factory: func(Spec) (Factory, error) {
		once.Do(func() { s.Right(false, false) }) // a constructor that takes its time
		return f, nil
	}, StopTimeout: 10 * time.Millisecond, Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)}, c)
	t.Cleanup(s.Kill)
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "an instance is made", func() bool { return f.count() == 1 })
	s.Right(true, false) // it runs again, and nothing is confirmed yet
	if len(s.Held()) != 1 || c.last() != (Status{}) {
		t.Fatalf("held %v, told %+v", s.Held(), c.last())
	}
	s.Right(true, true)
	await(t, "another runs", func() bool { return f.count() == 2 && c.last().State == sluicev1.State_STATE_RUNNING })
}

func TestSupervisor_AReloadStopsSoftlyAndStartsAgainOnlyWhereItCan(t *testing.T) {
	f := &factory{}
	s, c := newTest(t, f)
	s.Right(true, true)
	s.Desire(want(1, func(d *Desired) { d.Spec.Class = unit.ClassKafkaFenced }))
	await(t, "RUNNING", func() bool { return c.last().State == sluicev1.State_STATE_RUNNING })
	s.Right(false, false) // the control plane is away, and a sink goes on
	f.at(0).env.(Reloader).Reload()
	<-time.After(20 * time.Millisecond)
	if f.at(0).is(func(i *fake) bool { return i.stopped })() {
		t.Fatal("it was stopped where nothing can be started")
	}
	s.Right(true, true)
	await(t, "another instance", func() bool { return f.count() == 2 })
	if !f.at(0).is(func(i *fake) bool { return i.stopped && !i.left && !i.gone })() {
		t.Error("the first was not stopped softly")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range c.statuses {
		if st.State == sluicev1.State_STATE_FAILED {
			t.Errorf("%+v", st)
		}
	}
}

func TestSupervisor_AUnitThatRunsCostsItsInstancesGoroutine(t *testing.T) {
	f := &factory{}
	s, _ := newTest(t, f)
	s.Right(true, true)
	before := runtime.NumGoroutine()
	const units = 50
	for i := range units {
		s.Desire(want(1, func(d *Desired) { d.Spec.Unit.Task = i }))
	}
	await(t, "no more goroutines than instances", func() bool { return f.count() == units && runtime.NumGoroutine() <= before+units })
	f.at(0).end <- errors.New("broken")
	await(t, "a failure is told", func() bool {
		return slices.ContainsFunc(s.States(), func(st State) bool { return st.State == sluicev1.State_STATE_FAILED })
	})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < units; i++ {
		if !f.at(i).is(func(i *fake) bool { return i.stopped })() {
			t.Errorf("instance %d was not stopped", i)
		}
	}
}
