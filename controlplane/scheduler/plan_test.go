package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	exclusive = sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE
	fenced    = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	leave     = int32(sluicev1.ReleaseMode_RELEASE_MODE_LEAVE)
)

// model is a store that does what the real one's transactions do.
type model struct {
	snap  state.Snapshot
	now   time.Time
	seen  map[string]bool  // sessions that the leader has seen
	begun map[unit.ID]bool // units that were held, or lapsed, when the last plan was made
	opt   Options
}

func newModel() *model {
	m := &model{now: time.Unix(1_700_000_000, 0), seen: map[string]bool{}, snap: state.Snapshot{
		Revision: 10, Connectors: map[string]*state.Connector{}, Assignments: map[unit.ID]*state.Assignment{}, Lapsed: map[unit.ID]*state.Lapsed{},
		Releases: map[unit.ID]*state.Release{}, Sessions: map[string]*state.Session{}, Statuses: map[unit.ID]*state.Status{},
		Offsets: map[string]*state.Offsets{},
	}}
	m.opt = Options{Times: lease.DefaultTimes(), StaticStabilityMax: time.Hour, FastFailover: time.Second, FirstRead: func(s string) bool { return m.seen[s] }}
	return m
}

func (m *model) rev() int64 { m.snap.Revision++; return m.snap.Revision }

func (m *model) session(id string) *state.Session {
	m.seen[id] = true
	s := &state.Session{ID: id, ModRevision: m.rev(), Value: &storev1.Session{Executor: id + ":1", Replica: "r", Pool: "default", Plugins: []*sluicev1.Plugin{{Class: "X"}}}}
	m.snap.Sessions[id] = s
	return s
}

// connector makes or changes a connector with tasks of those fingerprints.
func (m *model) connector(name string, class sluicev1.UnitClass, prints ...byte) *state.Connector {
	c := m.snap.Connectors[name]
	if c == nil {
		c = &state.Connector{Name: name, Incarnation: m.rev()}
	}
	ref := &storev1.TaskSetRef{Id: fmt.Sprint(m.rev()), Count: int32(len(prints)), TaskClass: class}
	for _, p := range prints {
		ref.Fingerprints = append(ref.Fingerprints, slices.Repeat([]byte{p}, state.FingerprintSize)...)
	}
	c = &state.Connector{Name: name, Incarnation: c.Incarnation, ModRevision: m.rev(), Value: &storev1.Connector{
		PluginClass: "X", Pool: "default", TaskSet: ref, TargetState: sluicev1.TargetState_TARGET_STATE_STARTED}}
	m.snap.Connectors[name] = c
	return c
}

func (m *model) plan() Result { return Plan(&m.snap, m.now, m.opt) }

