//go:build faults

package promises

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/fault"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// both tells a story with the guard in, where nothing may be seen, and with it out, where the violation has to be. As a
// race may go well once, the latter is told up to five times.
func both(t *testing.T, guard, want string, story func(t *testing.T) []string) {
	t.Run("in", func(t *testing.T) {
		if v := story(t); len(v) > 0 {
			t.Errorf("%d violations, the first: %s", len(v), v[0])
		}
	})
	t.Run("out", func(t *testing.T) {
		fault.Take(guard)
		defer fault.Take("")
		for range 5 {
			if v := story(t); slices.ContainsFunc(v, func(s string) bool { return strings.Contains(s, want) }) {
				t.Logf("%d violations, the first: %s", len(v), v[0])
				return
			}
		}
		t.Errorf("with %s out the checker saw nothing", guard)
	})
}

func TestSelfFencing_KeepsACutOffExecutorFromActing(t *testing.T) {
	both(t, fault.SelfFencing, "unit task:c/0: ", func(t *testing.T) []string {
		s := newSim(t, 2)
		s.create("c", "tasks", "p")
		first := s.holder(unit.Task("c", 0), nil)
		first.proxy.Cut()
		s.holder(unit.Task("c", 0), first)
		s.elapse(200 * time.Millisecond)
		return s.violations()
	})
}

func TestMargin_OutlivesACommitThatIsOnItsWay(t *testing.T) {
	both(t, fault.Margin, "had committed for the last time", func(t *testing.T) []string {
		s := newSim(t, 2)
		s.commit = 700 * time.Millisecond
		s.create("c", "tasks", "p")
		first := s.holder(unit.Task("c", 0), nil)
		first.proxy.Cut()
		s.holder(unit.Task("c", 0), first)
		s.elapse(2 * s.commit)
		return s.violations()
	})
}

func TestEpochGuard_KeepsAFencedInstanceFromComingBack(t *testing.T) {
	both(t, fault.EpochGuard, "after the fence of epoch", func(t *testing.T) []string {
		s := newSim(t, 2)
		s.create("c", "tasks", "p", "sink", "yes")
		first := s.holder(unit.Task("c", 0), nil)
		first.proxy.Cut()
		s.holder(unit.Task("c", 0), first)
		s.elapse(2 * time.Second) // a fenced instance pauses before it comes back
		return s.violations()
	})
}

func TestQuiet_KeepsAPartitionFromTwoTasks(t *testing.T) {
	both(t, fault.Quiet, "source c partition", func(t *testing.T) []string {
		s := newSim(t, 3)
		s.stop = 400 * time.Millisecond
		s.create("c", "tasks", "a,b,c;d,e,f")
		s.holder(unit.Task("c", 0), nil)
		s.holder(unit.Task("c", 1), nil)
		_, err := s.cp.Store().UpdateConnector(t.Context(), "c", func(c *state.Connector) (*storev1.Connector, error) {
			c.Value.Config, c.Value.ConfigGeneration = config("tasks", "a;b;c;d,e;f", "connector.class", "sim"), 2
			return c.Value, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.holder(unit.Task("c", 4), nil)
		s.elapse(time.Second)
		return s.violations()
	})
}
