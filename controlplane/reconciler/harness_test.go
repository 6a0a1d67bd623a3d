package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/reconciler"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is how long, in real time, something may take that needs no time of the fake clock.
	patience = 10 * time.Second
	// tick is the step in which the fake clock is moved.
	tick = 250 * time.Millisecond

	exclusive = sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE
	fenced    = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
)

// faultyStore is a store whose writes by the leader can be looked at, delayed and failed.
type faultyStore struct {
	*store.Store
	mu     sync.Mutex
	plans  int
	before func(actions []state.Action) error // called without the lock
	view   func()
	frozen *state.Snapshot
}

// freeze has an old view shown until somebody waits for the present one.
func (s *faultyStore) freeze(v *state.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = v
}

func (s *faultyStore) Barrier(ctx context.Context) error {
	s.freeze(nil)
	return s.Store.Barrier(ctx)
}

func (s *faultyStore) View() *state.Snapshot {
	s.mu.Lock()
	s.plans++
	view, frozen := s.view, s.frozen
	s.mu.Unlock()
	if view != nil {
		view()
	}
	if frozen != nil {
		return frozen
	}
	return s.Store.View()
}

func (s *faultyStore) Apply(ctx context.Context, g store.Guard, actions []state.Action) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(actions); err != nil {
			return err
		}
	}
	return s.Store.Apply(ctx, g, actions)
}

// beforeApply sets what is done before a plan is written; nil is nothing.
func (s *faultyStore) beforeApply(f func([]state.Action) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

func (s *faultyStore) planned() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plans
}

