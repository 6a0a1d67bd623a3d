package agent_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestHeartbeats_HaveTheirOwnConnectionToThemselves(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		st.command("c1", time.Second)
		h.pass(ttl)
		calls := see(h.plane, func() map[string][]string {
			out := map[string][]string{}
			for conn, c := range h.plane.calls {
				out[conn] = slices.Sorted(maps.Keys(c))
			}
			return out
		})
		const service = "/sluice.v1.SessionService/"
		if c := calls["heartbeats"]; !slices.Equal(c, []string{service + "Heartbeat"}) {
			h.Errorf("the heartbeats' connection carries %v", c)
		}
		if c := calls["streams"]; !slices.Equal(c, []string{service + "Attach", service + "CompleteCommand", service + "RegisterPlugins"}) {
			h.Errorf("the other connection carries %v", c)
		}
	})
}

func TestHeartbeats_GoEveryThirdOfTheTTLOnceTheSessionIsOpen(t *testing.T) {
	run(t, func(h *harness) {
		h.plane.onHello(func(*sluicev1.Hello) *sluicev1.AttachResponse { return nil })
		h.start()
		h.pass(5 * time.Second)
		if n := see(h.plane, func() int { return len(h.plane.beats) }); n != 0 {
			h.Fatalf("%d heartbeats of a session that was not opened", n)
		}
		h.plane.onHello(welcome(func(_ *sluicev1.Hello, w *sluicev1.Welcome) { w.TtlMs, w.MarginMs = 3000, 1000 }))
		st := h.stream(2)
		from := h.clock.Boot()
		h.pass(10*time.Second + step)
		beats := see(h.plane, func() []beat { return h.plane.beats })
		if n := len(beats); n < 10 || n > 11 {
			h.Errorf("%d heartbeats in 10 s with a TTL of 3 s, which began %s ago", n, h.clock.Boot()-from)
		}
		for i, b := range beats {
			if b.GetNumber() != uint64(i+1) || b.GetSession() != st.GetSession() {
				h.Errorf("heartbeat %d has number %d and session %s", i+1, b.GetNumber(), b.GetSession())
			}
		}
	})
}

func TestHeartbeats_AreTriedOnAnotherStreamWhereAReplicaCannotRenewOrDoesNotAnswer(t *testing.T) {
	for name, answer := range map[string]beatAnswer{"cannot renew": refused, "does not answer": never} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				h.ready()
				h.plane.onBeat(answer)
				h.pass(ttl/3 + step)
				before := h.plane.lastBeat()
				h.pass(ttl/3 + 500*time.Millisecond)
				h.plane.onBeat(answered)
				h.pass(ttl/3 + 500*time.Millisecond)
				if b := h.plane.lastBeat(); b.at == before.at || b.GetSession() != before.GetSession() {
					h.Errorf("no other heartbeat of the session: %v, %v", before, b)
				}
				if left := h.agent.RightLeft(); left <= ttl-ttl/3 {
					h.Errorf("the right has %s left", left)
				}
			})
		})
	}
}

func TestRight_IsReckonedFromTheSendingOfTheLastAcknowledgedHeartbeat(t *testing.T) {
	run(t, func(h *harness) {
		h.ready()
		h.right(ttl) // the first heartbeat was sent and acknowledged without time going by
		answer := make(chan struct{})
		h.plane.onBeat(held(answer))
		h.pass(3500 * time.Millisecond)
		sent := h.plane.lastBeat().at
		h.pass(2 * time.Second)
		h.right(ttl - 5500*time.Millisecond) // one that is not answered yet gives nothing
		close(answer)
		h.settle()
		h.right(sent + ttl - h.clock.Boot())
	})
}

func TestRight_IsNotGivenByAnAnswerThatNobodyWaitsForAnyMore(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		answer := make(chan struct{})
		h.plane.onBeat(held(answer))
		h.pass(ttl/3 + step) // it is on its way
		h.plane.onBeat(never)
		h.pass(ttl/3 + step) // and given up
		left := h.agent.RightLeft()
		close(answer)
		h.settle()
		h.right(left)
		h.pass(left)
		h.right(0)
		h.is(orders0, 1, "suspended")
	})
}

func TestRight_IsNotGivenByAnAnswerToAnotherHeartbeat(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.plane.onBeat(func(context.Context, *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
			return &sluicev1.HeartbeatResponse{Number: 99}, nil
		})
		h.pass(ttl)
		h.right(0)
		h.is(orders0, 1, "suspended")
	})
}

func TestRight_EndsOnTimeWhateverElseHappensMeanwhile(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.plane.onBeat(never)
		h.pass(ttl - 4*step)
		st.desire(true, want(orders1, 6)) // the watch looks at the right when anything changes
		h.pass(3 * step)
		h.is(orders0, 1, "running")
		h.pass(step)
		h.right(0)
		h.is(orders0, 1, "suspended")
		h.is(orders1, 1, "suspended")
	})
}

