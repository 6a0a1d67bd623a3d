package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

var (
	// ErrWrite is wrapped where Kafka did not take what was to be written.
	ErrWrite = errors.New("mirror: the internal topics cannot be written")
	// ErrStream is wrapped where the control plane's stream makes no sense: it is begun anew.
	ErrStream = errors.New("mirror: the stream of changes is broken (bug)")
	// ErrGroup says that workers of a Kafka Connect cluster are members of the group.
	ErrGroup = errors.New("mirror: workers of a Kafka Connect cluster are members of the group: its topics are left to them")
)

const (
	retry     = time.Second
	groupWait = 5 * time.Second
	writeTime = 30 * time.Second
	// gather is how long changes are collected before they are written together.
	gather = 20 * time.Millisecond
	// maxBatch is about how many bytes are written in one transaction; a task set is never parted.
	maxBatch = 1 << 20
)

// Deps is what the mirror needs.
type Deps struct {
	// Configs is config.storage.topic and States status.storage.topic, empty where there are none (standalone mode);
	// Group is group.id.
	Configs, States, Group string
	Client                 kafkaio.Client
	Admin                  *kafkaio.Admin
	// Watch follows the connectors and their states.
	Watch func(ctx context.Context, e lease.Epoch) (Stream, error)
	// Confirm says that Kafka has everything up to a revision.
	Confirm func(ctx context.Context, e lease.Epoch, revision int64, quiet bool) error
	Clock   clock.Clock
}

// Stream brings changes.
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
	if in.deps.States == "" {
		<-in.ctx.Done()
		return nil
	}
	waiting := false
	for {
		err := in.life(in.ctx)
		switch {
		case in.ctx.Err() != nil:
			return nil //nolint:nilerr // it was stopped
		case errors.Is(err, kafkaio.ErrFenced):
			return err
		case errors.Is(err, ErrGroup):
			if !waiting {
				in.log.Warn("nothing is copied to Kafka", logkey.Err, err)
			}
			if waiting = true; !in.sleep(groupWait) {
				return nil
			}
			continue
		}
		waiting = false
		in.log.Warn("copying to Kafka is begun anew", logkey.Err, err)
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

// vacant wants a group without members.
func (in *instance) vacant(ctx context.Context) error {
	limit, done := context.WithTimeout(ctx, groupWait)
	defer done()
	n, err := in.deps.Admin.GroupMembers(limit, in.deps.Group)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: %d in group %q", ErrGroup, n, in.deps.Group)
	}
	return err
}

// life runs one life of the copy.
func (in *instance) life(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	if err := in.vacant(ctx); err != nil {
		return err
	}
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: in.deps.Client, TransactionalID: TransactionalID(in.deps.Group),
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
	w := &writer{in: in, p: p, copier: newCopier(), looked: in.deps.Clock.Boot()}
	// The fence comes first: nothing of an earlier mirror appears after this reading.
	for _, b := range []*book{w.copier.configs, w.copier.states} {
		for _, isolation := range []string{"read_uncommitted", "read_committed"} {
			if _, err := kafkaio.ReadToEnd(ctx, in.deps.Client, w.topic(b.status), kafkaio.ReadOptions{Isolation: isolation, Logger: in.log}, func(r kafkaio.Record) error {
				b.read(r, isolation == "read_committed")
				return nil
			}); err != nil {
				return err
			}
		}
	}
	in.log.Debug("the internal topics were read", slog.Int("configs", len(w.copier.configs.known)), slog.Int("states", len(w.copier.states.known)))
	s, err := in.deps.Watch(ctx, in.spec.Epoch)
	if err != nil {
		return err
	}
	return w.follow(ctx, s)
}

// TransactionalID is the mirror's, by which Kafka stops the older of two.
func TransactionalID(group string) string { return group + "-sluice-mirror" }
