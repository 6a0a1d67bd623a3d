package bench

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// text is what people wrote; the tables follow it.
//
//go:embed intro.md
var text string

// target is a line of the table of ratios.
type target struct {
	what, job string
	of        metric
	// bound is of Sluice's figure over Kafka Connect's; at least where atLeast, else at most.
	bound   float64
	atLeast bool
	said    string
}

var targets = []target{
	{"CPU per record, file to Kafka, String 100 B", "file-kafka/string/100", microsAll, 0.25, false, "at most a quarter"},
	{"the same, Json without schemas", "file-kafka/json/100", microsAll, 0.25, false, "a quarter"},
	{"the same, Json with schemas", "file-kafka/json-schemas/100", microsAll, 0.25, false, "a quarter"},
	{"CPU per record, Kafka to file, String 100 B", "kafka-file/string/100", microsAll, 1.0 / 3, false, "at most a third"},
	{"the same, Json without schemas", "kafka-file/json/100", microsAll, 1.0 / 3, false, "a third"},
	{"records/s of one task, file to Kafka, String 100 B", "file-kafka/string/100", rate, 4, true, "four times"},
	{"the same, Json without schemas", "file-kafka/json/100", rate, 4, true, "four times"},
	{"the same, Json with schemas", "file-kafka/json-schemas/100", rate, 4, true, "four times"},
	{"records/s of one task, Kafka to file, String 100 B", "kafka-file/string/100", rate, 3, true, "three times"},
	{"the same, Json without schemas", "kafka-file/json/100", rate, 3, true, "three times"},
	{"peak memory, file to Kafka, String 100 B", "file-kafka/string/100", peak, 0.1, false, "a tenth"},
	{"peak memory, Kafka to file, String 100 B", "kafka-file/string/100", peak, 0.1, false, "a tenth"},
}

// Markdown is the page: the targets, and the whole table.
func Markdown(all []Result) string {
	var w strings.Builder
	w.WriteString(text)
	w.WriteString("\n## Targets\n\n| what | target | Kafka Connect | Sluice | Sluice / Kafka Connect | noise | met |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, t := range targets {
		i := slices.IndexFunc(all, func(r Result) bool { return r.Job == t.job })
		if i < 0 {
			fmt.Fprintf(&w, "| %s | %s | | | | | not measured |\n", t.what, t.said)
			continue
		}
		r := &all[i]
		met := "no"
		if q := r.ratio(t.of); t.atLeast && q >= t.bound || !t.atLeast && q <= t.bound {
			met = "yes"
		}
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %.2f | %s | %s |\n", t.what, t.said, number(r.median(Connect, t.of)), number(r.median(Sluice, t.of)), r.ratio(t.of), percent(r.noise(t.of)), met)
	}
	w.WriteString("\n## Throughput, CPU and memory\n\n" +
		"| job | rounds | records/s: Kafka Connect | Sluice | ratio | CPU us/record: Kafka Connect | Sluice (all processes) | ratio | noise | ratio, cold | peak MiB: Kafka Connect | Sluice (all processes) | ratio | commit |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range all {
		r := &all[i]
		fmt.Fprintf(&w, "| %s | %d | %s | %s | %.2f | %s | %s (%s) | %.2f | %s | %s | %s | %s (%s) | %.2f | %s |\n", r.Job, len(r.of(Sluice, rate)),
			number(r.median(Connect, rate)), number(r.median(Sluice, rate)), r.ratio(rate),
			number(r.median(Connect, micros)), number(r.median(Sluice, micros)), number(r.median(Sluice, microsAll)), r.ratio(microsAll), percent(r.noise(microsAll)), number(r.cold()),
			number(r.median(Connect, peak)), number(r.median(Sluice, peak)), number(r.median(Sluice, peakAll)), r.ratio(peak), r.Commit)
	}
	return w.String()
}

func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case v >= 1000:
		digits := strconv.Itoa(int(math.Round(v)))
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}
