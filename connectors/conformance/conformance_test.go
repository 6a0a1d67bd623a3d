package conformance

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hostileFixture(config map[string]string) Fixture {
	f := Fixture{Config: map[string]string{"name": "c", "records": "10"}, Records: 10}
	for k, v := range config {
		f.Config[k] = v
	}
	return f
}

func TestHostile_ThatBehavesConforms(t *testing.T) {
	h := NewHostile()
	c := Case{Name: "behaves", Setup: func(testing.TB) Fixture { return hostileFixture(nil) }}
	Run(t, h.Source(), c)
	Run(t, h.Sink(), c)
	Run(t, h.FlushSink(), c)
}

// recorder is a testing.TB that fails without failing the test.
type recorder struct {
	testing.TB
	failed []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.failed = append(r.failed, format) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = append(r.failed, format)
	runtime.Goexit()
}

// fails says whether any check fails.
func fails(t *testing.T, p connectors.Plugin, f Fixture) bool {
	t.Helper()
	r := &recorder{TB: t}
	for _, c := range checksOf(p) {
		g := run.New(t.Context(), "check")
		if err := g.Go(func(context.Context) error { c.does(r, p, f); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return len(r.failed) > 0
}

func TestRun_SeesEveryMisbehaviour(t *testing.T) {
	h := NewHostile()
	for name, p := range map[string]connectors.Plugin{"source": h.Source(), "sink": h.Sink(), "flush sink": h.FlushSink()} {
		for _, m := range Methods {
			for _, how := range []string{"panic", "error"} {
				if called(p, m) && !fails(t, p, hostileFixture(map[string]string{MethodKey: m, HowKey: how})) {
					t.Errorf("%s: no check sees that %s ends with %s", name, m, how)
				}
			}
		}
	}
	for _, v := range []string{"topic", "ref", "offset", "schema", "timestamp", "partition", "room", "records"} {
		f := hostileFixture(map[string]string{MethodKey: "poll", HowKey: "nonsense", VariantKey: v, AfterKey: "3"})
		if !fails(t, h.Source(), f) {
			t.Errorf("no check sees the nonsense %s", v)
		}
	}
	for _, m := range []string{"taskconfigs", "stop", "commit", "taskstop"} {
		if !fails(t, h.Source(), hostileFixture(map[string]string{MethodKey: m, HowKey: "nonsense"})) {
			t.Errorf("no check sees the nonsense of %s", m)
		}
	}
	if !fails(t, h.Sink(), hostileFixture(map[string]string{MethodKey: "precommit", HowKey: "nonsense"})) {
		t.Error("no check sees offsets that were made up")
	}
}

// called says whether a plugin has a method.
func called(p connectors.Plugin, method string) bool {
	switch method {
	case "none", "validate": // the runtime's affair: it tolerates both
		return false
	case "poll", "commit":
		return p.Type == connectors.Source
	case "put", "open", "close":
		return p.Type == connectors.Sink
	case "precommit":
		return p.Class == "sluice.HostileSink"
	case "flush":
		return p.Class == "sluice.HostileFlushSink"
	default:
		return true
	}
}

// keeper is a sink that keeps the memory of its batches, or loses records.
type keeper struct {
	lost bool
	kept []data.Value
}

func (k *keeper) plugin() connectors.Plugin {
	return connectors.Plugin{Class: "keeper", Version: "1", Type: connectors.Sink, Config: hostileDef,
		NewSink: func() connectors.SinkConnector { return &keeperConnector{k: k} }}
}

type keeperConnector struct {
	hostileConnector
	k *keeper
}

func (c *keeperConnector) NewTask() connectors.SinkTask { return keeperTask{c.k} }

type keeperTask struct{ k *keeper }

func (keeperTask) Start(context.Context, connectors.SinkTaskContext, map[string]string) error {
	return nil
}
func (keeperTask) Stop(context.Context) error { return nil }
func (t keeperTask) Put(_ context.Context, b *connectors.SinkBatch) error {
	for _, r := range b.Records {
		if !t.k.lost {
			t.k.kept = append(t.k.kept, r.Value)
		}
	}
	return nil
}

func TestRun_SeesASinkThatKeepsBatchMemoryOrLosesRecords(t *testing.T) {
	for _, lost := range []bool{false, true} {
		k := &keeper{lost: lost}
		f := Fixture{Config: map[string]string{}, Delivered: func(testing.TB) string {
			var b strings.Builder
			for _, v := range k.kept {
				b.WriteString(v.Str())
			}
			return b.String()
		}}
		if !fails(t, k.plugin(), f) {
			t.Errorf("no check sees it (lost: %v)", lost)
		}
	}
}

// skipper is a source that resumes too late or too early.
type skipper struct {
	hostileSource
	by int64
}

func (c *skipper) NewTask() connectors.SourceTask {
	return &skipperTask{hostileSourceTask{h: c.h}, c.by}
}

type skipperTask struct {
	hostileSourceTask
	by int64
}

func (t *skipperTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	err := t.hostileSourceTask.Start(ctx, tc, config)
	if t.next == 5 {
		t.next += t.by
	}
	return err
}

func TestRun_SeesASourceThatLosesOrRepeatsRecordsOnResume(t *testing.T) {
	for by, want := range map[int64]bool{-1: true, 0: false, 1: true} {
		p := NewHostile().Source()
		p.NewSource = func() connectors.SourceConnector {
			return &skipper{hostileSource{hostileConnector{h: NewHostile()}}, by}
		}
		f := hostileFixture(nil)
		f.Config[RecordsKey] = "20" // so that a check that misses one still gets as many
		r := &recorder{TB: t}
		g := run.New(t.Context(), "check")
		if err := g.Go(func(context.Context) error { checkResume(r, p, f); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(r.failed) > 0; got != want {
			t.Errorf("resumed %d records off, the check fails: %v", by, got)
		}
	}
}

func TestHostile_HangsUntilReleasedWhateverItsContext(t *testing.T) {
	h := NewHostile()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hang := func(m string) map[string]string {
		return map[string]string{MethodKey: m, HowKey: "hang", taskIDKey: "0"}
	}
	tps := map[connectors.TopicPartition]int64{}
	sourceTask := func(m string) connectors.SourceTask {
		task := h.Source().NewSource().NewTask()
		if m != "taskstart" {
			if err := task.Start(ctx, &SourceContext{}, hang(m)); err != nil {
				t.Fatal(err)
			}
		}
		return task
	}
	sinkTask := func(p connectors.Plugin, m string) connectors.SinkTask {
		task := p.NewSink().NewTask()
		if err := task.Start(ctx, &SinkContext{}, hang(m)); err != nil {
			t.Fatal(err)
		}
		return task
	}
	source := func(m string) connectors.SourceConnector {
		c := h.Source().NewSource()
		if m != "start" {
			if err := c.Start(ctx, &ConnectorContext{}, hang(m)); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	calls := []func() error{
		func() error { return source("start").Start(ctx, &ConnectorContext{}, hang("start")) },
		func() error { _, err := source("taskconfigs").TaskConfigs(ctx, 1); return err },
		func() error { return source("stop").Stop(ctx) },
		func() error { return sourceTask("taskstart").Start(ctx, &SourceContext{}, hang("taskstart")) },
		func() error { return sourceTask("poll").Poll(ctx, connectors.NewSourceBatch(1)) },
		func() error { return sourceTask("commit").(connectors.SourceCommitter).Commit(ctx) },
		func() error { return sourceTask("taskstop").Stop(ctx) },
		func() error {
			return sinkTask(h.Sink(), "put").Put(ctx, &connectors.SinkBatch{Records: make([]connectors.SinkRecord, 1)})
		},
		func() error {
			_, err := sinkTask(h.Sink(), "precommit").(connectors.PreCommitter).PreCommit(ctx, tps)
			return err
		},
		func() error { return sinkTask(h.FlushSink(), "flush").(connectors.Flusher).Flush(ctx, tps) },
		func() error { return sinkTask(h.Sink(), "open").(connectors.PartitionListener).Open(ctx, nil) },
		func() error { return sinkTask(h.Sink(), "close").(connectors.PartitionListener).Close(ctx, nil) },
	}
	g := run.New(context.Background(), "hostile")
	errs := make(chan error, len(calls))
	for _, c := range calls {
		if err := g.Go(func(context.Context) error { errs <- c(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	deadline, stop := context.WithTimeout(t.Context(), Deadline)
	defer stop()
	for h.Hanging() != len(calls) {
		select {
		case <-deadline.Done():
			t.Fatalf("%d calls hang, want %d", h.Hanging(), len(calls))
		case <-time.After(time.Millisecond):
		}
	}
	h.Release()
	if err := g.Stop(deadline); err != nil {
		t.Fatal(err)
	}
	for range calls {
		if err := <-errs; !errors.Is(err, ErrHostile) {
			t.Errorf("a released call returned %v, want ErrHostile", err)
		}
	}
	values := h.Source().NewSource().(connectors.Validator).Validate(ctx, hang("validate")) // released: it does not hang
	if len(values) == 0 || len(values[0].Errors) == 0 {
		t.Errorf("validate returned %v", values)
	}
}

func TestHostile_BehavesForSomeCallsAndInOtherTasks(t *testing.T) {
	h := NewHostile()
	poll := func(config map[string]string) (errs int) {
		task := h.Source().NewSource().NewTask()
		if err := task.Start(t.Context(), &SourceContext{}, config); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if task.Poll(t.Context(), connectors.NewSourceBatch(1)) != nil {
				errs++
			}
		}
		return errs
	}
	if n := poll(map[string]string{MethodKey: "poll", AfterKey: "3", taskIDKey: "0"}); n != 1 {
		t.Errorf("%d of 4 calls failed, want the last", n)
	}
	if n := poll(map[string]string{MethodKey: "poll", TaskKey: "1", taskIDKey: "0"}); n != 0 {
		t.Errorf("task 0 failed %d times for task 1", n)
	}
	if n := h.Calls("poll"); n != 8 {
		t.Errorf("%d calls were counted, want 8", n)
	}
}
