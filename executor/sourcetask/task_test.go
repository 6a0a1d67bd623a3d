package sourcetask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/predicate"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
)

// counter is a source of numbered records, of one partition.
type counter struct {
	at, limit int64
	topic     string // t where it is empty
	mu        sync.Mutex
	waits     int64 // the number of the last record, once it waits for more
	poll      func(ctx context.Context, n int64) error
}

// errNothing has Poll return with nothing.
var errNothing = errors.New("nothing")

// planned is the connector of a counter; only its task is used.
type planned struct {
	connectors.SourceConnector
	task connectors.SourceTask
}

func (p planned) NewTask() connectors.SourceTask { return p.task }

func (c *counter) Start(ctx context.Context, tc connectors.SourceTaskContext, _ map[string]string) error {
	found, err := tc.Offsets(ctx, []map[string]any{{"p": "x"}})
	if err == nil && found[0] != nil {
		c.at, _ = found[0]["n"].(int64)
	}
	return err
}

func (c *counter) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if c.poll != nil {
		if err := c.poll(ctx, c.at); errors.Is(err, errNothing) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if c.at >= c.limit {
		c.mu.Lock()
		c.waits = c.at
		c.mu.Unlock()
		<-ctx.Done()
		return nil
	}
	ref := b.Partition(map[string]any{"p": "x"})
	for range min(10, b.Room()) {
		if c.at >= c.limit {
			break
		}
		c.at++
		r := b.Add()
		r.Partition, r.Topic, r.Offset = ref, cmp.Or(c.topic, "t"), connectors.SourceOffset{Key: "n", Value: data.Int64(c.at)}
		r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprint(c.at))
	}
	return nil
}

func (*counter) Stop(context.Context) error { return nil }

// broker is a Kafka that keeps what it gets, and acknowledges it when it is told to.
type broker struct {
	mu      sync.Mutex
	got     []string
	pending []kafkaio.Report
	hold    bool
	fail    error
	purged  bool
	opened  int
	closed  int
	gone    chan struct{} // closed with the open producer
}

func (b *broker) Produce(msgs []kafkaio.Message) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(msgs), 7) // full again and again
	for _, m := range msgs[:n] {
		if b.fail == nil {
			b.got = append(b.got, string(m.Value))
		}
		b.pending = append(b.pending, kafkaio.Report{Seq: m.Seq, Err: b.fail})
	}
	if n < len(msgs) {
		return n, kafkaio.ErrQueueFull
	}
	return n, nil
}

func (b *broker) Reports(ctx context.Context, _ time.Duration, buf []kafkaio.Report) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hold || len(b.pending) == 0 {
		gone := b.gone
		b.mu.Unlock()
		var err error
		select {
		case <-ctx.Done():
		case <-clock.Real().After(time.Millisecond):
		case <-gone:
			err = kafkaio.ErrClosed
		}
		b.mu.Lock()
		return 0, err
	}
	n := copy(buf, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

func (b *broker) Purge() { b.mu.Lock(); b.purged = true; b.mu.Unlock() }

// Close has the Reports under way return with an error, and takes its time, as the real one does.
func (b *broker) Close() {
	b.mu.Lock()
	b.closed++
	close(b.gone)
	b.mu.Unlock()
	<-clock.Real().After(20 * time.Millisecond)
}

func (b *broker) open() (Producer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	b.gone = make(chan struct{})
	return b, nil
}

// opens are how often a producer was opened and closed.
func (b *broker) opens() (opened, closed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened, b.closed
}

func (b *broker) records() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.got...)
}

// ledgerStore keeps offsets in memory.
type ledgerStore struct {
	offsets.Store
	mu    sync.Mutex
	n     int64
	reads int
	holds int
}

func (s *ledgerStore) Hold(string) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
	return func() { s.mu.Lock(); s.holds--; s.mu.Unlock() }
}

func (s *ledgerStore) Read(context.Context, string, time.Duration, []map[string]any) ([]map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.n == 0 {
		return []map[string]any{nil}, nil
	}
	return []map[string]any{{"n": s.n}}, nil
}

func (s *ledgerStore) Write(_ context.Context, _ string, _ offsets.Right, entries []offsets.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, _ = entries[0].Offset["n"].(int64)
	return nil
}

func (s *ledgerStore) committed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

