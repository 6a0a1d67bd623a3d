package kafkaio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

func cluster(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, kafkaio.Client) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kafkaio.Client{"bootstrap.servers": strings.Join(c.ListenAddrs(), ",")}
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func producer(t testing.TB, cfg kafkaio.ProducerConfig) *kafkaio.Producer {
	t.Helper()
	cfg.Logger = quietLog()
	p, err := kafkaio.NewProducer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// send produces all and returns their reports by Seq.
func send(t testing.TB, p *kafkaio.Producer, msgs []kafkaio.Message) map[uint64]kafkaio.Report {
	t.Helper()
	ctx := limited(t)
	got := map[uint64]kafkaio.Report{}
	buf := make([]kafkaio.Report, 100)
	for total := len(msgs); len(got) < total; {
		n, err := p.Produce(msgs)
		if err != nil && !errors.Is(err, kafkaio.ErrQueueFull) {
			t.Fatal(err)
		}
		msgs = msgs[n:]
		n, err = p.Reports(ctx, time.Second, buf)
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		for _, r := range buf[:n] {
			got[r.Seq] = r
		}
	}
	return got
}

type rebalances struct{ assigned, revoked, lost []kafkaio.TopicPartition }

func (r *rebalances) Assigned(tps []kafkaio.TopicPartition) { r.assigned = append(r.assigned, tps...) }
func (r *rebalances) Revoked(tps []kafkaio.TopicPartition)  { r.revoked = append(r.revoked, tps...) }
func (r *rebalances) Lost(tps []kafkaio.TopicPartition)     { r.lost = append(r.lost, tps...) }

func consumer(t testing.TB, cfg kafkaio.ConsumerConfig) *kafkaio.Consumer {
	t.Helper()
	cfg.Logger = quietLog()
	c, err := kafkaio.NewConsumer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// await polls until n records came.
func await(t testing.TB, c *kafkaio.Consumer, n int) []kafkaio.Record {
	t.Helper()
	ctx := limited(t)
	var b kafkaio.Batch
	var out []kafkaio.Record
	for len(out) < n {
		if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Records {
			r.Key, r.Value = clone(r.Key), clone(r.Value)
			heads := r.Headers
			r.Headers = nil
			for _, h := range heads {
				r.Headers = append(r.Headers, kafkaio.Header{Key: h.Key, Value: clone(h.Value)})
			}
			out = append(out, r)
		}
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records came", len(out), n)
		}
	}
	return out
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func TestRoundTrip_KeepsEveryFieldOfARecord(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a", "b"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	msgs := []kafkaio.Message{
		{Topic: "a", Partition: 0, Key: []byte("k"), Value: []byte("v"), Timestamp: -1, Seq: 1},
		{Topic: "a", Partition: 0, Key: nil, Value: nil, Timestamp: 1234, Seq: 2},
		{Topic: "a", Partition: 0, Key: []byte{}, Value: []byte{}, Timestamp: 5, Seq: 3},
		{Topic: "a", Partition: -1, Value: []byte("x"), Timestamp: 6, Seq: 1 << 60, Headers: []kafkaio.Header{
			{Key: "h1", Value: []byte("1")}, {Key: "h2", Value: nil}, {Key: "h1", Value: []byte{}}}},
		{Topic: "b", Partition: 0, Value: []byte(strings.Repeat("y", 100_000)), Timestamp: 7, Seq: 5},
	}
	reports := send(t, p, msgs)
	for i, m := range msgs {
		want := kafkaio.Report{Seq: m.Seq, Offset: int64(i % 4)}
		if diff := cmp.Diff(want, reports[m.Seq]); diff != "" {
			t.Error(diff)
		}
	}
	if p.Outstanding() != 0 {
		t.Errorf("outstanding %d", p.Outstanding())
	}
	reb := &rebalances{}
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a", "b"}, Rebalance: reb})
	got := map[string][]kafkaio.Record{}
	for _, r := range await(t, c, len(msgs)) {
		got[r.Topic] = append(got[r.Topic], r)
	}
	for i, m := range msgs {
		r := got[m.Topic][i%4]
		if m.Timestamp < 0 {
			if r.Timestamp <= 0 {
				t.Errorf("record %d has no timestamp", i)
			}
			m.Timestamp = r.Timestamp
		}
		want := kafkaio.Record{Topic: m.Topic, Offset: int64(i % 4), Timestamp: m.Timestamp, TimestampType: 1, Key: m.Key, Value: m.Value, Headers: m.Headers}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("record %d: %s", i, diff)
		}
	}
	if len(reb.assigned) != 2 {
		t.Errorf("assigned %v", reb.assigned)
	}
	if o, ok := c.Position(kafkaio.TopicPartition{Topic: "a"}); o != 4 || !ok {
		t.Errorf("position %d %v", o, ok)
	}
}

