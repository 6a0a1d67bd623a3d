package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func tasks(name string, n int) []unit.ID {
	var out []unit.ID
	for i := range n {
		out = append(out, unit.Task(name, i))
	}
	return out
}

func TestRun_GrantsThePlannerAndThenTheTasksThatItPlanned(t *testing.T) {
	h := newHarness(t)
	h.executor("x1")
	h.executor("x2")
	h.lead(nil)
	h.create("a")
	h.plan("a", "1", fenced, 4)
	ref := h.look().Connectors["a"].Value.GetTaskSet()
	by := map[string]int{}
	for i, a := range h.held(tasks("a", 4)...) {
		by[a.Value.GetSession()]++
		if a.Value.GetTaskSet() != ref.GetId() || string(a.Value.GetFingerprint()) != string(state.Fingerprint(ref, i)) || a.Value.GetClass() != fenced || a.Value.GetPredecessorUnfenced() {
			t.Errorf("granted: %v", a.Value)
		}
	}
	if by["x1"] != 2 || by["x2"] != 2 {
		t.Errorf("a connector's tasks are spread: %v", by)
	}
	if h.look().Assignments[unit.Mirror] == nil {
		t.Error("nobody mirrors the status")
	}
}

func TestRun_ChangedTasksAreGrantedOnceTheOldOnesAreReleasedAndTheirSetGoes(t *testing.T) {
	h := newHarness(t)
	h.executor("x1")
	h.lead(nil)
	h.create("a")
	h.plan("a", "1", exclusive, 2)
	old := h.held(tasks("a", 2)...)
	set, incarnation := h.look().Connectors["a"].Value.GetTaskSet().GetId(), h.look().Connectors["a"].Incarnation
	h.plan("a", "2", exclusive, 3)
	h.release(old[0])
	h.never("a new task is granted while an old one is held", time.Second, func() bool {
		v := h.look()
		return v.Assignments[unit.Task("a", 0)] != nil && v.Assignments[unit.Task("a", 0)].Epoch != old[0].Epoch || v.Assignments[unit.Task("a", 2)] != nil
	})
	h.release(old[1])
	now := h.look().Connectors["a"].Value.GetTaskSet().GetId()
	for i, a := range h.held(tasks("a", 3)...) {
		if a.Value.GetTaskSet() != now || i < 2 && a.Epoch.Compare(old[i].Epoch) <= 0 {
			t.Errorf("granted: %s %v", a.Epoch, a.Value)
		}
	}
	// Another store has nothing kept in memory.
	other := newHarnessStore(h)
	h.until("the old set is collected", time.Minute, func() bool {
		_, err := other.TaskSet(t.Context(), "a", incarnation, set)
		return errors.Is(err, store.ErrNotFound)
	})
	if _, err := other.TaskSet(t.Context(), "a", incarnation, now); err != nil {
		t.Errorf("the present set: %v", err)
	}
}

func TestRun_TheUnitsOfALapsedSessionMoveWithTheMarkThatTheirHolderIsNotFenced(t *testing.T) {
	h := newHarness(t)
	x1 := h.executor("x1")
	h.lead(nil)
	h.create("a")
	h.plan("a", "1", fenced, 1)
	a := h.held(unit.Task("a", 0))[0]
	h.report(a, sluicev1.State_STATE_RUNNING, "")
	x2 := h.executor("x2")
	x1.dead = true
	h.never("moved before the lease lapsed", lease.DefaultTimes().Lease()-tick, func() bool {
		return h.look().Assignments[a.Unit].Epoch != a.Epoch
	})
	h.until("both move", time.Minute, func() bool {
		v := h.look().Assignments
		p, n := v[unit.Connector("a")], v[a.Unit]
		return p != nil && n != nil && p.Value.GetSession() == "x2" && n.Value.GetSession() == "x2"
	})
	v := h.look()
	if n := v.Assignments[a.Unit]; n.Epoch.Compare(a.Epoch) <= 0 || !n.Value.GetPredecessorUnfenced() {
		t.Errorf("the successor must fence before it starts: %s after %s, %v", n.Epoch, a.Epoch, n.Value)
	}
	if p := v.Assignments[unit.Connector("a")]; p.Value.GetPredecessorUnfenced() {
		t.Error("an exclusive unit is quiet by its lapse")
	}
	if len(v.Lapsed) != 0 || len(x2.commands) != 0 {
		t.Errorf("a unit with a successor is not fenced by a command: %v, %d commands", v.Lapsed, len(x2.commands))
	}
}

