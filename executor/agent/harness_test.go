package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is how far time goes at once: what happens, happens at most that late.
const step = 50 * time.Millisecond

var (
	orders0 = unit.Task("orders", 0)
	orders1 = unit.Task("orders", 1)
	orders2 = unit.Task("orders", 2)
)

// harness is an executor's agent and supervisor, with instances that note what is done to them. All of it lives in
// a synctest bubble: after settle whatever could happen has happened, so that "nothing is started" is seen, not hoped.
type harness struct {
	*testing.T
	clock *clock.Fake
	plane *plane
	agent *agent.Agent
	sup   *supervisor.Supervisor
	made  *factory
	logs  *logs
	cmd   func(context.Context, *sluicev1.Command) *sluicev1.CommandResult // under logs.mu
}

// run runs f with an executor that has not started.
func run(t *testing.T, f func(h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &harness{T: t, clock: clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), made: &factory{}, logs: &logs{},
			cmd: func(context.Context, *sluicev1.Command) *sluicev1.CommandResult { return nil }}
		h.plane = newPlane(h.clock)
		streams, stopStreams := h.plane.dial(t, "streams")
		beats, stopBeats := h.plane.dial(t, "heartbeats")
		log := slog.New(h.logs.handler())
		h.agent = agent.New(agent.Config{Streams: streams, Heartbeats: beats, Executor: "x:8094", Pool: "p", Version: "v", Labels: map[string]string{"zone": "a"},
			Capacity: 7, Plugins: []*sluicev1.Plugin{{Class: "C", Version: "1", Aliases: []string{"c"}}}, ClusterID: func() string { return "kafka" },
			Command: func(ctx context.Context, c *sluicev1.Command) *sluicev1.CommandResult {
				h.logs.mu.Lock()
				f := h.cmd
				h.logs.mu.Unlock()
				return f(ctx, c)
			}, Clock: h.clock, Logger: log})
		h.sup = supervisor.New(supervisor.Config{Factory: func(supervisor.Spec) (supervisor.Factory, error) { return h.made, nil },
			StopTimeout: time.Second, Clock: h.clock, Logger: log}, h.agent)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := h.sup.Stop(ctx); err != nil {
				t.Errorf("the supervisor does not stop: %v", err)
			}
			if err := h.agent.Stop(ctx); err != nil {
				t.Errorf("the agent does not stop: %v", err)
			}
			close(h.plane.closing)
			stopStreams()
			stopBeats()
		})
		f(h)
	})
}

// start starts the agent and returns its first stream.
func (h *harness) start() *stream {
	h.Helper()
	if err := h.agent.Start(h.sup); err != nil {
		h.Fatal(err)
	}
	h.settle()
	return h.stream(1)
}

// ready starts the agent and has it run units.
func (h *harness) ready(units ...*sluicev1.DesiredUnit) *stream {
	h.Helper()
	st := h.start()
	st.desire(true, units...)
	h.settle()
	for _, u := range units {
		h.instance(u.GetUnit())
	}
	return st
}

// settle lets everything happen that can without time going by.
func (*harness) settle() { synctest.Wait() }

// pass lets time go by, for the clock and for the deadlines of calls alike.
func (h *harness) pass(d time.Duration) {
	h.settle()
	for ; d > 0; d -= step {
		<-time.After(min(step, d)) // the bubble's time: nothing waits
		h.clock.Advance(min(step, d))
		h.settle()
	}
}

// stream awaits the n-th stream and returns it.
func (h *harness) stream(n int) *stream {
	h.Helper()
	for range 15 * time.Second / step {
		if s := h.hellos(); len(s) >= n {
			return s[n-1]
		}
		h.pass(step)
	}
	h.Fatalf("%d streams, want %d", len(h.hellos()), n)
	return nil
}

func (h *harness) hellos() []*stream {
	return see(h.plane, func() []*stream { return append([]*stream{}, h.plane.streams...) })
}

// instance is the newest instance of a unit.
func (h *harness) instance(u string) *instance {
	h.Helper()
	made := h.made.of(u)
	if len(made) == 0 {
		h.Fatalf("%s was not started", u)
	}
	return made[len(made)-1]
}

