package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// mirrorChunk is about how many bytes of task configs go into one message.
const mirrorChunk = 256 << 10

// WatchMirror implements SessionService. It ends with NotHolder as soon as the assignment is another's.
func (s *Server) WatchMirror(req *sluicev1.WatchMirrorRequest, g grpc.ServerStreamingServer[sluicev1.WatchMirrorResponse]) error {
	if err := s.barrier(g.Context()); err != nil {
		return err
	}
	changed, unsubscribe := s.store.Subscribe()
	defer unsubscribe()
	w := newMirrorWatch(s.store, g.Send)
	for {
		began, view := s.clock.Now(), s.store.View()
		if err := s.holdsMirror(view, req.GetSession(), req.GetEpoch()); err != nil {
			return err
		}
		if err := w.look(g.Context(), view); err != nil {
			return err
		}
		rest := s.rest(began)
		var again <-chan time.Time
		if w.behind {
			again = s.clock.After(retryDelay)
		}
		select {
		case _, ok := <-changed:
			if !ok {
				return ErrStopping
			}
		case <-again:
		case <-s.stopping:
			return ErrStopping
		case <-g.Context().Done():
			return nil
		}
		if rest > 0 {
			select {
			case <-s.clock.After(rest):
			case <-s.stopping:
				return ErrStopping
			case <-g.Context().Done():
				return nil
			}
		}
	}
}

// ConfirmMirror implements SessionService.
func (s *Server) ConfirmMirror(ctx context.Context, req *sluicev1.ConfirmMirrorRequest) (*sluicev1.ConfirmMirrorResponse, error) {
	if err := s.barrier(ctx); err != nil {
		return nil, err
	}
	if err := s.holdsMirror(s.store.View(), req.GetSession(), req.GetEpoch()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	ok, err := s.store.ConfirmMirror(ctx, epoch(req.GetEpoch()), req.GetRevision(), req.GetQuiet())
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !ok:
		return nil, errs.New(errs.NotHolder, "%s or the hand-back was written meanwhile", unit.Mirror)
	}
	return &sluicev1.ConfirmMirrorResponse{}, nil
}

func (s *Server) holdsMirror(view *state.Snapshot, session string, e *sluicev1.Epoch) error {
	if a := view.Assignments[unit.Mirror]; a == nil || a.Epoch != epoch(e) || a.Value.GetSession() != session {
		return errs.New(errs.NotHolder, "Session %s does not hold %s with epoch %s", session, unit.Mirror, epoch(e))
	}
	return nil
}

// mirrorWatch is what one mirror was sent. It holds no configs: those of (incarnation, generation) and of a task set
// never change.
type mirrorWatch struct {
	sets       taskSets
	send       func(*sluicev1.WatchMirrorResponse) error
	statuses   map[unit.ID]int64
	connectors map[string]mirrored
	deleted    map[string]int64
	synced     bool // the first marker was sent
	quiet      bool // a marker of a quiet view was sent
	behind     bool // a task set could not be read: look again
}

// mirrored is which of a connector was sent.
type mirrored struct {
	mod, incarnation, generation int64
	set                          string
}

type taskSets interface {
	TaskSet(ctx context.Context, connector string, incarnation int64, id string) (*store.TaskSet, error)
}

func newMirrorWatch(sets taskSets, send func(*sluicev1.WatchMirrorResponse) error) *mirrorWatch {
	return &mirrorWatch{sets: sets, send: send, statuses: map[unit.ID]int64{}, connectors: map[string]mirrored{}, deleted: map[string]int64{}}
}

// change is something of a view that was not sent yet.
type change struct {
	revision  int64
	status    *state.Status
	connector *state.Connector
	deleted   *state.Deleted
}

// fresh lists what differs from what was sent, in the order of etcd's revisions.
func (w *mirrorWatch) fresh(view *state.Snapshot) []change {
	var out []change
	for u, st := range view.Statuses {
		if (u.Kind == unit.KindConnector || u.Kind == unit.KindTask) && w.statuses[u] != st.ModRevision {
			out = append(out, change{revision: st.ModRevision, status: st})
		}
	}
	for name, c := range view.Connectors {
		if w.connectors[name].mod != c.ModRevision {
			out = append(out, change{revision: c.ModRevision, connector: c})
		}
	}
	for name, d := range view.Deleted {
		if w.deleted[name] != d.ModRevision {
			out = append(out, change{revision: d.ModRevision, deleted: d})
		}
	}
	slices.SortFunc(out, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.revision, b.revision), cmp.Compare(a.name(), b.name()))
	})
	return out
}

func (c change) name() string {
	switch {
	case c.status != nil:
		return c.status.Unit.String()
	case c.connector != nil:
		return c.connector.Name
	}
	return c.deleted.Name
}

