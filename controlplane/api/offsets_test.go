package api_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const notStopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/c/stop' endpoint"

func changes() []*sluicev1.PartitionOffset {
	p, o := `{"p":1}`, `{"lsn":9007199254740993}`
	return []*sluicev1.PartitionOffset{{Partition: &p, Offset: &o}}
}

// alter asks in the background.
func (h *harness) alter(ctx context.Context, name string) chan error {
	h.t.Helper()
	done := make(chan error, 1)
	go func() {
		r, err := h.connectors.AlterConnectorOffsets(ctx, &sluicev1.AlterConnectorOffsetsRequest{Name: name, Offsets: changes()})
		if err == nil && !strings.Contains(r.GetMessage(), "altered") {
			h.t.Errorf("%q", r.GetMessage())
		}
		done <- err
	}()
	return done
}

// requested waits until a request is there that is not one of those.
func (h *harness) requested(name string, not ...string) *state.Offsets {
	h.t.Helper()
	ch, cancel := h.store.Subscribe()
	defer cancel()
	for {
		o := h.look().Offsets[name]
		if o != nil && !strings.Contains(strings.Join(not, " "), o.Value.GetId()) {
			return o
		}
		select {
		case <-ch:
		case <-h.t.Context().Done():
			h.t.Fatal("no request came")
		}
	}
}

// hold grants offsets: for a request and returns its epoch.
func (h *harness) hold(name string) lease.Epoch {
	h.t.Helper()
	h.grant() // a session
	v := h.look()
	g := state.Grant{Unit: unit.Offsets(name), SessionMod: v.Sessions["s"].ModRevision, Value: &storev1.Assignment{Executor: "x:1", Session: "s"},
		Offsets: v.Offsets[name], ConnectorMod: v.Connectors[name].ModRevision}
	if err := h.store.Apply(h.t.Context(), h.guard, []state.Action{g}); err != nil {
		h.t.Fatal(err)
	}
	a := h.look().Assignments[unit.Offsets(name)]
	if a == nil {
		h.t.Fatal("not granted")
	}
	return a.Epoch
}

func (h *harness) stop(name string) {
	h.t.Helper()
	if _, err := h.connectors.StopConnector(h.t.Context(), &sluicev1.StopConnectorRequest{Name: name}); err != nil {
		h.t.Fatal(err)
	}
}

func TestAlterOffsets_RefusesInKafkaConnectsOrder(t *testing.T) {
	h := newHarness(t)
	ctx := t.Context()
	h.create("c")
	for _, c := range []struct {
		what, name string
		offsets    []*sluicev1.PartitionOffset
		reason     errs.Reason
		message    string
	}{
		{"none given, of none", "no", nil, errs.OffsetsInvalid, "Partitions / offsets need to be provided for an alter offsets request"},
		{"no connector", "no", changes(), errs.ConnectorNotFound, "Connector no not found"},
		{"it runs", "c", changes(), errs.OffsetsNotStopped, notStopped},
	} {
		_, err := h.connectors.AlterConnectorOffsets(ctx, &sluicev1.AlterConnectorOffsetsRequest{Name: c.name, Offsets: c.offsets})
		wantErr(t, c.what, err, c.reason, c.message)
	}
	_, err := h.connectors.ResetConnectorOffsets(ctx, &sluicev1.ResetConnectorOffsetsRequest{Name: "c"})
	wantErr(t, "reset", err, errs.OffsetsNotStopped, notStopped)
	_, err = h.connectors.ResetConnectorOffsets(ctx, &sluicev1.ResetConnectorOffsetsRequest{Name: "no"})
	wantErr(t, "reset of none", err, errs.ConnectorNotFound, "Connector no not found")
	if len(h.look().Offsets) > 0 {
		t.Error("a refused request was recorded")
	}
}

