package bench

import (
	"encoding/xml"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "render docs/benchmarks/README.md again from results.json")

func TestPage_IsWhatItsResultsSay(t *testing.T) {
	all, err := Load(filepath.Join(results, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := Save(results, all); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range Page(all) {
		got, err := os.ReadFile(filepath.Join(results, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/benchmarks/%s is stale: go test ./integration/bench -run Page -update", name)
		}
	}
}

func runs(side string, rates ...float64) (out []Run) {
	for i, r := range rates {
		out = append(out, Run{side, i + 1, map[metric]float64{rate: r, micros: 8, microsAll: 8, peak: 800}})
	}
	return out
}

func TestResult_RatiosAreOfMediansAndNoiseIsOfNeighbours(t *testing.T) {
	r := Result{Runs: append(runs(Connect, 100, 110, 100), runs(Sluice, 400, 300, 600)...)}
	if got := r.ratio(rate); got != 4 {
		t.Errorf("the ratio is %v: 4 was right", got)
	}
	if got := r.noise(rate); math.Abs(got-0.625) > 1e-9 { // a quarter less, then twice as much: the mean of both
		t.Errorf("the noise is %v: 0.625 was right", got)
	}
	one := Result{Runs: append(runs(Connect, 1), runs(Sluice, 2)...)}
	if got := one.noise(rate); !math.IsNaN(got) {
		t.Errorf("one round has a noise of %v", got)
	}
}

func TestWarm_WhenCPUHasStoppedFalling(t *testing.T) {
	for _, c := range []struct {
		micros []float64
		warm   bool
	}{{nil, false}, {[]float64{4, 4}, false}, {[]float64{8, 4, 3.9}, false}, {[]float64{8, 4, 3.9, 3.8}, true}, {[]float64{3, 4, 5}, true}, {[]float64{4, 3.9, 3}, false}} {
		var runs []Run
		for _, m := range c.micros {
			runs = append(runs, Run{Side: Connect, Values: map[metric]float64{micros: m}}, Run{Side: Sluice, Values: map[metric]float64{micros: 1}})
		}
		if warm(runs) != c.warm {
			t.Errorf("%v: warm is %v", c.micros, !c.warm)
		}
	}
}

func TestPage_SaysOfEachTargetWhetherItIsMet(t *testing.T) {
	cold := []Run{{Connect, 1, map[metric]float64{rate: 100}}, {Sluice, 1, map[metric]float64{rate: 700}}, {Connect, 2, map[metric]float64{rate: 100}}}
	all := []Result{
		{Job: "file-kafka/string/100", Warm: cold, Runs: append(append(runs(Connect, 300_000, 300_000), runs(Sluice, 1_350_000, 1_350_000)...), runs(Raw, 1, 1)...)},
		{Job: "idle/file-kafka/10000", Runs: []Run{{Sluice, 1, map[metric]float64{memory: 400, threads: 250}}}},
		{Job: "control/running", Runs: []Run{{Connect, 1, map[metric]float64{running: 100}}, {Sluice, 1, map[metric]float64{running: 60}}, {Dev, 1, map[metric]float64{running: 40}}}},
	}
	squeezed := strings.ReplaceAll(strings.ReplaceAll(Page(all)["README.md"], "  ", " "), "  ", " ")
	for _, want := range []string{
		"| records/s of one task, file to Kafka, String 100 B (tuned) | four times | 300,000 | 1,350,000 | 4.50 | 7 | 0 % | yes |",
		"| CPU per record, file to Kafka, String 100 B (tuned) | at most a quarter | 8 | 8 | 1 | | 0 % | no |",
		"| producing, String 100 B: the executor's CPU over librdkafka's batch calls alone | within 1.5 times | 8 | 8 | 1 | | 0 % | yes |",
		"| CPU per record, Kafka to file, String 100 B (as published) | at most a third | | | | | | not measured |",
		"| 10,000 idle source tasks on one executor: memory (MiB) | under 500 MiB | | 400 | | | | yes |",
		"| 10,000 idle source tasks on one executor: threads | under 200 | | 250 | | | | no |",
		"| POST to RUNNING, `sluice dev` (ms) | under 50 ms | 100 | 40 | 0.40 | | | yes |",
		"| POST to RUNNING, on a real Kafka (ms) | half | 100 | 60 | 0.60 | | | no |",
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestTargets_AreOfJobsThatThereAre(t *testing.T) {
	jobs := map[string]bool{}
	for _, j := range Jobs(regexp.MustCompile("")) {
		if jobs[j.Name()] {
			t.Errorf("two jobs are named %s", j.Name())
		}
		jobs[j.Name()] = true
	}
	for _, target := range targets {
		if !jobs[target.job] {
			t.Errorf("%q is of job %s, which there is none of", target.what, target.job)
		}
	}
}

func TestPlots_AreXMLWithABarForEachJob(t *testing.T) {
	all := []Result{{Job: "file-kafka/string/100", Runs: append(runs(Connect, 1, 2), runs(Sluice, 4, 4)...)}, {Job: "kafka-file/json/100", Runs: append(runs(Connect, 1), runs(Sluice, 4)...)},
		{Job: "idle/file-kafka/1000", Runs: runs(Sluice, 1)}}
	page := Page(all)
	for _, p := range plots {
		var bars struct {
			Rects []struct{} `xml:"rect"`
		}
		if err := xml.Unmarshal([]byte(page[p.file]), &bars); err != nil || len(bars.Rects) != 3 { // the background is one
			t.Errorf("%s: %d rectangles, %v: 3 were right", p.file, len(bars.Rects), err)
		}
	}
}

func TestMerge_ARowTakesThePlaceOfItsEarlierOne(t *testing.T) {
	dir := t.TempDir()
	const a, b = "file-kafka/string/100", "kafka-file/string/100"
	all := Merge(Merge(Merge(nil, Result{Job: b, Records: 1}), Result{Job: a}), Result{Job: b, Records: 2})
	if err := Save(dir, all); err != nil {
		t.Fatal(err)
	}
	back, err := Load(filepath.Join(dir, "results.json"))
	if err != nil || len(back) != 2 || back[1].Records != 2 || back[0].Job != a {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestJobs_RecordsHaveTheirSize(t *testing.T) {
	for _, j := range Jobs(regexp.MustCompile(`kafka-file/json/|file-kafka/string`)) {
		for _, i := range []int{0, 1, 77, j.Records - 1} {
			v := j.Value(i)
			if len(v) != j.Size {
				t.Errorf("%s: record %d has %d bytes: %s", j.Name(), i, len(v), v)
			}
		}
	}
}

func TestLineCounter_CountsWhatIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	c := &lineCounter{path: path}
	for _, step := range []struct {
		write string
		lines int64
	}{{"", 0}, {"a\nb\nc", 2}, {"\n", 3}} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.WriteString(step.write)
		_ = f.Close()
		if n, err := c.count(); err != nil || n != step.lines {
			t.Errorf("%d lines, %v: %d were right", n, err, step.lines)
		}
	}
}

func TestHashFile_TheOrderOfAMapsFieldsDoesNotCount(t *testing.T) {
	dir := t.TempDir()
	hash := func(text string) string {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := hashFile(path, true, false)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash("{a=1, b=2}\n") != hash("{b=2, a=1}\n") || hash("{a=1, b=2}\n") == hash("{a=2, b=1}\n") {
		t.Error("fields are not compared as a set")
	}
}

func TestHashFile_TheOrderOfLinesCountsWhereItIsOneTasks(t *testing.T) {
	for _, c := range []struct {
		inAnyOrder bool
		other      string
		same       bool
	}{{false, "b\na\n", false}, {true, "b\na\n", true}, {true, "a\na\n", false}} {
		var hashes []string
		for _, text := range []string{"a\nb\n", c.other} {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := hashFile(path, false, c.inAnyOrder)
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, h)
		}
		if (hashes[0] == hashes[1]) != c.same {
			t.Errorf("in any order %v: %q is the same: %v", c.inAnyOrder, c.other, !c.same)
		}
	}
}

func TestProc_ReadsThisProcess(t *testing.T) {
	if _, err := cpu(os.Getpid()); err != nil {
		t.Error(err)
	}
	if n, err := status(os.Getpid(), "VmHWM"); err != nil || n <= 0 {
		t.Error(n, err)
	}
}
