// Package lane runs the code of plugins beside the loop that needs it. A Lane is one goroutine, from the first call on, that does
// one call at a time; the loop begins a call, goes on serving Kafka, and takes the result from a channel.
// So a plugin that hangs holds up its lane and nothing else: the loop stays able to stop, and to cut the
// task from Kafka (DESIGN 4.10), and a panic comes back as an error with its stack.
//
// The loop owns the lane and is the only caller of its methods. A call that never returns is left behind
// with its goroutine: Close returns without it, and its result is never looked at.
package lane

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/run"
)

// ErrBusy is returned by Begin while a call is under way. It is a bug of the loop.
var ErrBusy = errors.New("lane: a call is under way (bug)")

// ErrTimeout is returned by Await where the call has not returned in time. The call is still under way.
var ErrTimeout = errors.New("lane: the call has not returned in time")

// Lane runs calls one after another. Not safe for concurrent use.
type Lane struct {
	group  *run.Group
	clock  clock.Clock
	calls  chan func()
	done   chan error
	begun  bool // the goroutine is there
	busy   bool
	cancel context.CancelFunc
	base   context.Context
}

// New returns a lane whose calls get contexts that end when parent does. name labels its goroutine.
func New(parent context.Context, c clock.Clock, name string) *Lane {
	return &Lane{group: run.New(context.WithoutCancel(parent), name), clock: c, calls: make(chan func(), 1), done: make(chan error, 1), base: parent}
}

func (l *Lane) run(ctx context.Context) error {
	for {
		select {
		case f := <-l.calls:
			f()
		case <-ctx.Done():
			return nil
		}
	}
}

// Begin starts a call. Its result must be taken from Done, by Take or by Await.
func (l *Lane) Begin(f func(ctx context.Context) error) error {
	if l.busy {
		return ErrBusy
	}
	if !l.begun {
		if err := l.group.Go(l.run); err != nil {
			return err
		}
		l.begun = true
	}
	ctx, cancel := context.WithCancel(l.base)
	l.busy, l.cancel = true, cancel
	l.calls <- func() { l.done <- run.Call(func() error { return f(ctx) }) }
	return nil
}

// Busy says whether a call is under way or its result has not been taken.
func (l *Lane) Busy() bool { return l.busy }

// Done hands out the result of the call; whoever receives from it must call Taken.
func (l *Lane) Done() <-chan error { return l.done }

// Taken notes that the result was received from Done.
func (l *Lane) Taken() {
	l.busy = false
	if l.cancel != nil {
		l.cancel()
	}
}

// Interrupt ends the context of the call under way, if any.
func (l *Lane) Interrupt() {
	if l.busy && l.cancel != nil {
		l.cancel()
	}
}

// Await waits for the call under way: at most limit (0 is for ever), or until stop is closed.
func (l *Lane) Await(limit time.Duration, stop <-chan struct{}) error {
	if !l.busy {
		return nil
	}
	var over <-chan time.Time
	if limit > 0 {
		timer := l.clock.NewTimer(limit)
		defer timer.Stop()
		over = timer.C()
	}
	select {
	case err := <-l.done:
		l.Taken()
		return err
	case <-over:
		return ErrTimeout
	case <-stop:
		return ErrTimeout
	}
}

// Do begins a call and waits for it as Await does.
func (l *Lane) Do(limit time.Duration, stop <-chan struct{}, f func(ctx context.Context) error) error {
	if err := l.Begin(f); err != nil {
		return err
	}
	return l.Await(limit, stop)
}

// Close ends the lane. It joins the goroutine where no call is under way, and leaves it behind otherwise:
// it ends by itself should the call ever return.
func (l *Lane) Close() {
	if l.busy {
		l.Interrupt()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.group.Stop(ctx) //nolint:errcheck // an abandoned call is reported by its loop
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = l.group.Stop(ctx) //nolint:errcheck // run returns nil
}
