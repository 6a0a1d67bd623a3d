package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// ErrWrite is wrapped where a state could not be written.
var ErrWrite = errors.New("mirror: the status topic cannot be written")

const (
	retry     = time.Second
	groupWait = 5 * time.Second
	writeTime = 30 * time.Second
	// gather is how long changes are collected before they are written together.
	gather = 20 * time.Millisecond
)

// Deps is what the mirror needs.
type Deps struct {
	// Topic is status.storage.topic, empty where there is none (standalone mode); Group is group.id.
	Topic, Group string
	Client       kafkaio.Client
	Admin        *kafkaio.Admin
	// Watch follows the states.
	Watch func(ctx context.Context, e lease.Epoch) (Stream, error)
	Clock clock.Clock
}

// Stream brings states.
type Stream interface {
	Recv() (*sluicev1.WatchMirrorResponse, error)
}

// NewFactory makes the mirror.
func NewFactory(d Deps) supervisor.Factory { return factory{d} }

type factory struct{ deps Deps }

func (f factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	in := &instance{deps: f.deps, spec: spec, env: env, log: env.Logger()}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	return in, nil
}

type instance struct {
	deps   Deps
	spec   supervisor.Spec
	env    supervisor.Env
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	known  map[string][]byte // what the topic has
	seq    uint64
}

// Stop implements supervisor.Instance.
func (in *instance) Stop(bool) { in.cancel() }

// Cut implements supervisor.Instance. What is in a transaction that was not committed never appears.
func (in *instance) Cut() { in.cancel() }

// SetPaused implements supervisor.Instance.
func (in *instance) SetPaused(bool) {}

// SetSuspended implements supervisor.Instance.
func (in *instance) SetSuspended(bool) {}

// Run implements supervisor.Instance.
func (in *instance) Run(context.Context) error {
	in.env.Running()
	if in.deps.Topic == "" {
		<-in.ctx.Done()
		return nil
	}
	for {
		err := in.copy(in.ctx)
		if in.ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if errors.Is(err, kafkaio.ErrFenced) {
			return err
		}
		in.log.Warn("copying states to Kafka is begun anew", logkey.Err, err)
		if !in.sleep(retry) {
			return nil
		}
	}
}

func (in *instance) sleep(d time.Duration) bool {
	t := in.deps.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-in.ctx.Done():
		return false
	}
}

