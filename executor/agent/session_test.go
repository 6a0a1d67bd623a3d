package agent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// lapses are the two ways in which an executor hears that its session has lapsed.
var lapses = map[string]func(h *harness, st *stream){
	"a heartbeat says so": func(h *harness, st *stream) { h.plane.onBeat(lapsed(st)) },
	"the stream is refused": func(h *harness, st *stream) {
		h.plane.onHello(func(hello *sluicev1.Hello) *sluicev1.AttachResponse {
			if hello.GetSession() == st.GetSession() {
				return refusal("session.lapsed", "open a new session")(hello)
			}
			return welcome(nil)(hello)
		})
		st.end <- errBroken
	},
	"the stream is ended with a refusal": func(_ *harness, st *stream) {
		_ = st.say(refusal("session.lapsed", "open a new session")(nil)) // a test sees whether it came
	},
}

// lapse has the session of a stream lapse and returns the first stream of the next.
func (h *harness) lapse(st *stream, how func(*harness, *stream)) *stream {
	h.Helper()
	how(h, st)
	for range ttl / step {
		for _, s := range h.hellos() {
			if s.GetSession() != st.GetSession() {
				return s
			}
		}
		h.pass(step)
	}
	h.Fatal("no new session")
	return nil
}

func TestLapse_ANewSessionAdoptsWhatItHoldsWithoutARestart(t *testing.T) {
	for name, how := range lapses {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				old := h.ready(want(orders0, 5), want(orders1, 6, kafkaFenced), want(orders2, 7))
				st := h.lapse(old, how)
				if st.GetPreviousSession() != old.GetSession() || st.GetProcess() != old.GetProcess() || st.GetStream() <= old.GetStream() {
					h.Errorf("%v, after %v", st.Hello, old.Hello)
				}
				heldUnits := map[string]int64{}
				for _, u := range st.GetHeld() {
					heldUnits[u.GetUnit()] = u.GetEpoch().GetRevision()
				}
				if len(heldUnits) != 3 || heldUnits[orders0.String()] != 5 || heldUnits[orders1.String()] != 6 || heldUnits[orders2.String()] != 7 {
					h.Errorf("held: %v", st.GetHeld())
				}
				h.pass(ttl)
				h.is(orders0, 1, "suspended")
				h.is(orders1, 1, "running")
				h.is(orders2, 1, "suspended")
				st.desire(true, want(orders0, 5), want(orders1, 6, kafkaFenced))
				h.settle()
				h.is(orders0, 1, "running")
				h.is(orders1, 1, "running")
				h.is(orders2, 1, "cut")
				if told := h.instance(orders2.String()).told(); told != "[true]" {
					h.Errorf("what is not adopted has acted: %s", told)
				}
				if n := see(h.plane, func() string { return h.plane.beats[len(h.plane.beats)-1].GetSession() }); n != st.GetSession() {
					h.Errorf("heartbeats are of session %s, want %s", n, st.GetSession())
				}
			})
		})
	}
}

func TestLapse_WhatTheNewSessionIsNotGivenNeverActsAgain(t *testing.T) {
	run(t, func(h *harness) {
		var units []*sluicev1.DesiredUnit
		for n := range 300 {
			units = append(units, want(unitN(n), int64(10+n)))
		}
		st := h.lapse(h.ready(units...), lapses["a heartbeat says so"])
		h.settle()
		st.desire(true, units[0])
		h.settle()
		h.is(unitN(0), 1, "running")
		for n := 1; n < 300; n++ {
			h.is(unitN(n), 1, "cut")
			if told := h.instance(unitN(n).String()).told(); told != "[true]" {
				h.Errorf("%s has acted: %s", unitN(n), told)
			}
		}
	})
}

func TestLapse_EndsTheRightAtOnceEvenWhileACommandHangs(t *testing.T) {
	for name, how := range lapses {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				st := h.ready(want(orders0, 5))
				hang := make(chan struct{})
				h.onCommand(func(context.Context, *sluicev1.Command) *sluicev1.CommandResult { <-hang; return nil })
				st.command("c1", time.Minute)
				h.settle()
				how(h, st)
				h.pass(ttl/3 + step) // it has heard of it by now, and the command may take a minute
				h.right(0)
				h.is(orders0, 1, "suspended")
				close(hang)
			})
		})
	}
}