type env struct {
	mu      sync.Mutex
	right   time.Duration
	runs    chan struct{}
	told    []string
	confirm func(n int) error
	again   chan struct{}
	parked  atomic.Int64 // how often Run has returned because there was nothing to do
}

// Again implements supervisor.Parker.
func (e *env) Again() {
	select {
	case e.again <- struct{}{}:
	default:
	}
}

// run runs an instance as the supervisor does.
func (e *env) run(ctx context.Context, in supervisor.Instance) error {
	for {
		if err := in.Run(ctx); !errors.Is(err, supervisor.ErrParked) {
			return err
		}
		e.parked.Add(1)
		<-e.again
	}
}

func (e *env) tell(what string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, what)
	return len(e.told)
}

func (*env) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }
func (e *env) Running()           { close(e.runs) }
func (e *env) Fenced()            { e.tell("fenced") }
func (*env) Warn(string)          {}
func (e *env) Confirm(context.Context) error {
	if n := e.tell("confirm"); e.confirm != nil {
		return e.confirm(n)
	}
	return nil
}
func (e *env) RightLeft() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.right
}

// fixture is a task that runs.
type fixture struct {
	t      *testing.T
	source *counter
	broker *broker
	store  *ledgerStore
	env    *env
	task   supervisor.Instance
	result chan error
	ready  bool              // made ready first
	extra  map[string]string // of the connector's config
	clock  later
	stats  *taskstats.Registry
	spans  *tracetest.SpanRecorder
	topics Topics                // with topic.creation.enable
	task2  connectors.SourceTask // in the place of source
	kafka  *transactions         // of one that delivers exactly once
	flush  time.Duration
}

// later is the real clock, and hours ahead of it where it is told to be.
type later struct {
	clock.Clock
	by *atomic.Int64
}

func (l later) Now() time.Time { return l.Clock.Now().Add(time.Duration(l.by.Load())) }

func begin(t *testing.T, f *fixture) *fixture {
	t.Helper()
	f.t, f.result = t, make(chan error, 1)
	if f.env == nil {
		f.env = &env{right: time.Hour}
	}
	f.env.runs, f.env.again = make(chan struct{}), make(chan struct{}, 1)
	if f.store == nil {
		f.store = &ledgerStore{}
	}
	var store offsets.Store = f.store
	open, class := func() (Producer, error) { return f.broker.open() }, unit.ClassExclusive
	if f.kafka != nil {
		store, class = f.kafka, unit.ClassKafkaFenced
		open = func() (Producer, error) { return f.kafka.producer(f.env), nil }
	}
	if f.flush == 0 {
		f.flush = 20 * time.Millisecond
	}
	if f.broker == nil {
		f.broker = &broker{}
	}
	f.clock = later{clock.Real(), &atomic.Int64{}}
	f.stats, f.spans = taskstats.NewRegistry(), tracetest.NewSpanRecorder()
	p := connectors.Plugin{Class: "C", Type: connectors.Source, Config: configdef.New, NewSource: func() connectors.SourceConnector {
		if f.task2 != nil {
			return planned{task: f.task2}
		}
		return planned{task: f.source}
	}}
	var text converter.Info
	for _, in := range converter.Builtin() {
		if in.Class == "org.apache.kafka.connect.storage.StringConverter" {
			text = in
		}
	}
	factory := NewFactory(Deps{Find: func(string) (connectors.Plugin, error) { return p, nil }, Converters: only{text},
		WorkerProps:    map[string]string{"key.converter": "S", "value.converter": "S", "header.converter": "S"},
		ProducerClient: func(map[string]string) (kafkaio.Client, error) { return nil, nil },
		NewProducer:    func(kafkaio.ProducerConfig) (Producer, error) { return open() }, Offsets: func(context.Context, map[string]string, bool) (offsets.Store, func(), error) {
			return store, func() {}, nil
		},
		TransactionalID: func(connector string, task int) string { return offsets.TransactionalID("g", connector, task) },
		TopicCreation:   f.topics != nil, Topics: f.topics,
		ClientID: func(string, int) string { return "" }, FlushInterval: f.flush, FlushTimeout: time.Second,
		StopTimeout: 300 * time.Millisecond, Stats: f.stats, Clock: f.clock,
		Traces: tasktrace.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(f.spans)).Tracer("t"), time.Hour, f.clock)})
	spec := supervisor.Spec{Unit: unit.Task("c", 0), Class: class, ConnectorConfig: map[string]string{"connector.class": "C"}}
	maps.Copy(spec.ConnectorConfig, f.extra)
	if f.ready {
		ready, err := factory.(supervisor.Preparer).Prepare(t.Context(), spec, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if opened, _ := f.broker.opens(); opened != 1 || f.store.reads != 1 || f.store.holds != 1 || len(f.broker.records()) != 0 || f.source.at != 0 {
			t.Fatalf("made ready: %d producers, %d reads, %d holds, %d records", opened, f.store.reads, f.store.holds, len(f.broker.records()))
		}
		spec.Prepared = ready
	}
	in, err := factory.New(spec, f.env)
	if err != nil {
		t.Fatal(err)
	}
	f.task = in
	go func() { f.result <- f.env.run(context.WithoutCancel(t.Context()), in) }()
	t.Cleanup(func() { in.Cut() })
	return f
}

