package lease_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/internal/lease"
)

const (
	ttl    = 10 * time.Second
	margin = 5 * time.Second
)

var (
	times = lease.Times{TTL: ttl, Margin: margin}
	wall0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestRight_RunsFromTheSendingOfTheLastAcknowledgedHeartbeat(t *testing.T) {
	type ack struct{ sent, wall time.Duration } // boot and wall time at the sending, the latter since wall0
	for name, c := range map[string]struct {
		acks []ack
		boot time.Duration
		wall time.Duration
		want time.Duration
	}{
		"none":                                    {boot: 1},
		"at once":                                 {acks: []ack{{100, 100}}, boot: 100, wall: 100, want: ttl},
		"a little later":                          {acks: []ack{{0, 0}}, boot: time.Second, wall: time.Second, want: ttl - time.Second},
		"just before its end":                     {acks: []ack{{0, 0}}, boot: ttl - 1, wall: ttl - 1, want: 1},
		"at its end":                              {acks: []ack{{0, 0}}, boot: ttl, wall: ttl},
		"long after":                              {acks: []ack{{0, 0}}, boot: time.Hour, wall: time.Hour},
		"the newer counts":                        {acks: []ack{{0, 0}, {3 * time.Second, 3 * time.Second}}, boot: 4 * time.Second, wall: 4 * time.Second, want: ttl - time.Second},
		"an older one shortens nothing":           {acks: []ack{{3 * time.Second, 3 * time.Second}, {0, 0}}, boot: 4 * time.Second, wall: 4 * time.Second, want: ttl - time.Second},
		"half the margin ahead":                   {acks: []ack{{0, 0}}, boot: time.Second, wall: time.Second + margin/2, want: ttl - time.Second},
		"more than half the margin ahead":         {acks: []ack{{0, 0}}, boot: time.Second, wall: time.Second + margin/2 + 1},
		"an older one brings nothing back":        {acks: []ack{{3 * time.Second, 3 * time.Second}, {0, time.Hour}}, boot: 4 * time.Second, wall: time.Hour},
		"a newer one, sent after the jump":        {acks: []ack{{0, 0}, {time.Second, time.Hour}}, boot: 2 * time.Second, wall: time.Hour + time.Second, want: ttl - time.Second},
		"a newer one, sent before the jump":       {acks: []ack{{0, 0}, {time.Second, time.Second}}, boot: 2 * time.Second, wall: time.Hour},
		"wall time goes back":                     {acks: []ack{{0, 0}}, boot: time.Second, wall: -time.Hour, want: ttl - time.Second},
		"wall time stands still, for the machine": {acks: []ack{{0, 0}}, boot: time.Second, wall: 0, want: ttl - time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := lease.NewRight(times)
			for _, a := range c.acks {
				r.Acknowledged(a.sent, wall0.Add(a.wall))
			}
			if have := r.Left(c.boot, wall0.Add(c.wall)); have != c.want {
				t.Errorf("%s, want %s", have, c.want)
			}
			if have := r.Running(c.boot, wall0.Add(c.wall)); have != (c.want > 0) {
				t.Errorf("running: %v", have)
			}
		})
	}
}

func TestRight_TheZeroRightAndOneThatWasTakenAwayHaveEnded(t *testing.T) {
	var zero lease.Right
	if zero.Running(0, time.Time{}) {
		t.Error("the zero right runs")
	}
	r := lease.NewRight(times)
	r.Acknowledged(time.Minute, wall0)
	r.End()
	if r.Running(time.Minute, wall0) {
		t.Error("it runs after its end")
	}
	r.Acknowledged(time.Second, wall0) // of the next session; it need not be later
	if !r.Running(time.Second, wall0) {
		t.Error("it does not begin again")
	}
}

func TestRight_ThatAJumpEndedReturnsOnlyWithANewerHeartbeat(t *testing.T) {
	r := lease.NewRight(times)
	r.Acknowledged(2*time.Second, wall0)
	if r.Running(2*time.Second, wall0.Add(time.Minute)) {
		t.Fatal("the jump was not seen")
	}
	r.Acknowledged(time.Second, wall0)
	r.Acknowledged(2*time.Second, wall0)
	if r.Running(2*time.Second, wall0) {
		t.Error("a jump back or an older heartbeat has brought it back")
	}
	r.Acknowledged(3*time.Second, wall0)
	if !r.Running(3*time.Second, wall0) {
		t.Error("a newer one has not")
	}
}

// Whatever the network and the machine do: where a right runs, its session's lease does.
func TestRight_NeverOutlivesTheLease(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type beat struct {
			sent    time.Duration
			wall    time.Time
			renewed bool
		}
		var (
			r        = lease.NewRight(times)
			now      = time.Hour // true time
			stopped  time.Duration
			offset   = time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "wall time is off by"))
			leaseEnd = now + times.Lease()
			lapsed   bool
			beats    []*beat
		)
		boot := func() time.Duration { return now - stopped }
		wall := func() time.Time { return wall0.Add(now + offset) }
		span := rapid.Int64Range(0, int64(4*time.Second))
		pick := func(what string) *beat { return beats[rapid.IntRange(0, len(beats)-1).Draw(t, what)] }
		t.Repeat(map[string]func(*rapid.T){
			"time goes by": func(t *rapid.T) { now += time.Duration(span.Draw(t, "for")) },
			"the machine stands still and its boot time too": func(t *rapid.T) {
				d := time.Duration(span.Draw(t, "for")) * 5
				now, stopped = now+d, stopped+d
			},
			"wall time is put forward": func(t *rapid.T) { offset += time.Duration(span.Draw(t, "by")) },
			"a heartbeat is sent":      func(*rapid.T) { beats = append(beats, &beat{sent: boot(), wall: wall()}) },
			"one is received and renewed": func(t *rapid.T) {
				if lapsed = lapsed || now >= leaseEnd; len(beats) > 0 && !lapsed {
					pick("which").renewed = true
					leaseEnd = now + times.Lease()
				}
			},
			"one is acknowledged": func(t *rapid.T) {
				if len(beats) > 0 {
					if b := pick("which"); b.renewed {
						r.Acknowledged(b.sent, b.wall)
					}
				}
			},
			"": func(t *rapid.T) {
				if left := r.Left(boot(), wall()); left > 0 && now >= leaseEnd {
					t.Fatalf("the right has %s left, the lease ended %s ago", left, now-leaseEnd)
				}
			},
		})
	})
}

// Where the clocks are right it is the newest acknowledged heartbeat's sending plus TTL, to the nanosecond.
func TestRight_IsAsLongAsItMayBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := lease.NewRight(times)
		now, newest := time.Hour, time.Duration(-1)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(ttl/2)).Draw(t, "later"))
			if rapid.Bool().Draw(t, "acknowledged") {
				sent := now - time.Duration(rapid.Int64Range(0, int64(ttl)).Draw(t, "sent ago"))
				before := r.Left(now, wall0.Add(now))
				r.Acknowledged(sent, wall0.Add(sent))
				newest = max(newest, sent)
				if r.Left(now, wall0.Add(now)) < before {
					t.Fatal("an acknowledgement has shortened it")
				}
			}
			want := time.Duration(0)
			if newest >= 0 {
				want = max(0, newest+ttl-now)
			}
			if have := r.Left(now, wall0.Add(now)); have != want {
				t.Fatalf("%s left, want %s", have, want)
			}
		}
	})
}
