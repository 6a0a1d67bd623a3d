package state

import (
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Action is one write that the leader decided on. Each compares what it was planned from, so that an
// action of a stale plan does nothing. Mod fields are the mod revisions that were seen.
type Action interface{ isAction() }

// Grant creates assignments/<unit>. It fails where there is one, or a lapsed/<unit> other than that of
// LapsedMod.
type Grant struct {
	Unit  unit.ID
	Value *storev1.Assignment
	// SessionMod is the session's, so that a grant to a session that just changed is planned again.
	SessionMod int64
	// LapsedMod is that of lapsed/<unit>, which the grant deletes; 0 where there is none.
	LapsedMod int64
	// Offsets is the request that an offsets: unit is granted for, and ConnectorMod is the connector's: both must be
	// as they were seen. The grant marks the request as started. nil for other units.
	Offsets      *Offsets
	ConnectorMod int64
}

// RequestRelease asks the holder to release the unit.
type RequestRelease struct {
	Unit unit.ID
	Mod  int64
	Mode sluicev1.ReleaseMode
}

// Lapse turns an assignment into lapsed/<unit>.
type Lapse struct {
	Unit  unit.ID
	Mod   int64
	Value *storev1.Lapsed
	// Session must not be there; empty where its connection is lost and its units may move at once.
	Session string
}

// DropLapsed deletes lapsed/<unit>: the unit is quiet.
type DropLapsed struct {
	Unit unit.ID
	Mod  int64
}

// ConsumeRelease deletes assignments/<unit> and releases/<unit>. With Lapsed it leaves a mark of an
// unfenced predecessor behind, in the same transaction.
type ConsumeRelease struct {
	Unit          unit.ID
	ReleaseMod    int64
	AssignmentMod int64 // 0 where there is no assignment
	Lapsed        *storev1.Lapsed
}

// MarkSettling starts the time in which only its old holder may take an assignment.
type MarkSettling struct {
	Unit    unit.ID
	Mod     int64
	SinceMS int64
}

// SetSuccessor names the session that is made ready to follow.
type SetSuccessor struct {
	Unit    unit.ID
	Mod     int64
	Session string
	SinceMS int64
}

// PutStatus writes a status that the leader reports itself.
type PutStatus struct {
	Unit  unit.ID
	Mod   int64 // of the status seen, 0 where there was none
	Value *storev1.Status
}

// DeleteStatus deletes the status of a unit that is no more.
type DeleteStatus struct {
	Unit unit.ID
	Mod  int64
}

// DropOffsets deletes a request to alter a connector's offsets whose unit nobody holds.
type DropOffsets struct {
	Connector string
	Mod       int64
}

// DropTaskSets deletes the task sets of a connector that came before the one to keep, which is or was the
// present one; of a connector or an incarnation that is gone, all but it. Keep empty keeps none, and does
// nothing to a connector that is there: its first set may be written just now.
type DropTaskSets struct {
	Connector   string
	Incarnation int64
	Keep        string
}

func (Grant) isAction()          {}
func (RequestRelease) isAction() {}
func (Lapse) isAction()          {}
func (DropLapsed) isAction()     {}
func (ConsumeRelease) isAction() {}
func (MarkSettling) isAction()   {}
func (SetSuccessor) isAction()   {}
func (PutStatus) isAction()      {}
func (DeleteStatus) isAction()   {}
func (DropOffsets) isAction()    {}
func (DropTaskSets) isAction()   {}
