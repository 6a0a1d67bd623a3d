package lease_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/internal/lease"
)

func TestEpoch_ErasComeFirstThenRevisions(t *testing.T) {
	for _, c := range []struct {
		a, b lease.Epoch
		want int
	}{
		{lease.Epoch{}, lease.Epoch{}, 0},
		{lease.Epoch{Revision: 5}, lease.Epoch{Revision: 5}, 0},
		{lease.Epoch{Revision: 5}, lease.Epoch{Revision: 7}, -1},
		{lease.Epoch{Era: 1, Revision: 5}, lease.Epoch{Revision: 900}, 1},
		{lease.Epoch{Era: 1, Revision: 5}, lease.Epoch{Era: 2}, -1},
		{lease.Epoch{}, lease.Epoch{Revision: 1}, -1},
	} {
		if have := c.a.Compare(c.b); have != c.want {
			t.Errorf("%s against %s: %d, want %d", c.a, c.b, have, c.want)
		}
		if have := c.b.Compare(c.a); have != -c.want {
			t.Errorf("%s against %s: %d, want %d", c.b, c.a, have, -c.want)
		}
	}
	if s := (lease.Epoch{Era: 2, Revision: 41}).String(); s != "2.41" {
		t.Errorf("String is %q", s)
	}
	if !(lease.Epoch{}).IsZero() || (lease.Epoch{Era: 1}).IsZero() || (lease.Epoch{Revision: 1}).IsZero() {
		t.Error("IsZero")
	}
}

func TestEpoch_CompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		epoch := rapid.Custom(func(t *rapid.T) lease.Epoch {
			return lease.Epoch{Era: rapid.Uint64Range(0, 2).Draw(t, "era"), Revision: rapid.Int64Range(0, 4).Draw(t, "revision")}
		})
		a, b, c := epoch.Draw(t, "a"), epoch.Draw(t, "b"), epoch.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Errorf("%s and %s: %d and %d", a, b, a.Compare(b), b.Compare(a))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%s, %s, %s", a, b, c)
		}
	})
}

func TestTimes_ALeaseOutlivesTheRightByTheMargin(t *testing.T) {
	d := lease.DefaultTimes()
	if d.TTL != 10*time.Second || d.Margin != 5*time.Second || d.Lease() != 15*time.Second || d.Heartbeat() != 10*time.Second/3 {
		t.Errorf("%+v, lease %s, heartbeat %s", d, d.Lease(), d.Heartbeat())
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTimes_ValidateNamesEachKey(t *testing.T) {
	for name, c := range map[string]struct {
		times lease.Times
		want  []string // empty: nothing is wrong
	}{
		"the shortest":              {times: lease.Times{TTL: time.Second, Margin: time.Second}},
		"no TTL":                    {times: lease.Times{Margin: time.Second}, want: []string{"session.ttl.ms: 0s"}},
		"no margin":                 {times: lease.Times{TTL: time.Second}, want: []string{"session.margin.ms"}},
		"a fraction, of the TTL":    {times: lease.Times{TTL: 1500 * time.Millisecond, Margin: time.Second}, want: []string{"1.5s"}},
		"a fraction, of the margin": {times: lease.Times{TTL: time.Second, Margin: 1500 * time.Millisecond}, want: []string{"1.5s"}},
		"both, at once":             {times: lease.Times{TTL: -time.Second}, want: []string{"session.ttl.ms: -1s", "session.margin.ms"}},
	} {
		err := c.times.Validate()
		if (err != nil) != (len(c.want) > 0) {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range c.want {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", name, err, w)
			}
		}
	}
}
