package storetest

import (
	"testing"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// After etcd was restored from a snapshot its revisions come again: the era tells the epochs apart.
func otherEra(t *testing.T, e *env) {
	c, s := e.connector("c"), e.session("s")
	planner, task := e.grant(unit.Connector("c"), s), e.grant(unit.Task("c", 0), s)
	e.must(e.WriteStatuses(t.Context(), []store.StatusWrite{{Unit: task.Unit, Epoch: task.Epoch, Value: &storev1.Status{State: sluicev1.State_STATE_RUNNING}}}))
	before := e.see()
	other := task.Epoch
	other.Era++
	e.must(e.WriteRelease(t.Context(), task.Unit, other, 1, false))
	e.must(e.WriteStatuses(t.Context(), []store.StatusWrite{{Unit: task.Unit, Epoch: other, Value: &storev1.Status{State: sluicev1.State_STATE_FAILED}}}))
	p := plan(c, planner, 1, config("t", "1"))
	p.Epoch.Era++
	_, err := e.SubmitPlan(t.Context(), p)
	e.is(err, store.ErrPlanStale)
	if v := e.see(); v.Revision != before.Revision {
		t.Errorf("an epoch of another era wrote something: releases %v, states %v", v.Releases, v.Statuses)
	}
}
