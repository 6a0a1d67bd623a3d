package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
)

// collector is a sink that keeps what it gets.
type collector struct {
	mu     sync.Mutex
	got    []string
	opened int
	closed int
	put    func(ctx context.Context, n int) error
	safe   func(offset int64) int64
}

func (*collector) Start(context.Context, connectors.SinkTaskContext, map[string]string) error {
	return nil
}
func (*collector) Stop(context.Context) error { return nil }

func (c *collector) Put(ctx context.Context, b *connectors.SinkBatch) error {
	if len(b.Records) == 0 {
		return nil
	}
	if c.put != nil {
		if err := c.put(ctx, len(c.records())); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range b.Records {
		c.got = append(c.got, strings.Clone(b.Records[i].Value.Str()))
	}
	return nil
}

func (c *collector) PreCommit(_ context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	for tp, o := range offsets {
		if c.safe != nil {
			offsets[tp] = c.safe(o)
		}
	}
	return offsets, nil
}

func (c *collector) Open(_ context.Context, tps []connectors.TopicPartition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened += len(tps)
	return nil
}

func (c *collector) Close(_ context.Context, tps []connectors.TopicPartition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed += len(tps)
	return nil
}

func (c *collector) records() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.got...)
}

type planned struct {
	connectors.SinkConnector
	task connectors.SinkTask
}

func (p planned) NewTask() connectors.SinkTask { return p.task }

type env struct{ fenced chan struct{} }

func (*env) Logger() *slog.Logger          { return slog.New(slog.DiscardHandler) }
func (*env) RightLeft() time.Duration      { return time.Hour }
func (*env) Confirm(context.Context) error { return nil }
func (*env) Running()                      {}
func (e *env) Fenced()                     { close(e.fenced) }
func (*env) Warn(string)                   {}

type only struct{ info converter.Info }

func (o only) Converter(string) (converter.Info, error)       { return o.info, nil }
func (o only) HeaderConverter(string) (converter.Info, error) { return o.info, nil }
func (only) Predicate(string) (predicate.Info, error)         { return predicate.Info{}, nil }
func (only) Transform(class string) (transform.Info, error) {
	for _, i := range transform.Builtin() {
		if i.Class == class {
			return i, nil
		}
	}
	return transform.Info{}, errors.New("no such transform")
}

func cluster(t *testing.T, n int) (*kfake.Cluster, kafkaio.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t"), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client := kafkaio.Client{"bootstrap.servers": strings.Join(c.ListenAddrs(), ","), "max.poll.records": "10"}
	produce(t, client, 0, n)
	return c, client
}

