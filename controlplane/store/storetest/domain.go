package storetest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func epochsUnique(t *testing.T, e *env) {
	u, s := unit.Task("c", 0), e.session("s")
	first := e.grant(u, s)
	e.must(e.WriteRelease(t.Context(), u, first.Epoch, 1, false))
	r := e.see().Releases[u]
	if r == nil || r.Epoch != first.Epoch {
		t.Fatalf("release %+v", r)
	}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.ConsumeRelease{Unit: u, ReleaseMod: r.ModRevision, AssignmentMod: first.ModRevision}}))
	if v := e.see(); v.Assignments[u] != nil || v.Releases[u] != nil {
		t.Fatal("the release was not consumed")
	}
	second := e.grant(u, s)
	if second.Epoch.Compare(first.Epoch) <= 0 {
		t.Fatalf("epoch %s after %s", second.Epoch, first.Epoch)
	}
	// A request to release is a put: the epoch stays.
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.RequestRelease{Unit: u, Mod: second.ModRevision, Mode: sluicev1.ReleaseMode_RELEASE_MODE_MOVE}}))
	if a := e.see().Assignments[u]; a.Epoch != second.Epoch || a.Value.GetRelease() != int32(sluicev1.ReleaseMode_RELEASE_MODE_MOVE) {
		t.Fatalf("%+v", a)
	}
}

