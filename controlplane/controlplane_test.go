package controlplane_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// follower never leads.
type follower struct{}

func (follower) Run(ctx context.Context, _ election.Lead) error { <-ctx.Done(); return nil }

func start(t *testing.T, id string, b store.Backend, elect controlplane.Elect) *controlplane.ControlPlane {
	t.Helper()
	p, err := controlplane.New(controlplane.Config{ReplicaID: id, Listen: "127.0.0.1:0"}, b, elect, clock.Real(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Errorf("stop %s: %v", id, err)
		}
	})
	return p
}

func dial(t *testing.T, p *controlplane.ControlPlane) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(p.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// executor is a client that does what it is told: it validates everything, plans two tasks, and reports
// what it holds as running or, where it is told to release it, as released.
type executor struct {
	t      *testing.T
	client sluicev1.SessionServiceClient
	stream grpc.BidiStreamingClient[sluicev1.AttachRequest, sluicev1.AttachResponse]
	id     string

	mu    sync.Mutex
	holds map[string]*sluicev1.DesiredUnit
	acks  int
}

func attach(t *testing.T, conn *grpc.ClientConn, id string) *executor {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	client := sluicev1.NewSessionServiceClient(conn)
	s, err := client.Attach(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e := &executor{t: t, client: client, stream: s, id: id, holds: map[string]*sluicev1.DesiredUnit{}}
	hello := &sluicev1.Hello{Session: id, Stream: 1, Executor: id + ":1", Pool: "default", Process: id, Plugins: []*sluicev1.Plugin{{Class: "org.X", Aliases: []string{"X"}, Type: sluicev1.PluginType_PLUGIN_TYPE_SOURCE, Version: "1"}}}
	if err := s.Send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Hello{Hello: hello}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := s.Recv()
			if err != nil {
				return
			}
			e.handle(ctx, m)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func (e *executor) handle(ctx context.Context, m *sluicev1.AttachResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch m := m.GetMessage().(type) {
	case *sluicev1.AttachResponse_ReleaseAck:
		e.acks++
	case *sluicev1.AttachResponse_Command:
		if err := e.complete(ctx, m.Command.GetId()); err != nil && ctx.Err() == nil {
			e.t.Errorf("complete: %v", err)
		}
	case *sluicev1.AttachResponse_Desired:
		for _, u := range m.Desired.GetRemoved() {
			delete(e.holds, u)
		}
		for _, u := range m.Desired.GetUnits() {
			e.take(ctx, u)
		}
	}
}

func (e *executor) complete(ctx context.Context, id string) error {
	s, err := e.client.CompleteCommand(ctx)
	if err != nil {
		return err
	}
	b, err := proto.Marshal(&sluicev1.CommandResult{Result: &sluicev1.CommandResult_Validate{Validate: &sluicev1.ValidateResult{
		Name: "X", PluginClass: "org.X", Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE,
	}}})
	if err != nil {
		return err
	}
	if err := s.Send(&sluicev1.CompleteCommandRequest{Session: e.id, Id: id, Chunk: b}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, err = s.CloseAndRecv()
	return err
}

func (e *executor) take(ctx context.Context, u *sluicev1.DesiredUnit) {
	if u.GetRelease() != 0 {
		_ = e.stream.Send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Release{Release: &sluicev1.Release{Unit: u.GetUnit(), Epoch: u.GetEpoch(), Outcome: sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN}}})
		return
	}
	_, known := e.holds[u.GetUnit()]
	e.holds[u.GetUnit()] = u
	id, err := unit.Parse(u.GetUnit())
	if err != nil {
		e.t.Errorf("%v", err)
		return
	}
	if id.Kind == unit.KindConnector && !known && u.GetTargetState() == sluicev1.TargetState_TARGET_STATE_STARTED {
		switch err := e.plan(ctx, id.Name, u); {
		case ctx.Err() != nil: // the test is over
			return
		case status.Code(err) == codes.Unavailable: // the replica stops; another will ask again
			delete(e.holds, u.GetUnit())
			return
		case err != nil:
			e.t.Errorf("plan: %v", err)
		}
	}
	_ = e.stream.Send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{{Unit: u.GetUnit(), Epoch: u.GetEpoch(), State: sluicev1.State_STATE_RUNNING, Version: "1"}}}}})
}

func (e *executor) plan(ctx context.Context, name string, u *sluicev1.DesiredUnit) error {
	s, err := e.client.SubmitPlan(ctx)
	if err != nil {
		return err
	}
	v := "1"
	for i := range 2 {
		m := &sluicev1.SubmitPlanRequest{Tasks: []*sluicev1.Config{{Entries: []*sluicev1.ConfigEntry{{Key: "n" + string(rune('0'+i)), Value: &v}}}}}
		if i == 0 {
			m.Header = &sluicev1.PlanHeader{Session: e.id, Connector: name, Epoch: u.GetEpoch(), Sequence: 1, Incarnation: u.GetIncarnation(), ConfigGeneration: u.GetConfigGeneration(), PluginVersion: "1", TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE, TaskCount: 2}
		}
		if err := s.Send(m); err != nil {
			break
		}
	}
	_, err = s.CloseAndRecv()
	return err
}

