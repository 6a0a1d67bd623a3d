package events

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Entry is an event with its id.
type Entry struct {
	ID    ID
	Event *sluicev1.Event
}

// Of makes the events of changes, which are of whole revisions, in order.
func Of(changes []state.Change) []Entry {
	var out []Entry
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Revision == changes[0].Revision {
			n++
		}
		out = append(out, revision(changes[:n])...)
		changes = changes[n:]
	}
	return out
}

// revision makes the events of one revision; the last has the revision alone as its id.
func revision(changes []state.Change) []Entry {
	// An assignment that goes says by what else was written why it went.
	ended := map[unit.ID]string{}
	for _, c := range changes {
		if old, ok := c.Old.(*state.Release); ok && c.New == nil {
			ended[old.Unit] = strings.TrimPrefix(sluicev1.ReleaseOutcome(old.Value.GetOutcome()).String(), "RELEASE_OUTCOME_")
		}
	}
	lapsed := map[unit.ID]bool{}
	for _, c := range changes {
		if l, ok := c.New.(*state.Lapsed); ok && ended[l.Unit] == "" {
			lapsed[l.Unit] = true
		}
	}
	var events []*sluicev1.Event
	for _, c := range changes {
		events = append(events, of(c, ended, lapsed)...)
	}
	out := make([]Entry, len(events))
	for i, e := range events {
		out[i] = Entry{ID{changes[0].Revision, i, changes[0].Era}, e}
	}
	if n := len(out); n > 0 {
		out[n-1].ID.Place = Whole
	}
	return out
}

func of(c state.Change, ended map[unit.ID]string, lapsed map[unit.ID]bool) []*sluicev1.Event {
	switch it := either(c.New, c.Old).(type) {
	case *state.Connector:
		return connector(was[*state.Connector](c.Old), was[*state.Connector](c.New))
	case *state.Status:
		return status(was[*state.Status](c.Old), was[*state.Status](c.New))
	case *state.Assignment:
		return assignment(was[*state.Assignment](c.Old), was[*state.Assignment](c.New), ended[it.Unit], lapsed[it.Unit])
	case *state.Session:
		return session(was[*state.Session](c.Old), was[*state.Session](c.New))
	case *state.Replica:
		now := was[*state.Replica](c.New)
		if old := was[*state.Replica](c.Old); now != nil && now.Value.GetTerm() != 0 && (old == nil || old.Value.GetTerm() != now.Value.GetTerm()) {
			return one(&sluicev1.Event{Type: "leader.changed", Detail: &sluicev1.Event_Leader{Leader: &sluicev1.LeaderChange{Replica: now.ID}}})
		}
	case *state.Offsets:
		return offsets(was[*state.Offsets](c.Old), was[*state.Offsets](c.New))
	case *state.HandBack:
		switch {
		case c.Old == nil:
			return one(&sluicev1.Event{Type: "cluster.handed_back"})
		case c.New == nil:
			return one(&sluicev1.Event{Type: "cluster.taken_again"})
		}
	}
	return nil
}

