package session

import (
	"testing"
	"time"
)

func TestPace_AQuietSessionWritesAtOnceAndABusyOneOncePer200ms(t *testing.T) {
	pace, now := newPace(), time.Unix(1_800_000_000, 0)
	for i := range statusBurst {
		if got := wait(pace, now); got != statusGather {
			t.Fatalf("write %d of a quiet session waits %s, want %s", i, got, statusGather)
		}
	}
	written := now
	for i := range 20 {
		due := now.Add(wait(pace, now))
		if got := due.Sub(written); got != statusPeriod {
			t.Fatalf("write %d of a busy session comes %s after the one before, want %s", i, got, statusPeriod)
		}
		now, written = due, due
	}
	now = now.Add(statusBurst * statusPeriod)
	for i := range statusBurst {
		if got := wait(pace, now); got != statusGather {
			t.Fatalf("write %d after a pause waits %s, want %s", i, got, statusGather)
		}
	}
	if got := wait(pace, now); got <= statusGather {
		t.Fatal("a pause saves up more than a burst")
	}
}
