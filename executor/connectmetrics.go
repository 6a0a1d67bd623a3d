package executor

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// of says which tasks have a metric.
type of uint8

const (
	sources of = 1 << iota
	sinks
	transactional // of the sources, those that deliver exactly once
)

// taskMetric is a metric of each task that runs.
type taskMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	of    of
	value func(v *taskstats.View) float64
}

var taskLabels = []string{"connector", "task"}

// connect is a metric in the meaning of Kafka Connect's registry: kafka_connect_<group>_<attribute>.
func connect(o of, group, attribute, help string, value func(v *taskstats.View) float64) taskMetric {
	kind := prometheus.GaugeValue
	if strings.HasSuffix(attribute, "_total") {
		kind = prometheus.CounterValue
	}
	return taskMetric{connectDesc(group, attribute, help, taskLabels...), kind, o, value}
}

func connectDesc(group, attribute, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kafka_connect_"+group+"_metrics_"+attribute, help, labels, nil)
}

// own is a metric that Kafka Connect does not have: sluice_task_<name>.
func own(o of, kind prometheus.ValueType, name, help string, value func(v *taskstats.View) float64) taskMetric {
	return taskMetric{prometheus.NewDesc("sluice_task_"+name, help, taskLabels, nil), kind, o, value}
}

func total(c taskstats.Counter) func(v *taskstats.View) float64 {
	return func(v *taskstats.View) float64 { return float64(v.Total(c)) }
}

func rate(c taskstats.Counter) func(v *taskstats.View) float64 {
	return func(v *taskstats.View) float64 { return v.Rate(c) }
}

func avg(m taskstats.Meter, scale float64) func(v *taskstats.View) float64 {
	return func(v *taskstats.View) float64 { return v.Avg(m) / scale }
}

func highest(m taskstats.Meter, scale float64) func(v *taskstats.View) float64 {
	return func(v *taskstats.View) float64 { return float64(v.Max(m)) / scale }
}

func since(at func(v *taskstats.View) time.Time) func(v *taskstats.View) float64 {
	return func(v *taskstats.View) float64 {
		if t := at(v); !t.IsZero() {
			return float64(t.UnixMilli()) / 1000
		}
		return 0
	}
}

const millis = float64(time.Millisecond)

