package scheduler

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/fault"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Options are what a plan depends on beside the snapshot.
type Options struct {
	Times lease.Times
	// StaticStabilityMax is how long Kafka-fenced units go on without the control plane. A lapse older
	// than that plus the margin is quiet without a fence.
	StaticStabilityMax time.Duration
	// FastFailover is how long a session whose connection is lost keeps its Kafka-fenced units.
	FastFailover time.Duration
	// FirstRead are the sessions that lived when this leader first read the store, or since. An
	// assignment of any other settles before it lapses: its holder may be coming back.
	FirstRead func(session string) bool
	// MaxGrants bounds the grants of one plan; 0 is no bound.
	MaxGrants int
}

// Fence is a fence that is owed with nobody to follow: an executor must perform it.
type Fence struct {
	Lapsed *state.Lapsed
	Pool   string
}

// Result is what is to be done.
type Result struct {
	Actions []state.Action
	Fences  []Fence
	// Next is when to plan again though nothing has changed; zero is never.
	Next time.Time
	// Blocked says, for people, why something waits.
	Blocked []string
	// Unplaced counts units that no executor can take.
	Unplaced int
	// Restored says, for an operator, what to do about a store that was restored from a snapshot; empty where it was
	// not. Nothing is granted meanwhile.
	Restored string
}

// want is one unit that should be held.
type want struct {
	unit        unit.ID
	class       sluicev1.UnitClass
	pool        string
	plugin      string // empty: any executor
	incarnation int64
	fingerprint []byte
	taskSet     string
	paused      bool
	offsets     *state.Offsets // of an offsets: unit: what it is wanted for
}

type planner struct {
	snap *state.Snapshot
	now  time.Time
	opt  Options
	out  Result

	want  map[unit.ID]want
	order []unit.ID
	// blocked connectors grant no task, or with all no unit.
	blockTasks map[string]string
	blockAll   map[string]string
	sessions   map[string]*session
	ids        []string // of sessions, sorted
	live       int
	drains     map[string]*drain // of the sessions that are drained
	// freed are the units whose release this plan consumes and that nothing is owed for, each with the session that
	// was made ready to follow: they are granted in the same plan.
	freed map[unit.ID]string
}

// Plan says what is to be written for the snapshot at that time.
func Plan(snap *state.Snapshot, now time.Time, opt Options) Result {
	p := &planner{snap: snap, now: now, opt: opt, want: make(map[unit.ID]want, len(snap.Assignments)), order: make([]unit.ID, 0, len(snap.Assignments)), blockTasks: map[string]string{}, blockAll: map[string]string{}, sessions: map[string]*session{}, drains: map[string]*drain{}, freed: map[unit.ID]string{}}
	p.wants()
	p.alterations()
	p.loads()
	p.releases()
	p.assignments()
	p.lapsed()
	if p.olderStore() {
		return p.out
	}
	p.grants()
	p.statuses()
	return p.out
}

// again asks for a plan at t.
func (p *planner) again(t time.Time) {
	if p.out.Next.IsZero() || t.Before(p.out.Next) {
		p.out.Next = t
	}
}

func (p *planner) do(a state.Action) { p.out.Actions = append(p.out.Actions, a) }

// wants lists the units that should be held.
func (p *planner) wants() {
	add := func(w want) {
		p.want[w.unit] = w
		p.order = append(p.order, w.unit)
	}
	// A cluster that is handed back wants nothing but its mirror, and that no more once Kafka has everything.
	if (len(p.snap.Connectors) > 0 || len(p.snap.Sessions) > 0) && !p.snap.MirroredAll() {
		add(want{unit: unit.Mirror, class: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE})
	}
	if p.snap.HandBack != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.snap.Connectors)) {
		c := p.snap.Connectors[name]
		base := want{pool: c.Value.GetPool(), plugin: c.Value.GetPluginClass(), incarnation: c.Incarnation, paused: c.Value.GetTargetState() == sluicev1.TargetState_TARGET_STATE_PAUSED}
		planner := base
		planner.unit, planner.class = unit.Connector(name), sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE
		add(planner)
		ref := c.Value.GetTaskSet()
		if c.Value.GetTargetState() == sluicev1.TargetState_TARGET_STATE_STOPPED {
			continue
		}
		for n := range int(ref.GetCount()) {
			t := base
			t.unit, t.class, t.taskSet = unit.Task(name, n), ref.GetTaskClass(), ref.GetId()
			t.fingerprint = state.Fingerprint(ref, n)
			add(t)
		}
	}
}

// fits says whether what a holder runs is what is wanted now.
func (w want) fits(incarnation int64, fingerprint []byte) bool {
	if w.unit.Kind == unit.KindSystem {
		return true
	}
	return w.incarnation == incarnation && bytes.Equal(w.fingerprint, fingerprint)
}

// block keeps a connector's units waiting for one that is not quiet.
func (p *planner) block(u unit.ID, incarnation int64, why string) {
	if fault.Out(fault.Quiet) {
		return
	}
	name := u.Connector()
	c := p.snap.Connectors[name]
	if u.Kind == unit.KindTask || u.Kind == unit.KindOffsets {
		p.blockTasks[name] = why
	}
	if c != nil && c.Incarnation != incarnation {
		p.blockAll[name] = why
	}
}

