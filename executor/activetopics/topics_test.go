package activetopics

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func kafka(t *testing.T) kafkaio.Client {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(5, "connect-status"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return kafkaio.Client{"bootstrap.servers": strings.Join(c.ListenAddrs(), ",")}
}

// start runs what an executor runs.
func start(t *testing.T, client kafkaio.Client) *Topics {
	t.Helper()
	x := New(Config{Topic: "connect-status", Client: client, Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- x.Write(ctx) }()
	go func() { done <- x.Follow(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return x
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("waiting in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func list(t *testing.T, x *Topics, connector string) []string {
	t.Helper()
	got, err := x.List(soon(t), connector)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTopics_EveryExecutorKnowsWhatAnyTaskUsesAlsoAfterARestart(t *testing.T) {
	client := kafka(t)
	a, b := start(t, client), start(t, client)
	a.Used("c", 0, "t")
	b.Used("c", 1, "u")
	b.Used("other:connector-c", 0, "v")
	await(t, "both topics", func() bool { return cmp.Equal([]string{"t", "u"}, list(t, a, "c")) })
	for _, x := range []*Topics{b, start(t, client)} {
		if got := list(t, x, "c"); !cmp.Equal([]string{"t", "u"}, got) {
			t.Errorf("%v", got)
		}
		if got := list(t, x, "other:connector-c"); !cmp.Equal([]string{"v"}, got) {
			t.Errorf("%v", got)
		}
	}
}

func TestTopics_AreWrittenOnceHoweverOftenTheyAreUsed(t *testing.T) {
	client := kafka(t)
	a := start(t, client)
	for range 1000 {
		a.Used("c", 0, "t")
	}
	await(t, "it", func() bool { return len(list(t, a, "c")) == 1 })
	for range 1000 {
		a.Used("c", 0, "t")
	}
	a.Used("c", 0, "last")
	await(t, "the last", func() bool { return len(list(t, a, "c")) == 2 })
	n := 0
	if _, err := kafkaio.ReadToEnd(soon(t), client, "connect-status", kafkaio.ReadOptions{}, func(r kafkaio.Record) error {
		if string(r.Key) == topics.StatusTopicKey("t", "c") {
			n++
		}
		return nil
	}); err != nil || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
}

func TestTopics_AResetByAnotherExecutorIsFollowedByTheNextUse(t *testing.T) {
	client := kafka(t)
	a, b := start(t, client), start(t, client)
	a.Used("c", 0, "t")
	await(t, "it", func() bool { return len(list(t, b, "c")) == 1 })
	if err := b.Forget(soon(t), "c"); err != nil {
		t.Fatal(err)
	}
	if got := append(list(t, a, "c"), list(t, b, "c")...); len(got) > 0 {
		t.Fatalf("after the reset: %v", got)
	}
	await(t, "it comes back with the next use", func() bool {
		a.Used("c", 0, "t")
		return len(list(t, b, "c")) == 1
	})
}

func TestTopics_LeaveForgetsWhatIsStillOnItsWay(t *testing.T) {
	client := kafka(t)
	a, b := start(t, client), start(t, client)
	b.Used("kept", 0, "t")
	for range 5 {
		a.Used("c", 0, "t")
		a.Used("c", 0, "u")
		if err := a.Leave(soon(t), "c"); err != nil {
			t.Fatal(err)
		}
		if got := list(t, b, "c"); len(got) > 0 {
			t.Fatalf("%v", got)
		}
	}
	await(t, "another connector's stay", func() bool { return len(list(t, a, "kept")) == 1 })
}

func TestTopics_WithoutATopicAreInMemory(t *testing.T) {
	x := New(Config{Clock: clock.Real(), Logger: slog.New(slog.DiscardHandler)})
	x.Used("c", 0, "t")
	if got := list(t, x, "c"); !cmp.Equal([]string{"t"}, got) {
		t.Errorf("%v", got)
	}
	if err := x.Forget(soon(t), "c"); err != nil || len(list(t, x, "c")) > 0 {
		t.Errorf("%v", err)
	}
}
