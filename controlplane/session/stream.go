package session

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// stream is one executor's stream, from hello to its end.
//
//	open ─▶ served ─┬─ the connection dies ───▶ session marked lost (or deleted: drained and empty)
//	                ├─ a newer stream ────────▶ refusal, superseded
//	                ├─ the session lapses ────▶ refusal, lapsed
//	                └─ the replica stops ─────▶ nothing is marked
type stream struct {
	server *Server
	hello  *hello
	log    *slog.Logger

	in       *inbox[*sluicev1.AttachRequest]
	send     func(*sluicev1.AttachResponse) error // the writer's alone
	out      chan *sluicev1.AttachResponse        // to the writer
	sendErr  chan error                           // from the writer, one slot
	commands chan *sluicev1.Command
	ended    chan error    // one slot: ended from outside
	reported chan struct{} // closed when the reporter has ended
	written  chan struct{} // closed once the writer has ended
	acked    chan struct{} // one slot: there are acks

	mu   sync.Mutex
	acks []*sluicev1.ReleaseAck

	// The handler's alone.
	released   []*sluicev1.ReleaseAck
	adopting   []adoption
	adoptUntil time.Time
	sent       map[unit.ID]signature
	revision   int64 // of the view that was looked at last
	number     uint64
	whole      bool
}

// adoption is a held unit whose assignment still names an earlier session of the executor.
type adoption struct {
	unit    unit.ID
	epoch   lease.Epoch
	from    string
	rebound bool
}

// errGone ends the handler because its client is gone.
var errGone = errors.New("session: the executor's connection is gone")

// serve sends welcome and the desired set until the stream ends.
func (st *stream) serve(parent context.Context) error {
	s, h := st.server, st.hello
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	if err := s.adopt(st); err != nil {
		return err
	}
	defer s.drop(st)
	unregister := s.commands.Register(h.GetSession(), h.GetStream(), st.command)
	defer unregister()
	changed, unsubscribe := s.store.Subscribe()
	defer unsubscribe()

	if err := s.spawn(func(context.Context) { st.write(ctx) }); err != nil {
		return err
	}
	if err := s.spawn(func(group context.Context) { st.report(ctx, group) }); err != nil {
		cancel()
		<-st.written // it has had nothing to send
		return err
	}
	err := run.Call(func() error { return st.loop(ctx, changed) })
	if refused := (*refusalError)(nil); errors.As(err, &refused) && refused.reason == reasonDuplicate && !s.isStopping() {
		_ = st.markGone(err) // its units are for others; where it cannot be written they move later
	}
	cancel()
	<-st.reported // bounded: the reporter's last flush has a deadline
	sendable := true
	select { // a refusal is sent by the caller, and never beside the writer
	case <-st.written:
	case <-s.clock.After(writeTimeout):
		err, sendable = errGone, false
	}
	if sendable && errors.Is(err, errGone) {
		select {
		case err = <-st.ended: // both at once: what ended it is told to a client that only said goodbye
		default:
		}
	}
	if !errors.Is(err, errGone) {
		return err
	}
	cause := st.cause()
	if !s.isStopping() {
		if err := st.markGone(cause); err != nil && sendable {
			return err
		}
	}
	return ended(cause)
}

// cause is why the connection is gone. The reader ends right after it; it is not waited for long.
func (st *stream) cause() error {
	timer := st.server.clock.NewTimer(retryDelay)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-st.in.c:
			if !ok {
				return st.in.err
			}
		case <-timer.C():
			return errGone
		case <-st.server.stopping:
			return ErrStopping
		}
	}
}

func (st *stream) loop(ctx context.Context, changed <-chan struct{}) error {
	s := st.server
	welcome := &sluicev1.Welcome{
		Replica: s.config.Replica, TtlMs: s.config.Times.TTL.Milliseconds(), MarginMs: s.config.Times.Margin.Milliseconds(),
		StaticStabilityMaxMs: s.config.StaticStability.Milliseconds(), Released: st.released,
	}
	if err := st.put(ctx, &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	var again clock.Timer
	for {
		began := s.clock.Now()
		complete, err := st.sync(ctx)
		if err != nil {
			return err
		}
		rest := s.rest(began)
		if again != nil {
			again.Stop()
		}
		var retry <-chan time.Time
		if !complete {
			again = s.clock.NewTimer(retryDelay)
			retry = again.C()
		}
		if err := st.wait(ctx, changed, retry, rest); err != nil {
			return err
		}
	}
}

// Changes that come one upon another are looked at together: a loop that looks at everything leaves them alone for three times
// as long as its last look took, longestRest at most, so that its looks take a quarter of a core. A short look is no burden.
const (
	shortLook   = time.Millisecond
	longestRest = 50 * time.Millisecond
)

// rest is how long a look that began then is to be rested from.
func (s *Server) rest(began time.Time) time.Duration {
	took := s.clock.Now().Sub(began)
	if took < shortLook {
		return 0
	}
	return min(3*took, longestRest)
}

// wait returns when the desired set is to be looked at again, after rest at the earliest; meanwhile it passes acks and
// commands on.
func (st *stream) wait(ctx context.Context, changed <-chan struct{}, retry <-chan time.Time, rest time.Duration) error {
	heard := changed
	var rested <-chan time.Time
	if rest > 0 {
		t := st.server.clock.NewTimer(rest)
		defer t.Stop()
		heard, rested = nil, t.C()
	}
	for {
		select {
		case <-rested:
			heard, rested = changed, nil
		case _, ok := <-heard:
			if !ok {
				return ErrStopping // the store has stopped
			}
			return nil
		case <-retry:
			return nil
		case <-st.acked:
			if err := st.flushAcks(ctx); err != nil {
				return err
			}
		case cmd := <-st.commands:
			if err := st.put(ctx, &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Command{Command: cmd}}); err != nil {
				return err
			}
		case <-st.reported:
			select {
			case err := <-st.ended: // the reporter says why before it ends
				return err
			default:
			}
			return errGone
		case err := <-st.ended:
			return err
		case <-st.server.stopping:
			return ErrStopping
		case <-ctx.Done():
			return errGone
		}
	}
}

