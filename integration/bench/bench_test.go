//go:build integration

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

const root = "../.."

// TestBench runs what BENCH_JOBS matches and writes docs/benchmarks: `make bench`.
func TestBench(t *testing.T) {
	match := os.Getenv("BENCH_JOBS")
	if match == "" {
		t.Skip("BENCH_JOBS says what to run: make bench")
	}
	re, err := regexp.Compile(match)
	if err != nil {
		t.Fatalf("JOBS: %v", err)
	}
	jobs := Jobs(re)
	if len(jobs) == 0 {
		t.Fatalf("JOBS=%s matches none; there are: %s", match, strings.Join(names(Jobs(regexp.MustCompile(""))), " "))
	}
	kafka, bin := harness.StartKafka(t, root), harness.Release(t, root)
	b, err := dial(kafka.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for i, j := range jobs {
		if n := number64(t, "BENCH_RECORDS", 0); n > 0 {
			j.Records = n
		}
		t.Run(j.Name(), func(t *testing.T) {
			r := (&bench{t: t, broker: b, kafka: kafka, bin: bin, job: &j, id: i, dir: t.TempDir()}).run(number64(t, "BENCH_ROUNDS", 5))
			all, err := Load(filepath.Join(results, "results.json"))
			if err == nil {
				err = Save(results, Merge(all, r))
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("ratios: records/s %.2f, CPU %.2f (executor alone %.2f; the first warm-up %.2f), peak memory %.2f",
				r.ratio(rate), r.ratio(microsAll), r.ratio(micros), r.cold(), r.ratio(peak))
		})
	}
}

func names(jobs []Job) (out []string) {
	for i := range jobs {
		out = append(out, jobs[i].Name())
	}
	return out
}

func number64(t *testing.T, key string, otherwise int) int {
	t.Helper()
	v := os.Getenv(key)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: a number of at least 1 would be right", key, v)
	}
	return n
}

// bench runs one job.
type bench struct {
	t      *testing.T
	broker *broker
	kafka  *harness.Kafka
	bin    string
	job    *Job
	id     int
	dir    string
	topic  string // of a sink
	file   string // of a source
	want   string // the hash of what arrives
}

// side is one of the two, running.
type side struct {
	name, base string
	// procs are its processes; the first runs the tasks.
	procs []*harness.Process
}

func (b *bench) run(rounds int) Result {
	b.prepare()
	sides := []*side{b.connect(), b.sluice()}
	out := Result{Job: b.job.Name(), Records: b.job.Records, Date: time.Now().UTC().Format(time.DateOnly), Commit: commit(), Machine: machine()}
	for i := 0; i < maxWarm && !warm(out.Warm); i++ {
		out.Warm = append(out.Warm, b.both(sides, i, "warm-up")...)
	}
	for i := range rounds {
		out.Runs = append(out.Runs, b.both(sides, i, "round")...)
	}
	return out
}

// both has each side do the job once, the one that was last first.
func (b *bench) both(sides []*side, i int, what string) (out []Run) {
	b.t.Helper()
	for k := range sides {
		r := b.round(sides[(i+k)%2], what, i+1)
		b.t.Logf("%-8s %s %d: %9.0f records/s %6.2f us CPU (all: %.2f) %5.0f MiB (all: %.0f) %6.2f s", r.Side, what, r.Round, r.Rate, r.CPU, r.CPUAll, r.Peak, r.PeakAll, r.Seconds)
		out = append(out, r)
	}
	return out
}

// prepare makes the input: a file, or a topic.
func (b *bench) prepare() {
	b.t.Helper()
	if b.job.Direction == Source {
		b.file = filepath.Join(b.dir, "input")
		b.must(writeLines(b.file, b.job.Records, func(i int) string { return Line(i, b.job.Size) }))
		return
	}
	b.topic = fmt.Sprintf("input-%d", b.id)
	b.must(b.broker.create(b.t.Context(), b.topic, 1))
	b.t.Cleanup(func() { _ = b.broker.remove(b.t.Context(), b.topic) }) // the broker ends with the bench
	b.must(b.broker.fill(b.t.Context(), b.topic, b.job.Records, b.job.Value))
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// round has one side do the job once.
func (b *bench) round(s *side, what string, round int) Run {
	b.t.Helper()
	name := fmt.Sprintf("%s-%d-%s-%d", s.name, b.id, what, round)
	topic, file := name, filepath.Join(b.dir, name)
	counter := &lineCounter{path: file}
	arrived := counter.count
	if b.job.Direction == Source {
		file = b.file
		b.must(b.broker.create(b.t.Context(), topic, 1))
		arrived = func() (int64, error) { return b.broker.end(b.t.Context(), topic) }
	} else {
		topic = b.topic
	}
	before := b.measure(s, true)
	began := time.Now()
	code, text, err := harness.Call("POST", s.base+"/connectors", map[string]any{"name": name, "config": b.job.Config(topic, file)})
	if err != nil || code != 201 {
		b.t.Fatalf("%s: POST: %d %s %v", s.name, code, text, err)
	}
	first, firstAt := int64(0), began
	for n, tick := int64(0), time.NewTicker(10*time.Millisecond); n < int64(b.job.Records); <-tick.C {
		if n, err = arrived(); err != nil {
			b.t.Fatal(err)
		}
		if first == 0 && n > 0 {
			first, firstAt = n, time.Now()
		}
		if time.Since(began) > 5*time.Minute {
			_, text, _ = harness.Call("GET", s.base+"/connectors/"+name+"/status", nil)
			b.t.Fatalf("%s: %d of %d records after %s; the status is %s", s.name, n, b.job.Records, time.Since(began), text)
		}
	}
	ended, after := time.Now(), b.measure(s, false)
	per := func(a, z time.Duration) float64 { return float64((z - a).Microseconds()) / float64(b.job.Records) }
	r := Run{Side: s.name, Round: round, Seconds: ended.Sub(began).Seconds(), Rate: float64(int64(b.job.Records)-first) / ended.Sub(firstAt).Seconds(),
		CPU: per(before.cpu, after.cpu), CPUAll: per(before.cpuAll, after.cpuAll), Peak: after.peak, PeakAll: after.peakAll}
	if code, text, err = harness.Call("DELETE", s.base+"/connectors/"+name, nil); err != nil || code != 204 {
		b.t.Fatalf("%s: DELETE: %d %s %v", s.name, code, text, err)
	}
	b.check(s, topic, file, arrived)
	return r
}

// check wants exactly the records, on both sides the same, and removes the output.
func (b *bench) check(s *side, topic, file string, arrived func() (int64, error)) {
	b.t.Helper()
	n, err := arrived()
	b.must(err)
	if n != int64(b.job.Records) {
		b.t.Fatalf("%s: %d records arrived: %d were right", s.name, n, b.job.Records)
	}
	var hash string
	if b.job.Direction == Source {
		hash, err = b.broker.hash(b.t.Context(), topic, n)
		b.must(err)
		b.must(b.broker.remove(b.t.Context(), topic))
	} else {
		hash, err = hashFile(file, b.job.Format == JSON)
		b.must(err)
		b.must(os.Remove(file))
	}
	if b.want == "" {
		b.want = hash
		if b.job.Format == String {
			b.want = b.expected()
		}
	}
	if hash != b.want {
		b.t.Fatalf("%s: what arrived hashes to %s, which is not %s as before", s.name, hash, b.want)
	}
}

// expected is the hash of the lines, which a job of strings leaves as they are.
func (b *bench) expected() string {
	path := filepath.Join(b.dir, "expected")
	b.must(writeLines(path, b.job.Records, func(i int) string { return Line(i, b.job.Size) }))
	hash, err := hashFile(path, false)
	b.must(err)
	b.must(os.Remove(path))
	return hash
}

// used is what a side's processes have used.
type used struct {
	cpu, cpuAll   time.Duration
	peak, peakAll float64
}

// measure reads CPU time and peaks, or begins new peaks.
func (b *bench) measure(s *side, anew bool) (u used) {
	b.t.Helper()
	for i, p := range s.procs {
		if anew {
			b.must(resetPeak(p.PID()))
		}
		c, err := cpu(p.PID())
		b.must(err)
		kib, err := status(p.PID(), "VmHWM")
		b.must(err)
		mib := float64(kib) / 1024
		if i == 0 {
			u.cpu, u.peak = c, mib
		}
		u.cpuAll += c
		u.peakAll += mib
	}
	return u
}

// asPublished is what connect-distributed.sh and kafka-run-class.sh of Kafka 4.3.1 give the JVM.
var asPublished = []string{"-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
	"-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true", "-Dcom.sun.management.jmxremote=true",
	"-Dcom.sun.management.jmxremote.authenticate=false", "-Dcom.sun.management.jmxremote.ssl=false"}

// connect starts a worker as it is published: the connectors on plugin.path, all else on the class path.
func (b *bench) connect() *side {
	b.t.Helper()
	jars := harness.Fetch(b.t, filepath.Join(root, "integration/harness/connect/pom.xml"), "connect-"+harness.KafkaVersion)
	all, err := filepath.Glob(filepath.Join(jars, "*.jar"))
	b.must(err)
	plugins := filepath.Join(b.dir, "plugins")
	b.must(os.MkdirAll(filepath.Join(plugins, "file"), 0o750))
	var path []string
	for _, jar := range all {
		switch name := filepath.Base(jar); {
		case strings.HasPrefix(name, "connect-file-"):
			b.must(os.Symlink(jar, filepath.Join(plugins, "file", name)))
		case !strings.HasPrefix(name, "connect-test-plugins-"):
			path = append(path, jar)
		}
	}
	listen := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(b.t))
	file := filepath.Join(b.dir, "worker.properties")
	b.must(os.WriteFile(file, []byte(fmt.Sprintf(`bootstrap.servers=%s
group.id=bench-connect-%[2]d
config.storage.topic=bench-configs-%[2]d
offset.storage.topic=bench-offsets-%[2]d
status.storage.topic=bench-status-%[2]d
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.flush.interval.ms=10000
listeners=http://%[3]s
plugin.path=%[4]s
`, b.kafka.Addr, b.id, listen, plugins)), 0o600))
	logs := filepath.Join(b.dir, "log4j2.properties")
	b.must(os.WriteFile(logs, []byte(`appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %X{connector.context}%m (%c:%L)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
`), 0o600))
	args := append(asPublished[:len(asPublished):len(asPublished)], "-Dlog4j2.configurationFile="+logs, "-cp", strings.Join(path, ":"), "org.apache.kafka.connect.cli.ConnectDistributed", file)
	w := &harness.ConnectWorker{Base: "http://" + listen, Properties: file, Process: harness.Run(b.t, "connect", "java", args...)}
	w.AwaitServing()
	return &side{Connect, w.Base, []*harness.Process{w.Process}}
}

// sluice starts one process of each kind, with the same times as the worker's file.
func (b *bench) sluice() *side {
	b.t.Helper()
	c := harness.Start(b.t, harness.Options{Executors: []string{"default"}, Kafka: b.kafka, Root: root, ExecutorFlags: []string{
		"--offset.flush.interval.ms", "10000", "--group.id", fmt.Sprintf("bench-sluice-%d", b.id),
		"--config.storage.topic", fmt.Sprintf("sluice-configs-%d", b.id), "--offset.storage.topic", fmt.Sprintf("sluice-offsets-%d", b.id), "--status.storage.topic", fmt.Sprintf("sluice-status-%d", b.id)}}, b.bin)
	s := &side{name: Sluice, base: c.REST(0)}
	for _, all := range [][]*harness.Process{c.Executors, c.Replicas, c.Gateways, c.Etcd} {
		s.procs = append(s.procs, all...)
	}
	return s
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude", "*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// machine is what the bench ran on, as far as it matters.
func machine() string {
	model := "unknown CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, _ := strings.Cut(line, ":"); strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}
