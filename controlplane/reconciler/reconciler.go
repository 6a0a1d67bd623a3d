package reconciler

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/controlplane/scheduler"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Store is what the reconciler needs of the store.
type Store interface {
	View() *state.Snapshot
	Subscribe() (<-chan struct{}, func())
	Barrier(ctx context.Context) error
	Apply(ctx context.Context, g store.Guard, actions []state.Action) error
}

// Fencer has the instance of a unit that was granted at an epoch fenced by some live executor, best one
// of the pool, within ctx's deadline.
type Fencer interface {
	Fence(ctx context.Context, pool string, u unit.ID, e lease.Epoch, config *sluicev1.Config) error
}

// Config is what a plan depends on beside the store.
type Config struct {
	Times           lease.Times
	StaticStability time.Duration
	FastFailover    time.Duration
}

const (
	// fenceTimeout bounds one fence; it is tried again after fenceAgain.
	fenceTimeout = 30 * time.Second
	fenceAgain   = 5 * time.Second
	// maxFences bounds the fences under way, and maxFencesConnector those of one connector: its Kafka
	// cluster may not answer, and others must not wait for that.
	maxFences          = 16
	maxFencesConnector = 4
	// applyTimeout bounds the writing of one plan.
	applyTimeout = 30 * time.Second
	// maxGrants bounds one plan, so that a stop or a delete never waits for thousands of grants.
	maxGrants = 1000
)

// Reconciler leads. Its Run is called by the election; not twice at the same time.
type Reconciler struct {
	config Config
	store  Store
	fencer Fencer
	clock  clock.Clock
	log    *slog.Logger

	leading                          atomic.Bool
	grants, lapses, fences, unplaced atomic.Int64
}

// Counts are what a replica has done as the leader since it started.
type Counts struct {
	Leading                bool
	Grants, Lapses, Fences int64
	Unplaced               int64 // units that no executor can take, at the last look
}

// Counts may be called at any time.
func (r *Reconciler) Counts() Counts {
	return Counts{r.leading.Load(), r.grants.Load(), r.lapses.Load(), r.fences.Load(), r.unplaced.Load()}
}

// New returns a reconciler.
func New(config Config, s Store, f Fencer, c clock.Clock, log *slog.Logger) *Reconciler {
	return &Reconciler{config: config, store: s, fencer: f, clock: c, log: log.With(logkey.Component, "reconciler")}
}

// term is one time of leading.
type term struct {
	*Reconciler
	guard store.Guard
	group *run.Group
	wake  chan struct{}

	seen    map[string]bool               // sessions that lived when this leader first read the store, or since
	sets    map[string]state.DropTaskSets // the present task set of each connector
	blocked map[string]bool               // what was logged as waiting
	took    time.Duration                 // the last plan

	mu     sync.Mutex
	fences map[unit.ID]bool // under way, or waiting to be tried again
	tried  map[unit.ID]int  // how often, of those that are owed
	// done are marks, by mod revision, whose fence was performed. A view that still shows one is behind: a
	// second fence would hit the successor.
	done map[unit.ID]int64
}

