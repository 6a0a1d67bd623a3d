package scheduler

import (
	"testing"

	"github.com/sluice-project/sluice/internal/lease"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestPlan_ARestoredStoreSaysWhichEraIsAboveAllThatWasSeen(t *testing.T) {
	const restored, grants = "the store was restored from an older snapshot: ", ". Nothing is granted until the key `era` is set to "
	for name, c := range map[string]struct {
		replica   lease.Epoch
		executors []lease.Epoch
		want      string
	}{
		"by the replica": {lease.Epoch{Revision: 99}, nil, restored + "this replica has read it up to 0.99" + grants + "1"},
		"by executors":   {lease.Epoch{}, []lease.Epoch{{Revision: 1 << 40}, {Era: 6, Revision: 3}}, restored + "executor b:1 has seen epoch 6.3" + grants + "7"},
		"by both":        {lease.Epoch{Revision: 99}, []lease.Epoch{{Revision: 1 << 41}}, restored + "executor a:1 has seen epoch 0.2199023255552" + grants + "1"},
		"by none":        {lease.Epoch{}, []lease.Epoch{{Revision: 1}}, ""},
		// The session of the first is written at revision 11, and much is written later.
		"though the store has come as far again": {lease.Epoch{}, []lease.Epoch{{Revision: 13}}, restored + "executor a:1 has seen epoch 0.13" + grants + "1"},
	} {
		m := newModel()
		for i, e := range c.executors {
			m.session(string(rune('a' + i))).Value.HighestEpoch = &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}
		}
		m.session("z")
		m.connector("c", fenced, 1)
		m.snap.Restored = c.replica
		r := m.step(t)
		if r.Restored != c.want || (len(m.snap.Assignments) == 0) != (c.want != "") {
			t.Errorf("%s: %q, assignments %v", name, r.Restored, m.snap.Assignments)
		}
	}
}