// taskMetrics are all of them. Rates, averages, minima and maxima are of about the last half minute.
var taskMetrics = []taskMetric{
	connect(sources|sinks, "connector_task", "running_ratio", "The part of the run's time that the task was not paused.", func(v *taskstats.View) float64 { return v.RunningRatio }),
	connect(sources|sinks, "connector_task", "pause_ratio", "The part of the run's time that the task was paused.", func(v *taskstats.View) float64 { return v.PauseRatio }),
	connect(sources|sinks, "connector_task", "offset_commit_max_time_ms", "The longest commit of offsets that succeeded, in ms.", highest(taskstats.CommitTime, millis)),
	connect(sources|sinks, "connector_task", "offset_commit_avg_time_ms", "The average of them, in ms.", avg(taskstats.CommitTime, millis)),
	connect(sources|sinks, "connector_task", "batch_size_max", "The records of the largest batch that was polled or consumed.", highest(taskstats.BatchSize, 1)),
	connect(sources|sinks, "connector_task", "batch_size_avg", "The records of a batch, on average.", avg(taskstats.BatchSize, 1)),
	connect(sources|sinks, "connector_task", "offset_commit_success_percentage", "The part of the commits of offsets that succeeded, 0 to 1.", func(v *taskstats.View) float64 { return v.Share(taskstats.Commits, taskstats.CommitFailures) }),
	connect(sources|sinks, "connector_task", "offset_commit_failure_percentage", "The part of the commits of offsets that failed, 0 to 1.", func(v *taskstats.View) float64 { return v.Share(taskstats.CommitFailures, taskstats.Commits) }),

	connect(sources, "source_task", "source_record_poll_total", "Records that Poll returned, before transforms.", total(taskstats.Polled)),
	connect(sources, "source_task", "source_record_poll_rate", "The same, a second.", rate(taskstats.Polled)),
	connect(sources, "source_task", "source_record_write_total", "Records that Kafka has acknowledged, without what transforms dropped.", total(taskstats.Acked)),
	connect(sources, "source_task", "source_record_write_rate", "The same, a second.", rate(taskstats.Acked)),
	connect(sources, "source_task", "poll_batch_max_time_ms", "The longest call of Poll that brought records, in ms.", highest(taskstats.PollTime, millis)),
	connect(sources, "source_task", "poll_batch_avg_time_ms", "The average of them, in ms.", avg(taskstats.PollTime, millis)),
	connect(sources, "source_task", "source_record_active_count", "Records that were polled and that Kafka has not acknowledged.", func(v *taskstats.View) float64 { return float64(v.Unacked) }),
	connect(sources, "source_task", "source_record_active_count_max", "The most of them.", highest(taskstats.Active, 1)),
	connect(sources, "source_task", "source_record_active_count_avg", "Their number on average.", avg(taskstats.Active, 1)),

	connect(transactional, "source_task", "transaction_size_min", "The records of the smallest transaction that was committed.", func(v *taskstats.View) float64 { return float64(v.Min(taskstats.TransactionSize)) }),
	connect(transactional, "source_task", "transaction_size_max", "The records of the largest.", highest(taskstats.TransactionSize, 1)),
	connect(transactional, "source_task", "transaction_size_avg", "Their number on average.", avg(taskstats.TransactionSize, 1)),

	connect(sinks, "sink_task", "sink_record_read_total", "Records that were consumed, before transforms.", total(taskstats.Read)),
	connect(sinks, "sink_task", "sink_record_read_rate", "The same, a second.", rate(taskstats.Read)),
	connect(sinks, "sink_task", "sink_record_send_total", "Records that were passed to Put, without what transforms dropped.", total(taskstats.Put)),
	connect(sinks, "sink_task", "sink_record_send_rate", "The same, a second.", rate(taskstats.Put)),
	connect(sinks, "sink_task", "sink_record_lag_max", "The records that are left to be put in the partition with the most. (Kafka Connect declares it and never records it.)", func(v *taskstats.View) float64 { return float64(v.LagMax) }),
	connect(sinks, "sink_task", "partition_count", "The partitions that the task has.", func(v *taskstats.View) float64 { return float64(len(v.Lags)) }),
	connect(sinks, "sink_task", "offset_commit_seq_no", "The number of the last commit of offsets.", total(taskstats.Commits)),
	connect(sinks, "sink_task", "offset_commit_completion_total", "Commits of offsets that succeeded.", total(taskstats.Commits)),
	connect(sinks, "sink_task", "offset_commit_completion_rate", "The same, a second.", rate(taskstats.Commits)),
	connect(sinks, "sink_task", "put_batch_max_time_ms", "The longest call of Put, in ms.", highest(taskstats.PutTime, millis)),
	connect(sinks, "sink_task", "put_batch_avg_time_ms", "The average of them, in ms.", avg(taskstats.PutTime, millis)),
	connect(sinks, "sink_task", "sink_record_active_count", "Records that were put and are not committed.", func(v *taskstats.View) float64 { return float64(v.Uncommitted()) }),
	connect(sinks, "sink_task", "sink_record_active_count_max", "The most of them.", highest(taskstats.Active, 1)),
	connect(sinks, "sink_task", "sink_record_active_count_avg", "Their number on average.", avg(taskstats.Active, 1)),

	connect(sources|sinks, "task_error", "total_record_failures", "Attempts of a converter or transform that failed.", func(v *taskstats.View) float64 { return float64(v.Failures) }),
	connect(sources|sinks, "task_error", "total_record_errors", "Records that failed the task, their errors not being tolerated.", func(v *taskstats.View) float64 { return float64(v.Failed) }),
	connect(sources|sinks, "task_error", "total_records_skipped", "Records that were skipped, their errors being tolerated.", func(v *taskstats.View) float64 { return float64(v.Skipped) }),
	connect(sources|sinks, "task_error", "total_retries", "Attempts after one that failed.", func(v *taskstats.View) float64 { return float64(v.Retries) }),
	connect(sources|sinks, "task_error", "total_errors_logged", "Errors that were logged (errors.log.enable).", func(v *taskstats.View) float64 { return float64(v.Logged) }),
	connect(sources|sinks, "task_error", "deadletterqueue_produce_requests", "Records that were to be written to the dead letter queue.", func(v *taskstats.View) float64 { return float64(v.DLQRequests) }),
	connect(sources|sinks, "task_error", "deadletterqueue_produce_failures", "Of those, the ones that could not be.", func(v *taskstats.View) float64 { return float64(v.DLQBad) }),
	connect(sources|sinks, "task_error", "last_error_timestamp", "When a record last failed, unix ms; 0 where none did.", func(v *taskstats.View) float64 { return since(lastError)(v) * 1000 }),

	own(sources|sinks, prometheus.GaugeValue, "stalled", "Whether the task is free to act, has something to move, and has moved nothing for a minute.", func(v *taskstats.View) float64 {
		if v.Stalled != "" {
			return 1
		}
		return 0
	}),
	own(sources, prometheus.CounterValue, "produced_bytes_total", "Bytes of keys, values and headers that were given to the producer.", total(taskstats.ProducedBytes)),
	own(sinks, prometheus.CounterValue, "consumed_bytes_total", "Bytes of keys and values that were consumed.", total(taskstats.ReadBytes)),
	own(sources, prometheus.CounterValue, "filtered_records_total", "Records that transforms dropped or that were skipped.", total(taskstats.Filtered)),
	own(sources, prometheus.CounterValue, "undelivered_records_total", "Records that Kafka refused.", total(taskstats.Undelivered)),
	own(sinks, prometheus.CounterValue, "put_failures_total", "Calls of Put that failed.", total(taskstats.PutFailures)),
	own(sources|sinks, prometheus.CounterValue, "offset_commits_total", "Commits of offsets that succeeded.", total(taskstats.Commits)),
	own(sources|sinks, prometheus.CounterValue, "offset_commit_failures_total", "Commits of offsets that failed.", total(taskstats.CommitFailures)),
	own(sinks, prometheus.GaugeValue, "lag_records", "Records that are left to be put, in all the task's partitions.", func(v *taskstats.View) float64 { return float64(v.LagRecords) }),
	own(sinks, prometheus.GaugeValue, "lag_seconds", "How old the oldest of them can be at most; 0 where none is left.", func(v *taskstats.View) float64 { return v.LagTime.Seconds() }),
	own(sources, prometheus.GaugeValue, "event_age_seconds", "How old a batch's last record was when it was polled, on average; 0 where records have no timestamps.", avg(taskstats.EventAge, float64(time.Second))),
	own(sources|sinks, prometheus.GaugeValue, "last_polled_timestamp_seconds", "When Poll last returned, or records were last consumed; 0 before.", since(func(v *taskstats.View) time.Time { return v.Polled })),
	own(sources|sinks, prometheus.GaugeValue, "last_moved_timestamp_seconds", "When records were last given to the producer, or Put last took some; 0 before.", since(func(v *taskstats.View) time.Time { return v.Moved })),
	own(sources, prometheus.GaugeValue, "last_acknowledged_timestamp_seconds", "When Kafka last acknowledged records; 0 before.", since(func(v *taskstats.View) time.Time { return v.Acked })),
	own(sources|sinks, prometheus.GaugeValue, "last_committed_timestamp_seconds", "When offsets were last committed; 0 before.", since(func(v *taskstats.View) time.Time { return v.Committed })),
}

