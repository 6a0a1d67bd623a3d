package planner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

var (
	// ErrConfig is wrapped where the connector's config cannot be planned.
	ErrConfig = errors.New("planner: invalid config")
	// ErrTasks is wrapped where a plugin returns task configs that cannot be run.
	ErrTasks = errors.New("planner: invalid task configs")
)

// retryPlan is the pause before a plan that the control plane could not take is submitted again.
const retryPlan = time.Second

// maxPlanRetries bounds how often a plan is submitted before the connector fails: the control plane was away for so long.
const maxPlanRetries = 60

// Deps is what planners need.
type Deps struct {
	// Find finds a plugin by class or alias.
	Find func(class string) (connectors.Plugin, error)
	// Submit hands a plan to the control plane.
	Submit func(ctx context.Context, h *sluicev1.PlanHeader, tasks []*sluicev1.Config) error
	// ExactlyOnce says that tasks of sources have transactions: exactly.once.source.support is enabled.
	ExactlyOnce bool
	// CallTimeout bounds each call of the plugin.
	CallTimeout time.Duration
	Clock       clock.Clock
	// Started, where it is set, is told what each start of a plugin came to.
	Started func(err error)
}

// NewFactory makes planners.
func NewFactory(d Deps) supervisor.Factory { return &factory{deps: d} }

type factory struct {
	deps Deps
	// plans counts up over all instances: several of one epoch may plan, and no two plans may have one number.
	plans atomic.Uint64
}

func (f *factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	p, err := f.deps.Find(spec.ConnectorConfig["connector.class"])
	if err != nil {
		return nil, err
	}
	in := &instance{deps: f.deps, plans: &f.plans, spec: spec, env: env, plugin: p, paused: spec.Paused, wake: make(chan struct{}, 1), log: env.Logger(),
		maxTasks: 1}
	in.parker, _ = env.(supervisor.Parker)
	in.ending, in.end = context.WithCancel(context.Background())
	if v := strings.TrimSpace(spec.ConnectorConfig["tasks.max"]); v != "" {
		if in.maxTasks, err = strconv.Atoi(v); err != nil || in.maxTasks < 1 {
			return nil, fmt.Errorf("%w: tasks.max: %q is not a number of at least 1", ErrConfig, v)
		}
	}
	return in, nil
}

// instance runs one connector. It implements connectors.ConnectorContext.
type instance struct {
	deps     Deps
	spec     supervisor.Spec
	env      supervisor.Env
	plugin   connectors.Plugin
	maxTasks int
	log      *slog.Logger
	plans    *atomic.Uint64
	// ending ends with Stop, and with it whatever waits.
	ending context.Context
	end    context.CancelFunc
	parker supervisor.Parker // nil where Run waits by itself, for wake
	wake   chan struct{}

	mu      sync.Mutex
	paused  bool
	stopped bool
	replan  bool
	raised  error

	// Of Run.
	told      bool // that it runs
	connector connector
	hung      bool // a call of the connector has not returned
}

// connector is what sources and sinks have in common.
type connector interface {
	Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error
	TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error)
	Stop(ctx context.Context) error
}

func (in *instance) make() (c connector, err error) {
	if in.plugin.Type == connectors.Sink {
		return plugin.NewSink(in.plugin)
	}
	return plugin.NewSource(in.plugin)
}

func (in *instance) poke() {
	if in.parker != nil {
		in.parker.Again()
		return
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *instance) set(f func()) {
	in.mu.Lock()
	f()
	in.mu.Unlock()
	in.poke()
}

// Logger implements connectors.ConnectorContext.
func (in *instance) Logger() *slog.Logger { return in.log }

// RequestTaskReconfiguration implements connectors.ConnectorContext.
func (in *instance) RequestTaskReconfiguration() { in.set(func() { in.replan = true }) }

// RaiseError implements connectors.ConnectorContext.
func (in *instance) RaiseError(err error) {
	if err == nil {
		err = errors.New("the plugin raised an error without saying which")
	}
	in.set(func() { in.raised = err })
}

// Stop implements supervisor.Instance.
func (in *instance) Stop(bool) {
	in.set(func() { in.stopped = true })
	in.end()
}

// SetPaused implements supervisor.Instance.
func (in *instance) SetPaused(p bool) { in.set(func() { in.paused = p }) }

// SetSuspended implements supervisor.Instance: a planner is stopped instead.
func (in *instance) SetSuspended(bool) {}

// Cut implements supervisor.Instance: no plan is submitted any more.
func (in *instance) Cut() { in.Stop(false) }

// Run implements supervisor.Instance.
func (in *instance) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(in.ending, cancel)()
	defer func() {
		// After an error too, as Kafka Connect does; but one that hangs is left alone: its methods are called one at a time.
		if in.connector != nil && !in.hung && !errors.Is(err, supervisor.ErrParked) {
			in.stopPlugin(ctx, in.connector)
		}
	}()
	if !in.told {
		in.told = true
		in.env.Running() // of a connector: it is known and held; a failed start follows as FAILED
	}
	return in.work(ctx)
}

