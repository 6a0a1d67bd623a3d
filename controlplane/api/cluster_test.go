package api_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestCordonAndDrain_MarkTheExecutorsSessionAndNothingElse(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	for _, id := range []string{"a", "b"} {
		if _, err := h.store.OpenSession(ctx, id, &storev1.Session{Executor: id + ":1", Replica: "r", Stream: 1}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	marks := func() (out [2]bool) {
		t.Helper()
		if err := h.store.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
		if b := h.store.View().Sessions["b"].Value; b.GetCordoned() || b.GetEvicting() {
			t.Error("another executor was marked")
		}
		v := h.store.View().Sessions["a"].Value
		return [2]bool{v.GetCordoned(), v.GetEvicting()}
	}
	if _, err := h.cluster.CordonExecutor(ctx, &sluicev1.CordonExecutorRequest{Executor: "a:1"}); err != nil || marks() != [2]bool{true, false} {
		t.Error("cordon:", err, marks())
	}
	if _, err := h.cluster.DrainExecutor(ctx, &sluicev1.DrainExecutorRequest{Executor: "a:1"}); err != nil || marks() != [2]bool{true, true} {
		t.Error("drain:", err, marks())
	}
	if _, err := h.cluster.CordonExecutor(ctx, &sluicev1.CordonExecutorRequest{Executor: "a:1", Uncordon: true}); err != nil || marks() != [2]bool{} {
		t.Error("uncordon:", err, marks())
	}
	_, err := h.cluster.DrainExecutor(ctx, &sluicev1.DrainExecutorRequest{Executor: "c:1"})
	if s := status.Convert(api.Status(err)); s.Code() != codes.NotFound || s.Message() != `No executor "c:1" has a live session: see GET /v1/executors` {
		t.Error(err)
	}
}

func TestForgetUnit_EndsTheWaitForAFence(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	u := unit.Task("c", 0)
	if _, err := h.store.OpenSession(ctx, "a", &storev1.Session{Executor: "a:1", Replica: "r", Stream: 1}, time.Hour); err != nil {
		t.Fatal(err)
	}
	apply := func(actions ...state.Action) {
		t.Helper()
		if err := h.store.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
		if err := h.store.Apply(ctx, h.guard, actions); err != nil {
			t.Fatal(err)
		}
		if err := h.store.Barrier(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.store.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	fenced := sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	apply(state.Grant{Unit: u, SessionMod: h.store.View().Sessions["a"].ModRevision, Value: &storev1.Assignment{Executor: "a:1", Session: "a", Class: fenced}})
	a := h.store.View().Assignments[u]
	if a == nil {
		t.Fatal("not granted")
	}
	for name, want := range map[string]codes.Code{"task:c/0": codes.NotFound, "nonsense": codes.InvalidArgument} {
		_, err := h.cluster.ForgetUnit(ctx, &sluicev1.ForgetUnitRequest{Unit: name})
		if got := status.Code(api.Status(err)); got != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	apply(state.Lapse{Unit: u, Mod: a.ModRevision, Value: &storev1.Lapsed{Epoch: &sluicev1.Epoch{Revision: a.Epoch.Revision}, Class: fenced, FenceOwed: true}})
	if _, err := h.cluster.ForgetUnit(ctx, &sluicev1.ForgetUnitRequest{Unit: "task:c/0"}); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	if l := h.store.View().Lapsed[u]; l == nil || l.Value.GetFenceOwed() {
		t.Error(l)
	}
}
