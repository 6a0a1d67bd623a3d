package command_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type view struct {
	mu   sync.Mutex
	snap state.Snapshot
}

func (v *view) View() *state.Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.snap
	return &s
}

func session(id, replica, pool string, classes ...string) *state.Session {
	v := &storev1.Session{Executor: id + ":1", Replica: replica, Pool: pool, Stream: 1}
	for _, c := range classes {
		v.Plugins = append(v.Plugins, &sluicev1.Plugin{Class: "org." + c, Aliases: []string{c}, Type: sluicev1.PluginType_PLUGIN_TYPE_SINK, Version: "1"})
	}
	return &state.Session{ID: id, Value: v}
}

func sessions(all ...*state.Session) map[string]*state.Session {
	out := map[string]*state.Session{}
	for _, s := range all {
		out[s.ID] = s
	}
	return out
}

func newCommander(t *testing.T, config command.Config, v *view, c clock.Clock) *command.Commander {
	t.Helper()
	out := command.New(config, v, c, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = out.Close() })
	return out
}

var validate = &sluicev1.Command{Command: &sluicev1.Command_Validate{Validate: &sluicev1.ValidateCommand{}}}

func answer(name string) *sluicev1.CommandResult {
	return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Validate{Validate: &sluicev1.ValidateResult{Name: name}}}
}

func TestAny_SaysWhatThereIs(t *testing.T) {
	lost := session("lost", "r", "default", "A")
	lost.Value.LostSinceMs = 5
	catalogue := []*state.Plugin{{Pool: "default", Value: &storev1.PluginEntry{Plugin: &sluicev1.Plugin{Class: "org.Known", Type: sluicev1.PluginType_PLUGIN_TYPE_SOURCE}}}}
	for _, c := range []struct {
		what        string
		snap        state.Snapshot
		pool, class string
		reason      errs.Reason
		says        string
	}{
		{"nobody", state.Snapshot{}, "", "A", errs.NoExecutor, "No executor is connected"},
		{"only lost ones", state.Snapshot{Sessions: sessions(lost)}, "", "A", errs.NoExecutor, "No executor is connected"},
		{"another pool", state.Snapshot{Sessions: sessions(session("a", "r", "fat", "A"))}, "default", "A", errs.NoExecutorForPlugin, "pools that have it: fat"},
		{"no such pool", state.Snapshot{Sessions: sessions(session("a", "r", "fat", "A"))}, "default", "B", errs.NoExecutor, "pools with executors: fat"},
		{"catalogued", state.Snapshot{Sessions: sessions(session("a", "r", "default", "A")), Plugins: catalogue}, "default", "org.Known", errs.NoExecutorForPlugin, "is known"},
		{"unknown", state.Snapshot{Sessions: sessions(session("a", "r", "default", "A"))}, "default", "Nope", errs.ClassUnknown, "Failed to find any class that implements Connector and which name matches Nope, available connectors are: PluginDesc{klass=class org.A, "},
		{"not trimmed", state.Snapshot{Sessions: sessions(session("a", "r", "default", "A"))}, "", " A", errs.ClassUnknown, ""},
	} {
		cm := newCommander(t, command.Config{Replica: "r"}, &view{snap: c.snap}, clock.Real())
		key, class := "connector.class", c.class
		_, err := cm.Validate(t.Context(), c.pool, &sluicev1.Config{Entries: []*sluicev1.ConfigEntry{{Key: key, Value: &class}}})
		if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%s)", c.what, err, errs.ReasonOf(err))
		}
	}
}

func TestAny_TakesTurnsAndSparesWhatDrains(t *testing.T) {
	draining := session("d", "r", "default", "A")
	draining.Value.Draining = true
	cm := newCommander(t, command.Config{Replica: "r"}, &view{snap: state.Snapshot{Sessions: sessions(draining, session("a", "r", "default", "A"), session("b", "r", "fat", "A"))}}, clock.Real())
	seen := map[string]int{}
	for range 10 {
		s, err := cm.Any(t.Context(), "A")
		if err != nil {
			t.Fatal(err)
		}
		seen[s]++
	}
	if seen["a"] != 5 || seen["b"] != 5 {
		t.Errorf("%v", seen)
	}
}

func TestRun_EndsWithItsDeadline(t *testing.T) {
	fake := clock.NewFake(time.Unix(1000, 0))
	cm := newCommander(t, command.Config{Replica: "r", Timeout: time.Minute}, &view{snap: state.Snapshot{Sessions: sessions(session("a", "r", "default", "A"))}}, fake)
	sent := make(chan *sluicev1.Command, 1)
	defer cm.Register("a", 1, func(c *sluicev1.Command) error { sent <- c; return nil })()
	done := make(chan error, 1)
	go func() { _, err := cm.Run(t.Context(), "a", validate); done <- err }()
	cmd := <-sent
	for fake.Waiters() == 0 {
		<-time.After(time.Millisecond)
	}
	fake.Advance(time.Minute)
	if err := <-done; errs.ReasonOf(err) != errs.ExecutorTimeout || !strings.Contains(err.Error(), "a:1") {
		t.Errorf("%v", err)
	}
	if err := cm.Complete("a", cmd.GetId(), answer("late")); !errors.Is(err, command.ErrNotWaiting) {
		t.Errorf("a late answer: %v", err)
	}
}

