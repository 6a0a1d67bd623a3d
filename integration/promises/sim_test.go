//go:build faults

package promises

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/executor/agent"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/replicas"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

var errFenced = errors.New("a newer member took the place")

// sim is a control plane with executors whose units only write into the history.
type sim struct {
	t         *testing.T
	cp        *controlplane.ControlPlane
	executors []*exec
	// commit is how long a commit takes, stop how long an instance goes on after it was told to stop.
	commit, stop time.Duration

	mu      sync.Mutex
	members map[unit.ID]*instance // a consumer group: the newest member counts
}

// exec is one executor.
type exec struct {
	name  string
	agent *agent.Agent
	sup   *supervisor.Supervisor
	proxy *harness.Proxy
	log   *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newSim(t *testing.T, executors int) *sim {
	t.Helper()
	c, quiet := clock.Real(), slog.New(slog.DiscardHandler)
	cp, err := controlplane.New(controlplane.Config{Listen: "127.0.0.1:0", Times: lease.Times{TTL: 2 * time.Second, Margin: time.Second}}, store.NewMemory(c), nil, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := cp.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, cp: cp, members: map[unit.ID]*instance{}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = cp.Stop(ctx) // what does not stop in time is not this test's matter
	})
	for i := range executors {
		s.add(fmt.Sprintf("x%d", i))
	}
	return s
}

func (s *sim) add(name string) {
	s.t.Helper()
	x := &exec{name: name, proxy: harness.NewProxy(s.t, s.cp.Addr()), log: &buffer{}}
	log := slog.New(slog.NewJSONHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var conns [2]*grpc.ClientConn
	for i := range conns {
		var err error
		if conns[i], err = replicas.Dial([]string{x.proxy.Addr()}, replicas.One, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	x.agent = agent.New(agent.Config{Streams: conns[0], Heartbeats: conns[1], Executor: name, Pool: "default", ClusterID: func() string { return "k" },
		Command: func(_ context.Context, c *sluicev1.Command) *sluicev1.CommandResult {
			return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Fence{Fence: &sluicev1.FenceResult{}}}
		}, Clock: clock.Real(), Logger: log})
	x.sup = supervisor.New(supervisor.Config{Factory: func(supervisor.Spec) (supervisor.Factory, error) { return factory{s, x}, nil },
		Fenced: func(err error) bool { return errors.Is(err, errFenced) }, StopTimeout: 3 * time.Second, Clock: clock.Real(), Logger: log}, x.agent)
	if err := x.agent.Start(x.sup); err != nil {
		s.t.Fatal(err)
	}
	s.executors = append(s.executors, x)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = errors.Join(x.sup.Stop(ctx), x.agent.Stop(ctx), conns[0].Close(), conns[1].Close()) // cut off, or not: it ends
	})
	harness.Await(s.t, name+" has a session", 10*time.Second, func() bool { _, ready := x.agent.Session(); return ready })
}

type factory struct {
	sim *sim
	x   *exec
}

func (f factory) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	in := &instance{factory: f, spec: spec, env: env}
	in.stopping, in.end = context.WithCancel(context.Background())
	return in, nil
}

// instance is a planner whose connector config says the tasks, or a task that acts every few milliseconds.
type instance struct {
	factory
	spec     supervisor.Spec
	env      supervisor.Env
	stopping context.Context
	end      context.CancelFunc

	mu        sync.Mutex
	suspended bool
	cut       bool
}

func (in *instance) Stop(bool)            { in.end() }
func (in *instance) SetPaused(bool)       {}
func (in *instance) SetSuspended(s bool)  { in.mu.Lock(); in.suspended = s; in.mu.Unlock() }
func (in *instance) Cut()                 { in.mu.Lock(); in.cut = true; in.mu.Unlock() }
func (in *instance) wait(d time.Duration) { <-clock.Real().After(d) }
func (in *instance) class() slog.Attr     { return slog.String("class", in.spec.Class.String()) }
func (in *instance) mayAct() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.cut && (in.spec.Class == unit.ClassKafkaFenced || !in.suspended && in.env.RightLeft() > 0)
}

