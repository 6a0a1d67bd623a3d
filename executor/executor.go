package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/activetopics"
	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/executor/altering"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/mirror"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/planner"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/pluginpath"
	"github.com/sluice-project/sluice/executor/sinktask"
	"github.com/sluice-project/sluice/executor/sourcetask"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/executor/validate"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/loglevel"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/telemetry"
	"github.com/sluice-project/sluice/internal/unit"
	"github.com/sluice-project/sluice/internal/version"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	retryKafka = time.Second
	// kafkaTimeout bounds one attempt to look at the internal topics.
	kafkaTimeout = 30 * time.Second
	// forgetTimeout is what the release of a deleted connector's task waits at most for its topics to be forgotten.
	forgetTimeout = 5 * time.Second
	// stopMargin is what of a stop's time is left for what comes after the drain.
	stopMargin = 5 * time.Second
)

// Config is what an executor needs.
type Config struct {
	Worker config.Worker
	// Advertise is the executor's host:port in statuses (worker_id).
	Advertise string
	// Streams and Heartbeats are two connections to the control plane; the executor does not close them.
	Streams, Heartbeats grpc.ClientConnInterface
	Plugins             []connectors.Plugin
	// Alone says that no other executor can take units over: Stop does not give them back first.
	Alone bool
	// Offsets replaces the store in offset.storage.topic (standalone mode); the executor closes it.
	Offsets offsets.Store
	Clock   clock.Clock
	Logger  *slog.Logger
	// Levels are the levels of Logger. Nil leaves them as they are.
	Levels *loglevel.Levels
}

// Executor runs units. Start, then Stop or Kill, once each.
type Executor struct {
	cfg      Config
	log      *slog.Logger
	registry *plugin.Registry
	admin    *kafkaio.Admin
	offsets  offsets.Store
	stores   *offsets.Pool
	active   *activetopics.Topics
	stats    *taskstats.Registry
	starts   starts // of connectors
	traces   *tasktrace.Tracer
	untrace  telemetry.Stop // nil where nothing is traced
	agent    *agent.Agent
	sup      *supervisor.Supervisor
	group    *run.Group
	internal kafkaio.Client
	ready    chan struct{}

	mu      sync.Mutex
	cluster string
	begun   bool
}

// New builds an executor. It does not wait for anything.
func New(cfg Config) (*Executor, error) {
	reg, err := plugin.New(cfg.Plugins, converter.Builtin())
	if err != nil {
		return nil, err
	}
	x := &Executor{cfg: cfg, registry: reg, internal: kafkaio.Client(cfg.Worker.Internal()), ready: make(chan struct{}), stats: taskstats.NewRegistry(),
		log:   cfg.Logger.With(slog.String(logkey.Component, "executor"), slog.String(logkey.Executor, cfg.Advertise)),
		group: run.New(context.Background(), "executor")}
	w := cfg.Worker
	if every := w.TraceInterval(); every > 0 {
		tracer, stop, err := telemetry.Traces(context.Background(), "sluice-executor", x.log)
		if err != nil {
			return nil, err
		}
		x.traces, x.untrace = tasktrace.New(tracer, every, cfg.Clock), stop
	}
	if x.admin, err = kafkaio.NewAdmin(x.internal, x.log); err != nil {
		return nil, err
	}
	statuses := w.StatusTopic().Name
	if w.Standalone() {
		statuses = ""
	}
	x.active = activetopics.New(activetopics.Config{Topic: statuses, Client: x.internal, Clock: cfg.Clock, Logger: x.log})
	if x.offsets = cfg.Offsets; x.offsets == nil {
		x.offsets = offsets.NewKafka(offsets.Config{Topic: w.OffsetsTopic().Name, Producer: x.internal, Consumer: x.internal, Group: w.GroupID(), ExactlyOnce: w.ExactlyOnce(),
			ClientID: w.GroupID() + "-offsets", Margin: func() time.Duration { return x.agent.Margin() }, Clock: cfg.Clock, Logger: x.log})
	}
	x.stores = offsets.NewPool(x.offsets, x.offsetsPlan)
	x.agent = agent.New(agent.Config{Streams: cfg.Streams, Heartbeats: cfg.Heartbeats, Executor: cfg.Advertise, Pool: w.Pool(),
		Version: version.Version, Labels: w.Labels(), Capacity: w.Capacity(), Plugins: reg.List(), ClusterID: x.clusterID, Command: x.command,
		Clock: cfg.Clock, Logger: x.log})
	x.sup = supervisor.New(supervisor.Config{Factory: x.factories(), Fenced: func(err error) bool { return errors.Is(err, kafkaio.ErrFenced) },
		Classify: errorClass, Version: x.pluginVersion, Deleted: x.deleted, StopTimeout: w.TaskShutdownTimeout(), ContinueOnLeaseLoss: w.ContinueOnLeaseLoss(), Clock: cfg.Clock, Logger: x.log}, x.agent)
	return x, nil
}