type only struct{ info converter.Info }

func (o only) Converter(string) (converter.Info, error)       { return o.info, nil }
func (o only) HeaderConverter(string) (converter.Info, error) { return o.info, nil }
func (only) Predicate(string) (predicate.Info, error) {
	return predicate.Info{New: func() predicate.Predicate { return late{} }}, nil
}
func (only) Transform(class string) (transform.Info, error) {
	for _, i := range transform.Builtin() {
		if i.Class == class {
			return i, nil
		}
	}
	return transform.Info{}, errors.New("no such transform")
}

func (f *fixture) await(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			f.t.Fatalf("waiting in vain: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (f *fixture) stopped() error {
	f.t.Helper()
	select {
	case err := <-f.result:
		return err
	case <-time.After(20 * time.Second):
		f.t.Fatal("Run does not return")
		return nil
	}
}

func TestTask_DeliversEverythingInOrderAndCommitsIt(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 1000}})
	f.await("all records", func() bool { return len(f.broker.records()) == 1000 })
	f.await("the offset", func() bool { return f.store.committed() == 1000 })
	for i, r := range f.broker.records() {
		if r != fmt.Sprint(i+1) {
			t.Fatalf("record %d is %s", i, r)
		}
	}
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
}

func TestTask_MadeReadyItUsesItsProducerReadsWhatWasCommittedMeanwhileAndLeavesNothingOpen(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 1000}, store: &ledgerStore{n: 400}, ready: true})
	f.await("the rest of the records", func() bool { return len(f.broker.records()) == 600 })
	if f.store.reads < 2 {
		t.Error("the offsets were not read again at the start")
	}
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
	if opened, closed := f.broker.opens(); opened != 1 || closed != 1 || f.store.holds != 0 {
		t.Errorf("%d producers were opened and %d closed, %d holds are left", opened, closed, f.store.holds)
	}
}

