package reconciler_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestOffsets_AViewThatLagsBehindTheLeadersOwnGrantsNeverHasThemAlteredBesideATask(t *testing.T) {
	h := newHarness(t)
	h.executor("a")
	l := h.lead(nil)
	h.create("c")
	h.held(unit.Connector("c"), unit.Mirror)
	stopped, err := h.store.UpdateConnector(t.Context(), "c", func(c *state.Connector) (*storev1.Connector, error) {
		v := proto.CloneOf(c.Value)
		v.TargetState = sluicev1.TargetState_TARGET_STATE_STOPPED
		return v, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.store.freeze(h.look())
	// A task that was granted by an earlier plan, and a request: the view has only the second.
	task, mod := unit.Task("c", 0), h.look().Sessions["a"].ModRevision
	if err := h.store.Store.Apply(t.Context(), l.guard, []state.Action{state.Grant{Unit: task, SessionMod: mod, Value: &storev1.Assignment{Session: "a", Executor: "a:1", Class: exclusive, Incarnation: stopped.Incarnation}}}); err != nil {
		t.Fatal(err)
	}
	if err := h.store.RequestOffsets(t.Context(), stopped, time.Hour, &storev1.Offsets{Id: "1"}); err != nil {
		t.Fatal(err)
	}
	lagging := *h.look()
	held := lagging.Assignments[task]
	lagging.Assignments = map[unit.ID]*state.Assignment{}
	for u, a := range h.look().Assignments {
		if u != task {
			lagging.Assignments[u] = a
		}
	}
	h.store.freeze(&lagging)
	h.create("d") // wakes the leader
	h.until("the task is asked for", time.Minute, func() bool {
		v := h.look()
		if v.Assignments[unit.Offsets("c")] != nil {
			t.Fatal("offsets are altered beside a task")
		}
		return v.Assignments[task].Value.GetRelease() != 0
	})
	h.release(held)
	h.held(unit.Offsets("c"))
}
