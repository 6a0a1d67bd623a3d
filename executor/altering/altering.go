package altering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// errRight ends an attempt that may not act any more.
var errRight = errors.New("altering: the right has ended")

// Groups is what is asked of Kafka about consumer groups; *kafkaio.Admin does it.
type Groups interface {
	PartitionCounts(ctx context.Context, topics []string) (map[string]int32, error)
	GroupMembers(ctx context.Context, group string) (int, error)
	GroupOffsets(ctx context.Context, group string) (map[kafkaio.TopicPartition]int64, error)
	AlterGroupOffsets(ctx context.Context, group string, offsets map[kafkaio.TopicPartition]int64) error
	DeleteGroupOffsets(ctx context.Context, group string, tps []kafkaio.TopicPartition) error
	DeleteGroup(ctx context.Context, group string) error
	Close()
}

// Deps is what is needed to read and alter offsets.
type Deps struct {
	// Find finds a plugin by class or alias.
	Find func(class string) (connectors.Plugin, error)
	// Resolve resolves references in a connector's config.
	Resolve func(ctx context.Context, configs ...map[string]string) (*secrets.Set, error)
	// Offsets opens the store of a source's offsets; release it once.
	Offsets func(ctx context.Context, connectorConfig map[string]string) (s offsets.Store, release func(), err error)
	// Groups makes the admin client of a sink connector.
	Groups func(connectorConfig map[string]string) (Groups, error)
	// Complete tells the control plane what a request came to.
	Complete func(ctx context.Context, connector string, e lease.Epoch, id string, r *sluicev1.OffsetsResult) error
	// CallTimeout bounds the plugin's call.
	CallTimeout time.Duration
	Clock       clock.Clock
}

const (
	// attempts bounds how often Kafka is asked while it cannot do it, and again is the pause between.
	attempts = 20
	again    = time.Second
	// leaving bounds how often a group is asked whether its members have left: a task that has stopped has sent its
	// farewell, which the group's coordinator may read a moment later.
	leaving = 5
	// answerTime is what an attempt that is stopped has for telling that it is done.
	answerTime = 2 * time.Second
	// maxAnswer bounds what is read, in bytes: it is one message on the way to the caller.
	maxAnswer = 3 << 20
)

// job is one request.
type job struct {
	connector string
	config    map[string]string
	forgetAll bool
	changes   []*sluicev1.PartitionOffset
	mayAct    func() error
}

// failure is an error with the words that it has for the user; what caused it says whether another try may help.
type failure struct {
	cause error
	words string
}