func (x *Executor) pluginVersion(s supervisor.Spec) string {
	p, err := x.registry.Connector(s.ConnectorConfig["connector.class"])
	if err != nil {
		return ""
	}
	return p.Version
}

func (x *Executor) clusterID() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cluster
}

// factories chooses what makes instances of a unit.
func (x *Executor) factories() func(supervisor.Spec) (supervisor.Factory, error) {
	w := x.cfg.Worker
	used := x.active.Used
	if !w.TopicTracking() {
		used = nil
	}
	plan := planner.NewFactory(planner.Deps{Find: x.registry.Connector, Submit: x.agent.SubmitPlan, ExactlyOnce: w.ExactlyOnce(),
		CallTimeout: w.PluginCallTimeout(), Started: x.starts.count, Clock: x.cfg.Clock})
	source := sourcetask.NewFactory(sourcetask.Deps{Find: x.registry.Connector, Converters: x.registry, WorkerProps: w.Properties(),
		ProducerClient: x.producerClient, TransactionalID: x.transactionalID,
		Topics: x.admin, Offsets: x.stores.Open, ClientID: clientID("connector-producer-"), ActiveTopic: used,
		FlushInterval: w.OffsetFlushInterval(), FlushTimeout: w.OffsetFlushTimeout(), StopTimeout: w.TaskShutdownTimeout(),
		TopicCreation: w.TopicCreation(), Stats: x.stats, Traces: x.traces, Clock: x.cfg.Clock})
	sink := sinktask.NewFactory(sinktask.Deps{Find: x.registry.Connector, Converters: x.registry, WorkerProps: w.Properties(),
		ConsumerClient: func(c map[string]string) (kafkaio.Client, error) { return w.Client(config.Consumer, c) },
		ProducerClient: func(c map[string]string) (kafkaio.Client, error) { return w.Client(config.Producer, c) },
		AdminClient:    func(c map[string]string) (kafkaio.Client, error) { return w.Client(config.Admin, c) },
		ClusterName:    w.GroupID(), ClientID: clientID("connector-consumer-"), ActiveTopic: used,
		CommitInterval: w.OffsetFlushInterval(), CommitTimeout: w.OffsetFlushTimeout(), StopTimeout: w.TaskShutdownTimeout(),
		Stats: x.stats, Traces: x.traces, Clock: x.cfg.Clock})
	configs, states := w.ConfigTopic().Name, w.StatusTopic().Name
	if w.Standalone() {
		configs, states = "", ""
	}
	copier := mirror.NewFactory(mirror.Deps{Configs: configs, States: states, Group: w.GroupID(), Client: x.internal, Admin: x.admin, Clock: x.cfg.Clock,
		Watch:   func(ctx context.Context, e lease.Epoch) (mirror.Stream, error) { return x.agent.WatchMirror(ctx, e) },
		Confirm: x.agent.ConfirmMirror})
	alter := altering.NewFactory(x.altering())
	resolved := func(f supervisor.Factory) supervisor.Factory { return resolving{f, x.resolve, x.cfg.Clock} }
	plan, source, sink = resolved(plan), resolved(source), resolved(sink)
	return func(s supervisor.Spec) (supervisor.Factory, error) {
		switch {
		case s.Unit.Kind == unit.KindConnector:
			return plan, nil
		case s.Unit == unit.Mirror:
			return copier, nil
		case s.Unit.Kind == unit.KindOffsets:
			return alter, nil
		case s.Unit.Kind == unit.KindTask:
			p, err := x.registry.Connector(s.ConnectorConfig["connector.class"])
			if err != nil {
				return nil, err
			}
			if p.Type == connectors.Sink {
				return sink, nil
			}
			return source, nil
		}
		return nil, fmt.Errorf("executor: units such as %s are not known to this version", s.Unit)
	}
}

