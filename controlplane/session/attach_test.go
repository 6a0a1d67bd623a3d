package session_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func units(d *sluicev1.DesiredDelta) []string {
	var out []string
	for _, u := range d.GetUnits() {
		out = append(out, u.GetUnit())
	}
	return out
}

func wantUnits(t *testing.T, d *sluicev1.DesiredDelta, want ...string) {
	t.Helper()
	got := units(d)
	if len(got) != len(want) {
		t.Fatalf("units %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("units %v, want %v", got, want)
		}
	}
}

func TestAttach_TwoSessionsGetEachTheirOwnUnitsWhole(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 2)
	a, b := r.attach(t, hi("s1", 1, "x1:1")), r.attach(t, hi("s2", 1, "x2:1"))
	for _, e := range []*executor{a, b} {
		if w := e.welcome(); w.GetTtlMs() != 10000 || w.GetMarginMs() != 5000 || w.GetReplica() != "r1" {
			t.Errorf("welcome %v", w)
		}
		if d := e.desired(); !d.GetWhole() || d.GetNumber() != 1 || len(d.GetUnits()) != 0 {
			t.Errorf("the first delta is %v, want an empty whole one", d)
		}
	}
	ep := st.assign(unit.Task("a", 1), "s2", "x2:1", nil)
	d := b.desired()
	wantUnits(t, d, "task:a/1")
	u := d.GetUnits()[0]
	if u.GetEpoch().GetRevision() != ep.Revision || u.GetTaskConfig().GetEntries()[0].GetValue() != "b" || u.GetConnectorConfig() == nil || u.GetTaskCount() != 2 || u.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED || !d.GetWhole() || d.GetNumber() != 2 {
		t.Errorf("delta %v", d)
	}
	st.assign(unit.Connector("a"), "s1", "x1:1", nil)
	wantUnits(t, a.desired(), "connector:a")
	b.quiet(50 * time.Millisecond)
}

func TestAttach_SendsOnlyWhatDiffers(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 2)
	st.connector("b", 1)
	for _, u := range []unit.ID{unit.Connector("a"), unit.Task("a", 0), unit.Task("a", 1), unit.Task("b", 0)} {
		st.assign(u, "s1", "x1:1", nil)
	}
	// The session's key is gone while assignments name it: only a live one may be taken.
	st.change(func(s *state.Snapshot, rev int64) {
		s.Sessions["s1"] = &state.Session{ID: "s1", ModRevision: rev, Value: &storev1.Session{Executor: "x1:1", Stream: 3, Replica: "r0", Process: "p-x1:1"}}
	})
	e := r.attach(t, hi("s1", 4, "x1:1"))
	e.welcome()
	wantUnits(t, e.desired(), "connector:a", "task:a/0", "task:a/1", "task:b/0")
	st.update("a", func(c *storev1.Connector) { c.TaskRestarts = map[int32]uint64{1: 7} })
	d := e.desired()
	wantUnits(t, d, "task:a/1")
	if d.GetUnits()[0].GetRestart() != 7 {
		t.Errorf("restart %d", d.GetUnits()[0].GetRestart())
	}
	st.update("b", func(c *storev1.Connector) { c.TargetState = sluicev1.TargetState_TARGET_STATE_PAUSED })
	wantUnits(t, e.desired(), "task:b/0")
	st.change(func(s *state.Snapshot, _ int64) { delete(s.Assignments, unit.Task("a", 0)) })
	if d := e.desired(); len(d.GetRemoved()) != 1 || d.GetRemoved()[0] != "task:a/0" || len(d.GetUnits()) != 0 {
		t.Errorf("delta %v", d)
	}
	st.change(func(s *state.Snapshot, _ int64) { delete(s.Connectors, "b") })
	if d := e.desired(); len(d.GetUnits()) != 1 || d.GetUnits()[0].GetRelease() != sluicev1.ReleaseMode_RELEASE_MODE_LEAVE {
		t.Errorf("a deleted connector's task is to be released: %v", d)
	}
	st.change(func(*state.Snapshot, int64) {})
	e.quiet(50 * time.Millisecond)
}