func (e *executor) held() map[string]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]bool{}
	for u := range e.holds {
		out[u] = true
	}
	return out
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("did not happen: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func config(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

func TestReplica_BringsAConnectorFromItsCreationToRunningTasksAndAway(t *testing.T) {
	b := store.NewMemory(clock.Real())
	p := start(t, "r1", b, nil)
	conn := dial(t, p)
	if r, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("%v %v", r, err)
	}
	x1, x2 := attach(t, conn, "x1"), attach(t, conn, "x2")
	api := sluicev1.NewConnectorServiceClient(conn)
	await(t, "both are there", func() bool { return len(p.Store().View().Sessions) == 2 })
	if _, err := api.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: config("connector.class", "X")}); err != nil {
		t.Fatal(err)
	}
	status := func() *sluicev1.ConnectorStatus {
		r, err := api.GetConnectorStatus(t.Context(), &sluicev1.GetConnectorStatusRequest{Name: "a"})
		if err != nil {
			return nil
		}
		return r.GetStatus()
	}
	await(t, "both tasks run", func() bool {
		s := status()
		n := 0
		for _, task := range s.GetTasks() {
			if task.GetState() == sluicev1.State_STATE_RUNNING {
				n++
			}
		}
		return s.GetConnector().GetState() == sluicev1.State_STATE_RUNNING && n == 2
	})
	if _, err := api.DeleteConnector(t.Context(), &sluicev1.DeleteConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	await(t, "nothing of it is left", func() bool {
		v := p.Store().View()
		for _, e := range []*executor{x1, x2} {
			for u := range e.held() {
				if u != unit.Mirror.String() {
					return false
				}
			}
		}
		for u := range v.Assignments {
			if u.Connector() == "a" {
				return false
			}
		}
		return len(v.Statuses) == 0
	})
}

func TestReplica_RunsCommandsOnExecutorsOfAnotherAndItsStopMarksNothing(t *testing.T) {
	b := store.NewMemory(clock.Real())
	p1 := start(t, "r1", b, nil)
	p2 := start(t, "r2", b, func(*store.Store) election.Elector { return follower{} })
	attach(t, dial(t, p2), "x1")
	conn := dial(t, p1)
	await(t, "r1 sees the session", func() bool { return p1.Store().View().Sessions["x1"] != nil && len(p1.Store().View().Replicas) == 2 })
	if _, err := sluicev1.NewConnectorServiceClient(conn).CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: config("connector.class", "X")}); err != nil {
		t.Fatalf("validated across replicas: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p2.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "r2 is off the list", func() bool { return len(p1.Store().View().Replicas) == 1 })
	if s := p1.Store().View().Sessions["x1"]; s == nil || s.Value.GetLostSinceMs() != 0 {
		t.Errorf("a replica that stops marks nothing: %v", s)
	}
}

func TestReplica_KilledLeavesWhatADeathLeaves(t *testing.T) {
	b := store.NewMemory(clock.Real())
	p := start(t, "r1", b, nil)
	attach(t, dial(t, p), "x1")
	await(t, "the session is there", func() bool { return p.Store().View().Sessions["x1"] != nil })
	p.Kill()
	kvs, _, err := b.Get(t.Context(), "/sluice/sluice/replicas/", true)
	if err != nil || len(kvs) != 1 {
		t.Errorf("the dead replica stays listed until its lease lapses: %v %v", kvs, err)
	}
	// A process that owns its store forgets the sessions of its earlier life.
	again, err := controlplane.New(controlplane.Config{ReplicaID: "r2", Listen: "127.0.0.1:0", OwnsStore: true}, b, func(*store.Store) election.Elector { return follower{} }, clock.Real(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the old session is gone", func() bool { return len(again.Store().View().Sessions) == 0 })
	if err := again.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfig_ReportsEveryFaultAtOnce(t *testing.T) {
	_, err := controlplane.New(controlplane.Config{ReplicaID: "a b", FastFailover: -1}, store.NewMemory(clock.Real()), nil, clock.Real(), slog.New(slog.DiscardHandler))
	for _, key := range []string{"listen", "replica.id", "session.fast.failover.ms"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestModule_Composes(t *testing.T) {
	if err := fx.ValidateApp(controlplane.Module,
		fx.Supply(controlplane.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler), controlplane.Elect(controlplane.Sole)),
		fx.Provide(clock.Real, func(c clock.Clock) store.Backend { return store.NewMemory(c) })); err != nil {
		t.Error(err)
	}
}