// step plans and applies, and fails where a promise is broken.
func (m *model) step(t interface{ Fatalf(string, ...any) }) Result {
	r := m.plan()
	m.begun = map[unit.ID]bool{}
	for u := range m.snap.Assignments {
		m.begun[u] = true
	}
	for u := range m.snap.Lapsed {
		m.begun[u] = true
	}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case state.Grant:
			if m.snap.Assignments[a.Unit] != nil {
				t.Fatalf("%s is granted while it is held", a.Unit)
			}
			s := m.snap.Sessions[a.Value.GetSession()]
			if s == nil || s.Value.GetDraining() || s.Value.GetReplica() == "" {
				t.Fatalf("%s is granted to a session that takes none: %v", a.Unit, s)
			}
			l := m.snap.Lapsed[a.Unit]
			if l == nil != (a.LapsedMod == 0) {
				t.Fatalf("%s: the grant does not know of its lapsed holder", a.Unit)
			}
			if l != nil && l.Value.GetFenceOwed() && !a.Value.GetPredecessorUnfenced() {
				t.Fatalf("%s: the mark of the unfenced predecessor is lost", a.Unit)
			}
			if a.Unit.Kind == unit.KindTask && l == nil {
				m.quiet(t, a)
			}
			m.apart(t, a)
			delete(m.snap.Lapsed, a.Unit)
			rev := m.rev()
			m.snap.Assignments[a.Unit] = &state.Assignment{Unit: a.Unit, Epoch: lease.Epoch{Revision: rev}, ModRevision: rev, Value: a.Value}
		case state.RequestRelease:
			m.edit(a.Unit, func(v *storev1.Assignment) { v.Release = int32(a.Mode) })
		case state.SetSuccessor:
			if s := m.snap.Sessions[a.Session]; s == nil || s.Value.GetDraining() || s.Value.GetCordoned() || a.Session == m.snap.Assignments[a.Unit].Value.GetSession() {
				t.Fatalf("%s cannot follow on %s", a.Session, a.Unit)
			}
			m.edit(a.Unit, func(v *storev1.Assignment) { v.Successor, v.SuccessorSinceMs = a.Session, a.SinceMS })
		case state.MarkSettling:
			m.edit(a.Unit, func(v *storev1.Assignment) { v.SettlingSinceMs = a.SinceMS })
		case state.Lapse:
			if a.Session != "" && m.snap.Sessions[a.Session] != nil {
				t.Fatalf("%s lapsed while its session lives", a.Unit)
			}
			delete(m.snap.Assignments, a.Unit)
			m.snap.Lapsed[a.Unit] = &state.Lapsed{Unit: a.Unit, ModRevision: m.rev(), Value: a.Value}
		case state.DropLapsed:
			delete(m.snap.Lapsed, a.Unit)
		case state.ConsumeRelease:
			delete(m.snap.Releases, a.Unit)
			if a.AssignmentMod != 0 {
				delete(m.snap.Assignments, a.Unit)
			}
			if a.Lapsed != nil {
				m.snap.Lapsed[a.Unit] = &state.Lapsed{Unit: a.Unit, ModRevision: m.rev(), Value: a.Lapsed}
			}
		case state.DropOffsets:
			if u := unit.Offsets(a.Connector); m.snap.Assignments[u] != nil || m.snap.Lapsed[u] != nil {
				t.Fatalf("the request of %s is dropped while it is held", u)
			}
			delete(m.snap.Offsets, a.Connector)
		case state.PutStatus:
			m.snap.Statuses[a.Unit] = &state.Status{Unit: a.Unit, ModRevision: m.rev(), Value: a.Value}
		case state.DeleteStatus:
			delete(m.snap.Statuses, a.Unit)
		}
	}
	return r
}

// quiet fails where a new task is granted while a changed or removed one is not quiet.
func (m *model) quiet(t interface{ Fatalf(string, ...any) }, g state.Grant) {
	ref := m.snap.Connectors[g.Unit.Name].Value.GetTaskSet()
	stale := func(u unit.ID, print []byte) bool {
		return u.Kind == unit.KindTask && u.Name == g.Unit.Name && string(state.Fingerprint(ref, u.Task)) != string(print)
	}
	for u, a := range m.snap.Assignments {
		if stale(u, a.Value.GetFingerprint()) {
			t.Fatalf("%s is granted while %s of an earlier set is held", g.Unit, u)
		}
	}
	for u, l := range m.snap.Lapsed {
		if l.Value.GetFenceOwed() && stale(u, l.Value.GetFingerprint()) {
			t.Fatalf("%s is granted while %s of an earlier set is not fenced", g.Unit, u)
		}
	}
}

func (m *model) edit(u unit.ID, f func(*storev1.Assignment)) {
	old := m.snap.Assignments[u]
	v := proto.CloneOf(old.Value)
	f(v)
	m.snap.Assignments[u] = &state.Assignment{Unit: u, Epoch: old.Epoch, ModRevision: m.rev(), Value: v}
}

// release is what a holder that was asked does.
func (m *model) release(u unit.ID) {
	m.snap.Releases[u] = &state.Release{Unit: u, Epoch: m.snap.Assignments[u].Epoch, ModRevision: m.rev(), Value: &storev1.Release{Outcome: 1}}
}