func TestTask_AnIdleProducerIsClosedAndTheTaskRunsOnAndOpensAnother(t *testing.T) {
	more := make(chan struct{})
	f := begin(t, &fixture{source: &counter{limit: 20, poll: func(ctx context.Context, n int64) error {
		if n < 10 {
			return nil
		}
		select {
		case <-more:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}})
	f.await("the first records are committed", func() bool { return f.store.committed() == 10 })
	f.clock.by.Store(int64(2 * idleProducer))
	f.task.SetPaused(false) // the timers of this clock do not know that it was put forward
	f.await("the producer is closed", func() bool { _, closed := f.broker.opens(); return closed == 1 })
	close(more)
	f.await("the rest comes by another", func() bool { return len(f.broker.records()) == 20 })
	select {
	case err := <-f.result:
		t.Fatalf("the task has ended: %v", err)
	default:
	}
	if opened, _ := f.broker.opens(); opened != 2 {
		t.Errorf("%d producers were opened", opened)
	}
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
}

const transforms = "org.apache.kafka.connect.transforms."

// through is a counter, and what is closed once everything that it has was polled and taken.
func through(limit int64) (*counter, chan struct{}) {
	done := make(chan struct{})
	return &counter{limit: limit, poll: func(_ context.Context, n int64) error {
		if n == limit {
			close(done)
		}
		return nil
	}}, done
}

func TestTask_WhatIsFilteredOrSkippedAdvancesNoOffsetByItself(t *testing.T) {
	for name, extra := range map[string]map[string]string{
		"filtered": {"transforms": "f", "transforms.f.type": transforms + "Filter"},
		"skipped":  {"errors.tolerance": "all", "transforms": "e", "transforms.e.type": transforms + "ExtractField$Value", "transforms.e.field": "x"},
	} {
		source, done := through(300)
		f := begin(t, &fixture{source: source, extra: extra})
		<-done
		f.task.Stop(false)
		if err := f.stopped(); err != nil {
			t.Error(err)
		}
		if got := f.broker.records(); len(got) != 0 || f.store.committed() != 0 {
			t.Errorf("%s: %d records came, %d is committed", name, len(got), f.store.committed())
		}
	}
}

func TestTask_AnOffsetPassesWhatWasFilteredBeforeItAndNotWhatComesAfter(t *testing.T) {
	for negate, want := range map[string]int64{"true": 100, "false": 50} {
		source, done := through(100)
		f := begin(t, &fixture{source: source, extra: map[string]string{"predicates": "p", "predicates.p.type": "late",
			"transforms": "f", "transforms.f.type": transforms + "Filter", "transforms.f.predicate": "p", "transforms.f.negate": negate}})
		<-done
		f.task.Stop(false)
		if err := f.stopped(); err != nil {
			t.Error(err)
		}
		if got := len(f.broker.records()); got != 50 || f.store.committed() != want {
			t.Errorf("negate=%s: %d records came, %d is committed, want %d", negate, got, f.store.committed(), want)
		}
	}
}

func TestTask_WhatKafkaRefusesIsSkippedWhereTolerated(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 100}, broker: &broker{fail: errors.New("no")}, extra: map[string]string{"errors.tolerance": "all"}})
	f.await("the offset", func() bool { return f.store.committed() == 100 })
	f = begin(t, &fixture{source: &counter{limit: 100}, broker: &broker{fail: errors.New("no")}})
	if err := f.stopped(); !errors.Is(err, ErrProduce) || f.store.committed() != 0 {
		t.Errorf("%v, %d is committed", err, f.store.committed())
	}
}

// late is a predicate that is true for values above 50.
type late struct{}

func (late) Configure(map[string]string) error { return nil }

func (late) Test(records []*transform.Record, match []bool) {
	for i, r := range records {
		n, err := strconv.Atoi(r.Value.Str())
		match[i] = err == nil && n > 50
	}
}

func TestTask_CommitsNothingThatIsNotAcknowledged(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 100}, broker: &broker{hold: true}})
	f.await("all records", func() bool { return len(f.broker.records()) == 100 })
	f.task.Stop(false)
	if err := f.stopped(); !errors.Is(err, ErrUnflushed) {
		t.Errorf("the stop says %v", err)
	}
	if n := f.store.committed(); n != 0 {
		t.Errorf("%d was committed", n)
	}
}

func TestTask_AStopFlushesAndASuccessorGoesOnThere(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 500}})
	f.await("some records", func() bool { return len(f.broker.records()) > 0 })
	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Fatal(err)
	}
	n := int64(len(f.broker.records()))
	if c := f.store.committed(); c != n {
		t.Fatalf("%d records, and %d committed", n, c)
	}
	next := begin(t, &fixture{source: &counter{limit: 500}, store: f.store, broker: f.broker})
	next.await("the rest", func() bool { return len(next.broker.records()) == 500 })
	for i, r := range next.broker.records() {
		if r != fmt.Sprint(i+1) {
			t.Fatalf("record %d is %s", i, r)
		}
	}
}

func TestTask_AFailedRecordFailsTheTaskAndItsOffset(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 10}, broker: &broker{fail: errors.New("too large")}})
	if err := f.stopped(); !errors.Is(err, ErrProduce) {
		t.Errorf("%v", err)
	}
	if n := f.store.committed(); n != 0 {
		t.Errorf("%d was committed", n)
	}
}

