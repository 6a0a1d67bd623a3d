package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/logkey"
)

// listener is called inside Poll, by the loop, while the plugin is not busy.
type listener struct{ *task }

// Assigned opens partitions.
func (l listener) Assigned(tps []kafkaio.TopicPartition) {
	t := l.task
	if !t.joined {
		t.joined = true
		t.env.Fenced()
	}
	t.log.Info("partitions assigned", slog.Any("partitions", tps))
	ctx, cancel := context.WithTimeout(t.cutting, t.deps.CommitTimeout)
	committed, err := t.consumer.Committed(ctx, tps)
	cancel()
	if err != nil {
		t.log.Info("committed offsets are not known yet", logkey.Err, err)
	}
	t.pos.gone(tps) // where an assignment comes anew
	maps.Copy(t.pos.committed, committed)
	t.assigned(tps, committed)
	if t.held { // as is what stayed
		if err := t.consumer.Pause(tps); err != nil {
			t.failure = fmt.Errorf("pausing partitions that came: %w", err)
		}
	}
	if p, ok := t.sink.(connectors.PartitionListener); ok && len(tps) > 0 {
		if err := t.call(t.stats.During(taskstats.Open, func(ctx context.Context) error { return p.Open(ctx, sdk(tps)) })); err != nil && t.stopping.Err() == nil {
			t.failure = fmt.Errorf("the task failed in open: %w", err)
		}
	}
}

// Revoked commits and closes partitions.
func (l listener) Revoked(tps []kafkaio.TopicPartition) {
	t := l.task
	if t.closing {
		return
	}
	t.log.Info("partitions revoked", slog.Any("partitions", tps))
	t.keepOnly(tps)
	if err := t.commitBefore(0); errors.Is(err, deadletter.ErrLost) {
		t.failure = err
	} else if err != nil {
		t.log.Warn("offsets were not committed before partitions went", logkey.Err, err)
	}
	t.gone(tps)
}

// Lost closes partitions that belong to somebody else already: nothing is committed.
func (l listener) Lost(tps []kafkaio.TopicPartition) {
	t := l.task
	t.lost = true
	t.log.Warn("partitions lost: another member has them", slog.Any("partitions", tps))
	if !t.closing {
		t.gone(tps)
	}
}

// gone closes partitions in the plugin and forgets them.
func (t *task) gone(tps []kafkaio.TopicPartition) {
	if err := t.call(func(ctx context.Context) error { return t.closePartitions(ctx, tps) }); err != nil && t.stopping.Err() == nil {
		t.failure = fmt.Errorf("the task failed in close: %w", err)
	}
	t.keepOnly(tps)
	t.forget(tps)
	t.pos.gone(tps)
	for _, tp := range tps {
		delete(t.stopped, tp)
	}
}

// keepOnly drops the records of partitions that went from a batch that is kept. Where none are left nothing is waited for.
func (t *task) keepOnly(gone []kafkaio.TopicPartition) {
	if t.kept {
		drop(&t.batch, func(tp kafkaio.TopicPartition) bool { return slices.Contains(gone, tp) })
		t.kept = len(t.batch.Records) > 0
	}
}

func (t *task) closePartitions(ctx context.Context, tps []kafkaio.TopicPartition) error {
	if p, ok := t.sink.(connectors.PartitionListener); ok && len(tps) > 0 {
		return p.Close(ctx, sdk(tps))
	}
	return nil
}

func sdk(tps []kafkaio.TopicPartition) []connectors.TopicPartition {
	out := make([]connectors.TopicPartition, len(tps))
	for i, tp := range tps {
		out[i] = connectors.TopicPartition(tp)
	}
	return out
}

// requests are what the plugin asked for during a call; the loop does it after the call.
type requests struct {
	seeks  map[kafkaio.TopicPartition]int64
	pauses []pause
	retry  time.Duration
	commit bool
}

type pause struct {
	tp    kafkaio.TopicPartition
	pause bool
}

// taskContext is what the plugin's task may ask, from its calls only.
type taskContext struct{ t *task }

func (c *taskContext) Logger() *slog.Logger { return c.t.log }

func (c *taskContext) Assignment() []connectors.TopicPartition {
	if c.t.consumer == nil {
		return nil
	}
	return sdk(c.t.consumer.Assignment())
}

func (c *taskContext) Seek(tp connectors.TopicPartition, offset int64) {
	if c.t.asked.seeks == nil {
		c.t.asked.seeks = map[kafkaio.TopicPartition]int64{}
	}
	c.t.asked.seeks[kafkaio.TopicPartition(tp)] = offset
}

func (c *taskContext) Pause(tps ...connectors.TopicPartition) {
	for _, tp := range tps {
		c.t.asked.pauses = append(c.t.asked.pauses, pause{kafkaio.TopicPartition(tp), true})
	}
}

func (c *taskContext) Resume(tps ...connectors.TopicPartition) {
	for _, tp := range tps {
		c.t.asked.pauses = append(c.t.asked.pauses, pause{kafkaio.TopicPartition(tp), false})
	}
}

func (c *taskContext) Retry(after time.Duration) { c.t.asked.retry = after }

func (c *taskContext) RequestCommit() { c.t.asked.commit = true }

func (c *taskContext) Reporter() connectors.ErrantRecordReporter {
	if r := c.t.stage.Reporter(); r != nil {
		return r
	}
	return nil
}
