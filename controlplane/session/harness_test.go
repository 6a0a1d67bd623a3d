package session_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/session"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 5 * time.Second

// replica is one control plane replica over a store that may be shared.
type replica struct {
	store     *fakeStore
	commander *command.Commander
	server    *session.Server
	grpc      *grpc.Server
	conn      *grpc.ClientConn
	client    sluicev1.SessionServiceClient
}

func newReplica(t *testing.T, id string, st *fakeStore) *replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &replica{store: st}
	r.commander = command.New(command.Config{Replica: id}, st, clock.Real(), log)
	r.server = session.New(session.Config{Replica: id}, st, r.commander, clock.Real(), log)
	r.grpc = grpc.NewServer(grpc.ChainUnaryInterceptor(api.Unary(log)), grpc.ChainStreamInterceptor(api.Stream(log)))
	sluicev1.RegisterSessionServiceServer(r.grpc, r.server)
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- r.grpc.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///"+id, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	r.conn, r.client = conn, sluicev1.NewSessionServiceClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		r.grpc.Stop()
		<-served //nolint:errcheck // its end is waited for
		if err := r.commander.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// executor is the client's end of a stream.
type executor struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[sluicev1.AttachRequest, sluicev1.AttachResponse]
	got    chan *sluicev1.AttachResponse
	err    chan error
	cancel context.CancelFunc
}

func (r *replica) attach(t *testing.T, h *sluicev1.Hello) *executor {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s, err := r.client.Attach(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e := &executor{t: t, stream: s, got: make(chan *sluicev1.AttachResponse, 1000), err: make(chan error, 1), cancel: cancel}
	go func() {
		for {
			m, err := s.Recv()
			if err != nil {
				e.err <- err
				return
			}
			e.got <- m
		}
	}()
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Hello{Hello: h}})
	return e
}

func (e *executor) send(m *sluicev1.AttachRequest) {
	e.t.Helper()
	if err := e.stream.Send(m); err != nil {
		e.t.Fatalf("send: %v", err)
	}
}

func (e *executor) next() *sluicev1.AttachResponse {
	e.t.Helper()
	select {
	case m := <-e.got:
		return m
	case err := <-e.err:
		select {
		case m := <-e.got: // what came before the end counts
			e.err <- err
			return m
		default:
		}
		e.t.Fatalf("the stream ended: %v", err)
	case <-time.After(patience):
		e.t.Fatal("nothing came")
	}
	return nil
}

func (e *executor) welcome() *sluicev1.Welcome {
	e.t.Helper()
	m := e.next()
	if m.GetWelcome() == nil {
		e.t.Fatalf("want welcome, have %v", m)
	}
	return m.GetWelcome()
}

func (e *executor) desired() *sluicev1.DesiredDelta {
	e.t.Helper()
	m := e.next()
	if m.GetDesired() == nil {
		e.t.Fatalf("want a delta, have %v", m)
	}
	return m.GetDesired()
}

func (e *executor) refusal() *sluicev1.Refusal {
	e.t.Helper()
	for {
		if m := e.next(); m.GetRefusal() != nil {
			return m.GetRefusal()
		}
	}
}

func (e *executor) quiet(d time.Duration) {
	e.t.Helper()
	select {
	case m := <-e.got:
		e.t.Fatalf("want nothing, have %v", m)
	case err := <-e.err:
		e.t.Fatalf("the stream ended: %v", err)
	case <-time.After(d):
	}
}

func hi(session string, stream uint64, executor string) *sluicev1.Hello {
	return &sluicev1.Hello{Session: session, Stream: stream, Executor: executor, Pool: "default", Process: "p-" + executor}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("did not happen: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
