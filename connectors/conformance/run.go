package conformance

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/run"
)

// check is one promise.
type check struct {
	name string
	does func(tb testing.TB, p connectors.Plugin, f Fixture)
}

var (
	commonChecks = []check{
		{"ConfigNamesEveryMissingKey", checkConfig},
		{"TaskConfigsAreOneToMax", checkTaskConfigs},
		{"ConnectorStopsInEveryState", checkConnectorStop},
		{"TaskStopsInEveryState", checkTaskStop},
		{"StopAfterAFailedStart", checkBroken},
	}
	sourceChecks = []check{
		{"RecordsAreWellFormed", checkRecords},
		{"RecordsDoNotDependOnTheBatch", checkRooms},
		{"PollEndsWithItsContext", checkPollEnds},
		{"ResumesFromEveryOffset", checkResume},
	}
	sinkChecks = []check{
		{"TakesEmptyBatches", checkEmptyPut},
		{"KeepsNoBatchMemoryAndFlushesAll", checkPut},
		{"PreCommitStaysInBounds", checkPreCommit},
	}
)

func checksOf(p connectors.Plugin) []check {
	if p.Type == connectors.Sink {
		return append(append([]check(nil), commonChecks...), sinkChecks...)
	}
	return append(append([]check(nil), commonChecks...), sourceChecks...)
}

// Run checks a plugin, each promise with each case as a subtest.
func Run(t *testing.T, p connectors.Plugin, cases ...Case) {
	t.Helper()
	checkPlugin(t, p)
	if len(cases) == 0 {
		t.Fatal("conformance: no case to check the plugin with")
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, k := range checksOf(p) {
				t.Run(k.name, func(t *testing.T) { k.does(t, p, c.Setup(t)) })
			}
		})
	}
}

// checkPlugin checks what the registry relies on.
func checkPlugin(tb testing.TB, p connectors.Plugin) {
	tb.Helper()
	if p.Class == "" || p.Version == "" || p.Config == nil {
		tb.Fatalf("the plugin %q needs a class, a version and a config definition", p.Class)
	}
	switch p.Type {
	case connectors.Source:
		if p.NewSource == nil || p.NewSink != nil {
			tb.Fatalf("%s is a source: it needs NewSource alone", p.Class)
		}
	case connectors.Sink:
		if p.NewSink == nil || p.NewSource != nil {
			tb.Fatalf("%s is a sink: it needs NewSink alone", p.Class)
		}
	default:
		tb.Fatalf("%s has the type %d: Source or Sink would be right", p.Class, p.Type)
	}
}

// call runs plugin code with a deadline; a panic or a call that hangs ends the test.
func call(tb testing.TB, what string, f func(ctx context.Context) error) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	g := run.New(context.Background(), what)
	done := make(chan error, 1)
	if err := g.Go(func(context.Context) error {
		done <- run.Call(func() error { return f(ctx) })
		return nil
	}); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	select {
	case err := <-done:
		var p *run.PanicError
		if errors.As(err, &p) {
			tb.Fatalf("%s: %v", what, p)
		}
		return err
	case <-ctx.Done():
		tb.Fatalf("%s did not return within %v", what, Deadline)
		return nil
	}
}

// must is call for what may not fail.
func must(tb testing.TB, what string, f func(ctx context.Context) error) {
	tb.Helper()
	if err := call(tb, what, f); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}

// connector is what sources and sinks have in common.
type connector interface {
	Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error
	TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error)
	Stop(ctx context.Context) error
}

func newConnector(p connectors.Plugin) connector {
	if p.Type == connectors.Sink {
		return p.NewSink()
	}
	return p.NewSource()
}

// task is what source tasks and sink tasks have in common.
type task struct {
	start func(ctx context.Context, config map[string]string) error
	stop  func(ctx context.Context) error
}

func newTask(p connectors.Plugin) task {
	if p.Type == connectors.Sink {
		t := p.NewSink().NewTask()
		return task{func(ctx context.Context, c map[string]string) error { return t.Start(ctx, &SinkContext{}, c) }, t.Stop}
	}
	t := p.NewSource().NewTask()
	return task{func(ctx context.Context, c map[string]string) error { return t.Start(ctx, &SourceContext{}, c) }, t.Stop}
}

// taskConfig plans a single task.
func taskConfig(tb testing.TB, p connectors.Plugin, config map[string]string) map[string]string {
	tb.Helper()
	c := newConnector(p)
	must(tb, "the connector's Start", func(ctx context.Context) error { return c.Start(ctx, &ConnectorContext{}, maps.Clone(config)) })
	var out []map[string]string
	must(tb, "TaskConfigs(1)", func(ctx context.Context) (err error) { out, err = c.TaskConfigs(ctx, 1); return err })
	must(tb, "the connector's Stop", c.Stop)
	if len(out) != 1 || out[0] == nil {
		tb.Fatalf("TaskConfigs(1) returned %v: one config would be right", out)
	}
	return out[0]
}

