package session

import (
	"context"
	"errors"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Bounds of one delta. A single unit may be above maxDelta: its configs have limits of their own.
const (
	maxDelta      = 1 << 20
	maxDeltaUnits = 1000
)

// signature is all that a DesiredUnit's content follows from, so that what was sent need not be kept:
// the configs are those of (incarnation, generation) and (incarnation, task set, number), and these
// never change.
type signature struct {
	epoch       lease.Epoch
	class       sluicev1.UnitClass
	release     sluicev1.ReleaseMode
	incarnation int64
	generation  int64
	taskSet     string
	count       int32
	fingerprint string
	target      sluicev1.TargetState
	restart     uint64
	unfenced    bool
	prepare     bool
	request     string // to alter offsets
}

// want is one unit of a session's desired set.
type want struct {
	unit unit.ID
	signature
	connector *state.Connector // nil where the connector that the unit was granted for is gone
	offsets   *state.Offsets   // of an offsets: unit; nil where the request that it was granted for is gone
}

// desired computes a session's desired set from its assignments, in order of the units. Pure.
func desired(view *state.Snapshot, assignments []*state.Assignment, session string) []want {
	out := make([]want, 0, len(assignments))
	for _, a := range assignments {
		v := a.Value
		w := want{unit: a.Unit, signature: signature{
			epoch: a.Epoch, class: v.GetClass(), release: sluicev1.ReleaseMode(v.GetRelease()),
			incarnation: v.GetIncarnation(), fingerprint: string(v.GetFingerprint()),
			unfenced: v.GetPredecessorUnfenced(), prepare: v.GetSession() != session,
		}}
		if w.prepare {
			w.release = sluicev1.ReleaseMode_RELEASE_MODE_UNSPECIFIED // its holder's
		}
		if a.Unit.Kind != unit.KindSystem {
			w.describe(view.Connectors[a.Unit.Connector()], v.GetTaskSet())
		}
		if a.Unit.Kind == unit.KindOffsets {
			w.alter(view.Offsets[a.Unit.Name])
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b want) int { return unit.Compare(a.unit, b.unit) })
	return out
}

// describe adds what follows from the connector.
func (w *want) describe(c *state.Connector, taskSet string) {
	if c == nil || c.Incarnation != w.incarnation && w.incarnation != 0 {
		// Deleted, or deleted and created again: there is nothing to run it from, and never will be.
		w.release = sluicev1.ReleaseMode_RELEASE_MODE_LEAVE
		return
	}
	v := c.Value
	w.connector, w.incarnation, w.target = c, c.Incarnation, v.GetTargetState()
	if w.unit.Kind != unit.KindTask {
		w.generation, w.restart = v.GetConfigGeneration(), v.GetRestart()
		return
	}
	w.restart = v.GetTaskRestarts()[int32(w.unit.Task)]
	w.taskSet = taskSet
	// A task that was carried over runs from the present set: earlier ones are collected.
	ref := v.GetTaskSet()
	if fp := state.Fingerprint(ref, w.unit.Task); ref.GetId() == taskSet || fp != nil && string(fp) == w.fingerprint {
		w.taskSet, w.count, w.generation = ref.GetId(), ref.GetCount(), ref.GetConfigGeneration()
	}
}

// alter adds what an offsets: unit is to do. It acts while its connector is stopped, and a restart of the connector
// is nothing to it.
func (w *want) alter(o *state.Offsets) {
	w.target, w.restart = sluicev1.TargetState_TARGET_STATE_STARTED, 0
	if o == nil || o.Value.GetId() != w.fingerprint {
		w.release = sluicev1.ReleaseMode_RELEASE_MODE_LEAVE
		return
	}
	w.offsets, w.request = o, o.Value.GetId()
}

// message builds what is sent of a unit. An error means that the store could not be read just now.
func (s *Server) message(ctx context.Context, w want) (*sluicev1.DesiredUnit, error) {
	out := &sluicev1.DesiredUnit{
		Unit: w.unit.String(), Epoch: wireEpoch(w.epoch), Class: w.class, Release: w.release,
		ConfigGeneration: w.generation, Incarnation: w.incarnation, TaskSet: w.taskSet, TaskCount: w.count,
		Fingerprint: []byte(w.fingerprint), TargetState: w.target, Restart: w.restart,
		PredecessorUnfenced: w.unfenced, Prepare: w.prepare,
	}
	if w.connector == nil {
		return out, nil
	}
	if o := w.offsets; o != nil {
		out.Offsets = &sluicev1.OffsetsRequest{Id: o.Value.GetId(), ForgetAll: o.Value.GetForgetAll(), Offsets: o.Value.GetOffsets()}
	}
	if w.unit.Kind != unit.KindTask {
		out.ConnectorConfig = w.connector.Value.GetConfig()
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	set, err := s.store.TaskSet(ctx, w.connector.Name, w.connector.Incarnation, w.taskSet)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && w.unit.Task >= len(set.Tasks):
		// The set was replaced and collected while its task is still assigned: the task has to go, and
		// the leader grants it anew if it is still wanted.
		if out.Release == sluicev1.ReleaseMode_RELEASE_MODE_UNSPECIFIED {
			out.Release = sluicev1.ReleaseMode_RELEASE_MODE_MOVE
			s.log.Warn("task has lost its task set and is released", logkey.Unit, w.unit.String(), logkey.Epoch, w.epoch.String(), "task_set", w.taskSet)
		}
		return out, nil
	case err != nil:
		return nil, err
	}
	out.ConnectorConfig, out.TaskConfig = set.ConnectorConfig, set.Tasks[w.unit.Task]
	if out.TaskCount == 0 {
		out.TaskCount = int32(len(set.Tasks)) // at most the bound of a plan
	}
	return out, nil
}

// sync brings the executor's set up to the present view, and says whether nothing is left to do.
func (st *stream) sync(ctx context.Context) (complete bool, err error) {
	s := st.server
	view := s.store.View()
	if err := st.still(view); err != nil {
		return false, err
	}
	complete = st.adoptHeld(ctx, view)
	wants := desired(view, s.index.of(view, st.hello.GetSession()), st.hello.GetSession())
	var units []*sluicev1.DesiredUnit
	size := 0
	present := make(map[unit.ID]bool, len(wants))
	for _, w := range wants {
		present[w.unit] = true
		if old, ok := st.sent[w.unit]; ok && old == w.signature {
			continue
		}
		m, err := s.message(ctx, w)
		if err != nil {
			// It stays as it was sent, and nothing is called whole until it can be read.
			complete = false
			continue
		}
		n := proto.Size(m)
		if len(units) > 0 && (size+n > maxDelta || len(units) >= maxDeltaUnits) {
			if err := st.delta(ctx, units, nil, false); err != nil {
				return false, err
			}
			units, size = nil, 0
		}
		units, size = append(units, m), size+n
		st.sent[w.unit] = w.signature
	}
	var removed []string
	for u := range st.sent {
		if !present[u] {
			removed = append(removed, u.String())
			delete(st.sent, u)
		}
	}
	slices.Sort(removed)
	whole := complete && !st.whole
	if len(units) > 0 || len(removed) > 0 || whole {
		if err := st.delta(ctx, units, removed, whole); err != nil {
			return false, err
		}
	}
	return complete, nil
}

// delta sends one numbered delta.
func (st *stream) delta(ctx context.Context, units []*sluicev1.DesiredUnit, removed []string, whole bool) error {
	st.number++
	st.whole = st.whole || whole
	return st.put(ctx, &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Desired{Desired: &sluicev1.DesiredDelta{
		Number: st.number, Units: units, Removed: removed, Whole: st.whole,
	}}})
}