func leaderGuard(t *testing.T, e *env) {
	s := e.session("s")
	_, _, err := e.b.Txn(t.Context(), nil, []store.Op{{Key: e.guard.Key, Delete: true}})
	e.must(err)
	err = e.Apply(t.Context(), e.guard, []state.Action{state.Grant{Unit: unit.Mirror, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s"}}})
	e.is(err, store.ErrNotLeader)
	if e.see().Assignments[unit.Mirror] != nil {
		t.Fatal("a leader that was one no more granted a unit")
	}
}

func staleAction(t *testing.T, e *env) {
	s := e.session("s")
	held := e.grant(unit.Task("c", 0), s)
	e.must(e.Apply(t.Context(), e.guard, []state.Action{
		state.Grant{Unit: held.Unit, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s"}},
		state.Grant{Unit: unit.Task("c", 1), SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s"}},
		state.Grant{Unit: unit.Task("c", 2), SessionMod: s.ModRevision - 1, Value: &storev1.Assignment{Session: "s"}},
	}))
	v := e.see()
	if v.Assignments[held.Unit].Epoch != held.Epoch {
		t.Error("a held unit was granted again")
	}
	if v.Assignments[unit.Task("c", 1)] == nil {
		t.Error("a good action was stopped by a stale one")
	}
	if v.Assignments[unit.Task("c", 2)] != nil {
		t.Error("a unit was granted to a session that had changed")
	}
}

func staleEpoch(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("s"))
	a.Value.PredecessorUnfenced = true
	e.must(e.ClearUnfenced(t.Context(), u, stale(a.Epoch)))
	ok, err := e.Rebind(t.Context(), u, stale(a.Epoch), "s", "s2", "x:1")
	e.must(err)
	if ok || e.see().Assignments[u].ModRevision != a.ModRevision {
		t.Fatal("a stale epoch wrote the assignment")
	}
}

func releaseEpoch(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("s"))
	e.must(e.WriteRelease(t.Context(), u, stale(a.Epoch), 1, false))
	if e.see().Releases[u] != nil {
		t.Fatal("a stale release was written")
	}
}

func statuses(t *testing.T, e *env) {
	s := e.session("s")
	good, old := e.grant(unit.Task("c", 0), s), e.grant(unit.Task("c", 1), s)
	running := &storev1.Status{State: sluicev1.State_STATE_RUNNING}
	e.must(e.WriteStatuses(t.Context(), []store.StatusWrite{
		{Unit: good.Unit, Epoch: good.Epoch, Value: running},
		{Unit: old.Unit, Epoch: stale(old.Epoch), Value: running},
	}))
	v := e.see()
	if v.Statuses[good.Unit].Value.GetState() != sluicev1.State_STATE_RUNNING || v.Statuses[old.Unit] != nil {
		t.Fatalf("%v", v.Statuses)
	}
	before := v.Statuses[good.Unit].ModRevision
	e.must(e.WriteStatuses(t.Context(), []store.StatusWrite{{Unit: good.Unit, Epoch: good.Epoch, Value: running}}))
	if e.see().Statuses[good.Unit].ModRevision != before {
		t.Fatal("an unchanged state was rewritten")
	}
}

func connectors(t *testing.T, e *env) {
	c := e.connector("c")
	_, err := e.CreateConnector(t.Context(), "c", c.Value)
	e.is(err, store.ErrExists)
	raced := false
	got, err := e.UpdateConnector(t.Context(), "c", func(seen *state.Connector) (*storev1.Connector, error) {
		v := proto.CloneOf(seen.Value)
		if !raced {
			raced = true
			_, err := e.UpdateConnector(t.Context(), "c", func(s *state.Connector) (*storev1.Connector, error) {
				v := proto.CloneOf(s.Value)
				v.Restart = 7
				return v, nil
			})
			e.must(err)
		}
		v.Pool = "p"
		return v, nil
	})
	e.must(err)
	if got.Value.GetRestart() != 7 || got.Value.GetPool() != "p" || got.Incarnation != c.Incarnation {
		t.Fatalf("a write was lost: %v", got.Value)
	}
	_, err = e.UpdateConnector(t.Context(), "no", nil)
	e.is(err, store.ErrNotFound)
}

func updateNothing(t *testing.T, e *env) {
	c := e.connector("c")
	got, err := e.UpdateConnector(t.Context(), "c", func(*state.Connector) (*storev1.Connector, error) { return nil, nil })
	e.must(err)
	if got.ModRevision != c.ModRevision {
		t.Fatal("something was written")
	}
}

func deleteTwice(t *testing.T, e *env) {
	e.connector("c")
	e.must(e.DeleteConnector(t.Context(), "c"))
	e.is(e.DeleteConnector(t.Context(), "c"), store.ErrNotFound)
	if e.see().Connectors["c"] != nil {
		t.Fatal("still there")
	}
}

func barrier(t *testing.T, e *env) {
	other := e.open()
	for i := range 20 {
		name := fmt.Sprint("c", i)
		_, err := other.CreateConnector(t.Context(), name, &storev1.Connector{})
		e.must(err)
		if e.see().Connectors[name] == nil {
			t.Fatalf("%s was written and is not seen", name)
		}
	}
	// Also what is no key of the store moves the revision.
	_, _, err := e.b.Txn(t.Context(), nil, []store.Op{{Key: key(e, "x"), Value: []byte("y")}})
	e.must(err)
	e.see()
}

func immutable(t *testing.T, e *env) {
	e.connector("a")
	old := e.see()
	n, rev := len(old.Connectors), old.Revision
	e.connector("b")
	e.must(e.DeleteConnector(t.Context(), "a"))
	e.see()
	if len(old.Connectors) != n || old.Connectors["a"] == nil || old.Revision != rev {
		t.Fatal("a snapshot changed after it was handed out")
	}
}

func planStale(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	good := plan(c, a, 1, config("t", "1"))
	for name, change := range map[string]func(*store.Plan){
		"incarnation": func(p *store.Plan) { p.Incarnation-- },
		"generation":  func(p *store.Plan) { p.Generation++ },
		"epoch":       func(p *store.Plan) { p.Epoch = stale(p.Epoch) },
		"connector":   func(p *store.Plan) { p.Connector = "other" },
	} {
		p := good
		change(&p)
		_, err := e.SubmitPlan(t.Context(), p)
		if e.is(err, store.ErrPlanStale); e.see().Connectors["c"].Value.GetTaskSet() != nil {
			t.Fatalf("%s: a stale plan was taken", name)
		}
	}
	_, err := e.UpdateConnector(t.Context(), "c", func(s *state.Connector) (*storev1.Connector, error) {
		v := proto.CloneOf(s.Value)
		v.TargetState = sluicev1.TargetState_TARGET_STATE_STOPPED
		return v, nil
	})
	e.must(err)
	_, err = e.SubmitPlan(t.Context(), good)
	e.is(err, store.ErrPlanStale)
}

func planPermutation(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	x, y := config("t", "1"), config("t", "2")
	for i, step := range []struct {
		tasks   []*sluicev1.Config
		changed bool
	}{{[]*sluicev1.Config{x, y}, true}, {[]*sluicev1.Config{x, y}, false}, {[]*sluicev1.Config{y, x}, false}, {[]*sluicev1.Config{x}, true}} {
		changed, err := e.SubmitPlan(t.Context(), plan(c, a, uint64(i), step.tasks...))
		e.must(err)
		if changed != step.changed {
			t.Errorf("plan %d: changed %v", i, changed)
		}
	}
	// A source that begins to deliver exactly once has other tasks, of another class.
	p := plan(c, a, 9, x)
	before := e.see().Connectors["c"].Value.GetTaskSet()
	p.TaskClass = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	changed, err := e.SubmitPlan(t.Context(), p)
	e.must(err)
	after := e.see().Connectors["c"].Value.GetTaskSet()
	if !changed || bytes.Equal(before.GetFingerprints(), after.GetFingerprints()) || after.GetTaskClass() != p.TaskClass {
		t.Errorf("changed %v, %v, before %v", changed, after, before)
	}
}

func taskSetRoundTrip(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	var tasks []*sluicev1.Config
	big := strings.Repeat("x", 1000)
	for i := range 700 {
		tasks = append(tasks, config("b", fmt.Sprint(i), "connector.class", "X", "a", big, "tasks.max", "3"))
	}
	tasks[5].Entries[2].Value = nil
	_, err := e.SubmitPlan(t.Context(), plan(c, a, 1, tasks...))
	e.must(err)
	ref := e.see().Connectors["c"].Value.GetTaskSet()
	// Another store has nothing kept.
	got, err := e.open().TaskSet(t.Context(), "c", c.Incarnation, ref.GetId())
	e.must(err)
	if len(got.Tasks) != len(tasks) || !proto.Equal(got.ConnectorConfig, c.Value.GetConfig()) {
		t.Fatalf("%d tasks", len(got.Tasks))
	}
	for i := range tasks {
		if !proto.Equal(tasks[i], got.Tasks[i]) {
			t.Fatalf("task %d: %v", i, got.Tasks[i])
		}
	}
	_, err = e.TaskSet(t.Context(), "c", c.Incarnation, "nope")
	e.is(err, store.ErrNotFound)
}

func dropTaskSets(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	var ids []string
	for i := range 3 {
		_, err := e.SubmitPlan(t.Context(), plan(c, a, uint64(i), config("t", fmt.Sprint(i))))
		e.must(err)
		ids = append(ids, e.see().Connectors["c"].Value.GetTaskSet().GetId())
	}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.DropTaskSets{Connector: "c", Incarnation: c.Incarnation, Keep: ids[2]}}))
	other := e.open()
	_, err := other.TaskSet(t.Context(), "c", c.Incarnation, ids[1])
	e.is(err, store.ErrNotFound)
	_, err = other.TaskSet(t.Context(), "c", c.Incarnation, ids[2])
	e.must(err)
}

