package clock_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func fired(c <-chan time.Time) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestFake_StandsStillUntilItIsMoved(t *testing.T) {
	f := clock.NewFake(start)
	boot := f.Boot()
	if !f.Now().Equal(start) || f.Boot() != boot {
		t.Error("it runs by itself")
	}
	f.Advance(time.Minute)
	if !f.Now().Equal(start.Add(time.Minute)) || f.Boot() != boot+time.Minute {
		t.Errorf("%s, %s", f.Now(), f.Boot()-boot)
	}
}

func TestFake_SkewMovesWallTimeAloneAndFiresNothing(t *testing.T) {
	f := clock.NewFake(start)
	boot, timer := f.Boot(), f.After(time.Second)
	f.Skew(time.Hour)
	if f.Boot() != boot || !f.Now().Equal(start.Add(time.Hour)) || fired(timer) {
		t.Errorf("boot time has moved by %s, wall time is %s", f.Boot()-boot, f.Now())
	}
	f.Skew(-2 * time.Hour)
	f.Advance(time.Second)
	if !f.Now().Equal(start.Add(-time.Hour+time.Second)) || !fired(timer) {
		t.Errorf("wall time is %s", f.Now())
	}
}

func TestFake_SuspendMovesTimeAndTimersStandStill(t *testing.T) {
	f := clock.NewFake(start)
	boot, timer := f.Boot(), f.After(time.Second)
	f.Suspend(time.Hour)
	if f.Boot() != boot+time.Hour || !f.Now().Equal(start.Add(time.Hour)) || fired(timer) {
		t.Errorf("boot time has moved by %s, wall time is %s", f.Boot()-boot, f.Now())
	}
	f.Advance(time.Second - 1)
	if fired(timer) {
		t.Error("it fired early")
	}
	f.Advance(1)
	if !fired(timer) {
		t.Error("it did not fire")
	}
}

func TestFake_FiresWhatIsDueOnceAndNothingElse(t *testing.T) {
	f := clock.NewFake(start)
	var timers []clock.Timer
	for _, d := range []time.Duration{-time.Second, 0, time.Second, 2 * time.Second} {
		timers = append(timers, f.NewTimer(d))
	}
	due := func() (out []bool) {
		for _, t := range timers {
			out = append(out, fired(t.C()))
		}
		return out
	}
	if d := due(); !slices.Equal(d, []bool{true, true, false, false}) || f.Waiters() != 2 {
		t.Errorf("at first %v, %d wait", d, f.Waiters())
	}
	f.Advance(time.Second)
	if d := due(); !slices.Equal(d, []bool{false, false, true, false}) || f.Waiters() != 1 {
		t.Errorf("after a second %v, %d wait", d, f.Waiters())
	}
	f.Advance(time.Hour)
	if d := due(); !slices.Equal(d, []bool{false, false, false, true}) || f.Waiters() != 0 {
		t.Errorf("after an hour %v, %d wait", d, f.Waiters())
	}
}

func TestFake_ATimerThatWasStoppedOrResetSendsNothingOld(t *testing.T) {
	f := clock.NewFake(start)
	stopped, reset, early := f.NewTimer(time.Second), f.NewTimer(time.Second), f.NewTimer(time.Hour)
	if !early.Stop() || early.Stop() {
		t.Error("Stop says whether the timer was still to fire")
	}
	f.Advance(time.Second)
	if stopped.Stop() || reset.Reset(time.Second) {
		t.Error("both had fired")
	}
	if fired(stopped.C()) || fired(reset.C()) {
		t.Error("a value of before came after Stop or Reset")
	}
	f.Advance(time.Second)
	if !fired(reset.C()) || fired(stopped.C()) {
		t.Error("the one that was reset fires, the other not")
	}
	if early.Reset(time.Second) || f.Waiters() != 1 {
		t.Errorf("%d wait", f.Waiters())
	}
	f.Advance(time.Hour)
	if !fired(early.C()) {
		t.Error("a stopped timer that was reset does not fire")
	}
}

func TestReal_BootTimeNeverGoesBack(t *testing.T) {
	c := clock.Real()
	last := c.Boot()
	for range 1000 {
		b := c.Boot()
		if b < last || b <= 0 {
			t.Fatalf("%s after %s", b, last)
		}
		last = b
	}
	timer := c.NewTimer(time.Hour)
	if !timer.Stop() || timer.Reset(time.Hour) || !timer.Stop() {
		t.Error("a timer of the machine's clock")
	}
	<-c.After(0)
}
