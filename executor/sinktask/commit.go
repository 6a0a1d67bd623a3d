package sinktask

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
)

// commit asks the task what may be committed, and commits it. Failures are logged and tried again at the next
// interval, as Kafka Connect does; only a hung or panicking plugin is more than that.
func (t *task) commit() error {
	t.asked.commit = false
	t.commitAt = t.deps.Clock.Now().Add(t.deps.CommitInterval)
	if err := t.commitBefore(0); err != nil && t.stopping.Err() == nil {
		t.log.Warn("offsets were not committed; it is tried again at the next interval", logkey.Err, err)
	}
	return nil
}

// commitBefore commits; limit bounds the plugin's call, 0 is until the task is stopped.
func (t *task) commitBefore(limit time.Duration) error {
	if len(t.offsets) == 0 || maps.Equal(t.offsets, t.committed) {
		return nil
	}
	given := make(map[connectors.TopicPartition]int64, len(t.offsets))
	for tp, o := range t.offsets {
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
		t.rewindAll()
		return fmt.Errorf("the task's preCommit failed: %w", err)
	}
	return t.store(given, safe)
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
	commit := map[kafkaio.TopicPartition]int64{}
	for tp, o := range safe {
		at := kafkaio.TopicPartition(tp)
		have, ok := given[tp]
		switch {
		case !ok || o < 0:
			t.log.Warn("the task wants to commit a partition that it does not have; ignored", logkey.Topic, tp.Topic, logkey.Partition, tp.Partition)
		case o > have:
			t.log.Warn("the task wants to commit records that it was not given; ignored", logkey.Topic, tp.Topic, logkey.Partition, tp.Partition,
				slog.Int64("asked", o), slog.Int64("given", have))
		case t.committed[at] != o:
			commit[at] = o
		}
	}
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
	maps.Copy(t.committed, commit)
	t.stats.CommittedOffsets(offsetsOf(commit))
	for tp, o := range commit {
		t.trace.Committed(tp.Topic, tp.Partition, o)
	}
	return nil
}

// rewindAll goes back to what was committed.
func (t *task) rewindAll() {
	for tp := range t.offsets {
		if o, ok := t.committed[tp]; ok {
			t.rewind(tp, o)
		}
	}
	t.batch.Records, t.kept = t.batch.Records[:0], false
}
