package scheduler

import (
	"fmt"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	// maxMoving is how many units of a session that is drained are released at a time: each goes on until its turn
	// comes, and the others take no more at once than that.
	maxMoving = 4
	// maxPreparing is how many of them are made ready elsewhere at a time, those that wait for their turn included.
	maxPreparing = 2 * maxMoving
	// prepareFor is how long a successor has for making itself ready: then the unit moves without (DESIGN 4.12).
	prepareFor = 5 * time.Second
)

// drain counts what is under way of a session that is drained.
type drain struct{ releasing, preparing int }

func (d *drain) count(a *state.Assignment) {
	switch {
	case a.Value.GetRelease() != 0:
		d.releasing++
	case a.Value.GetSuccessor() != "":
		d.preparing++
	}
}

// move has a unit leave a session that is drained:
//
//	held ─▶ a successor is named and makes itself ready ─▶ the holder releases ─▶ the successor is granted it
//	  └─ nobody can take it: an operator's drain leaves it, a stopping executor gives it back
func (p *planner) move(a *state.Assignment, w want, s *state.Session) {
	d, to := p.drains[s.ID], p.sessions[a.Value.GetSuccessor()]
	if to == nil || !to.runs(w) {
		to = p.place(w)
	}
	switch {
	case to == nil && s.Value.GetDraining():
		// Its holder goes all the same, and a clean release lets the next one start at once.
		p.release(a)
	case to == nil:
		p.out.Blocked = append(p.out.Blocked, fmt.Sprintf("%s stays at %s, which an operator drains: no other executor can take it", a.Unit, a.Value.GetExecutor()))
	case p.prepared(a, w, to, d) && d.releasing < maxMoving:
		d.releasing++
		p.release(a)
	}
}

func (p *planner) release(a *state.Assignment) {
	p.do(state.RequestRelease{Unit: a.Unit, Mod: a.ModRevision, Mode: sluicev1.ReleaseMode_RELEASE_MODE_MOVE})
}

// prepared says whether a unit may be released: its successor is ready, or there is nothing to make ready. A successor
// that is gone or too slow is done without; where none was named yet, to is.
func (p *planner) prepared(a *state.Assignment, w want, to *session, d *drain) bool {
	if since := a.Value.GetSuccessorSinceMs(); since != 0 {
		late := time.UnixMilli(since).Add(prepareFor)
		if a.Value.GetSuccessorReady() || to.ID != a.Value.GetSuccessor() || !p.now.Before(late) {
			return true
		}
		p.again(late)
		return false
	}
	if w.unit.Kind != unit.KindTask || w.paused {
		return true
	}
	if d.preparing < maxPreparing {
		d.preparing++
		to.take(w.unit)
		p.do(state.SetSuccessor{Unit: a.Unit, Mod: a.ModRevision, Session: to.ID, SinceMS: p.now.UnixMilli()})
		p.again(p.now.Add(prepareFor))
	}
	return false
}
