package scheduler

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func (m *model) handBack() {
	m.snap.HandBack = &state.HandBack{ModRevision: m.rev(), Value: &storev1.HandBack{}}
}

// answer has the holders release what they are asked for.
func (m *model) answer() {
	for u, a := range m.snap.Assignments {
		if a.Value.GetRelease() != 0 && m.snap.Releases[u] == nil {
			m.release(u)
		}
	}
}

func TestPlan_OfAHandedBackClusterEndsWithNothingHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		for _, id := range []string{"a", "b"}[:rapid.IntRange(1, 2).Draw(t, "sessions")] {
			m.session(id)
		}
		m.connector("c", fenced, 1, 2, 3)
		m.connector("d", exclusive, 1)
		for range rapid.IntRange(0, 3).Draw(t, "steps before") {
			m.step(t)
		}
		m.handBack()
		for range 5 {
			for _, a := range m.step(t).Actions {
				if g, ok := a.(state.Grant); ok && g.Unit != unit.Mirror {
					t.Fatalf("%s is granted in a cluster that is handed back", g.Unit)
				}
			}
			m.answer()
		}
		if len(m.snap.Assignments) != 1 || m.snap.Assignments[unit.Mirror] == nil {
			t.Fatalf("only the mirror is left until Kafka has everything: %v", m.snap.Assignments)
		}
		m.snap.Mirrored = m.rev()
		for range 3 {
			m.step(t)
			m.answer()
		}
		if len(m.snap.Assignments) != 0 || !m.snap.MirroredAll() {
			t.Fatalf("%v", m.snap.Assignments)
		}
		m.snap.HandBack, m.snap.Mirrored = nil, 0
		m.step(t)
		if len(m.snap.Assignments) != 7 {
			t.Fatalf("after the end of the hand-back all is granted again: %v", m.snap.Assignments)
		}
	})
}

func TestPlan_OfAHandedBackClusterHasSinksLeaveTheirGroups(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", fenced, 1)
	m.step(t)
	m.step(t)
	m.handBack()
	for _, a := range m.step(t).Actions {
		if r, ok := a.(state.RequestRelease); ok && r.Mode != sluicev1.ReleaseMode_RELEASE_MODE_LEAVE {
			t.Errorf("%v", r)
		}
	}
}

func TestPlan_OfAHandedBackClusterForgetsWhatWasReported(t *testing.T) {
	m := newModel()
	m.session("a")
	m.connector("c", fenced, 1)
	m.step(t)
	u := unit.Connector("c")
	m.snap.Statuses[u] = &state.Status{Unit: u, ModRevision: m.rev(), Value: &storev1.Status{State: sluicev1.State_STATE_RUNNING}}
	m.handBack()
	for range 3 {
		m.step(t)
		m.answer()
	}
	// A generation of Sluice's would keep a Kafka Connect worker from reporting a failure.
	if m.snap.Statuses[u] != nil || !m.snap.Quiet() {
		t.Errorf("%v", m.snap.Statuses)
	}
}
