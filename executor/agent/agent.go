package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/fault"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// ErrEpochOver is returned by Confirm where the unit is desired with another epoch, or not at all.
var ErrEpochOver = errors.New("agent: the epoch is over")

var (
	// errLapsed ends a session.
	errLapsed = errors.New("agent: the session has lapsed")
	// errRefused ends a stream, until somebody sees to its reason.
	errRefused = errors.New("agent: the control plane refused the stream")
)

// Config is what an agent needs.
type Config struct {
	// Streams and Heartbeats are two connections to the control plane.
	Streams, Heartbeats grpc.ClientConnInterface
	// Executor is the advertised host:port, Kafka Connect's worker_id. Pool, Version, Labels and Capacity are as in Hello.
	Executor, Pool, Version string
	Labels                  map[string]string
	Capacity                int
	// Plugins is the catalogue, with definitions.
	Plugins []*sluicev1.Plugin
	// ClusterID is the id of the Kafka cluster; empty where it is not known yet.
	ClusterID func() string
	// Command runs a command within ctx.
	Command func(ctx context.Context, c *sluicev1.Command) *sluicev1.CommandResult
	Clock   clock.Clock
	Logger  *slog.Logger
}

// wish is what of a desired unit is kept.
type wish struct {
	epoch    lease.Epoch
	release  bool
	unfenced bool              // its predecessor's fence is to be reported
	config   map[string]string // the connector's: units of one connector share it
}

// Agent keeps the session. Safe for concurrent use.
type Agent struct {
	cfg     Config
	client  sluicev1.SessionServiceClient
	beats   sluicev1.SessionServiceClient
	group   *run.Group
	sup     *supervisor.Supervisor
	process string
	notify  chan struct{} // the writer has something

	tell  sync.Mutex    // held by who tells the supervisor anything; before mu
	ran   bool          // what the supervisor was last told of the right
	ended time.Duration // boot time at which the right ended; 0 while it runs, or before it first did

	mu       sync.Mutex
	changed  chan struct{} // closed and made anew whenever something below changes
	draining bool
	session  string
	opened   bool // the session was welcomed
	lapsed   bool // and is over
	previous string
	stream   uint64
	times    lease.Times
	static   time.Duration // how long Kafka-fenced units go on without the right
	right    lease.Right
	wanted   map[unit.ID]*wish // of the newest stream
	whole    bool
	highest  lease.Epoch
	over     map[unit.ID]lease.Epoch // the highest epoch that was released
	releases map[unit.ID]*sluicev1.Release
	statuses map[unit.ID]*sluicev1.UnitStatus
	dirty    map[unit.ID]bool
	fences   map[unit.ID]lease.Epoch
	ready    map[unit.ID]lease.Epoch // to be told: units made ready, with the epochs of their holders
	drop     context.CancelFunc      // ends the present stream
}

// New returns an agent; Start begins its session.
func New(cfg Config) *Agent {
	return &Agent{cfg: cfg, client: sluicev1.NewSessionServiceClient(cfg.Streams), beats: sluicev1.NewSessionServiceClient(cfg.Heartbeats),
		group: run.New(context.Background(), "agent"), process: uuid.NewString(), notify: make(chan struct{}, 1), changed: make(chan struct{}),
		times: lease.DefaultTimes(), static: time.Hour, right: lease.NewRight(lease.DefaultTimes()), wanted: map[unit.ID]*wish{},
		over: map[unit.ID]lease.Epoch{}, releases: map[unit.ID]*sluicev1.Release{}, statuses: map[unit.ID]*sluicev1.UnitStatus{},
		dirty: map[unit.ID]bool{}, fences: map[unit.ID]lease.Epoch{}, ready: map[unit.ID]lease.Epoch{}, drop: func() {}}
}

// Start runs the session for a supervisor.
func (a *Agent) Start(sup *supervisor.Supervisor) error {
	a.sup = sup
	return errors.Join(a.group.Go(a.sessions), a.group.Go(a.watch))
}

// Stop ends the session's streams; the lease is left to lapse.
func (a *Agent) Stop(ctx context.Context) error { return a.group.Stop(ctx) }

