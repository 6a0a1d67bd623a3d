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

// Page is README.md and its plots, by the names of files.
func Page(all []Result) map[string]string {
	out := map[string]string{}
	var w strings.Builder
	w.WriteString(text)
	w.WriteString(targetTable(all))
	for _, p := range plots {
		if svg := p.svg(all); svg != "" {
			out[p.file] = svg
			fmt.Fprintf(&w, "\n![%s](%s)\n", p.title, p.file)
		}
	}
	for _, t := range tables {
		w.WriteString(t.markdown(all))
	}
	out["README.md"] = w.String()
	return out
}

// table is of the jobs whose names begin with one of some words: a line for each figure that one has.
type table struct {
	title, note string
	prefixes    []string
	figures     []figure
}

// figure is a metric of both sides, and their ratio.
type figure struct {
	title string
	of    metric
	// all is the sum over Sluice's processes, in parentheses; empty for none. byAll: the ratio is of it.
	all   metric
	byAll bool
	// beside is a third side, in a column of its own.
	beside string
}

var throughput = []string{Source + "/", Sink + "/", Table + "/"}

var tables = []table{
	{"CPU per record", "", throughput, []figure{{title: "us/record", of: micros, all: microsAll, byAll: true, beside: Raw}}},
	{"Records per second", "", throughput, []figure{{title: "records/s", of: rate, beside: Raw}}},
	{"Peak memory", "", throughput, []figure{{title: "MiB", of: peak, all: peakAll}}},
	{"Idle", "Connectors of one task that have nothing to do: sources of an empty file, sinks of an empty topic. They are created one after another " +
		"(*ms each*: from the first POST until all are RUNNING), are left alone for 20 s, and then nothing is asked for a minute.", []string{string(Idle) + "/"}, []figure{
		{title: "created one after another, ms each", of: create}, {title: "MiB resident", of: memory, all: memoryAll}, {title: "threads", of: threads, all: threadsAll},
		{title: "CPU, % of a core", of: busy, all: busyAll, byAll: true}, {title: "all listed with `expand=status`, ms", of: list},
	}},
	{"Latency at 1,000 records/s", "From the writing of a line (or record) by the bench to its arrival where the bench reads it (it looks every millisecond): all as published, nothing tuned. " +
		"Kafka Connect's file source looks for new lines once a second, which is most of its latency; *kafka-file* is without it.", []string{string(Latency) + "/"}, []figure{
		{title: "p50, ms", of: p50}, {title: "p99, ms", of: p99}, {title: "CPU, % of a core", of: busy, all: busyAll, byAll: true},
	}},
	{"Start and control", "*control/start*: Sluice's is of all its processes at once, etcd included (whose first election is 0.2 to 1.1 s of it: eight starts of a member alone), until the executor is ready and `GET /connectors` answers; `sluice dev`'s with its own broker; Kafka Connect's until " +
		"`GET /connectors` answers. *control/running*: the status is asked for every 2 ms; the median of a round's connectors.", []string{"control/"}, []figure{
		{title: "start, ms", of: start, beside: Dev}, {title: "POST to RUNNING, ms", of: running, beside: Dev},
	}},
	{"Stalls", "Under load the reader of the sink's file (a named pipe), or the broker (SIGSTOP), stands still for a minute; then everything goes on and arrives.", []string{"stall/"}, []figure{
		{title: "peak MiB before", of: before}, {title: "peak MiB in the stall", of: stalled}, {title: "the one over the other", of: growth},
	}},
}

func (t *table) markdown(all []Result) string {
	var lines strings.Builder
	third := ""
	for i := range all {
		r := &all[i]
		if !slices.ContainsFunc(t.prefixes, func(p string) bool { return strings.HasPrefix(r.Job, p) }) {
			continue
		}
		for _, f := range t.figures {
			if f.beside != "" {
				third = f.beside
			}
			if !math.IsNaN(r.median(Sluice, f.of)) {
				lines.WriteString(f.line(r))
			}
		}
	}
	if lines.Len() == 0 {
		return ""
	}
	var w strings.Builder
	fmt.Fprintf(&w, "\n## %s\n\n", t.title)
	if t.note != "" {
		fmt.Fprintf(&w, "%s\n\n", t.note)
	}
	if third = besides[third]; third != "" {
		third = " " + third + " |"
	}
	fmt.Fprintf(&w, "| job | what | Kafka Connect | Sluice |%s ratio | cold | noise | rounds | records | date, commit, load |\n", third)
	fmt.Fprintf(&w, "| --- | --- | --- | --- |%s --- | --- | --- | --- | --- | --- |\n", strings.Repeat(" --- |", min(1, len(third))))
	return w.String() + lines.String()
}

// besides are the third sides as columns are headed.
var besides = map[string]string{Raw: "librdkafka alone", Dev: "`sluice dev`"}

// line is a figure of one job.
func (f *figure) line(r *Result) string {
	own, by := number(r.median(Sluice, f.of)), f.of
	if v := r.median(Sluice, f.all); f.all != "" && !math.IsNaN(v) {
		own += " (" + number(v) + ")"
	}
	if f.byAll {
		by = f.all
	}
	beside := ""
	if f.beside != "" {
		beside = " " + number(r.median(f.beside, f.of)) + " |"
	}
	return fmt.Sprintf("| %s | %s | %s | %s |%s %s | %s | %s | %d | %s | %s, %s, %s |\n", r.Job, f.title, number(r.median(Connect, f.of)), own, beside,
		number(r.ratio(by)), number(r.cold().ratio(by)), percent(r.noise(by)), rounds(r), number(float64(r.Records)), r.Date, r.Commit, number(r.Load))
}

// rounds is how many of Sluice's count.
func rounds(r *Result) (n int) {
	for _, run := range r.Runs {
		if run.Side == Sluice {
			n++
		}
	}
	return n
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
	case v >= 100, v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v > 0 && v < 0.1:
		return fmt.Sprintf("%.3f", v)
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
