package agent_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	ttl    = 10 * time.Second
	margin = 5 * time.Second
	static = time.Minute
)

// beat is a heartbeat that was received.
type beat struct {
	*sluicev1.HeartbeatRequest
	at   time.Duration // boot time of the executor, which stands still while the heartbeat is on its way
	conn string
}

type beatAnswer = func(context.Context, *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error)

// answered is what a healthy control plane does.
func answered(_ context.Context, m *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
	return &sluicev1.HeartbeatResponse{Number: m.GetNumber()}, nil
}

// refused is a replica that cannot renew.
func refused(context.Context, *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
	return nil, status.Error(codes.Unavailable, "no quorum")
}

// lapsed answers that the session of a stream has lapsed; all others live.
func lapsed(st *stream) beatAnswer {
	return func(_ context.Context, m *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
		return &sluicev1.HeartbeatResponse{Number: m.GetNumber(), Lapsed: m.GetSession() == st.GetSession()}, nil
	}
}

// held answers once the channel is closed, even where nobody listens any more.
func held(until <-chan struct{}) beatAnswer {
	return func(ctx context.Context, m *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
		<-until
		return answered(ctx, m)
	}
}

// never answers nothing as long as the stream lives.
func never(ctx context.Context, _ *sluicev1.HeartbeatRequest) (*sluicev1.HeartbeatResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// plane is a control plane that says what a test has it say.
type plane struct {
	clock   clock.Clock
	closing chan struct{}

	mu       sync.Mutex
	hello    func(*sluicev1.Hello) *sluicev1.AttachResponse // the answer to a hello; nil is none
	beat     beatAnswer
	register error

	streams    []*stream
	beats      []beat
	registered []*sluicev1.RegisterPluginsRequest
	answers    map[string][]*sluicev1.CompleteCommandRequest
	plans      [][]*sluicev1.SubmitPlanRequest
	calls      map[string]map[string]int // connection → call
}

func newPlane(c clock.Clock) *plane {
	return &plane{clock: c, closing: make(chan struct{}), hello: welcome(nil), beat: answered,
		answers: map[string][]*sluicev1.CompleteCommandRequest{}, calls: map[string]map[string]int{}}
}

func welcome(change func(*sluicev1.Hello, *sluicev1.Welcome)) func(*sluicev1.Hello) *sluicev1.AttachResponse {
	return func(h *sluicev1.Hello) *sluicev1.AttachResponse {
		w := &sluicev1.Welcome{Replica: "r1", TtlMs: ttl.Milliseconds(), MarginMs: margin.Milliseconds(), StaticStabilityMaxMs: static.Milliseconds()}
		if change != nil {
			change(h, w)
		}
		return &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Welcome{Welcome: w}}
	}
}

func refusal(reason, message string) func(*sluicev1.Hello) *sluicev1.AttachResponse {
	return func(*sluicev1.Hello) *sluicev1.AttachResponse {
		return &sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Refusal{Refusal: &sluicev1.Refusal{Reason: reason, Message: message}}}
	}
}

// onHello, onBeat and onRegister say how what comes from now on is answered.
func (p *plane) onHello(f func(*sluicev1.Hello) *sluicev1.AttachResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hello = f
}

func (p *plane) onBeat(f beatAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat = f
}

func (p *plane) onRegister(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.register = err
}

// see reads what was received.
func see[T any](p *plane, f func() T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f()
}

func (p *plane) lastBeat() beat {
	return see(p, func() beat { return p.beats[len(p.beats)-1] })
}

// stream is one executor's stream, as the control plane sees it.
type stream struct {
	*sluicev1.Hello
	plane  *plane
	grpc   grpc.BidiStreamingServer[sluicev1.AttachRequest, sluicev1.AttachResponse]
	end    chan error
	number uint64
	got    []*sluicev1.AttachRequest // under plane.mu
}

// say sends a message; its error is that of a stream that has ended.
func (s *stream) say(m *sluicev1.AttachResponse) error { return s.grpc.Send(m) }

// desire sends the next delta, whole or not.
func (s *stream) desire(whole bool, units ...*sluicev1.DesiredUnit) { s.delta(whole, nil, units...) }

func (s *stream) delta(whole bool, removed []string, units ...*sluicev1.DesiredUnit) {
	s.number++
	_ = s.say(&sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Desired{Desired: &sluicev1.DesiredDelta{
		Number: s.number, Units: units, Removed: removed, Whole: whole}}}) // a test sees whether it came
}

func (s *stream) ack(u unit.ID, revision int64) {
	_ = s.say(&sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_ReleaseAck{ReleaseAck: &sluicev1.ReleaseAck{Unit: u.String(), Epoch: epoch(revision)}}})
}

func (s *stream) command(id string, timeout time.Duration) {
	_ = s.say(&sluicev1.AttachResponse{Message: &sluicev1.AttachResponse_Command{Command: &sluicev1.Command{Id: id, TimeoutMs: timeout.Milliseconds()}}})
}

// open says whether the executor still listens.
func (s *stream) open() bool { return s.grpc.Context().Err() == nil }

