package supervisor

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func newRestarts(t *testing.T, f *factory) (*Supervisor, *control, *clock.Fake) {
	t.Helper()
	c, clk := &control{}, clock.NewFake(time.Unix(1000, 0))
	s := New(Config{Factory: func(Spec) (Factory, error) { return f, nil },
		Classify: func(err error) connectors.ErrorClass { c, _ := connectors.ClassOf(err); return c },
		Fenced:   func(error) bool { return false }, StopTimeout: 10 * time.Millisecond, Clock: clk, Logger: slog.New(slog.DiscardHandler)}, c)
	t.Cleanup(s.Kill)
	s.Right(true, true)
	return s, c, clk
}

var errAway = connectors.Retriable(errors.New("the database is away"))

func (c *control) failed(attempt int) func() bool {
	return func() bool {
		st := c.last()
		return st.State == sluicev1.State_STATE_FAILED && st.Recovery != nil && st.Recovery.Attempt == attempt
	}
}

func (c *control) running() func() bool {
	return func() bool { return c.last().State == sluicev1.State_STATE_RUNNING }
}

func TestRestart_ATransientFailureComesBackByItselfAndIsFailedUntilThen(t *testing.T) {
	f := &factory{}
	s, c, clk := newRestarts(t, f)
	s.Desire(want(1, nil))
	await(t, "RUNNING", c.running())
	for attempt := 1; attempt <= 3; attempt++ {
		f.at(attempt - 1).end <- errAway
		await(t, "FAILED", c.failed(attempt))
		st := c.last()
		if r := st.Recovery; st.Trace != "the database is away" || !r.Again || r.Class != connectors.TransientError || !r.At.After(clk.Now()) || r.At.Sub(clk.Now()) != r.Delay {
			t.Fatalf("%+v, %+v", st, r)
		}
		await(t, "the wait", func() bool { return clk.Waiters() == 1 })
		clk.Advance(c.last().Recovery.Delay - 1)
		<-time.After(5 * time.Millisecond)
		if f.count() != attempt || !c.failed(attempt)() {
			t.Fatalf("started before its time: %d", f.count())
		}
		clk.Advance(2)
		await(t, "it runs again", func() bool { return f.count() == attempt+1 && c.running()() })
		if c.last().Recovery != nil || c.last().Trace != "" {
			t.Errorf("%+v", c.last())
		}
	}
	// A healthy period refills the budget.
	clk.Advance(10 * time.Minute)
	f.at(3).end <- errAway
	await(t, "the first attempt again", c.failed(1))
}

func TestRestart_OtherFailuresAndKafkaConnectsBehaviourStayFailedWithTheReason(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		config map[string]string
		reason string
	}{
		"nobody knows the error": {errors.New("boom"), nil, "errors of the class other are not in sluice.restart.on=transient"},
		"none":                   {errAway, map[string]string{"sluice.restart.on": "none"}, "errors of the class transient are not in sluice.restart.on=none"},
		"a config of the past":   {errAway, map[string]string{"sluice.restart.on": "sometimes"}, "sluice.restart.*: Invalid value sometimes for configuration sluice.restart.on: Each must be one of transient, data, config, authorisation, other; or use none alone"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &factory{}
			s, c, clk := newRestarts(t, f)
			s.Desire(want(1, func(d *Desired) { d.Spec.ConnectorConfig = tt.config }))
			await(t, "RUNNING", c.running())
			f.at(0).end <- tt.err
			await(t, "FAILED", c.failed(0))
			if r := c.last().Recovery; r.Again || r.Reason != tt.reason {
				t.Errorf("%+v", r)
			}
			clk.Advance(time.Hour)
			<-time.After(5 * time.Millisecond)
			if f.count() != 1 {
				t.Error("it was started again")
			}
		})
	}
}