func TestProducer_KeepsTheOrderAndReportsEveryMessageOnce(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(3, "a"))
	client["buffer.memory"] = "65536" // full again and again
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	const n = 20_000
	msgs := make([]kafkaio.Message, n)
	for i := range msgs {
		msgs[i] = kafkaio.Message{Topic: "a", Partition: int32(i % 3), Value: []byte(fmt.Sprint(i)), Timestamp: -1, Seq: uint64(i)}
	}
	reports := send(t, p, msgs)
	for i := range msgs {
		if r := reports[uint64(i)]; r.Err != nil || r.Offset != int64(i/3) || r.Partition != int32(i%3) {
			t.Fatalf("message %d: %+v", i, r)
		}
	}
}

func TestProducer_ARefusedMessageIsReportedAndTheRestGoesOn(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	reports := send(t, p, []kafkaio.Message{
		{Topic: "a", Value: []byte("1"), Timestamp: -1, Seq: 1},
		{Topic: "a", Value: make([]byte, 2<<20), Timestamp: -1, Seq: 2},
		{Topic: "a", Value: []byte("3"), Timestamp: -1, Seq: 3},
	})
	if reports[1].Err != nil || reports[3].Err != nil || reports[2].Err == nil || kafkaio.Retriable(reports[2].Err) {
		t.Errorf("%+v", reports)
	}
}