func lastError(v *taskstats.View) time.Time { return v.LastError }

// collectTasks sends the metrics of the tasks that run. A task that is gone has none.
func collectTasks(views []taskstats.View, ch chan<- prometheus.Metric) {
	for i := range views {
		v := &views[i]
		what := sources
		switch {
		case v.Sink:
			what = sinks
		case v.Transactional:
			what |= transactional
		}
		number := strconv.Itoa(v.Task)
		for _, m := range taskMetrics {
			if m.of&what != 0 {
				ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(v), v.Connector, number)
			}
		}
	}
}

// Metrics of units that are held, in the meaning of Kafka Connect's. What is text there is a label here, with the value 1.
var (
	descTaskStatus       = connectDesc("connector_task", "status", "Always 1; the label is the task's state.", "connector", "task", "status")
	descConnectorStatus  = connectDesc("connector", "status", "Always 1; the label is the state of the connector's instance, which runs here.", "connector", "status")
	descConnectorType    = connectDesc("connector", "connector_type", "Always 1; the label is source or sink.", "connector", "connector_type")
	descConnectorClass   = connectDesc("connector", "connector_class", "Always 1; the label is the connector's class.", "connector", "connector_class")
	descConnectorVersion = connectDesc("connector", "connector_version", "Always 1; the label is the version of the class.", "connector", "connector_version")

	descWorkerConnectors = connectDesc("connect_worker", "connector_count", "Connector instances that run here.")
	descWorkerTasks      = connectDesc("connect_worker", "task_count", "Tasks that run here.")
	workerStartups       = startupDescs()

	taskCounts    = []string{"total", "running", "paused", "failed", "unassigned", "destroyed", "restarting"}
	descTaskCount = taskCountDescs()
)

