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

// end is the sum of the high watermarks of partition 0 of topics: how many records have arrived.
func (b *broker) end(ctx context.Context, topics ...string) (sum int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	for _, topic := range topics {
		t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = -1 // the latest
		t.Topic, t.Partitions = topic, append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	res, err := req.RequestWith(ctx, b.kc)
	if err != nil {
		return 0, fmt.Errorf("asking for the end of %v: %w", topics, err)
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("asking for the end of %s: %w", t.Topic, err)
			}
			sum += p.Offset
		}
	}
	return sum, nil
}

// codecs are franz-go's, by Kafka's names.
var codecs = map[string]kgo.CompressionCodec{"": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

// fill produces n values to a topic's partitions in turn, in order.
func (b *broker) fill(ctx context.Context, topic string, partitions int, compression string, n int, value func(i int) string) error {
	kc, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codecs[compression]),
		kgo.ProducerBatchMaxBytes(512<<10), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer kc.Close()
	var failed error
	for i := range n {
		r := &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: []byte(value(i))} //nolint:gosec // below partitions
		kc.Produce(ctx, r, func(_ *kgo.Record, err error) {
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

// hash reads all records of partition 0 of topics, one topic after the other, and hashes their values, each with a line's end.
func (b *broker) hash(ctx context.Context, topics ...string) (string, error) {
	h := sha256.New()
	for _, topic := range topics {
		n, err := b.end(ctx, topic)
		if err == nil {
			err = b.each(ctx, topic, n, func(r *kgo.Record) {
				_, _ = h.Write(append(r.Value, '\n')) // a hash takes everything
			})
		}
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// each reads n records of partition 0 from its beginning, waiting for those that are not there yet.
func (b *broker) each(ctx context.Context, topic string, n int64, f func(*kgo.Record)) error {
	kc, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer kc.Close()
	for seen := int64(0); seen < n; {
		fetches := kc.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading topic %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if seen++; seen <= n {
				f(r)
			}
		})
	}
	return nil
}
