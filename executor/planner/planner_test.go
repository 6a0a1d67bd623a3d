package planner

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// plugin is a connector that plans what it is told.
type testConnector struct {
	mu      sync.Mutex
	cc      connectors.ConnectorContext
	tasks   []map[string]string
	started int
	stopped int
}

func (c *testConnector) Start(_ context.Context, cc connectors.ConnectorContext, _ map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cc = cc
	c.started++
	return nil
}

func (c *testConnector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tasks, nil
}

func (c *testConnector) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped++
	return nil
}
func (*testConnector) NewTask() connectors.SourceTask { return nil }

func (c *testConnector) plan(tasks ...map[string]string) { c.mu.Lock(); c.tasks = tasks; c.mu.Unlock() }

type env struct{ again chan struct{} }

// Again implements supervisor.Parker.
func (e env) Again() {
	select {
	case e.again <- struct{}{}:
	default:
	}
}

// run runs an instance as the supervisor does.
func (e env) run(ctx context.Context, in supervisor.Instance) error {
	for {
		if err := in.Run(ctx); !errors.Is(err, supervisor.ErrParked) {
			return err
		}
		<-e.again
	}
}

func (env) Logger() *slog.Logger          { return slog.New(slog.DiscardHandler) }
func (env) RightLeft() time.Duration      { return time.Hour }
func (env) Confirm(context.Context) error { return nil }
func (env) Running()                      {}
func (env) Fenced()                       {}
func (env) Warn(string)                   {}

// submitted are the plans that the control plane got.
type submitted struct {
	mu    sync.Mutex
	heads []*sluicev1.PlanHeader
	tasks [][]*sluicev1.Config
}

func (s *submitted) submit(_ context.Context, h *sluicev1.PlanHeader, tasks []*sluicev1.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads, s.tasks = append(s.heads, h), append(s.tasks, tasks)
	return nil
}

func (s *submitted) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.heads) }

func begin(t *testing.T, f supervisor.Factory, change func(*supervisor.Spec)) (supervisor.Instance, chan error) {
	t.Helper()
	spec := supervisor.Spec{Unit: unit.Connector("c"), ConnectorConfig: map[string]string{"connector.class": "org.X", "tasks.max": "2"}}
	if change != nil {
		change(&spec)
	}
	e := env{make(chan struct{}, 1)}
	in, err := f.New(spec, e)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- e.run(context.WithoutCancel(t.Context()), in) }()
	t.Cleanup(func() { in.Cut() })
	return in, done
}

func newFactory(c *testConnector, s *submitted) supervisor.Factory {
	p := connectors.Plugin{Class: "org.XConnector", Version: "1", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return c }}
	return NewFactory(Deps{Find: func(string) (connectors.Plugin, error) { return p, nil }, Submit: s.submit, CallTimeout: 5 * time.Second, Clock: clock.Real()})
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("waiting in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestPlanner_SubmitsWholePlansEachWithANumberOfItsOwn(t *testing.T) {
	c, s := &testConnector{}, &submitted{}
	c.plan(map[string]string{"a": "1"})
	f := newFactory(c, s)
	in, done := begin(t, f, nil)
	await(t, "a plan", func() bool { return s.count() == 1 })
	got := map[string]string{}
	for _, e := range s.tasks[0][0].GetEntries() {
		got[e.GetKey()] = e.GetValue()
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "task.class": "org.XTask"}, got); diff != "" {
		t.Error(diff)
	}
	c.plan(map[string]string{"a": "1"}, map[string]string{"a": "2"})
	c.cc.RequestTaskReconfiguration()
	await(t, "the next plan", func() bool { return s.count() == 2 && len(s.tasks[1]) == 2 })
	in.Stop(false)
	if err := <-done; err != nil || c.stopped != 1 {
		t.Error(err, c.stopped)
	}
	// Another instance of the same epoch, as after a new config.
	begin(t, f, nil)
	await(t, "its plan", func() bool { return s.count() == 3 })
	if a, b, c := s.heads[0].GetSequence(), s.heads[1].GetSequence(), s.heads[2].GetSequence(); a >= b || b >= c {
		t.Errorf("numbers %d, %d, %d", a, b, c)
	}
}

func TestPlanner_PausedItStopsThePluginAndResumedItPlansAgain(t *testing.T) {
	c, s := &testConnector{}, &submitted{}
	c.plan(map[string]string{})
	in, _ := begin(t, newFactory(c, s), nil)
	await(t, "a plan", func() bool { return s.count() == 1 })
	in.SetPaused(true)
	await(t, "the plugin is stopped", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.stopped == 1 })
	in.SetPaused(false)
	await(t, "another plan", func() bool { return s.count() == 2 })
}

