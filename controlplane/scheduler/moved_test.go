package scheduler

import (
	"testing"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

func TestPlan_AGrantNamesTheExecutorThatRanTheUnitBeforeWhereItIsAnother(t *testing.T) {
	for before, want := range map[string]string{"": "", "a:1": "", "b:1": "b:1"} {
		m := newModel()
		m.session("a")
		m.connector("c", exclusive, 1)
		u := unit.Task("c", 0)
		if before != "" {
			m.snap.Statuses[u] = &state.Status{Unit: u, ModRevision: m.rev(), Value: &storev1.Status{Executor: before}}
		}
		m.step(t)
		if a := m.snap.Assignments[u]; a == nil || a.Value.GetMovedFrom() != want {
			t.Errorf("after %q: %v", before, a)
		}
	}
}
