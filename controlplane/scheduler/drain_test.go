package scheduler

import (
	"testing"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// draining is a model of a session "a" that drains, with a task, and of "b" and "c" that could take it.
func draining(t *testing.T) (*model, unit.ID) {
	t.Helper()
	m, u := newModel(), unit.Task("x", 0)
	a := m.session("a")
	m.connector("x", exclusive, 1)
	m.step(t)
	m.session("b")
	m.session("c")
	a.Value.Draining = true
	m.step(t)
	if s := m.snap.Assignments[u].Value; s.GetSession() != "a" || s.GetRelease() != 0 || s.GetSuccessor() == "" {
		t.Fatalf("a successor is named first, and the holder goes on: %v", s)
	}
	return m, u
}

func TestDrain_AUnitGoesOnUntilItsSuccessorIsReadyAndIsGrantedToItInThePlanThatTakesItsRelease(t *testing.T) {
	m, u := draining(t)
	next := m.snap.Assignments[u].Value.GetSuccessor()
	if r := m.step(t); m.snap.Assignments[u].Value.GetRelease() != 0 || !r.Next.Equal(m.now.Add(prepareFor)) {
		t.Fatalf("released before its successor is ready, or never looked at again: %v", r)
	}
	m.ready()
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() == 0 {
		t.Fatal("not released though its successor is ready")
	}
	m.release(u)
	m.step(t)
	if h := m.holders()[u]; h != next {
		t.Fatalf("it is at %q, and %q was made ready", h, next)
	}
}

func TestDrain_ASuccessorThatIsTooSlowIsDoneWithout(t *testing.T) {
	m, u := draining(t)
	m.now = m.now.Add(prepareFor)
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() == 0 {
		t.Fatal("it must move without")
	}
}

func TestDrain_ASuccessorThatIsGoneIsDoneWithoutAndAnotherIsGrantedTheUnit(t *testing.T) {
	m, u := draining(t)
	gone := m.snap.Assignments[u].Value.GetSuccessor()
	delete(m.snap.Sessions, gone)
	m.step(t)
	if m.snap.Assignments[u].Value.GetRelease() == 0 {
		t.Fatal("it must move without")
	}
	m.release(u)
	m.step(t)
	if h := m.holders()[u]; h == "a" || h == gone || h == "" {
		t.Fatalf("it is at %q", h)
	}
}

func TestDrain_PreparesAndMovesAFewAtATimeAndSpreadsThem(t *testing.T) {
	m := newModel()
	a := m.session("a")
	m.connector("x", fenced, make([]byte, 40)...)
	m.step(t)
	m.session("b")
	m.session("c")
	a.Value.Draining = true
	for range 100 {
		m.step(t)
		preparing, releasing := 0, 0
		for u, x := range m.snap.Assignments {
			switch {
			case x.Value.GetSession() != "a":
			case x.Value.GetRelease() != 0:
				releasing++
				m.release(u)
			case x.Value.GetSuccessor() != "":
				preparing++
			}
		}
		if preparing > maxPreparing || releasing > maxMoving {
			t.Fatalf("%d are prepared and %d released at a time", preparing, releasing)
		}
		m.ready()
	}
	count := map[string]int{}
	for u, s := range m.holders() {
		if u.Kind == unit.KindTask {
			count[s]++
		}
	}
	if count["b"] != 20 || count["c"] != 20 {
		t.Fatalf("%v", count)
	}
}

func TestDrain_WhatOwesAFenceIsNotGrantedInThePlanThatTakesItsRelease(t *testing.T) {
	m, u := draining(t)
	m.edit(u, func(v *storev1.Assignment) { v.PredecessorUnfenced = true })
	m.snap.Releases[u] = &state.Release{Unit: u, Epoch: m.snap.Assignments[u].Epoch, ModRevision: m.rev(), Value: &storev1.Release{Outcome: 1, PredecessorUnfenced: true}}
	m.step(t)
	if h := m.holders()[u]; h != "" || m.snap.Lapsed[u] == nil {
		t.Fatalf("at %q, mark %v", h, m.snap.Lapsed[u])
	}
	m.step(t)
	if v := m.snap.Assignments[u]; v == nil || !v.Value.GetPredecessorUnfenced() {
		t.Fatalf("%v", v)
	}
}
