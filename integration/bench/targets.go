package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// target is a line of the table of what was aimed at.
type target struct {
	what, job string
	// side is Sluice where it is empty; over is what it is compared with: a side, or nothing, where the figure stands for itself.
	side, over string
	of         metric
	// bound is of the ratio or the figure; at least where atLeast, else at most.
	bound   float64
	atLeast bool
	said    string
}

const third = 1.0 / 3

var targets = slices.Concat(
	both("CPU per record, file to Kafka, String 100 B", "file-kafka/string/100", microsAll, 0.25, false, "at most a quarter"),
	both("CPU per record, file to Kafka, Json without schemas", "file-kafka/json/100", microsAll, 0.25, false, "a quarter"),
	both("CPU per record, file to Kafka, Json with schemas", "file-kafka/json-schemas/100", microsAll, 0.25, false, "a quarter"),
	both("CPU per record, Kafka to file, String 100 B", "kafka-file/string/100", microsAll, third, false, "at most a third"),
	both("CPU per record, Kafka to file, Json without schemas", "kafka-file/json/100", microsAll, third, false, "a third"),
	both("records/s of one task, file to Kafka, String 100 B", "file-kafka/string/100", rate, 4, true, "four times"),
	both("records/s of one task, file to Kafka, Json without schemas", "file-kafka/json/100", rate, 4, true, "four times"),
	both("records/s of one task, file to Kafka, Json with schemas", "file-kafka/json-schemas/100", rate, 4, true, "four times"),
	both("records/s of one task, Kafka to file, String 100 B", "kafka-file/string/100", rate, 3, true, "three times"),
	both("records/s of one task, Kafka to file, Json without schemas", "kafka-file/json/100", rate, 3, true, "three times"),
	[]target{
		{"CPU per record, three SMTs on Json without schemas, Kafka to file (tuned)", "kafka-file/json/100/smt", "", Connect, microsAll, third, false, "a third"},
		{"CPU per record, three SMTs on Json with schemas, Kafka to file (tuned)", "kafka-file/json-schemas/100/smt", "", Connect, microsAll, third, false, "a third"},
		{"CPU per record, three SMTs behind a HoistField, file to Kafka, Json without schemas (tuned)", "file-kafka/json/100/smt", "", Connect, microsAll, third, false, "a third"},
		{"CPU per record, three SMTs behind a HoistField, file to Kafka, Json with schemas (tuned)", "file-kafka/json-schemas/100/smt", "", Connect, microsAll, third, false, "a third"},
		{"producing, String 100 B: the executor's CPU over librdkafka's batch calls alone", "file-kafka/string/100", "", Raw, micros, 1.5, false, "within 1.5 times"},
		{"consuming, String 100 B: the executor's CPU over librdkafka's batch calls alone", "kafka-file/string/100", "", Raw, micros, 1.5, false, "within 1.5 times"},
	},
	[]target{
		{"CPU per record, JDBC sink, 8 tasks, Debezium's with batched inserts", "kafka-jdbc/json-schemas/100/tasks-8", "", Connect, microsAll, 0.5, false, "half: twice the records per core"},
		{"CPU per record, JDBC sink, 8 tasks, Debezium's with arrays", "kafka-jdbc/json-schemas/100/unnest/tasks-8", "", Connect, microsAll, 0.5, false, "half: twice the records per core"},
	},
	both("peak memory, file to Kafka, String 100 B", "file-kafka/string/100", peak, 0.1, false, "a tenth"),
	both("peak memory, Kafka to file, String 100 B", "kafka-file/string/100", peak, 0.1, false, "a tenth"),
	[]target{
		{"peak memory in a minute in which the sink stands still, over the peak before", string(StallSink), "", "", growth, 1.1, false, "flat: at most 1.1"},
		{"peak memory in a minute in which the broker stands still, over the peak before", string(StallBroker), "", "", growth, 1.1, false, "flat: at most 1.1"},
		{"1,000 idle source tasks: memory (MiB)", "idle/file-kafka/1000", "", Connect, memory, 0.1, false, "a tenth"},
		{"1,000 idle source tasks: threads, all processes", "idle/file-kafka/1000", "", "", threadsAll, 100, false, "under 100"},
		{"1,000 idle source tasks: CPU, all processes (% of a core)", "idle/file-kafka/1000", "", "", busyAll, 2, false, "under 2 %"},
		{"1,000 idle sink tasks: memory (MiB)", "idle/kafka-file/1000", "", Connect, memory, 0.1, false, "a tenth"},
		{"1,000 idle sink tasks: threads, all processes", "idle/kafka-file/1000", "", "", threadsAll, 100, false, "under 100"},
		{"1,000 idle sink tasks: CPU, all processes (% of a core)", "idle/kafka-file/1000", "", "", busyAll, 2, false, "under 2 %"},
		{"10,000 idle source tasks on one executor: memory (MiB)", "idle/file-kafka/10000", "", "", memory, 500, false, "under 500 MiB"},
		{"10,000 idle source tasks on one executor: threads", "idle/file-kafka/10000", "", "", threads, 200, false, "under 200"},
		{"process start to the first REST answer, separate processes (ms)", string(Start), "", Connect, start, 0.1, false, "a tenth"},
		{"process start to the first REST answer, `sluice dev` (ms)", string(Start), Dev, Connect, start, 0.1, false, "a tenth"},
		{"POST to RUNNING, `sluice dev` (ms)", string(Running), Dev, "", running, 50, false, "under 50 ms"},
		{"POST to RUNNING, on a real Kafka (ms)", string(Running), "", Connect, running, 0.5, false, "half"},
		{"1,000 connectors created one after another, all running (ms each)", "idle/file-kafka/1000", "", Connect, create, 0.1, false, "a tenth"},
		{"latency at 1,000 records/s, p99, file to Kafka to file (ms)", "latency/file-kafka-file", "", Connect, p99, 1, false, "below Kafka Connect's"},
		{"latency at 1,000 records/s, p99, file to Kafka (ms)", "latency/file-kafka", "", Connect, p99, 1, false, "below Kafka Connect's"},
		{"latency at 1,000 records/s, p99, Kafka to file (ms)", "latency/kafka-file", "", Connect, p99, 1, false, "below Kafka Connect's"},
	},
)