// ready has every successor that was named say that it is ready.
func (m *model) ready() {
	for u, a := range m.snap.Assignments {
		if a.Value.GetSuccessor() != "" && !a.Value.GetSuccessorReady() {
			m.edit(u, func(v *storev1.Assignment) { v.SuccessorReady = true })
		}
	}
}

// holders are the sessions that hold units.
func (m *model) holders() map[unit.ID]string {
	out := map[unit.ID]string{}
	for u, a := range m.snap.Assignments {
		out[u] = a.Value.GetSession()
	}
	return out
}

func TestPlan_SpreadsAConnectorsTasks(t *testing.T) {
	m := newModel()
	m.session("a")
	m.session("b")
	m.connector("c", fenced, 1, 2, 3, 4)
	m.step(t)
	count := map[string]int{}
	for u, s := range m.holders() {
		if u.Kind == unit.KindTask {
			count[s]++
		}
	}
	if count["a"] != 2 || count["b"] != 2 {
		t.Fatalf("%v", count)
	}
	if r := m.plan(); len(r.Actions) != 0 {
		t.Fatalf("nothing changed, and yet %v", r.Actions)
	}
}

func TestPlan_AJoiningExecutorMovesNothing(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", fenced, 1, 2, 3, 4)
	m.step(t)
	m.session("b")
	if r := m.plan(); len(r.Actions) != 0 {
		t.Fatalf("%v", r.Actions)
	}
}

func TestPlan_LeavingMovesTheUnitsOfTheLeavingOneAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		for i := range rapid.IntRange(2, 6).Draw(t, "executors") {
			m.session(fmt.Sprint("s", i))
		}
		for i := range rapid.IntRange(1, 5).Draw(t, "connectors") {
			m.connector(fmt.Sprint("c", i), exclusive, slices.Repeat([]byte{byte(i)}, rapid.IntRange(0, 6).Draw(t, "tasks"))...)
		}
		m.step(t)
		before := m.holders()
		leaving := m.snap.Sessions["s0"]
		if rapid.Bool().Draw(t, "by the operator") {
			leaving.Value.Cordoned, leaving.Value.Evicting = true, true
		} else {
			leaving.Value.Draining = true
		}
		for range 4 * len(before) {
			m.step(t)
			if rapid.Bool().Draw(t, "ready") {
				m.ready()
			} else {
				m.now = m.now.Add(prepareFor)
			}
			for u, a := range m.snap.Assignments {
				if a.Value.GetRelease() != 0 {
					if a.Value.GetSession() != "s0" {
						t.Fatalf("%s was taken from %s, which does not leave", u, a.Value.GetSession())
					}
					m.release(u)
				}
			}
		}
		for u, s := range m.holders() {
			if s == "s0" || before[u] != "s0" && before[u] != s {
				t.Fatalf("%s is at %s, and was at %s", u, s, before[u])
			}
		}
		if len(m.holders()) != len(before) {
			t.Fatalf("%d units are held, of %d", len(m.holders()), len(before))
		}
	})
}

func TestPlan_ACordonedExecutorKeepsWhatItHasAndGetsNothing(t *testing.T) {
	m := newModel()
	s := m.session("a")
	m.connector("c", fenced, 1)
	m.step(t)
	before := m.holders()
	s.Value.Cordoned = true
	m.connector("d", fenced, 1)
	if r := m.step(t); r.Unplaced == 0 {
		t.Fatal("units were placed on a cordoned executor")
	}
	for u, s := range before {
		if m.holders()[u] != s || m.snap.Assignments[u].Value.GetRelease() != 0 {
			t.Fatalf("%s was touched", u)
		}
	}
}

func TestPlan_WithNobodyToTakeThemAnOperatorsDrainStopsNothingAndAStoppingExecutorGivesAllBack(t *testing.T) {
	m := newModel()
	s := m.session("a")
	m.connector("c", fenced, 1, 2)
	m.step(t)
	s.Value.Cordoned, s.Value.Evicting = true, true
	if r := m.plan(); len(r.Actions) != 0 || len(r.Blocked) == 0 {
		t.Fatalf("%v %v", r.Actions, r.Blocked)
	}
	s.Value.Draining = true
	if r := m.plan(); len(r.Actions) != len(m.snap.Assignments) {
		t.Fatalf("%d releases were asked for, of %d", len(r.Actions), len(m.snap.Assignments))
	}
}

