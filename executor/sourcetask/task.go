package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/unit"
)

// Deps is what source tasks share.
type Deps struct {
	// Find finds a plugin by class or alias.
	Find func(class string) (connectors.Plugin, error)
	// Converters and WorkerProps are for the task's converters and transforms.
	Converters  stage.Registry
	WorkerProps map[string]string
	// ProducerClient is the producer's configuration for a connector.
	ProducerClient func(connectorConfig map[string]string) (kafkaio.Client, error)
	// Topics creates topics, where the connector asks for it.
	Topics Topics
	// NewProducer opens a producer; nil is kafkaio.NewProducer.
	NewProducer func(cfg kafkaio.ProducerConfig) (Producer, error)
	// Offsets opens the store of a connector's offsets; release it once.
	Offsets func(ctx context.Context, connectorConfig map[string]string, exactlyOnce bool) (s offsets.Store, release func(), err error)
	// TransactionalID is the transactional id of an exactly-once source's task.
	TransactionalID func(connector string, task int) string
	ClientID        func(connector string, task int) string
	// ActiveTopic is told of each topic that a task writes to; it may be nil.
	ActiveTopic func(connector string, task int, topic string)
	// FlushInterval and FlushTimeout are offset.flush.interval.ms and offset.flush.timeout.ms, StopTimeout is
	// task.shutdown.graceful.timeout.ms.
	FlushInterval, FlushTimeout, StopTimeout time.Duration
	// TopicCreation is topic.creation.enable.
	TopicCreation bool
	// Stats lists the tasks' numbers while they run; it may be nil.
	Stats *taskstats.Registry
	// Traces follows records now and then; nil follows none.
	Traces *tasktrace.Tracer
	Clock  clock.Clock
}

// Producer is what a task needs of a kafkaio.Producer.
type Producer interface {
	Produce(msgs []kafkaio.Message) (int, error)
	Reports(ctx context.Context, wait time.Duration, buf []kafkaio.Report) (int, error)
	Purge()
	Close()
}

// NewFactory makes source tasks.
func NewFactory(d Deps) supervisor.Factory {
	if d.NewProducer == nil {
		d.NewProducer = func(cfg kafkaio.ProducerConfig) (Producer, error) { return kafkaio.NewProducer(cfg) }
	}
	return factory{d}
}

type factory struct{ deps Deps }

