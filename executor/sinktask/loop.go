package sinktask

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage/lane"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/logkey"
)

const (
	// pollWait is how long a poll waits for records at most: an idle task gets an empty Put as often.
	pollWait = time.Second
	// retryPut is the pause before a batch that failed with a retriable error comes again, where the task asks for none.
	retryPut = time.Second
	least    = time.Second
)

// loop is the state of the task's goroutine.
type loop struct {
	sink     connectors.SinkTask
	lane     *lane.Lane
	consumer consumer
	batch    kafkaio.Batch
	early    kafkaio.Batch // what came while batch was kept
	out      connectors.SinkBatch
	asked    requests
	pos      positions
	commitAt time.Time
	retryAt  time.Time
	kept     bool // batch was not put yet, and comes again
	held     bool // all partitions are paused, for a pause or a kept batch
	stopped  map[kafkaio.TopicPartition]bool
	joined   bool // the first assignment has come
	lost     bool
	failure  error // of the plugin, inside a rebalance
	closing  bool
	numbers  numbers
}

// consumer is what a task needs of a kafkaio.Consumer.
type consumer interface {
	Poll(ctx context.Context, wait time.Duration, b *kafkaio.Batch) error
	Assignment() []kafkaio.TopicPartition
	End(tp kafkaio.TopicPartition) (int64, bool)
	Committed(ctx context.Context, tps []kafkaio.TopicPartition) (map[kafkaio.TopicPartition]int64, error)
	Commit(ctx context.Context, offsets map[kafkaio.TopicPartition]int64) error
	Seek(tp kafkaio.TopicPartition, offset int64) error
	Pause(tps []kafkaio.TopicPartition) error
	Resume(tps []kafkaio.TopicPartition) error
	Leave(ctx context.Context) error
	Close() error
}

// Run implements supervisor.Instance.
func (t *task) Run(ctx context.Context) (err error) {
	defer func() {
		if t.ready != nil {
			t.ready.Close()
		}
	}()
	defer t.deps.Stats.Add(t.stats)()
	t.lane = lane.New(ctx, t.deps.Clock, "sink-task")
	defer t.lane.Close()
	t.pos, t.stopped = newPositions(), map[kafkaio.TopicPartition]bool{}
	t.commitAt = t.deps.Clock.Now().Add(t.deps.CommitInterval)
	err = t.call(t.stats.During(taskstats.Start, func(ctx context.Context) error {
		if err := t.letters(ctx); err != nil {
			return err
		}
		t.sink = t.plugin.NewSink().NewTask()
		return t.sink.Start(ctx, &taskContext{t}, maps.Clone(t.spec.TaskConfig)) // the plugin may change its own
	}))
	if err == nil {
		err = t.join()
	}
	if err == nil {
		t.stats.Running()
		t.env.Running()
		err = t.work()
	}
	return t.finish(err)
}

// join makes the consumer, under a confirmed epoch.
func (t *task) join() (err error) {
	if err := t.env.Confirm(t.stopping); err != nil {
		return err
	}
	if t.ready != nil {
		t.ready.consumer.Listen(listener{t})
		t.consumer, t.ready = t.ready.consumer, nil
		return nil
	}
	t.member.Rebalance = listener{t}
	c, err := kafkaio.NewConsumer(t.member)
	if err == nil {
		t.consumer = c
	}
	return err
}

// call runs a call of the plugin, for as long as it takes, until the task is stopped.
func (t *task) call(f func(ctx context.Context) error) error {
	err := t.lane.Do(0, t.stopping.Done(), f)
	if t.lane.Busy() {
		return context.Canceled
	}
	t.apply()
	return err
}

// work polls and puts until the task is stopped or fails.
func (t *task) work() error {
	for t.stopping.Err() == nil {
		if err := t.round(); err != nil {
			return err
		}
	}
	return nil
}

