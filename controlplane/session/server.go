package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Viewer is the present state and its changes.
type Viewer interface {
	View() *state.Snapshot
	Subscribe() (changed <-chan struct{}, cancel func())
	Barrier(ctx context.Context) error
}

// Sessions are the writes of a session by its owner.
type Sessions interface {
	OpenSession(ctx context.Context, id string, v *storev1.Session, leaseTTL time.Duration) (int64, error)
	KeepAlive(ctx context.Context, lease int64) error
	UpdateSession(ctx context.Context, id string, stream uint64, f func(*storev1.Session)) error
	TakeSession(ctx context.Context, id string, newStream uint64, replica string, f func(*storev1.Session)) error
	DeleteSession(ctx context.Context, id string) error
}

// Reports are the writes of what executors report of units, each guarded by the epoch.
type Reports interface {
	WriteRelease(ctx context.Context, u unit.ID, e lease.Epoch, outcome int32, predecessorUnfenced bool) error
	WriteStatuses(ctx context.Context, statuses []store.StatusWrite) error
	ClearUnfenced(ctx context.Context, u unit.ID, e lease.Epoch) error
	SuccessorReady(ctx context.Context, u unit.ID, e lease.Epoch, session string) error
	Rebind(ctx context.Context, u unit.ID, e lease.Epoch, oldSession, newSession, executor string) (bool, error)
}

// Plans are task sets and catalogues.
type Plans interface {
	TaskSet(ctx context.Context, connector string, incarnation int64, id string) (*store.TaskSet, error)
	SubmitPlan(ctx context.Context, p store.Plan) (changed bool, err error)
	RegisterPlugins(ctx context.Context, pool string, plugins []*sluicev1.Plugin) error
	CompleteOffsets(ctx context.Context, connector string, e lease.Epoch, id string, r *sluicev1.OffsetsResult) error
}

// Mirrors is what the mirror reports.
type Mirrors interface {
	ConfirmMirror(ctx context.Context, e lease.Epoch, revision int64, quiet bool) (bool, error)
}

// Store is what the sessions need of it.
type Store interface {
	Mirrors
	Viewer
	Sessions
	Reports
	Plans
}

// Commands is where commands come from and answers go to.
type Commands interface {
	Register(session string, stream uint64, send func(*sluicev1.Command) error) (unregister func())
	Complete(session, id string, result *sluicev1.CommandResult) error
	Forward(ctx context.Context, session, id string, encoded []byte, chunk int) error
}

// Config is what the sessions are served with.
type Config struct {
	// Replica is the id of this replica.
	Replica string
	// Times are the periods of sessions, the same in all replicas. Default lease.DefaultTimes.
	Times lease.Times
	// StaticStability is how long Kafka-fenced units go on without the control plane. Default 1 h.
	StaticStability time.Duration
}

// Periods of the server. None of them is a promise to executors.
const (
	statusPeriod = 200 * time.Millisecond // between two writes of one session's states, on average (DESIGN 9)
	statusBurst  = 10                     // writes of them that a quiet session has saved up
	statusGather = 5 * time.Millisecond   // states wait at least this long for others
	retryDelay   = 500 * time.Millisecond // before a failed write or read of the store is tried again
	helloTimeout = 10 * time.Second       // for the first message of a stream, and the next chunk of a bulk call
	openTimeout  = 30 * time.Second       // for what hello asks of the store
	writeTimeout = 5 * time.Second        // for one call to the store
	lastFlush    = 2 * time.Second        // for the reports that an ended stream has left
)

// Server implements SessionService. Safe for concurrent use. Stop ends all streams.
type Server struct {
	sluicev1.UnimplementedSessionServiceServer

	config   Config
	store    Store
	commands Commands
	clock    clock.Clock
	log      *slog.Logger
	index    index
	group    *run.Group
	stopping chan struct{}

	mu      sync.Mutex
	stopped bool
	streams map[string]*stream // the newest of each session
	leases  map[string]int64   // of sessions that the view may not show yet
}