func TestAlterOffsets_AnswersWithTheHoldersResultAndLeavesNothingBehind(t *testing.T) {
	h := newHarness(t)
	h.create("c")
	h.stop("c")
	for _, r := range []*sluicev1.OffsetsResult{{Complete: true}, {}, {Reason: string(errs.OffsetsInvalid), Message: "no such key"}, {Reason: "of.a.later.version", Message: "?"}} {
		done := h.alter(t.Context(), "c")
		o := h.requested("c")
		e := h.hold("c")
		if err := h.store.CompleteOffsets(t.Context(), "c", e, o.Value.GetId(), r); err != nil {
			t.Fatal(err)
		}
		err := <-done
		if (err != nil) != (r.GetReason() != "") || err != nil && err.Error() != r.GetMessage() {
			t.Errorf("%v: %v", r, err)
		}
		if err != nil && r.GetReason() == string(errs.OffsetsInvalid) && errs.ReasonOf(err) != errs.OffsetsInvalid {
			t.Errorf("%v", errs.ReasonOf(err))
		}
		v := h.look()
		if v.Offsets["c"] != nil {
			t.Error("the request is still there")
		}
		a := v.Assignments[unit.Offsets("c")]
		if err := h.store.WriteRelease(t.Context(), a.Unit, a.Epoch, 1, false); err != nil {
			t.Fatal(err)
		}
		v = h.look()
		if err := h.store.Apply(t.Context(), h.guard, []state.Action{state.ConsumeRelease{Unit: a.Unit, ReleaseMod: v.Releases[a.Unit].ModRevision, AssignmentMod: a.ModRevision}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAlterOffsets_RequestsOfOneConnectorWaitForOneAnother(t *testing.T) {
	h := newHarness(t)
	h.create("c")
	h.stop("c")
	first := h.alter(t.Context(), "c")
	o := h.requested("c")
	second := h.alter(t.Context(), "c")
	e := h.hold("c")
	if err := h.store.CompleteOffsets(t.Context(), "c", e, o.Value.GetId(), &sluicev1.OffsetsResult{}); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	o = h.requested("c", o.Value.GetId())
	if err := h.store.CompleteOffsets(t.Context(), "c", e, o.Value.GetId(), &sluicev1.OffsetsResult{}); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
}

func TestAlterOffsets_AResumeBeforeTheGrantTakesTheRequestBack(t *testing.T) {
	h := newHarness(t)
	h.create("c")
	h.stop("c")
	done := h.alter(t.Context(), "c")
	h.requested("c")
	if _, err := h.connectors.ResumeConnector(t.Context(), &sluicev1.ResumeConnectorRequest{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "resumed", <-done, errs.OffsetsNotStopped, notStopped)
	if h.look().Offsets["c"] != nil {
		t.Error("the request is still there")
	}
}

func TestAlterOffsets_ALateCallSaysWhoHasTheUnitAndWhetherOffsetsMayHaveChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create("c")
		h.plan("c", 1, sluicev1.State_STATE_RUNNING)
		h.stop("c")
		// A task is still held: never granted.
		err := <-h.alter(t.Context(), "c")
		wantErr(t, "a task is held", err, errs.OffsetsTimeout, "Request timed out: offsets:c was not granted to an executor within 1m0s, because task:c/0 is still held by executor x:1. Nothing was changed")
		if h.look().Offsets["c"] != nil {
			t.Error("it was not taken back")
		}
		done := h.alter(t.Context(), "c")
		h.requested("c")
		h.hold("c")
		second := h.alter(t.Context(), "c")
		wantErr(t, "granted", <-done, errs.OffsetsTimeout, "Request timed out: offsets:c was granted to executor x:1, which has not said within 1m0s that the offsets are altered. They may have changed: read them before you try again")
		wantErr(t, "behind another", <-second, errs.OffsetsTimeout, "Request timed out: another request has been altering the offsets of connector c for 1m0s, and nothing was changed by this one")
	})
}

func TestOffsetsAndTopics_AreAskedOfAnExecutorOfThePool(t *testing.T) {
	h := newHarness(t)
	ctx := t.Context()
	h.create("c", "sluice.pool", "fat")
	r, err := h.connectors.GetConnectorOffsets(ctx, &sluicev1.GetConnectorOffsetsRequest{Name: "c"})
	if err != nil || r.GetOffsets()[0].GetOffset() != `{"lsn":9007199254740993}` {
		t.Errorf("%v %v", r, err)
	}
	_, err = h.connectors.GetConnectorOffsets(ctx, &sluicev1.GetConnectorOffsetsRequest{Name: "no"})
	wantErr(t, "no connector", err, errs.ConnectorNotFound, "Connector no not found")
	h.validator.pools = nil
	topics, err := h.connectors.GetConnectorTopics(ctx, &sluicev1.GetConnectorTopicsRequest{Name: "c"})
	if err != nil || len(topics.GetTopics()) != 1 || topics.GetName() != "c" || h.validator.pools[0] != "fat" {
		t.Errorf("%v %v %v", topics, err, h.validator.pools)
	}
	if topics, err = h.connectors.GetConnectorTopics(ctx, &sluicev1.GetConnectorTopicsRequest{Name: "no"}); err != nil || len(topics.GetTopics()) != 0 {
		t.Errorf("of none: %v %v", topics, err)
	}
	if _, err := h.connectors.ResetConnectorTopics(ctx, &sluicev1.ResetConnectorTopicsRequest{Name: "no"}); err != nil {
		t.Error(err)
	}
}
