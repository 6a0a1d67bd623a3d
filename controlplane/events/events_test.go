package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/controlplane/events"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// etcd's server leaves these behind when it is closed.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/client/pkg/v3/logutil.(*MergeLogger).outputLoop"),
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
}

func open(t *testing.T, b store.Backend, o store.Observer) *store.Store {
	t.Helper()
	s := store.New(b, "c", clock.Real(), slog.New(slog.DiscardHandler))
	s.Observe(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func config(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

const started, paused, running, failed = sluicev1.TargetState_TARGET_STATE_STARTED, sluicev1.TargetState_TARGET_STATE_PAUSED, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_FAILED

// live is a cluster's life: everything that makes an event.
func live(t *testing.T, b store.Backend, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err == nil {
			err = s.Barrier(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.OpenSession(ctx, "s1", &storev1.Session{Executor: "x:1", Pool: "p", Replica: "r", Stream: 1}, time.Hour)
	must(err)
	_, err = s.CreateConnector(ctx, "c", &storev1.Connector{Config: config("a", "1", "password", "geheim"), ConfigGeneration: 1, TargetState: started})
	must(err)
	update := func(f func(*storev1.Connector)) {
		t.Helper()
		_, err := s.UpdateConnector(ctx, "c", func(c *state.Connector) (*storev1.Connector, error) { f(c.Value); return c.Value, nil })
		must(err)
	}
	update(func(v *storev1.Connector) {
		v.Config, v.ConfigGeneration = config("a", "1", "password", "geheimer", "b", "2"), 2
	})
	update(func(v *storev1.Connector) { v.TargetState = paused })
	key := s.LeaderPrefix() + "/t"
	_, rev, err := b.Txn(ctx, nil, []store.Op{{Key: key, Value: []byte("r")}})
	must(err)
	g := store.Guard{Key: key, CreateRevision: rev}
	lease, err := b.Grant(ctx, time.Hour)
	must(err)
	must(s.SetReplica(ctx, "r", &storev1.Replica{Address: "r:1"}, lease))
	must(s.AnnounceLeader(ctx, g, "r", &storev1.Replica{Address: "r:1", Term: rev}, lease))
	u := unit.Task("c", 0)
	grant := func(session, executor, from string) *state.Assignment {
		t.Helper()
		must(s.Apply(ctx, g, []state.Action{
			state.Grant{Unit: u, SessionMod: s.View().Sessions[session].ModRevision, Value: &storev1.Assignment{Session: session, Executor: executor, MovedFrom: from}},
			state.Grant{Unit: unit.Task("c", 1), SessionMod: s.View().Sessions[session].ModRevision, Value: &storev1.Assignment{Session: session, Executor: executor}}}))
		return s.View().Assignments[u]
	}
	a := grant("s1", "x:1", "")
	report := func(a *state.Assignment, st sluicev1.State, trace string) {
		t.Helper()
		must(s.WriteStatuses(ctx, []store.StatusWrite{{Unit: u, Epoch: a.Epoch, Value: &storev1.Status{State: st, Trace: trace, Executor: a.Value.GetExecutor()}}}))
	}
	report(a, running, "")
	report(a, failed, "boom")
	next := func(attempt int32) {
		t.Helper()
		must(s.WriteStatuses(ctx, []store.StatusWrite{{Unit: u, Epoch: a.Epoch, Value: &storev1.Status{State: failed, Trace: "boom", Executor: a.Value.GetExecutor(),
			AutoRestart: &sluicev1.AutoRestart{ErrorClass: "transient", Attempt: attempt, Attempts: 100, NextMs: 1_700_000_000_000}}}}))
	}
	next(1)
	next(2)
	must(s.MarkSession(ctx, "s1", func(v *storev1.Session) { v.Cordoned = true }))
	must(s.MarkSession(ctx, "s1", func(v *storev1.Session) { v.Evicting = true }))
	must(s.MarkSession(ctx, "s1", func(v *storev1.Session) { v.Cordoned, v.Evicting = false, false }))
	must(s.Apply(ctx, g, []state.Action{state.RequestRelease{Unit: u, Mod: s.View().Assignments[u].ModRevision, Mode: sluicev1.ReleaseMode_RELEASE_MODE_MOVE}}))
	must(s.WriteRelease(ctx, u, a.Epoch, int32(sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN), false))
	must(s.Apply(ctx, g, []state.Action{state.ConsumeRelease{Unit: u, ReleaseMod: s.View().Releases[u].ModRevision, AssignmentMod: s.View().Assignments[u].ModRevision}}))
	_, err = s.OpenSession(ctx, "s2", &storev1.Session{Executor: "x:2", Pool: "p", Replica: "r", Stream: 1}, time.Hour)
	must(err)
	a = grant("s2", "x:2", "x:1")
	l, err := s.SessionLease(ctx, "s2")
	must(err)
	must(b.Revoke(ctx, l))
	must(s.Apply(ctx, g, []state.Action{state.Lapse{Unit: u, Mod: a.ModRevision, Session: "s2", Value: &storev1.Lapsed{Executor: "x:2"}}}))
	must(s.HandBack(ctx))
	must(s.EndHandBack(ctx))
	must(s.DeleteConnector(ctx, "c"))
}

// told is what live makes, without epochs.
var told = []string{
	"executor.joined  x:1", "connector.created c ", "connector.config_changed c  [b password]", "connector.target_changed c  TARGET_STATE_PAUSED",
	"leader.changed  r", "assignment.granted task:c/0 x:1", "assignment.granted task:c/1 x:1", "status.changed task:c/0 x:1 STATE_RUNNING ", "status.changed task:c/0 x:1 STATE_FAILED boom",
	"status.changed task:c/0 x:1 STATE_FAILED boom transient 1/100 1700000000000", "status.changed task:c/0 x:1 STATE_FAILED boom transient 2/100 1700000000000",
	"executor.cordoned  x:1", "executor.draining  x:1", "executor.uncordoned  x:1", "assignment.releasing task:c/0 x:1 MOVE ", "assignment.released task:c/0 x:1 CLEAN ",
	"executor.joined  x:2", "assignment.moved task:c/0 x:2  x:1", "executor.left  x:2", "assignment.lapsed task:c/0 x:2", "cluster.handed_back  ", "cluster.taken_again  ", "connector.deleted c ",
}

func words(entries []events.Entry) (out []string) {
	for _, e := range entries {
		v := e.Event
		s := v.GetType() + " " + v.GetUnit()
		if v.GetUnit() == "" {
			s = v.GetType() + " " + v.GetConnector()
		}
		s += " " + v.GetExecutor() + v.GetLeader().GetReplica()
		switch {
		case v.GetConfig() != nil:
			s += fmt.Sprint(" ", v.GetConfig().GetChangedKeys())
		case v.GetTarget() != nil:
			s += " " + v.GetTarget().GetTo().String()
		case v.GetStatus() != nil:
			s += " " + v.GetStatus().GetTo().String() + " " + v.GetStatus().GetTrace()
			if r := v.GetStatus().GetAutoRestart(); r != nil {
				s += fmt.Sprintf(" %s %d/%d %d", r.GetErrorClass(), r.GetAttempt(), r.GetAttempts(), r.GetNextMs())
			}
		case v.GetAssignment().GetHow() != "" || v.GetAssignment().GetFrom() != "":
			s += " " + v.GetAssignment().GetHow() + " " + v.GetAssignment().GetFrom()
		}
		out = append(out, s)
	}
	return out
}

func check(t *testing.T, b store.Backend) {
	journal := events.NewJournal()
	s := open(t, b, journal)
	began := s.View().Revision
	live(t, b, s)
	page := journal.After(began)
	if d := cmp.Diff(told, words(page.Entries)); d != "" {
		t.Error(d)
	}
	for i, e := range page.Entries {
		j, err := protojson.Marshal(e.Event)
		if err != nil || strings.Contains(string(j), "geheim") {
			t.Errorf("a config's value is in an event: %s %v", j, err)
		}
		if i > 0 && (!e.ID.Has(page.Entries[i-1].ID) || page.Entries[i-1].ID.Has(e.ID)) {
			t.Errorf("%s after %s", e.ID, page.Entries[i-1].ID)
		}
	}
	// A replica that has just come tells the same of the same revisions, from wherever it is asked.
	other := open(t, b, events.NewJournal())
	until := other.View().Revision
	for _, from := range append([]events.ID{{Revision: began, Place: events.Whole}}, ids(page.Entries)...) {
		var got []events.Entry
		err := other.History(t.Context(), from.After(), until, func(c []state.Change, _ int64) error {
			for _, e := range events.Of(c) {
				if !from.Has(e.ID) {
					got = append(got, e)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("after %s: %v", from, err)
		}
		var want []events.Entry
		for _, e := range page.Entries {
			if !from.Has(e.ID) {
				want = append(want, e)
			}
		}
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Fatalf("after %s: %s", from, d)
		}
	}
}

func ids(entries []events.Entry) (out []events.ID) {
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func TestMemory_HistoryTellsWhatTheJournalTold(t *testing.T) { check(t, store.NewMemory(clock.Real())) }

func TestEtcd_HistoryTellsWhatTheJournalTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server, err := embed.StartScratch(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	b := store.NewEtcd(server.Client())
	check(t, b)
	s := open(t, b, events.NewJournal())
	until := s.View().Revision
	if _, err := server.Client().Compact(t.Context(), until-3); err != nil {
		t.Fatal(err)
	}
	all := func([]state.Change, int64) error { return nil }
	if err := s.History(t.Context(), until-5, until, all); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("compacted: %v", err)
	}
	if err := s.History(t.Context(), until-3, until, all); err != nil {
		t.Errorf("after the compaction: %v", err)
	}
}

func TestJournal_KeepsWholeRevisionsAndSaysWhatItDoesNotHave(t *testing.T) {
	j := events.NewJournal()
	j.Anew(10)
	two := func(rev int64) (out []state.Change) {
		for _, x := range []string{"a", "b"} {
			out = append(out, state.Change{Revision: rev, New: &state.Session{ID: x, Value: &storev1.Session{Executor: x}}})
		}
		return out
	}
	for rev := int64(11); rev < 11+10_000; rev++ {
		j.Changed(two(rev), rev)
	}
	p := j.After(10)
	if p.Entries != nil || p.Floor <= 10 || p.Revision != 10_010 {
		t.Errorf("%d entries, floor %d, revision %d", len(p.Entries), p.Floor, p.Revision)
	}
	p = j.After(p.Floor)
	if n := len(p.Entries); n < 4096 || n >= 8192 || n%2 != 0 || p.Entries[0].ID != (events.ID{Revision: p.Floor + 1}) || p.Entries[1].ID != (events.ID{Revision: p.Floor + 1, Place: events.Whole}) {
		t.Errorf("%d entries from %v", n, p.Entries[:2])
	}
	j.Anew(20_000)
	if q := j.After(10_010); q.Life == p.Life || q.Floor != 20_000 || len(q.Entries) > 0 {
		t.Errorf("%+v", q)
	}
}

func TestIDs_AreReadAsTheyAreWrittenAndInTheOrderOfEvents(t *testing.T) {
	any := rapid.Custom(func(t *rapid.T) events.ID {
		return events.ID{Revision: rapid.Int64Range(0, 3).Draw(t, "revision"), Place: rapid.IntRange(-1, 3).Draw(t, "place"), Era: rapid.Uint64Range(0, 2).Draw(t, "era")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := any.Draw(t, "a"), any.Draw(t, "b")
		if got, err := events.ParseID(a.String()); err != nil || got != a {
			t.Fatalf("%v %q %v", a, a.String(), err)
		}
		if !a.Has(a) || !a.Has(b) && !b.Has(a) {
			t.Fatalf("%s and %s", a, b)
		}
	})
}

func FuzzParseID_NeverPanicsAndRoundTrips(f *testing.F) {
	for _, s := range []string{"", "1", "1.0", "1@2", "-1", "1.-1", "1.99999999999", "@", "1.0@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := events.ParseID(s)
		if err != nil {
			return
		}
		if again, err := events.ParseID(id.String()); err != nil || again != id {
			t.Fatalf("%q: %v, %v, %v", s, id, again, err)
		}
	})
}
