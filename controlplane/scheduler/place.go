package scheduler

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
)

// session is a live session with its load.
type session struct {
	*state.Session
	units     int
	connector map[string]int
}

// open says whether it may be given units at all.
func (s *session) open() bool {
	v := s.Value
	return v.GetReplica() != "" && v.GetLostSinceMs() == 0 && !v.GetDraining() && !v.GetCordoned()
}

// takes says whether it has room for one more.
func (s *session) takes() bool {
	return s.open() && (s.Value.GetCapacity() == 0 || s.units < int(s.Value.GetCapacity()))
}

// runs says whether it may be given a unit that is counted in its load already.
func (s *session) runs(w want) bool {
	return s.open() && s.has(w.plugin) && (w.pool == "" || s.Value.GetPool() == w.pool)
}

func (s *session) take(u unit.ID) {
	s.units++
	if u.Kind == unit.KindTask {
		s.connector[u.Name]++
	}
}

// has says whether it can run a plugin, by class or alias.
func (s *session) has(class string) bool {
	if class == "" {
		return true
	}
	for _, p := range s.Value.GetPlugins() {
		if p.GetClass() == class || slices.Contains(p.GetAliases(), class) {
			return true
		}
	}
	return false
}

// loads counts what every session holds.
func (p *planner) loads() {
	for id, s := range p.snap.Sessions {
		p.sessions[id] = &session{Session: s, connector: map[string]int{}}
		if s.Value.GetDraining() || s.Value.GetEvicting() {
			p.drains[id] = &drain{}
		}
		p.live++
	}
	p.ids = slices.Sorted(maps.Keys(p.sessions))
	for u, a := range p.snap.Assignments {
		if s := p.sessions[a.Value.GetSession()]; s != nil {
			s.take(u)
			if d := p.drains[s.ID]; d != nil {
				d.count(a)
			}
		}
		if s := p.sessions[a.Value.GetSuccessor()]; s != nil && s.ID != a.Value.GetSession() {
			s.take(u)
		}
	}
}

// place chooses the session for a unit, or nil: the one with the fewest tasks of the connector, then
// the fewest units, then the first by id.
func (p *planner) place(w want) *session {
	var best *session
	for _, id := range p.ids {
		s := p.sessions[id]
		if !s.takes() || !s.runs(w) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(s.connector[w.unit.Name], best.connector[w.unit.Name]), cmp.Compare(s.units, best.units)) < 0 {
			best = s
		}
	}
	return best
}