// A planner that is started anew within its epoch counts from 1 again.
func taskSetIDs(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	for _, want := range []string{"old", "new"} {
		_, err := e.SubmitPlan(t.Context(), plan(c, a, 1, config("t", want)))
		e.must(err)
		got, err := e.TaskSet(t.Context(), "c", c.Incarnation, e.see().Connectors["c"].Value.GetTaskSet().GetId())
		e.must(err)
		if v := got.Tasks[0].GetEntries()[0].GetValue(); v != want {
			t.Errorf("the present set has %q, %q was submitted", v, want)
		}
	}
}

// A set that is written while an older one is collected is not pointed to yet.
func dropOnlyOlder(t *testing.T, e *env) {
	c := e.connector("c")
	a := e.grant(unit.Connector("c"), e.session("s"))
	submit := func(by *store.Store, seq uint64) string {
		_, err := by.SubmitPlan(t.Context(), plan(c, a, seq, config("t", fmt.Sprint(seq))))
		e.must(err)
		return e.see().Connectors["c"].Value.GetTaskSet().GetId()
	}
	drop := func(keep string) {
		e.must(e.Apply(t.Context(), e.guard, []state.Action{state.DropTaskSets{Connector: "c", Incarnation: c.Incarnation, Keep: keep}}))
	}
	// The leader looks once at the base of each set that is written, before the pointer is flipped.
	flipping := store.New(&beforeFlip{Backend: e.b, do: func() {
		drop(e.see().Connectors["c"].Value.GetTaskSet().GetId())
	}}, e.cluster, clock.Real(), slog.New(slog.DiscardHandler))
	e.must(flipping.Start(t.Context()))
	defer func() { e.must(flipping.Stop(context.WithoutCancel(t.Context()))) }()
	for seq := range uint64(3) {
		id := submit(flipping, seq+1)
		if _, err := e.open().TaskSet(t.Context(), "c", c.Incarnation, id); err != nil {
			t.Errorf("set %d was collected before it was the present one: %v", seq+1, err)
		}
	}
	// Of a connector that is gone nothing is kept.
	id := e.see().Connectors["c"].Value.GetTaskSet().GetId()
	e.must(e.DeleteConnector(t.Context(), "c"))
	e.see()
	drop("")
	_, err := e.open().TaskSet(t.Context(), "c", c.Incarnation, id)
	e.is(err, store.ErrNotFound)
}

