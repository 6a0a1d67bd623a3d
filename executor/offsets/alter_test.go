package offsets

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
)

// stores are n stores of executors on one Kafka.
func stores(t *testing.T, n int) ([]*Kafka, kafkaio.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "connect-offsets"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client := kafkaio.Client{"bootstrap.servers": strings.Join(c.ListenAddrs(), ",")}
	out := make([]*Kafka, n)
	for i := range out {
		k := NewKafka(Config{Topic: "connect-offsets", Producer: client, Consumer: client, Group: "g", Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { _ = k.Close() })
		out[i] = k
	}
	return out, client
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func one(p string, n any) Entry {
	e := Entry{Partition: map[string]any{"p": p}}
	if n != nil {
		e.Offset = map[string]any{"n": n}
	}
	return e
}

func listed(t *testing.T, k *Kafka, want ...Entry) {
	t.Helper()
	got, err := k.List(soon(t), "c")
	if err != nil || len(got)+len(want) > 0 && !cmp.Equal(want, got) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

func TestAlter_IsSeenByEveryExecutorAndKeepsTheDigits(t *testing.T) {
	ks, _ := stores(t, 2)
	if err := ks[0].Write(soon(t), "c", nil, []Entry{one("a", int64(1)), one("b", int64(2))}); err != nil {
		t.Fatal(err)
	}
	release := ks[1].Hold("c") // what was read before is read again
	defer release()
	listed(t, ks[1], one("a", int64(1)), one("b", int64(2)))
	if err := ks[0].Alter(soon(t), "c", []Entry{one("a", int64(1<<53+1)), one("b", nil), one("x", 1.5)}); err != nil {
		t.Fatal(err)
	}
	for _, k := range ks {
		listed(t, k, one("a", int64(1<<53+1)), one("x", 1.5))
	}
}

func TestAlter_ForgetsAPartitionUnderEveryKeyThatMeansIt(t *testing.T) {
	ks, client := stores(t, 1)
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: client, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var msgs []kafkaio.Message
	for i, key := range []string{`["c",{"a":1,"b":2}]`, `["c",{"b":2,"a":1}]`, `["c", {"b": 2, "a": 1}]`} {
		msgs = append(msgs, kafkaio.Message{Topic: "connect-offsets", Partition: -1, Key: []byte(key), Value: []byte(`{"n":1}`), Timestamp: -1, Seq: uint64(i) + 1})
	}
	if err := p.Deliver(soon(t), msgs); err != nil {
		t.Fatal(err)
	}
	if err := ks[0].Alter(soon(t), "c", []Entry{{Partition: map[string]any{"a": int64(1), "b": int64(2)}}}); err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	if _, err := kafkaio.ReadToEnd(soon(t), client, "connect-offsets", kafkaio.ReadOptions{}, func(r kafkaio.Record) error {
		left[string(r.Key)] = r.Value != nil
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 || left[`["c",{"a":1,"b":2}]`] || left[`["c",{"b":2,"a":1}]`] || left[`["c", {"b": 2, "a": 1}]`] {
		t.Errorf("%v", left)
	}
}

// stalled is the clients of an attempt that stops before its commit, until it is let go.
type stalled struct {
	clients
	at, on chan struct{}
}

type stalledProducer struct {
	producer
	at, on chan struct{}
}

func (s stalled) producer(id string, d time.Duration) (producer, error) {
	p, err := s.clients.producer(id, d)
	return stalledProducer{p, s.at, s.on}, err
}

func (p stalledProducer) Commit(ctx context.Context) error {
	close(p.at)
	<-p.on
	return p.producer.Commit(ctx)
}

func TestAlter_AnAttemptThatStalledIsFencedByTheNextAndNothingOfItAppears(t *testing.T) {
	ks, _ := stores(t, 2)
	s := stalled{ks[0].clients, make(chan struct{}), make(chan struct{})}
	ks[0].clients = s
	if err := ks[1].Write(soon(t), "c", nil, []Entry{one("a", int64(1)), one("b", int64(1))}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- ks[0].Alter(soon(t), "c", []Entry{one("a", int64(5)), one("b", int64(5)), one("new", int64(5))})
	}()
	<-s.at
	if err := ks[1].Alter(soon(t), "c", []Entry{one("a", int64(7))}); err != nil {
		t.Fatal(err)
	}
	close(s.on)
	if err := <-done; !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("the stalled attempt: %v", err)
	}
	listed(t, ks[1], one("a", int64(7)), one("b", int64(1)))
}

func TestAlter_AnEntryThatCannotBeStoredChangesNothing(t *testing.T) {
	ks, _ := stores(t, 1)
	if err := ks[0].Alter(soon(t), "c", []Entry{one("a", int64(1)), one("b", []any{1})}); err == nil {
		t.Error("a list was stored")
	}
	listed(t, ks[0])
}