// harness is one leader over a store in memory, with executors that do what the test says.
type harness struct {
	t         *testing.T
	clock     *clock.Fake
	backend   *store.Memory
	store     *faultyStore
	commander *command.Commander
	executors map[string]*executor
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	c := clock.NewFake(time.Unix(1_700_000_000, 0))
	log := slog.New(slog.DiscardHandler)
	b := store.NewMemory(c)
	st := store.New(b, "test", c, log)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &harness{
		t: t, clock: c, backend: b, store: &faultyStore{Store: st}, executors: map[string]*executor{},
		commander: command.New(command.Config{Replica: "r1"}, st, c, log),
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(h.commander.Close(), st.Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	return h
}

// leader is one term.
type leader struct {
	h     *harness
	guard store.Guard
	group *run.Group
	ended chan error
}

// lead starts a term. A nil fencer is the commander, which asks the executors.
func (h *harness) lead(f reconciler.Fencer) *leader {
	h.t.Helper()
	if f == nil {
		f = h.commander
	}
	key := h.store.LeaderPrefix() + "/test"
	// Delete and put: a new term has a new create revision.
	if _, _, err := h.backend.Txn(h.t.Context(), nil, []store.Op{{Key: key, Delete: true}}); err != nil {
		h.t.Fatal(err)
	}
	_, rev, err := h.backend.Txn(h.t.Context(), nil, []store.Op{{Key: key, Value: []byte("x")}})
	if err != nil {
		h.t.Fatal(err)
	}
	l := &leader{h: h, guard: store.Guard{Key: key, CreateRevision: rev}, group: run.New(context.Background(), "leader"), ended: make(chan error, 1)}
	r := reconciler.New(reconciler.Config{Times: lease.DefaultTimes(), StaticStability: time.Hour, FastFailover: time.Second}, h.store, f, h.clock, slog.New(slog.DiscardHandler))
	if err := l.group.Go(func(ctx context.Context) error {
		l.ended <- run.Call(func() error { return r.Run(ctx, l.guard) })
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(l.stop)
	return l
}

// stop ends the term and waits for it. More than once is fine.
func (l *leader) stop() {
	l.h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.group.Stop(ctx); err != nil {
		l.h.t.Errorf("the leader did not end: %v", err)
	}
}

// end is what Run returned.
func (l *leader) end() error {
	l.h.t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(patience):
		l.h.t.Fatal("the leader leads on")
		return nil
	}
}

// depose deletes the guard's key, as the lapse of the election's lease does.
func (l *leader) depose() {
	l.h.t.Helper()
	if _, _, err := l.h.backend.Txn(context.Background(), nil, []store.Op{{Key: l.guard.Key, Delete: true}}); err != nil {
		l.h.t.Error(err)
	}
}

// executor is a live session. Its commands come on a channel; its lease is renewed while it lives.
type executor struct {
	h        *harness
	id       string
	lease    int64
	dead     bool
	commands chan *sluicev1.Command
}

func (h *harness) executor(id string) *executor {
	h.t.Helper()
	x := &executor{h: h, id: id, commands: make(chan *sluicev1.Command, 100)}
	l, err := h.store.OpenSession(h.t.Context(), id, &storev1.Session{
		Executor: id + ":1", Replica: "r1", Stream: 1, Pool: "default", Process: id,
		Plugins: []*sluicev1.Plugin{{Class: "X", Type: sluicev1.PluginType_PLUGIN_TYPE_SINK, Version: "1"}},
	}, lease.DefaultTimes().Lease())
	if err != nil {
		h.t.Fatal(err)
	}
	x.lease = l
	h.t.Cleanup(h.commander.Register(id, 1, func(c *sluicev1.Command) error { x.commands <- c; return nil }))
	h.executors[id] = x
	h.look()
	return x
}

// fence waits for the command to fence a unit.
func (x *executor) fence(u unit.ID) *sluicev1.Command {
	x.h.t.Helper()
	var cmd *sluicev1.Command
	x.h.until("a fence of "+u.String()+" is asked of "+x.id, time.Minute, func() bool {
		select {
		case cmd = <-x.commands:
			return true
		default:
			return false
		}
	})
	if cmd.GetFence().GetUnit() != u.String() {
		x.h.t.Fatalf("command %v, want the fence of %s", cmd, u)
	}
	return cmd
}

func (x *executor) answer(cmd *sluicev1.Command, result *sluicev1.CommandResult) {
	x.h.t.Helper()
	if err := x.h.commander.Complete(x.id, cmd.GetId(), result); err != nil {
		x.h.t.Fatal(err)
	}
}

func fenceDone() *sluicev1.CommandResult {
	return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Fence{Fence: &sluicev1.FenceResult{}}}
}

// look is the view after everything that was written.
func (h *harness) look() *state.Snapshot {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.store.Store.Barrier(ctx); err != nil {
		h.t.Fatal(err)
	}
	return h.store.Store.View()
}

func pairs(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

func (h *harness) create(name string) {
	h.t.Helper()
	if _, err := h.store.CreateConnector(h.t.Context(), name, &storev1.Connector{
		Config: pairs("connector.class", "X", "name", name), ConfigGeneration: 1, PluginClass: "X", Pool: "default",
		TargetState: sluicev1.TargetState_TARGET_STATE_STARTED,
	}); err != nil {
		h.t.Fatal(err)
	}
}

// held awaits that units are held, and returns by whom.
func (h *harness) held(units ...unit.ID) []*state.Assignment {
	h.t.Helper()
	var out []*state.Assignment
	h.until(fmt.Sprintf("%v are held", units), time.Minute, func() bool {
		view := h.look()
		out = out[:0]
		for _, u := range units {
			if a := view.Assignments[u]; a != nil {
				out = append(out, a)
			}
		}
		return len(out) == len(units)
	})
	return out
}

// plan does what the holder of the connector's planner does: it hands over a set of n tasks, which differ
// from those of any other version.
func (h *harness) plan(name, version string, class sluicev1.UnitClass, n int) {
	h.t.Helper()
	planner := h.held(unit.Connector(name))[0]
	var tasks []*sluicev1.Config
	for i := range n {
		tasks = append(tasks, pairs("task", fmt.Sprint(i), "version", version))
	}
	c := h.look().Connectors[name]
	changed, err := h.store.SubmitPlan(h.t.Context(), store.Plan{
		Connector: name, Incarnation: c.Incarnation, Generation: c.Value.GetConfigGeneration(), Epoch: planner.Epoch,
		Sequence: 1, PluginVersion: "1", TaskClass: class, Tasks: tasks,
	})
	if err != nil || !changed {
		h.t.Fatalf("plan of %s: changed %v, %v", name, changed, err)
	}
}

// release does what a holder does that was asked to.
func (h *harness) release(a *state.Assignment) {
	h.t.Helper()
	h.until(a.Unit.String()+" is asked for", time.Minute, func() bool {
		now := h.look().Assignments[a.Unit]
		return now != nil && now.Epoch == a.Epoch && now.Value.GetRelease() != 0
	})
	if err := h.store.WriteRelease(h.t.Context(), a.Unit, a.Epoch, int32(sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN), false); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) report(a *state.Assignment, s sluicev1.State, trace string) {
	h.t.Helper()
	if err := h.store.WriteStatuses(h.t.Context(), []store.StatusWrite{{Unit: a.Unit, Epoch: a.Epoch, Value: &storev1.Status{
		State: s, Trace: trace, Executor: a.Value.GetExecutor(), Epoch: &sluicev1.Epoch{Era: a.Epoch.Era, Revision: a.Epoch.Revision},
	}}}); err != nil {
		h.t.Fatal(err)
	}
}

// step moves the clock by one tick; executors that live renew their leases first.
func (h *harness) step() {
	h.t.Helper()
	for _, x := range h.executors {
		if !x.dead {
			if err := h.backend.KeepAlive(context.Background(), x.lease); err != nil {
				h.t.Fatalf("%s: %v", x.id, err)
			}
		}
	}
	h.clock.Advance(tick)
}

// await waits for what needs no time of the clock to pass.
func (h *harness) await(what string, ok func() bool) {
	h.t.Helper()
	h.until(what, 0, ok)
}

// until lets at most that much time of the clock pass, and then real time, until something has happened.
func (h *harness) until(what string, limit time.Duration, ok func() bool) {
	h.t.Helper()
	deadline := time.After(patience)
	for n := 0; !ok(); n++ {
		// What happens at once is given the time to.
		if n%4 == 3 && limit > 0 {
			h.step()
			limit -= tick
		}
		select {
		case <-deadline:
			h.t.Fatalf("did not happen: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// never lets time of the clock pass, in which something must not happen.
func (h *harness) never(what string, d time.Duration, happened func() bool) {
	h.t.Helper()
	for ; d > 0; d -= tick {
		h.step()
		select {
		case <-time.After(2 * time.Millisecond):
		case <-h.t.Context().Done():
		}
		if happened() {
			h.t.Fatalf("happened: %s", what)
		}
	}
}

// newHarnessStore is another store over the same state, which has nothing kept in memory.
func newHarnessStore(h *harness) *store.Store {
	return store.New(h.backend, "test", h.clock, slog.New(slog.DiscardHandler))
}
