package agent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/internal/lease"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// loseRight has the right end; the stream that is opened then is the next.
func (h *harness) loseRight() {
	h.Helper()
	h.plane.onBeat(never)
	h.pass(ttl)
	h.right(0)
}

// regainRight has heartbeats answered again.
func (h *harness) regainRight() {
	h.Helper()
	h.plane.onBeat(answered)
	h.pass(ttl/3 + time.Second)
	if h.agent.RightLeft() == 0 {
		h.Error("the right does not run")
	}
}

func TestSuspension_ExclusiveUnitsStopActingAndKafkaFencedOnesGoOn(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5), want(orders1, 6, kafkaFenced))
		h.plane.onBeat(never)
		h.pass(ttl - step)
		h.is(orders0, 1, "running")
		h.pass(step)
		h.is(orders0, 1, "suspended")
		h.is(orders1, 1, "running")
	})
}

func TestSuspension_EndsWhenTheRightRunsAndASetSinceHasTheSameEpoch(t *testing.T) {
	for name, first := range map[string]func(h *harness, set func()){
		"the right first": func(h *harness, set func()) { h.regainRight(); h.is(orders0, 1, "suspended"); set() },
		"the set first": func(h *harness, set func()) {
			set()
			h.pass(time.Second)
			h.is(orders0, 1, "suspended")
			h.regainRight()
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				old := h.ready(want(orders0, 5), want(orders1, 6))
				h.loseRight()
				if old.open() {
					h.Error("the old stream is obeyed on")
				}
				st := h.stream(2)
				if st.GetSession() != old.GetSession() {
					h.Error("a session that has not lapsed was left")
				}
				for _, u := range st.GetHeld() {
					if !u.GetSuspended() {
						h.Errorf("held: %v", u)
					}
				}
				first(h, func() { st.desire(true, want(orders0, 5), want(orders1, 6)); h.settle() })
				h.is(orders0, 1, "running")
				h.is(orders1, 1, "running")
				if told := h.instance(orders0.String()).told(); told != "[true false]" {
					h.Errorf("SetSuspended was told %s", told)
				}
			})
		})
	}
}

func TestSuspension_DoesNotEndByAPartOfASet(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.loseRight()
		st := h.stream(2)
		st.desire(false, want(orders0, 5))
		h.regainRight()
		h.pass(ttl)
		h.is(orders0, 1, "suspended")
		st.desire(true)
		h.settle()
		h.is(orders0, 1, "running")
	})
}

func TestSuspension_EndsWithTheUnitWhereTheSetSinceHasAnotherEpochOrNone(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5), want(orders1, 6))
		h.loseRight()
		h.stream(2).desire(true, want(orders0, 9))
		h.regainRight()
		h.is(orders0, 2, "running")
		h.is(orders1, 1, "cut")
		for _, u := range h.made.of(orders1.String()) {
			if told := u.told(); told != "[true]" {
				h.Errorf("it has acted after its suspension: %s", told)
			}
		}
		if told := h.made.of(orders0.String())[0].told(); told != "[true]" {
			h.Errorf("the old epoch has acted after its suspension: %s", told)
		}
	})
}

func TestSuspension_IsSaidOnceHoweverLongTheRightIsAway(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.loseRight()
		h.stream(2).desire(true, want(orders0, 5)) // the stream has come back, the heartbeats have not
		h.pass(3 * ttl)
		if told := h.instance(orders0.String()).told(); told != "[true]" {
			h.Errorf("SetSuspended was told %s", told)
		}
		if n := len(h.logs.with("msg=history", "event=suspended")); n != 1 {
			h.Errorf("the history has it %d times", n)
		}
	})
}

func TestSuspension_NothingIsStartedMeanwhile(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5))
		h.loseRight()
		st := h.stream(2)
		st.desire(true, want(orders0, 5), want(orders1, 6), want(orders2, 7, kafkaFenced))
		h.pass(ttl)
		h.is(orders1, 0, "not started")
		h.is(orders2, 0, "not started")
		h.regainRight()
		h.is(orders1, 1, "running")
		h.is(orders2, 1, "running")
	})
}

func TestStaticStability_KafkaFencedUnitsStopWhenItIsOverAndStartOnceConfirmed(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5, kafkaFenced), want(orders1, 6))
		h.loseRight()
		h.pass(static - step)
		h.is(orders0, 1, "running")
		h.pass(time.Second + step)
		h.is(orders0, 1, "stopped")
		h.is(orders1, 1, "suspended")
		if len(h.logs.with("level=WARN", "unit=task:orders/0", "static stability")) != 1 {
			h.Error("nobody was told")
		}
		streams := h.hellos()
		st := streams[len(streams)-1]
		h.regainRight()
		h.is(orders0, 1, "stopped") // not confirmed yet
		st.desire(true, want(orders0, 5, kafkaFenced), want(orders1, 6))
		h.settle()
		h.is(orders0, 2, "running")
		h.is(orders1, 1, "running")
	})
}