// round is one turn of the loop.
func (t *task) round() error {
	paused, unchanged := t.isPaused()
	if err := t.hold(paused); err != nil {
		return err
	}
	if err := t.poll(unchanged); err != nil {
		return err
	}
	if t.stopping.Err() != nil {
		return nil //nolint:nilerr // the plugin is still in its call
	}
	if !t.kept || !t.deps.Clock.Now().Before(t.retryAt) {
		if err := t.put(); err != nil {
			return err
		}
	}
	if now := t.deps.Clock.Now(); t.asked.commit || !now.Before(t.commitAt) {
		if err := t.commit(); err != nil {
			return err
		}
	}
	if t.dead != nil {
		return t.dead.Tick()
	}
	return nil
}

// poll serves the group, and takes records where none are kept. It waits until something is due, or ctx ends.
func (t *task) poll(ctx context.Context) error {
	t.seek()
	b, early := &t.batch, t.kept
	if early {
		b = &t.early // everything is paused: what still comes is fetched again
	}
	due := t.commitAt
	if t.kept && t.retryAt.Before(due) {
		due = t.retryAt
	}
	err := t.consumer.Poll(ctx, min(pollWait, max(due.Sub(t.deps.Clock.Now()), 0)), b)
	switch {
	case t.failure != nil:
		return t.failure
	case t.lost:
		return fmt.Errorf("the partitions belong to another member: %w", kafkaio.ErrFenced)
	case err != nil:
		return err
	}
	t.pos.came(b.Records)
	if early { // also where a rebalance has ended that
		lasts(b.Records, func(first, _ *kafkaio.Record, tp kafkaio.TopicPartition) { t.pos.again(tp, first.Offset) })
		b.Records = b.Records[:0]
	}
	if len(t.pos.seeks) > 0 {
		drop(&t.batch, func(tp kafkaio.TopicPartition) bool { return t.pos.unwanted(tp, t.kept) })
	}
	t.observe()
	return nil
}

// seek does what is due of seeks. What fails is tried again before the next poll.
func (t *task) seek() {
	for tp, s := range t.pos.seeks {
		if t.kept && s.move {
			drop(&t.batch, func(of kafkaio.TopicPartition) bool { return of == tp })
			t.numbers.without([]kafkaio.TopicPartition{tp})
		}
		if !slices.Contains(t.consumer.Assignment(), tp) {
			t.pos.gone([]kafkaio.TopicPartition{tp})
		} else if err := t.consumer.Seek(tp, s.offset); err == nil {
			delete(t.pos.seeks, tp)
		} else {
			t.log.Info("a partition cannot be moved yet", logkey.Topic, tp.Topic, logkey.Partition, tp.Partition, logkey.Err, err)
		}
	}
}

// put converts and puts the batch. A hung Put keeps the loop from polling, which costs the membership.
func (t *task) put() error {
	t.asked.retry = 0
	err := t.call(func(ctx context.Context) error {
		t.stats.Enter(taskstats.Convert)
		defer t.stats.Leave()
		if !t.kept { // one that comes again is followed from its first try
			t.trace.Begin("convert")
		}
		if err := t.stage.Convert(ctx, &t.batch, t.kept, &t.out); err != nil {
			return err
		}
		t.uses()
		t.stats.Enter(taskstats.PutCall)
		t.trace.Next("put")
		err := t.sink.Put(ctx, &t.out)
		if over := t.stage.Reporter().End(); err == nil {
			err = over
		}
		t.putReturned(err)
		return err
	})
	switch {
	case t.stopping.Err() != nil && err != nil:
		return nil //nolint:nilerr // finish deals with the call
	case connectors.IsRetriable(err):
		wait := retryPut
		if t.asked.retry > 0 {
			wait = t.asked.retry
		}
		t.log.Warn("the task could not put a batch, and gets it again", logkey.Err, err)
		t.kept, t.retryAt = true, t.deps.Clock.Now().Add(wait)
		return nil
	case err != nil:
		return fmt.Errorf("the task failed in put: %w", err)
	}
	t.kept = false
	t.pos.delivered(t.batch.Records)
	t.batch.Records = t.batch.Records[:0]
	return nil
}

// uses tells of the topics of a batch: the record of them may have been reset.
func (t *task) uses() {
	if t.deps.ActiveTopic == nil {
		return
	}
	last := ""
	for i := range t.batch.Records {
		if topic := t.batch.Records[i].Topic; topic != last {
			last = topic
			t.deps.ActiveTopic(t.spec.Unit.Name, t.spec.Unit.Task, topic)
		}
	}
}