func TestPlan_ChangedTasksWaitForAllEarlierOnesToBeQuiet(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", exclusive, 1, 2, 3)
	m.step(t)
	kept := m.snap.Assignments[unit.Task("c", 0)].Epoch
	m.connector("c", exclusive, 1, 9, 3, 4)
	m.step(t)
	if m.snap.Assignments[unit.Task("c", 0)].Epoch != kept || m.snap.Assignments[unit.Task("c", 0)].Value.GetRelease() != 0 {
		t.Fatal("a carried over task was touched")
	}
	if m.snap.Assignments[unit.Task("c", 1)].Value.GetRelease() != leave || m.snap.Assignments[unit.Task("c", 3)] != nil {
		t.Fatal("the changed task must be released first, and the new one wait")
	}
	m.release(unit.Task("c", 1))
	m.step(t)
	m.step(t)
	if m.snap.Assignments[unit.Task("c", 1)] == nil || m.snap.Assignments[unit.Task("c", 3)] == nil {
		t.Fatal("not granted once it was quiet")
	}
}

func TestPlan_ALapsedSessionsUnitsMoveAndFencesFollow(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("sink", fenced, 1)
	m.connector("source", exclusive, 1)
	m.step(t)
	m.session("b")
	delete(m.snap.Sessions, "a")
	m.step(t) // lapse
	m.step(t) // grant
	for _, u := range []unit.ID{unit.Task("sink", 0), unit.Task("source", 0), unit.Mirror, unit.Connector("sink")} {
		a := m.snap.Assignments[u]
		if a == nil || a.Value.GetSession() != "b" {
			t.Fatalf("%s: %v", u, a)
		}
		if got, want := a.Value.GetPredecessorUnfenced(), u == unit.Task("sink", 0); got != want {
			t.Errorf("%s: predecessor unfenced %v", u, got)
		}
	}
}

func TestPlan_ALapsedSinkWithoutSuccessorOwesAFence(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", fenced, 1, 2)
	m.step(t)
	m.session("b")
	delete(m.snap.Sessions, "a")
	m.connector("c", fenced, 7)
	m.step(t)
	r := m.step(t)
	if len(r.Fences) != 2 || m.snap.Assignments[unit.Task("c", 0)] != nil {
		t.Fatalf("%d fences, %v", len(r.Fences), m.snap.Assignments)
	}
	for u := range m.snap.Lapsed {
		delete(m.snap.Lapsed, u)
	}
	m.step(t)
	if m.snap.Assignments[unit.Task("c", 0)] == nil {
		t.Fatal("not granted after the fences")
	}
}

func TestPlan_AnUnknownSessionsUnitsSettleFirst(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", exclusive, 1)
	m.step(t)
	delete(m.snap.Sessions, "a")
	delete(m.seen, "a") // a new leader never saw it
	m.session("b")
	m.step(t)
	if r := m.step(t); r.Next.IsZero() || m.snap.Assignments[unit.Task("c", 0)].Value.GetSession() != "a" {
		t.Fatal("it must settle, and be looked at again")
	}
	m.now = m.now.Add(m.opt.Times.Lease())
	m.step(t)
	m.step(t)
	if m.snap.Assignments[unit.Task("c", 0)].Value.GetSession() != "b" {
		t.Fatal("not moved after TTL plus margin")
	}
}

