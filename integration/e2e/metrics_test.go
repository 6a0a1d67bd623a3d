package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-project/sluice/executor"
)

// scrape gathers an executor's metrics: name{label="value",…} → value.
func (c *cluster) scrape(x *executor.Executor) map[string]float64 {
	c.t.Helper()
	var m executor.Metrics
	m.Of(x)
	r := prometheus.NewPedanticRegistry() // what was not described, or comes twice, is an error
	c.check(r.Register(&m))
	families, err := r.Gather()
	c.check(err)
	out := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out[name] = s.GetGauge().GetValue() + s.GetCounter().GetValue()
		}
	}
	return out
}

func TestMetrics_SayWhatTasksDoAndAreGoneWithThem(t *testing.T) {
	c := newCluster(t, 1, 1)
	const n = 1000
	in, out := text(t, n), filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "200"})
	c.create("bad", map[string]string{"connector.class": "FileStreamSink", "file": filepath.Join(t.TempDir(), "no", "such", "dir"), "topics": "lines", "tasks.max": "1"})
	want := map[string]float64{
		"kafka_connect_source_task_metrics_source_record_poll_total{connector=src,task=0}":   n,
		"kafka_connect_source_task_metrics_source_record_write_total{connector=src,task=0}":  n,
		"kafka_connect_source_task_metrics_source_record_active_count{connector=src,task=0}": 0,
		"kafka_connect_sink_task_metrics_sink_record_read_total{connector=dst,task=0}":       n,
		"kafka_connect_sink_task_metrics_sink_record_send_total{connector=dst,task=0}":       n,
		"kafka_connect_sink_task_metrics_sink_record_active_count{connector=dst,task=0}":     0,
		"kafka_connect_sink_task_metrics_partition_count{connector=dst,task=0}":              1,
		"kafka_connect_connector_task_metrics_status{connector=src,status=running,task=0}":   1,
		"kafka_connect_connector_task_metrics_status{connector=bad,status=failed,task=0}":    1,
		"kafka_connect_connector_metrics_connector_type{connector=dst,connector_type=sink}":  1,
		"kafka_connect_connector_metrics_status{connector=dst,status=running}":               1,
		"kafka_connect_connect_worker_metrics_connector_count":                               3,
		"kafka_connect_connect_worker_metrics_task_count":                                    3,
		"kafka_connect_connect_worker_metrics_task_startup_success_total":                    2,
		"kafka_connect_connect_worker_metrics_task_startup_failure_total":                    1,
		"kafka_connect_connect_worker_metrics_connector_startup_success_total":               3,
		"kafka_connect_connect_worker_metrics_connector_running_task_count{connector=src}":   1,
		"kafka_connect_connect_worker_metrics_connector_failed_task_count{connector=bad}":    1,
		"kafka_connect_task_error_metrics_total_record_failures{connector=src,task=0}":       0,
		"sluice_task_lag_records{connector=dst,task=0}":                                      0,
		"sluice_task_stalled{connector=dst,task=0}":                                          0,
	}
	var missing []string
	seen := map[string]bool{}
	defer func() {
		if len(missing) > 0 {
			t.Log("missing: ", missing)
		}
	}()
	await(t, "what is expected", func() bool {
		got := c.scrape(c.executors[0])
		missing = missing[:0]
		for k, v := range want {
			if have, ok := got[k]; !ok || have != v {
				missing = append(missing, k)
			}
		}
		if _, ok := got["kafka_connect_connector_task_metrics_offset_commit_failure_percentage{connector=src,task=0}"]; !ok {
			missing = append(missing, "failed commits") // none or one: where times are as short as here, the first may be late
		}
		for _, k := range []string{"kafka_connect_connector_task_metrics_batch_size_max{connector=src,task=0}", "sluice_task_last_committed_timestamp_seconds{connector=src,task=0}"} {
			if seen[k] = seen[k] || got[k] != 0; !seen[k] { // of the last half minute only
				missing = append(missing, k)
			}
		}
		return len(missing) == 0
	})
	for _, name := range []string{"src", "dst", "bad"} {
		if code, body := c.call("DELETE", "/connectors/"+name, nil); code != 204 {
			t.Fatalf("%d %s", code, body)
		}
	}
	await(t, "no series of what is gone", func() bool {
		for k := range c.scrape(c.executors[0]) {
			if strings.Contains(k, "connector=") {
				return false
			}
		}
		return true
	})
}