// altering is what reads and alters offsets.
func (x *Executor) altering() altering.Deps {
	return altering.Deps{Find: x.registry.Connector, Resolve: x.resolve, CallTimeout: x.cfg.Worker.PluginCallTimeout(), Clock: x.cfg.Clock,
		Complete: x.agent.CompleteOffsets,
		Offsets: func(ctx context.Context, conf map[string]string) (offsets.Store, func(), error) {
			return x.stores.Open(ctx, conf, x.cfg.Worker.ExactlyOnce())
		},
		Groups: func(conf map[string]string) (altering.Groups, error) {
			client, err := x.cfg.Worker.Client(config.Admin, conf)
			if err != nil {
				return nil, err
			}
			return kafkaio.NewAdmin(client, x.log)
		}}
}

// clientID is Kafka Connect's client.id of a task's client.
func clientID(prefix string) func(string, int) string {
	return func(connector string, task int) string { return fmt.Sprintf("%s%s-%d", prefix, connector, task) }
}

// Start begins to serve. The session with the control plane begins once Kafka has the internal topics: Ready. An
// executor that waits for Kafka holds nothing, and says so in its log.
func (x *Executor) Start(context.Context) error {
	err := errors.Join(x.group.Go(x.begin), x.group.Go(func(ctx context.Context) error { return x.stats.Run(ctx, x.cfg.Clock) }),
		x.group.Go(func(ctx context.Context) error {
			pluginpath.Report(ctx, x.cfg.Worker.PluginPath(), func(class string) bool { _, ok := x.registry.Find(class); return ok }, x.log)
			return nil
		}))
	if x.cfg.Worker.TopicTracking() {
		err = errors.Join(err, x.group.Go(x.active.Write), x.group.Go(func(ctx context.Context) error {
			select {
			case <-x.ready: // the topic is there
				return x.active.Follow(ctx)
			case <-ctx.Done():
				return nil
			}
		}))
	}
	if x.cfg.Levels != nil {
		err = errors.Join(err, x.group.Go(func(ctx context.Context) error {
			return x.cfg.Levels.Follow(ctx, sluicev1.NewLoggerServiceClient(x.cfg.Streams), x.cfg.Advertise, x.cfg.Clock)
		}))
	}
	return err
}

// Ready is closed once the session with the control plane has begun.
func (x *Executor) Ready() <-chan struct{} { return x.ready }

// Failed is closed when the executor has ended by itself, with Err: an internal topic has the wrong settings, say.
func (x *Executor) Failed() <-chan struct{} { return x.group.Context().Done() }

// Err is why it ended by itself.
func (x *Executor) Err() error { return context.Cause(x.group.Context()) }

// begin waits for Kafka and starts the session.
func (x *Executor) begin(ctx context.Context) error {
	for {
		err := x.prepare(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if errors.Is(err, kafkaio.ErrTopicSettings) || errors.Is(err, kafkaio.ErrConfig) {
			return err
		}
		x.log.Error("Kafka cannot be used yet, and is tried again; until then this executor runs nothing", logkey.Err, err)
		select {
		case <-x.cfg.Clock.After(retryKafka):
		case <-ctx.Done():
			return nil
		}
	}
	if err := x.agent.Start(x.sup); err != nil {
		return err
	}
	x.mu.Lock()
	x.begun = true
	x.mu.Unlock()
	close(x.ready)
	return nil
}

// prepare makes or checks the internal topics.
func (x *Executor) prepare(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, kafkaTimeout)
	defer cancel()
	id, err := x.admin.ClusterID(ctx)
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.cluster = id
	x.mu.Unlock()
	if x.cfg.Worker.Standalone() {
		return nil
	}
	for _, s := range []topics.Spec{x.cfg.Worker.OffsetsTopic(), x.cfg.Worker.StatusTopic(), x.cfg.Worker.ConfigTopic()} {
		if err := x.admin.EnsureInternalTopic(ctx, kafkaio.TopicSpec(s)); err != nil {
			return err
		}
	}
	return nil
}

// Stop gives every unit back, so that others take them, and ends. What has not ended when ctx does is cut off.
func (x *Executor) Stop(ctx context.Context) error {
	x.mu.Lock()
	begun := x.begun
	x.mu.Unlock()
	var err error
	if begun && !x.cfg.Alone {
		drain, cancel := drainWithin(ctx)
		err = x.agent.Drain(drain)
		cancel()
	}
	err = errors.Join(err, x.sup.Stop(ctx), x.agent.Stop(ctx), x.group.Stop(ctx), x.offsets.Close())
	if x.untrace != nil {
		err = errors.Join(err, x.untrace(ctx))
	}
	x.admin.Close()
	return err
}