func produce(t *testing.T, client kafkaio.Client, from, to int) {
	t.Helper()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: client, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := from; i < to; i++ {
		if _, err := p.Produce([]kafkaio.Message{{Topic: "t", Partition: int32(i % 2), Value: []byte(fmt.Sprint(i)), Timestamp: -1, Seq: uint64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]kafkaio.Report, 100)
	for p.Outstanding() > 0 {
		if _, err := p.Reports(t.Context(), time.Second, buf); err != nil {
			t.Fatal(err)
		}
	}
}

// running is a task that runs.
type running struct {
	t      *testing.T
	task   supervisor.Instance
	env    *env
	result chan error
}

// tasks makes tasks of a collector.
func tasks(client kafkaio.Client, c *collector) factory {
	p := connectors.Plugin{Class: "C", Type: connectors.Sink, NewSink: func() connectors.SinkConnector { return planned{task: c} }}
	var text converter.Info
	for _, in := range converter.Builtin() {
		if strings.HasSuffix(in.Class, ".StringConverter") {
			text = in
		}
	}
	return factory{Deps{Find: func(string) (connectors.Plugin, error) { return p, nil }, Converters: only{text},
		WorkerProps:    map[string]string{"key.converter": "S", "value.converter": "S", "header.converter": "S"},
		ConsumerClient: func(map[string]string) (kafkaio.Client, error) { return client, nil }, ClusterName: "x",
		ClientID: func(string, int) string { return "" }, CommitInterval: 50 * time.Millisecond, CommitTimeout: 2 * time.Second,
		StopTimeout: 20 * time.Second, Clock: clock.Real()}}
}

func spec() supervisor.Spec {
	return supervisor.Spec{Unit: unit.Task("c", 0), ConnectorConfig: map[string]string{"connector.class": "C", "topics": "t"}}
}

func begin(t *testing.T, client kafkaio.Client, c *collector) *running {
	t.Helper()
	return beginPrepared(t, tasks(client, c), nil)
}

func beginPrepared(t *testing.T, f factory, ready supervisor.Prepared) *running {
	t.Helper()
	r := &running{t: t, env: &env{fenced: make(chan struct{})}, result: make(chan error, 1)}
	s := spec()
	s.Prepared = ready
	in, err := f.New(s, r.env)
	if err != nil {
		t.Fatal(err)
	}
	r.task = in
	go func() { r.result <- in.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() { in.Cut() })
	return r
}

func (r *running) stopped() error {
	r.t.Helper()
	select {
	case err := <-r.result:
		return err
	case <-time.After(30 * time.Second):
		r.t.Fatal("Run does not return")
		return nil
	}
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("waiting in vain: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// committed is the sum of the group's offsets.
func committed(t *testing.T, client kafkaio.Client) (sum int64) {
	t.Helper()
	c, err := kafkaio.NewConsumer(kafkaio.ConsumerConfig{Client: client, Group: "connect-c", Topics: []string{"t"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := c.Committed(ctx, []kafkaio.TopicPartition{{Topic: "t", Partition: 0}, {Topic: "t", Partition: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range got {
		sum += o
	}
	return sum
}

func TestTask_PutsEverythingInOrderCommitsAndLeaves(t *testing.T) {
	k, client := cluster(t, 100)
	c := &collector{}
	r := begin(t, client, c)
	await(t, "all records", func() bool { return len(c.records()) == 100 })
	<-r.env.fenced // the join took effect
	last := map[int]int{}
	for _, v := range c.records() {
		var n int
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatal(err)
		}
		if n < last[n%2] {
			t.Fatalf("%d after %d", n, last[n%2])
		}
		last[n%2] = n
	}
	r.task.Stop(true)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
	if g := k.GroupInfo("connect-c"); g != nil && len(g.Members) > 0 {
		t.Errorf("the member has not left: %v", g.Members)
	}
	if n := committed(t, client); n != 100 {
		t.Errorf("%d committed", n)
	}
	if c.opened != 2 || c.closed != 2 {
		t.Errorf("opened %d, closed %d", c.opened, c.closed)
	}
}

func TestPrepare_JoinsNothingAndCallsNoPluginUntilTheTaskRuns(t *testing.T) {
	k, client := cluster(t, 50)
	c, next := &collector{}, &collector{}
	r := begin(t, client, c)
	await(t, "all records", func() bool { return len(c.records()) == 50 })
	members := func() (ids []string) {
		for _, m := range k.GroupInfo("connect-c").Members {
			ids = append(ids, m.MemberID)
		}
		return ids
	}
	before := members()
	f := tasks(client, next)
	ready, err := f.Prepare(t.Context(), spec(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.task.Stop(false)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
	if after := members(); len(after) != 1 || after[0] != before[0] || next.opened != 0 {
		t.Errorf("members %v, before %v; the plugin was opened %d times", after, before, next.opened)
	}
	produce(t, client, 50, 60)
	s := beginPrepared(t, f, ready)
	await(t, "the rest", func() bool { return len(next.records()) == 10 })
	s.task.Stop(true)
	if err := s.stopped(); err != nil {
		t.Error(err)
	}
	unused, err := f.Prepare(t.Context(), spec(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	unused.Close()
	if n := len(members()); n != 0 {
		t.Errorf("%d members", n)
	}
}

func TestPrepare_WithKafkaAwaySaysSoWithinItsTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := tasks(kafkaio.Client{"bootstrap.servers": "127.0.0.1:1"}, &collector{}).Prepare(ctx, spec(), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

func TestTask_StoppedForAMoveItStaysAMemberAndASuccessorGoesOn(t *testing.T) {
	k, client := cluster(t, 50)
	c := &collector{}
	r := begin(t, client, c)
	await(t, "all records", func() bool { return len(c.records()) == 50 })
	r.task.Stop(false)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
	if g := k.GroupInfo("connect-c"); g == nil || len(g.Members) != 1 {
		t.Errorf("a member that moves stays: %+v", g)
	}
	produce(t, client, 50, 60)
	next := &collector{}
	begin(t, client, next)
	await(t, "the rest", func() bool { return len(next.records()) == 10 })
}

func TestTask_ARetriableErrorBringsTheSameBatchAgain(t *testing.T) {
	_, client := cluster(t, 30)
	tries := 0
	c := &collector{put: func(context.Context, int) error {
		if tries++; tries == 2 {
			return connectors.Retriable(errors.New("not now"))
		}
		return nil
	}}
	begin(t, client, c)
	await(t, "all records", func() bool { return len(c.records()) >= 30 })
	seen := map[string]int{}
	for _, v := range c.records() {
		seen[v]++
	}
	if len(seen) != 30 || len(c.records()) != 30 {
		t.Errorf("%d records of %d values", len(c.records()), len(seen))
	}
}

func TestTask_CommitsWhatPreCommitSays(t *testing.T) {
	_, client := cluster(t, 40)
	c := &collector{safe: func(o int64) int64 { return o - 5 }}
	r := begin(t, client, c)
	await(t, "all records", func() bool { return len(c.records()) == 40 })
	r.task.Stop(false)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
	if n := committed(t, client); n != 30 {
		t.Errorf("%d committed", n)
	}
}

func TestTask_AnErrorOrAPanicFailsItAndCommitsNothingOfTheBatch(t *testing.T) {
	for name, put := range map[string]func(context.Context, int) error{
		"error": func(context.Context, int) error { return errors.New("boom") },
		"panic": func(context.Context, int) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			_, client := cluster(t, 10)
			r := begin(t, client, &collector{put: put})
			if err := r.stopped(); err == nil || !strings.Contains(err.Error(), "boom") {
				t.Errorf("%v", err)
			}
			if n := committed(t, client); n != 0 {
				t.Errorf("%d committed", n)
			}
		})
	}
}

func TestTask_APutThatHangsIsLeftBehindAndCommitsNothing(t *testing.T) {
	_, client := cluster(t, 10)
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	started := make(chan struct{}, 10)
	f := tasks(client, &collector{put: func(context.Context, int) error { started <- struct{}{}; <-gate; return nil }})
	f.deps.StopTimeout = 500 * time.Millisecond
	r := beginPrepared(t, f, nil)
	<-started
	r.task.Stop(false)
	if err := r.stopped(); !errors.Is(err, ErrHung) {
		t.Errorf("%v", err)
	}
	if n := committed(t, client); n != 0 {
		t.Errorf("%d committed", n)
	}
}

func TestTask_PausedItKeepsItsPlaceAndPutsNothing(t *testing.T) {
	_, client := cluster(t, 10)
	c := &collector{}
	r := begin(t, client, c)
	await(t, "ten records", func() bool { return len(c.records()) == 10 })
	r.task.SetPaused(true)
	<-time.After(500 * time.Millisecond) // the poll under way
	produce(t, client, 10, 20)
	<-time.After(500 * time.Millisecond)
	if n := len(c.records()); n != 10 {
		t.Errorf("%d records", n)
	}
	r.task.SetPaused(false)
	await(t, "the rest", func() bool { return len(c.records()) == 20 })
}

func TestTask_FencedItCommitsNothingAndSaysSo(t *testing.T) {
	_, client := cluster(t, 10)
	old := &collector{safe: func(int64) int64 { return -1 }}
	r := begin(t, client, old)
	await(t, "ten records", func() bool { return len(old.records()) == 10 })
	next := &collector{}
	begin(t, client, next)
	await(t, "the successor has them", func() bool { return len(next.records()) == 10 })
	if err := r.stopped(); !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("%v", err)
	}
}

func TestFence_EmptiesTheGroupOfAMemberThatIsGone(t *testing.T) {
	k, client := cluster(t, 10)
	c := &collector{}
	r := begin(t, client, c)
	await(t, "ten records", func() bool { return len(c.records()) == 10 })
	r.task.Stop(false)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := Fence(ctx, client, "x", unit.Task("c", 0), map[string]string{"topics": "t"}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if g := k.GroupInfo("connect-c"); g != nil && len(g.Members) > 0 {
		t.Errorf("members %v", g.Members)
	}
}

// later is the real clock, and ahead of it where it is told to be.
type later struct {
	clock.Clock
	by *atomic.Int64
}

func (l later) Now() time.Time { return l.Clock.Now().Add(time.Duration(l.by.Load())) }

// counted is a task with its numbers.
func counted(t *testing.T, client kafkaio.Client, c *collector) (*running, later, *tracetest.SpanRecorder, func() taskstats.View) {
	t.Helper()
	f := tasks(client, c)
	l := later{clock.Real(), &atomic.Int64{}}
	spans := tracetest.NewSpanRecorder()
	f.deps.Clock, f.deps.Stats = l, taskstats.NewRegistry()
	f.deps.Traces = tasktrace.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("t"), time.Hour, l)
	r := beginPrepared(t, f, nil)
	return r, l, spans, func() taskstats.View {
		views := f.deps.Stats.Views("c")
		if len(views) != 1 {
			return taskstats.View{}
		}
		return views[0]
	}
}

func TestTask_ItsNumbersAndLagAreWhatItDid(t *testing.T) {
	_, client := cluster(t, 100)
	r, _, spans, numbers := counted(t, client, &collector{})
	await(t, "everything put and committed, and nothing left", func() bool {
		v := numbers()
		var next, committed, ends int64
		for _, l := range v.Lags {
			if l.Records != 0 {
				return false
			}
			next, committed, ends = next+l.Next, committed+l.Committed, ends+l.End
		}
		return next == 100 && committed == 100 && ends == 100
	})
	var names string
	for _, s := range spans.Ended() {
		names += s.Name() + " "
	}
	if names != "convert put commit record t " {
		t.Errorf("one record was to be traced to its commit: %q", names)
	}
	v := numbers()
	if v.Total(taskstats.Read) != 100 || v.Total(taskstats.Put) != 100 || v.Total(taskstats.ReadBytes) == 0 || v.Total(taskstats.Commits) == 0 ||
		v.Moved.IsZero() || v.Committed.IsZero() || v.LagTime != 0 || v.Max(taskstats.BatchSize) != 10 {
		t.Errorf("%+v", v)
	}
	produce(t, client, 100, 110)
	await(t, "ten more", func() bool { v := numbers(); return v.Total(taskstats.Put) == 110 && v.LagRecords == 0 })
	r.task.Stop(true)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
}

func TestTask_OneThatIsStuckIsStalledAndAnIdleOneIsNot(t *testing.T) {
	_, client := cluster(t, 100)
	_, ahead, _, stuck := counted(t, client, &collector{put: func(context.Context, int) error { return connectors.Retriable(errors.New("the outer system is away")) }})
	await(t, "the lag of the partition that was read", func() bool { v := stuck(); return v.LagRecords > 0 && v.Total(taskstats.PutFailures) > 0 })
	if s := stuck().Stalled; s != "" {
		t.Errorf("stalled too early: %s", s)
	}
	ahead.by.Store(int64(10 * time.Minute))
	await(t, "another try, which changes nothing", func() bool { v := stuck(); return v.Total(taskstats.PutFailures) > 1 })
	if s := stuck().Stalled; !strings.Contains(s, " records are left to be put, and none was put for 10m") {
		t.Errorf("%q", s)
	}

	_, client = cluster(t, 10)
	hang := make(chan struct{})
	_, ahead, _, hung := counted(t, client, &collector{put: func(context.Context, int) error { <-hang; return nil }})
	await(t, "the hang", func() bool { return hung().Call == taskstats.PutCall })
	ahead.by.Store(int64(10 * time.Minute))
	if s := hung().Stalled; !strings.HasPrefix(s, "a call of put has not returned for 10m") {
		t.Errorf("%q", s)
	}
	close(hang)
	await(t, "everything put", func() bool { v := hung(); return v.Total(taskstats.Put) == 10 && v.LagRecords == 0 })
	ahead.by.Store(int64(20 * time.Minute))
	await(t, "another look", func() bool { v := hung(); return v.Stalled == "" && v.Call == taskstats.None })
}