func TestPlan_ALostConnectionMovesOnlyKafkaFencedUnits(t *testing.T) {
	m := newModel()
	a := m.session("a")
	m.connector("sink", fenced, 1)
	m.connector("source", exclusive, 1)
	m.step(t)
	m.session("b")
	a.Value.LostSinceMs, a.Value.Replica = m.now.UnixMilli(), ""
	if r := m.step(t); len(r.Actions) != 0 || !r.Next.Equal(m.now.Add(time.Second)) {
		t.Fatalf("%v at %v", r.Actions, r.Next)
	}
	m.now = m.now.Add(time.Second)
	m.step(t)
	m.step(t)
	if h := m.holders(); h[unit.Task("sink", 0)] != "b" || h[unit.Task("source", 0)] != "a" {
		t.Fatalf("%v", h)
	}
}

func TestPlan_AnOlderStoreGrantsNothingAndSaysWhatToDo(t *testing.T) {
	m := newModel()
	m.session("a").Value.HighestEpoch = &sluicev1.Epoch{Revision: 1 << 40}
	m.connector("c", fenced, 1)
	r := m.step(t)
	if len(m.snap.Assignments) != 0 || len(r.Blocked) != 1 {
		t.Fatalf("%v %v", m.snap.Assignments, r.Blocked)
	}
}

func TestPlan_KeepsItsPromisesOnAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		next := 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 13).Draw(t, "event") {
			case 0:
				next++
				m.session(fmt.Sprintf("s%d", next))
			case 1:
				if id, ok := pick(t, m.snap.Sessions); ok {
					delete(m.snap.Sessions, id)
				}
			case 2:
				class := rapid.SampledFrom([]sluicev1.UnitClass{exclusive, fenced}).Draw(t, "class")
				name := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "name")
				m.connector(name, class, rapid.SliceOfN(rapid.ByteRange(1, 3), 0, 4).Draw(t, "tasks")...)
			case 3:
				delete(m.snap.Connectors, rapid.SampledFrom([]string{"c", "d"}).Draw(t, "deleted"))
			case 4:
				for u, a := range m.snap.Assignments {
					if a.Value.GetRelease() != 0 && m.snap.Sessions[a.Value.GetSession()] != nil {
						m.release(u)
					}
				}
			case 5:
				if id, ok := pick(t, m.snap.Sessions); ok {
					m.snap.Sessions[id].Value.Draining = true
				}
			case 6:
				m.now = m.now.Add(20 * time.Second)
			case 7:
				m.ready()
			case 10:
				name := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "altered")
				if c := m.snap.Connectors[name]; c != nil && c.Value.GetTargetState() == stoppedTarget {
					m.request(name)
				} else if c != nil {
					m.stop(name)
				}
			case 11:
				for name, o := range m.snap.Offsets {
					if m.snap.Assignments[unit.Offsets(name)] != nil {
						o.Value.Result = &sluicev1.OffsetsResult{}
					}
				}
			default:
				m.step(t)
			}
		}
		// Left alone with a healthy executor, everything wanted is held, and nothing is to be done.
		m.session("last")
		for range 50 {
			m.now = m.now.Add(20 * time.Second)
			for u, a := range m.snap.Assignments {
				if a.Value.GetRelease() != 0 && m.snap.Sessions[a.Value.GetSession()] != nil && m.snap.Releases[u] == nil {
					m.release(u)
				}
			}
			r := m.step(t)
			for _, f := range r.Fences {
				delete(m.snap.Lapsed, f.Lapsed.Unit)
			}
		}
		r := m.plan()
		if len(r.Actions) != 0 || len(r.Fences) != 0 || r.Unplaced != 0 {
			t.Fatalf("it does not come to rest: %#v, %d fences, %d unplaced, %v", r.Actions, len(r.Fences), r.Unplaced, r.Blocked)
		}
	})
}

func pick(t *rapid.T, m map[string]*state.Session) (string, bool) {
	var ids []string
	for id := range m {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "", false
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(t, "session"), true
}

func BenchmarkPlan_10kTasks(b *testing.B) {
	m := newModel()
	for i := range 50 {
		m.session(fmt.Sprint("s", i))
	}
	for i := range 100 {
		m.connector(fmt.Sprint("c", i), fenced, slices.Repeat([]byte{1}, 100)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.plan()
	}
}