func TestRun_BoundsWhatWaits(t *testing.T) {
	cm := newCommander(t, command.Config{Replica: "r", MaxPendingSession: 2}, &view{}, clock.Real())
	sent := make(chan *sluicev1.Command, 8)
	unregister := cm.Register("a", 1, func(c *sluicev1.Command) error { sent <- c; return nil })
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := cm.Run(t.Context(), "a", validate); done <- err }()
	}
	<-sent
	<-sent
	if _, err := cm.Run(t.Context(), "a", validate); errs.ReasonOf(err) != errs.ExecutorBusy {
		t.Errorf("%v", err)
	}
	unregister()
	unregister()
	for range 2 {
		if err := <-done; !errors.Is(err, command.ErrStreamLost) {
			t.Errorf("what waits for a lost stream fails at once: %v", err)
		}
	}
}

func TestValidate_AsksAnotherExecutorWhereTheStreamIsLost(t *testing.T) {
	v := &view{snap: state.Snapshot{Sessions: sessions(session("a", "r", "default", "A"), session("b", "r", "default", "A"))}}
	cm := newCommander(t, command.Config{Replica: "r"}, v, clock.Real())
	asked := make(chan string, 4)
	var once sync.Once
	for _, id := range []string{"a", "b"} {
		var unregister func()
		unregister = cm.Register(id, 1, func(c *sluicev1.Command) error {
			asked <- id
			first := false
			once.Do(func() { first = true })
			go func() {
				if first {
					unregister()
					return
				}
				if err := cm.Complete(id, c.GetId(), answer("ok")); err != nil {
					t.Error(err)
				}
			}()
			return nil
		})
	}
	class := "A"
	r, err := cm.Validate(t.Context(), "default", &sluicev1.Config{Entries: []*sluicev1.ConfigEntry{{Key: "connector.class", Value: &class}}})
	if err != nil || r.GetName() != "ok" {
		t.Fatalf("%v %v", r, err)
	}
	if one, two := <-asked, <-asked; one == two {
		t.Errorf("%s was asked twice", one)
	}
}

func TestRun_ReachesTheReplicaThatOwnsTheStream(t *testing.T) {
	v := &view{snap: state.Snapshot{
		Sessions: sessions(session("a", "r2", "default", "A")),
		Replicas: map[string]*state.Replica{"r1": {ID: "r1", Value: &storev1.Replica{Address: "r1"}}, "r2": {ID: "r2", Value: &storev1.Replica{Address: "r2"}}},
	}}
	listeners := map[string]*bufconn.Listener{"r1": bufconn.Listen(1 << 16), "r2": bufconn.Listen(1 << 16)}
	dial := func(address string) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listeners[address].DialContext(ctx) }))
	}
	r1 := newCommander(t, command.Config{Replica: "r1", Dial: dial}, v, clock.Real())
	r2 := newCommander(t, command.Config{Replica: "r2", Dial: dial}, v, clock.Real())
	log := slog.New(slog.DiscardHandler)
	srv := grpc.NewServer(grpc.ChainUnaryInterceptor(api.Unary(log)))
	sluicev1.RegisterPeerServiceServer(srv, command.NewPeer(r2))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listeners["r2"]) }()
	t.Cleanup(func() { srv.Stop(); <-served }) //nolint:errcheck // its end is waited for

	result := answer("there")
	register := func() func() {
		return r2.Register("a", 1, func(c *sluicev1.Command) error {
			if !strings.HasPrefix(c.GetId(), "r2/") {
				t.Errorf("the id %q does not name the replica that waits", c.GetId())
			}
			go func() { _ = r2.Complete("a", c.GetId(), result) }()
			return nil
		})
	}
	unregister := register()
	got, err := r1.Run(t.Context(), "a", validate)
	if err != nil || got.GetValidate().GetName() != "there" {
		t.Fatalf("%v %v", got, err)
	}
	result = &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Error{Error: &sluicev1.CommandError{Reason: string(errs.KafkaUnavailable), Message: "no broker"}}}
	if _, err := r1.Run(t.Context(), "a", validate); errs.ReasonOf(err) != errs.KafkaUnavailable || err.Error() != "no broker" {
		t.Errorf("an executor's error keeps its reason: %v", err)
	}
	if err := r1.Fence(t.Context(), "default", unit.Task("t", 0), lease.Epoch{Revision: 3}, nil); errs.ReasonOf(err) != errs.KafkaUnavailable {
		t.Errorf("%v", err)
	}
	// The stream moves: the owner is looked for again.
	unregister()
	done := make(chan error, 1)
	go func() { _, err := r1.Run(t.Context(), "a", validate); done <- err }()
	result = answer("again")
	defer register()()
	if err := <-done; err != nil {
		t.Errorf("%v", err)
	}
}