// Drain gives every unit back and waits until nothing is held and every release is acknowledged, or until ctx
// ends.
func (a *Agent) Drain(ctx context.Context) error {
	a.mu.Lock()
	a.draining = true
	a.change()
	a.mu.Unlock()
	a.poke()
	for {
		a.mu.Lock()
		left, changed := len(a.wanted)+len(a.releases), a.changed
		never := a.stream == 0 || a.session == ""
		a.mu.Unlock()
		if never || left == 0 && len(a.sup.Units()) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-a.cfg.Clock.After(50 * time.Millisecond): // the supervisor's slots end without a word
		case <-ctx.Done():
			return fmt.Errorf("draining: %d units are still held: %w", left, ctx.Err())
		}
	}
}

// Session is the id of the present session, and whether its right runs and what is desired is known.
func (a *Agent) Session() (id string, ready bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session, a.whole && a.rightLeft() > 0
}

// Margin is by how much the session's lease outlives its right.
func (a *Agent) Margin() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.times.Margin
}

// change tells those who wait. Under mu.
func (a *Agent) change() {
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *Agent) poke() {
	select {
	case a.notify <- struct{}{}:
	default:
	}
}

func (a *Agent) rightLeft() time.Duration {
	if fault.Out(fault.SelfFencing) && a.highest != (lease.Epoch{}) {
		return time.Hour
	}
	return a.right.Left(a.cfg.Clock.Boot(), a.cfg.Clock.Now())
}

// RightLeft implements supervisor.Control.
func (a *Agent) RightLeft() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rightLeft()
}

