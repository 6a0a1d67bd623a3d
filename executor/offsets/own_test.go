package offsets

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
)

// owned is the store of a connector with a topic of its own, beside the worker's.
func owned(t *testing.T) (own *Own, alone, worker *Kafka) {
	t.Helper()
	ks, client := stores(t, 1)
	admin, err := kafkaio.NewAdmin(client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	alone = NewKafka(Config{Topic: "own", Producer: client, Consumer: client, Group: "g", ExactlyOnce: true, Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)})
	pool := NewPool(ks[0], func(conf map[string]string, _ bool) (Plan, error) {
		return Plan{Key: conf["topic"], Config: alone.cfg, Ensure: func(ctx context.Context) error {
			return admin.EnsureInternalTopic(ctx, kafkaio.TopicSpec{Name: "own", Partitions: 2, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}})
		}}, nil
	})
	if s, release, err := pool.Open(soon(t), nil, false); err != nil || s != Store(ks[0]) {
		t.Fatalf("without a topic of its own: %v %v", s, err)
	} else {
		release()
	}
	s, release, err := pool.Open(soon(t), map[string]string{"topic": "own"}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	again, other, err := pool.Open(soon(t), map[string]string{"topic": "own"}, false)
	if err != nil || again != s {
		t.Fatalf("two tasks of a connector have two stores: %v", err)
	}
	other()
	t.Cleanup(func() { _ = alone.Close() })
	return s.(*Own), alone, ks[0]
}

func read(t *testing.T, s Store, partitions ...string) (out []any) {
	t.Helper()
	var ask []map[string]any
	for _, p := range partitions {
		ask = append(ask, map[string]any{"p": p})
	}
	found, err := s.Read(soon(t), "c", time.Hour*24*365, ask)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		out = append(out, f["n"])
	}
	return out
}

func TestOwn_ItsTopicIsAskedFirstAndTheWorkersForWhatItDoesNotHave(t *testing.T) {
	own, alone, worker := owned(t)
	if err := worker.Write(soon(t), "c", nil, []Entry{one("a", int64(1)), one("b", int64(2))}); err != nil {
		t.Fatal(err)
	}
	if err := alone.Write(soon(t), "c", nil, []Entry{one("b", int64(20)), one("x", int64(30))}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{int64(1), int64(20), int64(30), nil}, read(t, own, "a", "b", "x", "y")); d != "" {
		t.Error(d)
	}
	list, err := own.List(soon(t), "c")
	if d := cmp.Diff([]Entry{one("a", int64(1)), one("b", int64(20)), one("x", int64(30))}, list); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestOwn_WritesAreCopiedToTheWorkersTopicAndTombstonesGoThereFirst(t *testing.T) {
	own, alone, worker := owned(t)
	if err := own.Write(soon(t), "c", nil, []Entry{one("a", int64(1)), one("b", int64(2))}); err != nil {
		t.Fatal(err)
	}
	copied := func(what string, want ...any) {
		t.Helper()
		ctx := soon(t)
		for !cmp.Equal(want, read(t, worker, "a", "b")) {
			select {
			case <-ctx.Done():
				t.Fatalf("%s: the worker's topic has %v", what, read(t, worker, "a", "b"))
			case <-clock.Real().After(10 * time.Millisecond):
			}
		}
	}
	copied("after a write", int64(1), int64(2))
	if err := own.Alter(soon(t), "c", []Entry{one("a", nil), one("b", int64(3))}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{nil, int64(3)}, read(t, own, "a", "b")); d != "" {
		t.Error(d)
	}
	copied("after an alteration", nil, int64(3))
	if d := cmp.Diff([]any{nil, int64(3)}, read(t, alone, "a", "b")); d != "" {
		t.Error(d)
	}
}

func TestRecords_AreReadOnceTheirTransactionIsCommittedAndNeverWhereItIsNot(t *testing.T) {
	own, _, worker := owned(t)
	defer own.Hold("c")()
	write := func(n int64, commit bool) {
		t.Helper()
		p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: worker.cfg.Producer, TransactionalID: "t", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		msgs, committed, err := own.Records(soon(t), "c", []Entry{one("a", n)})
		if err = errors.Join(err, p.InitTransactions(soon(t)), p.Begin(), p.Deliver(soon(t), msgs)); err != nil {
			t.Fatal(err)
		}
		if !commit {
			if err := p.Abort(soon(t)); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := p.Commit(soon(t)); err != nil {
			t.Fatal(err)
		}
		committed()
	}
	write(1, true)
	write(2, false)
	if d := cmp.Diff([]any{int64(1)}, read(t, own, "a")); d != "" {
		t.Error(d)
	}
}

func TestAlterID_IsTheFirstTasksWhereTasksHaveTransactions(t *testing.T) {
	if a, b := (Config{Group: "g"}).AlterID("c"), (Config{Group: "g", ExactlyOnce: true}).AlterID("c"); a != "g-c-offsets" || b != "g-c-0" {
		t.Error(a, b)
	}
}