func TestTask_SuspendedOrPausedItPollsNothing(t *testing.T) {
	for name, set := range map[string]func(f *fixture, on bool){
		"paused":    func(f *fixture, on bool) { f.task.SetPaused(on) },
		"suspended": func(f *fixture, on bool) { f.task.SetSuspended(on) },
		"no right": func(f *fixture, on bool) {
			f.env.mu.Lock()
			defer f.env.mu.Unlock()
			if f.env.right = time.Hour; on {
				f.env.right = 0
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{}, 1000)
			f := begin(t, &fixture{source: &counter{limit: 1 << 40, poll: func(ctx context.Context, _ int64) error {
				select {
				case <-gate:
				case <-ctx.Done():
					return ctx.Err()
				}
				return nil
			}}})
			gate <- struct{}{}
			f.await("ten records", func() bool { return len(f.broker.records()) == 10 })
			f.await("their offset", func() bool { return f.store.committed() == 10 })
			set(f, true)
			f.await("the poll under way is over", func() bool { return len(gate) == 0 })
			for range 5 {
				gate <- struct{}{}
			}
			// A poll that was under way when the switch was set may still take one turn.
			<-time.After(300 * time.Millisecond)
			if n := len(f.broker.records()); n > 20 {
				t.Errorf("%d records came", n)
			}
			set(f, false)
			f.await("it goes on", func() bool { return len(f.broker.records()) >= 50 })
		})
	}
}

// awayTopics is a Kafka that answers about topics once it is back.
type awayTopics struct {
	asked chan struct{}
	back  chan struct{}
}

func (a awayTopics) DescribeTopic(ctx context.Context, _ string) (kafkaio.TopicInfo, error) {
	select {
	case a.asked <- struct{}{}:
	default:
	}
	select {
	case <-a.back:
		return kafkaio.TopicInfo{}, nil
	case <-ctx.Done():
		return kafkaio.TopicInfo{}, ctx.Err()
	}
}

func (awayTopics) CreateTopic(context.Context, kafkaio.TopicSpec) error { return nil }

// What Poll has returned does not come again from a plugin that goes on: it waits out what becomes of its task meanwhile.
func TestTask_WhatWasPolledIsNotLostWhereItWaitsForKafkaDuringAPause(t *testing.T) {
	for name, set := range map[string]func(f *fixture, on bool){
		"paused":    func(f *fixture, on bool) { f.task.SetPaused(on) },
		"suspended": func(f *fixture, on bool) { f.task.SetSuspended(on) },
	} {
		t.Run(name, func(t *testing.T) {
			away := awayTopics{make(chan struct{}, 1), make(chan struct{})}
			f := begin(t, &fixture{source: &counter{limit: 20}, topics: away,
				extra: map[string]string{"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}})
			<-away.asked
			set(f, true)
			<-time.After(300 * time.Millisecond) // in which the call under way would be ended
			close(away.back)
			set(f, false)
			f.await("every record is there", func() bool { return f.store.committed() == 20 })
			if got := f.broker.records(); len(got) != 20 {
				t.Fatalf("%d records of 20: %v", len(got), got)
			}
		})
	}
}

// noTopics fails as a plugin's Poll may.
type noTopics struct{ awayTopics }

func (noTopics) DescribeTopic(context.Context, string) (kafkaio.TopicInfo, error) {
	return kafkaio.TopicInfo{}, connectors.Retriable(errors.New("away"))
}

func TestTask_WhatWasPolledIsNotLostWhereItsConversionFails(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 20}, topics: noTopics{},
		extra: map[string]string{"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}})
	if err := f.stopped(); !errors.Is(err, ErrTopic) {
		t.Fatal(err)
	}
	if n := f.store.committed(); n != 0 {
		t.Fatalf("%d was committed of what never was written", n)
	}
}

func TestTask_CutItProducesAndCommitsNothing(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 1 << 40}})
	f.await("records", func() bool { return len(f.broker.records()) > 100 })
	f.task.Cut()
	if err := f.stopped(); !errors.Is(err, ErrCut) {
		t.Errorf("%v", err)
	}
	n, c := len(f.broker.records()), f.store.committed()
	<-time.After(100 * time.Millisecond)
	if len(f.broker.records()) != n || f.store.committed() != c || !f.broker.purged {
		t.Error("something came after the cut")
	}
}

func TestTask_APluginThatPanicsOrHangsHarmsOnlyItself(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 10, poll: func(_ context.Context, n int64) error { panic("boom") }}})
	if err := f.stopped(); err == nil {
		t.Error("a panic passed")
	}
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	f = begin(t, &fixture{source: &counter{limit: 1 << 40, poll: func(_ context.Context, n int64) error {
		if n >= 20 {
			<-gate
		}
		return nil
	}}})
	f.await("its offset", func() bool { return f.store.committed() == 20 })
	f.task.Stop(false)
	if err := f.stopped(); !errors.Is(err, ErrHung) {
		t.Errorf("%v", err)
	}
}