func TestRun_WhatWasSeenByNoLeaderSettlesFirst(t *testing.T) {
	h := newHarness(t)
	x1 := h.executor("x1")
	first := h.lead(nil)
	h.create("a")
	h.plan("a", "1", exclusive, 1)
	a := h.held(unit.Task("a", 0))[0]
	first.stop()
	h.executor("x2")
	x1.dead = true
	h.until("x1 has lapsed", time.Minute, func() bool { return h.look().Sessions["x1"] == nil })
	h.lead(nil)
	h.until("it settles", 0, func() bool { return h.look().Assignments[a.Unit].Value.GetSettlingSinceMs() != 0 })
	h.never("moved while it settles", lease.DefaultTimes().Lease()-2*tick, func() bool {
		return h.look().Assignments[a.Unit].Epoch != a.Epoch
	})
	h.until("it moves", time.Minute, func() bool {
		n := h.look().Assignments[a.Unit]
		return n != nil && n.Value.GetSession() == "x2"
	})
}

// lapseChanged brings about n lapsed tasks of a connector that nobody follows: their set was replaced by
// one of a single task while x1, which held them, was dying. x2 and its planner live.
func (h *harness) lapseChanged(n int, names ...string) {
	h.t.Helper()
	x1 := h.executor("x1")
	for _, name := range names {
		h.create(name)
		h.plan(name, "1", fenced, n)
		h.held(tasks(name, n)...)
	}
	h.executor("x2")
	// The planners move, the tasks stay.
	for _, name := range names {
		planner := h.held(unit.Connector(name))[0]
		if err := h.store.WriteRelease(h.t.Context(), planner.Unit, planner.Epoch, 1, false); err != nil {
			h.t.Fatal(err)
		}
		h.until(name+" is planned by x2", time.Minute, func() bool {
			a := h.look().Assignments[planner.Unit]
			return a != nil && a.Value.GetSession() == "x2"
		})
		h.plan(name, "2", fenced, 1)
	}
	x1.dead = true
	h.until("x1's units have lapsed", time.Minute, func() bool {
		for _, a := range h.look().Assignments {
			if a.Value.GetSession() == "x1" {
				return false
			}
		}
		return true
	})
}

func TestRun_AChangedTaskIsGrantedOnlyOnceTheLapsedOneIsFenced(t *testing.T) {
	h := newHarness(t)
	h.lead(nil)
	h.lapseChanged(1, "a")
	u := unit.Task("a", 0)
	x2 := h.executors["x2"]
	cmd := x2.fence(u)
	l := h.look().Lapsed[u]
	if e := cmd.GetFence().GetEpoch(); l == nil || !proto.Equal(e, l.Value.GetEpoch()) || len(cmd.GetFence().GetConnectorConfig().GetEntries()) == 0 {
		t.Errorf("command %v for %v", cmd, l)
	}
	granted := func() bool { return h.look().Assignments[u] != nil }
	h.never("granted before the fence", 5*time.Second, granted)
	// A fence that fails is asked for again, and grants nothing.
	x2.answer(cmd, &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Error{Error: &sluicev1.CommandError{Reason: "kafka.unavailable", Message: "no broker"}}})
	cmd = x2.fence(u)
	if granted() || h.look().Lapsed[u] == nil {
		t.Error("granted though the fence failed")
	}
	x2.answer(cmd, fenceDone())
	a := h.held(u)[0]
	if a.Value.GetSession() != "x2" || a.Value.GetPredecessorUnfenced() || h.look().Lapsed[u] != nil {
		t.Errorf("granted: %v", a.Value)
	}
}

