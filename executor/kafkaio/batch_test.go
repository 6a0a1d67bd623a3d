package kafkaio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// numbered are n messages for each of the partitions of topic a, in turn; the value is the number in its partition.
func numbered(partitions, n int) []kafkaio.Message {
	var msgs []kafkaio.Message
	for i := range n * partitions {
		msgs = append(msgs, kafkaio.Message{Topic: "a", Partition: int32(i % partitions), Value: []byte(fmt.Sprint(i / partitions)), Timestamp: -1, Seq: uint64(i)})
	}
	return msgs
}

// mover is a member that commits what it has read when partitions are taken from it.
type mover struct {
	t    *testing.T
	c    *kafkaio.Consumer
	mine map[kafkaio.TopicPartition]bool
	seen map[kafkaio.TopicPartition][]int64
	b    kafkaio.Batch
}

func newMover(t *testing.T, client kafkaio.Client) *mover {
	m := &mover{t: t, mine: map[kafkaio.TopicPartition]bool{}, seen: map[kafkaio.TopicPartition][]int64{}}
	m.c = consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}, MaxPoll: 7, Rebalance: m})
	return m
}

func (m *mover) Assigned(tps []kafkaio.TopicPartition) {
	for _, tp := range tps {
		m.mine[tp] = true
	}
}

func (m *mover) Revoked(tps []kafkaio.TopicPartition) {
	offsets := map[kafkaio.TopicPartition]int64{}
	for _, tp := range tps {
		delete(m.mine, tp)
		if o, ok := m.c.Position(tp); ok {
			offsets[tp] = o
		}
	}
	if err := m.c.Commit(limited(m.t), offsets); err != nil {
		m.t.Error(err)
	}
}

func (m *mover) Lost(tps []kafkaio.TopicPartition) { m.t.Errorf("%v were lost", tps) }

func (m *mover) poll() {
	m.t.Helper()
	if err := m.c.Poll(context.Background(), 10*time.Millisecond, &m.b); err != nil {
		m.t.Fatal(err)
	}
	for _, r := range m.b.Records {
		tp := kafkaio.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if !m.mine[tp] {
			m.t.Fatalf("a record of %v, which was taken away", tp)
		}
		if string(r.Value) != fmt.Sprint(r.Offset) {
			m.t.Fatalf("%v at %d has %q", tp, r.Offset, r.Value)
		}
		m.seen[tp] = append(m.seen[tp], r.Offset)
	}
}

func TestConsumer_ARebalanceMovesPartitionsWithoutAGapOrARecordTwice(t *testing.T) {
	for _, strategy := range []string{"range", "cooperative-sticky"} {
		t.Run(strategy, func(t *testing.T) {
			const partitions, n = 4, 500
			_, client := cluster(t, kfake.SeedTopics(partitions, "a"))
			client["heartbeat.interval.ms"] = "100"
			send(t, producer(t, kafkaio.ProducerConfig{Client: client}), numbered(partitions, n))
			if strategy != "range" {
				client["partition.assignment.strategy"] = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
			}
			ctx := limited(t)
			first, second := newMover(t, client), newMover(t, client)
			for len(first.seen) == 0 && ctx.Err() == nil {
				first.poll()
			}
			// The second comes while the first has read a part, and takes over half of the partitions.
			for ctx.Err() == nil && (len(second.mine) < 2 || len(second.seen) == 0) {
				first.poll()
				second.poll()
			}
			// It leaves in the middle, and the first reads the rest.
			if err := second.c.Leave(ctx); err != nil {
				t.Fatal(err)
			}
			all := func() map[kafkaio.TopicPartition]int {
				out := map[kafkaio.TopicPartition]int{}
				for _, m := range []*mover{first, second} {
					for tp, offsets := range m.seen {
						out[tp] += len(offsets)
					}
				}
				return out
			}
			total := func() (sum int) {
				for _, n := range all() {
					sum += n
				}
				return sum
			}
			for total() < partitions*n && ctx.Err() == nil {
				first.poll()
			}
			if err := first.c.Leave(ctx); err != nil {
				t.Fatal(err)
			}
			want := map[kafkaio.TopicPartition]int{}
			for p := range int32(partitions) {
				want[kafkaio.TopicPartition{Topic: "a", Partition: p}] = n
			}
			if diff := cmp.Diff(want, all()); diff != "" {
				t.Error(diff)
			}
			for tp := range want {
				was := map[int64]bool{}
				for _, m := range []*mover{first, second} {
					for _, o := range m.seen[tp] {
						if was[o] {
							t.Errorf("%v at %d came twice", tp, o)
						}
						was[o] = true
					}
				}
			}
		})
	}
}