// hold pauses everything while the task is paused or keeps a batch, and undoes it.
func (t *task) hold(paused bool) error {
	want := paused || t.kept
	if want == t.held {
		return nil
	}
	t.held = want
	if len(t.consumer.Assignment()) == 0 {
		return nil
	}
	if want {
		return t.consumer.Pause(t.consumer.Assignment())
	}
	var on []kafkaio.TopicPartition
	for _, tp := range t.consumer.Assignment() {
		if !t.stopped[tp] {
			on = append(on, tp)
		}
	}
	return t.consumer.Resume(on)
}

// apply does what the plugin asked for in its last call.
func (t *task) apply() {
	if t.consumer == nil {
		return
	}
	for tp, offset := range t.asked.seeks {
		t.pos.move(tp, offset)
		t.stats.Rewound(partitionOf(tp), offset)
	}
	t.asked.seeks = nil
	for _, p := range t.asked.pauses {
		if t.stopped[p.tp] = p.pause; !p.pause {
			delete(t.stopped, p.tp)
		}
		var err error
		if tps := []kafkaio.TopicPartition{p.tp}; p.pause {
			err = t.consumer.Pause(tps)
		} else if !t.held {
			err = t.consumer.Resume(tps)
		}
		if err != nil {
			t.log.Warn("pausing or resuming a partition failed", logkey.Topic, p.tp.Topic, logkey.Partition, p.tp.Partition, logkey.Err, err)
		}
	}
	t.asked.pauses = nil
}

// finish ends a run: commits what the task says is safe, stops the plugin, and leaves the group where asked.
func (t *task) finish(cause error) error {
	clk := t.deps.Clock
	end := clk.Now().Add(t.deps.StopTimeout)
	left := func() time.Duration { return max(end.Sub(clk.Now()), least) }
	cut := t.cutting.Err() != nil
	hung := false
	if t.lane.Busy() {
		if cut {
			t.drop()
		}
		t.lane.Interrupt()
		_ = t.lane.Await(left(), t.cutting.Done()) //nolint:errcheck // its batch comes again
		hung = t.lane.Busy()
	}
	fenced := t.lost || errors.Is(cause, kafkaio.ErrFenced)
	var uncommitted error
	if !hung && !fenced && t.consumer != nil && t.cutting.Err() == nil {
		if uncommitted = t.commitBefore(left()); uncommitted == nil {
			hung = t.lane.Busy()
		}
	}
	t.closing = true
	if !hung && t.sink != nil {
		if t.consumer != nil && !fenced {
			hung = t.last("close", left(), func(ctx context.Context) error { return t.closePartitions(ctx, t.consumer.Assignment()) })
		}
		if !hung {
			hung = t.last("stop", left(), t.sink.Stop)
		}
	}
	t.shut(left())
	switch {
	case cause != nil && t.stopping.Err() == nil:
		return cause
	case hung:
		return fmt.Errorf("%w: within %s", ErrHung, t.deps.StopTimeout)
	case t.cutting.Err() != nil:
		return ErrCut
	}
	return uncommitted
}

// last calls the plugin for the last times.
func (t *task) last(what string, limit time.Duration, f func(ctx context.Context) error) (hung bool) {
	err := t.lane.Do(limit, nil, f)
	if t.lane.Busy() {
		return true
	}
	if err != nil {
		t.log.Warn("the task's "+what+" failed", logkey.Err, err)
	}
	return false
}

// shut ends the consumer.
func (t *task) shut(limit time.Duration) {
	if t.dead != nil {
		t.dead.Close()
	}
	if t.consumer == nil {
		return
	}
	t.mu.Lock()
	leave := t.leave
	t.mu.Unlock()
	var err error
	if leave && t.cutting.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		err = t.consumer.Leave(ctx)
	} else {
		err = t.consumer.Close()
	}
	if err != nil {
		t.log.Warn("closing the consumer failed", logkey.Err, err)
	}
	t.consumer = nil
}

// drop ends the consumer at once, while the plugin still hangs.
func (t *task) drop() {
	t.closing = true
	t.shut(least)
}
