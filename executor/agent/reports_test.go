package agent_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/lease"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestReleases_AreRepeatedInEveryHelloUntilAcknowledgedAndNotAfter(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5), want(orders1, 6), want(orders2, 7))
		st.desire(true, want(orders0, 5, toBeReleased), want(orders1, 6, toBeReleased))
		h.settle()
		if r := st.releases(); len(r) != 2 || r[0].GetOutcome() != sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN {
			h.Fatalf("releases %v", r)
		}
		st.ack(orders1, 5) // of another epoch: that is not this release
		st.ack(orders0, 5)
		h.settle()
		st.end <- errBroken

		st = h.stream(2)
		if r := st.GetReleases(); len(r) != 1 || r[0].GetUnit() != orders1.String() || epochOf(r[0].GetEpoch()).Revision != 6 {
			h.Errorf("releases in hello 2: %v", r)
		}
		h.pass(time.Second)
		if r := st.releases(); len(r) != 0 {
			h.Errorf("what hello said is said again: %v", r)
		}
		st.end <- errBroken

		h.plane.onHello(welcome(func(hello *sluicev1.Hello, w *sluicev1.Welcome) {
			for _, r := range hello.GetReleases() {
				w.Released = append(w.Released, &sluicev1.ReleaseAck{Unit: r.GetUnit(), Epoch: r.GetEpoch()})
			}
		}))
		st = h.stream(3)
		if r := st.GetReleases(); len(r) != 1 {
			h.Errorf("releases in hello 3: %v", r)
		}
		st.end <- errBroken
		if r := h.stream(4).GetReleases(); len(r) != 0 {
			h.Errorf("releases in hello 4: %v", r)
		}
	})
}

func TestReleases_WithoutAStreamAreInTheNextHelloWhateverItsSession(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.plane.onHello(refusal("session.lapsed", "gone"))
		st.end <- errBroken
		h.settle()
		h.agent.Released(supervisor.Released{Unit: orders1, Epoch: lease.Epoch{Revision: 3}, Outcome: sluicev1.ReleaseOutcome_RELEASE_OUTCOME_ABANDONED, PredecessorUnfenced: true})
		second, third := h.stream(2), h.stream(3)
		if second.GetSession() != st.GetSession() || third.GetSession() == st.GetSession() {
			h.Errorf("sessions %s, %s, %s", st.GetSession(), second.GetSession(), third.GetSession())
		}
		for _, s := range []*stream{second, third} {
			if r := s.GetReleases(); len(r) != 1 || r[0].GetUnit() != orders1.String() || epochOf(r[0].GetEpoch()).Revision != 3 ||
				r[0].GetOutcome() != sluicev1.ReleaseOutcome_RELEASE_OUTCOME_ABANDONED || !r[0].GetPredecessorUnfenced() {
				h.Errorf("releases %v", r)
			}
		}
	})
}

func TestReleases_NeverOvertakeTheStateBeforeThem(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.agent.Status(supervisor.Status{Unit: orders0, Epoch: lease.Epoch{Revision: 5}, State: sluicev1.State_STATE_FAILED, Trace: "boom"})
		h.agent.Released(supervisor.Released{Unit: orders0, Epoch: lease.Epoch{Revision: 5}, Outcome: sluicev1.ReleaseOutcome_RELEASE_OUTCOME_FAILED})
		h.settle()
		failed := false
		for _, m := range see(h.plane, func() []*sluicev1.AttachRequest { return st.got }) {
			for _, s := range m.GetStatus().GetStatuses() {
				failed = failed || s.GetTrace() == "boom" && s.GetState() == sluicev1.State_STATE_FAILED
			}
			if m.GetRelease() != nil && !failed {
				h.Error("the release came first")
			}
		}
		if len(st.releases()) != 1 {
			h.Errorf("releases %v", st.releases())
		}
	})
}

func TestStatuses_AreAllToldToANewStreamUntilTheirReleaseIsAcknowledged(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5, func(d *sluicev1.DesiredUnit) { d.Restart, d.ConfigGeneration = 3, 4 }), want(orders1, 6))
		if s := st.statuses(); len(s) != 2 {
			h.Errorf("statuses %v", s)
		}
		st.desire(true, want(orders1, 6, toBeReleased))
		h.settle()
		st.ack(orders1, 6)
		h.settle()
		st.end <- errBroken
		st = h.stream(2)
		h.settle()
		s := st.statuses()
		if len(s) != 1 {
			h.Fatalf("statuses %v, want that of task 0", s)
		}
		if s[0].GetUnit() != orders0.String() || s[0].GetState() != sluicev1.State_STATE_RUNNING || s[0].GetRestart() != 3 || s[0].GetConfigGeneration() != 4 || epochOf(s[0].GetEpoch()).Revision != 5 {
			h.Errorf("%v", s[0])
		}
	})
}

func TestFences_AreReportedWhereTheGrantIsMarkedAndAgainToANewStream(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5, kafkaFenced, unfenced), want(orders1, 6, kafkaFenced))
		h.instance(orders0.String()).env.Fenced()
		h.instance(orders1.String()).env.Fenced()
		h.settle()
		if f := st.fences(); len(f) != 1 || f[0].GetUnit() != orders0.String() || epochOf(f[0].GetEpoch()).Revision != 5 {
			h.Errorf("fences %v", f)
		}
		st.end <- errBroken
		st = h.stream(2)
		st.desire(true, want(orders0, 5, kafkaFenced, unfenced), want(orders1, 6, kafkaFenced))
		h.settle()
		if f := st.fences(); len(f) != 1 {
			h.Errorf("the mark is still there, so the report was lost: %v", f)
		}
		st.desire(true, want(orders0, 5, kafkaFenced, unfenced, toBeReleased))
		h.settle()
		if r := st.releases(); len(r) != 1 || r[0].GetPredecessorUnfenced() {
			h.Errorf("a fence that took effect is passed on as owed: %v", r)
		}
	})
}

func TestReleases_PassTheMarkOnWhereTheFenceDidNotTakeEffect(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5, kafkaFenced, unfenced))
		st.desire(true, want(orders0, 5, kafkaFenced, unfenced, toBeReleased))
		h.settle()
		if r := st.releases(); len(r) != 1 || !r[0].GetPredecessorUnfenced() {
			h.Errorf("releases %v", r)
		}
	})
}

func TestPrepare_WhatIsReadyIsToldToEachStreamThatAsksAndNotStarted(t *testing.T) {
	run(t, func(h *harness) {
		prepare := want(orders0, 5, func(d *sluicev1.DesiredUnit) { d.Prepare = true })
		st := h.ready()
		for n := range 2 {
			if n > 0 {
				st.end <- errBroken
				st = h.stream(2)
			}
			st.desire(true, prepare)
			h.settle()
			if p := st.prepared(); len(p) != 1 || p[0].GetUnit() != orders0.String() || epochOf(p[0].GetEpoch()).Revision != 5 {
				h.Errorf("stream %d was told %v", n+1, p)
			}
		}
		h.is(orders0, 0, "not started")
		if err := h.agent.Confirm(h.Context(), orders0, lease.Epoch{Revision: 5}); !errors.Is(err, agent.ErrEpochOver) {
			h.Errorf("it is confirmed: %v", err)
		}
		st.desire(true, want(orders0, 6))
		h.settle()
		h.is(orders0, 1, "running")
	})
}