// beforeFlip does something after a task set's base was written.
type beforeFlip struct {
	store.Backend
	do func()
}

func (b *beforeFlip) Txn(ctx context.Context, compares []store.Compare, ops []store.Op) (bool, int64, error) {
	ok, rev, err := b.Backend.Txn(ctx, compares, ops)
	if len(ops) == 1 && strings.HasSuffix(ops[0].Key, "/base") {
		b.do()
	}
	return ok, rev, err
}

func sessionStreams(t *testing.T, e *env) {
	e.session("s")
	drain := func(v *storev1.Session) { v.Draining = true }
	e.must(e.TakeSession(t.Context(), "s", 2, "r2", func(*storev1.Session) {}))
	e.is(e.UpdateSession(t.Context(), "s", 1, drain), store.ErrSuperseded)
	e.is(e.TakeSession(t.Context(), "s", 2, "r3", drain), store.ErrSuperseded)
	e.must(e.UpdateSession(t.Context(), "s", 2, drain))
	if v := e.see().Sessions["s"].Value; !v.GetDraining() || v.GetReplica() != "r2" {
		t.Fatalf("%v", v)
	}
	e.is(e.UpdateSession(t.Context(), "gone", 1, drain), store.ErrLapsed)
}

func deleteSessions(t *testing.T, e *env) {
	e.grant(unit.Task("c", 0), e.session("a"))
	e.session("b")
	e.must(e.DeleteEarlierLife(t.Context()))
	if v := e.see(); len(v.Sessions) != 0 || len(v.Assignments) != 0 {
		t.Fatalf("%d sessions and %d assignments are left", len(v.Sessions), len(v.Assignments))
	}
}

func rebind(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("old"))
	e.session("new")
	ok, err := e.Rebind(t.Context(), u, a.Epoch, "old", "new", "n:1")
	e.must(err)
	if ok {
		t.Fatal("taken from a session that lives")
	}
	leaseID, err := e.SessionLease(t.Context(), "old")
	e.must(err)
	e.must(e.b.Revoke(t.Context(), leaseID))
	if ok, err = e.Rebind(t.Context(), u, a.Epoch, "old", "new", "n:1"); err != nil || !ok {
		t.Fatalf("%v %v", ok, err)
	}
	if got := e.see().Assignments[u]; got.Epoch != a.Epoch || got.Value.GetSession() != "new" {
		t.Fatalf("%+v", got)
	}
}

func lapse(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("s"))
	action := state.Lapse{Unit: u, Mod: a.ModRevision, Session: "s", Value: &storev1.Lapsed{Executor: "x"}}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{action}))
	if e.see().Assignments[u] == nil {
		t.Fatal("a unit of a live session lapsed")
	}
	leaseID, err := e.SessionLease(t.Context(), "s")
	e.must(err)
	e.must(e.b.Revoke(t.Context(), leaseID))
	e.must(e.Apply(t.Context(), e.guard, []state.Action{action}))
	v := e.see()
	if v.Assignments[u] != nil || v.Lapsed[u] == nil {
		t.Fatal("the unit did not lapse")
	}
	// A grant must know of the lapsed holder.
	s := e.session("s2")
	g := state.Grant{Unit: u, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s2"}}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{g}))
	if e.see().Assignments[u] != nil {
		t.Fatal("granted over a lapsed holder that the plan had not seen")
	}
	g.LapsedMod = v.Lapsed[u].ModRevision
	e.must(e.Apply(t.Context(), e.guard, []state.Action{g}))
	if v = e.see(); v.Assignments[u] == nil || v.Lapsed[u] != nil {
		t.Fatal("not granted")
	}
}

