package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// results is the directory of the page and its results, from this package's.
const results = "../../docs/benchmarks"

// The sides.
const (
	Connect = "connect"
	Sluice  = "sluice"
)

// Run is what one round of one side measured.
type Run struct {
	Side  string `json:"side"`
	Round int    `json:"round"`
	// Seconds are from the job's creation to the arrival of the last record.
	Seconds float64 `json:"seconds"`
	// Rate is in records a second, from the first arrival that was seen to the last.
	Rate float64 `json:"rate"`
	// CPU is in microseconds a record, of the process that runs the tasks, from the job's creation to the last arrival;
	// CPUAll with Sluice's other processes (control plane, gateway, etcd).
	CPU    float64 `json:"cpu"`
	CPUAll float64 `json:"cpu_all"`
	// Peak is the peak resident memory in MiB, of the process that runs the tasks; PeakAll the sum over all processes.
	Peak    float64 `json:"peak"`
	PeakAll float64 `json:"peak_all"`
}

// Result is a job's runs.
type Result struct {
	Job     string `json:"job"`
	Records int    `json:"records"`
	// Date, Commit and Machine say when, of what and on what.
	Date    string `json:"date"`
	Commit  string `json:"commit"`
	Machine string `json:"machine"`
	// Warm are the rounds that came first and do not count.
	Warm []Run `json:"warm"`
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

// metric is one figure of a run.
type metric func(Run) float64

func rate(r Run) float64      { return r.Rate }
func micros(r Run) float64    { return r.CPU }
func microsAll(r Run) float64 { return r.CPUAll }
func peak(r Run) float64      { return r.Peak }
func peakAll(r Run) float64   { return r.PeakAll }

func (r *Result) of(side string, m metric) (out []float64) {
	for _, run := range r.Runs {
		if run.Side == side {
			out = append(out, m(run))
		}
	}
	return out
}

// median is a side's; NaN where it has no run.
func (r *Result) median(side string, m metric) float64 { return median(r.of(side, m)) }

// ratio is Sluice's median over Kafka Connect's.
func (r *Result) ratio(m metric) float64 { return r.median(Sluice, m) / r.median(Connect, m) }

// cold is the ratio of CPU in the first warm-up round, as of processes that have just been started.
func (r *Result) cold() float64 {
	first := Result{Runs: r.Warm[:min(2, len(r.Warm))]}
	return first.ratio(microsAll)
}

// noise is A beside A: the median of how far neighbouring rounds of one side are apart, of the side where it is more; NaN of a single round.
func (r *Result) noise(m metric) float64 {
	worst := -1.0
	for _, side := range []string{Connect, Sluice} {
		var apart []float64
		v := r.of(side, m)
		for i := 1; i < len(v); i++ {
			apart = append(apart, math.Abs(v[i]/v[i-1]-1))
		}
		if len(apart) == 0 {
			return math.NaN()
		}
		worst = max(worst, median(apart))
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

// Merge puts a result in the place of the job's earlier one.
func Merge(all []Result, r Result) []Result {
	if i := slices.IndexFunc(all, func(old Result) bool { return old.Job == r.Job }); i >= 0 {
		all[i] = r
		return all
	}
	return append(all, r)
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
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(b, '\n'), 0o644); err != nil { //nolint:gosec // documentation
		return err
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(Markdown(all)), 0o644) //nolint:gosec // documentation
}
