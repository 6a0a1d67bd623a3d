package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const chunk = 256 << 10

func (h *harness) onCommand(f func(context.Context, *sluicev1.Command) *sluicev1.CommandResult) {
	h.logs.mu.Lock()
	defer h.logs.mu.Unlock()
	h.cmd = f
}

// result puts the answer to a command together; nil where there is none.
func (h *harness) result(session, id string) (*sluicev1.CommandResult, int) {
	h.Helper()
	chunks := see(h.plane, func() []*sluicev1.CompleteCommandRequest { return h.plane.answers[id] })
	if len(chunks) == 0 {
		return nil, 0
	}
	var b []byte
	for _, c := range chunks {
		if c.GetSession() != session || len(c.GetChunk()) > chunk {
			h.Errorf("a chunk of session %s with %d bytes", c.GetSession(), len(c.GetChunk()))
		}
		b = append(b, c.GetChunk()...)
	}
	r := &sluicev1.CommandResult{}
	if err := proto.Unmarshal(b, r); err != nil {
		h.Fatal(err)
	}
	return r, len(chunks)
}

func named(name string) *sluicev1.CommandResult {
	return &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Validate{Validate: &sluicev1.ValidateResult{Name: name}}}
}

func TestCommands_AreAnsweredInChunks(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready()
		for size, want := range map[int]int{10: 1, chunk: 2, 5 * chunk / 2: 3} {
			id := fmt.Sprintf("c%d", size)
			h.onCommand(func(_ context.Context, c *sluicev1.Command) *sluicev1.CommandResult {
				return named(strings.Repeat("x", size))
			})
			st.command(id, time.Second)
			h.settle()
			if r, n := h.result(st.GetSession(), id); n != want || len(r.GetValidate().GetName()) != size {
				h.Errorf("%d bytes: %d in %d chunks, want %d chunks", size, len(r.GetValidate().GetName()), n, want)
			}
		}
	})
}

func TestCommands_ThatPanicAreAnsweredWithAnErrorAndThatSayNothingToo(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		h.onCommand(func(context.Context, *sluicev1.Command) *sluicev1.CommandResult { panic("boom") })
		st.command("c1", time.Second)
		h.settle()
		if r, _ := h.result(st.GetSession(), "c1"); r.GetError().GetReason() != "internal" || !strings.Contains(r.GetError().GetMessage(), "boom") {
			h.Errorf("%v", r)
		}
		h.onCommand(func(context.Context, *sluicev1.Command) *sluicev1.CommandResult { return nil })
		st.command("c2", time.Second)
		h.settle()
		if r, n := h.result(st.GetSession(), "c2"); n != 1 || r.GetResult() != nil {
			h.Errorf("%v in %d chunks", r, n)
		}
		if !st.open() {
			h.Error("the stream has ended")
		}
		h.is(orders0, 1, "running")
	})
}

func TestCommands_MoreThanTheBoundAreDroppedWithoutHarm(t *testing.T) {
	const bound = 16
	run(t, func(h *harness) {
		st := h.ready(want(orders0, 5))
		hang := make(chan struct{})
		h.onCommand(func(_ context.Context, c *sluicev1.Command) *sluicev1.CommandResult { <-hang; return named(c.GetId()) })
		for n := range 3 * bound {
			st.command(fmt.Sprint("c", n), time.Minute)
		}
		st.desire(true, want(orders1, 6)) // what comes after them is not held up
		h.settle()
		h.is(orders1, 1, "running")
		close(hang)
		h.settle()
		for n := range 3 * bound {
			r, _ := h.result(st.GetSession(), fmt.Sprint("c", n))
			if answered := r.GetValidate().GetName() == fmt.Sprint("c", n); answered != (n < bound) {
				h.Errorf("command %d is answered: %v", n, answered)
			}
		}
		st.command("later", time.Minute)
		h.settle()
		if r, _ := h.result(st.GetSession(), "later"); r == nil {
			h.Error("no command is taken any more")
		}
	})
}

