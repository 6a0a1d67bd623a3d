package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/store"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	return c
}

func TestHeartbeat_IsAcknowledgedOnlyAfterARenewal(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	h, err := r.client.Heartbeat(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	beat := func(session string, n uint64) (*sluicev1.HeartbeatResponse, error) {
		if err := h.Send(&sluicev1.HeartbeatRequest{Session: session, Number: n}); err != nil {
			t.Fatal(err)
		}
		return h.Recv()
	}
	for n := uint64(1); n <= 3; n++ {
		m, err := beat("s1", n)
		if err != nil || m.GetNumber() != n || m.GetLapsed() || peek(st, func() int { return st.renewals }) != int(n) {
			t.Fatalf("heartbeat %d: %v %v", n, m, err)
		}
	}
	if m, err := beat("unknown", 4); err != nil || !m.GetLapsed() {
		t.Errorf("an unknown session: %v %v", m, err)
	}
	st.lapse("s1")
	if m, err := beat("s1", 5); err != nil || !m.GetLapsed() {
		t.Errorf("a lapsed session: %v %v", m, err)
	}
	e2 := r.attach(t, hi("s2", 2, "x1:1"))
	e2.welcome()
	st.setDown(store.ErrUnavailable)
	if m, err := beat("s2", 6); status.Code(err) != codes.Unavailable {
		t.Errorf("a replica that cannot renew acknowledges nothing: %v %v", m, err)
	}
}

func TestSubmitPlan_AssemblesChunksAndRefusesWhatDoesNotFit(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	r.attach(t, hi("s1", 1, "x1:1")).welcome()
	header := func(edit func(*sluicev1.PlanHeader)) *sluicev1.PlanHeader {
		h := &sluicev1.PlanHeader{Session: "s1", Connector: "a", Epoch: &sluicev1.Epoch{Revision: 9}, Sequence: 2, Incarnation: 3, ConfigGeneration: 4, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE, TaskCount: 3}
		if edit != nil {
			edit(h)
		}
		return h
	}
	submit := func(chunks ...*sluicev1.SubmitPlanRequest) (*sluicev1.SubmitPlanResponse, error) {
		s, err := r.client.SubmitPlan(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range chunks {
			if s.Send(c) != nil {
				break
			}
		}
		return s.CloseAndRecv()
	}
	task := pairs("k", "v")
	big := pairs("small", "x", "big.key", strings.Repeat("x", 600<<10))
	for _, c := range []struct {
		name   string
		chunks []*sluicev1.SubmitPlanRequest
		says   string
	}{
		{"nothing", nil, "empty"},
		{"no header", []*sluicev1.SubmitPlanRequest{{Tasks: []*sluicev1.Config{task}}}, "header"},
		{"too few", []*sluicev1.SubmitPlanRequest{{Header: header(nil), Tasks: []*sluicev1.Config{task}}}, "1 tasks, the header says 3"},
		{"too many", []*sluicev1.SubmitPlanRequest{{Header: header(nil), Tasks: []*sluicev1.Config{task, task, task, task}}}, "more than the 3"},
		{"negative", []*sluicev1.SubmitPlanRequest{{Header: header(func(h *sluicev1.PlanHeader) { h.TaskCount = -1 })}}, "task_count"},
		{"no class", []*sluicev1.SubmitPlanRequest{{Header: header(func(h *sluicev1.PlanHeader) { h.TaskClass = 0 })}}, "task_class"},
		{"too large", []*sluicev1.SubmitPlanRequest{{Header: header(nil), Tasks: []*sluicev1.Config{big}}}, "big.key"},
	} {
		if _, err := submit(c.chunks...); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := peek(st, func() int { return len(st.plans) }); n != 0 {
		t.Fatalf("%d bad plans were submitted", n)
	}
	if _, err := submit(&sluicev1.SubmitPlanRequest{Header: header(func(h *sluicev1.PlanHeader) { h.Session, h.TaskCount = "gone", 0 })}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a lapsed session: %v", err)
	}
	got, err := submit(&sluicev1.SubmitPlanRequest{Header: header(nil), Tasks: []*sluicev1.Config{task}}, &sluicev1.SubmitPlanRequest{Tasks: []*sluicev1.Config{task, pairs("last", "1")}})
	if err != nil || !got.GetChanged() {
		t.Fatalf("%v %v", got, err)
	}
	if p := peek(st, func() store.Plan { return st.plans[0] }); p.Connector != "a" || p.Epoch.Revision != 9 || p.Generation != 4 || len(p.Tasks) != 3 || p.Tasks[2].GetEntries()[0].GetKey() != "last" {
		t.Errorf("plan %+v", p)
	}
	peek(st, func() any { st.planErr = store.ErrPlanStale; return nil })
	if _, err := submit(&sluicev1.SubmitPlanRequest{Header: header(func(h *sluicev1.PlanHeader) { h.TaskCount = 0 })}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a stale plan: %v", err)
	}
}

func TestCommands_GoDownTheStreamAndComeBackInChunks(t *testing.T) {
	st := newFakeStore()
	r1, r2 := newReplica(t, "r1", st), newReplica(t, "r2", st)
	e := r1.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	type outcome struct {
		result *sluicev1.CommandResult
		err    error
	}
	run := func() chan outcome {
		done := make(chan outcome, 1)
		c := ctx(t)
		go func() {
			res, err := r1.commander.Run(c, "s1", &sluicev1.Command{Command: &sluicev1.Command_Validate{Validate: &sluicev1.ValidateCommand{Config: pairs("a", "b")}}})
			done <- outcome{res, err}
		}()
		return done
	}
	complete := func(r *replica, session, id string, result *sluicev1.CommandResult) error {
		s, err := r.client.CompleteCommand(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			if err := s.Send(&sluicev1.CompleteCommandRequest{Session: session, Id: id, Chunk: b[i : i+1]}); err != nil {
				break
			}
		}
		_, err = s.CloseAndRecv()
		return err
	}
	result := &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Validate{Validate: &sluicev1.ValidateResult{Name: "n", ErrorCount: 2}}}
	done := run()
	cmd := e.next().GetCommand()
	if cmd.GetValidate() == nil || cmd.GetId() == "" || cmd.GetTimeoutMs() <= 0 {
		t.Fatalf("command %v", cmd)
	}
	if err := complete(r1, "other", cmd.GetId(), result); status.Code(err) != codes.NotFound {
		t.Errorf("another session's answer: %v", err)
	}
	if err := complete(r2, "s1", cmd.GetId(), result); status.Code(err) != codes.NotFound {
		t.Errorf("an answer to a replica that knows no peer: %v", err)
	}
	if err := complete(r1, "s1", cmd.GetId(), result); err != nil {
		t.Fatal(err)
	}
	if o := <-done; o.err != nil || !proto.Equal(o.result, result) {
		t.Fatalf("%v", o)
	}
	if err := complete(r1, "s1", cmd.GetId(), result); status.Code(err) != codes.NotFound {
		t.Errorf("a second answer: %v", err)
	}
	done = run()
	e.next()
	e.cancel()
	if o := <-done; o.err == nil || errors.Is(o.err, context.DeadlineExceeded) {
		t.Errorf("a command whose stream is lost must fail at once: %v", o.err)
	}
}

func TestRegisterPlugins_WantsALiveSessionOfThePool(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	r.attach(t, hi("s1", 1, "x1:1")).welcome()
	good := []*sluicev1.Plugin{{Class: "C", Type: sluicev1.PluginType_PLUGIN_TYPE_SINK}}
	for name, c := range map[string]struct {
		req  *sluicev1.RegisterPluginsRequest
		code codes.Code
	}{
		"lapsed":   {&sluicev1.RegisterPluginsRequest{Session: "no", Pool: "default", Plugins: good}, codes.FailedPrecondition},
		"pool":     {&sluicev1.RegisterPluginsRequest{Session: "s1", Pool: "other", Plugins: good}, codes.InvalidArgument},
		"no class": {&sluicev1.RegisterPluginsRequest{Session: "s1", Pool: "default", Plugins: []*sluicev1.Plugin{{}}}, codes.InvalidArgument},
	} {
		if _, err := r.client.RegisterPlugins(ctx(t), c.req); status.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := peek(st, func() int { return len(st.plugins) }); n != 0 {
		t.Error("bad input was written")
	}
	if _, err := r.client.RegisterPlugins(ctx(t), &sluicev1.RegisterPluginsRequest{Session: "s1", Pool: "default", Plugins: good}); err != nil {
		t.Error(err)
	}
}