func (in *instance) Run(ctx context.Context) error {
	switch {
	case in.spec.Unit.Kind == unit.KindConnector:
		return in.plan(ctx)
	case in.spec.Unit.Kind != unit.KindTask:
		in.env.Running()
		<-in.stopping.Done()
		return nil
	case in.spec.Class == unit.ClassKafkaFenced:
		return in.consume()
	}
	in.env.Running()
	for in.stopping.Err() == nil {
		in.act()
		in.wait(10 * time.Millisecond)
	}
	for began := clock.Real().Boot(); clock.Real().Boot()-began < in.sim.stop; in.wait(10 * time.Millisecond) {
		in.act()
	}
	return nil
}

func (in *instance) act() {
	c, log := clock.Real(), in.env.Logger()
	if !in.mayAct() {
		return
	}
	begin := c.Boot()
	if in.sim.commit > 0 {
		in.wait(in.sim.commit) // on its way to Kafka: it lands, whatever the right does meanwhile
	}
	history.Act(log, c, history.Committed, begin, in.class(), slog.Any("partitions", strings.Split(in.spec.TaskConfig["partitions"], ",")))
}

// consume joins the group and commits while it is the member.
func (in *instance) consume() error {
	if err := in.env.Confirm(in.stopping); err != nil {
		return nil //nolint:nilerr // it was stopped, or its epoch is over
	}
	in.sim.mu.Lock()
	in.sim.members[in.spec.Unit] = in
	in.env.Fenced()
	in.sim.mu.Unlock()
	in.env.Running()
	for in.stopping.Err() == nil {
		in.sim.mu.Lock()
		if in.sim.members[in.spec.Unit] != in {
			in.sim.mu.Unlock()
			return errFenced
		}
		history.Act(in.env.Logger(), clock.Real(), history.Committed, clock.Real().Boot(), in.class())
		in.sim.mu.Unlock()
		in.wait(10 * time.Millisecond)
	}
	return nil
}

func (in *instance) plan(ctx context.Context) error {
	var tasks []*sluicev1.Config
	for _, p := range strings.Split(in.spec.ConnectorConfig["tasks"], ";") {
		tasks = append(tasks, config("partitions", p))
	}
	class := sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE
	if in.spec.ConnectorConfig["sink"] != "" {
		class = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	}
	for n := uint64(1); in.stopping.Err() == nil; n++ {
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := in.x.agent.SubmitPlan(try, &sluicev1.PlanHeader{Connector: in.spec.Unit.Name, Epoch: &sluicev1.Epoch{Era: in.spec.Epoch.Era, Revision: in.spec.Epoch.Revision},
			Sequence: n, Incarnation: in.spec.Incarnation, ConfigGeneration: in.spec.Generation, TaskClass: class}, tasks)
		cancel()
		if err == nil {
			in.env.Running()
			<-in.stopping.Done()
			return nil
		}
		in.wait(50 * time.Millisecond)
	}
	return nil
}

func config(pairs ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(pairs); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: pairs[i], Value: &pairs[i+1]})
	}
	return c
}

// create makes a connector with a task for each list of partitions.
func (s *sim) create(name string, pairs ...string) {
	s.t.Helper()
	v := &storev1.Connector{Config: config(append(pairs, "connector.class", "sim")...), ConfigGeneration: 1, TargetState: sluicev1.TargetState_TARGET_STATE_STARTED}
	if _, err := s.cp.Store().CreateConnector(s.t.Context(), name, v); err != nil {
		s.t.Fatal(err)
	}
}

// holder waits until a unit is assigned, to another than not, and its instance has started.
func (s *sim) holder(u unit.ID, not *exec) *exec {
	s.t.Helper()
	var out *exec
	harness.Await(s.t, u.String()+" runs", 20*time.Second, func() bool {
		a := s.cp.Store().View().Assignments[u]
		if a == nil {
			return false
		}
		for _, x := range s.executors {
			if x.name != a.Value.GetExecutor() || x == not {
				continue
			}
			for _, h := range x.sup.Held() {
				if h.Unit == u && h.Epoch == a.Epoch && strings.Contains(x.log.String(), fmt.Sprintf(`"epoch":"%s","event":"started"`, a.Epoch)) {
					out = x
					return true
				}
			}
		}
		return false
	})
	return out
}

func (s *sim) elapse(d time.Duration) { <-clock.Real().After(d) }

// violations is what the checker says of all histories.
func (s *sim) violations() []string {
	s.t.Helper()
	var all []history.Event
	for _, x := range s.executors {
		events, err := history.Parse(strings.NewReader(x.log.String()), x.name)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, events...)
	}
	if len(all) == 0 {
		s.t.Fatal("there is no history")
	}
	return history.Check(all)
}
