package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// mirrorOf is a mirror's end of the watch.
type mirrorOf struct {
	t *testing.T
	w interface {
		Recv() (*sluicev1.WatchMirrorResponse, error)
	}
}

func watchMirror(t *testing.T, r *replica, st *fakeStore) (*mirrorOf, lease.Epoch) {
	t.Helper()
	e := st.assign(unit.Mirror, "s1", "x1:1", nil)
	w, err := r.client.WatchMirror(ctx(t), &sluicev1.WatchMirrorRequest{Session: "s1", Epoch: &sluicev1.Epoch{Revision: e.Revision}})
	if err != nil {
		t.Fatal(err)
	}
	return &mirrorOf{t, w}, e
}

func (m *mirrorOf) next() *sluicev1.WatchMirrorResponse {
	m.t.Helper()
	r, err := m.w.Recv()
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// until returns in words what comes up to the next marker.
func (m *mirrorOf) until() (out []string, marker *sluicev1.MirrorSynced) {
	m.t.Helper()
	last := int64(0)
	for {
		r := m.next()
		if r.GetRevision() < last {
			m.t.Fatalf("revision %d after %d", r.GetRevision(), last)
		}
		last = r.GetRevision()
		switch c := r.GetChange().(type) {
		case *sluicev1.WatchMirrorResponse_Synced:
			return out, c.Synced
		case *sluicev1.WatchMirrorResponse_Status:
			out = append(out, fmt.Sprintf("status %s %s %t", c.Status.GetUnit(), strings.TrimPrefix(c.Status.GetState().String(), "STATE_"), c.Status.GetDeleted()))
		case *sluicev1.WatchMirrorResponse_Connector:
			k := c.Connector
			out = append(out, fmt.Sprintf("connector %s deleted=%t target=%s tasks=%t/%d fence=%t restarts=%d", k.GetName(), k.GetDeleted(),
				strings.TrimPrefix(k.GetTargetState().String(), "TARGET_STATE_"), k.GetHasTasks(), k.GetTaskCount(), k.GetFenceTasks(), k.GetRestart().GetCount()))
		case *sluicev1.WatchMirrorResponse_Tasks:
			out = append(out, fmt.Sprintf("tasks %d+%d", c.Tasks.GetFirst(), len(c.Tasks.GetTasks())))
		}
	}
}

func (m *mirrorOf) want(want ...string) *sluicev1.MirrorSynced {
	m.t.Helper()
	got, marker := m.until()
	if !slices.Equal(got, want) {
		m.t.Fatalf("got  %q\nwant %q", got, want)
	}
	return marker
}

func setStatus(st *fakeStore, u unit.ID, s sluicev1.State) {
	st.change(func(v *state.Snapshot, rev int64) {
		v.Statuses[u] = &state.Status{Unit: u, ModRevision: rev, Value: &storev1.Status{State: s, Executor: "x", Epoch: &sluicev1.Epoch{Revision: 7}}}
	})
}

func TestWatchMirror_SendsWhatIsThereThenAMarkerThenChangesInOrder(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	for i := range 3 {
		setStatus(st, unit.Task("a", 2-i), sluicev1.State_STATE_RUNNING)
	}
	setStatus(st, unit.Offsets("a"), sluicev1.State_STATE_RUNNING)
	m, e := watchMirror(t, r, st)
	denied, err := r.client.WatchMirror(ctx(t), &sluicev1.WatchMirrorRequest{Session: "s1", Epoch: &sluicev1.Epoch{Revision: e.Revision + 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := denied.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another epoch: %v", err)
	}
	m.want("status task:a/2 RUNNING false", "status task:a/1 RUNNING false", "status task:a/0 RUNNING false")
	setStatus(st, unit.Task("a", 1), sluicev1.State_STATE_FAILED)
	m.want("status task:a/1 FAILED false")
	st.change(func(v *state.Snapshot, _ int64) { delete(v.Statuses, unit.Task("a", 2)) })
	m.want("status task:a/2 UNSPECIFIED true")
	st.change(func(v *state.Snapshot, _ int64) { delete(v.Assignments, unit.Mirror) })
	if _, err := m.w.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the watch must end with the assignment: %v", err)
	}
}

func TestWatchMirror_SendsTaskSetsWholeAndOnlyWhenTheyChange(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 3)
	m, _ := watchMirror(t, r, st)
	m.want("connector a deleted=false target=UNSPECIFIED tasks=true/3 fence=false restarts=0", "tasks 0+3")
	st.update("a", func(v *storev1.Connector) {
		v.TargetState, v.TargetStateSet = sluicev1.TargetState_TARGET_STATE_PAUSED, true
	})
	m.want("connector a deleted=false target=PAUSED tasks=false/0 fence=false restarts=0")
	st.update("a", func(v *storev1.Connector) { v.RestartRequest = &storev1.RestartRequest{Count: 1} })
	m.want("connector a deleted=false target=PAUSED tasks=false/0 fence=false restarts=1")
	st.update("a", func(v *storev1.Connector) { v.TaskSet.ConfigGeneration++ })
	m.want("connector a deleted=false target=PAUSED tasks=true/3 fence=false restarts=1", "tasks 0+3")
	st.update("a", func(v *storev1.Connector) {
		v.Type, v.TaskSet.TaskClass = sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE, sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
		v.TaskSet.ConfigGeneration++
	})
	m.want("connector a deleted=false target=PAUSED tasks=true/3 fence=true restarts=1", "tasks 0+3")
}

func TestWatchMirror_SendsManyTasksInBoundedChunks(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 1)
	st.mu.Lock()
	st.sets["a/0.1-1"] = &store.TaskSet{}
	for range 10 {
		st.sets["a/0.1-1"].Tasks = append(st.sets["a/0.1-1"].Tasks, pairs("big", strings.Repeat("x", 100<<10)))
	}
	st.mu.Unlock()
	m, _ := watchMirror(t, r, st)
	m.want("connector a deleted=false target=UNSPECIFIED tasks=true/10 fence=false restarts=0", "tasks 0+2", "tasks 2+2", "tasks 4+2", "tasks 6+2", "tasks 8+2")
}