func TestStaticStability_UnitsStartOnceWhereTheSetIsThereBeforeTheRight(t *testing.T) {
	run(t, func(h *harness) {
		var units []*sluicev1.DesiredUnit
		for n := range 100 {
			units = append(units, want(unitN(n), int64(10+n), kafkaFenced))
		}
		h.ready(units...)
		h.loseRight()
		h.stream(2).desire(true, units...)
		h.pass(static + time.Second)
		h.is(unitN(0), 1, "stopped")
		h.regainRight()
		for n := range 100 {
			h.is(unitN(n), 2, "running")
		}
	})
}

func TestStaticStability_IsReckonedAnewEachTimeTheRightEnds(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5, kafkaFenced))
		for range 3 {
			h.loseRight()
			h.pass(static / 2)
			h.regainRight()
		}
		h.is(orders0, 1, "running")
	})
}

func TestStaticStability_AControlPlaneThatIsAwayForGoodIsAskedOnWithJitter(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5, kafkaFenced))
		h.plane.onHello(refusal("store.unavailable", "no quorum"))
		h.plane.onBeat(refused)
		st.end <- errBroken
		h.pass(20 * time.Second)
		h.is(orders0, 1, "running")
		if n := len(h.hellos()) - 1; n < 20 || n > 200 {
			h.Errorf("%d attempts in 20 s", n)
		}
		if n := see(h.plane, func() int { return len(h.plane.beats) }); n < 40 || n > 400 {
			h.Errorf("%d heartbeats in 20 s", n)
		}
	})
}

func TestConfirm_WaitsForTheRightAndAWholeSetAndHoldsTheEpochAgainstIt(t *testing.T) {
	run(t, func(h *harness) {
		type answer struct {
			revision int64
			err      error
		}
		answers := make(chan answer, 2)
		ask := func(revision int64) {
			go func() {
				answers <- answer{revision, h.agent.Confirm(h.Context(), orders0, lease.Epoch{Revision: revision})}
			}()
		}
		early := func(when string) {
			h.settle()
			select {
			case a := <-answers:
				h.Errorf("%s: %+v", when, a)
			default:
			}
		}
		ask(5)
		early("before anything")
		h.plane.onBeat(never)
		st := h.start()
		early("without a right and a set")
		st.desire(true, want(orders0, 5))
		early("without a right")
		h.plane.onBeat(answered)
		h.pass(ttl/3 + time.Second)
		if a := <-answers; a.err != nil {
			h.Errorf("%+v", a)
		}
		ask(4)
		if a := <-answers; !errors.Is(a.err, agent.ErrEpochOver) {
			h.Errorf("%+v", a)
		}
		st.end <- errBroken
		h.settle()
		ask(5)
		early("without a stream")
		st = h.stream(2)
		early("on a new stream")
		st.desire(false, want(orders0, 5))
		early("with a part of a set")
		st.desire(true, want(orders0, 5, toBeReleased))
		if a := <-answers; !errors.Is(a.err, agent.ErrEpochOver) {
			h.Errorf("of a unit that is to be released: %+v", a)
		}
		gone, cancel := context.WithCancel(h.Context())
		cancel()
		h.plane.onBeat(never)
		h.pass(ttl)
		if err := h.agent.Confirm(gone, orders0, lease.Epoch{Revision: 5}); !errors.Is(err, context.Canceled) {
			h.Errorf("without a right: %v", err)
		}
	})
}

func TestWelcome_OtherTimesCountFromTheNextHeartbeat(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5, kafkaFenced))
		if h.agent.Margin() != margin {
			h.Errorf("margin %s", h.agent.Margin())
		}
		h.plane.onHello(welcome(func(_ *sluicev1.Hello, w *sluicev1.Welcome) { w.TtlMs, w.MarginMs = 20_000, 7000 }))
		st.end <- errBroken
		h.stream(2).desire(true, want(orders0, 5, kafkaFenced))
		h.pass(ttl/3 + step)
		if left := h.agent.RightLeft(); left <= ttl || h.agent.Margin() != 7*time.Second {
			h.Errorf("the right has %s left, the margin is %s", left, h.agent.Margin())
		}
		h.is(orders0, 1, "running")
	})
}
