package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	err := kafkaio.Deliver(ctx, p, batch)
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