// is checks what state the newest instance of a unit is in, and that it is the n-th.
func (h *harness) is(u unit.ID, n int, want string) {
	h.Helper()
	made := h.made.of(u.String())
	have := "not started"
	if len(made) > 0 {
		have = made[len(made)-1].state()
	}
	if len(made) != n || have != want {
		h.Errorf("%s: instance %d is %s, want instance %d to be %s", u, len(made), have, n, want)
	}
}

// right checks how long the right runs.
func (h *harness) right(want time.Duration) {
	h.Helper()
	if have := h.agent.RightLeft(); have != want {
		h.Errorf("the right runs for %s, want %s", have, want)
	}
}

func want(u unit.ID, revision int64, change ...func(*sluicev1.DesiredUnit)) *sluicev1.DesiredUnit {
	d := &sluicev1.DesiredUnit{Unit: u.String(), Epoch: epoch(revision), Class: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE, Fingerprint: []byte("f"),
		TargetState: sluicev1.TargetState_TARGET_STATE_STARTED}
	for _, c := range change {
		c(d)
	}
	return d
}

func kafkaFenced(d *sluicev1.DesiredUnit)  { d.Class = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED }
func unfenced(d *sluicev1.DesiredUnit)     { d.PredecessorUnfenced = true }
func toBeReleased(d *sluicev1.DesiredUnit) { d.Release = sluicev1.ReleaseMode_RELEASE_MODE_MOVE }

// factory makes instances and keeps them.
type factory struct {
	mu   sync.Mutex
	made []*instance
	slow chan struct{} // where it is set, instances stop only once it is closed
}

func (f *factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := &instance{spec: spec, env: env, end: make(chan error, 1), slow: f.slow}
	f.made = append(f.made, i)
	return i, nil
}

func (f *factory) of(u string) (out []*instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.made {
		if i.spec.Unit.String() == u {
			out = append(out, i)
		}
	}
	return out
}

// instance does nothing until it is stopped.
type instance struct {
	spec supervisor.Spec
	env  supervisor.Env
	end  chan error
	slow chan struct{}

	mu           sync.Mutex
	stopped, cut bool
	suspended    []bool // as told, in order
}

func (i *instance) Run(context.Context) error {
	i.env.Running()
	err := <-i.end
	if i.slow != nil {
		<-i.slow
	}
	return err
}

func (i *instance) Stop(bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.stopped {
		i.end <- nil
	}
	i.stopped = true
}

func (i *instance) SetPaused(bool) {}

// SetSuspended asks for the right under its own lock, as an instance may.
func (i *instance) SetSuspended(s bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.env.RightLeft()
	i.suspended = append(i.suspended, s)
}

func (i *instance) Cut() { i.mu.Lock(); i.cut = true; i.mu.Unlock() }

func (i *instance) state() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch n := len(i.suspended); {
	case i.stopped && i.cut:
		return "cut"
	case i.stopped:
		return "stopped"
	case n > 0 && i.suspended[n-1]:
		return "suspended"
	}
	return "running"
}

// told is what SetSuspended was told, in order.
func (i *instance) told() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return fmt.Sprint(i.suspended)
}

// logs keeps what is logged. before, where it is set, is called with every message first.
type logs struct {
	mu     sync.Mutex
	lines  bytes.Buffer
	before func(msg string)
}

func (l *logs) handler() slog.Handler { return blocking{slog.NewTextHandler(l, nil), l} }

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(b)
}

// with is the lines that have all of the words.
func (l *logs) with(words ...string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
line:
	for s := range strings.Lines(l.lines.String()) {
		for _, w := range words {
			if !strings.Contains(s, w) {
				continue line
			}
		}
		out = append(out, s)
	}
	return out
}

// blocking lets a test hold a log line back.
type blocking struct {
	slog.Handler
	logs *logs
}

func (b blocking) Handle(ctx context.Context, r slog.Record) error {
	b.logs.mu.Lock()
	before := b.logs.before
	b.logs.mu.Unlock()
	if before != nil {
		before(r.Message)
	}
	return b.Handler.Handle(ctx, r)
}

func (b blocking) WithAttrs(a []slog.Attr) slog.Handler {
	return blocking{b.Handler.WithAttrs(a), b.logs}
}
func (b blocking) WithGroup(name string) slog.Handler {
	return blocking{b.Handler.WithGroup(name), b.logs}
}

// unitN is one of many units.
func unitN(n int) unit.ID { return unit.Task("many", n) }