// Run leads until ctx ends or the guard is gone, which is no error.
func (r *Reconciler) Run(ctx context.Context, g store.Guard) error {
	if err := r.store.Barrier(ctx); err != nil {
		return err
	}
	r.leading.Store(true)
	defer func() { r.leading.Store(false); r.unplaced.Store(0) }()
	t := &term{Reconciler: r, guard: g, group: run.New(ctx, "fences"), wake: make(chan struct{}, 1),
		seen: map[string]bool{}, sets: map[string]state.DropTaskSets{}, blocked: map[string]bool{}, fences: map[unit.ID]bool{}, tried: map[unit.ID]int{}, done: map[unit.ID]int64{}}
	err := run.Call(func() error { return t.loop(ctx) }) // a panic too joins the fences
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), fenceTimeout)
	defer cancel()
	err = errors.Join(err, t.group.Stop(stopping))
	if errors.Is(err, store.ErrNotLeader) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *term) loop(ctx context.Context) error {
	changed, cancel := t.store.Subscribe()
	defer cancel()
	failures := 0
	for {
		next, err := t.once(ctx)
		if errors.Is(err, store.ErrNotLeader) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			failures++
			t.log.Warn("a plan was not written; trying again", logkey.Err, err)
			next = t.clock.Now().Add(backoff(failures))
			// A change does not hurry what fails.
			select {
			case <-ctx.Done():
				return nil
			case <-t.clock.After(next.Sub(t.clock.Now())):
			}
			continue
		}
		failures = 0
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = t.clock.After(max(next.Sub(t.clock.Now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-t.wake:
		case <-timer:
			continue
		}
		// A plan looks at every unit. Changes that come one upon another are planned for together, so that plans take a quarter
		// of a core.
		if t.took > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-t.clock.After(min(3*t.took, longestPause)):
			}
		}
	}
}

// longestPause bounds the pause between two plans.
const longestPause = 50 * time.Millisecond

// backoff is 100 ms, doubled up to 5 s, with jitter.
func backoff(failures int) time.Duration {
	d := min(100*time.Millisecond<<min(failures-1, 6), 5*time.Second)
	return d/2 + rand.N(d/2+1)
}

// once plans and writes.
func (t *term) once(ctx context.Context) (next time.Time, err error) {
	view, r := t.plan()
	if slices.ContainsFunc(r.Actions, altersOffsets) {
		// Whether a connector is quiet is asked of a view that shows every grant that was made.
		seeing, cancel := context.WithTimeout(ctx, applyTimeout)
		defer cancel()
		if err := t.store.Barrier(seeing); err != nil {
			return time.Time{}, err
		}
		view, r = t.plan()
	}
	t.say(r)
	t.unplaced.Store(int64(r.Unplaced))
	old, sets := t.oldTaskSets(view)
	actions := append(r.Actions, old...)
	if len(actions) > 0 {
		writing, cancel := context.WithTimeout(ctx, applyTimeout)
		defer cancel()
		if err := t.store.Apply(writing, t.guard, actions); err != nil {
			return time.Time{}, err
		}
		t.count(actions)
	}
	t.sets = sets // only now: what was not written is found again
	return r.Next, t.fence(r.Fences)
}

func (t *term) plan() (*state.Snapshot, scheduler.Result) {
	view := t.store.View()
	for id := range view.Sessions {
		t.seen[id] = true
	}
	begin := t.clock.Boot()
	defer func() { t.took = t.clock.Boot() - begin }()
	return view, scheduler.Plan(view, t.clock.Now(), scheduler.Options{
		Times: t.config.Times, StaticStabilityMax: t.config.StaticStability, FastFailover: t.config.FastFailover,
		FirstRead: func(s string) bool { return t.seen[s] }, MaxGrants: maxGrants,
	})
}

func altersOffsets(a state.Action) bool {
	g, ok := a.(state.Grant)
	return ok && g.Unit.Kind == unit.KindOffsets
}

func (t *term) count(written []state.Action) {
	for _, a := range written {
		switch a.(type) {
		case state.Grant:
			t.grants.Add(1)
		case state.Lapse:
			t.lapses.Add(1)
		}
	}
}

// say logs what newly waits, once.
func (t *term) say(r scheduler.Result) {
	now := map[string]bool{}
	for _, b := range r.Blocked {
		switch now[b] = true; {
		case t.blocked[b]:
		case b == r.Restored:
			t.log.Error("etcd was restored: an operator has to act", "why", b)
		default:
			t.log.Info("waiting", "why", b)
		}
	}
	t.blocked = now
	for _, a := range r.Actions {
		switch a := a.(type) {
		case state.Grant:
			t.log.Info("granting", logkey.Unit, a.Unit.String(), logkey.Executor, a.Value.GetExecutor())
		case state.Lapse:
			t.log.Warn("lapsed", logkey.Unit, a.Unit.String(), logkey.Executor, a.Value.GetExecutor())
		}
	}
}

