package altering

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/sinktask"
	"github.com/sluice-project/sluice/internal/errs"
)

// writeTimeout bounds each request that changes a group: below the margin of a session, so that none is on its way
// for longer than the unit has this holder.
const writeTimeout = 3 * time.Second

// sink alters a sink's offsets and says whether the connector has none elsewhere.
func (d Deps) sink(ctx context.Context, p connectors.Plugin, j job) (complete bool, err error) {
	admin, err := d.Groups(j.config)
	if err != nil {
		return false, err
	}
	defer admin.Close()
	group := sinkGroup(j.connector, j.config)
	changes := map[kafkaio.TopicPartition]*int64{}
	if j.forgetAll {
		found, err := admin.GroupOffsets(ctx, group)
		if err != nil {
			return false, failed(err, "Failed to list offsets prior to resetting offsets for sink connector %s", j.connector)
		}
		for tp := range found {
			changes[tp] = nil
		}
	} else {
		if changes, err = sinkOffsets(j.changes); err != nil {
			return false, err
		}
		if err := d.exist(ctx, admin, j.connector, changes); err != nil {
			return false, err
		}
	}
	c, err := plugin.NewSink(p)
	if err != nil {
		return false, err
	}
	if a, ok := c.(connectors.SinkOffsetsAlterer); ok {
		asked := make(map[connectors.TopicPartition]*int64, len(changes))
		for tp, o := range changes {
			asked[connectors.TopicPartition(tp)] = o
		}
		if complete, err = d.ask(ctx, p, j, func(ctx context.Context) (bool, error) { return a.AlterOffsets(ctx, maps.Clone(j.config), asked) }); err != nil {
			return false, err
		}
	}
	if err := j.mayAct(); err != nil {
		return false, err
	}
	if j.forgetAll {
		return complete, forgetGroup(ctx, admin, group, j.connector)
	}
	return complete, commit(ctx, admin, group, j, changes)
}

// exist refuses partitions that are not there: Kafka Connect alters the others first, and then fails.
func (d Deps) exist(ctx context.Context, admin Groups, connector string, changes map[kafkaio.TopicPartition]*int64) error {
	names := map[string]bool{}
	for tp := range changes {
		names[tp.Topic] = true
	}
	counts, err := admin.PartitionCounts(ctx, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return failed(err, alterFailed, connector)
	}
	for tp, o := range changes {
		n, ok := counts[tp.Topic]
		switch {
		case !ok:
			return invalid(alterFailed+": topic %q does not exist. Nothing was changed", connector, tp.Topic)
		case tp.Partition < 0 || tp.Partition >= n:
			return invalid(alterFailed+": topic %q has the partitions 0 to %d, not %d. Nothing was changed", connector, tp.Topic, n-1, tp.Partition)
		case o != nil && *o < 0:
			return invalid("Failed to modify offsets for sink connector %s: %s %d of topic %q, partition %d, is negative. Nothing was changed", connector, offsetKey, *o, tp.Topic, tp.Partition)
		}
	}
	return nil
}

const (
	alterFailed = "Failed to alter consumer group offsets for connector %s"
	resetFailed = "Failed to reset consumer group offsets for sink connector %s"
	activeTail  = " either because its tasks haven't stopped completely yet or the connector was resumed before the request to %s its offsets could be successfully completed." +
		" If the connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks."
)

// commit writes new offsets and forgets the others. Both are refused by Kafka while the group has members.
func commit(ctx context.Context, admin Groups, group string, j job, changes map[kafkaio.TopicPartition]*int64) error {
	write, drop := map[kafkaio.TopicPartition]int64{}, []kafkaio.TopicPartition{}
	for tp, o := range changes {
		if o != nil {
			write[tp] = *o
		} else {
			drop = append(drop, tp)
		}
	}
	slices.SortFunc(drop, compare)
	err := within(ctx, func(ctx context.Context) error {
		n, err := admin.GroupMembers(ctx, group)
		if err == nil && n > 0 {
			err = kafkaio.ErrGroupActive
		}
		return err
	})
	if err == nil && len(write) > 0 {
		err = within(ctx, func(ctx context.Context) error { return admin.AlterGroupOffsets(ctx, group, write) })
	}
	if err == nil && len(drop) > 0 {
		if err = j.mayAct(); err == nil {
			err = within(ctx, func(ctx context.Context) error { return admin.DeleteGroupOffsets(ctx, group, drop) })
		}
	}
	switch {
	case errors.Is(err, kafkaio.ErrGroupActive):
		return errs.New(errs.OffsetsGroupActive, alterFailed+activeTail, j.connector, "alter")
	case errors.Is(err, kafkaio.ErrUnknownGroup):
		return invalid(alterFailed+": its group %q does not exist, so that there is no offset to forget. Nothing was changed", j.connector, group)
	}
	return failed(err, alterFailed, j.connector)
}

func forgetGroup(ctx context.Context, admin Groups, group, connector string) error {
	err := within(ctx, func(ctx context.Context) error { return admin.DeleteGroup(ctx, group) })
	if errors.Is(err, kafkaio.ErrGroupActive) {
		return errs.New(errs.OffsetsGroupActive, "Failed to reset consumer group offsets for connector %s"+activeTail, connector, "reset")
	}
	return failed(err, resetFailed, connector)
}

func sinkGroup(connector string, config map[string]string) string {
	return sinktask.Group(connector, config)
}

func compare(a, b kafkaio.TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

func sortedPartitions(m map[kafkaio.TopicPartition]int64) []kafkaio.TopicPartition {
	return slices.SortedFunc(maps.Keys(m), compare)
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return f(ctx)
}