func TestWatchMirror_SendsADeletionInItsPlaceAndAsksForConfirmation(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.change(func(v *state.Snapshot, rev int64) {
		v.Deleted["a"] = &state.Deleted{Name: "a", ModRevision: rev, Value: &storev1.Deleted{}}
	})
	st.connector("a", 0)
	m, e := watchMirror(t, r, st)
	// Deleted and created again while nobody watched.
	marker := m.want("connector a deleted=true target=UNSPECIFIED tasks=false/0 fence=false restarts=0", "connector a deleted=false target=UNSPECIFIED tasks=true/0 fence=false restarts=0")
	if !marker.GetConfirm() || marker.GetQuiet() {
		t.Errorf("%v", marker)
	}
	if _, err := r.client.ConfirmMirror(ctx(t), &sluicev1.ConfirmMirrorRequest{Session: "s1", Epoch: &sluicev1.Epoch{Revision: e.Revision}, Revision: 105}); err != nil {
		t.Error(err)
	}
	if _, err := r.client.ConfirmMirror(ctx(t), &sluicev1.ConfirmMirrorRequest{Session: "other", Epoch: &sluicev1.Epoch{Revision: e.Revision}, Revision: 105}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another session: %v", err)
	}
	if got := peek(st, func() []string { return st.confirms }); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestWatchMirror_SaysOnceThatAHandedBackClusterIsQuiet(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 0)
	held := unit.Task("a", 0)
	st.assign(held, "s1", "x1:1", nil)
	setStatus(st, held, sluicev1.State_STATE_RUNNING)
	m, _ := watchMirror(t, r, st)
	if _, marker := m.until(); marker.GetQuiet() {
		t.Fatal("it is not handed back")
	}
	st.change(func(v *state.Snapshot, rev int64) {
		v.HandBack = &state.HandBack{ModRevision: rev, Value: &storev1.HandBack{}}
	})
	st.change(func(v *state.Snapshot, _ int64) { delete(v.Assignments, held) })
	st.change(func(v *state.Snapshot, _ int64) { delete(v.Statuses, held) })
	got, marker := m.until()
	if !marker.GetQuiet() || !marker.GetConfirm() || !slices.Equal(got, []string{"status task:a/0 UNSPECIFIED true"}) {
		t.Fatalf("%q %v", got, marker)
	}
	st.update("a", func(v *storev1.Connector) { v.TargetStateSet = true })
	if _, marker := m.until(); !marker.GetConfirm() {
		t.Error("what changes afterwards is confirmed too")
	}
}
