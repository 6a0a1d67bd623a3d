package kafkaio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/run"
)

func TestReadToEnd_WaitsForWhatIsCommittedBehindATransactionThatIsOpen(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"))
	ctx := limited(t)
	open := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "open"})
	behind := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "behind"})
	for i, p := range []*kafkaio.Producer{open, behind} {
		if err := errors.Join(p.InitTransactions(ctx), p.Begin()); err != nil {
			t.Fatal(err)
		}
		send(t, p, []kafkaio.Message{{Topic: "a", Value: []byte{'0' + byte(i)}, Timestamp: -1, Seq: 1}})
	}
	if err := behind.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	g := run.New(ctx, "reader")
	var got []string
	if err := g.Go(func(ctx context.Context) error {
		_, err := kafkaio.ReadToEnd(ctx, client, "a", kafkaio.ReadOptions{Logger: quietLog()}, func(r kafkaio.Record) error {
			got = append(got, string(r.Value))
			return nil
		})
		if err != nil {
			return err
		}
		return errRead
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-g.Context().Done():
		t.Fatalf("it did not wait for the open transaction, and read %q: %v", got, context.Cause(g.Context()))
	case <-time.After(300 * time.Millisecond):
	}
	if err := open.Abort(ctx); err != nil {
		t.Fatal(err)
	}
	<-g.Context().Done()
	if err := context.Cause(g.Context()); !errors.Is(err, errRead) || !cmp.Equal(got, []string{"1"}) {
		t.Errorf("read %q: %v", got, err)
	}
}

// errRead says that a reading came to its end.
var errRead = errors.New("read")

func TestProducer_ACallOfATransactionEndsWithItsContextWhileKafkaIsAway(t *testing.T) {
	p := producer(t, kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": "127.0.0.1:1"}, TransactionalID: "t"})
	ctx, cancel := context.WithCancel(limited(t))
	began := time.Now()
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := p.InitTransactions(ctx); err == nil {
		t.Error("it was initialised without Kafka")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s after its context had ended", took)
	}
}

func TestProducer_AShortTransactionTimeoutIsNoFault(t *testing.T) {
	_, client := cluster(t, kfake.SeedTopics(1, "a"))
	client["transaction.timeout.ms"] = "5000"
	p := producer(t, kafkaio.ProducerConfig{Client: client, TransactionalID: "t"})
	if err := p.InitTransactions(limited(t)); err != nil {
		t.Error(err)
	}
}
