package session_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// fakeStore keeps a snapshot under the store's rules as far as sessions see them. It can be made
// unavailable, and it counts what tests ask about.
type fakeStore struct {
	mu       sync.Mutex
	view     *state.Snapshot
	subs     map[chan struct{}]struct{}
	down     error // every write and barrier fails with it
	leases   map[int64]bool
	lease    int64
	renewals int
	releases []string
	batches  [][]store.StatusWrite
	order    []string
	sets     map[string]*store.TaskSet
	plans    []store.Plan
	planErr  error
	plugins  map[string][]*sluicev1.Plugin
	confirms []string
}

func (f *fakeStore) ConfirmMirror(_ context.Context, e lease.Epoch, revision int64, quiet bool) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.confirms = append(f.confirms, fmt.Sprintf("%s %d %t", e, revision, quiet))
	return true, f.down
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		view: &state.Snapshot{
			Revision: 100, Connectors: map[string]*state.Connector{}, Assignments: map[unit.ID]*state.Assignment{},
			Sessions: map[string]*state.Session{}, Statuses: map[unit.ID]*state.Status{}, Replicas: map[string]*state.Replica{}, Deleted: map[string]*state.Deleted{},
		},
		subs: map[chan struct{}]struct{}{}, leases: map[int64]bool{}, sets: map[string]*store.TaskSet{}, plugins: map[string][]*sluicev1.Plugin{},
	}
}

// change writes a new snapshot.
func (f *fakeStore) change(edit func(s *state.Snapshot, rev int64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changeLocked(edit)
}

func (f *fakeStore) changeLocked(edit func(s *state.Snapshot, rev int64)) {
	s := *f.view
	s.Revision++
	s.Connectors, s.Assignments, s.Sessions = maps.Clone(s.Connectors), maps.Clone(s.Assignments), maps.Clone(s.Sessions)
	s.Statuses, s.Replicas, s.Deleted = maps.Clone(s.Statuses), maps.Clone(s.Replicas), maps.Clone(s.Deleted)
	edit(&s, s.Revision)
	f.view = &s
	for ch := range f.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (f *fakeStore) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

func (f *fakeStore) assign(u unit.ID, session, executor string, edit func(*storev1.Assignment)) lease.Epoch {
	var e lease.Epoch
	f.change(func(s *state.Snapshot, rev int64) {
		v := &storev1.Assignment{Executor: executor, Session: session, Class: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE}
		if c := s.Connectors[u.Connector()]; c != nil {
			v.Incarnation = c.Incarnation
			v.TaskSet = c.Value.GetTaskSet().GetId()
			v.Fingerprint = state.Fingerprint(c.Value.GetTaskSet(), u.Task)
		}
		if edit != nil {
			edit(v)
		}
		e = lease.Epoch{Revision: rev}
		s.Assignments[u] = &state.Assignment{Unit: u, Epoch: e, ModRevision: rev, Value: v}
	})
	return e
}

// connector makes a connector with a task set of n tasks.
func (f *fakeStore) connector(name string, n int) {
	f.change(func(s *state.Snapshot, rev int64) {
		config := pairs("name", name, "connector.class", "X")
		set := &store.TaskSet{ConnectorConfig: config}
		ref := &storev1.TaskSetRef{Id: "0.1-1", Count: int32(n), ConfigGeneration: 1}
		for i := range n {
			set.Tasks = append(set.Tasks, pairs("task", string(rune('a'+i))))
			fp := make([]byte, state.FingerprintSize)
			fp[0] = byte(i + 1)
			ref.Fingerprints = append(ref.Fingerprints, fp...)
		}
		f.sets[name+"/0.1-1"] = set
		s.Connectors[name] = &state.Connector{Name: name, Incarnation: rev, ModRevision: rev, Value: &storev1.Connector{
			Config: config, ConfigGeneration: 1, TargetState: sluicev1.TargetState_TARGET_STATE_STARTED, TaskSet: ref,
		}}
	})
}

func (f *fakeStore) update(name string, edit func(*storev1.Connector)) {
	f.change(func(s *state.Snapshot, rev int64) {
		c := *s.Connectors[name]
		c.Value, c.ModRevision = proto.CloneOf(c.Value), rev
		edit(c.Value)
		s.Connectors[name] = &c
	})
}

func pairs(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

func (f *fakeStore) View() *state.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

func (f *fakeStore) Subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[ch] = struct{}{}
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, ch)
	}
}

func (f *fakeStore) Barrier(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down
}

func (f *fakeStore) OpenSession(_ context.Context, id string, v *storev1.Session, _ time.Duration) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return 0, f.down
	}
	f.lease++
	f.leases[f.lease] = true
	v = proto.CloneOf(v)
	v.Lease = f.lease
	f.changeLocked(func(s *state.Snapshot, rev int64) {
		s.Sessions[id] = &state.Session{ID: id, Created: rev, ModRevision: rev, Value: v}
	})
	return f.lease, nil
}

