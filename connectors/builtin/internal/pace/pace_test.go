package pace

import (
	"context"
	"testing"
	"time"

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