// drainWithin leaves of the time that a stop has what comes after the drain.
func drainWithin(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-stopMargin))
	}
	return context.WithCancel(ctx)
}

// Kill drops everything at once, as the death of the process would. For tests.
func (x *Executor) Kill() {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = x.agent.Stop(gone)
	x.sup.Kill()
	_ = x.group.Stop(gone)
	_ = x.offsets.Close()
	if x.untrace != nil {
		_ = x.untrace(gone)
	}
	x.admin.Close()
}

// command answers a command of the control plane.
func (x *Executor) command(ctx context.Context, c *sluicev1.Command) *sluicev1.CommandResult {
	fail := func(err error) *sluicev1.CommandResult {
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Error{Error: &sluicev1.CommandError{Reason: string(errs.ReasonOf(err)), Message: err.Error()}}}
	}
	switch c := c.GetCommand().(type) {
	case *sluicev1.Command_Validate:
		v := validate.Validator{Registry: x.registry, Worker: x.cfg.Worker, Clock: x.cfg.Clock, CheckClient: checkClient, Resolve: x.resolve}
		r, err := v.Validate(ctx, c.Validate.GetConfig())
		if err != nil {
			return fail(err)
		}
		for _, w := range r.GetWarnings() {
			x.log.Warn("a connector config may have a mistake", logkey.Connector, validate.NameOf(c.Validate.GetConfig()), "warning", w)
		}
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Validate{Validate: r}}
	case *sluicev1.Command_Offsets:
		found, err := x.altering().Read(ctx, c.Offsets.GetConnector(), mapOf(c.Offsets.GetConfig()))
		if err != nil {
			return fail(err)
		}
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Offsets{Offsets: &sluicev1.OffsetsCommandResult{Offsets: found}}}
	case *sluicev1.Command_Topics:
		found, err := x.topics(ctx, c.Topics.GetConnector(), c.Topics.GetForget())
		if err != nil {
			return fail(err)
		}
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Topics{Topics: &sluicev1.TopicsResult{Topics: found}}}
	case *sluicev1.Command_Progress:
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Progress{Progress: &sluicev1.ProgressResult{Tasks: progress(x.stats.Views(c.Progress.GetConnector()))}}}
	case *sluicev1.Command_Fence:
		if err := x.fence(ctx, c.Fence); err != nil {
			return fail(err)
		}
		return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Fence{Fence: &sluicev1.FenceResult{}}}
	}
	return fail(errs.New(errs.Internal, "Executor %s does not know this command: it is of an older version", x.cfg.Advertise))
}

// deleted forgets the topics that this executor knows to be used by a deleted connector. Each executor that had a task
// of it does, so that none is left when the last task is released, and the connector may be created again.
func (x *Executor) deleted(parent context.Context, u unit.ID) {
	if !x.cfg.Worker.TopicTracking() {
		return
	}
	ctx, cancel := context.WithTimeout(parent, forgetTimeout)
	defer cancel()
	if err := x.active.Leave(ctx, u.Name); err != nil {
		x.log.Warn("the topics of a deleted connector are still said to be active", logkey.Connector, u.Name, logkey.Err, err)
	}
}

// topics lists, or forgets, the topics that a connector has used.
func (x *Executor) topics(ctx context.Context, connector string, forget bool) ([]string, error) {
	switch w := x.cfg.Worker; {
	case !w.TopicTracking():
		return nil, errs.New(errs.TopicsDisabled, "Topic tracking is disabled.")
	case forget && !w.TopicTrackingReset():
		return nil, errs.New(errs.TopicsDisabled, "Topic tracking reset is disabled.")
	}
	var found []string
	var err error
	if forget {
		err = x.active.Forget(ctx, connector)
	} else {
		found, err = x.active.List(ctx, connector)
	}
	if err != nil {
		return nil, errs.New(errs.KafkaUnavailable, "%v", err)
	}
	return found, nil
}

func mapOf(c *sluicev1.Config) map[string]string {
	out := map[string]string{}
	for _, e := range c.GetEntries() {
		out[e.GetKey()] = e.GetValue()
	}
	return out
}

func checkClient(role config.Role, java map[string]string) error {
	_, _, err := kafkaio.Translate(map[config.Role]kafkaio.Role{config.Producer: kafkaio.RoleProducer, config.Consumer: kafkaio.RoleConsumer,
		config.Admin: kafkaio.RoleAdmin}[role], java)
	return err
}