func TestPlanner_RefusesNonsense(t *testing.T) {
	for want, tasks := range map[string][]map[string]string{
		"has generated 3 tasks, which is greater than 2": {{}, {}, {}},
		"the config of task 1 is null":                   {{}, nil},
	} {
		c, s := &testConnector{}, &submitted{}
		c.plan(tasks...)
		_, done := begin(t, newFactory(c, s), nil)
		if err := <-done; !errors.Is(err, ErrTasks) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if s.count() != 0 {
			t.Error("it was submitted")
		}
	}
}

func TestPlanner_ARaisedErrorFailsTheConnector(t *testing.T) {
	c, s := &testConnector{}, &submitted{}
	c.plan(map[string]string{})
	_, done := begin(t, newFactory(c, s), nil)
	await(t, "a plan", func() bool { return s.count() == 1 })
	c.cc.RaiseError(errors.New("boom"))
	if err := <-done; err == nil || !strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
	await(t, "the plugin is stopped", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.stopped == 1 })
}

// hungConnector hangs in one of its methods until the test is over, and notes where another was called meanwhile.
type hungConnector struct {
	testConnector
	method  string
	release chan struct{}
	hanging atomic.Bool
	overlap atomic.Bool
}

func (c *hungConnector) at(method string) {
	if c.hanging.Load() {
		c.overlap.Store(true)
	}
	if c.method == method {
		c.hanging.Store(true)
		<-c.release
		c.hanging.Store(false)
	}
}

func (c *hungConnector) Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	c.at("Start")
	return c.testConnector.Start(ctx, cc, config)
}

func (c *hungConnector) TaskConfigs(ctx context.Context, n int) ([]map[string]string, error) {
	c.at("TaskConfigs")
	return c.testConnector.TaskConfigs(ctx, n)
}

func (c *hungConnector) Stop(ctx context.Context) error {
	c.at("Stop")
	return c.testConnector.Stop(ctx)
}

// A plugin's methods are called one at a time (connectors.SourceConnector): of one that hangs nothing more is asked.
func TestPlanner_AHungPluginIsLeftAloneAndNeverCalledBesideItsHungCall(t *testing.T) {
	for _, method := range []string{"Start", "TaskConfigs"} {
		t.Run(method, func(t *testing.T) {
			c, s := &hungConnector{method: method, release: make(chan struct{})}, &submitted{}
			defer close(c.release)
			p := connectors.Plugin{Class: "org.XConnector", Version: "1", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return c }}
			f := NewFactory(Deps{Find: func(string) (connectors.Plugin, error) { return p, nil }, Submit: s.submit, CallTimeout: 50 * time.Millisecond, Clock: clock.Real()})
			_, done := begin(t, f, nil)
			if err := <-done; !errors.Is(err, plugin.ErrHung) {
				t.Errorf("%v, want ErrHung", err)
			}
			if c.overlap.Load() {
				t.Error("the plugin was called while another call of it hung")
			}
		})
	}
}

func TestPlan_HoldsReferencesAndNeverWhatTheyCameTo(t *testing.T) {
	t.Setenv("PLAN_PW", "plan-s3cret")
	r, _, err := secrets.New(map[string]string{"config.providers": "env", "config.providers.env.class": "EnvVar"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := r.Resolve(t.Context(), map[string]string{"connector.class": "C", "pw": "${env:PLAN_PW}"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		task map[string]string
		want string // of the error; empty where it is planned
	}{
		"under its own key": {task: map[string]string{"pw": "plan-s3cret"}},
		"under another":     {task: map[string]string{"url": "x:plan-s3cret@h"}, want: "the key url of a task config"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, plans := &testConnector{}, &submitted{}
			conn.plan(c.task)
			f := NewFactory(Deps{Find: func(string) (connectors.Plugin, error) {
				return connectors.Plugin{Class: "C", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return conn }}, nil
			}, Submit: plans.submit, CallTimeout: time.Minute, Clock: clock.Real()})
			e := env{make(chan struct{}, 1)}
			in, err := f.New(supervisor.Spec{Unit: unit.Connector("c"), ConnectorConfig: set.Configs[0], Secrets: set}, e)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- e.run(t.Context(), in) }()
			if c.want != "" {
				defer time.AfterFunc(20*time.Second, func() { in.Stop(false) }).Stop()
				if err := <-ended; !errors.Is(err, ErrTasks) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "plan-s3cret") {
					t.Errorf("%v", err)
				}
				return
			}
			for end := time.Now().Add(20 * time.Second); plans.count() == 0 && time.Now().Before(end); {
				<-time.After(time.Millisecond)
			}
			in.Stop(false)
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if plans.count() != 1 {
				t.Fatal("nothing was planned")
			}
			for _, e := range plans.tasks[0][0].GetEntries() {
				if e.GetKey() == "pw" && e.GetValue() != "${env:PLAN_PW}" {
					t.Errorf("%s", e.GetValue())
				}
			}
		})
	}
}
