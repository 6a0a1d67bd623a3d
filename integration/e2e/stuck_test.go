package e2e

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
)

const (
	manyPartitions = 64
	manyRecords    = 40 // of each partition
	stuckPartition = 17
)

// many is a source of one task with 64 source partitions, each with a topic of its own.
func many() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.test.Many", Version: "1", Type: connectors.Source, Config: configdef.New,
		NewSource: func() connectors.SourceConnector { return manySource{} }}
}

type manySource struct{}

func (manySource) Start(context.Context, connectors.ConnectorContext, map[string]string) error {
	return nil
}
func (manySource) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{{}}, nil
}
func (manySource) Stop(context.Context) error     { return nil }
func (manySource) NewTask() connectors.SourceTask { return &manyTask{} }

type manyTask struct{ next [manyPartitions]int64 }

func manyPartition(p int) map[string]any { return map[string]any{"p": fmt.Sprint(p)} }

func (m *manyTask) Start(ctx context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	var parts []map[string]any
	for p := range manyPartitions {
		parts = append(parts, manyPartition(p))
	}
	offsets, err := tc.Offsets(ctx, parts)
	for p, o := range offsets {
		m.next[p], _ = o["n"].(int64)
	}
	return err
}

func (m *manyTask) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	for p := range m.next {
		if m.next[p] == manyRecords {
			continue
		}
		m.next[p]++
		r := b.Add()
		r.Topic, r.Partition = fmt.Sprintf("many-%d", p), b.Partition(manyPartition(p))
		r.Offset = connectors.SourceOffset{Key: "n", Value: data.Int64(m.next[p])}
		r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprint(m.next[p]))
	}
	if len(b.Records) == 0 {
		<-ctx.Done()
	}
	return nil
}

func (*manyTask) Stop(context.Context) error { return nil }

func TestASourceWith64PartitionsOfWhichOneIsStuckCommitsTheOther63(t *testing.T) {
	c := newCluster(t, 1, 1)
	var free atomic.Bool
	var refused atomic.Int64
	c.kfake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.kfake.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		topic := req.Topics[0] // librdkafka sends one partition a request
		if free.Load() || topic.Topic != fmt.Sprintf("many-%d", stuckPartition) {
			return nil, nil, false
		}
		refused.Add(1)
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		part := kmsg.NewProduceResponseTopicPartition()
		part.Partition, part.ErrorCode, part.BaseOffset = topic.Partitions[0].Partition, 19, -1 // NOT_ENOUGH_REPLICAS: tried again
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic, answer.Partitions = topic.Topic, append(answer.Partitions, part)
		res.Topics = append(res.Topics, answer)
		return res, nil, true
	})
	c.create("many", map[string]string{"connector.class": "sluice.test.Many", "tasks.max": "1"})
	last := fmt.Sprintf(`{"n":%d}`, manyRecords)
	committed := func() (whole int, offsets map[string]string) {
		offsets = c.offsets("many", "p")
		for _, o := range offsets {
			if o == last {
				whole++
			}
		}
		return whole, offsets
	}
	await(t, "63 partitions are committed to their end", func() bool { n, _ := committed(); return n == manyPartitions-1 })
	if _, offsets := committed(); refused.Load() == 0 || offsets[fmt.Sprint(stuckPartition)] != "" || len(offsets) != manyPartitions-1 {
		t.Errorf("the stuck partition: refused %d times, committed %q, of %d", refused.Load(), offsets[fmt.Sprint(stuckPartition)], len(offsets))
	}
	free.Store(true)
	await(t, "the stuck one too", func() bool { n, _ := committed(); return n == manyPartitions })
}
