//go:build integration

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// inputs is where prepare puts a source's files, one a task.
const inputs = "inputs"

// prepare makes the input: files, or a topic; starts the database and builds Raw where the job has them.
func (b *bench) prepare() {
	b.t.Helper()
	if b.job.Raw() {
		b.raw = b.buildRaw()
	}
	if b.job.Direction == Table {
		b.db = harness.StartPostgres(b.t)
	}
	if b.job.Direction == Source {
		dir := filepath.Join(b.dir, inputs)
		b.must(os.MkdirAll(dir, 0o750))
		for i := range b.job.Tasks {
			b.must(writeLines(filepath.Join(dir, fmt.Sprint(i)), i*b.job.Records/b.job.Tasks, (i+1)*b.job.Records/b.job.Tasks, b.line))
		}
		return
	}
	b.topic = fmt.Sprintf("input-%d", b.id)
	b.must(b.broker.create(b.t.Context(), b.topic, int32(b.job.Tasks))) //nolint:gosec // at most 64
	b.t.Cleanup(func() { _ = b.broker.remove(b.t.Context(), b.topic) }) // the broker ends with the bench
	b.must(b.broker.fill(b.t.Context(), b.topic, b.job.Tasks, b.job.Compression, b.job.Records, b.job.Value))
}

func (b *bench) line(i int) string { return Line(i, b.job.Size) }

// work is what a round creates and where its records arrive.
type work struct {
	// configs are of the connectors, by name.
	names   []string
	configs []map[string]string
	topics  []string // of sources
	file    string   // of a sink
	table   string   // as above
	arrived func() (int64, error)
	// every is how often arrived is asked.
	every time.Duration
	// begin lets sources of several tasks begin at once, when all of them run; nil where they begin when they are created.
	begin func() error
}

// work prepares a round: a source has a topic and a connector a file; a sink is one connector of as many tasks as there are.
func (b *bench) work(s *side, name string) *work {
	b.t.Helper()
	w := &work{every: 10 * time.Millisecond}
	if b.job.Direction == Table {
		w.table = strings.ReplaceAll(name, "-", "_")
		b.db.Exec("CREATE TABLE " + w.table + " (" + TableColumns + ")")
		w.names = []string{name}
		w.configs = []map[string]string{b.job.TableConfig(s.name, b.topic, w.table, Database{b.db.JDBC, harness.DatabaseUser, harness.DatabasePassword})}
		w.arrived, w.every = func() (int64, error) { return b.rows(w.table) }, 200*time.Millisecond // counting rows takes time from both sides
		return w
	}
	if b.job.Direction == Sink {
		w.file = filepath.Join(b.dir, name)
		w.names, w.configs = []string{name}, []map[string]string{b.job.Config(Sink, b.topic, w.file)}
		w.arrived = (&lineCounter{path: w.file}).count
		return w
	}
	dir := filepath.Join(b.dir, inputs)
	if b.job.Tasks > 1 {
		link := filepath.Join(b.dir, name)
		files := dir
		w.begin, dir = func() error { return os.Symlink(files, link) }, link
	}
	for i := range b.job.Tasks {
		topic := fmt.Sprintf("%s-%d", name, i)
		b.must(b.broker.create(b.t.Context(), topic, 1))
		w.names, w.topics = append(w.names, topic), append(w.topics, topic)
		w.configs = append(w.configs, b.job.Config(Source, topic, filepath.Join(dir, fmt.Sprint(i))))
	}
	w.arrived = func() (int64, error) { return b.broker.end(b.t.Context(), w.topics...) }
	return w
}

// round has one side do the job once.
func (b *bench) round(s *side, name string) map[metric]float64 {
	b.t.Helper()
	if s.name == Raw {
		return b.rawRound(s, name)
	}
	w := b.work(s, name)
	was, began := b.measure(s, true), time.Now()
	for i := range w.names {
		b.post(s, w.names[i], w.configs[i])
	}
	if w.begin != nil {
		b.allRun(s, len(w.names))
		was, began = b.measure(s, true), time.Now()
		b.must(w.begin())
	}
	n, err := int64(0), error(nil)
	first, firstAt, tick := int64(0), began, time.NewTicker(w.every)
	defer tick.Stop()
	for ; n < int64(b.job.Records); <-tick.C {
		n, err = w.arrived()
		b.must(err)
		if first == 0 && n > 0 {
			first, firstAt = n, time.Now()
		}
		if time.Since(began) > 20*time.Minute {
			_, text := b.call("GET", s.base+"/connectors/"+w.names[0]+"/status", nil)
			b.t.Fatalf("%s: %d of %d records after %s; the status is %s", s.name, n, b.job.Records, time.Since(began), text)
		}
	}
	ended, is := time.Now(), b.measure(s, false)
	for _, name := range w.names {
		b.remove(s, name)
	}
	b.check(s.name, w)
	per := func(a, z time.Duration) float64 { return float64((z - a).Microseconds()) / float64(b.job.Records) }
	return map[metric]float64{seconds: ended.Sub(began).Seconds(), rate: float64(int64(b.job.Records)-first) / ended.Sub(firstAt).Seconds(),
		micros: per(was.cpu, is.cpu), microsAll: per(was.cpuAll, is.cpuAll), peak: is.peak, peakAll: is.peakAll}
}

// check wants exactly the records, on all sides the same, and removes the output.
func (b *bench) check(who string, w *work) {
	b.t.Helper()
	n, err := w.arrived()
	b.must(err)
	if n != int64(b.job.Records) {
		b.t.Fatalf("%s: %d records arrived: %d were right", who, n, b.job.Records)
	}
	var hash string
	switch b.job.Direction {
	case Table:
		b.must(b.db.SQL.QueryRowContext(b.t.Context(), "SELECT md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM "+w.table+" AS t").Scan(&hash))
		b.db.Exec("DROP TABLE " + w.table)
	case Source:
		hash, err = b.broker.hash(b.t.Context(), w.topics...)
		b.must(err)
		for _, topic := range w.topics {
			b.must(b.broker.remove(b.t.Context(), topic))
		}
	default:
		hash, err = hashFile(w.file, b.job.Format == JSON, b.job.Tasks > 1)
		b.must(err)
		b.must(os.Remove(w.file))
	}
	if b.want == "" {
		b.want = hash
		if b.job.Format == String {
			b.want = b.expected()
		}
	}
	if hash != b.want {
		b.t.Fatalf("%s: what arrived hashes to %s, which is not %s as before", who, hash, b.want)
	}
}

// rows counts a table's.
func (b *bench) rows(table string) (n int64, err error) {
	err = b.db.SQL.QueryRowContext(b.t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
	return n, err
}

// expected is the hash of the lines, which a job of strings leaves as they are.
func (b *bench) expected() string {
	path := filepath.Join(b.dir, "expected")
	b.must(writeLines(path, 0, b.job.Records, b.line))
	hash, err := hashFile(path, false, b.job.Direction == Sink && b.job.Tasks > 1)
	b.must(err)
	b.must(os.Remove(path))
	return hash
}
