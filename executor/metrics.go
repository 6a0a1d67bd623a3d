package executor

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are an executor's, of its tasks and its units, computed when they are asked for: what is gone has none. The zero Metrics has none until Of. Safe for
// concurrent use.
type Metrics struct{ of atomic.Pointer[Executor] }

// Of names the executor.
func (m *Metrics) Of(x *Executor) { m.of.Store(x) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_executor_"+name, help, labels, nil)
}

var (
	descReady = desc("ready", "Whether the executor may be given units.")
	descRight = desc("right_seconds", "How long the executor may still run its units without another acknowledged heartbeat; 0 where it may not.")
	descUnits = desc("units", "Units that are held, by kind and whether they are suspended.", "kind", "suspended")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descReady, descRight, descUnits} {
		ch <- d
	}
	describeConnect(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	x := m.of.Load()
	if x == nil || x.Health() != nil {
		gauge(descReady, 0)
	} else {
		gauge(descReady, 1)
	}
	if x == nil {
		return
	}
	gauge(descRight, x.agent.RightLeft().Seconds())
	held := map[[2]string]int{}
	for _, h := range x.sup.Held() {
		suspended := "false"
		if h.Suspended {
			suspended = "true"
		}
		held[[2]string{h.Unit.Kind.String(), suspended}]++
	}
	for k, n := range held {
		gauge(descUnits, float64(n), k[0], k[1])
	}
	x.collectUnits(ch)
	collectTasks(x.stats.Views(""), ch)
}

// Health says why the executor cannot be given units, or nil: Kafka has not answered yet, or the right of its session
// with the control plane does not run.
func (x *Executor) Health() error {
	select {
	case <-x.ready:
	default:
		return errors.New("Kafka has not answered yet: see the log") //nolint:staticcheck // Kafka is a name
	}
	if _, ready := x.agent.Session(); !ready {
		return errors.New("no session with the control plane: no replica acknowledges heartbeats")
	}
	return nil
}
