package kafkaio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

func admin(t *testing.T, client kafkaio.Client) *kafkaio.Admin {
	t.Helper()
	a, err := kafkaio.NewAdmin(client, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// underASan is set where the address sanitizer looks for leaks.
var underASan bool

// alters skips a test that would fail for a leak that is not ours.
func alters(t *testing.T) {
	if underASan {
		t.Skip("confluent-kafka-go 2.11's AlterConsumerGroupOffsets never frees its list of partitions")
	}
}

func TestGroupOffsets_ThatAMemberCommittedAreForgotten(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(2, "t"))
	a, ctx := admin(t, client), limited(t)
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"t"}})
	var b kafkaio.Batch
	for !c.Joined() && ctx.Err() == nil {
		if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil {
			t.Fatal(err)
		}
	}
	t0, t1 := kafkaio.TopicPartition{Topic: "t"}, kafkaio.TopicPartition{Topic: "t", Partition: 1}
	if err := c.Commit(ctx, map[kafkaio.TopicPartition]int64{t0: 1, t1: 2}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Leave(ctx), a.DeleteGroupOffsets(ctx, "g", []kafkaio.TopicPartition{t1})); err != nil {
		t.Fatal(err)
	}
	if got, err := a.GroupOffsets(ctx, "g"); err != nil || !cmp.Equal(map[kafkaio.TopicPartition]int64{t0: 1}, got) {
		t.Errorf("%v %v", got, err)
	}
}

func TestGroupOffsets_AreReadAlteredForgottenAndDeleted(t *testing.T) {
	alters(t)
	_, client := cluster(t, kfake.SeedTopics(2, "t", "u"))
	a, ctx := admin(t, client), limited(t)
	want := func(what string, want map[kafkaio.TopicPartition]int64) {
		t.Helper()
		got, err := a.GroupOffsets(ctx, "g")
		if err != nil || len(got)+len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("%s: %v %v, want %v", what, got, err, want)
		}
	}
	want("no group", nil)
	if err := a.DeleteGroup(ctx, "g"); err != nil {
		t.Errorf("a group that is not there is deleted already: %v", err)
	}
	if err := a.DeleteGroupOffsets(ctx, "g", []kafkaio.TopicPartition{{Topic: "t"}}); !errors.Is(err, kafkaio.ErrUnknownGroup) {
		t.Errorf("%v", err)
	}
	t0, t1, u1 := kafkaio.TopicPartition{Topic: "t"}, kafkaio.TopicPartition{Topic: "t", Partition: 1}, kafkaio.TopicPartition{Topic: "u", Partition: 1}
	if err := a.AlterGroupOffsets(ctx, "g", map[kafkaio.TopicPartition]int64{t0: 3, t1: 1 << 53, u1: 0}); err != nil {
		t.Fatal(err)
	}
	want("altered", map[kafkaio.TopicPartition]int64{t0: 3, t1: 1 << 53, u1: 0})
	if err := a.AlterGroupOffsets(ctx, "g", map[kafkaio.TopicPartition]int64{{Topic: "no"}: 3}); !errors.Is(err, kafkaio.ErrUnknownTopic) {
		t.Errorf("%v", err)
	}
	if err := a.DeleteGroupOffsets(ctx, "g", []kafkaio.TopicPartition{t1, u1}); err != nil {
		t.Fatal(err)
	}
	want("two forgotten", map[kafkaio.TopicPartition]int64{t0: 3})
	if err := a.DeleteGroup(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	want("deleted", nil)
	counts, err := a.PartitionCounts(ctx, []string{"t", "no"})
	if err != nil || !cmp.Equal(map[string]int32{"t": 2}, counts) {
		t.Errorf("%v %v", counts, err)
	}
}

func TestGroupOffsets_OfAGroupWithMembersAreLeftAlone(t *testing.T) {
	alters(t)
	_, client := cluster(t, kfake.SeedTopics(1, "t"))
	a, ctx := admin(t, client), limited(t)
	c, err := kafkaio.NewConsumer(kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"t"}, Logger: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var b kafkaio.Batch
	for !c.Joined() && ctx.Err() == nil {
		if err := c.Poll(ctx, 100*time.Millisecond, &b); err != nil {
			t.Fatal(err)
		}
	}
	tp := kafkaio.TopicPartition{Topic: "t"}
	for what, err := range map[string]error{
		"alter":  a.AlterGroupOffsets(ctx, "g", map[kafkaio.TopicPartition]int64{tp: 3}),
		"forget": a.DeleteGroupOffsets(ctx, "g", []kafkaio.TopicPartition{tp}),
		"delete": a.DeleteGroup(ctx, "g"),
	} {
		if !errors.Is(err, kafkaio.ErrGroupActive) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestFollow_BringsWhatIsThereAndWhatComes(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(3, "t"))
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	message := func(n int) []kafkaio.Message {
		return []kafkaio.Message{{Topic: "t", Partition: -1, Key: []byte(fmt.Sprint(n)), Timestamp: -1}}
	}
	if err := p.Deliver(limited(t), message(1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(limited(t))
	got, done := make(chan string, 10), make(chan error, 1)
	go func() {
		done <- kafkaio.Follow(ctx, client, "t", kafkaio.ReadOptions{Logger: quietLog()}, func(r kafkaio.Record) error {
			got <- string(r.Key)
			return nil
		})
	}()
	for n := 1; n <= 3; n++ {
		if k := <-got; k != fmt.Sprint(n) {
			t.Fatalf("%s came, %d was due", k, n)
		}
		if err := p.Deliver(limited(t), message(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