// releases consumes what holders have released.
func (p *planner) releases() {
	for _, u := range unit.Sorted(p.snap.Releases) {
		r, a := p.snap.Releases[u], p.snap.Assignments[u]
		act := state.ConsumeRelease{Unit: u, ReleaseMod: r.ModRevision}
		if a != nil && a.Epoch == r.Epoch {
			act.AssignmentMod = a.ModRevision
			if r.Value.GetPredecessorUnfenced() {
				act.Lapsed = p.lapsedValue(a)
				act.Lapsed.FenceOwed = true
			} else if p.snap.Lapsed[u] == nil {
				p.freed[u] = a.Value.GetSuccessor()
			}
		}
		p.do(act)
	}
}

func (p *planner) lapsedValue(a *state.Assignment) *storev1.Lapsed {
	v := &storev1.Lapsed{
		Epoch: &sluicev1.Epoch{Era: a.Epoch.Era, Revision: a.Epoch.Revision}, Class: a.Value.GetClass(), SinceMs: p.now.UnixMilli(),
		FenceOwed: a.Value.GetClass() == sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED, Executor: a.Value.GetExecutor(),
		Incarnation: a.Value.GetIncarnation(), Fingerprint: a.Value.GetFingerprint(),
	}
	if c := p.snap.Connectors[a.Unit.Connector()]; c != nil && v.FenceOwed {
		v.ConnectorConfig = c.Value.GetConfig()
	}
	return v
}

// assignments asks for releases and has the units of gone sessions settle or lapse.
func (p *planner) assignments() {
	for _, u := range unit.Sorted(p.snap.Assignments) {
		a := p.snap.Assignments[u]
		w, wanted := p.want[u]
		fits := wanted && w.fits(a.Value.GetIncarnation(), a.Value.GetFingerprint())
		if !fits {
			p.block(u, a.Value.GetIncarnation(), fmt.Sprintf("%s is still held by %s", u, a.Value.GetExecutor()))
		}
		if r := p.snap.Releases[u]; r != nil && r.Epoch == a.Epoch {
			continue // released: consumed by this plan
		}
		s := p.snap.Sessions[a.Value.GetSession()]
		switch {
		case s == nil:
			p.gone(a)
		case s.Value.GetLostSinceMs() > 0 && a.Value.GetClass() == sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED && p.othersLive(s.ID):
			if at := time.UnixMilli(s.Value.GetLostSinceMs()).Add(p.opt.FastFailover); p.now.Before(at) {
				p.again(at)
			} else {
				p.do(state.Lapse{Unit: u, Mod: a.ModRevision, Value: p.lapsedValue(a)})
			}
		case !fits && a.Value.GetRelease() != int32(sluicev1.ReleaseMode_RELEASE_MODE_LEAVE):
			p.do(state.RequestRelease{Unit: u, Mod: a.ModRevision, Mode: sluicev1.ReleaseMode_RELEASE_MODE_LEAVE})
		case fits && p.drains[s.ID] != nil && a.Value.GetRelease() == 0:
			p.move(a, w, s)
		}
	}
}

func (p *planner) othersLive(id string) bool {
	for _, s := range p.sessions {
		if s.ID != id && s.takes() {
			return true
		}
	}
	return false
}

// gone is an assignment whose session is not there any more.
func (p *planner) gone(a *state.Assignment) {
	since := a.Value.GetSettlingSinceMs()
	known := p.opt.FirstRead == nil || p.opt.FirstRead(a.Value.GetSession())
	switch {
	case since == 0 && (!known || p.live == 0):
		p.do(state.MarkSettling{Unit: a.Unit, Mod: a.ModRevision, SinceMS: p.now.UnixMilli()})
		p.again(p.now.Add(p.opt.Times.Lease()))
		return
	case since != 0:
		if at := time.UnixMilli(since).Add(p.opt.Times.Lease()); p.now.Before(at) {
			p.again(at)
			return
		}
	}
	p.do(state.Lapse{Unit: a.Unit, Mod: a.ModRevision, Value: p.lapsedValue(a), Session: a.Value.GetSession()})
}

// lapsed finds what is quiet, and the fences that are owed. Exclusive units are quiet by their lapse.
func (p *planner) lapsed() {
	for _, u := range unit.Sorted(p.snap.Lapsed) {
		l := p.snap.Lapsed[u]
		w, wanted := p.want[u]
		follows := wanted && w.fits(l.Value.GetIncarnation(), l.Value.GetFingerprint())
		if follows {
			continue // its successor's grant takes the mark with it
		}
		old := time.UnixMilli(l.Value.GetSinceMs()).Add(p.opt.StaticStabilityMax + p.opt.Times.Margin)
		if !l.Value.GetFenceOwed() || !p.now.Before(old) {
			p.do(state.DropLapsed{Unit: u, Mod: l.ModRevision})
			// The next plan grants what waited for it.
			p.block(u, l.Value.GetIncarnation(), fmt.Sprintf("%s lapsed at %s", u, l.Value.GetExecutor()))
			continue
		}
		p.again(old)
		pool := ""
		if c := p.snap.Connectors[u.Connector()]; c != nil {
			pool = c.Value.GetPool()
		}
		p.out.Fences = append(p.out.Fences, Fence{l, pool})
		p.block(u, l.Value.GetIncarnation(), fmt.Sprintf("the last instance of %s, at %s, has not been fenced yet", u, l.Value.GetExecutor()))
	}
}