func TestCommands_HaveTheTimeTheyAreGivenAndOutliveTheirStream(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready()
		h.onCommand(func(ctx context.Context, c *sluicev1.Command) *sluicev1.CommandResult {
			began := time.Now()
			end, _ := ctx.Deadline()
			if c.GetId() == "slow" {
				<-time.After(2 * time.Second)
			}
			return named(end.Sub(began).String())
		})
		st.command("slow", time.Minute)
		st.command("hasty", 0)
		h.settle()
		st.end <- errBroken
		h.stream(2)
		h.pass(3 * time.Second)
		for id, want := range map[string]string{"slow": "1m0s", "hasty": "1s"} {
			if r, _ := h.result(st.GetSession(), id); r.GetValidate().GetName() != want {
				h.Errorf("%s had %s, want %s", id, r.GetValidate().GetName(), want)
			}
		}
	})
}

func TestSubmitPlan_GoesInChunksWithTheHeaderInTheFirst(t *testing.T) {
	run(t, func(h *harness) {
		st := h.ready()
		big := strings.Repeat("x", 100<<10)
		for _, n := range []int{0, 1, 7} {
			var tasks []*sluicev1.Config
			for i := range n {
				tasks = append(tasks, &sluicev1.Config{Entries: []*sluicev1.ConfigEntry{{Key: fmt.Sprint(i), Value: &big}}})
			}
			if err := h.agent.SubmitPlan(h.Context(), &sluicev1.PlanHeader{Connector: "orders"}, tasks); err != nil {
				h.Fatal(err)
			}
			plan := see(h.plane, func() []*sluicev1.SubmitPlanRequest { return h.plane.plans[len(h.plane.plans)-1] })
			got := 0
			for i, m := range plan {
				if (m.GetHeader() != nil) != (i == 0) || proto.Size(m) > chunk {
					h.Errorf("chunk %d has %d bytes and header %v", i, proto.Size(m), m.GetHeader())
				}
				for _, c := range m.GetTasks() {
					if c.GetEntries()[0].GetKey() != fmt.Sprint(got) {
						h.Errorf("task %s came as %d", c.GetEntries()[0].GetKey(), got)
					}
					got++
				}
			}
			if hd := plan[0].GetHeader(); got != n || hd.GetTaskCount() != int32(n) || hd.GetSession() != st.GetSession() || hd.GetConnector() != "orders" { //nolint:gosec // a few
				h.Errorf("%d tasks, want %d: %v", got, n, hd)
			}
		}
	})
}

func TestStop_JoinsEveryGoroutineFromEveryState(t *testing.T) {
	for name, reach := range map[string]func(h *harness){
		"not started": func(*harness) {},
		"not answered": func(h *harness) {
			h.plane.onHello(func(*sluicev1.Hello) *sluicev1.AttachResponse { return nil })
			h.start()
		},
		"refused":               func(h *harness) { h.plane.onHello(refusal("executor.duplicate", "another")); h.start() },
		"always lapsed":         func(h *harness) { h.plane.onBeat(allLapse); h.start() },
		"running":               func(h *harness) { h.ready(want(orders0, 5), want(orders1, 6, kafkaFenced)) },
		"heartbeats unanswered": func(h *harness) { h.plane.onBeat(never); h.ready(); h.pass(ttl) },
		"a command is busy": func(h *harness) {
			h.onCommand(func(ctx context.Context, _ *sluicev1.Command) *sluicev1.CommandResult { <-ctx.Done(); return nil })
			h.ready().command("c1", time.Hour)
		},
		"plugins are not taken": func(h *harness) {
			h.plane.onRegister(errBroken)
			h.ready()
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				reach(h)
				h.settle()
				began := time.Now()
				if err := h.sup.Stop(h.Context()); err != nil {
					h.Error(err)
				}
				if err := h.agent.Stop(h.Context()); err != nil {
					h.Error(err)
				}
				if d := time.Since(began); d > time.Second {
					h.Errorf("it took %s", d)
				}
				// The bubble ends only once every goroutine has, and goleak looks again.
				n := len(h.hellos())
				h.pass(ttl)
				if len(h.hellos()) != n {
					h.Error("it opens streams after Stop")
				}
			})
		})
	}
}
