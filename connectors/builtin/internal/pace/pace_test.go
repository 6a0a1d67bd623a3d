package pace

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/await"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestPacer_KeepsTheRateWithoutBurstsAfterAPause(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	p := New(c, 100)
	if n := p.Take(t.Context(), 1000); n != 1 {
		t.Fatalf("the first Take gave %d records, want 1", n)
	}
	c.Advance(100 * time.Millisecond)
	if n := p.Take(t.Context(), 1000); n != 10 {
		t.Fatalf("100 ms at 100/s gave %d records, want 10", n)
	}
	c.Advance(time.Hour)
	if n := p.Take(t.Context(), 100000); n > 101 {
		t.Fatalf("an hour's pause was caught up with %d records, want those of a second", n)
	}
}

func TestPacer_WithoutARateNeverWaits(t *testing.T) {
	if n := New(clock.NewFake(time.Unix(0, 0)), 0).Take(t.Context(), 7); n != 7 {
		t.Fatalf("got %d, want 7", n)
	}
}

func TestTake_EndsWithItsContext(t *testing.T) {
	p := New(clock.NewFake(time.Unix(0, 0)), 1)
	p.Take(t.Context(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := p.Take(ctx, 1); n != 0 {
		t.Fatalf("got %d records after the end, want 0", n)
	}
}

// lasts says whether wait, which is begun at the clock's time, takes just d.
func lasts(t *testing.T, c *clock.Fake, d time.Duration, wait func() bool) {
	t.Helper()
	done := make(chan bool, 1)
	go func() { done <- wait() }()
	await.Until(t, "it waits", func() bool { return c.Waiters() == 1 })
	c.Advance(d - 1)
	select {
	case <-done:
		t.Fatalf("it ended before %s were over", d)
	default:
	}
	c.Advance(1)
	if !<-done {
		t.Fatalf("it did not wait for %s", d)
	}
}

func TestRest_EndsWhereAQuarterOfASecondIsFullAndIsNeverLongerThanIdle(t *testing.T) {
	for _, ms := range []int64{0, 1, 99, 100, 250, 999} {
		begin := time.Unix(1000, ms*1e6)
		c := clock.NewFake(begin)
		t.Logf("from %d ms on", ms)
		lasts(t, c, begin.Add(Idle).Truncate(together).Sub(begin), func() bool { return Rest(t.Context(), c) })
	}
}

func TestUpTo_WaitsExactlyWhereThatIsShortAndRestsWhereNot(t *testing.T) {
	for wait, end := range map[time.Duration]time.Duration{20 * time.Millisecond: 20 * time.Millisecond, time.Hour: 950 * time.Millisecond} {
		c := clock.NewFake(time.Unix(1000, 50*1e6))
		t.Logf("of %s", wait)
		lasts(t, c, end, func() bool { return UpTo(t.Context(), c, wait) })
	}
}
