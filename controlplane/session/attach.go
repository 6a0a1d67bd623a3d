package session

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Bounds of a hello. What goes into the session's value is below etcd's limit of a transaction.
const (
	maxName    = 255
	maxLabels  = 64
	maxPlugins = 1000
	maxUnits   = 200_000
)

// Attach implements SessionService: hello, then the desired set down and reports up until either side ends.
func (s *Server) Attach(g grpc.BidiStreamingServer[sluicev1.AttachRequest, sluicev1.AttachResponse]) error {
	in, err := receive(s, g.Context(), g.Recv)
	if err != nil {
		return err
	}
	first, err := in.next(g.Context(), s, "the first message, hello,")
	if err != nil {
		return ended(err)
	}
	h, err := parseHello(first.GetHello())
	if err != nil {
		return err
	}
	st := &stream{
		server: s, hello: h, in: in, send: g.Send,
		out: make(chan *sluicev1.AttachResponse), sendErr: make(chan error, 1),
		ended: make(chan error, 1), commands: make(chan *sluicev1.Command, 64),
		acked: make(chan struct{}, 1), reported: make(chan struct{}), written: make(chan struct{}),
		sent: map[unit.ID]signature{},
		log:  s.log.With(logkey.Executor, h.Executor, logkey.Session, h.Session, "stream", h.Stream),
	}
	err = st.open(g.Context())
	if err == nil {
		err = st.serve(g.Context())
	}
	var refused *refusalError
	if errors.As(err, &refused) {
		st.log.Info("stream refused", "reason", refused.reason)
		return g.Send(&sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Refusal{
			Refusal: &sluicev1.Refusal{Reason: refused.reason, Message: refused.message},
		}})
	}
	return ended(err)
}

// ended turns the end of a stream by its client into the end of the call.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// hello is a checked Hello.
type hello struct {
	*sluicev1.Hello
	held     map[unit.ID]lease.Epoch
	releases []release
}

type release struct {
	unit     unit.ID
	epoch    lease.Epoch
	outcome  sluicev1.ReleaseOutcome
	unfenced bool
	ack      *sluicev1.ReleaseAck
}

func parseHello(h *sluicev1.Hello) (*hello, error) {
	bad := func(format string, args ...any) (*hello, error) {
		return nil, errs.New(errs.RequestMalformed, "hello: "+format, args...)
	}
	if h == nil {
		return bad("the first message of a stream must be hello")
	}
	for _, f := range []struct {
		key, value string
		needed     bool
	}{{"session", h.GetSession(), true}, {"executor", h.GetExecutor(), true}, {"pool", h.GetPool(), false}, {"process", h.GetProcess(), false}, {"version", h.GetVersion(), false}, {"kafka_cluster_id", h.GetKafkaClusterId(), false}} {
		if f.needed && f.value == "" {
			return bad("%s is empty", f.key)
		}
		if len(f.value) > maxName || !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' }) {
			return bad("%s must be at most %d bytes without control characters", f.key, maxName)
		}
	}
	switch {
	case strings.Contains(h.GetSession(), "/"):
		return bad("session %q must not contain a slash", h.GetSession())
	case h.GetStream() == 0:
		return bad("stream is 0: it counts from 1")
	case h.GetCapacity() < 0:
		return bad("capacity is %d: it must be 0 (no limit) or more", h.GetCapacity())
	case len(h.GetLabels()) > maxLabels:
		return bad("labels: %d are too many: at most %d", len(h.GetLabels()), maxLabels)
	case len(h.GetPlugins()) > maxPlugins:
		return bad("plugins: %d are too many: at most %d", len(h.GetPlugins()), maxPlugins)
	case len(h.GetHeld()) > maxUnits || len(h.GetReleases()) > maxUnits:
		return bad("held and releases: %d and %d are too many: at most %d", len(h.GetHeld()), len(h.GetReleases()), maxUnits)
	}
	if h.Pool == "" {
		h.Pool = "default"
	}
	if h.Process == "" {
		h.Process = h.Session
	}
	out := &hello{Hello: h, held: map[unit.ID]lease.Epoch{}}
	for _, u := range h.GetHeld() {
		// A unit of a kind that this version does not know is not in its store: it is not adopted.
		if id, err := unit.Parse(u.GetUnit()); err == nil {
			out.held[id] = epoch(u.GetEpoch())
		}
	}
	for _, r := range h.GetReleases() {
		out.releases = append(out.releases, parseRelease(r))
	}
	return out, nil
}

// parseRelease checks a release. One of an unknown unit has the zero unit: it is acknowledged, as there
// is nothing to write.
func parseRelease(r *sluicev1.Release) release {
	out := release{epoch: epoch(r.GetEpoch()), outcome: r.GetOutcome(), unfenced: r.GetPredecessorUnfenced(),
		ack: &sluicev1.ReleaseAck{Unit: r.GetUnit(), Epoch: r.GetEpoch()}}
	if id, err := unit.Parse(r.GetUnit()); err == nil {
		out.unit = id
	}
	return out
}

