package agent_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/internal/lease"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

var errBroken = errors.New("the replica is gone")

func TestHello_SaysWhoTheExecutorIs(t *testing.T) {
	run(t, func(h *harness) {
		st := h.start()
		if st.GetExecutor() != "x:8094" || st.GetPool() != "p" || st.GetVersion() != "v" || st.GetLabels()["zone"] != "a" || st.GetCapacity() != 7 ||
			st.GetKafkaClusterId() != "kafka" || st.GetStream() != 1 || st.GetSession() == "" || st.GetProcess() == "" || st.GetDraining() ||
			len(st.GetPlugins()) != 1 || st.GetPlugins()[0].GetClass() != "C" || st.GetPreviousSession() != "" {
			h.Errorf("%v", st.Hello)
		}
		if r := see(h.plane, func() []*sluicev1.RegisterPluginsRequest { return h.plane.registered }); len(r) != 1 || r[0].GetSession() != st.GetSession() || r[0].GetPool() != "p" || len(r[0].GetPlugins()) != 1 {
			h.Errorf("registered %v", r)
		}
	})
}

func TestStream_AGapInTheNumbersEndsItAndItIsOpenedAnew(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		st.number++ // one is lost
		st.delta(true, []string{orders0.String()}, want(orders1, 6))
		h.settle()
		if st.open() {
			h.Error("the stream goes on")
		}
		h.is(orders0, 1, "running")
		h.is(orders1, 0, "not started")
		next := h.stream(2)
		if next.GetStream() != 2 || next.GetSession() != st.GetSession() || next.GetProcess() != st.GetProcess() {
			h.Errorf("after %v: %v", st.Hello, next.Hello)
		}
		if n := next.GetHeld(); len(n) != 1 || n[0].GetUnit() != orders0.String() || epochOf(n[0].GetEpoch()).Revision != 5 || n[0].GetSuspended() {
			h.Errorf("held: %v", n)
		}
		next.desire(true, want(orders0, 5))
		h.settle()
		h.is(orders0, 1, "running")
	})
}

func TestStream_ANewOneCountsOnlyOnceItIsWhole(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5), want(orders1, 6))
		st.end <- errBroken
		st = h.stream(2)
		h.settle()
		if _, ready := h.agent.Session(); ready {
			h.Error("ready, though nothing is known to be desired")
		}
		st.desire(false, want(orders0, 5), want(orders2, 7))
		h.settle()
		h.is(orders0, 1, "running")
		h.is(orders1, 1, "running") // it may be named yet
		h.is(orders2, 0, "not started")
		st.desire(true)
		h.settle()
		h.is(orders0, 1, "running")
		h.is(orders1, 1, "cut")
		h.is(orders2, 1, "running")
		if _, ready := h.agent.Session(); !ready {
			h.Error("not ready")
		}
		if r := st.releases(); len(r) != 0 {
			h.Errorf("nobody waits for a release of what is not in the set: %v", r)
		}
	})
}

func TestStream_WhatIsRemovedStops(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5), want(orders1, 6))
		st.delta(true, []string{orders0.String(), "future:thing"})
		h.settle()
		h.is(orders0, 1, "cut")
		h.is(orders1, 1, "running")
	})
}

func TestStream_AnOlderOnesWordsAreNotObeyed(t *testing.T) {
	run(t, func(h *harness) {
		old := h.ready(want(orders0, 5))
		_ = old.say(&sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Desired{Desired: &sluicev1.DesiredDelta{Number: 9}}}) // a gap
		next := h.stream(2)
		old.delta(true, []string{orders0.String()}, want(orders1, 6))
		old.command("c1", time.Second)
		next.desire(true, want(orders0, 5))
		old.delta(true, []string{orders0.String()}, want(orders1, 6))
		h.pass(time.Second)
		h.is(orders0, 1, "running")
		h.is(orders1, 0, "not started")
	})
}

func TestStream_AReleasedEpochIsNeverStartedAgain(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		st.desire(true, want(orders0, 5, toBeReleased))
		h.settle()
		h.is(orders0, 1, "stopped")
		st.desire(true, want(orders0, 5))
		h.settle()
		st.ack(orders0, 5)
		st.desire(true, want(orders0, 5)) // the acknowledgement does not make it forgotten
		h.settle()
		st.end <- errBroken
		st = h.stream(2)
		st.desire(true, want(orders0, 5))
		h.settle()
		st.desire(true, want(orders0, 4))
		h.settle()
		h.is(orders0, 1, "stopped")
		if err := h.agent.Confirm(h.Context(), orders0, lease.Epoch{Revision: 5}); !errors.Is(err, agent.ErrEpochOver) {
			h.Errorf("it is confirmed: %v", err)
		}
		st.desire(true, want(orders0, 6))
		h.settle()
		h.is(orders0, 2, "running")
	})
}

