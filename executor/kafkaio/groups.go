package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// PartitionCounts is how many partitions each of these topics has; one that does not exist is not in it.
func (a *Admin) PartitionCounts(ctx context.Context, topics []string) (out map[string]int32, err error) {
	err = a.call(ctx, "asking for topics", func(ctx context.Context) error {
		// Metadata for these topics alone would create them where brokers are set to do so.
		md, err := a.p.GetMetadata(nil, true, millis(ctx))
		if err != nil {
			return err
		}
		out = map[string]int32{}
		for _, name := range topics {
			t, ok := md.Topics[name]
			if !ok {
				continue
			}
			if t.Error.Code() != kafka.ErrNoError {
				return fmt.Errorf("topic %q: %w", name, wrap(t.Error))
			}
			out[name] = int32(len(t.Partitions)) //nolint:gosec // a topic's partitions
		}
		return nil
	})
	return out, err
}

// GroupOffsets are the committed offsets of a group; none where there is no such group.
func (a *Admin) GroupOffsets(ctx context.Context, group string) (out map[TopicPartition]int64, err error) {
	err = a.group(ctx, "reading the offsets of", group, func(ctx context.Context) error {
		res, err := a.a.ListConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{Group: group}}, kafka.SetAdminRequestTimeout(timeout(ctx)))
		if err != nil {
			return err
		}
		out = map[TopicPartition]int64{}
		return each(res.ConsumerGroupsTopicPartitions, func(p kafka.TopicPartition) {
			if p.Offset >= 0 {
				out[TopicPartition{*p.Topic, p.Partition}] = int64(p.Offset)
			}
		})
	})
	if errors.Is(err, ErrUnknownGroup) {
		return nil, nil
	}
	return out, err
}

// AlterGroupOffsets commits offsets for a group without members. ErrGroupActive where it has some. After an error
// some may have been committed.
func (a *Admin) AlterGroupOffsets(ctx context.Context, group string, offsets map[TopicPartition]int64) error {
	return a.group(ctx, "altering the offsets of", group, func(ctx context.Context) error {
		in := kafka.ConsumerGroupTopicPartitions{Group: group}
		for tp, o := range offsets {
			in.Partitions = append(in.Partitions, kafka.TopicPartition{Topic: &tp.Topic, Partition: tp.Partition, Offset: kafka.Offset(o)})
		}
		res, err := a.a.AlterConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{in}, kafka.SetAdminRequestTimeout(timeout(ctx)))
		if err != nil {
			return err
		}
		return each(res.ConsumerGroupsTopicPartitions, func(kafka.TopicPartition) {})
	})
}

// DeleteGroupOffsets forgets offsets of a group without members. ErrGroupActive where it has some, ErrUnknownGroup.
func (a *Admin) DeleteGroupOffsets(ctx context.Context, group string, tps []TopicPartition) error {
	return a.group(ctx, "forgetting offsets of", group, func(ctx context.Context) error {
		return codeError(deleteOffsets(a.rk, group, tps, millis(ctx)))
	})
}

// DeleteGroup deletes a group without members, with its offsets. ErrGroupActive where it has some. nil where there is
// no such group.
func (a *Admin) DeleteGroup(ctx context.Context, group string) error {
	err := a.group(ctx, "deleting", group, func(ctx context.Context) error {
		res, err := a.a.DeleteConsumerGroups(ctx, []string{group}, kafka.SetAdminRequestTimeout(timeout(ctx)))
		if err != nil {
			return err
		}
		for _, r := range res.ConsumerGroupResults {
			if r.Error.Code() != kafka.ErrNoError {
				return r.Error
			}
		}
		return nil
	})
	if errors.Is(err, ErrUnknownGroup) {
		return nil
	}
	return err
}

func (a *Admin) group(ctx context.Context, what, group string, f func(context.Context) error) error {
	what = fmt.Sprintf("%s group %q", what, group)
	if group == "" { // librdkafka 2.11 would end the process
		return fmt.Errorf("%s: %w: the group has no name", what, ErrConfig)
	}
	return a.call(ctx, what, f)
}

func timeout(ctx context.Context) time.Duration { return time.Duration(millis(ctx)) * time.Millisecond }

// each calls f for each partition, and returns the first error among them.
func each(groups []kafka.ConsumerGroupTopicPartitions, f func(kafka.TopicPartition)) error {
	for _, g := range groups {
		for _, p := range g.Partitions {
			var k kafka.Error
			if errors.As(p.Error, &k) && k.Code() != kafka.ErrNoError {
				return fmt.Errorf("topic %q, partition %d: %w", *p.Topic, p.Partition, wrap(k))
			}
			f(p)
		}
	}
	return nil
}