// put hands a message to the writer. An executor that reads nothing for a lease's time is cut off.
func (st *stream) put(ctx context.Context, m *sluicev1.AttachResponse) error {
	timer := st.server.clock.NewTimer(st.server.config.Times.Lease())
	defer timer.Stop()
	select {
	case st.out <- m:
		return nil
	case <-st.sendErr: //nolint:errcheck // the connection is gone, whatever it says
		return errGone
	case <-ctx.Done():
		return errGone
	case <-st.server.stopping:
		return ErrStopping
	case <-timer.C():
		return errs.New(errs.ExecutorTimeout, "The executor has read nothing from its stream for %s", st.server.config.Times.Lease())
	}
}

// write is the writer: the only goroutine that sends.
func (st *stream) write(ctx context.Context) {
	defer close(st.written)
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-st.out:
			if err := run.Call(func() error { return st.send(m) }); err != nil {
				st.sendErr <- err
				return
			}
		}
	}
}

func (st *stream) flushAcks(ctx context.Context) error {
	st.mu.Lock()
	acks := st.acks
	st.acks = nil
	st.mu.Unlock()
	for _, a := range acks {
		if err := st.put(ctx, &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_ReleaseAck{ReleaseAck: a}}); err != nil {
			return err
		}
	}
	return nil
}

// ack has a written release acknowledged.
func (st *stream) ack(a *sluicev1.ReleaseAck) {
	st.mu.Lock()
	st.acks = append(st.acks, a)
	st.mu.Unlock()
	select {
	case st.acked <- struct{}{}:
	default:
	}
}

// command queues a command; it never blocks.
func (st *stream) command(cmd *sluicev1.Command) error {
	select {
	case st.commands <- cmd:
		return nil
	default:
		return errs.New(errs.ExecutorBusy, "Executor %s has too many commands to take another: try again later", st.hello.GetExecutor())
	}
}

// end ends the stream from outside; the first reason counts.
func (st *stream) end(err error) {
	select {
	case st.ended <- err:
	default:
	}
}

// adopt makes st the session's stream on this replica and ends an older one.
func (s *Server) adopt(st *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := st.hello.GetSession()
	if old := s.streams[id]; old != nil {
		if old.hello.GetStream() >= st.hello.GetStream() {
			return superseded()
		}
		old.end(superseded())
	}
	s.streams[id] = st
	return nil
}

func (s *Server) drop(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := st.hello.GetSession()
	if s.streams[id] == st {
		delete(s.streams, id)
		delete(s.leases, id)
	}
}

// still says whether the view shows this session with this stream, and no newer process with its address.
func (st *stream) still(view *state.Snapshot) error {
	v := view.Sessions[st.hello.GetSession()]
	switch {
	case v == nil:
		return lapsed()
	case v.Value.GetStream() > st.hello.GetStream():
		return superseded()
	}
	if view.Revision < st.revision {
		// Where the leader is to know what was granted since, every executor has to say it: in its next hello.
		return errs.New(errs.StoreUnavailable, "etcd was restored from an older snapshot: attach anew")
	}
	st.revision = view.Revision
	if o := st.server.index.newer(view, v); o != nil {
		return duplicated(o)
	}
	return nil
}

// markGone records that the connection died, so that Kafka-fenced units can move early (DESIGN 4.7). The
// store compares the stream's number, so one that moved to another replica meanwhile is left alone. The
// session of an executor that was drained, holds nothing and has said goodbye is deleted. A refusal says
// that the session is not this stream's any more.
func (st *stream) markGone(cause error) error {
	s, id := st.server, st.hello.GetSession()
	ctx, cancel := context.WithTimeout(s.group.Context(), writeTimeout)
	defer cancel()
	if errors.Is(cause, io.EOF) && s.store.Barrier(ctx) == nil && st.empty(s.store.View()) {
		if err := s.store.DeleteSession(ctx, id); err == nil {
			st.log.Info("drained executor has left")
			return nil
		}
	}
	now := s.clock.Now().UnixMilli()
	err := s.store.UpdateSession(ctx, id, st.hello.GetStream(), func(v *storev1.Session) {
		v.Replica, v.LostSinceMs = "", now
	})
	// Where it cannot be written the session lapses instead: later, and as safe.
	st.log.Info("connection lost", "cause", fmt.Sprint(cause), "marked", err == nil, logkey.Err, err)
	switch {
	case errors.Is(err, store.ErrSuperseded):
		return superseded()
	case errors.Is(err, store.ErrLapsed):
		return lapsed()
	}
	return nil
}

// empty says whether the session drains, is this stream's and holds nothing.
func (st *stream) empty(view *state.Snapshot) bool {
	v := view.Sessions[st.hello.GetSession()]
	return v != nil && v.Value.GetDraining() && v.Value.GetStream() == st.hello.GetStream() &&
		len(st.server.index.of(view, st.hello.GetSession())) == 0
}
