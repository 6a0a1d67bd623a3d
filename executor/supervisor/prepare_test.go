package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/sluice-project/sluice/internal/clock"
)

// readied notes whether it was closed.
type readied struct {
	mu     sync.Mutex
	closed int
}

func (r *readied) Close() { r.mu.Lock(); r.closed++; r.mu.Unlock() }

func (r *readied) closes() int { r.mu.Lock(); defer r.mu.Unlock(); return r.closed }

// preparer is a factory that makes ready what it is told to.
type preparer struct {
	factory
	prepared readied
	failure  error
	gate     chan struct{} // closed where nothing is to wait
}

func (f *preparer) Prepare(ctx context.Context, _ Spec, _ *slog.Logger) (Prepared, error) {
	select {
	case <-f.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.failure != nil {
		return nil, f.failure
	}
	return &f.prepared, nil
}

func newPreparer(t *testing.T) (*preparer, *Supervisor, *control) {
	t.Helper()
	f, c := &preparer{gate: make(chan struct{})}, &control{}
	s := New(Config{Factory: func(Spec) (Factory, error) { return f, nil }, Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)}, c)
	t.Cleanup(s.Kill)
	s.Right(true, true)
	return f, s, c
}

func (c *control) readiness() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.prepared) }

func TestPrepare_WhatIsReadyIsToldAndGoesToTheInstanceThatIsGrantedNextAndNothingStartsBefore(t *testing.T) {
	f, s, c := newPreparer(t)
	close(f.gate)
	s.Prepare(want(1, nil).Spec)
	await(t, "readiness is told", func() bool { return c.readiness() == 1 })
	if f.count() != 0 {
		t.Fatal("an instance was made before the grant")
	}
	s.Prepare(want(1, nil).Spec) // a new stream asks again
	if c.readiness() != 2 {
		t.Error("a new stream is not told")
	}
	s.Desire(want(2, nil))
	await(t, "it runs", func() bool { return f.count() == 1 })
	if f.at(0).spec.Prepared != Prepared(&f.prepared) || f.prepared.closes() != 0 {
		t.Errorf("the instance got %v, closed %d times", f.at(0).spec.Prepared, f.prepared.closes())
	}
	// Its next run has nothing made ready: the first one has used it.
	s.Desire(want(2, func(d *Desired) { d.Spec.Restart = 1 }))
	await(t, "it runs again", func() bool { return f.count() == 2 })
	if f.at(1).spec.Prepared != nil {
		t.Error("what was used is given out again")
	}
}

func TestPrepare_WhatFitsNotOrFailsIsDoneWithoutAndClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		failure error
		change  func(d *Desired)
		closes  int
	}{
		"another config":              {change: func(d *Desired) { d.Spec.Fingerprint = []byte("g") }, closes: 1},
		"another incarnation":         {change: func(d *Desired) { d.Spec.Incarnation = 9 }, closes: 1},
		"it could not be made":        {failure: errors.New("no broker"), closes: 0},
		"an instance is not to be":    {change: func(*Desired) {}, closes: 1},
		"it is not granted after all": {closes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, s, c := newPreparer(t)
			f.failure = tt.failure
			close(f.gate)
			s.Prepare(want(1, nil).Spec)
			if tt.failure == nil {
				await(t, "readiness is told", func() bool { return c.readiness() == 1 })
			}
			if name == "an instance is not to be" {
				f.mu.Lock()
				f.err = errors.New("invalid config")
				f.mu.Unlock()
			}
			if tt.change != nil {
				s.Desire(want(2, tt.change))
				if f.err == nil {
					await(t, "it runs", func() bool { return f.count() == 1 })
					if f.at(0).spec.Prepared != nil {
						t.Error("it was given what was made ready for something else")
					}
				}
			} else if tt.failure == nil {
				_ = s.Stop(t.Context())
			}
			await(t, "what was made ready is closed", func() bool { return f.prepared.closes() == tt.closes })
		})
	}
}

func TestPrepare_AGrantThatComesFirstWaitsForNothing(t *testing.T) {
	f, s, c := newPreparer(t)
	s.Prepare(want(1, nil).Spec)
	s.Desire(want(2, nil))
	await(t, "it runs", func() bool { return f.count() == 1 })
	close(f.gate)
	if c.readiness() != 0 || f.at(0).spec.Prepared != nil {
		t.Error("it was told, or used")
	}
}

func TestPrepare_NoMoreThanItsBound(t *testing.T) {
	f, s, _ := newPreparer(t)
	for i := range maxPrepared + 5 {
		spec := want(1, nil).Spec
		spec.Unit.Task = i
		s.Prepare(spec)
	}
	s.mu.Lock()
	n := len(s.prepared)
	s.mu.Unlock()
	if n != maxPrepared {
		t.Errorf("%d are prepared", n)
	}
	close(f.gate)
}