func TestLapse_AnAnswerToTheOldSessionsHeartbeatGivesTheNewNothing(t *testing.T) {
	run(t, func(h *harness) {
		old := h.ready(want(orders0, 5))
		answer := make(chan struct{})
		h.plane.onBeat(held(answer))
		h.pass(ttl/3 + step)
		h.plane.onBeat(never)
		st := h.lapse(old, lapses["the stream is ended with a refusal"])
		close(answer)
		st.desire(true, want(orders0, 5))
		h.pass(time.Second)
		h.right(0)
		h.is(orders0, 1, "suspended")
	})
}

func TestLapse_OneAfterTheOtherIsNoHotLoopAndLosesNothing(t *testing.T) {
	for name, set := range map[string]func(*harness){
		"each is refused":         func(h *harness) { h.plane.onHello(refusal("session.lapsed", "gone")) },
		"each lapses as it opens": func(h *harness) { h.plane.onBeat(allLapse) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				st := h.ready(want(orders0, 5), want(orders1, 6, kafkaFenced))
				set(h)
				st.end <- errBroken
				h.pass(20 * time.Second)
				n := len(h.hellos())
				if n < 15 || n > 200 {
					h.Errorf("%d streams in 20 s", n)
				}
				h.plane.onHello(welcome(nil))
				h.plane.onBeat(answered)
				last := h.stream(n + 1)
				if len(last.GetHeld()) != 2 || last.GetPreviousSession() == "" {
					h.Errorf("%v", last.Hello)
				}
				if name == "each is refused" && last.GetPreviousSession() != st.GetSession() {
					h.Errorf("previous session %s, want the last that was opened, %s", last.GetPreviousSession(), st.GetSession())
				}
				h.settle()
				last.desire(true, want(orders0, 5), want(orders1, 6, kafkaFenced))
				h.pass(step)
				h.is(orders0, 1, "running")
				h.is(orders1, 1, "running")
			})
		})
	}
}

func allLapse(_ context.Context, m *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
	return &sluicev1.HeartbeatResponse{Number: m.GetNumber(), Lapsed: true}, nil
}

func TestLapse_ThePreviousSessionIsNamedOnlyWhereItsUnitsAreHeld(t *testing.T) {
	run(t, func(h *harness) {
		st := h.lapse(h.ready(), lapses["a heartbeat says so"])
		if st.GetPreviousSession() != "" {
			h.Errorf("previous session %q, and nothing is held", st.GetPreviousSession())
		}
	})
}

func TestSuperseded_BeginsANewSession(t *testing.T) {
	run(t, func(h *harness) {
		old := h.ready(want(orders0, 5))
		_ = old.say(refusal("session.superseded", "a newer stream is served")(nil)) // a test sees whether it came
		st := h.stream(2)
		if st.GetSession() == old.GetSession() || st.GetPreviousSession() != old.GetSession() {
			h.Errorf("%v", st.Hello)
		}
		st.desire(true, want(orders0, 5))
		h.settle()
		h.is(orders0, 1, "running")
	})
}

func TestDuplicate_IsLoggedWithWhatToDoAndRetriedAndNothingIsStarted(t *testing.T) {
	const advice = "give each its own advertised address"
	run(t, func(h *harness) {
		h.plane.onHello(refusal("executor.duplicate", "Another process is connected as executor x:8094 (session s): "+advice))
		first := h.start()
		h.pass(5 * time.Second)
		if n := len(h.hellos()); n < 4 || n > 50 {
			h.Errorf("%d streams in 5 s", n)
		}
		for _, s := range h.hellos() {
			if s.GetSession() != first.GetSession() {
				h.Errorf("a new session: %v", s.Hello)
			}
		}
		if len(h.logs.with("level=ERROR", "executor.duplicate", advice)) == 0 {
			h.Error("nobody is told that somebody has to act")
		}
		if _, ready := h.agent.Session(); ready {
			h.Error("it is ready")
		}
		if n := see(h.plane, func() int { return len(h.plane.beats) }); n != 0 {
			h.Errorf("%d heartbeats of a session that was never opened", n)
		}
		h.plane.onHello(welcome(nil))
		st := h.stream(len(h.hellos()) + 1)
		st.desire(true, want(orders0, 5))
		h.pass(time.Second)
		h.is(orders0, 1, "running")
	})
}

func TestDuplicate_OfAnExecutorThatRunsStartsNothingNewAndGoesOnWhileItsHeartbeatsAreAnswered(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.plane.onHello(refusal("executor.duplicate", "another"))
		st.end <- errBroken
		h.pass(3 * ttl)
		h.is(orders0, 1, "running")
		if told := fmt.Sprint(h.instance(orders0.String()).told()); told != "[]" {
			h.Errorf("SetSuspended was told %s", told)
		}
	})
}