// both are a target with Tuning and as published.
func both(what, job string, of metric, bound float64, atLeast bool, said string) []target {
	t := target{what: what + " (tuned)", job: job, over: Connect, of: of, bound: bound, atLeast: atLeast, said: said}
	u := t
	u.what, u.job = what+" (as published)", job+"/untuned"
	return []target{t, u}
}

// value is what the bound is of, in a result.
func (t *target) value(r *Result) float64 {
	v := r.median(t.own(), t.of)
	if t.over != "" {
		v /= r.median(t.over, t.of)
	}
	return v
}

func (t *target) own() string {
	if t.side == "" {
		return Sluice
	}
	return t.side
}

// row is the line of the page.
func (t *target) row(all []Result) string {
	i := slices.IndexFunc(all, func(r Result) bool { return r.Job == t.job })
	if i < 0 || math.IsNaN(t.value(&all[i])) {
		return fmt.Sprintf("| %s | %s | | | | | | not measured |\n", t.what, t.said)
	}
	r := &all[i]
	v, met := t.value(r), "no"
	if t.atLeast && v >= t.bound || !t.atLeast && v <= t.bound {
		met = "yes"
	}
	other, ratio := r.median(Connect, t.of), r.median(t.own(), t.of)/r.median(Connect, t.of)
	if t.over == Raw {
		other, ratio = r.median(Raw, t.of), v
	}
	cold := t.value(r.cold())
	if t.over == "" {
		cold = math.NaN()
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", t.what, t.said, number(other), number(r.median(t.own(), t.of)),
		number(ratio), number(cold), percent(r.noise(t.of)), met)
}

func targetTable(all []Result) string {
	var w strings.Builder
	w.WriteString("\n## Targets\n\n*Kafka Connect* is librdkafka alone in the two lines that say so. *met* is of the warm rounds; *cold* is the same ratio in the very first round, of processes just started.\n\n" +
		"| what | target | Kafka Connect | Sluice | ratio | cold | noise | met |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range targets {
		w.WriteString(targets[i].row(all))
	}
	return w.String()
}
