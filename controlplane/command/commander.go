package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Viewer is what the commander reads: who is there, and which replica owns whose stream.
type Viewer interface {
	View() *state.Snapshot
}

// Config bounds the commands of a replica. The zero value of a field means its default.
type Config struct {
	// Replica is the id of this replica, as in Session.replica.
	Replica string
	// Timeout is how long an executor has for a command that names no time of its own. Default 30 s.
	Timeout time.Duration
	// MaxPending is how many commands may wait at once. Default 1024.
	MaxPending int
	// MaxPendingSession is how many commands may wait for one session. Default 64.
	MaxPendingSession int
	// Dial opens a connection to a peer. Default: without TLS.
	Dial func(address string) (*grpc.ClientConn, error)
}

// lookAgain is how long Run waits before it looks again who owns a session, and lookTimes how often:
// a session that moves between replicas has a stream again within a second or two.
const (
	lookAgain = 100 * time.Millisecond
	lookTimes = 30
)

// Commander runs commands on executors. Safe for concurrent use. Close closes its connections to peers.
type Commander struct {
	config Config
	view   Viewer
	clock  clock.Clock
	log    *slog.Logger
	peers  *peers

	mu      sync.Mutex
	streams map[string]*stream
	pending map[string]*pending
	turn    uint64 // spreads commands over equal executors
}

type stream struct {
	number uint64
	send   func(*sluicev1.Command) error
	count  int // pending commands
}

type answer struct {
	result *sluicev1.CommandResult
	err    error
}

type pending struct {
	session string
	stream  *stream
	done    chan answer // one slot; the first answer counts
}

// New returns a commander that owns no stream yet.
func New(config Config, view Viewer, c clock.Clock, log *slog.Logger) *Commander {
	if config.Timeout <= 0 {
		config.Timeout = 30 * time.Second
	}
	if config.MaxPending <= 0 {
		config.MaxPending = 1024
	}
	if config.MaxPendingSession <= 0 {
		config.MaxPendingSession = 64
	}
	return &Commander{
		config: config, view: view, clock: c, log: log.With(logkey.Component, "command"),
		peers:   newPeers(config.Dial),
		streams: map[string]*stream{}, pending: map[string]*pending{},
	}
}

// Close fails whatever waits and closes the connections to peers.
func (c *Commander) Close() error {
	c.mu.Lock()
	for id, p := range c.pending {
		delete(c.pending, id)
		p.done <- answer{err: ErrStreamLost}
	}
	c.mu.Unlock()
	return c.peers.close()
}

// Register says that this replica now owns a session's stream. send must not block. The returned
// function takes that back and fails what waits for this stream; it may be called more than once.
func (c *Commander) Register(session string, number uint64, send func(*sluicev1.Command) error) (unregister func()) {
	s := &stream{number: number, send: send}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.streams[session]; old == nil || old.number < number {
		c.streams[session] = s
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.streams[session] == s {
			delete(c.streams, session)
		}
		for id, p := range c.pending {
			if p.stream == s {
				delete(c.pending, id)
				p.done <- answer{err: ErrStreamLost}
			}
		}
	}
}

// Run runs a command on the session's executor, wherever its stream is, and returns its answer. The
// command's id is set here; its timeout where it has none. An answer that is an error comes as error.
// Errors: NoExecutor where the session is gone or has no stream, ExecutorTimeout.
func (c *Commander) Run(ctx context.Context, session string, cmd *sluicev1.Command) (*sluicev1.CommandResult, error) {
	for n := 0; ; n++ {
		result, err := c.try(ctx, session, cmd)
		if err == nil {
			return result, resultError(result)
		}
		if !errors.Is(err, ErrNoStream) {
			return nil, err
		}
		if n >= lookTimes || c.gone(session) {
			return nil, fmt.Errorf("%w: %w", errs.New(errs.NoExecutor, "The executor's session %s is not connected to any replica of the control plane", session), ErrNoStream)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.clock.After(lookAgain):
		}
	}
}

func (c *Commander) gone(session string) bool {
	return c.view.View().Sessions[session] == nil && !c.owns(session)
}

func (c *Commander) owns(session string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[session] != nil
}

func (c *Commander) try(ctx context.Context, session string, cmd *sluicev1.Command) (*sluicev1.CommandResult, error) {
	// What this replica holds is newer than what its view says of it.
	if c.owns(session) {
		return c.runHere(ctx, session, cmd)
	}
	snap := c.view.View()
	s := snap.Sessions[session]
	if s == nil || s.Value.GetReplica() == "" || s.Value.GetReplica() == c.config.Replica {
		return nil, ErrNoStream
	}
	replica := snap.Replicas[s.Value.GetReplica()]
	if replica == nil {
		return nil, ErrNoStream
	}
	return c.runThere(ctx, snap, replica.Value.GetAddress(), session, cmd)
}

// timeout is the time a command has.
func (c *Commander) timeout(cmd *sluicev1.Command) time.Duration {
	if ms := cmd.GetTimeoutMs(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return c.config.Timeout
}

// runHere runs a command on a stream of this replica. ErrNoStream where it is not here.
func (c *Commander) runHere(ctx context.Context, session string, cmd *sluicev1.Command) (*sluicev1.CommandResult, error) {
	timeout := c.timeout(cmd)
	out := proto.CloneOf(cmd)
	out.Id = c.config.Replica + "/" + rand.Text()
	out.TimeoutMs = timeout.Milliseconds()

	c.mu.Lock()
	s := c.streams[session]
	if s == nil {
		c.mu.Unlock()
		return nil, ErrNoStream
	}
	if len(c.pending) >= c.config.MaxPending || s.count >= c.config.MaxPendingSession {
		c.mu.Unlock()
		return nil, errs.New(errs.ExecutorBusy, "Too many commands wait for an answer already, %d of them from session %s: try again later", s.count, session)
	}
	p := &pending{session: session, stream: s, done: make(chan answer, 1)}
	c.pending[out.GetId()] = p
	s.count++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, out.GetId())
		s.count--
		c.mu.Unlock()
	}()

	if err := s.send(out); err != nil {
		return nil, err
	}
	timer := c.clock.NewTimer(timeout)
	defer timer.Stop()
	select {
	case a := <-p.done:
		return a.result, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C():
		return nil, errs.New(errs.ExecutorTimeout, "Request timed out. Executor %s did not answer within %s", c.executor(session), timeout)
	}
}

func (c *Commander) executor(session string) string {
	if s := c.view.View().Sessions[session]; s != nil {
		return s.Value.GetExecutor()
	}
	return "of session " + session
}

// Complete hands an answer to whoever waits for it. ErrNotWaiting where nobody does.
func (c *Commander) Complete(session, id string, result *sluicev1.CommandResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending[id]
	if p == nil || p.session != session {
		return ErrNotWaiting
	}
	delete(c.pending, id)
	p.done <- answer{result: result}
	return nil
}

// waiter is the replica that waits for the answer to a command.
func waiter(id string) string {
	i := strings.LastIndexByte(id, '/')
	if i < 0 {
		return ""
	}
	return id[:i]
}