// look sends what a view has that was not sent, and a marker.
func (w *mirrorWatch) look(ctx context.Context, view *state.Snapshot) error {
	w.behind = false
	n, confirm := 0, false
	for _, c := range w.fresh(view) {
		n++
		var err error
		switch {
		case c.status != nil:
			err = w.status(c.status)
		case c.deleted != nil:
			w.deleted[c.deleted.Name], confirm = c.revision, true
			delete(w.connectors, c.deleted.Name)
			err = w.put(&sluicev1.MirrorConnector{Name: c.deleted.Name, Deleted: true}, c.revision)
		default:
			err = w.connector(ctx, c.connector)
		}
		if err != nil {
			return err
		}
	}
	// A state that went has no revision of its own here: it comes last, at the view's.
	for _, u := range unit.Sorted(w.statuses) {
		if view.Statuses[u] != nil {
			continue
		}
		n++
		delete(w.statuses, u)
		if err := w.send(&sluicev1.WatchMirrorResponse{Revision: view.Revision, Change: &sluicev1.WatchMirrorResponse_Status{
			Status: &sluicev1.MirrorStatus{Unit: u.String(), Deleted: true}}}); err != nil {
			return err
		}
	}
	for name := range w.deleted {
		if view.Deleted[name] == nil {
			delete(w.deleted, name)
		}
	}
	for name := range w.connectors {
		if view.Connectors[name] == nil {
			delete(w.connectors, name)
		}
	}
	if w.behind {
		return nil // no marker: something of the view is missing
	}
	quiet := view.Quiet()
	if quiet && (!w.quiet || n > 0) {
		confirm = true
	}
	w.quiet = quiet
	if w.synced && n == 0 && !confirm {
		return nil
	}
	w.synced = true
	return w.send(&sluicev1.WatchMirrorResponse{Revision: view.Revision, Change: &sluicev1.WatchMirrorResponse_Synced{
		Synced: &sluicev1.MirrorSynced{Confirm: confirm, Quiet: quiet}}})
}

func (w *mirrorWatch) status(st *state.Status) error {
	w.statuses[st.Unit] = st.ModRevision
	v := st.Value
	return w.send(&sluicev1.WatchMirrorResponse{Revision: st.ModRevision, Change: &sluicev1.WatchMirrorResponse_Status{Status: &sluicev1.MirrorStatus{
		Unit: st.Unit.String(), State: v.GetState(), Trace: v.GetTrace(), WorkerId: v.GetExecutor(),
		Generation: v.GetEpoch().GetRevision(), Version: v.GetVersion(),
	}}})
}

func (w *mirrorWatch) put(m *sluicev1.MirrorConnector, revision int64) error {
	return w.send(&sluicev1.WatchMirrorResponse{Revision: revision, Change: &sluicev1.WatchMirrorResponse_Connector{Connector: m}})
}

// connector sends a connector, and its tasks where they are others than those that were sent. One whose task set cannot
// be read just now is left for the next look, whole.
func (w *mirrorWatch) connector(ctx context.Context, c *state.Connector) error {
	v := c.Value
	now := mirrored{c.ModRevision, c.Incarnation, v.GetTaskSet().GetConfigGeneration(), v.GetTaskSet().GetId()}
	old := w.connectors[c.Name]
	m := &sluicev1.MirrorConnector{Name: c.Name, Config: v.GetConfig(), Incarnation: c.Incarnation, Restart: restartOf(v.GetRestartRequest())}
	if v.GetTargetStateSet() {
		m.TargetState = v.GetTargetState()
	}
	var tasks []*sluicev1.Config
	if now.set != "" && (now.set != old.set || now.generation != old.generation || now.incarnation != old.incarnation) {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		set, err := w.sets.TaskSet(ctx, c.Name, c.Incarnation, now.set)
		cancel()
		if err != nil { // it was replaced and collected, and a later view has its successor; or the store is away
			w.behind = true
			return nil //nolint:nilerr // the next look tries again
		}
		tasks = set.Tasks
		m.HasTasks, m.TaskCount = true, int32(len(tasks)) //nolint:gosec // at most the bound of a plan
		m.FenceTasks = v.GetType() == sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE && v.GetTaskSet().GetTaskClass() == sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	}
	w.connectors[c.Name] = now
	if err := w.put(m, c.ModRevision); err != nil {
		return err
	}
	for first := 0; first < len(tasks); {
		chunk := &sluicev1.MirrorTasks{First: int32(first)} //nolint:gosec // as above
		for size := 0; first < len(tasks) && (size == 0 || size+proto.Size(tasks[first]) <= mirrorChunk); first++ {
			size += proto.Size(tasks[first])
			chunk.Tasks = append(chunk.Tasks, tasks[first])
		}
		if err := w.send(&sluicev1.WatchMirrorResponse{Revision: c.ModRevision, Change: &sluicev1.WatchMirrorResponse_Tasks{Tasks: chunk}}); err != nil {
			return err
		}
	}
	return nil
}

func restartOf(r *storev1.RestartRequest) *sluicev1.MirrorRestart {
	if r == nil {
		return nil
	}
	return &sluicev1.MirrorRestart{Count: r.GetCount(), IncludeTasks: r.GetIncludeTasks(), OnlyFailed: r.GetOnlyFailed()}
}