func TestTask_ARetriableErrorIsTriedAgain(t *testing.T) {
	tries := 0
	f := begin(t, &fixture{source: &counter{limit: 10, poll: func(context.Context, int64) error {
		if tries++; tries < 2 {
			return connectors.Retriable(errors.New("not now"))
		}
		return nil
	}}})
	f.await("the records", func() bool { return len(f.broker.records()) == 10 })
}

// numbers are those of the fixture's task, as its executor's registry has them.
func (f *fixture) numbers() taskstats.View {
	f.t.Helper()
	views := f.stats.Views("c")
	if len(views) != 1 {
		f.t.Fatalf("%d tasks are listed", len(views))
	}
	return views[0]
}

func TestTask_ItsNumbersAreWhatItDid(t *testing.T) {
	f := begin(t, &fixture{source: &counter{limit: 1000}})
	f.await("commit", func() bool { return f.store.committed() == 1000 })
	f.await("the last commit's count", func() bool { v := f.numbers(); return !v.Committed.IsZero() && v.Unacked == 0 })
	v := f.numbers()
	if v.Total(taskstats.Polled) != 1000 || v.Total(taskstats.Produced) != 1000 || v.Total(taskstats.Acked) != 1000 || v.Total(taskstats.ProducedBytes) != 2893 {
		t.Errorf("polled %d, produced %d (%d bytes), acknowledged %d", v.Total(taskstats.Polled), v.Total(taskstats.Produced), v.Total(taskstats.ProducedBytes), v.Total(taskstats.Acked))
	}
	var names string
	for _, s := range f.spans.Ended() {
		names += s.Name() + " "
	}
	if names != "poll convert produce record t " {
		t.Errorf("one record was to be traced from poll to acknowledgement: %q", names)
	}
	if v.Moved.IsZero() || v.Acked.IsZero() || v.Polled.IsZero() || v.Total(taskstats.Commits) == 0 || v.Max(taskstats.BatchSize) != 10 {
		t.Errorf("%+v", v)
	}
	f.task.Stop(false)
	if err := f.stopped(); err != nil || len(f.stats.Views("")) != 0 {
		t.Errorf("%v, and %d are still listed", err, len(f.stats.Views("")))
	}
}

func TestTask_OnlyOneThatHangsOrIsNotAcknowledgedIsStalled(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	hung := begin(t, &fixture{source: &counter{limit: 10, poll: func(_ context.Context, n int64) error {
		if n == 10 {
			<-hang
		}
		return nil
	}}})
	unacked := begin(t, &fixture{source: &counter{limit: 10, poll: emptyAt(10)}, broker: &broker{hold: true}})
	idle := begin(t, &fixture{source: &counter{limit: 10, poll: emptyAt(10)}})
	for _, f := range []*fixture{hung, idle} {
		f.await("commit", func() bool { return f.store.committed() == 10 })
	}
	hung.await("the hang", func() bool { return hung.numbers().Call == taskstats.Poll && hung.numbers().Unacked == 0 })
	unacked.await("production", func() bool { return unacked.numbers().Unacked == 10 })
	for _, f := range []*fixture{hung, idle, unacked} {
		if s := f.numbers().Stalled; s != "" {
			t.Errorf("stalled too early: %s", s)
		}
		f.clock.by.Store(int64(time.Hour))
	}
	if s := hung.numbers().Stalled; !strings.HasPrefix(s, "a call of poll has not returned for 1h0m") {
		t.Errorf("hung: %q", s)
	}
	if s := unacked.numbers().Stalled; !strings.HasPrefix(s, "10 records are not acknowledged by Kafka, and none was for 1h0m") {
		t.Errorf("unacknowledged: %q", s)
	}
	idle.await("idle and not stalled", func() bool { v := idle.numbers(); return v.Stalled == "" && v.At.Sub(v.Polled) < time.Minute })
	unacked.task.SetPaused(true)
	if s := unacked.numbers().Stalled; s != "" {
		t.Errorf("paused: %q", s)
	}
}

// emptyAt has Poll return at once, with nothing, where there is nothing more.
func emptyAt(limit int64) func(ctx context.Context, n int64) error {
	return func(_ context.Context, n int64) error {
		if n >= limit {
			return errNothing
		}
		return nil
	}
}