func TestRight_ItsEndIsActedOnBeforeAnythingElseEvenWhereTheLogHangs(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.plane.onBeat(never)
		hang := make(chan struct{})
		h.logs.mu.Lock()
		h.logs.before = func(msg string) {
			if msg == "the right to run units has ended: no heartbeat was acknowledged in time" {
				<-hang
			}
		}
		h.logs.mu.Unlock()
		h.pass(ttl - step)
		h.clock.Advance(time.Minute) // the machine was suspended, and what came meanwhile is read now
		st.desire(true, want(orders1, 6))
		h.settle()
		h.is(orders0, 1, "suspended")
		h.is(orders1, 0, "not started")
		close(hang)
		h.settle()
		h.is(orders1, 0, "not started")
	})
}

func TestRight_OfAStoppedProcessIsOverBeforeAnythingActs(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.plane.onBeat(never)
		h.settle()
		h.clock.Advance(time.Minute)
		h.right(0) // at once, and not when somebody has looked
		for n := range 100 {
			st.desire(true, want(unitN(n), int64(10+n)))
		}
		h.settle()
		h.is(orders0, 1, "suspended")
		for n := range 100 {
			h.is(unitN(n), 0, "not started")
		}
	})
}

func TestRight_OfASuspendedMachineIsOverBeforeAnythingActs(t *testing.T) {
	for name, awake := range map[string]func(h *harness, st *stream){
		"a timer wakes it": func(h *harness, _ *stream) { h.pass(time.Second) },
		"a delta that came meanwhile wakes it": func(h *harness, st *stream) {
			st.desire(true, want(orders1, 6), want(orders2, 7, kafkaFenced))
			h.settle()
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				st := h.ready(want(orders0, 5))
				h.clock.Suspend(time.Minute) // timers stand still, so nothing has looked
				h.right(0)
				awake(h, st)
				h.is(orders0, 1, "suspended")
				h.is(orders1, 0, "not started")
				h.is(orders2, 0, "not started")
				h.plane.onBeat(lapsed(st))
				h.stream(3).desire(true, want(orders0, 5)) // the second is still of the old session
				h.pass(ttl / 3)
				h.is(orders0, 1, "running")
			})
		})
	}
}

func TestRight_EndsWhereWallTimeRunsHalfTheMarginAheadAndReturnsWithTheNextAcknowledgement(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5), want(orders1, 6, kafkaFenced))
		h.clock.Skew(margin / 2)
		h.right(ttl)
		h.clock.Skew(time.Millisecond)
		h.right(0)
		h.pass(time.Second)
		h.is(orders0, 1, "suspended") // long before a timer of the right's length fires
		h.is(orders1, 1, "running")
		h.stream(2).desire(true, want(orders0, 5), want(orders1, 6, kafkaFenced))
		h.pass(h.plane.lastBeat().at + ttl/3 - h.clock.Boot() - step)
		h.right(0)
		h.is(orders0, 1, "suspended")
		h.pass(2 * step)
		if h.agent.RightLeft() < ttl-2*step {
			h.Errorf("the right has %s left after the next acknowledgement", h.agent.RightLeft())
		}
		h.is(orders0, 1, "running")
		h.is(orders1, 1, "running")
	})
}

func TestRight_APauseBetweenAHeartbeatAndItsAnswerCounts(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		answer := make(chan struct{})
		h.plane.onBeat(held(answer))
		h.pass(ttl/3 + step) // it is on its way
		h.clock.Skew(time.Minute)
		h.plane.onBeat(never)
		close(answer) // it was renewed a minute ago, and may have lapsed since
		h.settle()
		h.right(0)
		h.pass(time.Second)
		h.is(orders0, 1, "suspended")
	})
}

func TestRight_ThatAJumpEndedDoesNotReturnByAJumpBack(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.clock.Skew(time.Minute)
		h.right(0)
		h.clock.Skew(-time.Minute)
		h.right(0)
		h.pass(ttl/3 + step)
		if h.agent.RightLeft() == 0 {
			h.Error("the next acknowledgement has not brought it back")
		}
	})
}

func TestRight_WallTimeThatJumpsBackOrIsMinutesOffChangesNothing(t *testing.T) {
	run(t, func(h *harness) {
		h.clock.Skew(7 * time.Minute)
		h.ready(want(orders0, 5))
		h.right(ttl)
		h.clock.Skew(-time.Hour)
		h.right(ttl)
		h.pass(3 * ttl)
		h.is(orders0, 1, "running")
		if told := h.instance(orders0.String()).told(); told != "[]" {
			h.Errorf("it was suspended meanwhile: %s", told)
		}
	})
}

// The checker of promise 2 reads it so: nothing acts between right_over and right_runs.
func TestRight_ItsTimeInTheHistoryHasAllThatActsUnderIt(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.loseRight()
		h.stream(2).desire(true, want(orders0, 5), want(orders1, 6))
		h.regainRight()
		var events []string
		for _, l := range h.logs.with("msg=history") {
			_, l, _ = strings.Cut(l, "event=")
			event, _, _ := strings.Cut(l, " ")
			if event != "granted" {
				events = append(events, event)
			}
		}
		slices.Sort(events[min(5, len(events)):]) // two units, in any order
		if have := strings.Join(events, " "); have != "right_runs started suspended right_over right_runs resumed started" {
			h.Error(have)
		}
	})
}
