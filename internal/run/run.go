// Package run owns goroutines. A type that runs has a Group; nothing in this project starts a
// goroutine in any other way, so every goroutine has an owner that joins it.
package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"sync"
)

// ErrStopped is returned by Go on a group that has been stopped.
var ErrStopped = errors.New("run: group is stopped")

// PanicError is a panic turned into an error, with the stack of the goroutine that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// Call runs f and turns a panic into a *PanicError.
func Call(f func() error) (err error) {
	defer recovered(&err)
	return f()
}

// CallContext is Call for an f that takes a context.
func CallContext(ctx context.Context, f func(ctx context.Context) error) (err error) {
	defer recovered(&err)
	return f(ctx)
}

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

// Group is a set of goroutines with one context. The first error of any of them is kept and cancels
// the group. Safe for concurrent use.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	name   string

	mu      sync.Mutex
	stopped bool
	err     error
	wg      sync.WaitGroup
}

// New returns a group whose goroutines carry the pprof label sluice=name and end when parent does.
func New(parent context.Context, name string) *Group {
	ctx, cancel := context.WithCancelCause(parent)
	return &Group{ctx: pprof.WithLabels(ctx, pprof.Labels("sluice", name)), cancel: cancel, name: name}
}

// Context ends when the group is stopped or one of its goroutines fails.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs f in a goroutine of the group. A panic becomes a *PanicError. After Stop it returns
// ErrStopped and f is not run.
func (g *Group) Go(f func(ctx context.Context) error) error {
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return ErrStopped
	}
	g.wg.Add(1)
	g.mu.Unlock()
	go g.live(f)
	return nil
}

// live is a goroutine of the group. Its frames are small: they are below whatever waits in it.
func (g *Group) live(f func(ctx context.Context) error) {
	defer g.wg.Done()
	pprof.SetGoroutineLabels(g.ctx)
	if err := CallContext(g.ctx, f); err != nil {
		g.failed(err)
	}
}

func (g *Group) failed(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	g.mu.Lock()
	if g.err == nil {
		g.err = fmt.Errorf("%s: %w", g.name, err)
	}
	g.mu.Unlock()
	g.cancel(err)
}

// Stop cancels the group's context, refuses late members and waits for the rest, or until ctx ends.
// It returns the first error of a goroutine, or ctx's. It may be called more than once.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel(context.Canceled)
	return g.Wait(ctx)
}

// Wait waits for all goroutines without cancelling them, or until ctx ends.
func (g *Group) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { g.wg.Wait(); close(done) }()
	select {
	case <-done:
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.err
	case <-ctx.Done():
		return fmt.Errorf("%s: goroutines still running: %w", g.name, context.Cause(ctx))
	}
}