func (f *fakeStore) KeepAlive(_ context.Context, l int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.down != nil:
		return f.down
	case !f.leases[l]:
		return store.ErrLapsed
	}
	f.renewals++
	return nil
}

// lapse ends a session's lease.
func (f *fakeStore) lapse(id string) {
	f.change(func(s *state.Snapshot, _ int64) {
		if v := s.Sessions[id]; v != nil {
			delete(f.leases, v.Value.GetLease())
			delete(s.Sessions, id)
		}
	})
}

func (f *fakeStore) write(id string, check func(*storev1.Session) error, edit func(*storev1.Session)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.view.Sessions[id]
	switch {
	case f.down != nil:
		return f.down
	case have == nil:
		return store.ErrLapsed
	}
	if err := check(have.Value); err != nil {
		return err
	}
	v := proto.CloneOf(have.Value)
	edit(v)
	f.changeLocked(func(s *state.Snapshot, rev int64) {
		s.Sessions[id] = &state.Session{ID: id, Created: have.Created, ModRevision: rev, Value: v}
	})
	return nil
}

func (f *fakeStore) UpdateSession(_ context.Context, id string, stream uint64, edit func(*storev1.Session)) error {
	return f.write(id, func(v *storev1.Session) error {
		if v.GetStream() != stream {
			return store.ErrSuperseded
		}
		return nil
	}, edit)
}

func (f *fakeStore) TakeSession(_ context.Context, id string, newStream uint64, replica string, edit func(*storev1.Session)) error {
	return f.write(id, func(v *storev1.Session) error {
		if v.GetStream() >= newStream {
			return store.ErrSuperseded
		}
		return nil
	}, func(v *storev1.Session) { edit(v); v.Stream, v.Replica = newStream, replica })
}

func (f *fakeStore) DeleteSession(_ context.Context, id string) error {
	f.lapse(id)
	return nil
}

func (f *fakeStore) WriteRelease(_ context.Context, u unit.ID, e lease.Epoch, _ int32, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return f.down
	}
	f.releases = append(f.releases, u.String()+"@"+e.String())
	f.order = append(f.order, "release "+u.String())
	return nil
}

func (f *fakeStore) WriteStatuses(_ context.Context, w []store.StatusWrite) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return f.down
	}
	f.batches = append(f.batches, w)
	for _, s := range w {
		f.order = append(f.order, "status "+s.Unit.String()+" "+s.Value.GetState().String())
	}
	return nil
}

func (f *fakeStore) ClearUnfenced(_ context.Context, u unit.ID, e lease.Epoch) error {
	f.change(func(s *state.Snapshot, rev int64) {
		if a := s.Assignments[u]; a != nil && a.Epoch == e {
			v := proto.CloneOf(a.Value)
			v.PredecessorUnfenced = false
			s.Assignments[u] = &state.Assignment{Unit: u, Epoch: e, ModRevision: rev, Value: v}
		}
	})
	return nil
}

func (f *fakeStore) SuccessorReady(_ context.Context, u unit.ID, e lease.Epoch, session string) error {
	f.change(func(s *state.Snapshot, rev int64) {
		if a := s.Assignments[u]; a != nil && a.Epoch == e && a.Value.GetSuccessor() == session {
			v := proto.CloneOf(a.Value)
			v.SuccessorReady = true
			s.Assignments[u] = &state.Assignment{Unit: u, Epoch: e, ModRevision: rev, Value: v}
		}
	})
	return nil
}

func (f *fakeStore) Rebind(_ context.Context, u unit.ID, e lease.Epoch, oldSession, newSession, executor string) (bool, error) {
	done := false
	f.change(func(s *state.Snapshot, rev int64) {
		a := s.Assignments[u]
		if a == nil || a.Epoch != e || a.Value.GetSession() != oldSession || s.Sessions[oldSession] != nil {
			return
		}
		v := proto.CloneOf(a.Value)
		v.Session, v.Executor = newSession, executor
		s.Assignments[u] = &state.Assignment{Unit: u, Epoch: e, ModRevision: rev, Value: v}
		done = true
	})
	return done, nil
}

func (f *fakeStore) TaskSet(_ context.Context, connector string, _ int64, id string) (*store.TaskSet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	if t := f.sets[connector+"/"+id]; t != nil {
		return t, nil
	}
	return nil, store.ErrNotFound
}

func (f *fakeStore) SubmitPlan(_ context.Context, p store.Plan) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.planErr != nil {
		return false, f.planErr
	}
	f.plans = append(f.plans, p)
	return true, nil
}

func (f *fakeStore) CompleteOffsets(context.Context, string, lease.Epoch, string, *sluicev1.OffsetsResult) error {
	return store.ErrOffsetsStale
}

func (f *fakeStore) RegisterPlugins(_ context.Context, pool string, plugins []*sluicev1.Plugin) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plugins[pool] = plugins
	return nil
}

// peek reads under the lock.
func peek[T any](f *fakeStore, read func() T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return read()
}