func TestStream_TheHighestEpochEverSeenIsInEveryHello(t *testing.T) {
	run(t, func(h *harness) {
		st := h.start()
		if e := st.GetHighestEpoch(); epochOf(e) != (lease.Epoch{}) {
			h.Errorf("%v before anything was seen", e)
		}
		st.desire(true, want(orders0, 900), want(orders1, 5, func(d *sluicev1.DesiredUnit) { d.Epoch.Era = 1 }))
		h.settle()
		st.delta(true, []string{orders1.String()})
		h.settle()
		st.end <- errBroken
		st = h.stream(2)
		if e := epochOf(st.GetHighestEpoch()); e != (lease.Epoch{Era: 1, Revision: 5}) {
			h.Errorf("highest epoch %s, want 1.5", e)
		}
		// Of a later version's unit too: the store that granted it was as new.
		st.desire(true, want(orders0, 7, func(d *sluicev1.DesiredUnit) { d.Unit, d.Epoch.Era = "future:thing", 1 }))
		h.plane.onBeat(lapsed(st))
		if e := epochOf(h.stream(3).GetHighestEpoch()); e != (lease.Epoch{Era: 1, Revision: 7}) {
			h.Errorf("highest epoch %s in the next session, want 1.7", e)
		}
	})
}

func TestStream_WhatALaterVersionSaysIsIgnored(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		m := &sluicev1.AttachResponse{}
		if err := proto.Unmarshal(protowire.AppendString(protowire.AppendTag(nil, 99, protowire.BytesType), "news"), m); err != nil {
			h.Fatal(err)
		}
		if err := st.say(m); err != nil {
			h.Fatal(err)
		}
		if err := st.say(&sluicev1.AttachResponse{}); err != nil {
			h.Fatal(err)
		}
		st.desire(true, want(orders1, 6, func(d *sluicev1.DesiredUnit) { d.Unit = "future:thing" }), want(orders2, 7, func(d *sluicev1.DesiredUnit) { d.Prepare = true }))
		h.settle()
		if !st.open() {
			h.Error("the stream has ended")
		}
		h.is(orders0, 1, "running")
		h.is(orders2, 0, "not started")
		if n := len(h.sup.Units()); n != 1 {
			h.Errorf("%d units are held", n)
		}
		st.desire(true, want(orders2, 8))
		h.settle()
		h.is(orders2, 1, "running")
	})
}

func TestStream_AUnitOfAnUnknownClassIsExclusive(t *testing.T) {
	run(t, func(h *harness) {
		h.ready(want(orders0, 5, func(d *sluicev1.DesiredUnit) { d.Class = 77 }), want(orders1, 6, func(d *sluicev1.DesiredUnit) { d.Class = 0 }))
		h.plane.onBeat(never)
		h.pass(ttl)
		h.is(orders0, 1, "suspended")
		h.is(orders1, 1, "suspended")
	})
}

func TestStream_ThatDoesNotBeginWithAWelcomeInTimeIsOpenedAnew(t *testing.T) {
	for name, hello := range map[string]func(*sluicev1.Hello) *sluicev1.AttachResponse{
		"nothing comes": func(*sluicev1.Hello) *sluicev1.AttachResponse { return nil },
		"something else": func(*sluicev1.Hello) *sluicev1.AttachResponse {
			return &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Desired{Desired: &sluicev1.DesiredDelta{Number: 1, Units: []*sluicev1.DesiredUnit{want(orders0, 5)}, Whole: true}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				h.plane.onHello(hello)
				first := h.start()
				next := h.stream(2)
				if next.GetSession() != first.GetSession() || first.open() {
					h.Errorf("sessions %s and %s, the first is open: %v", first.GetSession(), next.GetSession(), first.open())
				}
				h.is(orders0, 0, "not started")
			})
		})
	}
}

func TestStream_RegistersThePluginsUntilThatSucceeds(t *testing.T) {
	run(t, func(h *harness) {
		registered := func() int { return see(h.plane, func() int { return len(h.plane.registered) }) }
		h.plane.onRegister(errBroken)
		h.start()
		h.pass(5 * time.Second)
		n := registered()
		if n < 2 || n > 25 {
			h.Errorf("%d attempts in 5 s", n)
		}
		h.plane.onRegister(nil)
		h.pass(3 * time.Second)
		n = registered()
		h.pass(5 * time.Second)
		if registered() != n {
			h.Error("it goes on after it has succeeded")
		}
	})
}