func TestAttach_IsNotWholeWhileATaskSetCannotBeRead(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 1)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	st.setDown(store.ErrUnavailable)
	st.assign(unit.Task("a", 0), "s1", "x1:1", nil)
	e.quiet(50 * time.Millisecond)
	st.setDown(nil)
	wantUnits(t, e.desired(), "task:a/0")
}

func TestAttach_ACarriedOverTaskIsServedFromThePresentSet(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 2)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	st.assign(unit.Task("a", 0), "s1", "x1:1", nil)
	e.desired()
	// The old set is collected; task 1 is another one now.
	st.change(func(s *state.Snapshot, rev int64) {
		c := *s.Connectors["a"]
		fp := append([]byte{}, c.Value.GetTaskSet().GetFingerprints()...)
		fp[state.FingerprintSize] = 99
		c.Value = &storev1.Connector{Config: c.Value.GetConfig(), ConfigGeneration: 2, TargetState: c.Value.GetTargetState(),
			TaskSet: &storev1.TaskSetRef{Id: "0.1-2", Count: 2, ConfigGeneration: 2, Fingerprints: fp}}
		st.sets["a/0.1-2"], st.sets["a/0.1-1"] = st.sets["a/0.1-1"], nil
		s.Connectors["a"] = &c
	})
	d := e.desired()
	wantUnits(t, d, "task:a/0")
	if u := d.GetUnits()[0]; u.GetTaskSet() != "0.1-2" || u.GetTaskConfig() == nil || u.GetConfigGeneration() != 2 || u.GetRelease() != 0 {
		t.Errorf("unit %v", u)
	}
	st.assign(unit.Task("a", 1), "s1", "x1:1", func(a *storev1.Assignment) { a.TaskSet, a.Fingerprint = "0.1-1", make([]byte, 16) })
	if u := e.desired().GetUnits()[0]; u.GetRelease() != sluicev1.ReleaseMode_RELEASE_MODE_MOVE || u.GetTaskConfig() != nil {
		t.Errorf("a task whose set is gone is to be released: %v", u)
	}
}

func TestAttach_AcknowledgesAReleaseOnlyOnceItIsWritten(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	rel := func(n int64) *sluicev1.Release {
		return &sluicev1.Release{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: n}, Outcome: sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN}
	}
	h := hi("s1", 1, "x1:1")
	h.Releases = []*sluicev1.Release{rel(5)}
	e := r.attach(t, h)
	if w := e.welcome(); len(w.GetReleased()) != 1 || w.GetReleased()[0].GetEpoch().GetRevision() != 5 {
		t.Fatalf("welcome %v", w)
	}
	e.desired()
	if got := peek(st, func() []string { return st.releases }); len(got) != 1 || got[0] != "task:a/0@0.5" {
		t.Fatalf("written %v", got)
	}
	st.setDown(store.ErrUnavailable)
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: 6}, State: sluicev1.State_STATE_FAILED}}}}})
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Release{Release: rel(6)}})
	e.quiet(100 * time.Millisecond)
	st.setDown(nil)
	if a := e.next().GetReleaseAck(); a.GetEpoch().GetRevision() != 6 {
		t.Fatalf("ack %v", a)
	}
	order := peek(st, func() []string { return st.order })
	if len(order) != 3 || order[1] != "status task:a/0 STATE_FAILED" || order[2] != "release task:a/0" {
		t.Errorf("the state that came before the release must be written before it: %v", order)
	}
}

func TestAttach_ANewerStreamSupersedesAnOlderOne(t *testing.T) {
	st := newFakeStore()
	r1, r2 := newReplica(t, "r1", st), newReplica(t, "r2", st)
	first := r1.attach(t, hi("s1", 1, "x1:1"))
	first.welcome()
	second := r1.attach(t, hi("s1", 2, "x1:1"))
	second.welcome()
	if f := first.refusal(); f.GetReason() != "session.superseded" {
		t.Errorf("refusal %v", f)
	}
	third := r2.attach(t, hi("s1", 3, "x1:1"))
	third.welcome()
	if f := second.refusal(); f.GetReason() != "session.superseded" {
		t.Errorf("refusal %v", f)
	}
	late := r1.attach(t, hi("s1", 2, "x1:1"))
	if f := late.refusal(); f.GetReason() != "session.superseded" {
		t.Errorf("refusal %v", f)
	}
	if v := st.View().Sessions["s1"].Value; v.GetReplica() != "r2" || v.GetStream() != 3 || v.GetLostSinceMs() != 0 {
		t.Errorf("the session must be the newest stream's and not lost: %v", v)
	}
}