// New returns a server; it has nothing to start.
func New(config Config, st Store, commands Commands, c clock.Clock, log *slog.Logger) *Server {
	if config.Times == (lease.Times{}) {
		config.Times = lease.DefaultTimes()
	}
	if config.StaticStability <= 0 {
		config.StaticStability = time.Hour
	}
	return &Server{
		config: config, store: st, commands: commands, clock: c,
		log:      log.With(logkey.Component, "session", logkey.Replica, config.Replica),
		group:    run.New(context.Background(), "session"),
		stopping: make(chan struct{}),
		streams:  map[string]*stream{}, leases: map[string]int64{},
	}
}

// Stop ends every stream, writes what they had reported and waits for them, until ctx ends. It marks no
// session lost: they go to other replicas.
func (s *Server) Stop(ctx context.Context) error {
	s.stop()
	err := s.group.Wait(ctx)
	return errors.Join(err, s.group.Stop(ctx))
}

// Kill drops everything at once, as the death of the process would. For tests.
func (s *Server) Kill() {
	s.stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.group.Stop(ctx) // it does not wait: that is what is wanted
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
}

func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// spawn runs f beside a handler. A panic of f is an error for f's own stream: see run.Call in callers.
func (s *Server) spawn(f func(ctx context.Context)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ErrStopping
	}
	err := s.group.Go(func(ctx context.Context) error { f(ctx); return nil })
	if errors.Is(err, run.ErrStopped) {
		return ErrStopping
	}
	return err
}

// inbox receives a stream's messages, so that a handler can wait for other things beside them.
type inbox[T any] struct {
	c   chan T
	err error // why c was closed; read it only then
}

// receive reads a stream until it ends or its handler returns. The inbox is small: a store that is slow
// makes the sender wait.
func receive[T any](s *Server, ctx context.Context, recv func() (T, error)) (*inbox[T], error) { //nolint:revive // the server is what it is a method of
	in := &inbox[T]{c: make(chan T, 16)}
	err := s.spawn(func(context.Context) {
		defer close(in.c)
		in.err = run.Call(func() error {
			for {
				m, err := recv()
				if err != nil {
					return err
				}
				select {
				case in.c <- m:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
	})
	return in, err
}

// next is the next message; an error of the stream's, or one for the user where it takes too long.
func (in *inbox[T]) next(ctx context.Context, s *Server, what string) (T, error) {
	timer := s.clock.NewTimer(helloTimeout)
	defer timer.Stop()
	var zero T
	select {
	case m, ok := <-in.c:
		if !ok {
			return zero, in.err
		}
		return m, nil
	case <-timer.C():
		return zero, errs.New(errs.RequestMalformed, "%s did not come within %s", what, helloTimeout)
	case <-s.stopping:
		return zero, ErrStopping
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// lookUp returns a live session, looking past the view's lag. SessionLapsed where there is none.
func (s *Server) lookUp(ctx context.Context, id string) (*state.Session, error) {
	if v := s.store.View().Sessions[id]; v != nil {
		return v, nil
	}
	if err := s.barrier(ctx); err != nil {
		return nil, err
	}
	if v := s.store.View().Sessions[id]; v != nil {
		return v, nil
	}
	return nil, errs.New(errs.SessionLapsed, "There is no session %q, or it has lapsed: open a new one", id)
}

func (s *Server) barrier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := s.store.Barrier(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) error {
	return fmt.Errorf("%w: %w", errs.New(errs.StoreUnavailable, "The store is not available: try again, or another replica"), err)
}

func epoch(e *sluicev1.Epoch) lease.Epoch {
	return lease.Epoch{Era: e.GetEra(), Revision: e.GetRevision()}
}

func wireEpoch(e lease.Epoch) *sluicev1.Epoch {
	return &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}
}

// Streams is how many executors' streams are served now.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}