func consumeMark(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("s"))
	e.must(e.WriteRelease(t.Context(), u, a.Epoch, 1, true))
	r := e.see().Releases[u]
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.ConsumeRelease{Unit: u, ReleaseMod: r.ModRevision, AssignmentMod: a.ModRevision, Lapsed: &storev1.Lapsed{FenceOwed: true}}}))
	if v := e.see(); v.Assignments[u] != nil || !v.Lapsed[u].Value.GetFenceOwed() {
		t.Fatal("the mark was lost")
	}
}

func releaseAndGrant(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a, s := e.grant(u, e.session("s")), e.session("s2")
	e.must(e.WriteRelease(t.Context(), u, a.Epoch, 1, false))
	r := e.see().Releases[u]
	grant := state.Grant{Unit: u, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s2"}}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.ConsumeRelease{Unit: u, ReleaseMod: r.ModRevision, AssignmentMod: a.ModRevision}, grant}))
	v := e.see()
	if got := v.Assignments[u]; got == nil || got.Value.GetSession() != "s2" || got.Epoch.Compare(a.Epoch) <= 0 || v.Releases[u] != nil {
		t.Fatalf("%+v, release %v", got, v.Releases[u])
	}
	// Where the release was another's, the grant of the same plan does nothing.
	b := v.Assignments[u]
	e.must(e.WriteRelease(t.Context(), u, b.Epoch, 1, false))
	r = e.see().Releases[u]
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.ConsumeRelease{Unit: u, ReleaseMod: r.ModRevision - 1, AssignmentMod: b.ModRevision}, grant}))
	if got := e.see().Assignments[u]; got == nil || got.Epoch != b.Epoch {
		t.Fatalf("%+v", got)
	}
}

func successorReady(t *testing.T, e *env) {
	u := unit.Task("c", 0)
	a := e.grant(u, e.session("s"))
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.SetSuccessor{Unit: u, Mod: a.ModRevision, Session: "s2", SinceMS: 7}}))
	if v := e.see().Assignments[u]; v.Epoch != a.Epoch || v.Value.GetSuccessor() != "s2" || v.Value.GetSuccessorSinceMs() != 7 {
		t.Fatalf("%+v", v)
	}
	e.must(e.SuccessorReady(t.Context(), u, a.Epoch, "s3"))
	e.must(e.SuccessorReady(t.Context(), u, stale(a.Epoch), "s2"))
	if e.see().Assignments[u].Value.GetSuccessorReady() {
		t.Fatal("noted for another session, or another epoch")
	}
	e.must(e.SuccessorReady(t.Context(), u, a.Epoch, "s2"))
	if !e.see().Assignments[u].Value.GetSuccessorReady() {
		t.Fatal("not noted")
	}
}

func names(t *testing.T, e *env) {
	for _, n := range []string{"a", "a/b", "a%2Fb", "ü ?&", "a/0"} {
		e.connector(n)
		e.grant(unit.Task(n, 0), e.session("s-"+n))
	}
	v := e.see()
	if len(v.Connectors) != 5 || len(v.Assignments) != 5 || v.Connectors["a/b"] == nil || v.Assignments[unit.Task("a/0", 0)] == nil {
		t.Fatalf("%v %v", v.Connectors, v.Assignments)
	}
}

func tooLarge(t *testing.T, e *env) {
	_, err := e.CreateConnector(t.Context(), "huge", &storev1.Connector{Config: config("k", strings.Repeat("x", store.MaxConnectorConfig))})
	e.is(err, store.ErrTooLarge)
	if !strings.Contains(err.Error(), "huge") {
		t.Fatal(err)
	}
}