func (f factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	p, err := f.deps.Find(spec.ConnectorConfig["connector.class"])
	if err != nil {
		return nil, err
	}
	if p.NewSource == nil {
		return nil, fmt.Errorf("%w: connector.class: %s is no source", ErrConfig, p.Class)
	}
	conv, err := stage.NewConverters(f.deps.Converters, f.deps.WorkerProps, spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	chain, err := stage.NewChain(f.deps.Converters, spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	policy, err := stage.ParsePolicy(spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	client, err := f.deps.ProducerClient(spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	var rules []creation
	if f.deps.TopicCreation { // else nobody looks at the keys, right or wrong
		if rules, err = parseCreation(spec.ConnectorConfig); err != nil {
			return nil, err
		}
	}
	log := env.Logger()
	var txn *transaction
	if spec.Class == unit.ClassKafkaFenced {
		if txn, err = f.newTransaction(spec.ConnectorConfig, client); err != nil {
			return nil, err
		}
	}
	t := &task{txn: txn, deps: f.deps, spec: spec, env: env, log: log, plugin: p, client: client, policy: policy, rules: rules,
		wake: make(chan struct{}, 1), switches: switches{paused: spec.Paused}}
	t.parker, _ = env.(supervisor.Parker)
	t.ready, _ = spec.Prepared.(*ready) // nil where nothing was made ready
	t.stats = taskstats.New(taskstats.Identity{Connector: spec.Unit.Name, Task: spec.Unit.Task, Transactional: txn != nil}, f.deps.Clock)
	t.stats.SetPaused(spec.Paused)
	t.trace = f.deps.Traces.Task(spec.Unit.Name, spec.Unit.Task)
	t.op = stage.NewOperator(policy, f.deps.Clock, log).Counting(&t.stats.Errors)
	t.stage = stage.NewSource(conv, chain, t.op, t.topic)
	t.stopping, t.stop = context.WithCancelCause(context.Background())
	return t, nil
}

// held are a connector's offsets, open and held.
type held struct {
	store   offsets.Store
	release func()
}

// hold opens and holds the offsets of a unit's connector.
func (f factory) hold(ctx context.Context, spec supervisor.Spec) (held, error) {
	store, closed, err := f.deps.Offsets(ctx, spec.ConnectorConfig, spec.Class == unit.ClassKafkaFenced)
	if err != nil {
		return held{}, fmt.Errorf("the offsets topic of connector %q: %w", spec.Unit.Name, err)
	}
	release := store.Hold(spec.Unit.Name)
	return held{store, func() { release(); closed() }}, nil
}

// hold waits until Kafka can be asked.
func (t *task) hold() (h held, err error) {
	if t.ready != nil {
		return t.ready.held, nil
	}
	for {
		limit, cancel := context.WithTimeout(t.stopping, openTime)
		h, err = factory{t.deps}.hold(limit, t.spec)
		cancel()
		if err == nil || t.stopping.Err() != nil || !kafkaio.Retriable(err) && !errors.Is(err, kafkaio.ErrTimeout) {
			return h, err
		}
		t.log.Warn("the offsets topic cannot be used yet, and is tried again", logkey.Err, err)
		select {
		case <-t.deps.Clock.After(time.Second):
		case <-t.stopping.Done():
		}
	}
}

// openTime is what one look at the offsets topic has.
const openTime = 30 * time.Second

// ready are offsets that were read, and are held, and an open producer.
type ready struct {
	held
	producer Producer
}

// Close implements supervisor.Prepared.
func (r *ready) Close() {
	r.release()
	if r.producer != nil {
		r.producer.Close()
	}
}

// Prepare implements supervisor.Preparer. The start reads only the offsets that are written from now on.
func (f factory) Prepare(ctx context.Context, spec supervisor.Spec, log *slog.Logger) (_ supervisor.Prepared, err error) {
	client, err := f.deps.ProducerClient(spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	name := spec.Unit.Name
	h, err := f.hold(ctx, spec)
	if err != nil {
		return nil, err
	}
	r := &ready{held: h}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.producer, err = f.deps.NewProducer(f.producer(spec, client, log)); err != nil {
		return nil, err
	}
	if _, err = h.store.Read(ctx, name, f.deps.Clock.Boot(), nil); err != nil {
		return nil, err
	}
	return r, nil
}

func (f factory) producer(spec supervisor.Spec, client kafkaio.Client, log *slog.Logger) kafkaio.ProducerConfig {
	return kafkaio.ProducerConfig{Client: client, Logger: log, ClientID: f.deps.ClientID(spec.Unit.Name, spec.Unit.Task), TransactionalID: f.transactionalID(spec)}
}

// transactionalID is empty for tasks that deliver at least once.
func (f factory) transactionalID(spec supervisor.Spec) string {
	if spec.Class != unit.ClassKafkaFenced {
		return ""
	}
	return f.deps.TransactionalID(spec.Unit.Name, spec.Unit.Task)
}

// switches are what others have set.
type switches struct{ paused, suspended, cut bool }

// task is one run of a task: the instance and its loop's state.
type task struct {
	deps   Deps
	spec   supervisor.Spec
	env    supervisor.Env
	parker supervisor.Parker // nil where the loop waits by itself
	log    *slog.Logger
	plugin connectors.Plugin
	client kafkaio.Client
	policy stage.Policy
	rules  []creation
	op     *stage.Operator
	stage  *stage.Source
	ready  *ready // until Run
	stats  *taskstats.Task
	trace  *tasktrace.Task // nil where records are not traced
	store  offsets.Store
	txn    *transaction // nil for one that delivers at least once

	mu       sync.Mutex
	switches switches
	open     Producer // for Cut
	wake     chan struct{}
	stopping context.Context
	stop     context.CancelCauseFunc

	loop // of the loop's goroutine
}

var errStop = errors.New("sourcetask: stop")

func (t *task) set(f func(*switches)) {
	t.mu.Lock()
	f(&t.switches)
	t.mu.Unlock()
	t.poke()
}

// poke has the loop look again.
func (t *task) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
	if t.parker != nil {
		t.parker.Again()
	}
}

func (t *task) read() switches {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.switches
}

// Stop implements supervisor.Instance.
func (t *task) Stop(bool) {
	t.stop(errStop)
	t.poke()
}

// SetPaused implements supervisor.Instance.
func (t *task) SetPaused(p bool) { t.set(func(s *switches) { s.paused = p }); t.stats.SetPaused(p) }

// SetSuspended implements supervisor.Instance.
func (t *task) SetSuspended(p bool) {
	t.set(func(s *switches) { s.suspended = p })
	t.stats.SetSuspended(p)
}

// Cut implements supervisor.Instance. The producer is purged at once, by whoever calls.
func (t *task) Cut() {
	t.mu.Lock()
	t.switches.cut = true
	if t.open != nil {
		t.open.Purge()
	}
	t.mu.Unlock()
	t.stop(ErrCut)
	t.poke()
}

// mayAct says whether something may reach Kafka now.
func (t *task) mayAct() bool {
	s := t.read()
	if t.txn != nil {
		return !s.cut // Kafka stops it where another has its place
	}
	return !s.cut && !s.suspended && t.env.RightLeft() > 0
}

// taskContext is what the plugin's task may ask.
type taskContext struct {
	*task
	since time.Duration
}

func (c taskContext) Logger() *slog.Logger { return c.log }

func (c taskContext) Offsets(ctx context.Context, partitions []map[string]any) ([]map[string]any, error) {
	found, err := c.store.Read(ctx, c.spec.Unit.Name, c.since, partitions)
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of connector %q: %w", c.spec.Unit.Name, err)
	}
	for i := range found {
		found[i] = maps.Clone(found[i]) // the plugin may change its own
	}
	return found, nil
}
