package supervisor

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/sluice-project/sluice/internal/unit"
)

// parked is an instance that parks whenever it has nothing to do.
type parked struct {
	env     Env
	runs    atomic.Int64
	work    atomic.Int64 // what is to be done
	done    atomic.Int64
	stopped atomic.Bool
	fails   atomic.Bool
	during  func() // of each run
}

func (p *parked) New(_ Spec, env Env) (Instance, error) {
	p.env = env
	return p, nil
}

func (p *parked) Run(context.Context) error {
	if p.runs.Add(1) == 1 {
		p.env.Running()
	}
	if p.stopped.Load() {
		return nil
	}
	if p.fails.Load() {
		panic(errors.New("out of luck"))
	}
	p.done.Store(p.work.Load())
	if p.during != nil {
		p.during()
	}
	return ErrParked
}

func (p *parked) again() { p.env.(Parker).Again() }

func (p *parked) Stop(bool) {
	p.stopped.Store(true)
	p.again()
}
func (*parked) SetPaused(bool)      {}
func (p *parked) SetSuspended(bool) { p.again() }
func (p *parked) Cut()              { p.Stop(false) }

// resting says whether the instance has parked.
func (p *parked) resting() bool {
	in := p.env.(*env).inst
	in.parking.Lock()
	defer in.parking.Unlock()
	return in.parked
}

func newParked(t *testing.T, p *parked) (*Supervisor, *control) {
	t.Helper()
	s, c := newTest(t, &factory{})
	s.cfg.Factory = func(Spec) (Factory, error) { return p, nil }
	s.Right(true, true)
	s.Desire(want(1, nil))
	await(t, "it has parked", func() bool { return p.runs.Load() > 0 && p.resting() })
	return s, c
}

func TestParked_RunsAgainForWhatHappens(t *testing.T) {
	p := &parked{}
	newParked(t, p)
	for n := range int64(1000) {
		p.work.Store(n)
		p.again()
		await(t, "it has seen it", func() bool { return p.done.Load() == n })
	}
}

// What happens after an instance has looked, and before it has parked, is not missed.
func TestParked_MissesNothingWhileItParks(t *testing.T) {
	p := &parked{}
	p.during = func() {
		if n := p.work.Load(); n < 1000 {
			p.work.Store(n + 1)
			p.again()
		}
	}
	newParked(t, p)
	if p.done.Load() != 1000 || p.runs.Load() < 1001 {
		t.Errorf("%d of 1000 were seen in %d runs", p.done.Load(), p.runs.Load())
	}
}

func TestParked_IsReleasedAndStopped(t *testing.T) {
	p := &parked{}
	s, c := newParked(t, p)
	s.Desire(want(1, func(d *Desired) { d.Release = 1 }))
	await(t, "it is released", func() bool { return len(c.gone()) == 1 })
	if got := c.gone()[0]; got.Unit != unit.Task("c", 0) || got.Outcome != 1 {
		t.Errorf("%+v", got)
	}

	p = &parked{}
	s, _ = newParked(t, p)
	if err := s.Stop(t.Context()); err != nil || !p.stopped.Load() {
		t.Errorf("%v, stopped %t", err, p.stopped.Load())
	}
}

func TestParked_IsSuspendedAndFails(t *testing.T) {
	p := &parked{}
	s, c := newParked(t, p)
	runs := p.runs.Load()
	s.Right(false, false) // with the supervisor's lock held
	await(t, "it has seen that", func() bool { return p.runs.Load() > runs && p.resting() })
	s.Right(true, true)
	p.fails.Store(true)
	p.again()
	await(t, "it has failed", func() bool { return c.last().Trace != "" })
}