// work does what is to be done until the connector is stopped or fails, or nothing is left to do.
func (in *instance) work(ctx context.Context) error {
	for {
		in.mu.Lock()
		paused, stopped, replan, raised := in.paused, in.stopped, in.replan, in.raised
		in.replan = false
		in.mu.Unlock()
		switch {
		case stopped:
			return nil
		case raised != nil:
			return fmt.Errorf("the connector raised an error: %w", raised)
		case paused && in.connector != nil:
			in.stopPlugin(ctx, in.connector)
			in.connector = nil
		case !paused && in.connector == nil:
			made, err := in.make()
			if err != nil {
				in.started(err)
				return err
			}
			in.connector, in.hung = made, false
			err = in.call(ctx, "Start", func(ctx context.Context) error { return made.Start(ctx, in, maps.Clone(in.spec.ConnectorConfig)) })
			if in.started(err); err != nil {
				return in.unless(err)
			}
			replan = true
		}
		if replan && in.connector != nil {
			if err := in.plan(ctx, in.connector); err != nil {
				return in.unless(err)
			}
			continue
		}
		if in.parker != nil {
			return supervisor.ErrParked
		}
		select {
		case <-in.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// started tells what a start of the plugin came to.
func (in *instance) started(err error) {
	if in.deps.Started != nil {
		in.deps.Started(err)
	}
}

// unless drops an error that only says that the instance was stopped.
func (in *instance) unless(err error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return nil
	}
	return err
}

func (in *instance) call(ctx context.Context, method string, f func(ctx context.Context) error) error {
	err := plugin.Call(ctx, in.deps.Clock, simple(in.plugin.Class)+"."+method, in.deps.CallTimeout, f)
	in.hung = in.hung || errors.Is(err, plugin.ErrHung)
	return err
}

func (in *instance) stopPlugin(ctx context.Context, c connector) {
	if err := in.call(context.WithoutCancel(ctx), "Stop", c.Stop); err != nil {
		in.log.Warn("the connector did not stop cleanly", logkey.Err, err)
	}
}

// plan has the plugin split the work and submits the result.
func (in *instance) plan(ctx context.Context, c connector) error {
	var configs []map[string]string
	err := in.call(ctx, "TaskConfigs", func(ctx context.Context) (err error) {
		configs, err = c.TaskConfigs(ctx, in.maxTasks)
		return err
	})
	if err != nil {
		return err
	}
	if len(configs) > in.maxTasks {
		// As TooManyTasksException, with tasks.max.enforce=true.
		if !strings.EqualFold(strings.TrimSpace(in.spec.ConnectorConfig["tasks.max.enforce"]), "false") {
			return fmt.Errorf("%w: The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. "+
				"This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to false",
				ErrTasks, in.spec.Unit.Name, len(configs), in.maxTasks)
		}
		in.log.Warn("the connector has more tasks than tasks.max", slog.Int("tasks", len(configs)), slog.Int("tasks.max", in.maxTasks))
	}
	tasks := make([]*sluicev1.Config, len(configs))
	for i, config := range configs {
		if config == nil {
			return fmt.Errorf("%w: the config of task %d is null", ErrTasks, i)
		}
		if config, err = in.spec.Secrets.Reverse(in.task(config)); err != nil {
			return fmt.Errorf("%w: task %d: %w", ErrTasks, i, err)
		}
		tasks[i] = ordered(config)
	}
	class := sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE
	if in.plugin.Type == connectors.Sink || in.deps.ExactlyOnce {
		class = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	}
	for try := 1; ; try++ {
		in.mu.Lock()
		over := in.stopped
		in.mu.Unlock()
		if over {
			return nil
		}
		err := in.deps.Submit(ctx, &sluicev1.PlanHeader{Connector: in.spec.Unit.Name, Sequence: in.plans.Add(1),
			Epoch:       &sluicev1.Epoch{Era: in.spec.Epoch.Era, Revision: in.spec.Epoch.Revision},
			Incarnation: in.spec.Incarnation, ConfigGeneration: in.spec.Generation, PluginVersion: in.plugin.Version, TaskClass: class}, tasks)
		switch status.Code(err) {
		case codes.OK:
			in.log.Info("tasks planned", slog.Int("tasks", len(tasks)))
			return nil
		case codes.FailedPrecondition, codes.NotFound:
			in.log.Info("the plan is out of date; the next desired set says what to do", logkey.Err, err)
			return nil
		case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.Unknown:
			if try < maxPlanRetries && in.sleep(ctx, retryPlan) {
				continue
			}
		}
		return fmt.Errorf("handing the plan of %d tasks over: %w", len(tasks), err)
	}
}

func (in *instance) sleep(ctx context.Context, d time.Duration) bool {
	t := in.deps.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// task makes a task's config of what the plugin returned, as Kafka Connect's worker does.
func (in *instance) task(config map[string]string) map[string]string {
	full := maps.Clone(config)
	full["task.class"] = taskClass(in.plugin.Class)
	if in.plugin.Type == connectors.Sink {
		for _, k := range []string{"topics", "topics.regex"} {
			if v, ok := in.spec.ConnectorConfig[k]; ok {
				full[k] = v
			}
		}
	}
	return full
}

func ordered(config map[string]string) *sluicev1.Config {
	out := &sluicev1.Config{}
	for _, k := range slices.Sorted(maps.Keys(config)) {
		v := config[k]
		out.Entries = append(out.Entries, &sluicev1.ConfigEntry{Key: k, Value: &v})
	}
	return out
}

// taskClass is the name that Kafka's connectors give their tasks.
func taskClass(class string) string { return strings.TrimSuffix(class, "Connector") + "Task" }

func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }
