package api_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestProgress_OneThatDoesNotAnswerCostsOnlyItsOwnNumbers(t *testing.T) {
	h := newHarness(t)
	h.create("c")
	h.plan("c", 3, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_PAUSED)
	answer, fail := []*sluicev1.TaskProgress{
		{Task: 0, Known: true, State: "STALLED", Reason: "a call of put has not returned for 1m0s", Records: 7},
		{Task: 1, Known: true, State: "STALLED", Reason: "it was paused meanwhile", Records: 8},
		{Task: 9, Known: true},
	}, error(nil)
	h.validator.progress = func(session string) ([]*sluicev1.TaskProgress, error) {
		if session != "s" {
			t.Errorf("session %q was asked", session)
		}
		return answer, fail
	}
	get := func() []*sluicev1.TaskProgress {
		t.Helper()
		got, err := h.connectors.GetConnectorProgress(t.Context(), &sluicev1.GetConnectorProgressRequest{Name: "c"})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetTasks()
	}
	if d := cmp.Diff([]*sluicev1.TaskProgress{
		{Task: 0, Known: true, State: "STALLED", Reason: "a call of put has not returned for 1m0s", Executor: "x:1", Records: 7},
		{Task: 1, Known: true, State: "PAUSED", Executor: "x:1", Records: 8},
		{Task: 2, State: "UNASSIGNED", Reason: "Its executor does not run it now", Executor: "x:1"},
	}, get(), protocmp.Transform()); d != "" {
		t.Error(d)
	}
	// Kafka Connect's own status never says STALLED.
	st, err := h.connectors.GetTaskStatus(t.Context(), &sluicev1.GetTaskStatusRequest{Name: "c", Task: 0})
	if err != nil || st.GetStatus().GetState() != sluicev1.State_STATE_RUNNING {
		t.Errorf("%v %v", st, err)
	}
	fail = errors.New("it does not answer")
	answer = nil
	if d := cmp.Diff(&sluicev1.TaskProgress{Task: 0, State: "RUNNING", Reason: "it does not answer", Executor: "x:1"}, get()[0], protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if _, err := h.connectors.GetConnectorProgress(t.Context(), &sluicev1.GetConnectorProgressRequest{Name: "nope"}); errs.ReasonOf(err) != errs.ConnectorNotFound {
		t.Error(err)
	}
}
