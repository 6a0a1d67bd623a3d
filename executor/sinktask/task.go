package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
)

// Deps is what sink tasks share.
type Deps struct {
	// Find finds a plugin by class or alias.
	Find func(class string) (connectors.Plugin, error)
	// Converters and WorkerProps are for the task's converters and transforms.
	Converters  stage.Registry
	WorkerProps map[string]string
	// ConsumerClient is the consumer's configuration for a connector.
	ConsumerClient func(connectorConfig map[string]string) (kafkaio.Client, error)
	// ProducerClient and AdminClient are those of the dead letter queue.
	ProducerClient, AdminClient func(connectorConfig map[string]string) (kafkaio.Client, error)
	// ClusterName begins the group.instance.id: <cluster>-<connector>-<task>.
	ClusterName string
	ClientID    func(connector string, task int) string
	// ActiveTopic is told of each topic that a task reads; it may be nil.
	ActiveTopic func(connector string, task int, topic string)
	// CommitInterval and CommitTimeout are offset.flush.interval.ms and offset.flush.timeout.ms, StopTimeout is
	// task.shutdown.graceful.timeout.ms.
	CommitInterval, CommitTimeout, StopTimeout time.Duration
	// Stats lists the tasks' numbers while they run; it may be nil.
	Stats *taskstats.Registry
	// Traces follows records now and then; nil follows none.
	Traces *tasktrace.Tracer
	Clock  clock.Clock
}

// ignored are client keys that are the runtime's own.
var ignored = []string{"group.instance.id", "group.protocol", "enable.auto.commit"}

// NewFactory makes sink tasks.
func NewFactory(d Deps) supervisor.Factory { return factory{d} }

type factory struct{ deps Deps }

func (f factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	conf := spec.ConnectorConfig
	p, err := f.deps.Find(conf["connector.class"])
	if err != nil {
		return nil, err
	}
	if p.NewSink == nil {
		return nil, fmt.Errorf("%w: connector.class: %s is no sink", ErrConfig, p.Class)
	}
	conv, err := stage.NewConverters(f.deps.Converters, f.deps.WorkerProps, conf)
	if err != nil {
		return nil, err
	}
	chain, err := stage.NewChain(f.deps.Converters, conf)
	if err != nil {
		return nil, err
	}
	policy, err := stage.ParsePolicy(conf)
	if err != nil {
		return nil, err
	}
	log := env.Logger()
	member, err := f.member(spec, log)
	if err != nil {
		return nil, err
	}
	t := &task{deps: f.deps, spec: spec, env: env, log: log, plugin: p, member: member, paused: spec.Paused}
	t.ready, _ = spec.Prepared.(*ready) // nil where nothing was made ready
	t.stats = taskstats.New(taskstats.Identity{Connector: spec.Unit.Name, Task: spec.Unit.Task, Sink: true}, f.deps.Clock)
	t.stats.SetPaused(spec.Paused)
	t.trace = f.deps.Traces.Task(spec.Unit.Name, spec.Unit.Task)
	op := stage.NewOperator(policy, f.deps.Clock, log).Counting(&t.stats.Errors)
	if t.dead, err = f.deadLetters(spec, &t.stats.Errors, log); err != nil {
		return nil, err
	} else if t.dead != nil {
		op.WithDeadLetters(t.dead)
	}
	t.stage = stage.NewSink(conv, chain, op, nil)
	t.stopping, t.stop = context.WithCancelCause(context.Background())
	t.cutting, t.cut = context.WithCancel(context.Background())
	t.unchanged, t.change = context.WithCancel(t.stopping)
	return t, nil
}

// member is how a task is a member of its group, with the task's client.
func (f factory) member(spec supervisor.Spec, log *slog.Logger) (kafkaio.ConsumerConfig, error) {
	client, err := f.deps.ConsumerClient(spec.ConnectorConfig)
	if err != nil {
		return kafkaio.ConsumerConfig{}, err
	}
	m, err := membership(client, f.deps.ClusterName, spec.Unit, spec.ConnectorConfig, log)
	m.ClientID = f.deps.ClientID(spec.Unit.Name, spec.Unit.Task)
	return m, err
}

// ready is a consumer that is connected and has not joined.
type ready struct{ consumer *kafkaio.Consumer }

