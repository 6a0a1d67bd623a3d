package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// broker is the bench's own client: one that neither side uses.
type broker struct {
	addr string
	kc   *kgo.Client
}

func dial(addr string) (*broker, error) {
	kc, err := kgo.NewClient(kgo.SeedBrokers(addr))
	return &broker{addr, kc}, err
}

func (b *broker) close() { b.kc.Close() }

// create returns once the partition serves, so that neither side has to wait for it.
func (b *broker) create(ctx context.Context, topic string, partitions int32) error {
	req, t := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 10_000
	res, err := req.RequestWith(ctx, b.kc)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", topic, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		_, err := b.end(ctx, topic)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.LeaderNotAvailable) && !errors.Is(err, kerr.NotLeaderForPartition) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (b *broker) remove(ctx context.Context, topic string) error {
	req, t := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, t), append(req.TopicNames, topic), 10_000
	res, err := req.RequestWith(ctx, b.kc)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("deleting topic %s: %w", topic, err)
	}
	return nil
}

// end is the high watermark of partition 0: how many records have arrived.
func (b *broker) end(ctx context.Context, topic string) (int64, error) {
	req, t, p := kmsg.NewPtrListOffsetsRequest(), kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1 // the latest
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.ReplicaID, req.Topics = -1, append(req.Topics, t)
	res, err := req.RequestWith(ctx, b.kc)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the end of %s: %w", topic, err)
	}
	return res.Topics[0].Partitions[0].Offset, nil
}

// fill produces n values to partition 0, in order.
func (b *broker) fill(ctx context.Context, topic string, n int, value func(i int) string) error {
	kc, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(512<<10), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer kc.Close()
	var failed error
	for i := range n {
		kc.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(value(i))}, func(_ *kgo.Record, err error) {
			if err != nil && failed == nil { // promises are kept by one goroutine, and Flush waits for it
				failed = err
			}
		})
	}
	if err := kc.Flush(ctx); err != nil {
		return err
	}
	return failed
}

// hash reads n records of partition 0 and hashes their values, each with a line's end.
func (b *broker) hash(ctx context.Context, topic string, n int64) (string, error) {
	kc, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return "", err
	}
	defer kc.Close()
	h := sha256.New()
	for seen := int64(0); seen < n; {
		f := kc.PollFetches(ctx)
		if err := f.Err(); err != nil {
			return "", fmt.Errorf("reading topic %s: %w", topic, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			_, _ = h.Write(append(r.Value, '\n')) // a hash takes everything
			seen++
		})
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