func startupDescs() (out [2][5]*prometheus.Desc) {
	for i, kind := range []string{"connector", "task"} {
		for j, m := range [][2]string{{"attempts_total", "attempts to start one"}, {"success_total", "attempts that succeeded"}, {"success_percentage", "the part of them that succeeded, 0 to 1"},
			{"failure_total", "attempts that failed"}, {"failure_percentage", "the part of them that failed, 0 to 1"}} {
			out[i][j] = connectDesc("connect_worker", kind+"_startup_"+m[0], "Of "+kind+"s, since the process began: "+m[1]+".")
		}
	}
	return out
}

func taskCountDescs() map[string]*prometheus.Desc {
	out := map[string]*prometheus.Desc{}
	for _, c := range taskCounts {
		help := "Tasks of the connector that are held here and are " + c + "."
		if c == "total" {
			help = "Tasks of the connector that are held here."
		}
		out[c] = connectDesc("connect_worker", "connector_"+c+"_task_count", help, "connector")
	}
	return out
}

// describeConnect sends all of them.
func describeConnect(ch chan<- *prometheus.Desc) {
	for _, m := range taskMetrics {
		ch <- m.desc
	}
	for _, d := range []*prometheus.Desc{descTaskStatus, descConnectorStatus, descConnectorType, descConnectorClass, descConnectorVersion, descWorkerConnectors, descWorkerTasks} {
		ch <- d
	}
	for _, of := range workerStartups {
		for _, d := range of {
			ch <- d
		}
	}
	for _, c := range taskCounts {
		ch <- descTaskCount[c]
	}
}

// collectUnits sends the metrics of what is held.
func (x *Executor) collectUnits(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	units := map[unit.Kind]int{}
	for _, h := range x.sup.Held() {
		units[h.Unit.Kind]++
	}
	gauge(descWorkerConnectors, float64(units[unit.KindConnector]))
	gauge(descWorkerTasks, float64(units[unit.KindTask]))
	counts := map[string]map[string]int{}
	for _, s := range x.sup.States() {
		name, status := s.Unit.Name, statusOf(s.State)
		switch s.Unit.Kind {
		case unit.KindTask:
			gauge(descTaskStatus, 1, name, strconv.Itoa(s.Unit.Task), status)
			if counts[name] == nil {
				counts[name] = map[string]int{}
			}
			counts[name]["total"]++
			counts[name][status]++
		case unit.KindConnector:
			gauge(descConnectorStatus, 1, name, status)
			x.collectPlugin(s, gauge)
		}
	}
	for name, n := range counts {
		for _, c := range taskCounts {
			gauge(descTaskCount[c], float64(n[c]), name)
		}
	}
	started, failed := x.sup.Startups()
	for i, s := range [][2]int64{{x.starts.ok.Load(), x.starts.failed.Load()}, {started, failed}} {
		ok, failed, all := float64(s[0]), float64(s[1]), float64(s[0]+s[1])
		for j, v := range []float64{all, ok, ok / max(all, 1), failed, failed / max(all, 1)} {
			kind := prometheus.GaugeValue
			if j == 0 || j == 1 || j == 3 {
				kind = prometheus.CounterValue
			}
			ch <- prometheus.MustNewConstMetric(workerStartups[i][j], kind, v)
		}
	}
}

// starts counts the starts of connectors' plugins.
type starts struct{ ok, failed atomic.Int64 }

func (s *starts) count(err error) {
	if err != nil {
		s.failed.Add(1)
		return
	}
	s.ok.Add(1)
}

// collectPlugin says which plugin a connector is.
func (x *Executor) collectPlugin(s supervisor.State, gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	p, err := x.registry.Connector(s.Class)
	if err != nil {
		return
	}
	kind := "source"
	if p.Type == connectors.Sink {
		kind = "sink"
	}
	gauge(descConnectorType, 1, s.Unit.Name, kind)
	gauge(descConnectorClass, 1, s.Unit.Name, p.Class)
	gauge(descConnectorVersion, 1, s.Unit.Name, p.Version)
}

// statusOf is a state as Kafka Connect's metrics write it.
func statusOf(s sluicev1.State) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}