func TestRestart_AUsersRestartIsAtOnceAndHasAllAttempts(t *testing.T) {
	f := &factory{}
	s, c, _ := newRestarts(t, f)
	s.Desire(want(1, func(d *Desired) { d.Spec.ConnectorConfig = map[string]string{"sluice.restart.attempts": "1"} }))
	await(t, "RUNNING", c.running())
	f.at(0).end <- errAway
	await(t, "FAILED", c.failed(1))
	s.Desire(want(1, func(d *Desired) {
		d.Spec.Restart, d.Spec.ConnectorConfig = 1, map[string]string{"sluice.restart.attempts": "1"}
	}))
	await(t, "it runs again", func() bool { return f.count() == 2 && c.running()() })
	f.at(1).end <- errAway
	await(t, "FAILED", c.failed(1))
	if !c.last().Recovery.Again {
		t.Errorf("%+v", c.last().Recovery)
	}
}

// Promise 2: an attempt is a start like any other, under a confirmed right.
func TestRestart_NeverWithoutAConfirmedRightAndNeverWhatIsPausedOrReleased(t *testing.T) {
	fail := func(t *testing.T) (*factory, *Supervisor, *control, *clock.Fake) {
		t.Helper()
		f := &factory{}
		s, c, clk := newRestarts(t, f)
		s.Desire(want(1, nil))
		await(t, "RUNNING", c.running())
		f.at(0).end <- errAway
		await(t, "FAILED", c.failed(1))
		return f, s, c, clk
	}
	still := func(t *testing.T, f *factory, clk *clock.Fake) {
		t.Helper()
		clk.Advance(time.Hour)
		<-time.After(10 * time.Millisecond)
		if f.count() != 1 {
			t.Fatal("it was started")
		}
	}
	t.Run("right", func(t *testing.T) {
		f, s, c, clk := fail(t)
		s.Right(false, false)
		still(t, f, clk)
		s.Right(true, false)
		still(t, f, clk)
		s.Right(true, true)
		await(t, "it runs again", func() bool { return f.count() == 2 && c.running()() })
	})
	t.Run("paused", func(t *testing.T) {
		f, s, c, clk := fail(t)
		s.Desire(want(1, func(d *Desired) { d.Target = sluicev1.TargetState_TARGET_STATE_PAUSED }))
		still(t, f, clk)
		s.Desire(want(1, nil))
		await(t, "it runs again", func() bool { return f.count() == 2 && c.running()() })
	})
	t.Run("released", func(t *testing.T) {
		f, s, c, clk := fail(t)
		s.Desire(want(1, func(d *Desired) { d.Release = sluicev1.ReleaseMode_RELEASE_MODE_MOVE }))
		await(t, "the release", func() bool { return len(c.gone()) == 1 })
		still(t, f, clk)
	})
	t.Run("stopped and started", func(t *testing.T) {
		f, s, c, clk := fail(t)
		stop := func(d *Desired) { d.Target = sluicev1.TargetState_TARGET_STATE_STOPPED }
		s.Desire(want(1, stop))
		await(t, "STOPPED", func() bool { return c.last().State == sluicev1.State_STATE_STOPPED })
		still(t, f, clk)
		s.Desire(want(1, nil))
		await(t, "it runs again", func() bool { return f.count() == 2 && c.running()() })
	})
}

func TestRestart_AUnitThatCannotBeMadeIsTriedAgainToo(t *testing.T) {
	f := &factory{err: errAway}
	s, c, clk := newRestarts(t, f)
	s.Desire(want(1, func(d *Desired) { d.Spec.Unit = unit.Connector("c") }))
	await(t, "FAILED", c.failed(1))
	await(t, "the wait", func() bool { return clk.Waiters() == 1 })
	clk.Advance(time.Minute)
	await(t, "FAILED again", c.failed(2))
	f.mu.Lock()
	f.err = nil
	f.mu.Unlock()
	await(t, "the wait", func() bool { return clk.Waiters() == 1 })
	clk.Advance(time.Minute)
	await(t, "RUNNING", c.running())
}