func TestConsumer_ASeekDropsWhatWasFetchedAhead(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(2, "a"))
	send(t, producer(t, kafkaio.ProducerConfig{Client: client}), numbered(2, 2000))
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}, MaxPoll: 10})
	ctx := limited(t)
	tp := kafkaio.TopicPartition{Topic: "a", Partition: 1}
	await(t, c, 10)
	for _, to := range []int64{1990, 5, 5, 1000, 0} {
		if err := c.Seek(tp, to); err != nil {
			t.Fatal(err)
		}
		if o, ok := c.Position(tp); o != to || !ok {
			t.Errorf("after a seek to %d the position is %d", to, o)
		}
		var b kafkaio.Batch
		for next := to; next < min(to+30, 2000); {
			if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil || ctx.Err() != nil {
				t.Fatal(err, ctx.Err())
			}
			for _, r := range b.Records {
				if r.Partition != 1 {
					continue
				}
				if r.Offset != next {
					t.Fatalf("after a seek to %d: %d came, %d was due", to, r.Offset, next)
				}
				next++
			}
		}
	}
}

func TestConsumer_APauseHoldsWhatWasFetchedAhead(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(2, "a"))
	send(t, producer(t, kafkaio.ProducerConfig{Client: client}), numbered(2, 500))
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}, MaxPoll: 10})
	next := map[int32]int64{}
	check := func(rs []kafkaio.Record) {
		for _, r := range rs {
			if r.Offset != next[r.Partition] {
				t.Fatalf("partition %d: %d came, %d was due", r.Partition, r.Offset, next[r.Partition])
			}
			next[r.Partition]++
		}
	}
	for next[0] == 0 || next[1] == 0 {
		check(await(t, c, 1))
	}
	zero := []kafkaio.TopicPartition{{Topic: "a", Partition: 0}}
	if err := c.Pause(zero); err != nil {
		t.Fatal(err)
	}
	held := next[0]
	for next[1] < 500 {
		check(await(t, c, 1))
	}
	if next[0] != held {
		t.Errorf("%d records of the paused partition came", next[0]-held)
	}
	if err := c.Resume(zero); err != nil {
		t.Fatal(err)
	}
	for next[0] < 500 {
		check(await(t, c, 1))
	}
}

