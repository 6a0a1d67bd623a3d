package bench

import (
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
	path := filepath.Join(results, "README.md")
	if *update {
		if err := Save(results, all); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Markdown(all) {
		t.Errorf("%s is stale: go test ./integration/bench -run Page -update", path)
	}
}

func runs(side string, rates ...float64) (out []Run) {
	for i, r := range rates {
		out = append(out, Run{Side: side, Round: i + 1, Rate: r, CPU: 8, CPUAll: 8, Peak: 800, PeakAll: 800})
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
			runs = append(runs, Run{Side: Connect, CPU: m}, Run{Side: Sluice, CPU: 1})
		}
		if warm(runs) != c.warm {
			t.Errorf("%v: warm is %v", c.micros, !c.warm)
		}
	}
}

func TestMarkdown_SaysOfEachTargetWhetherItIsMet(t *testing.T) {
	all := []Result{{Job: "file-kafka/string/100", Commit: "abc", Runs: append(runs(Connect, 300_000, 300_000), runs(Sluice, 1_350_000, 1_350_000)...)}}
	text := Markdown(all)
	for _, want := range []string{
		"| records/s of one task, file to Kafka, String 100 B | four times | 300,000 | 1,350,000 | 4.50 | 0 % | yes |",
		"| CPU per record, file to Kafka, String 100 B | at most a quarter | 8.00 | 8.00 | 1.00 | 0 % | no |",
		"| CPU per record, Kafka to file, String 100 B | at most a third | | | | | not measured |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

func TestMerge_ARowTakesThePlaceOfItsEarlierOne(t *testing.T) {
	dir := t.TempDir()
	all := Merge(Merge(Merge(nil, Result{Job: "a", Records: 1}), Result{Job: "b"}), Result{Job: "a", Records: 2})
	if err := Save(dir, all); err != nil {
		t.Fatal(err)
	}
	back, err := Load(filepath.Join(dir, "results.json"))
	if err != nil || len(back) != 2 || back[0].Records != 2 || back[1].Job != "b" {
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
		h, err := hashFile(path, true)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash("{a=1, b=2}\n") != hash("{b=2, a=1}\n") || hash("{a=1, b=2}\n") == hash("{a=2, b=1}\n") {
		t.Error("fields are not compared as a set")
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