// olderStore says whether this replica or an executor has seen an epoch that this store has not given. An executor had
// seen it when its session was written: later revisions do not make up for it.
func (p *planner) olderStore() bool {
	most, who := p.snap.Restored, "this replica has read it up to"
	for _, id := range slices.Sorted(maps.Keys(p.snap.Sessions)) {
		s := p.snap.Sessions[id]
		seen := lease.Epoch{Era: s.Value.GetHighestEpoch().GetEra(), Revision: s.Value.GetHighestEpoch().GetRevision()}
		if seen.Compare(lease.Epoch{Era: p.snap.Era, Revision: s.ModRevision}) > 0 && seen.Compare(most) > 0 {
			most, who = seen, fmt.Sprintf("executor %s has seen epoch", s.Value.GetExecutor())
		}
	}
	if most.IsZero() {
		return false
	}
	p.out.Restored = fmt.Sprintf("the store was restored from an older snapshot: %s %s. Nothing is granted until the key `era` is set to %d", who, most, most.Era+1)
	p.out.Blocked = append(p.out.Blocked, p.out.Restored)
	return true
}

// grants places every wanted unit that nobody holds.
func (p *planner) grants() {
	n := 0
	for _, u := range p.order {
		w := p.want[u]
		successor, freed := p.freed[u]
		if p.snap.Assignments[u] != nil && !freed {
			continue
		}
		l := p.snap.Lapsed[u]
		name := u.Connector()
		if why := p.blockAll[name]; why != "" {
			p.out.Blocked = append(p.out.Blocked, fmt.Sprintf("%s waits: %s", u, why))
			continue
		}
		if l != nil && !w.fits(l.Value.GetIncarnation(), l.Value.GetFingerprint()) {
			continue
		}
		if why := p.busy(u); why != "" {
			p.out.Blocked = append(p.out.Blocked, fmt.Sprintf("%s waits: %s", u, why))
			continue
		}
		// A task that only lost its holder is neither new nor changed.
		if why := p.blockTasks[name]; why != "" && u.Kind == unit.KindTask && (l == nil || p.offsetsHeld(name)) {
			p.out.Blocked = append(p.out.Blocked, fmt.Sprintf("%s waits: %s", u, why))
			continue
		}
		if p.opt.MaxGrants > 0 && n >= p.opt.MaxGrants {
			p.again(p.now.Add(time.Second))
			return
		}
		s := p.sessions[successor]
		if s == nil || !s.runs(w) {
			if s = p.place(w); s == nil {
				p.out.Unplaced++
				continue
			}
			s.take(u) // the successor's load has it already
		}
		n++
		g := state.Grant{Unit: u, SessionMod: s.ModRevision, Value: &storev1.Assignment{
			Executor: s.Value.GetExecutor(), Session: s.ID, Class: w.class, Incarnation: w.incarnation, Fingerprint: w.fingerprint,
			TaskSet: w.taskSet, GrantedMs: p.now.UnixMilli(), Pool: cmp.Or(w.pool, s.Value.GetPool()),
		}}
		if w.offsets != nil {
			g.Offsets, g.ConnectorMod = w.offsets, p.snap.Connectors[name].ModRevision
		}
		if s := p.snap.Statuses[u]; s != nil && s.Value.GetExecutor() != g.Value.GetExecutor() {
			g.Value.MovedFrom = s.Value.GetExecutor()
		}
		if l != nil {
			g.LapsedMod = l.ModRevision
			g.Value.PredecessorUnfenced = l.Value.GetFenceOwed()
		}
		p.do(g)
	}
}

// statuses reports UNASSIGNED for lapsed holders and deletes what is reported of units that are no more.
func (p *planner) statuses() {
	for _, u := range unit.Sorted(p.snap.Statuses) {
		s := p.snap.Statuses[u]
		_, wanted := p.want[u]
		held := p.snap.Assignments[u] != nil
		switch {
		case !wanted && !held:
			p.do(state.DeleteStatus{Unit: u, Mod: s.ModRevision})
		case !held && p.snap.Lapsed[u] != nil && s.Value.GetState() != sluicev1.State_STATE_UNASSIGNED:
			p.do(state.PutStatus{Unit: u, Mod: s.ModRevision, Value: &storev1.Status{
				State: sluicev1.State_STATE_UNASSIGNED, Executor: s.Value.GetExecutor(), Epoch: s.Value.GetEpoch(), ConfigGeneration: s.Value.GetConfigGeneration(),
			}})
		}
	}
}
