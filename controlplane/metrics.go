package controlplane

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-project/sluice/controlplane/state"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Metrics are a replica's, computed from its view of the store when they are asked for. The zero Metrics has none
// until Of. Safe for concurrent use.
type Metrics struct{ of atomic.Pointer[ControlPlane] }

// Of names the replica.
func (m *Metrics) Of(p *ControlPlane) { m.of.Store(p) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_controlplane_"+name, help, labels, nil)
}

var (
	descReady      = desc("ready", "Whether the replica serves.")
	descLeading    = desc("leading", "Whether the replica leads. One does, in all of them.")
	descRevision   = desc("store_revision", "The revision of etcd up to which the replica has read.")
	descConnectors = desc("connectors", "Connectors, by target state.", "state")
	descExecutors  = desc("executors", "Sessions of executors, by pool and state: serving, draining or lost.", "pool", "state")
	descUnits      = desc("units", "Units (planners, tasks, jobs), by state: assigned, releasing or lapsed.", "state")
	descStreams    = desc("streams", "Executors' streams that the replica serves.")
	descGrants     = desc("grants_total", "Units that this replica has granted as the leader.")
	descLapses     = desc("lapses_total", "Units whose holder's session lapsed while this replica led.")
	descFences     = desc("fences_total", "Fences that were performed while this replica led.")
	descUnplaced   = desc("units_unplaced", "Units that no executor can take, as the leader last saw it.")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descReady, descLeading, descRevision, descConnectors, descExecutors, descUnits, descStreams, descGrants, descLapses, descFences, descUnplaced} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	p := m.of.Load()
	if p == nil || p.Ready() != nil {
		gauge(descReady, 0)
		return
	}
	gauge(descReady, 1)
	n := p.leader.Counts()
	gauge(descLeading, truth(n.Leading))
	gauge(descUnplaced, float64(n.Unplaced))
	gauge(descStreams, float64(p.sessions.Streams()))
	for d, v := range map[*prometheus.Desc]int64{descGrants: n.Grants, descLapses: n.Lapses, descFences: n.Fences} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	view := p.store.View()
	gauge(descRevision, float64(view.Revision))
	for s, v := range connectorStates(view) {
		gauge(descConnectors, v, s)
	}
	for k, v := range executorStates(view) {
		gauge(descExecutors, v, k[0], k[1])
	}
	releasing := 0
	for _, a := range view.Assignments {
		if a.Value.GetRelease() != 0 {
			releasing++
		}
	}
	gauge(descUnits, float64(len(view.Assignments)-releasing), "assigned")
	gauge(descUnits, float64(releasing), "releasing")
	gauge(descUnits, float64(len(view.Lapsed)), "lapsed")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func connectorStates(view *state.Snapshot) map[string]float64 {
	out := map[string]float64{"started": 0, "paused": 0, "stopped": 0}
	for _, c := range view.Connectors {
		switch c.Value.GetTargetState() {
		case sluicev1.TargetState_TARGET_STATE_PAUSED:
			out["paused"]++
		case sluicev1.TargetState_TARGET_STATE_STOPPED:
			out["stopped"]++
		default:
			out["started"]++
		}
	}
	return out
}

func executorStates(view *state.Snapshot) map[[2]string]float64 {
	out := map[[2]string]float64{}
	for _, s := range view.Sessions {
		state := "serving"
		switch {
		case s.Value.GetLostSinceMs() > 0:
			state = "lost"
		case s.Value.GetDraining():
			state = "draining"
		}
		out[[2]string{s.Value.GetPool(), state}]++
	}
	return out
}
