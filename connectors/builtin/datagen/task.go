package datagen

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

// Names in source partitions and offsets.
const (
	taskField     = "task"
	sequenceField = "sequence"
)

type task struct {
	clk       clock.Clock
	topic     string
	gen       generator
	next      int64 // the number of the next record
	end       int64 // the number after the last
	pacer     *pace.Pacer
	partition map[string]any

	batch *connectors.SourceBatch // whose ref is ref
	ref   connectors.PartitionRef
}

func (t *task) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := def().Parse(config)
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(config[taskKey], 10, 31)
	if err != nil {
		return fmt.Errorf("datagen: the task's number, key %q, is %q: the connector should have set it (bug)", taskKey, config[taskKey])
	}
	t.topic = v.String(topicKey)
	t.gen = generator{task: int64(id), seed: uint64(v.Long(seedKey)), shape: shapes[v.String(shapeKey)], keys: uint64(v.Long(keysKey)), size: v.Int(sizeKey)}
	t.end = v.Long(maxKey)
	if t.end == 0 {
		t.end = math.MaxInt64
	}
	t.pacer = pace.New(t.clk, v.Long(rateKey))
	t.partition = map[string]any{taskField: int64(id)}
	t.batch = nil
	t.next, err = resume(ctx, tc, t.partition)
	return err
}

// resume is the number of the first record to make.
func resume(ctx context.Context, tc connectors.SourceTaskContext, partition map[string]any) (int64, error) {
	offsets, err := tc.Offsets(ctx, []map[string]any{partition})
	if err != nil {
		return 0, fmt.Errorf("datagen: reading the committed offset: %w", err)
	}
	if len(offsets) == 0 || offsets[0] == nil {
		return 0, nil
	}
	n, ok := offsets[0][sequenceField].(int64)
	if !ok || n < 0 || n == math.MaxInt64 {
		return 0, fmt.Errorf("%w: %q is %v (%T): the number of a record would be right", ErrSequence, sequenceField, offsets[0][sequenceField], offsets[0][sequenceField])
	}
	return n + 1, nil
}

func (t *task) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if t.batch != b {
		t.batch, t.ref = b, b.Partition(t.partition)
	}
	left := t.end - t.next
	if left <= 0 {
		pace.Rest(ctx, t.clk)
		return nil
	}
	limit := b.Room()
	if left < int64(limit) {
		limit = int(left)
	}
	for range t.pacer.Take(ctx, limit) {
		r := b.Add()
		r.Topic = t.topic
		r.Partition = t.ref
		r.Offset = connectors.SourceOffset{Key: sequenceField, Value: data.Int64(t.next)}
		t.gen.make(b, r, t.next)
		t.next++
	}
	return nil
}

func (t *task) Stop(context.Context) error {
	t.batch = nil
	return nil
}