// oldTaskSets finds connectors whose task set is another than at the last look: what came before goes. A
// new leader looks at every connector once. It also returns what is to be remembered of this look.
func (t *term) oldTaskSets(view *state.Snapshot) ([]state.Action, map[string]state.DropTaskSets) {
	var out []state.Action
	sets := make(map[string]state.DropTaskSets, len(view.Connectors))
	gone := func(old state.DropTaskSets) {
		old.Keep = ""
		out = append(out, old)
	}
	for name, c := range view.Connectors {
		now := state.DropTaskSets{Connector: name, Incarnation: c.Incarnation, Keep: c.Value.GetTaskSet().GetId()}
		sets[name] = now
		old, known := t.sets[name]
		if known && old.Incarnation != now.Incarnation {
			gone(old)
		}
		if now.Keep != "" && old != now {
			out = append(out, now)
		}
	}
	for name, old := range t.sets {
		if view.Connectors[name] == nil {
			gone(old)
		}
	}
	return out, sets
}

// fence has the owed fences performed, each by itself, and says that the unit is quiet then. Those that
// were tried least come first, so that ones that fail again and again do not keep others from their turn.
func (t *term) fence(owed []scheduler.Fence) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tried := make(map[unit.ID]int, len(owed))
	for _, f := range owed {
		tried[f.Lapsed.Unit] = t.tried[f.Lapsed.Unit]
	}
	t.tried = tried
	maps.DeleteFunc(t.done, func(u unit.ID, _ int64) bool { _, ok := tried[u]; return !ok })
	busy := map[string]int{}
	for u := range t.fences {
		busy[u.Connector()]++
	}
	slices.SortStableFunc(owed, func(a, b scheduler.Fence) int { return cmp.Compare(tried[a.Lapsed.Unit], tried[b.Lapsed.Unit]) })
	for _, f := range owed {
		u := f.Lapsed.Unit
		if t.fences[u] || t.done[u] == f.Lapsed.ModRevision || len(t.fences) >= maxFences || busy[u.Connector()] >= maxFencesConnector {
			continue
		}
		t.fences[u] = true
		tried[u]++
		busy[u.Connector()]++
		if err := t.group.Go(func(ctx context.Context) error { t.fenceOne(ctx, f); return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (t *term) fenceOne(ctx context.Context, f scheduler.Fence) {
	u := f.Lapsed.Unit
	written := false
	defer func() {
		t.mu.Lock()
		if delete(t.fences, u); written {
			t.done[u] = f.Lapsed.ModRevision
		}
		t.mu.Unlock()
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}()
	// A panic fails this fence alone: it would end the group, and with it all others.
	err := run.Call(func() error {
		one, cancel := context.WithTimeout(ctx, fenceTimeout)
		defer cancel()
		v := f.Lapsed.Value
		return t.fencer.Fence(one, f.Pool, u, lease.Epoch{Era: v.GetEpoch().GetEra(), Revision: v.GetEpoch().GetRevision()}, v.GetConnectorConfig())
	})
	if err == nil {
		t.Reconciler.fences.Add(1)
		t.log.Info("fenced", logkey.Unit, u.String())
		writing, cancel := context.WithTimeout(ctx, applyTimeout)
		defer cancel()
		err = t.store.Apply(writing, t.guard, []state.Action{state.DropLapsed{Unit: u, Mod: f.Lapsed.ModRevision}})
		written = err == nil
	}
	if err != nil && ctx.Err() == nil {
		t.log.Warn("a fence is owed and failed; trying again", logkey.Unit, u.String(), logkey.Err, err)
		select {
		case <-ctx.Done():
		case <-t.clock.After(fenceAgain):
		}
	}
}
