package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/logkey"
)

// least is what the plugin's Stop has at least, whatever the deliveries took.
const least = time.Second

// finish ends a run: what was handed over is waited for, the offsets are committed, the plugin is stopped. All of it
// has StopTimeout. After a failure nothing more is polled, but what was acknowledged is committed.
func (t *task) finish(started bool, cause error) error {
	clk := t.deps.Clock
	end := clk.Now().Add(t.deps.StopTimeout)
	left := func() time.Duration { return max(end.Sub(clk.Now()), 0) }
	hung := t.settle(left)
	cut := t.read().cut
	var unflushed error
	switch {
	case started && t.txn != nil:
		cause, unflushed = t.last(left, cause)
	case started && !cut:
		unflushed = t.drain(left)
		unflushed = errors.Join(unflushed, t.flushAll(left))
	}
	if !hung && t.source != nil { // a plugin that hangs may still be making it
		if c, ok := t.source.(connectors.SourceCommitter); ok && t.tell && !cut {
			hung = t.call("commit", max(left(), least), c.Commit)
		}
		if !hung {
			hung = t.call("stop", max(left(), least), t.source.Stop)
		}
	}
	t.closeProducer()
	switch {
	case cause != nil && !errors.Is(cause, context.Canceled) && t.stopping.Err() == nil:
		return cause
	case hung:
		return fmt.Errorf("%w: within %s", ErrHung, t.deps.StopTimeout)
	case cut:
		return ErrCut
	case cause != nil && started:
		return cause
	}
	return unflushed
}

// settle waits for the plugin's call under way; what a poll brought is handed over. It says whether the plugin hangs.
func (t *task) settle(left func() time.Duration) (hung bool) {
	if !t.lane.Busy() {
		return false
	}
	t.lane.Interrupt()
	polled := t.polled
	err := t.lane.Await(max(left(), least), nil)
	if t.lane.Busy() {
		return true
	}
	if err == nil && polled && t.stopping.Err() != nil {
		if err := t.take(); err != nil {
			t.log.Warn("the last batch was not handed over", logkey.Err, err)
		}
	}
	return false
}

// drain waits until everything of the task is acknowledged.
func (t *task) drain(left func() time.Duration) error {
	timer := t.deps.Clock.NewTimer(max(left(), time.Millisecond))
	defer timer.Stop()
	for t.mayAct() && (len(t.rest) > 0 || t.ledger.Unacked() > 0) {
		if len(t.rest) > 0 {
			if err := t.produce(); err != nil {
				return err
			}
		}
		again := t.deps.Clock.NewTimer(tick)
		select {
		case got := <-t.reports:
			again.Stop()
			if err := t.acknowledge(got); err != nil {
				return err
			}
		case err := <-t.lost:
			again.Stop()
			return fmt.Errorf("%w: %w", ErrProduce, err)
		case <-again.C():
		case <-timer.C():
			again.Stop()
			return fmt.Errorf("%w: %d records were not acknowledged within %s", ErrUnflushed, t.ledger.Unacked()+len(t.rest), t.deps.StopTimeout)
		}
	}
	if len(t.rest) > 0 || t.ledger.Unacked() > 0 {
		return fmt.Errorf("%w: the right ended first", ErrUnflushed)
	}
	return nil
}

// flushAll commits what can be committed.
func (t *task) flushAll(left func() time.Duration) error {
	limit := max(left(), least)
	if t.writer.Busy() {
		err := t.writer.Await(limit, nil)
		if t.writer.Busy() {
			return fmt.Errorf("%w: offsets were still being written", ErrUnflushed)
		}
		t.wrote(err)
	}
	if !t.ledger.Dirty() || !t.mayAct() {
		return nil
	}
	t.flush(t.deps.Clock.Now())
	err := t.writer.Await(limit, nil)
	if t.writer.Busy() {
		return fmt.Errorf("%w: the offsets were not written within %s", ErrUnflushed, limit)
	}
	t.wrote(err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnflushed, err)
	}
	return nil
}

// call calls the plugin for the last times.
func (t *task) call(what string, limit time.Duration, f func(ctx context.Context) error) (hung bool) {
	err := t.lane.Do(limit, nil, f)
	if t.lane.Busy() {
		return true
	}
	if err != nil {
		t.log.Warn("the task's "+what+" failed", logkey.Err, err)
	}
	return false
}

var _ Producer = (*kafkaio.Producer)(nil)