func (f *failure) Error() string { return f.words + ": " + f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

func failed(err error, format string, args ...any) error {
	if err == nil || errors.Is(err, errRight) {
		return err
	}
	return &failure{err, fmt.Sprintf(format, args...)}
}

// ask calls a connector's AlterOffsets.
func (d Deps) ask(ctx context.Context, p connectors.Plugin, j job, f func(context.Context) (bool, error)) (complete bool, err error) {
	err = plugin.Call(ctx, d.Clock, p.Class+".AlterOffsets", d.CallTimeout, func(ctx context.Context) error {
		complete, err = f(ctx)
		if err == nil || errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return errs.New(errs.OffsetsInvalid, "%s", err.Error())
	})
	var refusal *errs.Error
	switch {
	case err == nil:
		return complete, nil
	case errors.Is(err, errors.ErrUnsupported):
		return false, errs.New(errs.OffsetsUnsupported, "Failed to modify offsets for connector %s because it doesn't support external modification of offsets", j.connector)
	case errors.As(err, &refusal):
		return false, refusal // the connector's own words
	}
	return false, failed(err, "Failed to modify offsets for connector %s", j.connector)
}

// Read returns the offsets of a connector.
func (d Deps) Read(ctx context.Context, connector string, config map[string]string) ([]*sluicev1.PartitionOffset, error) {
	p, err := d.Find(config["connector.class"])
	if err != nil {
		return nil, err
	}
	set, err := d.Resolve(ctx, config)
	if err != nil {
		return nil, known(err, nil)
	}
	read := d.readSource
	if p.Type == connectors.Sink {
		read = d.readSink
	}
	out, err := read(ctx, connector, set.Configs[0])
	if err != nil {
		return nil, known(err, set)
	}
	if n := proto.Size(&sluicev1.OffsetsCommandResult{Offsets: out}); n > maxAnswer {
		return nil, errs.New(errs.OffsetsTooLarge, "Connector %s has %d offsets, %d bytes of them, and at most %d bytes are answered at once: read them from the offsets topic", connector, len(out), n, maxAnswer)
	}
	return out, nil
}

func (d Deps) readSource(ctx context.Context, connector string, config map[string]string) ([]*sluicev1.PartitionOffset, error) {
	store, release, err := d.Offsets(ctx, config)
	if err != nil {
		return nil, failed(err, "Failed to retrieve offsets for source connector %s", connector)
	}
	defer release()
	entries, err := store.List(ctx, connector)
	if err != nil {
		return nil, failed(err, "Failed to retrieve offsets for source connector %s", connector)
	}
	var out []*sluicev1.PartitionOffset
	for _, e := range entries {
		if e.Partition == nil {
			continue // Kafka Connect lists none of the null partition
		}
		one, err := entry(e.Partition, e.Offset)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (d Deps) readSink(ctx context.Context, connector string, config map[string]string) ([]*sluicev1.PartitionOffset, error) {
	const words = "Failed to retrieve consumer group offsets for sink connector %s"
	admin, err := d.Groups(config)
	if err != nil {
		return nil, failed(err, words, connector)
	}
	defer admin.Close()
	found, err := admin.GroupOffsets(ctx, sinkGroup(connector, config))
	if err != nil {
		return nil, failed(err, words, connector)
	}
	var out []*sluicev1.PartitionOffset
	for _, tp := range sortedPartitions(found) {
		one, err := entry(map[string]any{topicKey: tp.Topic, partitionKey: tp.Partition}, map[string]any{offsetKey: found[tp]})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func entry(partition, offset map[string]any) (out *sluicev1.PartitionOffset, err error) {
	out = &sluicev1.PartitionOffset{}
	if out.Partition, err = text(partition); err == nil {
		out.Offset, err = text(offset)
	}
	return out, err
}

// known gives an error a registered reason, and takes secrets out of it.
func known(err error, set *secrets.Set) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return errs.New(e.Reason, "%s", set.Scrub(e.Message))
	}
	reason := errs.OffsetsFailed
	if temporary(err) {
		reason = errs.KafkaUnavailable
	}
	return errs.New(reason, "%s", set.Scrub(err.Error()))
}

// temporary says whether Kafka may be able to do it later.
func temporary(err error) bool {
	return kafkaio.Retriable(err) || errors.Is(err, kafkaio.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
}

// NewFactory makes the holders of offsets: units.
func NewFactory(d Deps) supervisor.Factory { return factory{d} }

type factory struct{ deps Deps }

func (f factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	in := &instance{deps: f.deps, spec: spec, env: env, log: env.Logger()}
	in.ctx, in.cancel = context.WithCancel(context.Background())
	return in, nil
}

// instance is one attempt at a request.
type instance struct {
	deps   Deps
	spec   supervisor.Spec
	env    supervisor.Env
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	set    *secrets.Set // what the config's references came to, of the goroutine of Run
}

// Stop implements supervisor.Instance.
func (in *instance) Stop(bool) { in.cancel() }

// Cut implements supervisor.Instance. A transaction that was not committed never appears.
func (in *instance) Cut() { in.cancel() }

// SetPaused implements supervisor.Instance.
func (in *instance) SetPaused(bool) {}

// SetSuspended implements supervisor.Instance: the unit is stopped instead.
func (in *instance) SetSuspended(bool) {}

// Run implements supervisor.Instance.
func (in *instance) Run(context.Context) error {
	in.env.Running()
	if in.spec.Offsets == nil { // the request is gone, and the unit is about to be
		<-in.ctx.Done()
		return nil
	}
	result, err := in.alter()
	if errors.Is(err, kafkaio.ErrFenced) {
		return err // confirmed, and begun anew
	}
	if result != nil {
		in.complete(result)
	}
	<-in.ctx.Done()
	return nil
}

// alter does it; no result where it was stopped before it could know.
func (in *instance) alter() (*sluicev1.OffsetsResult, error) {
	for n := 1; ; n++ {
		complete, err := in.once()
		switch {
		case err == nil:
			in.log.Info("offsets altered", slog.Bool("reset", in.spec.Offsets.GetForgetAll()), slog.Int("offsets", len(in.spec.Offsets.GetOffsets())))
			return &sluicev1.OffsetsResult{Complete: complete}, nil
		case in.ctx.Err() != nil, errors.Is(err, errRight):
			return nil, nil //nolint:nilerr // whoever follows does it again
		case errors.Is(err, kafkaio.ErrFenced):
			return nil, err
		case n < attempts && temporary(err), n < leaving && errs.ReasonOf(err) == errs.OffsetsGroupActive:
			in.log.Warn("altering offsets is tried again", logkey.Err, in.set.Error(err))
			if !in.sleep(again) {
				return nil, nil
			}
			continue
		}
		e := known(err, in.set)
		in.log.Warn("offsets were not altered", logkey.Err, e)
		return &sluicev1.OffsetsResult{Reason: string(errs.ReasonOf(e)), Message: e.Error()}, nil
	}
}

func (in *instance) once() (bool, error) {
	j := job{connector: in.spec.Unit.Name, config: in.spec.ConnectorConfig, forgetAll: in.spec.Offsets.GetForgetAll(), changes: in.spec.Offsets.GetOffsets(), mayAct: in.mayAct}
	p, err := in.deps.Find(j.config["connector.class"])
	if err != nil {
		return false, err
	}
	if in.set, err = in.deps.Resolve(in.ctx, j.config); err != nil {
		return false, failed(err, "Failed to modify offsets for connector %s", j.connector)
	}
	j.config = in.set.Configs[0]
	if p.Type == connectors.Sink {
		return in.deps.sink(in.ctx, p, j)
	}
	return in.deps.source(in.ctx, p, j)
}

func (in *instance) mayAct() error {
	if in.ctx.Err() != nil || in.env.RightLeft() <= 0 {
		return errRight
	}
	return nil
}

// complete tells the result until the control plane has it. One that is stopped tries once more: offsets that are
// altered are best known to be.
func (in *instance) complete(r *sluicev1.OffsetsResult) {
	for {
		stopped := in.ctx.Err() != nil
		ctx, cancel := context.WithTimeout(context.WithoutCancel(in.ctx), answerTime)
		err := in.deps.Complete(ctx, in.spec.Unit.Name, in.spec.Epoch, in.spec.Offsets.GetId(), r)
		cancel()
		switch status.Code(err) {
		case codes.OK:
			return
		case codes.FailedPrecondition, codes.NotFound, codes.InvalidArgument:
			in.log.Info("nobody waits for these offsets any more", logkey.Err, err)
			return
		}
		in.log.Info("the result of altering offsets was not delivered", logkey.Err, err)
		if stopped || !in.sleep(again) {
			return
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