func TestRun_ACommandThatHangsEndsAndHoldsNoOtherConnector(t *testing.T) {
	h := newHarness(t)
	h.lead(nil)
	h.lapseChanged(1, "a", "b")
	x2 := h.executors["x2"]
	asked := map[string]*sluicev1.Command{}
	h.until("both fences are asked for", time.Minute, func() bool {
		select {
		case c := <-x2.commands:
			asked[c.GetFence().GetUnit()] = c
		default:
		}
		return len(asked) == 2
	})
	start := h.clock.Now()
	x2.answer(asked["task:b/0"], fenceDone())
	h.until("b goes on", 0, func() bool { return h.look().Assignments[unit.Task("b", 0)] != nil })
	if h.look().Assignments[unit.Task("a", 0)] != nil {
		t.Error("a was granted without its fence")
	}
	again := x2.fence(unit.Task("a", 0))
	if again.GetId() == asked["task:a/0"].GetId() {
		t.Fatal("the same command came twice")
	}
	if d := h.clock.Now().Sub(start); d < 30*time.Second || d > 45*time.Second {
		t.Errorf("asked again after %s", d)
	}
	x2.answer(again, fenceDone())
	h.held(unit.Task("a", 0))
}

// fencer answers fences as it is told, and counts them.
type fencer struct {
	answer func(ctx context.Context, u unit.ID, nth int) error
	mu     sync.Mutex
	tried  map[unit.ID]int
	under  map[string]int
	most   map[string]int
}

func newFencer(answer func(ctx context.Context, u unit.ID, nth int) error) *fencer {
	return &fencer{answer: answer, tried: map[unit.ID]int{}, under: map[string]int{}, most: map[string]int{}}
}

func (f *fencer) Fence(ctx context.Context, _ string, u unit.ID, _ lease.Epoch, _ *sluicev1.Config) error {
	f.mu.Lock()
	f.tried[u]++
	nth := f.tried[u]
	f.under[u.Name]++
	f.most[u.Name] = max(f.most[u.Name], f.under[u.Name])
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.under[u.Name]--
	}()
	return f.answer(ctx, u, nth)
}

func (f *fencer) counts() map[unit.ID]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[unit.ID]int{}
	for u, n := range f.tried {
		out[u] = n
	}
	return out
}

