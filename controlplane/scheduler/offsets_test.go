package scheduler

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const stoppedTarget = sluicev1.TargetState_TARGET_STATE_STOPPED

// stop stops a connector: its task set is emptied.
func (m *model) stop(name string) {
	c := m.snap.Connectors[name]
	v := proto.CloneOf(c.Value)
	v.TargetState, v.TaskSet = stoppedTarget, nil
	m.snap.Connectors[name] = &state.Connector{Name: name, Incarnation: c.Incarnation, ModRevision: m.rev(), Value: v}
}

// request records a request to alter offsets that has a minute.
func (m *model) request(name string) {
	if o := m.snap.Offsets[name]; o != nil && o.Value.GetResult() == nil {
		return
	}
	rev := m.rev()
	m.snap.Offsets[name] = &state.Offsets{Connector: name, ModRevision: rev, Value: &storev1.Offsets{
		Id: "r" + string(rune('0'+rev%10)), Incarnation: m.snap.Connectors[name].Incarnation, DeadlineMs: m.now.Add(time.Minute).UnixMilli()}}
}

// apart fails where a task and offsets: of one connector are held together.
func (m *model) apart(t interface{ Fatalf(string, ...any) }, g state.Grant) {
	o := unit.Offsets(g.Unit.Name)
	switch g.Unit.Kind {
	case unit.KindTask:
		if m.snap.Assignments[o] != nil || m.snap.Lapsed[o] != nil {
			t.Fatalf("%s is granted while offsets are altered", g.Unit)
		}
	case unit.KindOffsets:
		c := m.snap.Connectors[g.Unit.Name]
		if g.Offsets != m.snap.Offsets[g.Unit.Name] || g.Offsets == nil || g.ConnectorMod != c.ModRevision {
			t.Fatalf("%s is granted without its guards", g.Unit)
		}
		// What was begun is ended, also where its holder was drained or lost and the connector is to run meanwhile: its tasks wait.
		if c.Value.GetTargetState() != stoppedTarget && !m.begun[o] {
			t.Fatalf("%s is granted while the connector is to run", g.Unit)
		}
		for u := range m.snap.Assignments {
			if u.Kind == unit.KindTask && u.Name == g.Unit.Name {
				t.Fatalf("%s is granted while %s is held", g.Unit, u)
			}
		}
		for u := range m.snap.Lapsed {
			if u.Kind == unit.KindTask && u.Name == g.Unit.Name {
				t.Fatalf("%s is granted while %s is not quiet", g.Unit, u)
			}
		}
		for u := range m.snap.Releases {
			if u.Kind == unit.KindTask && u.Name == g.Unit.Name {
				t.Fatalf("%s is granted while the release of %s waits", g.Unit, u)
			}
		}
	}
}

// altered is a model of a stopped connector with a request, whose tasks are still held.
func altered(t *testing.T) (*model, unit.ID) {
	t.Helper()
	m := newModel()
	m.session("a")
	m.connector("c", exclusive, 1, 2)
	m.step(t)
	m.stop("c")
	m.request("c")
	return m, unit.Offsets("c")
}

func (m *model) releaseTasks() {
	for u, a := range m.snap.Assignments {
		if u.Kind == unit.KindTask && a.Value.GetRelease() != 0 {
			m.release(u)
		}
	}
}

func TestAlter_OffsetsAreGrantedOnlyOnceEveryTaskIsQuiet(t *testing.T) {
	m, u := altered(t)
	r := m.step(t)
	if m.snap.Assignments[u] != nil || !strings.Contains(strings.Join(r.Blocked, "\n"), "offsets:c waits: task:c/0 is still held by executor a:1") {
		t.Fatalf("granted while tasks are held, or it is not said: %v", r.Blocked)
	}
	m.release(unit.Task("c", 0))
	m.step(t)
	if m.step(t); m.snap.Assignments[u] != nil {
		t.Fatal("granted while a task is held")
	}
	m.releaseTasks()
	m.step(t)
	m.step(t)
	if m.snap.Assignments[u] == nil {
		t.Fatal("not granted though all is quiet")
	}
	if r := m.plan(); len(r.Actions) != 0 {
		t.Fatalf("nothing has changed, and yet %v", r.Actions)
	}
}

func TestAlter_AConnectorResumedMeanwhileGetsItsTasksOnlyAfterTheOffsets(t *testing.T) {
	m, u := altered(t)
	m.step(t)
	m.releaseTasks()
	m.step(t)
	m.step(t)
	m.connector("c", exclusive, 1)
	if m.step(t); m.snap.Assignments[unit.Task("c", 0)] != nil || m.snap.Assignments[u].Value.GetRelease() != 0 {
		t.Fatal("what has begun is ended first")
	}
	m.snap.Offsets["c"].Value.Result = &sluicev1.OffsetsResult{}
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() != leave {
		t.Fatal("it is to be released once there is a result")
	}
	m.release(u)
	m.step(t)
	m.step(t)
	if m.snap.Assignments[unit.Task("c", 0)] == nil {
		t.Fatal("the task was not granted afterwards")
	}
}

func TestAlter_ARequestOfAConnectorThatIsResumedBeforeTheGrantIsNotGranted(t *testing.T) {
	m, u := altered(t)
	m.connector("c", exclusive, 1, 2)
	for range 3 {
		m.step(t)
	}
	if m.snap.Assignments[u] != nil || m.snap.Offsets["c"] == nil {
		t.Fatal("it is for the call to take back, and for nobody to do")
	}
	m.now = m.now.Add(time.Minute)
	if m.step(t); m.snap.Offsets["c"] != nil {
		t.Fatal("nobody waits for it any more")
	}
}

func TestAlter_AHolderThatDiesIsFollowedByAnother(t *testing.T) {
	m, u := altered(t)
	m.step(t)
	m.releaseTasks()
	m.step(t)
	m.step(t)
	m.session("b")
	delete(m.snap.Sessions, "a")
	m.step(t)
	m.step(t)
	if m.holders()[u] != "b" {
		t.Fatalf("%v", m.holders())
	}
}

func TestAlter_AHolderThatIsLateIsAskedForTheUnitAndTheRequestGoesAfterwards(t *testing.T) {
	m, u := altered(t)
	m.step(t)
	m.releaseTasks()
	m.step(t)
	m.step(t)
	m.now = m.now.Add(time.Minute)
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() != leave || m.snap.Offsets["c"] == nil {
		t.Fatal("it is asked for first")
	}
	m.release(u)
	m.step(t)
	m.step(t)
	if m.snap.Assignments[u] != nil || m.snap.Offsets["c"] != nil {
		t.Fatal("nothing is left of it")
	}
}

func TestAlter_AnotherRequestIsGrantedAnew(t *testing.T) {
	m, u := altered(t)
	m.step(t)
	m.releaseTasks()
	m.step(t)
	m.step(t)
	first := m.snap.Assignments[u].Epoch
	m.snap.Offsets["c"].Value.Result = &sluicev1.OffsetsResult{}
	m.request("c")
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() != leave {
		t.Fatal("the holder of the first request has the second")
	}
	m.release(u)
	m.step(t)
	m.step(t)
	if a := m.snap.Assignments[u]; a == nil || a.Epoch == first {
		t.Fatalf("%v", a)
	}
}
