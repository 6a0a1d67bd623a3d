package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
)

// commit asks the task what may be committed, and commits it. Failures are logged and tried again at the next
// interval, as Kafka Connect does; only a record that is lost to the dead letter queue fails the task.
func (t *task) commit() error {
	t.asked.commit = false
	t.commitAt = t.deps.Clock.Now().Add(t.deps.CommitInterval)
	if err := t.commitBefore(0); errors.Is(err, deadletter.ErrLost) {
		return err
	} else if err != nil && t.stopping.Err() == nil {
		t.log.Warn("offsets were not committed; it is tried again at the next interval", logkey.Err, err)
	}
	return nil
}

// commitBefore commits; limit bounds the plugin's call, 0 is until the task is stopped.
func (t *task) commitBefore(limit time.Duration) error {
	if err := t.reported(limit); err != nil {
		return err
	}
	if len(t.pos.put) == 0 || maps.Equal(t.pos.put, t.pos.committed) {
		return nil
	}
	given := make(map[connectors.TopicPartition]int64, len(t.pos.put))
	for tp, o := range t.pos.put {
		given[connectors.TopicPartition(tp)] = o
	}
	var safe map[connectors.TopicPartition]int64
	f := t.stats.During(taskstats.Commit, func(ctx context.Context) (err error) {
		safe, err = t.preCommit(ctx, maps.Clone(given))
		return err
	})
	var err error
	if limit > 0 {
		if err = t.lane.Do(limit, t.cutting.Done(), f); !t.lane.Busy() {
			t.apply()
		}
	} else {
		err = t.call(f)
	}
	if t.lane.Busy() {
		return fmt.Errorf("%w: in preCommit", ErrHung)
	}
	if err != nil {
		t.stats.Committed(err)
		// As Kafka Connect: what was not flushed is put again.
		t.pos.back()
		t.batch.Records, t.kept = t.batch.Records[:0], false
		return fmt.Errorf("the task's preCommit failed: %w", err)
	}
	// What preCommit has reported counts too.
	if err := t.reported(limit); err != nil {
		return err
	}
	return t.store(given, safe)
}

// reported waits until the dead letter queue has everything, for CommitTimeout at most. Promise 1: what is on its
// way there is not committed.
func (t *task) reported(limit time.Duration) error {
	if t.dead == nil {
		return nil
	}
	parent := t.cutting
	if limit == 0 {
		parent, limit = t.stopping, t.deps.CommitTimeout
	}
	ctx, cancel := context.WithTimeout(parent, min(limit, t.deps.CommitTimeout))
	defer cancel()
	return t.dead.Wait(ctx)
}

func (t *task) preCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	switch s := t.sink.(type) {
	case connectors.PreCommitter:
		return s.PreCommit(ctx, offsets)
	case connectors.Flusher:
		return offsets, s.Flush(ctx, offsets)
	}
	return offsets, nil
}

// store commits what the task said, as far as it can be true.
func (t *task) store(given, safe map[connectors.TopicPartition]int64) error {
	commit := t.pos.committable(given, safe, func(tp connectors.TopicPartition, asked, given int64) {
		t.log.Warn("the task wants to commit what it was not given; ignored", logkey.Topic, tp.Topic, logkey.Partition, tp.Partition,
			slog.Int64("asked", asked), slog.Int64("given", given))
	})
	if len(commit) == 0 || t.consumer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.cutting, t.deps.CommitTimeout)
	defer cancel()
	begin := t.deps.Clock.Boot()
	t.stats.Committing()
	err := t.consumer.Commit(ctx, commit)
	if t.stats.Committed(err); err != nil {
		return fmt.Errorf("%w: %w", ErrUncommitted, err)
	}
	if history.Acts(t.log) {
		history.Act(t.log, t.deps.Clock, history.Committed, begin, slog.String(logkey.Class, t.spec.Class.String()))
	}
	t.pos.done(commit)
	t.stats.CommittedOffsets(offsetsOf(commit))
	for tp, o := range commit {
		t.trace.Committed(tp.Topic, tp.Partition, o)
	}
	return nil
}
