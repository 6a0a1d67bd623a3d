package offsets

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/await"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a topic of one partition.
type log struct {
	clients // what is not read with is not there

	mu      sync.Mutex
	records []kafkaio.Record
	begins  []int64 // of each reading
	readers int     // how many are open
	opened  int     // how many were opened
	broken  error   // what the next reading says
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

func (l *log) reader() (reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers++
	l.opened++
	return l, nil
}

func (l *log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers--
	return nil
}

func (l *log) ToEnd(_ context.Context, from map[int32]int64, fn func(kafkaio.Record) error) (map[int32]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.broken; err != nil {
		l.broken = nil
		return nil, err
	}
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

func TestRead_OfANewConnectorBeginsWhereTheLastReadingEnded(t *testing.T) {
	k, l, c := open(t)
	l.write(t, "a", "x", 1)
	l.write(t, "a\"b", "x", 5) // its name has an escape in the key
	defer k.Hold("a")()
	at(t, k, c, "a", "x")
	// Nothing of new was there so far, and what others write of it now is behind that.
	l.write(t, "new", "x", 7)
	l.write(t, "a", "x", 2)
	if n := at(t, k, c, "new", "x"); n != 7 {
		t.Errorf("new's x is at %d", n)
	}
	// Now there is something, and nobody held it.
	c.Advance(time.Second)
	if n := at(t, k, c, "new", "x"); n != 7 {
		t.Errorf("new's x is at %d", n)
	}
	if n := at(t, k, c, "a\"b", "x"); n != 5 {
		t.Errorf("x of the one with an escape is at %d", n)
	}
	if n := at(t, k, c, "a", "x"); n != 2 {
		t.Errorf("a's x is at %d", n)
	}
	// What is known is old: a tombstone may have come and gone.
	c.Advance(2 * time.Hour)
	if n := at(t, k, c, "newer", "x"); n != -1 {
		t.Errorf("newer's x is at %d", n)
	}
	if diff := cmp.Diff([]int64{0, 2, 0, 0, 2, 0}, l.begins); diff != "" {
		t.Errorf("where readings began: %s", diff)
	}
}

func TestRead_KeepsItsClientForAMinuteAndNotAfterAnError(t *testing.T) {
	k, l, c := open(t)
	peek := func() (readers, opened int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.readers, l.opened
	}
	for range 3 {
		at(t, k, c, "a", "x")
	}
	if readers, opened := peek(); readers != 1 || opened != 1 {
		t.Errorf("%d clients are open, %d were opened", readers, opened)
	}
	l.mu.Lock()
	l.broken = errors.New("no leader")
	l.mu.Unlock()
	if _, err := k.Read(t.Context(), "a", c.Boot(), nil); err == nil || !strings.Contains(err.Error(), "no leader") {
		t.Errorf("%v", err)
	}
	at(t, k, c, "a", "x")
	if readers, opened := peek(); readers != 1 || opened != 2 {
		t.Errorf("%d clients are open, %d were opened", readers, opened)
	}
	await.Until(t, "the client is closed", func() bool {
		c.Advance(idleClient)
		readers, _ := peek()
		return readers == 0
	})
	at(t, k, c, "a", "x")
}