// copy runs one life of the copy.
func (in *instance) copy(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	for {
		limit, done := context.WithTimeout(ctx, groupWait)
		n, err := in.deps.Admin.GroupMembers(limit, in.deps.Group)
		done()
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		in.log.Warn("workers of a Kafka Connect cluster are members of the group: its status topic is left to them", slog.String("group", in.deps.Group), slog.Int("members", n))
		if !in.sleep(groupWait) {
			return nil
		}
	}
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: in.deps.Client, TransactionalID: in.deps.Group + "-sluice-mirror",
		MessageTimeout: writeTime, Logger: in.log, ClientID: in.deps.Group + "-statuses"})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := in.env.Confirm(ctx); err != nil {
		return err
	}
	limit, done := context.WithTimeout(ctx, writeTime)
	err = p.InitTransactions(limit)
	done()
	if err != nil {
		return err
	}
	in.known = map[string][]byte{}
	_, err = kafkaio.ReadToEnd(ctx, in.deps.Client, in.deps.Topic, kafkaio.ReadOptions{Logger: in.log}, func(r kafkaio.Record) error {
		if r.Value == nil {
			delete(in.known, string(r.Key))
		} else {
			in.known[string(r.Key)] = bytes.Clone(r.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	in.log.Debug("the status topic was read", slog.Int("states", len(in.known)))
	s, err := in.deps.Watch(ctx, in.spec.Epoch)
	if err != nil {
		return err
	}
	return in.follow(ctx, s, p)
}

// follow writes what the stream brings.
func (in *instance) follow(ctx context.Context, s Stream, p *kafkaio.Producer) error {
	in.seq = 0
	var batch []kafkaio.Message
	synced := false
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		if m.GetSynced() != nil {
			synced = true
		}
		if st := m.GetStatus(); st != nil {
			if msg, ok := in.message(st); ok {
				batch = append(batch, msg)
			}
		}
		if !synced || len(batch) == 0 {
			continue
		}
		if in.env.RightLeft() <= 0 {
			return fmt.Errorf("%w: the right has ended", ErrWrite)
		}
		if err := in.write(ctx, p, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
}

// message is the record of a state; false where the topic has it already.
func (in *instance) message(st *sluicev1.MirrorStatus) (kafkaio.Message, bool) {
	u, err := unit.Parse(st.GetUnit())
	if err != nil {
		return kafkaio.Message{}, false
	}
	key := topics.StatusConnectorKey(u.Name)
	if u.Kind == unit.KindTask {
		key = topics.StatusTaskKey(u.Name, u.Task)
	}
	m := kafkaio.Message{Topic: in.deps.Topic, Partition: -1, Key: []byte(key), Timestamp: -1}
	old, had := in.known[key]
	if st.GetDeleted() {
		delete(in.known, key)
		return m, had
	}
	m.Value = topics.Status{State: strings.TrimPrefix(st.GetState().String(), "STATE_"), Trace: st.GetTrace(), WorkerID: st.GetWorkerId(),
		Generation: st.GetGeneration(), Version: st.GetVersion()}.Value()
	in.known[key] = m.Value
	return m, !bytes.Equal(old, m.Value)
}

// write writes a batch in a transaction.
func (in *instance) write(parent context.Context, p *kafkaio.Producer, batch []kafkaio.Message) error {
	ctx, cancel := context.WithTimeout(parent, writeTime)
	defer cancel()
	if err := p.Begin(); err != nil {
		return err
	}
	for i := range batch {
		in.seq++
		batch[i].Seq = in.seq
	}
	err := deliver(ctx, p, batch)
	if err == nil {
		err = p.Commit(ctx)
	}
	if err != nil {
		clean, done := context.WithTimeout(context.WithoutCancel(parent), 5*time.Second)
		defer done()
		return errors.Join(fmt.Errorf("%w: %w", ErrWrite, err), p.Abort(clean))
	}
	return nil
}

// deliver produces a batch and waits for all of its reports.
func deliver(ctx context.Context, p *kafkaio.Producer, batch []kafkaio.Message) error {
	buf := make([]kafkaio.Report, 100)
	var failed error
	for left := len(batch); left > 0; {
		n, err := p.Produce(batch)
		if err != nil && !errors.Is(err, kafkaio.ErrQueueFull) {
			return err
		}
		batch = batch[n:]
		if n, err = p.Reports(ctx, 100*time.Millisecond, buf); err != nil {
			return err
		}
		left -= n
		for _, r := range buf[:n] {
			if r.Err != nil && failed == nil {
				failed = r.Err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// ActiveTopics writes which topics the executor's tasks use. Safe for concurrent use; it never blocks.
type ActiveTopics struct {
	topic  string
	client kafkaio.Client
	clock  clock.Clock
	log    *slog.Logger

	mu    sync.Mutex
	queue []kafkaio.Message
	wake  chan struct{}
}

// maxActive bounds what waits to be written.
const maxActive = 10_000

// NewActiveTopics returns a writer; Run writes.
func NewActiveTopics(topic string, client kafkaio.Client, c clock.Clock, log *slog.Logger) *ActiveTopics {
	return &ActiveTopics{topic: topic, client: client, clock: c, log: log, wake: make(chan struct{}, 1)}
}

// Used says that a task uses a topic.
func (a *ActiveTopics) Used(connector string, task int, topic string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) >= maxActive {
		return // a copy for people: it is not worth holding a task up
	}
	a.queue = append(a.queue, kafkaio.Message{Topic: a.topic, Partition: -1, Timestamp: -1, Key: []byte(topics.StatusTopicKey(topic, connector)),
		Value: topics.ActiveTopicValue(topic, connector, task, a.clock.Now().UnixMilli())})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends.
func (a *ActiveTopics) Run(ctx context.Context) error {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-a.clock.After(gather):
		case <-ctx.Done():
		}
		a.mu.Lock()
		batch := a.queue
		a.queue = nil
		a.mu.Unlock()
		if err := a.write(ctx, batch); err != nil && ctx.Err() == nil {
			a.log.Warn("active topics were not written", slog.Int("records", len(batch)), logkey.Err, err)
		}
	}
}

func (a *ActiveTopics) write(parent context.Context, batch []kafkaio.Message) error {
	ctx, cancel := context.WithTimeout(parent, writeTime)
	defer cancel()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: a.client, MessageTimeout: writeTime, Logger: a.log, ClientID: "sluice-active-topics"})
	if err != nil {
		return err
	}
	defer p.Close()
	return deliver(ctx, p, batch)
}
