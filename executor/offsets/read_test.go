package offsets

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a topic of one partition.
type log struct {
	clients // what is not read with is not there

	mu      sync.Mutex
	records []kafkaio.Record
	begins  []int64 // of each reading
}

func (l *log) write(t *testing.T, connector, partition string, n int64) {
	t.Helper()
	key, err := topics.AppendOffsetKey(nil, connector, map[string]any{"p": partition})
	if err != nil {
		t.Fatal(err)
	}
	r := kafkaio.Record{Key: key}
	if n >= 0 {
		if r.Value, err = topics.AppendOffsetValue(nil, map[string]any{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Offset = int64(len(l.records))
	l.records = append(l.records, r)
}

func (l *log) read(_ context.Context, from map[int32]int64, fn func(kafkaio.Record) error) (map[int32]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begins = append(l.begins, from[0])
	for _, r := range l.records[from[0]:] {
		if err := fn(r); err != nil {
			return nil, err
		}
	}
	return map[int32]int64{0: int64(len(l.records))}, nil
}

func open(t *testing.T) (*Kafka, *log, *clock.Fake) {
	t.Helper()
	l, c := &log{}, clock.NewFake(time.Unix(1_700_000_000, 0))
	k := newKafka(Config{Topic: "connect-offsets", Clock: c, ReadTimeout: time.Minute, Margin: func() time.Duration { return time.Second }}, l)
	t.Cleanup(func() { _ = k.Close() })
	return k, l, c
}

// at is what a partition's offset is, as of now; -1 is none.
func at(t *testing.T, k *Kafka, c clock.Clock, connector, partition string) int64 {
	t.Helper()
	got, err := k.Read(t.Context(), connector, c.Boot(), []map[string]any{{"p": partition}})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got[0]["n"].(int64); ok {
		return n
	}
	return -1
}

func TestRead_OfWhatIsHeldBeginsWhereTheLastReadingEndedAndMissesNothing(t *testing.T) {
	k, l, c := open(t)
	l.write(t, "a", "x", 1)
	l.write(t, "b", "x", 10)
	l.write(t, "a", "y", 2)
	defer k.Hold("a")()
	if n := at(t, k, c, "a", "x"); n != 1 {
		t.Fatalf("x is at %d", n)
	}
	c.Advance(time.Second)
	l.write(t, "a", "x", 3)
	l.write(t, "a", "y", -1)
	if x, y := at(t, k, c, "a", "x"), at(t, k, c, "a", "y"); x != 3 || y != -1 {
		t.Errorf("x is at %d, y at %d", x, y)
	}
	c.Advance(time.Second)
	// Another connector has not been read yet: with it everything is.
	defer k.Hold("b")()
	if n := at(t, k, c, "b", "x"); n != 10 {
		t.Errorf("b's x is at %d", n)
	}
	c.Advance(2 * time.Hour)
	if n := at(t, k, c, "a", "x"); n != 3 {
		t.Errorf("x is at %d", n)
	}
	if diff := cmp.Diff([]int64{0, 3, 0, 0}, l.begins); diff != "" {
		t.Errorf("where readings began: %s", diff)
	}
}

func TestRead_OfWhatNobodyHoldsReadsTheWholeTopic(t *testing.T) {
	k, l, c := open(t)
	l.write(t, "a", "x", 1)
	for range 2 {
		if n := at(t, k, c, "a", "x"); n != 1 {
			t.Errorf("x is at %d", n)
		}
	}
	release := k.Hold("a")
	at(t, k, c, "a", "x")
	release()
	c.Advance(time.Second)
	at(t, k, c, "a", "x")
	if diff := cmp.Diff([]int64{0, 0, 0, 0}, l.begins); diff != "" {
		t.Errorf("where readings began: %s", diff)
	}
}