func either(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

// was is v as a T, nil where there was nothing.
func was[T any](v any) T {
	t, _ := v.(T)
	return t
}

func one(e *sluicev1.Event) []*sluicev1.Event { return []*sluicev1.Event{e} }

func connector(old, now *state.Connector) (out []*sluicev1.Event) {
	say := func(e *sluicev1.Event, kind string) {
		e.Type = kind
		if now != nil {
			e.Connector = now.Name
		} else {
			e.Connector = old.Name
		}
		out = append(out, e)
	}
	if now == nil {
		say(&sluicev1.Event{}, "connector.deleted")
		return out
	}
	if old == nil {
		say(&sluicev1.Event{}, "connector.created")
	}
	a, b := &storev1.Connector{}, now.Value
	if old != nil {
		a = old.Value
	}
	if old != nil && a.GetConfigGeneration() != b.GetConfigGeneration() {
		say(&sluicev1.Event{Detail: &sluicev1.Event_Config{Config: &sluicev1.ConfigChange{Generation: b.GetConfigGeneration(), ChangedKeys: changedKeys(a.GetConfig(), b.GetConfig())}}}, "connector.config_changed")
	}
	if a.GetTargetState() != b.GetTargetState() && (old != nil || b.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED) {
		say(&sluicev1.Event{Detail: &sluicev1.Event_Target{Target: &sluicev1.TargetChange{From: a.GetTargetState(), To: b.GetTargetState()}}}, "connector.target_changed")
	}
	if a.GetTaskSet().GetId() != b.GetTaskSet().GetId() {
		say(&sluicev1.Event{Detail: &sluicev1.Event_Tasks{Tasks: &sluicev1.TasksChange{Count: b.GetTaskSet().GetCount()}}}, "connector.tasks_changed")
	}
	return out
}

// changedKeys are those that are new, gone or different, in order; their values may be secrets.
func changedKeys(a, b *sluicev1.Config) []string {
	values := func(c *sluicev1.Config) map[string]*string {
		out := map[string]*string{}
		for _, e := range c.GetEntries() {
			out[e.GetKey()] = e.Value
		}
		return out
	}
	before, after := values(a), values(b)
	changed := map[string]bool{}
	for k, v := range before {
		w, ok := after[k]
		changed[k] = !ok || (v == nil) != (w == nil) || v != nil && *v != *w
	}
	for k := range after {
		if _, ok := before[k]; !ok {
			changed[k] = true
		}
	}
	maps.DeleteFunc(changed, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(changed))
}

// status tells of states, traces and attempts to start again; a status that goes goes with what it is of.
func status(old, now *state.Status) []*sluicev1.Event {
	if now == nil || old != nil && old.Value.GetState() == now.Value.GetState() && old.Value.GetTrace() == now.Value.GetTrace() && old.Value.GetExecutor() == now.Value.GetExecutor() &&
		proto.Equal(old.Value.GetAutoRestart(), now.Value.GetAutoRestart()) {
		return nil
	}
	v, from := now.Value, sluicev1.State_STATE_UNSPECIFIED
	if old != nil {
		from = old.Value.GetState()
	}
	return one(&sluicev1.Event{Type: "status.changed", Connector: now.Unit.Connector(), Unit: now.Unit.String(), Executor: v.GetExecutor(), Detail: &sluicev1.Event_Status{
		Status: &sluicev1.StatusChange{From: from, To: v.GetState(), Trace: v.GetTrace(), Version: v.GetVersion(), Epoch: v.GetEpoch(), AutoRestart: v.GetAutoRestart()}}})
}

func assignment(old, now *state.Assignment, how string, lapsed bool) []*sluicev1.Event {
	a := cmpAssignment(now, old)
	detail := &sluicev1.AssignmentChange{Epoch: &sluicev1.Epoch{Era: a.Epoch.Era, Revision: a.Epoch.Revision}, Class: a.Value.GetClass(), Session: a.Value.GetSession()}
	e := &sluicev1.Event{Connector: a.Unit.Connector(), Unit: a.Unit.String(), Executor: a.Value.GetExecutor(), Detail: &sluicev1.Event_Assignment{Assignment: detail}}
	switch {
	case now == nil && lapsed:
		e.Type = "assignment.lapsed"
	case now == nil:
		e.Type, detail.How = "assignment.released", how
	case old == nil && now.Value.GetMovedFrom() != "":
		e.Type, detail.From = "assignment.moved", now.Value.GetMovedFrom()
	case old == nil:
		e.Type = "assignment.granted"
	case old.Value.GetSession() != now.Value.GetSession():
		e.Type = "assignment.adopted"
	case old.Value.GetRelease() != now.Value.GetRelease():
		e.Type, detail.How = "assignment.releasing", strings.TrimPrefix(sluicev1.ReleaseMode(now.Value.GetRelease()).String(), "RELEASE_MODE_")
	default:
		return nil
	}
	return one(e)
}

func cmpAssignment(now, old *state.Assignment) *state.Assignment {
	if now != nil {
		return now
	}
	return old
}

func session(old, now *state.Session) (out []*sluicev1.Event) {
	say := func(kind string, s *state.Session) {
		out = append(out, &sluicev1.Event{Type: kind, Executor: s.Value.GetExecutor(), Detail: &sluicev1.Event_Member{
			Member: &sluicev1.MemberChange{Session: s.ID, Pool: s.Value.GetPool(), Version: s.Value.GetVersion()}}})
	}
	if now == nil {
		say("executor.left", old)
		return out
	}
	before, v := &storev1.Session{}, now.Value
	if old == nil {
		say("executor.joined", now)
	} else {
		before = old.Value
	}
	drains := func(s *storev1.Session) bool { return s.GetDraining() || s.GetEvicting() }
	switch {
	case drains(v) && !drains(before):
		say("executor.draining", now) // it is cordoned with it
	case v.GetCordoned() && !before.GetCordoned():
		say("executor.cordoned", now)
	case !v.GetCordoned() && before.GetCordoned():
		say("executor.uncordoned", now)
	}
	return out
}

// offsets tells of results: what was asked for and never done has none.
func offsets(old, now *state.Offsets) []*sluicev1.Event {
	if now == nil || now.Value.GetResult() == nil || old != nil && old.Value.GetResult() != nil {
		return nil
	}
	r, kind := now.Value.GetResult(), "offsets.altered"
	if r.GetReason() != "" {
		kind = "offsets.failed"
	}
	return one(&sluicev1.Event{Type: kind, Connector: now.Connector, Detail: &sluicev1.Event_Offsets{Offsets: &sluicev1.OffsetsChange{All: now.Value.GetForgetAll(), Reason: r.GetReason()}}})
}
