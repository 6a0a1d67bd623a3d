package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// alterations wants offsets:<name> for each request to alter a connector's offsets, and keeps the connector's tasks
// waiting as long as somebody holds it or held it last (DESIGN 4.9):
//
//	requested ─▶ the connector is quiet ─▶ granted ─▶ a result is written ─▶ released ─▶ tasks may be granted
//	    └─ resumed, deleted or late before the grant: never granted     └─ late: taken from its holder
func (p *planner) alterations() {
	for _, name := range slices.Sorted(maps.Keys(p.snap.Offsets)) {
		o, u := p.snap.Offsets[name], unit.Offsets(name)
		c, held := p.snap.Connectors[name], p.offsetsHeld(name)
		deadline := time.UnixMilli(o.Value.GetDeadlineMs())
		late := !p.now.Before(deadline)
		switch {
		case !late:
			p.again(deadline)
		case !held:
			p.do(state.DropOffsets{Connector: name, Mod: o.ModRevision})
		}
		if late || c == nil || c.Incarnation != o.Value.GetIncarnation() || o.Value.GetResult() != nil {
			continue
		}
		// What has begun is ended also where the connector was resumed meanwhile, or the cluster handed back: they wait.
		if (c.Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STOPPED || p.snap.HandBack != nil) && !held {
			continue
		}
		p.want[u] = want{
			unit: u, class: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE, pool: c.Value.GetPool(), plugin: c.Value.GetPluginClass(),
			incarnation: c.Incarnation, fingerprint: []byte(o.Value.GetId()), offsets: o,
		}
		p.order = append(p.order, u)
	}
	for u, a := range p.snap.Assignments {
		if u.Kind == unit.KindOffsets {
			p.blockTasks[u.Name] = fmt.Sprintf("its offsets are being altered at %s", a.Value.GetExecutor())
		}
	}
	for u, l := range p.snap.Lapsed {
		if u.Kind == unit.KindOffsets {
			p.blockTasks[u.Name] = fmt.Sprintf("its offsets were being altered at %s, which lapsed", l.Value.GetExecutor())
		}
	}
}

// offsetsHeld says whether somebody alters a connector's offsets, or did so last and lapsed.
func (p *planner) offsetsHeld(name string) bool {
	u := unit.Offsets(name)
	return p.snap.Assignments[u] != nil || p.snap.Lapsed[u] != nil
}

// busy says why an offsets: unit has to wait.
func (p *planner) busy(u unit.ID) string {
	if u.Kind != unit.KindOffsets {
		return ""
	}
	return p.snap.Busy(u.Name)
}