// Close implements supervisor.Prepared.
func (r *ready) Close() {
	_ = r.consumer.Close() // it never joined: there is nothing to lose
}

// Prepare implements supervisor.Preparer.
func (f factory) Prepare(ctx context.Context, spec supervisor.Spec, log *slog.Logger) (supervisor.Prepared, error) {
	m, err := f.member(spec, log)
	if err != nil {
		return nil, err
	}
	c, err := kafkaio.NewConsumer(m)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &ready{c}, nil
}

// membership is how a task is a member of its group.
func membership(client kafkaio.Client, cluster string, u unit.ID, conf map[string]string, log *slog.Logger) (kafkaio.ConsumerConfig, error) {
	own := kafkaio.Client{}
	for k, v := range client {
		own[k] = v
	}
	for _, k := range ignored {
		if conf["consumer.override."+k] != "" && log != nil {
			log.Warn("the setting is the runtime's own and is ignored", slog.String("key", "consumer.override."+k))
		}
		delete(own, k)
	}
	c := kafkaio.ConsumerConfig{Client: own, Group: Group(u.Name, conf), InstanceID: cluster + "-" + u.Name + "-" + strconv.Itoa(u.Task), Logger: log}
	delete(own, "group.id")
	for _, name := range strings.Split(conf["topics"], ",") {
		if name = strings.TrimSpace(name); name != "" {
			c.Topics = append(c.Topics, name)
		}
	}
	c.TopicsRegex = strings.TrimSpace(conf["topics.regex"])
	if (len(c.Topics) == 0) == (c.TopicsRegex == "") {
		return c, fmt.Errorf("%w: Must configure one of topics or topics.regex", ErrConfig)
	}
	return c, nil
}

// Group is the consumer group of a sink connector.
func Group(connector string, conf map[string]string) string {
	if g := conf["consumer.override.group.id"]; g != "" {
		return g
	}
	return "connect-" + connector
}

// Fence takes the place of a sink task's member and leaves the group: an older instance can do nothing any more.
func Fence(ctx context.Context, client kafkaio.Client, cluster string, u unit.ID, conf map[string]string, log *slog.Logger) error {
	cfg, err := membership(client, cluster, u, conf, log)
	if err != nil {
		return err
	}
	c, err := kafkaio.NewConsumer(cfg)
	if err != nil {
		return err
	}
	var b kafkaio.Batch
	for !c.Joined() && err == nil && ctx.Err() == nil {
		err = c.Poll(ctx, 100*time.Millisecond, &b)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("fencing %s: %w", u, err), c.Close())
	}
	return c.Leave(ctx)
}

// task is one run of a task: the instance and its loop's state.
type task struct {
	deps   Deps
	spec   supervisor.Spec
	env    supervisor.Env
	log    *slog.Logger
	plugin connectors.Plugin
	member kafkaio.ConsumerConfig
	stage  *stage.Sink
	dead   *deadletter.Queue // nil for none
	ready  *ready            // before the task joined
	stats  *taskstats.Task
	trace  *tasktrace.Task // nil where records are not traced

	mu        sync.Mutex
	paused    bool
	leave     bool
	unchanged context.Context // until paused changes, or the task is stopped
	change    context.CancelFunc

	stopping context.Context
	stop     context.CancelCauseFunc
	cutting  context.Context
	cut      context.CancelFunc

	loop // of the loop's goroutine
}

var errStop = errors.New("sinktask: stop")

// Stop implements supervisor.Instance.
func (t *task) Stop(leave bool) {
	t.mu.Lock()
	t.leave = t.leave || leave
	t.mu.Unlock()
	t.stop(errStop)
}

// SetPaused implements supervisor.Instance.
func (t *task) SetPaused(p bool) {
	t.stats.SetPaused(p)
	t.mu.Lock()
	t.paused = p
	t.change()
	t.unchanged, t.change = context.WithCancel(t.stopping)
	t.mu.Unlock()
}

// SetSuspended implements supervisor.Instance: sinks go on without the control plane.
func (t *task) SetSuspended(bool) {}

// Cut implements supervisor.Instance.
func (t *task) Cut() {
	t.cut()
	if t.dead != nil {
		t.dead.Cut()
	}
	t.stop(ErrCut)
}

// isPaused says whether the task is paused, and as long as it is so by a context.
func (t *task) isPaused() (paused bool, unchanged context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paused, t.unchanged
}