func TestAttach_RefusesALapsedSession(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.assign(unit.Mirror, "s1", "x1:1", nil)
	if f := r.attach(t, hi("s1", 2, "x1:1")).refusal(); f.GetReason() != "session.lapsed" {
		t.Errorf("an id that assignments name must not be opened again: %v", f)
	}
	e := r.attach(t, hi("s2", 3, "x1:1"))
	e.welcome()
	e.desired()
	st.lapse("s2")
	if f := e.refusal(); f.GetReason() != "session.lapsed" {
		t.Errorf("refusal %v", f)
	}
}

func TestAttach_RefusesTheOlderOfTwoProcessesWithOneAddress(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	old := hi("s1", 1, "x:1")
	old.Process = "old"
	r.attach(t, old).welcome()
	fresh := hi("s2", 1, "x:1")
	fresh.Process = "new"
	r.attach(t, fresh).welcome()
	again := hi("s1", 2, "x:1")
	again.Process = "old"
	if f := r.attach(t, again).refusal(); f.GetReason() != "executor.duplicate" {
		t.Errorf("refusal %v", f)
	}
	reconnect := hi("s2", 2, "x:1")
	reconnect.Process = "new"
	r.attach(t, reconnect).welcome()
}

func TestAttach_AdoptsHeldUnitsOnceTheEarlierSessionIsGone(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 2)
	st.change(func(s *state.Snapshot, rev int64) {
		s.Sessions["old"] = &state.Session{ID: "old", ModRevision: rev, Value: &storev1.Session{Executor: "x1:1", Stream: 1, Process: "p-x1:1"}}
	})
	kept, other := st.assign(unit.Task("a", 0), "old", "x1:1", nil), st.assign(unit.Task("a", 1), "s9", "x9:1", nil)
	h := hi("new", 2, "x1:1")
	h.PreviousSession = "old"
	h.Held = []*sluicev1.HeldUnit{
		{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: kept.Revision}},
		{Unit: "task:a/1", Epoch: &sluicev1.Epoch{Revision: other.Revision}},
		{Unit: "future:thing", Epoch: &sluicev1.Epoch{Revision: 1}},
	}
	e := r.attach(t, h)
	e.welcome()
	e.quiet(100 * time.Millisecond) // not whole, or the executor would stop task 0
	st.lapse("old")
	d := e.desired()
	if !d.GetWhole() {
		d2 := e.desired()
		d.Units = append(d.Units, d2.GetUnits()...)
		d.Whole = d2.GetWhole()
	}
	wantUnits(t, d, "task:a/0")
	if !d.GetWhole() || d.GetUnits()[0].GetEpoch().GetRevision() != kept.Revision {
		t.Errorf("delta %v", d)
	}
	if a := st.View().Assignments[unit.Task("a", 1)]; a.Value.GetSession() != "s9" {
		t.Errorf("another executor's unit was adopted: %v", a.Value)
	}
}

func TestAttach_MarksALostConnectionButNotWhenTheReplicaStops(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	lost := r.attach(t, hi("s1", 1, "x1:1"))
	lost.welcome()
	lost.desired()
	stays := r.attach(t, hi("s2", 1, "x2:1"))
	stays.welcome()
	stays.desired()
	lost.cancel()
	await(t, "s1 is marked lost", func() bool {
		v := st.View().Sessions["s1"].Value
		return v.GetLostSinceMs() != 0 && v.GetReplica() == ""
	})
	if err := r.server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-stays.err; status.Code(err) != codes.Unavailable {
		t.Errorf("a stopping replica sends its executors away with Unavailable: %v", err)
	}
	if v := st.View().Sessions["s2"].Value; v.GetLostSinceMs() != 0 || v.GetReplica() != "r1" {
		t.Errorf("a replica that stops marks nothing: %v", v)
	}
}

