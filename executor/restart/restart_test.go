package restart_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/restart"
)

func parse(t *testing.T, pairs ...string) restart.Policy {
	t.Helper()
	c := map[string]string{"name": "c"}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	p, err := restart.Parse(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicy_ByDefaultTransientErrorsAloneAndNoneIsKafkaConnects(t *testing.T) {
	def := restart.Policy{On: []connectors.ErrorClass{connectors.TransientError}, Attempts: 100, Delay: time.Second, DelayMax: 5 * time.Minute, Healthy: 10 * time.Minute}
	if d := cmp.Diff(def, parse(t)); d != "" {
		t.Error(d)
	}
	if p := parse(t, restart.On, " none "); len(p.On) != 0 {
		t.Errorf("%+v", p)
	}
	if p := parse(t, restart.On, ""); len(p.On) != 0 {
		t.Errorf("%+v", p)
	}
	want := []connectors.ErrorClass{connectors.TransientError, connectors.AuthorisationError, connectors.OtherError}
	if d := cmp.Diff(want, parse(t, restart.On, "other, transient,authorisation").On); d != "" {
		t.Error(d)
	}
	for key, value := range map[string]string{restart.On: "transient,none", restart.Attempts: "0", restart.Delay: "0", restart.DelayMax: "x", restart.Healthy: "-1"} {
		if _, err := restart.Parse(map[string]string{key: value}); !errors.Is(err, restart.ErrPolicy) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
	if _, err := restart.Parse(map[string]string{restart.On: "authorization"}); err == nil || !strings.Contains(err.Error(), "Each must be one of transient, data, config, authorisation, other") {
		t.Errorf("%v", err)
	}
}

func TestTally_WaitsTwiceAsLongEachTimeUntilTheBudgetIsUsed(t *testing.T) {
	p := parse(t, restart.Attempts, "5", restart.DelayMax, "5000")
	var tally restart.Tally
	var waits []time.Duration
	for range 5 {
		n := tally.Failed(p, connectors.TransientError, 0, 0)
		if !n.Again || n.Attempt != len(waits)+1 || n.Attempts != 5 {
			t.Fatalf("%+v", n)
		}
		waits = append(waits, n.Delay)
	}
	if d := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}, waits); d != "" {
		t.Error(d)
	}
	if n := tally.Failed(p, connectors.TransientError, p.Healthy-1, 0); n.Again || n.Attempt != 5 || !strings.Contains(n.Reason, restart.Attempts) {
		t.Errorf("%+v", n)
	}
	// A healthy period refills it, and the wait begins anew.
	if n := tally.Failed(p, connectors.TransientError, p.Healthy, 0); !n.Again || n.Attempt != 1 || n.Delay != time.Second {
		t.Errorf("%+v", n)
	}
}

func TestTally_AnErrorOfAnotherClassIsLeftToAPersonAndTakesNoAttempt(t *testing.T) {
	p := parse(t)
	var tally restart.Tally
	for _, c := range []connectors.ErrorClass{connectors.OtherError, connectors.DataError, connectors.ConfigError, connectors.AuthorisationError} {
		if n := tally.Failed(p, c, 0, 0); n.Again || n.Attempt != 0 || n.Reason != "errors of the class "+c.String()+" are not in sluice.restart.on=transient" {
			t.Errorf("%+v", n)
		}
	}
	if n := tally.Failed(p, connectors.TransientError, 0, 0); n.Attempt != 1 {
		t.Errorf("%+v", n)
	}
	if n := tally.Failed(parse(t, restart.On, "none"), connectors.TransientError, 0, 0); n.Again || !strings.Contains(n.Reason, "sluice.restart.on=none") {
		t.Errorf("%+v", n)
	}
}

// Whatever fails when: a wait is within its bounds, and without a healthy period there are no more attempts than allowed.
func TestTally_Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := restart.Policy{On: []connectors.ErrorClass{connectors.TransientError}, Attempts: rapid.IntRange(1, 40).Draw(t, "attempts"),
			Delay: time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "delay")) * time.Millisecond, DelayMax: time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "max")) * time.Millisecond, Healthy: time.Minute}
		var tally restart.Tally
		used := 0
		for range rapid.IntRange(1, 100).Draw(t, "failures") {
			ran := time.Duration(rapid.IntRange(0, 65).Draw(t, "ran")) * time.Second
			if ran >= p.Healthy {
				used = 0
			}
			n := tally.Failed(p, connectors.TransientError, ran, rapid.Float64Range(0, 0.999).Draw(t, "random"))
			if !n.Again {
				if used != p.Attempts {
					t.Fatalf("refused with %d of %d used", used, p.Attempts)
				}
				continue
			}
			if used++; n.Attempt != used || used > p.Attempts {
				t.Fatalf("%+v, used %d", n, used)
			}
			if n.Delay > p.DelayMax || n.Delay < min(p.Delay, p.DelayMax)/2 {
				t.Fatalf("%+v of %+v", n, p)
			}
		}
	})
}