// describe writes what hello says into the session's value.
func (h *hello) describe(v *storev1.Session) {
	v.Executor, v.Pool, v.Capacity = h.GetExecutor(), h.GetPool(), h.GetCapacity()
	v.Labels, v.Version, v.Draining = h.GetLabels(), h.GetVersion(), h.GetDraining()
	v.KafkaClusterId, v.HighestEpoch, v.Process = h.GetKafkaClusterId(), h.GetHighestEpoch(), h.GetProcess()
	v.LostSinceMs = 0
	v.Plugins = nil
	for _, p := range h.GetPlugins() {
		v.Plugins = append(v.Plugins, &sluicev1.Plugin{Class: p.GetClass(), Aliases: p.GetAliases(), Type: p.GetType(), Version: p.GetVersion()})
	}
}

// duplicate is a live session of another process with the same address, that is newer than hello's. A
// process's very first stream is always the newest; two old ones are told apart by whose session was
// opened last.
func (h *hello) duplicate(view *state.Snapshot) *state.Session {
	if h.GetStream() <= 1 {
		return nil
	}
	var own int64
	if v := view.Sessions[h.GetSession()]; v != nil {
		own = v.Created
	}
	for _, o := range view.Sessions {
		v := o.Value
		if o.ID != h.GetSession() && v.GetExecutor() == h.GetExecutor() && v.GetProcess() != h.GetProcess() && served(o) && o.Created > own {
			return o
		}
	}
	return nil
}

// served says whether some replica has the session's stream.
func served(s *state.Session) bool {
	return s.Value.GetReplica() != "" && s.Value.GetLostSinceMs() == 0
}

// open opens the session or takes it over, writes hello's releases and finds what may be adopted. After
// it this replica owns the session, unless it returns an error.
func (st *stream) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s, h := st.server, st.hello
	if err := s.barrier(ctx); err != nil {
		return err
	}
	view := s.store.View()
	if o := h.duplicate(view); o != nil {
		return duplicated(o)
	}
	if err := st.claim(ctx, view); err != nil {
		return err
	}
	st.log.Info("stream opened", "pool", h.GetPool(), "held", len(h.held), "releases", len(h.releases))
	released := map[unit.ID]bool{}
	for _, r := range h.releases {
		if r.unit != (unit.ID{}) {
			if err := s.store.WriteRelease(ctx, r.unit, r.epoch, int32(r.outcome), r.unfenced); err != nil {
				return unavailable(err)
			}
			released[r.unit] = true
		}
		st.released = append(st.released, r.ack)
	}
	// From here on the view shows this session with this stream, until it is gone or another's.
	if err := s.barrier(ctx); err != nil {
		return err
	}
	st.adoptUntil = s.clock.Now().Add(s.config.Times.Lease())
	for u, e := range h.held {
		a := s.store.View().Assignments[u]
		if a != nil && a.Epoch == e && a.Value.GetExecutor() == h.GetExecutor() && a.Value.GetSession() != h.GetSession() && !released[u] {
			st.adopting = append(st.adopting, adoption{unit: u, epoch: e, from: a.Value.GetSession()})
		}
	}
	return nil
}

// claim makes this replica the owner of the session with this stream's number.
func (st *stream) claim(ctx context.Context, view *state.Snapshot) error {
	s, h := st.server, st.hello
	have := view.Sessions[h.GetSession()]
	if have != nil {
		if have.Value.GetStream() >= h.GetStream() {
			return superseded()
		}
		err := s.store.TakeSession(ctx, h.GetSession(), h.GetStream(), s.config.Replica, h.describe)
		switch {
		case errors.Is(err, store.ErrSuperseded):
			return superseded()
		case errors.Is(err, store.ErrLapsed), errors.Is(err, store.ErrNotFound):
			return lapsed()
		case err != nil:
			return unavailable(err)
		}
		return nil
	}
	// Promise 2: the id of a session that lapsed is never opened again while an assignment names it, or
	// the leader's transaction that takes the unit away could cross with the executor's going on.
	for _, a := range view.Assignments {
		if a.Value.GetSession() == h.GetSession() {
			return lapsed()
		}
	}
	v := &storev1.Session{Replica: s.config.Replica, Stream: h.GetStream()}
	h.describe(v)
	id, err := s.store.OpenSession(ctx, h.GetSession(), v, s.config.Times.Lease())
	switch {
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrSuperseded), errors.Is(err, store.ErrConflict):
		return superseded()
	case errors.Is(err, store.ErrLapsed):
		return lapsed()
	case err != nil:
		return unavailable(err)
	}
	s.mu.Lock()
	s.leases[h.GetSession()] = id
	s.mu.Unlock()
	return nil
}