func TestAttach_ADrainedExecutorThatLeavesIsForgotten(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Drain{Drain: &sluicev1.Drain{}}})
	await(t, "s1 drains", func() bool { return st.View().Sessions["s1"].Value.GetDraining() })
	if err := e.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	await(t, "s1 is gone", func() bool { return st.View().Sessions["s1"] == nil })
}

func TestAttach_CoalescesStatuses(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	began := time.Now()
	for i := range 50 {
		s := sluicev1.State_STATE_RUNNING
		if i == 49 {
			s = sluicev1.State_STATE_FAILED
		}
		e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{
			{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: 6}, State: s, Trace: string(make([]byte, 20<<10))},
			{Unit: "nonsense", State: s},
		}}}})
	}
	await(t, "the last state is written", func() bool {
		return peek(st, func() bool {
			n := len(st.batches)
			return n > 0 && st.batches[n-1][0].Value.GetState() == sluicev1.State_STATE_FAILED
		})
	})
	batches := peek(st, func() [][]store.StatusWrite { return st.batches })
	if allowed := 10 + int(time.Since(began)/(200*time.Millisecond)) + 1; len(batches) > allowed || len(batches[0]) != 1 || len(batches[0][0].Value.GetTrace()) != 8<<10 || batches[0][0].Value.GetExecutor() != "x1:1" {
		t.Errorf("%d batches for 50 reports", len(batches))
	}
}

func TestAttach_AFenceReportClearsTheMark(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 1)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	ep := st.assign(unit.Task("a", 0), "s1", "x1:1", func(a *storev1.Assignment) { a.PredecessorUnfenced = true })
	if !e.desired().GetUnits()[0].GetPredecessorUnfenced() {
		t.Error("the mark is not sent")
	}
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Fence{Fence: &sluicev1.FenceReport{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: ep.Revision}}}})
	if e.desired().GetUnits()[0].GetPredecessorUnfenced() {
		t.Error("the mark is still there")
	}
}

func TestAttach_ASuccessorIsToldToPrepareAndItsReadinessIsNotedOnce(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 1)
	e := r.attach(t, hi("s2", 1, "x2:1"))
	e.welcome()
	e.desired()
	u := unit.Task("a", 0)
	ep := st.assign(u, "s1", "x1:1", func(a *storev1.Assignment) {
		a.Successor, a.SuccessorSinceMs, a.Release = "s2", 1, int32(sluicev1.ReleaseMode_RELEASE_MODE_MOVE)
	})
	d := e.desired().GetUnits()
	if len(d) != 1 || !d[0].GetPrepare() || d[0].GetRelease() != 0 || d[0].GetConnectorConfig() == nil || d[0].GetEpoch().GetRevision() != ep.Revision {
		t.Fatalf("%v", d)
	}
	for _, rev := range []int64{ep.Revision - 1, ep.Revision} { // the first is of an earlier holder
		e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Prepared{Prepared: &sluicev1.Prepared{Unit: u.String(), Epoch: &sluicev1.Epoch{Revision: rev}}}})
	}
	await(t, "it is noted", func() bool { return st.View().Assignments[u].Value.GetSuccessorReady() })
}

func TestAttach_RefusesABadHelloAndChangesNothing(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	for name, h := range map[string]*sluicev1.Hello{
		"none": nil, "no session": hi("", 1, "x:1"), "no executor": hi("s", 1, ""), "no stream": hi("s", 0, "x:1"),
		"a slash": hi("a/b", 1, "x:1"), "a control character": hi("s\n", 1, "x:1"), "too long": hi(string(make([]byte, 300)), 1, "x:1"),
	} {
		e := r.attach(t, h)
		select {
		case err := <-e.err:
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		case m := <-e.got:
			t.Errorf("%s: %v", name, m)
		case <-time.After(patience):
			t.Errorf("%s: no answer", name)
		}
	}
	if n := len(st.View().Sessions); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
	st.setDown(store.ErrUnavailable)
	if err := <-r.attach(t, hi("s", 1, "x:1")).err; status.Code(err) != codes.Unavailable {
		t.Errorf("without quorum: %v", err)
	}
}
