package api_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeValidator answers validations; nil answers that all is well.
type fakeValidator struct {
	progress func(session string) ([]*sluicev1.TaskProgress, error)
	answer   func(pool string, c *sluicev1.Config) (*sluicev1.ValidateResult, error)
	pools    []string
}

func (v *fakeValidator) Validate(_ context.Context, pool string, c *sluicev1.Config) (*sluicev1.ValidateResult, error) {
	v.pools = append(v.pools, pool)
	if v.answer != nil {
		return v.answer(pool, c)
	}
	return &sluicev1.ValidateResult{Name: "X", PluginClass: "org.X", Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE}, nil
}

func (v *fakeValidator) Offsets(_ context.Context, pool, class, connector string, _ *sluicev1.Config) ([]*sluicev1.PartitionOffset, error) {
	p, o := `{"of":"`+connector+`"}`, `{"lsn":9007199254740993}`
	return []*sluicev1.PartitionOffset{{Partition: &p, Offset: &o}}, nil
}

func (v *fakeValidator) Topics(_ context.Context, pool, connector string, forget bool) ([]string, error) {
	v.pools = append(v.pools, pool)
	if forget {
		return nil, nil
	}
	return []string{"t"}, nil
}

func (v *fakeValidator) Progress(_ context.Context, session, _ string) ([]*sluicev1.TaskProgress, error) {
	return v.progress(session)
}

type harness struct {
	t          *testing.T
	store      *store.Store
	validator  *fakeValidator
	connectors *api.Connectors
	plugins    *api.Plugins
	cluster    *api.Cluster
	guard      store.Guard
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st := store.New(store.NewMemory(clock.Real()), "test", clock.Real(), log)
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, store: st, validator: &fakeValidator{}}
	h.connectors, h.plugins, h.cluster = api.NewConnectors(st, h.validator), api.NewPlugins(st, h.validator), api.NewCluster(st, nil)
	if err := election.NewSole(st).Run(t.Context(), func(_ context.Context, g store.Guard) error { h.guard = g; return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := st.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

func pairs(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

func null(c *sluicev1.Config, key string) *sluicev1.Config {
	c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: key})
	return c
}

// look is the view after everything that was written.
func (h *harness) look() *state.Snapshot {
	h.t.Helper()
	if err := h.store.Barrier(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.store.View()
}

func (h *harness) create(name string, kv ...string) {
	h.t.Helper()
	_, err := h.connectors.CreateConnector(h.t.Context(), &sluicev1.CreateConnectorRequest{Name: name, Config: pairs(append([]string{"connector.class", "X"}, kv...)...)})
	if err != nil {
		h.t.Fatal(err)
	}
}

// grant assigns units to a session and returns their epochs.
func (h *harness) grant(units ...unit.ID) map[unit.ID]lease.Epoch {
	h.t.Helper()
	ctx := h.t.Context()
	if h.look().Sessions["s"] == nil {
		if _, err := h.store.OpenSession(ctx, "s", &storev1.Session{Executor: "x:1", Replica: "r", Stream: 1, KafkaClusterId: "k"}, time.Hour); err != nil {
			h.t.Fatal(err)
		}
	}
	mod := h.look().Sessions["s"].ModRevision
	var actions []state.Action
	for _, u := range units {
		actions = append(actions, state.Grant{Unit: u, SessionMod: mod, Value: &storev1.Assignment{Executor: "x:1", Session: "s"}})
	}
	if err := h.store.Apply(ctx, h.guard, actions); err != nil {
		h.t.Fatal(err)
	}
	out := map[unit.ID]lease.Epoch{}
	view := h.look()
	for _, u := range units {
		if view.Assignments[u] == nil {
			h.t.Fatalf("%s was not granted", u)
		}
		out[u] = view.Assignments[u].Epoch
	}
	return out
}

// plan makes a task set of n tasks and reports states: the connector's first, then the tasks'.
func (h *harness) plan(name string, n int, states ...sluicev1.State) {
	h.t.Helper()
	ctx := h.t.Context()
	c := h.look().Connectors[name]
	units := []unit.ID{unit.Connector(name)}
	var tasks []*sluicev1.Config
	for i := range n {
		units = append(units, unit.Task(name, i))
		tasks = append(tasks, pairs("n", string(rune('0'+i))))
	}
	epochs := h.grant(units...)
	if _, err := h.store.SubmitPlan(ctx, store.Plan{Connector: name, Incarnation: c.Incarnation, Generation: c.Value.GetConfigGeneration(), Epoch: epochs[units[0]], Sequence: 1, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE, Tasks: tasks}); err != nil {
		h.t.Fatal(err)
	}
	var writes []store.StatusWrite
	for i, s := range states {
		e := epochs[units[i]]
		writes = append(writes, store.StatusWrite{Unit: units[i], Epoch: e, Value: &storev1.Status{State: s, Executor: "x:1", Version: "1", Trace: "t", Epoch: &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}}})
	}
	if err := h.store.WriteStatuses(ctx, writes); err != nil {
		h.t.Fatal(err)
	}
}

// wantErr wants a reason and, where it is given, a message.
func wantErr(t *testing.T, what string, err error, reason errs.Reason, message string) {
	t.Helper()
	if err == nil || errs.ReasonOf(err) != reason || message != "" && err.Error() != message {
		t.Errorf("%s: %v (%s), want %q (%s)", what, err, errs.ReasonOf(err), message, reason)
	}
}