func TestProducer_CloseAndPurgeAreQuickWithKafkaAway(t *testing.T) {
	c, client := cluster(t, kfake.SeedTopics(1, "a"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	send(t, p, []kafkaio.Message{{Topic: "a", Value: []byte("1"), Timestamp: -1, Seq: 1}})
	c.Close()
	if _, err := p.Produce([]kafkaio.Message{{Topic: "a", Value: []byte("1"), Timestamp: -1, Seq: 2}}); err != nil {
		t.Fatal(err)
	}
	p.Purge()
	buf := make([]kafkaio.Report, 10)
	ctx := limited(t)
	for p.Outstanding() > 0 {
		n, err := p.Reports(ctx, time.Second, buf)
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		if n > 0 && buf[0].Err == nil {
			t.Errorf("%+v", buf[0])
		}
	}
	p.Close()
	if _, err := p.Produce([]kafkaio.Message{{Topic: "a"}}); !errors.Is(err, kafkaio.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := p.Reports(ctx, 0, buf); !errors.Is(err, kafkaio.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestProducer_ANewerTransactionalProducerFencesTheOlder(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"))
	ctx := limited(t)
	p1 := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "t"})
	for _, f := range []func() error{func() error { return p1.InitTransactions(ctx) }, p1.Begin} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	send(t, p1, []kafkaio.Message{{Topic: "a", Value: []byte("aborted"), Timestamp: -1, Seq: 1}})
	p2 := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "t"})
	for _, f := range []func() error{func() error { return p2.InitTransactions(ctx) }, p2.Begin} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	send(t, p2, []kafkaio.Message{{Topic: "a", Value: []byte("kept"), Timestamp: -1, Seq: 1}})
	if err := p2.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p1.Commit(ctx); !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("the older producer's commit: %v", err)
	}
	var got []string
	_, err := kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{Logger: quietLog()}, func(r kafkaio.Record) error {
		got = append(got, string(r.Value))
		return nil
	})
	if err != nil || !cmp.Equal(got, []string{"kept"}) {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestConsumer_CommitsAndGoesOnThere(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	var msgs []kafkaio.Message
	for i := range 10 {
		msgs = append(msgs, kafkaio.Message{Topic: "a", Value: []byte{byte(i)}, Timestamp: -1, Seq: uint64(i)})
	}
	send(t, p, msgs)
	ctx := limited(t)
	tp := kafkaio.TopicPartition{Topic: "a"}
	reb := &rebalances{}
	cfg := kafkaio.ConsumerConfig{Client: client, Group: "g", InstanceID: "i", Topics: []string{"a"}, MaxPoll: 4, Rebalance: reb}
	c := consumer(t, cfg)
	await(t, c, 4)
	if err := c.Commit(ctx, map[kafkaio.TopicPartition]int64{tp: 3}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Committed(ctx, []kafkaio.TopicPartition{tp}); err != nil || got[tp] != 3 {
		t.Errorf("committed %v, %v", got, err)
	}
	if err := c.Seek(tp, 8); err != nil {
		t.Fatal(err)
	}
	if got := await(t, c, 2); got[0].Offset != 8 || got[1].Offset != 9 {
		t.Errorf("after seek: %v", got)
	}
	// A successor with the same instance id takes the place; the older one is told.
	cfg.Rebalance = nil
	c2 := consumer(t, cfg)
	if got := await(t, c2, 7); got[0].Offset != 3 || len(got) != 7 {
		t.Errorf("the successor goes on at %v", got)
	}
	var b kafkaio.Batch
	for {
		err := c.Poll(ctx, 100*time.Millisecond, &b)
		if errors.Is(err, kafkaio.ErrFenced) {
			break
		}
		if err != nil || ctx.Err() != nil {
			t.Fatal("the older member was not fenced:", err)
		}
	}
	if len(reb.lost) != 1 || len(reb.revoked) != 0 {
		t.Errorf("%+v", reb)
	}
}

func TestConsumer_PausedPartitionsBringNothingAndLoseNothing(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(2, "a"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	var msgs []kafkaio.Message
	for i := range 100 {
		msgs = append(msgs, kafkaio.Message{Topic: "a", Partition: int32(i % 2), Value: []byte{byte(i)}, Timestamp: -1, Seq: uint64(i)})
	}
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
	ctx := limited(t)
	var b kafkaio.Batch
	for len(c.Assignment()) == 0 && ctx.Err() == nil {
		if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil {
			t.Fatal(err)
		}
	}
	zero := []kafkaio.TopicPartition{{Topic: "a", Partition: 0}}
	if err := c.Pause(zero); err != nil {
		t.Fatal(err)
	}
	send(t, p, msgs)
	for _, r := range await(t, c, 50) {
		if r.Partition == 0 {
			t.Fatalf("a record of the paused partition: %+v", r)
		}
	}
	if err := c.Resume(zero); err != nil {
		t.Fatal(err)
	}
	for i, r := range await(t, c, 50) {
		if r.Partition != 0 || r.Offset != int64(i) {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
}

// What a member pauses it does not find paused when the partition comes back to it; what it keeps stays as it is.
func TestConsumer_APartitionThatIsAssignedAnewIsNotPaused(t *testing.T) {
	for assignor, paused := range map[string]int{"range": 0, "cooperative-sticky": 1} {
		t.Run(assignor, func(t *testing.T) {
			_, client := cluster(t, kfake.SeedTopics(2, "a"))
			client["partition.assignment.strategy"], client["heartbeat.interval.ms"] = assignor, "50"
			cfg := kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}}
			c, other, ctx := consumer(t, cfg), consumer(t, cfg), limited(t)
			var b kafkaio.Batch
			holds := func(n int, polled ...*kafkaio.Consumer) {
				t.Helper()
				for len(c.Assignment()) != n {
					for _, p := range polled {
						if err := p.Poll(ctx, 20*time.Millisecond, &b); err != nil || ctx.Err() != nil {
							t.Fatal(err, ctx.Err())
						}
					}
				}
			}
			holds(2, c)
			if err := c.Pause(c.Assignment()); err != nil {
				t.Fatal(err)
			}
			holds(1, c, other)
			left := make(chan error, 1)
			go func() { left <- other.Leave(ctx) }()
			holds(2, c)
			if err := <-left; err != nil {
				t.Fatal(err)
			}
			p := producer(t, kafkaio.ProducerConfig{Client: client})
			var msgs []kafkaio.Message
			for i := range 20 {
				msgs = append(msgs, kafkaio.Message{Topic: "a", Partition: int32(i % 2), Timestamp: -1, Seq: uint64(i)})
			}
			send(t, p, msgs)
			await(t, c, 10*(2-paused))
		})
	}
}

func TestConsumer_LeaveEmptiesTheGroupAndRevokesFirst(t *testing.T) {
	kc, client := cluster(t, kfake.SeedTopics(2, "a"))
	reb := &rebalances{}
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", InstanceID: "i", Topics: []string{"a"}, Rebalance: reb})
	ctx := limited(t)
	var b kafkaio.Batch
	for len(c.Assignment()) == 0 && ctx.Err() == nil {
		if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if len(reb.revoked) != 2 || len(reb.lost) != 0 {
		t.Errorf("%+v", reb)
	}
	if g := kc.GroupInfo("g"); g != nil && len(g.Members) > 0 {
		t.Errorf("members %v", g.Members)
	}
	if err := c.Poll(ctx, 0, &b); !errors.Is(err, kafkaio.ErrClosed) {
		t.Errorf("after Leave: %v", err)
	}
}

func TestConsumer_ARegexFindsTopicsThatComeLater(t *testing.T) {
	kc, client := cluster(t, kfake.SeedTopics(1, "x-1", "x-0", "y-1"))
	client["metadata.max.age.ms"] = "100"
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", TopicsRegex: `x(?!-0)-\d++`})
	send(t, p, []kafkaio.Message{{Topic: "x-1", Timestamp: -1, Seq: 1}, {Topic: "y-1", Timestamp: -1, Seq: 2}})
	if r := await(t, c, 1); r[0].Topic != "x-1" {
		t.Errorf("%+v", r)
	}
	if err := kc.CreateTopic("x-22", 1, nil); err != nil {
		t.Fatal(err)
	}
	send(t, p, []kafkaio.Message{{Topic: "x-22", Timestamp: -1, Seq: 1}})
	for seen := false; !seen; {
		for _, r := range await(t, c, 1) {
			if seen = seen || r.Topic == "x-22"; r.Topic == "y-1" {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestReadToEnd_ReadsAllPartitionsAndKnowsMissingTopics(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(7, "a"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	var msgs []kafkaio.Message
	for i := range 5000 {
		msgs = append(msgs, kafkaio.Message{Topic: "a", Partition: int32(i % 5), Value: []byte{1}, Timestamp: -1, Seq: uint64(i)})
	}
	send(t, p, msgs)
	n, ctx := 0, limited(t)
	next, err := kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{Logger: quietLog()}, func(kafkaio.Record) error { n++; return nil })
	if err != nil || n != 5000 {
		t.Errorf("%d records, %v", n, err)
	}
	// The next reading begins where this one ended; what is out of range is read from the beginning.
	send(t, p, []kafkaio.Message{{Topic: "a", Partition: 1, Value: []byte{1}, Timestamp: -1}, {Topic: "a", Partition: 6, Value: []byte{1}, Timestamp: -1, Seq: 1}})
	next[4] += 1000
	seen := map[int32]int{}
	next, err = kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{From: next, Logger: quietLog()}, func(r kafkaio.Record) error { seen[r.Partition]++; return nil })
	if diff := cmp.Diff(map[int32]int{1: 1, 4: 1000, 6: 1}, seen); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff(map[int32]int64{0: 1000, 1: 1001, 2: 1000, 3: 1000, 4: 1000, 5: 0, 6: 1}, next); diff != "" {
		t.Error(diff)
	}
	_, err = kafkaio.ReadToEnd(ctx, client, "none", kafkaio.ReadOptions{Logger: quietLog()}, func(kafkaio.Record) error { return nil })
	if !errors.Is(err, kafkaio.ErrUnknownTopic) {
		t.Errorf("missing topic: %v", err)
	}
	boom := errors.New("boom")
	if _, err := kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{Logger: quietLog()}, func(kafkaio.Record) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
}

func TestKafkaAway_IsNamedWithinTheDeadline(t *testing.T) {
	client := kafkaio.Client{"bootstrap.servers": "127.0.0.1:1"}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{Logger: quietLog()}, func(kafkaio.Record) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || !kafkaio.Retriable(err) {
		t.Errorf("%v", err)
	}
	a, err := kafkaio.NewAdmin(client, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := a.DescribeTopic(ctx, "a"); !errors.Is(err, kafkaio.ErrTimeout) && !kafkaio.Retriable(err) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

func TestAdmin_InternalTopicsAreMadeRightOrRefusedWithWhatIsWrong(t *testing.T) {
	kc, client := cluster(t)
	a, err := kafkaio.NewAdmin(client, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx := limited(t)
	spec := kafkaio.TopicSpec{Name: "connect-offsets", Partitions: 25, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}
	for range 2 {
		if err := a.EnsureInternalTopic(ctx, spec); err != nil {
			t.Fatal(err)
		}
	}
	info, err := a.DescribeTopic(ctx, spec.Name)
	if err != nil || info.Partitions != 25 || info.Config["cleanup.policy"] != "compact" {
		t.Errorf("%+v %v", info, err)
	}
	if err := a.CreateTopic(ctx, spec); !errors.Is(err, kafkaio.ErrTopicExists) {
		t.Errorf("%v", err)
	}
	if err := kc.CreateTopic("wrong", 1, nil); err != nil {
		t.Fatal(err)
	}
	spec.Name = "wrong"
	if err := a.EnsureInternalTopic(ctx, spec); !errors.Is(err, kafkaio.ErrTopicSettings) || !strings.Contains(err.Error(), "cleanup.policy=delete") {
		t.Errorf("%v", err)
	}
	spec.Name, spec.Partitions = "connect-offsets", 1
	if err := a.EnsureInternalTopic(ctx, spec); !errors.Is(err, kafkaio.ErrTopicSettings) || !strings.Contains(err.Error(), "25 partitions") {
		t.Errorf("%v", err)
	}
	if _, err := a.DescribeTopic(ctx, "none"); !errors.Is(err, kafkaio.ErrUnknownTopic) {
		t.Errorf("%v", err)
	}
	if id, err := a.ClusterID(ctx); err != nil || id == "" {
		t.Errorf("%q %v", id, err)
	}
	if _, err := a.GroupMembers(ctx, ""); !errors.Is(err, kafkaio.ErrConfig) {
		t.Errorf("%v", err)
	}
	if n, err := a.GroupMembers(ctx, "none"); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
}

func BenchmarkProduce(b *testing.B) {
	_, client := cluster(b, kfake.SeedTopics(1, "a"), kfake.BlackholeProduce())
	p := producer(b, kafkaio.ProducerConfig{Client: client})
	msgs := make([]kafkaio.Message, 500)
	value := make([]byte, 100)
	for i := range msgs {
		msgs[i] = kafkaio.Message{Topic: "a", Value: value, Timestamp: -1}
	}
	buf := make([]kafkaio.Report, 2000)
	ctx := context.Background()
	b.ReportAllocs()
	for left := b.N; left > 0 || p.Outstanding() > 0; {
		if left > 0 && p.Outstanding() < 20_000 {
			n, _ := p.Produce(msgs[:min(left, len(msgs))])
			left -= n
			continue
		}
		if _, err := p.Reports(ctx, time.Second, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	_, client := cluster(b, kfake.SyntheticFetch(kfake.SyntheticBatch{}), kfake.SeedTopics(1, "a"))
	c := consumer(b, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
	var batch kafkaio.Batch
	ctx := context.Background()
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(batch.Records) {
		if err := c.Poll(ctx, time.Second, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