func checkConfig(tb testing.TB, p connectors.Plugin, f Fixture) {
	d := p.Config()
	if d == nil {
		tb.Fatalf("%s has no config definition", p.Class)
	}
	for _, k := range d.Keys() {
		if k.Doc == "" || k.Importance == "" || k.Type == "" {
			tb.Errorf("the key %q needs a doc, an importance and a type", k.Name)
		}
	}
	if _, err := d.Parse(f.Config); err != nil {
		tb.Errorf("the config of the case is not valid: %v", err)
	}
	without := maps.Clone(f.Config)
	for _, k := range d.Keys() {
		if k.Required {
			delete(without, k.Name)
		}
	}
	_, err := d.Parse(without)
	for _, k := range d.Keys() {
		if k.Required && (err == nil || !strings.Contains(err.Error(), configdef.Missing(k.Name))) {
			tb.Errorf("without the key %q the config is refused with %v: %q would be right", k.Name, err, configdef.Missing(k.Name))
		}
	}
}

func checkTaskConfigs(tb testing.TB, p connectors.Plugin, f Fixture) {
	c := newConnector(p)
	config := maps.Clone(f.Config)
	must(tb, "the connector's Start", func(ctx context.Context) error { return c.Start(ctx, &ConnectorContext{}, config) })
	if !maps.Equal(config, f.Config) {
		tb.Errorf("Start changed the config that it was given to %v", config)
	}
	for _, most := range []int{1, 2, 7} {
		plan := func() (out []map[string]string) {
			must(tb, "TaskConfigs", func(ctx context.Context) (err error) { out, err = c.TaskConfigs(ctx, most); return err })
			return out
		}
		first := plan()
		if len(first) < 1 || len(first) > most {
			tb.Errorf("TaskConfigs(%d) returned %d configs: 1 to %d would be right", most, len(first), most)
		}
		var kept []map[string]string
		for i, m := range first {
			if m == nil {
				tb.Fatalf("TaskConfigs(%d) returned nil for task %d", most, i)
			}
			kept = append(kept, maps.Clone(m))
			clear(m) // what was returned belongs to the runtime
		}
		if again := plan(); !reflect.DeepEqual(kept, again) {
			tb.Errorf("TaskConfigs(%d) returned %v, then %v: an unchanged connector plans the same", most, kept, again)
		}
	}
	must(tb, "the connector's Stop", c.Stop)
}

func checkConnectorStop(tb testing.TB, p connectors.Plugin, f Fixture) {
	must(tb, "Stop of a connector that was not started", newConnector(p).Stop)
	c := newConnector(p)
	start := func(ctx context.Context) error { return c.Start(ctx, &ConnectorContext{}, maps.Clone(f.Config)) }
	must(tb, "the connector's Start", start)
	must(tb, "the connector's Stop", c.Stop)
	must(tb, "the connector's second Stop", c.Stop)
	must(tb, "the connector's Start after a Stop", start)
	must(tb, "the connector's last Stop", c.Stop)
}

func checkTaskStop(tb testing.TB, p connectors.Plugin, f Fixture) {
	config := taskConfig(tb, p, f.Config)
	must(tb, "Stop of a task that was not started", newTask(p).stop)
	for range 2 {
		t := newTask(p)
		must(tb, "the task's Start", func(ctx context.Context) error { return t.start(ctx, maps.Clone(config)) })
		must(tb, "the task's Stop", t.stop)
		must(tb, "the task's second Stop", t.stop)
	}
}

func checkBroken(tb testing.TB, p connectors.Plugin, f Fixture) {
	if f.Broken == nil {
		return
	}
	c := newConnector(p)
	err := call(tb, "the connector's Start", func(ctx context.Context) error { return c.Start(ctx, &ConnectorContext{}, maps.Clone(f.Broken)) })
	var configs []map[string]string
	if err == nil {
		must(tb, "TaskConfigs(1)", func(ctx context.Context) (e error) { configs, e = c.TaskConfigs(ctx, 1); return e })
	}
	must(tb, "the connector's Stop", c.Stop)
	if err != nil {
		return
	}
	t := newTask(p)
	if err := call(tb, "the task's Start", func(ctx context.Context) error { return t.start(ctx, configs[0]) }); err == nil {
		tb.Errorf("the config that should fail started: %v", f.Broken)
	}
	must(tb, "the task's Stop after a failed Start", t.stop)
}
