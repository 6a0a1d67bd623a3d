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

// call is one to be made; one without f ends the goroutine.
type call struct {
	ctx context.Context
	f   func(ctx context.Context) error
}

// Lane runs calls one after another. Not safe for concurrent use.
type Lane struct {
	name   string
	clock  clock.Clock
	group  *run.Group // there from the first call on, with done
	calls  chan call  // the goroutine's; nil where there is none
	done   chan error
	told   func() // may be nil
	busy   bool
	cancel context.CancelFunc
	base   context.Context
}

// New returns a lane whose calls get contexts that end when parent does. name labels its goroutine.
func New(parent context.Context, c clock.Clock, name string) *Lane {
	return &Lane{name: name, clock: c, base: parent}
}

func (l *Lane) run(ctx context.Context, calls <-chan call) error {
	for {
		select {
		case c := <-calls:
			if c.f == nil {
				return nil
			}
			l.done <- run.CallContext(c.ctx, c.f)
			if l.told != nil {
				l.told()
			}
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
	if l.group == nil {
		l.group, l.done = run.New(context.WithoutCancel(l.base), l.name), make(chan error, 1)
	}
	if l.calls == nil {
		calls := make(chan call, 1)
		if err := l.group.Go(func(ctx context.Context) error { return l.run(ctx, calls) }); err != nil {
			return err
		}
		l.calls = calls
	}
	ctx, cancel := context.WithCancel(l.base)
	l.busy, l.cancel = true, cancel
	l.calls <- call{ctx, f}
	return nil
}

// Tell has f called, by the lane, each time that Done has something. Before the first call.
func (l *Lane) Tell(f func()) { l.told = f }

// Renew ends the goroutine where no call is under way; the next call has another. A stack does not shrink below four times what
// is in use of it: after a deep call, a long one that waits is better off with a new one.
func (l *Lane) Renew() {
	if l.calls != nil && !l.busy {
		l.calls <- call{}
		l.calls = nil
	}
}

// Busy says whether a call is under way or its result has not been taken.
func (l *Lane) Busy() bool { return l.busy }

// Done hands out the result of the call, and is nil before the first; whoever receives from it must call Taken.
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
	if l.group == nil {
		return
	}
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