func TestConsumer_ACommittedReaderSeesNothingOfAnAbortedTransaction(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(2, "a"))
	ctx := limited(t)
	p := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "t"})
	if err := p.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	want := map[int32][]string{}
	for i := range 6 {
		if err := p.Begin(); err != nil {
			t.Fatal(err)
		}
		value := fmt.Sprint("v", i)
		// One by the batch call, where Kafka chooses the partition by the key, and one for a named partition.
		for seq, r := range send(t, p, []kafkaio.Message{{Topic: "a", Partition: -1, Key: []byte{byte(i)}, Value: []byte(value), Timestamp: -1, Seq: 1},
			{Topic: "a", Partition: 1, Value: []byte(value), Timestamp: 7, Headers: []kafkaio.Header{{Key: "h"}}, Seq: 2}}) {
			if r.Err != nil {
				t.Fatalf("message %d: %v", seq, r.Err)
			}
			if i%2 == 0 {
				want[r.Partition] = append(want[r.Partition], value)
			}
		}
		end := p.Commit
		if i%2 == 1 {
			end = p.Abort
		}
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
	}
	reading := maps.Clone(client)
	reading["isolation.level"] = "read_committed"
	c := consumer(t, kafkaio.ConsumerConfig{Client: reading, Group: "g", Topics: []string{"a"}})
	got := map[int32][]string{}
	for _, r := range await(t, c, 6) {
		got[r.Partition] = append(got[r.Partition], string(r.Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProducer_WhatKafkaRefusesIsReportedForEachMessage(t *testing.T) {
	kc, client := cluster(t, kfake.SeedTopics(1, "a", "forbidden"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	retried := 0
	kc.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kc.KeepControl()
		in := req.(*kmsg.ProduceRequest)
		code := int16(0)
		for _, topic := range in.Topics {
			if topic.Topic == "forbidden" || kc.TopicInfo("forbidden").TopicID == topic.TopicID {
				code = kerr.TopicAuthorizationFailed.Code
			} else if retried < 3 {
				retried++
				code = kerr.NotLeaderForPartition.Code
			}
		}
		if code == 0 {
			return nil, nil, false
		}
		res := in.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range in.Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic, out.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				failed := kmsg.NewProduceResponseTopicPartition()
				failed.Partition, failed.ErrorCode = partition.Partition, code
				out.Partitions = append(out.Partitions, failed)
			}
			res.Topics = append(res.Topics, out)
		}
		return res, nil, true
	})
	reports := send(t, p, []kafkaio.Message{{Topic: "a", Value: []byte("x"), Timestamp: -1, Seq: 1}, {Topic: "a", Value: []byte("y"), Timestamp: -1, Seq: 2}})
	if reports[1].Err != nil || reports[2].Err != nil || retried != 3 {
		t.Errorf("after %d answers that say try again: %+v", retried, reports)
	}
	reports = send(t, p, []kafkaio.Message{{Topic: "forbidden", Value: []byte("x"), Timestamp: -1, Seq: 3}, {Topic: "forbidden", Timestamp: 1, Seq: 4}})
	for seq, r := range reports {
		if r.Err == nil || r.Offset != -1 || kafkaio.Retriable(r.Err) || !strings.Contains(r.Err.Error(), "authorization") {
			t.Errorf("message %d: %+v", seq, r)
		}
	}
}

func TestRecords_LargerThanAnyLimitOfAFetchCome(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "12000000"}))
	client["max.request.size"] = "12000000"
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	large := bytes.Repeat([]byte("0123456789"), 1_000_000)
	msgs := []kafkaio.Message{
		{Topic: "a", Value: []byte("before"), Timestamp: -1, Seq: 1},
		{Topic: "a", Value: large, Timestamp: -1, Seq: 2},
		{Topic: "a", Value: large, Timestamp: 5, Headers: []kafkaio.Header{{Key: "h", Value: large[:1_000_000]}}, Seq: 3},
		{Topic: "a", Value: []byte("after"), Timestamp: -1, Seq: 4},
	}
	for seq, r := range send(t, p, msgs) {
		if r.Err != nil {
			t.Fatalf("message %d: %v", seq, r.Err)
		}
	}
	client["max.partition.fetch.bytes"], client["fetch.max.bytes"] = "1000", "1048576"
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
	for i, r := range await(t, c, len(msgs)) {
		if !bytes.Equal(r.Value, msgs[i].Value) || len(r.Headers) != len(msgs[i].Headers) {
			t.Errorf("record %d: %d bytes, %d headers", i, len(r.Value), len(r.Headers))
		}
		for j, h := range r.Headers {
			if !bytes.Equal(h.Value, msgs[i].Headers[j].Value) {
				t.Errorf("record %d, header %d: %d bytes", i, j, len(h.Value))
			}
		}
	}
}

func TestConsumer_WhatItMayNotReadIsAnErrorThatNamesTheTopic(t *testing.T) {
	kc, client := cluster(t, kfake.SeedTopics(1, "a"))
	send(t, producer(t, kafkaio.ProducerConfig{Client: client}), numbered(1, 1))
	kc.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kc.KeepControl()
		in := req.(*kmsg.FetchRequest)
		res := in.ResponseKind().(*kmsg.FetchResponse)
		for _, topic := range in.Topics {
			out := kmsg.NewFetchResponseTopic()
			out.Topic, out.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				failed := kmsg.NewFetchResponseTopicPartition()
				failed.RecordBatches = []byte{}
				failed.Partition, failed.ErrorCode = partition.Partition, kerr.TopicAuthorizationFailed.Code
				out.Partitions = append(out.Partitions, failed)
			}
			res.Topics = append(res.Topics, out)
		}
		return res, nil, true
	})
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
	ctx := limited(t)
	var b kafkaio.Batch
	for ctx.Err() == nil {
		err := c.Poll(ctx, 100*time.Millisecond, &b)
		if err == nil {
			continue
		}
		var e *kafkaio.Error
		if !errors.As(err, &e) || e.Code != int(kerr.TopicAuthorizationFailed.Code) || !strings.Contains(err.Error(), `topic "a", partition 0`) {
			t.Errorf("%v", err)
		}
		return
	}
	t.Error("no error came")
}