// adoptHeld re-binds the held units whose earlier session is gone, and says whether none is left to wait
// for. Until then the set is not whole, so that the executor does not stop what it may still adopt; but
// no longer than the earlier session's lease can live.
func (st *stream) adoptHeld(ctx context.Context, view *state.Snapshot) bool {
	s, id := st.server, st.hello.GetSession()
	kept := st.adopting[:0]
	for _, a := range st.adopting {
		have := view.Assignments[a.unit]
		if have == nil || have.Epoch != a.epoch || have.Value.GetSession() != a.from {
			continue // adopted, or another's
		}
		if view.Sessions[a.from] == nil && !a.rebound {
			ctx, cancel := context.WithTimeout(ctx, writeTimeout)
			done, err := s.store.Rebind(ctx, a.unit, a.epoch, a.from, id, st.hello.GetExecutor())
			cancel()
			switch {
			case err != nil:
			case !done:
				continue // somebody else was first
			default:
				a.rebound = true
				st.log.Info("unit adopted", logkey.Unit, a.unit.String(), logkey.Epoch, a.epoch.String())
			}
		}
		kept = append(kept, a)
	}
	st.adopting = kept
	return len(kept) == 0 || s.clock.Now().After(st.adoptUntil)
}

// index finds the assignments of a session, and the newest session of an executor that is served. It is made once for
// each view, for all streams.
type index struct {
	mu       sync.Mutex
	view     *state.Snapshot
	by       map[string][]*state.Assignment
	sessions map[string]*state.Session
}

// of returns the assignments that name the session as holder or as successor.
func (x *index) of(view *state.Snapshot, session string) []*state.Assignment {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.make(view)
	return x.by[session]
}

// newer is the served session of a newer process with a session's address; nil where there is none.
func (x *index) newer(view *state.Snapshot, s *state.Session) *state.Session {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.make(view)
	if o := x.sessions[s.Value.GetExecutor()]; o != nil && o.Value.GetProcess() != s.Value.GetProcess() && o.Created > s.Created {
		return o
	}
	return nil
}

// make makes it for a view. Under mu.
func (x *index) make(view *state.Snapshot) {
	if x.view == view {
		return
	}
	x.view, x.by, x.sessions = view, map[string][]*state.Assignment{}, map[string]*state.Session{}
	for _, a := range view.Assignments {
		if id := a.Value.GetSession(); id != "" {
			x.by[id] = append(x.by[id], a)
		}
		if id := a.Value.GetSuccessor(); id != "" && id != a.Value.GetSession() {
			x.by[id] = append(x.by[id], a)
		}
	}
	for _, s := range view.Sessions {
		if o := x.sessions[s.Value.GetExecutor()]; served(s) && (o == nil || s.Created > o.Created) {
			x.sessions[s.Value.GetExecutor()] = s
		}
	}
}