func TestRun_ManyHangingFencesOfOneConnectorLeaveRoomForOthers(t *testing.T) {
	h := newHarness(t)
	f := newFencer(func(ctx context.Context, u unit.ID, _ int) error {
		if u.Name == "a" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	l := h.lead(f)
	h.lapseChanged(20, "a", "b")
	h.held(unit.Task("b", 0))
	f.mu.Lock()
	most, under := f.most["a"], f.under["a"]
	f.mu.Unlock()
	if most > 4 || under == 0 {
		t.Errorf("%d fences of a at once, %d now", most, under)
	}
	l.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under["a"] != 0 {
		t.Errorf("%d fences outlive their leader", f.under["a"])
	}
}

func TestRun_EveryFenceHasItsTurnHoweverManyFail(t *testing.T) {
	h := newHarness(t)
	f := newFencer(func(context.Context, unit.ID, int) error { return errors.New("no broker") })
	h.lead(f)
	h.lapseChanged(10, "a")
	h.until("each was tried twice", 2*time.Minute, func() bool {
		n := 0
		for _, times := range f.counts() {
			if times >= 2 {
				n++
			}
		}
		return n == 10
	})
	for u, n := range f.counts() {
		if n > 4 {
			t.Errorf("%s was tried %d times while others waited", u, n)
		}
	}
}

func TestRun_AFenceThatPanicsIsTriedAgain(t *testing.T) {
	h := newHarness(t)
	f := newFencer(func(_ context.Context, _ unit.ID, nth int) error {
		if nth == 1 {
			panic("a bug")
		}
		return nil
	})
	h.lead(f)
	h.lapseChanged(1, "a")
	h.held(unit.Task("a", 0))
	if n := f.counts()[unit.Task("a", 0)]; n != 2 {
		t.Errorf("tried %d times", n)
	}
}

// A second one would hit the successor.
func TestRun_AUnitIsFencedOnceHoweverFarTheViewIsBehind(t *testing.T) {
	h := newHarness(t)
	f := newFencer(func(context.Context, unit.ID, int) error { return nil })
	h.lead(f)
	h.lapseChanged(10, "a", "b")
	h.held(unit.Task("a", 0), unit.Task("b", 0))
	for u, n := range f.counts() {
		if n != 1 {
			t.Errorf("%s was fenced %d times", u, n)
		}
	}
	if n := len(f.counts()); n != 20 {
		t.Errorf("%d units were fenced, want 20", n)
	}
}

func TestRun_APanicEndsTheTermWithAnErrorAndItsFences(t *testing.T) {
	h := newHarness(t)
	f := newFencer(func(ctx context.Context, _ unit.ID, _ int) error { <-ctx.Done(); return ctx.Err() })
	l := h.lead(f)
	h.lapseChanged(1, "a")
	h.until("the fence hangs", time.Minute, func() bool { return f.counts()[unit.Task("a", 0)] == 1 })
	h.store.mu.Lock()
	h.store.view = func() { panic("a bug") }
	h.store.mu.Unlock()
	h.create("b")
	var p *run.PanicError
	if err := l.end(); !errors.As(err, &p) {
		t.Errorf("ended with %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under["a"] != 0 {
		t.Error("the fence outlives the term")
	}
}

func TestRun_LeadershipThatIsLostBeforeAPlanIsWrittenWritesNothing(t *testing.T) {
	h := newHarness(t)
	h.executor("x1")
	l := h.lead(nil)
	h.held(unit.Mirror)
	h.store.beforeApply(func([]state.Action) error { l.depose(); return nil })
	h.create("a")
	if err := l.end(); err != nil {
		t.Errorf("to be deposed is no error: %v", err)
	}
	if v := h.look(); v.Assignments[unit.Connector("a")] != nil {
		t.Error("a deposed leader granted")
	}
	// Nor does it with another's key in the place of its own.
	h.store.beforeApply(nil)
	h.lead(nil)
	h.held(unit.Connector("a"))
	grant := state.Grant{Unit: unit.Task("a", 0), SessionMod: h.look().Sessions["x1"].ModRevision, Value: &storev1.Assignment{Session: "x1"}}
	if err := h.store.Apply(t.Context(), l.guard, []state.Action{grant}); !errors.Is(err, store.ErrNotLeader) {
		t.Errorf("the earlier leader: %v", err)
	}
}

func TestRun_LeadershipThatIsLostDuringAFenceLeavesTheFenceOwed(t *testing.T) {
	h := newHarness(t)
	l := h.lead(nil)
	h.lapseChanged(1, "a")
	x2, u := h.executors["x2"], unit.Task("a", 0)
	cmd := x2.fence(u)
	l.depose()
	x2.answer(cmd, fenceDone())
	h.never("the deposed leader wrote", 2*time.Second, func() bool {
		v := h.look()
		return v.Lapsed[u] == nil || v.Assignments[u] != nil
	})
	l.stop()
	// The next one has it performed again.
	h.lead(nil)
	x2.answer(x2.fence(u), fenceDone())
	h.held(u)
}

func TestRun_EndsWithItsContextAndJoinsItsFences(t *testing.T) {
	h := newHarness(t)
	l := h.lead(nil)
	h.lapseChanged(1, "a")
	h.executors["x2"].fence(unit.Task("a", 0)) // never answered
	l.stop()
	if err := l.end(); err != nil {
		t.Errorf("to be stopped is no error: %v", err)
	}
	h.create("b")
	h.never("a leader that has ended granted", 2*time.Second, func() bool { return h.look().Assignments[unit.Connector("b")] != nil })
}

func TestRun_WhatCannotBeWrittenIsTriedAgainWithBackoffThatNoChangeHurries(t *testing.T) {
	h := newHarness(t)
	h.executor("x1")
	h.lead(nil)
	h.held(unit.Mirror)
	const failures = 9
	var mu sync.Mutex
	var at []time.Time
	h.store.beforeApply(func([]state.Action) error {
		mu.Lock()
		defer mu.Unlock()
		if at = append(at, h.clock.Now()); len(at) <= failures {
			return fmt.Errorf("%w: no quorum", store.ErrUnavailable)
		}
		return nil
	})
	tries := func() int { mu.Lock(); defer mu.Unlock(); return len(at) }
	h.create("a")
	h.await("the first try", func() bool { return tries() == 1 })
	for i := range 20 {
		h.create(fmt.Sprintf("more-%d", i))
	}
	h.look()
	if n := tries(); n != 1 {
		t.Errorf("%d tries though no time has passed", n)
	}
	h.until("it is written", 2*time.Minute, func() bool { return h.look().Assignments[unit.Connector("a")] != nil })
	mu.Lock()
	defer mu.Unlock()
	for i := range failures {
		full := min(100*time.Millisecond<<i, 5*time.Second)
		// The clock moves in ticks, and once more while the leader wakes up.
		if d := at[i+1].Sub(at[i]); d < full/2 || d > full+4*tick {
			t.Errorf("try %d came %s after the one before, want %s to %s", i+2, d, full/2, full)
		}
	}
}

func TestRun_OldTaskSetsThatCouldNotBeCollectedAreCollectedLater(t *testing.T) {
	h := newHarness(t)
	h.executor("x1")
	h.lead(nil)
	h.create("a")
	h.plan("a", "1", exclusive, 1)
	a := h.held(unit.Task("a", 0))[0]
	c := h.look().Connectors["a"]
	var once sync.Once
	h.store.beforeApply(func(actions []state.Action) (err error) {
		for _, x := range actions {
			if _, ok := x.(state.DropTaskSets); ok {
				once.Do(func() { err = store.ErrUnavailable })
			}
		}
		return err
	})
	h.plan("a", "2", exclusive, 1)
	h.release(a)
	other := newHarnessStore(h)
	h.until("the old set is collected", time.Minute, func() bool {
		_, err := other.TaskSet(t.Context(), "a", c.Incarnation, c.Value.GetTaskSet().GetId())
		return errors.Is(err, store.ErrNotFound)
	})
}

func TestRun_AFailedPlannerKeepsItsTraceAndItsEpochUntilItPlansAgain(t *testing.T) {
	h := newHarness(t)
	x1 := h.executor("x1")
	h.lead(nil)
	h.create("bad")
	planner := h.held(unit.Connector("bad"))[0]
	h.report(planner, sluicev1.State_STATE_FAILED, "ConnectException: no such host\n\tat Plan")
	h.create("good")
	h.plan("good", "1", exclusive, 1)
	h.held(unit.Task("good", 0))
	h.never("the leader touched a failed planner", 20*time.Second, func() bool {
		v := h.look()
		s := v.Statuses[unit.Connector("bad")]
		return s.Value.GetState() != sluicev1.State_STATE_FAILED || s.Value.GetTrace() != "ConnectException: no such host\n\tat Plan" || v.Assignments[unit.Connector("bad")].Epoch != planner.Epoch
	})
	// Its holder starts it again and this time it plans.
	h.report(planner, sluicev1.State_STATE_RUNNING, "")
	h.plan("bad", "1", exclusive, 2)
	h.held(tasks("bad", 2)...)
	// With its holder gone and nobody to follow it is said to be unassigned.
	x1.dead = true
	h.until("it is unassigned", 2*time.Minute, func() bool {
		return h.look().Statuses[unit.Connector("bad")].Value.GetState() == sluicev1.State_STATE_UNASSIGNED
	})
}

func TestRun_ManyChangesAreOnePlan(t *testing.T) {
	h := newHarness(t)
	h.lead(nil)
	x1 := h.executor("x1")
	h.held(unit.Mirror)
	release, blocked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.store.beforeApply(func([]state.Action) error {
		once.Do(func() { close(blocked); <-release })
		return nil
	})
	h.create("first")
	select {
	case <-blocked:
	case <-time.After(patience):
		t.Fatal("nothing is written")
	}
	const n = 200
	for i := range n {
		h.create(fmt.Sprintf("c-%d", i))
	}
	h.look()
	before := h.store.planned()
	close(release)
	h.await("all are held", func() bool { return len(h.look().Assignments) == n+2 })
	h.never("a connector is lost", time.Second, func() bool { return len(h.look().Assignments) != n+2 })
	// One for the changes, and one for each transaction of its own that the view shows.
	if plans := h.store.planned() - before; plans > 20 {
		t.Errorf("%d changes took %d plans", n, plans)
	}
	if len(x1.commands) != 0 {
		t.Errorf("%d commands", len(x1.commands))
	}
}

func TestRun_AStoreThatCannotBeReadEndsTheTermWithAnError(t *testing.T) {
	h := newHarness(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.store.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.lead(nil).end(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ended with %v", err)
	}
}
