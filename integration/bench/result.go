package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// results is the directory of the page and its results, from this package's.
const results = "../../docs/benchmarks"

// The sides.
const (
	Connect = "connect"
	Sluice  = "sluice"
	// Raw is librdkafka's batch calls alone, Dev is `sluice dev`: each beside the two where it makes sense.
	Raw = "librdkafka"
	Dev = "sluice-dev"
)

// metric is the name of a figure in a run.
type metric string

// The figures. One that ends in All is the sum over all of Sluice's processes (executor, control plane, gateway, etcd); the same
// without is of the process that runs the tasks.
const (
	// seconds are from the job's creation to the arrival of the last record; rate is in records a second, from the first
	// arrival that was seen to the last.
	seconds metric = "seconds"
	rate    metric = "rate"
	// micros are of CPU a record, from the job's creation to the last arrival.
	micros    metric = "cpu_us"
	microsAll metric = "cpu_us_all"
	// peak is the peak resident memory in MiB.
	peak    metric = "peak_mib"
	peakAll metric = "peak_mib_all"
	// create is how long a connector took to be created among many, in milliseconds, until all of them ran.
	create metric = "create_ms"
	// memory (MiB), threads and busy (per cent of a core) are of a window in which nothing happens.
	memory     metric = "rss_mib"
	memoryAll  metric = "rss_mib_all"
	threads    metric = "threads"
	threadsAll metric = "threads_all"
	busy       metric = "busy_percent"
	busyAll    metric = "busy_percent_all"
	// list is how long GET /connectors?expand=status took, in milliseconds.
	list metric = "list_ms"
	// p50 and p99 are of latency, in milliseconds.
	p50 metric = "p50_ms"
	p99 metric = "p99_ms"
	// start and running are in milliseconds: to the first answer; from POST to RUNNING (median of the round's connectors).
	start   metric = "start_ms"
	running metric = "running_ms"
	// before and stalled are peaks in MiB, under load and in the minute of the stall; growth is the one over the other.
	before  metric = "before_mib"
	stalled metric = "stalled_mib"
	growth  metric = "growth"
)

// Run is what one round of one side measured.
type Run struct {
	Side   string             `json:"side"`
	Round  int                `json:"round"`
	Values map[metric]float64 `json:"values"`
}

// value is NaN where the run does not have it.
func (r Run) value(m metric) float64 {
	if v, ok := r.Values[m]; ok {
		return v
	}
	return math.NaN()
}

// Result is a job's runs.
type Result struct {
	Job     string `json:"job"`
	Records int    `json:"records"`
	// Date, Commit and Machine say when, of what and on what; Load is the machine's load average when the job began.
	Date    string  `json:"date"`
	Commit  string  `json:"commit"`
	Machine string  `json:"machine"`
	Load    float64 `json:"load"`
	// Warm are the rounds that came first and do not count.
	Warm []Run `json:"warm,omitempty"`
	Runs []Run `json:"runs"`
}

// maxWarm is how many warm-up rounds there are at most.
const maxWarm = 8

// warm says whether the JVM's compiler has done its work: Kafka Connect's CPU per record has become less by less than a
// tenth twice in a row.
func warm(runs []Run) bool {
	v := (&Result{Runs: runs}).of(Connect, micros)
	n := len(v)
	return n > 2 && v[n-1] > 0.9*v[n-2] && v[n-2] > 0.9*v[n-3]
}

func (r *Result) of(side string, m metric) (out []float64) {
	for _, run := range r.Runs {
		if v := run.value(m); run.Side == side && !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// median is a side's; NaN where it has no run.
func (r *Result) median(side string, m metric) float64 { return median(r.of(side, m)) }

// ratio is Sluice's median over Kafka Connect's.
func (r *Result) ratio(m metric) float64 { return r.median(Sluice, m) / r.median(Connect, m) }

// cold is the result of the first warm-up round alone, of processes that have just been started.
func (r *Result) cold() *Result {
	out := &Result{}
	for _, run := range r.Warm {
		if run.Round == 1 {
			out.Runs = append(out.Runs, run)
		}
	}
	return out
}

// noise is A beside A: the median of how far neighbouring rounds of one side are apart, of the side where it is more; NaN
// where no side has two rounds.
func (r *Result) noise(m metric) float64 {
	worst := math.NaN()
	for _, side := range []string{Connect, Sluice} {
		var apart []float64
		v := r.of(side, m)
		for i := 1; i < len(v); i++ {
			apart = append(apart, math.Abs(v[i]/v[i-1]-1))
		}
		if len(apart) > 0 && !(median(apart) <= worst) { // worst may be NaN
			worst = median(apart)
		}
	}
	return worst
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// quantile is of sorted values; NaN of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// Load reads results; none where there is no file.
func Load(path string) (out []Result, err error) {
	b, err := os.ReadFile(path) //nolint:gosec // the bench's own file
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// Merge puts a result in the place of the job's earlier one, and all in the order of Jobs.
func Merge(all []Result, r Result) []Result {
	if i := slices.IndexFunc(all, func(old Result) bool { return old.Job == r.Job }); i >= 0 {
		all[i] = r
	} else {
		all = append(all, r)
	}
	order := map[string]int{}
	for i, j := range Jobs(regexp.MustCompile("")) {
		order[j.Name()] = i
	}
	slices.SortStableFunc(all, func(a, b Result) int { return order[a.Job] - order[b.Job] })
	return all
}

// Save writes the results and what is rendered of them into a directory.
func Save(dir string, all []Result) error {
	b, err := json.MarshalIndent(append([]Result{}, all...), "", " ") // none is [], not null
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a directory of documentation
		return err
	}
	files := Page(all)
	files["results.json"] = string(b) + "\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // documentation
			return err
		}
	}
	return nil
}