func of[T any](s *stream, f func(*sluicev1.AttachRequest) T, is func(T) bool) (out []T) {
	for _, m := range see(s.plane, func() []*sluicev1.AttachRequest { return s.got }) {
		if v := f(m); is(v) {
			out = append(out, v)
		}
	}
	return out
}

func (s *stream) releases() []*sluicev1.Release {
	return of(s, (*sluicev1.AttachRequest).GetRelease, func(r *sluicev1.Release) bool { return r != nil })
}

func (s *stream) statuses() (out []*sluicev1.UnitStatus) {
	for _, r := range of(s, (*sluicev1.AttachRequest).GetStatus, func(r *sluicev1.StatusReport) bool { return r != nil }) {
		out = append(out, r.GetStatuses()...)
	}
	return out
}

func (s *stream) fences() []*sluicev1.FenceReport {
	return of(s, (*sluicev1.AttachRequest).GetFence, func(r *sluicev1.FenceReport) bool { return r != nil })
}

func (s *stream) prepared() []*sluicev1.Prepared {
	return of(s, (*sluicev1.AttachRequest).GetPrepared, func(r *sluicev1.Prepared) bool { return r != nil })
}

func (s *stream) drains() int {
	return len(of(s, (*sluicev1.AttachRequest).GetDrain, func(d *sluicev1.Drain) bool { return d != nil }))
}

// server is the plane behind one connection.
type server struct {
	sluicev1.UnimplementedSessionServiceServer
	*plane
	conn string
}

func (s *server) Attach(g grpc.BidiStreamingServer[sluicev1.AttachRequest, sluicev1.AttachResponse]) error {
	first, err := g.Recv()
	if err != nil {
		return err
	}
	st := &stream{Hello: first.GetHello(), plane: s.plane, grpc: g, end: make(chan error, 1)}
	s.mu.Lock()
	s.streams = append(s.streams, st)
	answer := s.hello(st.Hello)
	s.mu.Unlock()
	if answer != nil {
		if err := g.Send(answer); err != nil {
			return err
		}
	}
	if answer.GetRefusal() != nil {
		return nil
	}
	go func() {
		for {
			m, err := g.Recv()
			if err != nil {
				return
			}
			s.mu.Lock()
			st.got = append(st.got, m)
			s.mu.Unlock()
		}
	}()
	// It outlives its executor's interest, so that a test can have an old stream speak.
	select {
	case err := <-st.end:
		return err
	case <-s.closing:
		return nil
	}
}

func (s *server) Heartbeat(g grpc.BidiStreamingServer[sluicev1.HeartbeatRequest, sluicev1.HeartbeatResponse]) error {
	for {
		m, err := g.Recv()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.plane.beats = append(s.plane.beats, beat{HeartbeatRequest: m, at: s.clock.Boot(), conn: s.conn})
		answer := s.plane.beat
		s.mu.Unlock()
		r, err := answer(g.Context(), m)
		if err != nil {
			return err
		}
		if err := g.Send(r); err != nil {
			return err
		}
	}
}

func (s *server) RegisterPlugins(_ context.Context, r *sluicev1.RegisterPluginsRequest) (*sluicev1.RegisterPluginsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered = append(s.registered, r)
	return &sluicev1.RegisterPluginsResponse{}, s.register
}

func (s *server) CompleteCommand(g grpc.ClientStreamingServer[sluicev1.CompleteCommandRequest, sluicev1.CompleteCommandResponse]) error {
	for {
		m, err := g.Recv()
		if err != nil {
			return g.SendAndClose(&sluicev1.CompleteCommandResponse{})
		}
		s.mu.Lock()
		s.answers[m.GetId()] = append(s.answers[m.GetId()], m)
		s.mu.Unlock()
	}
}

func (s *server) SubmitPlan(g grpc.ClientStreamingServer[sluicev1.SubmitPlanRequest, sluicev1.SubmitPlanResponse]) error {
	var got []*sluicev1.SubmitPlanRequest
	for {
		m, err := g.Recv()
		if err != nil {
			s.mu.Lock()
			s.plans = append(s.plans, got)
			s.mu.Unlock()
			return g.SendAndClose(&sluicev1.SubmitPlanResponse{})
		}
		got = append(got, m)
	}
}

// dial opens a connection of its own to the plane; what goes over it is counted under its name.
func (p *plane) dial(t *testing.T, name string) (conn *grpc.ClientConn, stop func()) {
	t.Helper()
	count := func(method string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.calls[name] == nil {
			p.calls[name] = map[string]int{}
		}
		p.calls[name][method]++
	}
	s := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			count(info.FullMethod)
			return h(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			count(info.FullMethod)
			return h(srv, ss)
		}))
	sluicev1.RegisterSessionServiceServer(s, &server{plane: p, conn: name})
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///"+name, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	return conn, func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		<-served //nolint:errcheck // its end is waited for
	}
}

func epoch(revision int64) *sluicev1.Epoch { return &sluicev1.Epoch{Revision: revision} }

func epochOf(e *sluicev1.Epoch) lease.Epoch {
	return lease.Epoch{Era: e.GetEra(), Revision: e.GetRevision()}
}