// Confirm implements supervisor.Control.
func (a *Agent) Confirm(ctx context.Context, u unit.ID, e lease.Epoch) error {
	for {
		if fault.Out(fault.EpochGuard) {
			return nil
		}
		a.mu.Lock()
		changed := a.changed
		if a.whole && a.rightLeft() > 0 {
			d := a.wanted[u]
			a.mu.Unlock()
			if d == nil || d.release || d.epoch != e {
				return ErrEpochOver
			}
			return nil
		}
		a.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Status implements supervisor.Control.
func (a *Agent) Status(s supervisor.Status) {
	a.mu.Lock()
	a.statuses[s.Unit] = &sluicev1.UnitStatus{Unit: s.Unit.String(), Epoch: epochTo(s.Epoch), State: s.State, Trace: s.Trace,
		Version: s.Version, Restart: s.Restart, ConfigGeneration: s.Generation, AutoRestart: recoveryTo(s.Recovery)}
	a.dirty[s.Unit] = true
	a.mu.Unlock()
	a.poke()
}

func recoveryTo(r *supervisor.Recovery) *sluicev1.AutoRestart {
	if r == nil {
		return nil
	}
	out := &sluicev1.AutoRestart{ErrorClass: r.Class.String(), Attempt: int32(r.Attempt), Attempts: int32(r.Attempts), Reason: r.Reason} //nolint:gosec // the key is an int
	if r.Again {
		out.NextMs = r.At.UnixMilli()
	}
	return out
}

// Fenced implements supervisor.Control.
func (a *Agent) Fenced(u unit.ID, e lease.Epoch) {
	a.mu.Lock()
	a.fences[u] = e
	a.mu.Unlock()
	a.poke()
}

// Released implements supervisor.Control.
func (a *Agent) Released(r supervisor.Released) {
	a.mu.Lock()
	a.releases[r.Unit] = &sluicev1.Release{Unit: r.Unit.String(), Epoch: epochTo(r.Epoch), Outcome: r.Outcome, PredecessorUnfenced: r.PredecessorUnfenced && a.fences[r.Unit] != r.Epoch}
	if r.Epoch.Compare(a.over[r.Unit]) > 0 {
		a.over[r.Unit] = r.Epoch
	}
	delete(a.fences, r.Unit)
	a.change()
	a.mu.Unlock()
	a.poke()
}

// Prepared implements supervisor.Control.
func (a *Agent) Prepared(u unit.ID, e lease.Epoch) {
	a.mu.Lock()
	a.ready[u] = e
	a.mu.Unlock()
	a.poke()
}

// watch looks at the right whenever something changes, and often enough to see wall time jump.
func (a *Agent) watch(ctx context.Context) error {
	was := false
	for {
		a.mu.Lock()
		changed := a.changed
		a.mu.Unlock()
		a.tell.Lock()
		left := a.settle()
		a.tell.Unlock()
		if left <= 0 && was {
			a.cfg.Logger.Warn("the right to run units has ended: no heartbeat was acknowledged in time")
		}
		was = left > 0
		wait := time.Second
		if left > 0 {
			wait = min(left, wait)
		}
		t := a.cfg.Clock.NewTimer(wait)
		select {
		case <-changed:
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		t.Stop()
	}
}

// settle tells the supervisor how things stand, and returns how long the right runs. Under tell.
func (a *Agent) settle() time.Duration {
	a.mu.Lock()
	left, static, drop := a.rightLeft(), a.static, func() {}
	if left <= 0 && a.ran {
		a.whole, drop = false, a.drop // only a set that comes from now on counts
		a.change()
	}
	whole := a.whole
	a.mu.Unlock()
	now := a.cfg.Clock.Boot()
	switch {
	case left > 0:
		a.ended = 0
	case a.ran:
		a.ended = now
	}
	ran := a.ran
	a.ran = left > 0
	if a.ran && !ran {
		history.Record(a.cfg.Logger, a.cfg.Clock, history.RightRuns) // before anything acts
	}
	a.sup.Expire(a.ended > 0 && now-a.ended > static) // before Right: what it lets start is not to be stopped again
	a.sup.Right(a.ran, a.ran && whole)
	drop()
	if ran && !a.ran {
		history.Record(a.cfg.Logger, a.cfg.Clock, history.RightOver) // when nothing acts any more
	}
	return left
}

// lose has f take away, under mu, what the supervisor may count on; it knows when lose returns.
func (a *Agent) lose(f func()) {
	a.tell.Lock()
	defer a.tell.Unlock()
	a.mu.Lock()
	f()
	a.change()
	a.mu.Unlock()
	a.settle()
}

// lapse ends what the present session gives.
func (a *Agent) lapse() {
	a.lose(func() {
		a.right.End()
		a.whole, a.lapsed = false, true
	})
}

// sessions runs one session after the other.
func (a *Agent) sessions(ctx context.Context) error {
	for ctx.Err() == nil {
		var id string
		a.lose(func() {
			if a.opened {
				a.previous = a.session
			}
			id = uuid.NewString()
			a.session, a.opened, a.lapsed, a.whole = id, false, false, false
			a.right.End()
		})
		err := a.live(ctx, id)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		a.cfg.Logger.Warn("session ended, and is begun anew", slog.String(logkey.Session, id), logkey.Err, err)
		if !a.sleep(ctx, a.jitter(100*time.Millisecond, time.Second)) {
			return nil
		}
	}
	return nil
}

// live keeps a session until it lapses.
func (a *Agent) live(ctx context.Context, id string) error {
	g := run.New(ctx, "agent-session")
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = g.Stop(stop) // its error is what ended the session, and is returned below
	}()
	opened := make(chan struct{})
	if err := g.Go(func(ctx context.Context) error { return a.heartbeats(ctx, id, opened) }); err != nil {
		return err
	}
	var once sync.Once
	refused := false
	for {
		attached := false
		err := a.attach(g.Context(), g, id, func() { attached = true; once.Do(func() { close(opened) }) })
		if g.Context().Err() != nil {
			return context.Cause(g.Context())
		}
		if errors.Is(err, errLapsed) {
			a.lapse()
			return err
		}
		a.lose(func() { a.whole = false })
		level := slog.LevelInfo
		if errors.Is(err, errRefused) && !refused {
			level = slog.LevelError // said once: somebody has to do something
		}
		refused = errors.Is(err, errRefused)
		a.cfg.Logger.Log(ctx, level, "stream to the control plane ended, and is opened again", logkey.Err, err)
		pause := a.jitter(100*time.Millisecond, time.Second)
		if attached {
			pause = a.jitter(20*time.Millisecond, 200*time.Millisecond) // well within session.fast.failover.ms
		}
		if !a.sleep(g.Context(), pause) {
			return context.Cause(g.Context())
		}
	}
}
