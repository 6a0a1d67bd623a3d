package sinktask

import (
	"slices"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/taskstats"
)

// endsEvery is how often a task looks where its partitions end.
const endsEvery = time.Second

// numbers are what of a batch goes into the task's statistics. They are reused.
type numbers struct {
	first, next []taskstats.Offset
	endsAt      time.Time
}

// observe counts what was read, and looks now and then where the partitions end.
func (t *task) observe() {
	if n := len(t.batch.Records); n > 0 && !t.kept {
		bytes := int64(0)
		t.numbers.first, t.numbers.next = t.numbers.first[:0], t.numbers.next[:0]
		for i := range t.batch.Records {
			r := &t.batch.Records[i]
			bytes += int64(len(r.Key) + len(r.Value))
			if i == 0 || t.batch.Records[i-1].Partition != r.Partition || t.batch.Records[i-1].Topic != r.Topic {
				t.numbers.first = append(t.numbers.first, offsetOf(r, r.Offset))
				t.numbers.next = append(t.numbers.next, offsetOf(r, 0))
			}
			last := &t.numbers.next[len(t.numbers.next)-1]
			last.Offset, last.Timestamp = r.Offset+1, r.Timestamp
		}
		t.stats.ReadBatch(n, bytes, t.numbers.first)
	}
	now := t.deps.Clock.Now()
	if now.Before(t.numbers.endsAt) || t.consumer == nil {
		return
	}
	t.numbers.endsAt = now.Add(endsEvery)
	tps := t.consumer.Assignment()
	ends := make([]taskstats.Offset, 0, len(tps))
	for _, tp := range tps {
		if end, ok := t.consumer.End(tp); ok {
			ends = append(ends, taskstats.Offset{Partition: partitionOf(tp), Offset: end})
		}
	}
	t.stats.Ends(ends)
}

// putReturned counts a Put of the batch. It is called beside the loop, which waits.
func (t *task) putReturned(err error) {
	next := t.numbers.next
	if err != nil || len(t.batch.Records) == 0 {
		next = nil
	}
	t.stats.PutReturned(len(t.out.Records), next, err)
	if len(next) > 0 {
		r := &t.batch.Records[0]
		t.trace.Follow("commit", 0, r.Topic, r.Partition, r.Offset, len(t.batch.Records))
	}
}

// assigned begins the numbers of partitions.
func (t *task) assigned(tps []kafkaio.TopicPartition, committed map[kafkaio.TopicPartition]int64) {
	t.stats.Forget(partitionsOf(tps)) // what they were in an earlier assignment
	t.stats.Assigned(partitionsOf(tps))
	t.stats.CommittedOffsets(offsetsOf(committed))
	t.numbers.endsAt = time.Time{}
}

// forget drops the numbers of partitions that went.
func (t *task) forget(tps []kafkaio.TopicPartition) {
	t.stats.Forget(partitionsOf(tps))
	t.trace.Drop()
	t.numbers.without(tps)
}

// without takes partitions out of what a Put of the batch will count.
func (n *numbers) without(tps []kafkaio.TopicPartition) {
	gone := partitionsOf(tps)
	n.next = slices.DeleteFunc(n.next, func(o taskstats.Offset) bool { return slices.Contains(gone, o.Partition) })
}

func partitionOf(tp kafkaio.TopicPartition) taskstats.Partition {
	return taskstats.Partition{Topic: tp.Topic, Index: tp.Partition}
}

func partitionsOf(tps []kafkaio.TopicPartition) []taskstats.Partition {
	out := make([]taskstats.Partition, len(tps))
	for i, tp := range tps {
		out[i] = partitionOf(tp)
	}
	return out
}

func offsetOf(r *kafkaio.Record, offset int64) taskstats.Offset {
	return taskstats.Offset{Partition: taskstats.Partition{Topic: r.Topic, Index: r.Partition}, Offset: offset, Timestamp: r.Timestamp}
}

func offsetsOf(m map[kafkaio.TopicPartition]int64) []taskstats.Offset {
	out := make([]taskstats.Offset, 0, len(m))
	for tp, o := range m {
		out = append(out, taskstats.Offset{Partition: partitionOf(tp), Offset: o, Timestamp: taskstats.Unknown})
	}
	return out
}
