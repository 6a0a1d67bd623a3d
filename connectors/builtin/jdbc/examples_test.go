package jdbc

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
)

// example is a file of examples/jdbc.
type example struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	files, err := filepath.Glob("../../../examples/jdbc/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	out := map[string]example{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e example
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[filepath.Base(f)] = e
	}
	return out
}

func plugin(t *testing.T, class string) connectors.Plugin {
	t.Helper()
	all := Plugins()
	i := slices.IndexFunc(all, func(p connectors.Plugin) bool { return p.Class == class || slices.Contains(p.Aliases, class) })
	if i < 0 {
		t.Fatalf("nothing is called %s", class)
	}
	return all[i]
}

func TestExamples_AreValid(t *testing.T) {
	for name, e := range examples(t) {
		p := plugin(t, e.Config["connector.class"])
		if _, err := p.Config().Parse(e.Config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var c any
		if p.Type == connectors.Source {
			c = p.NewSource()
		} else {
			c = p.NewSink()
		}
		c.(connectors.Checker).Check(e.Config, func(key, message string) { t.Errorf("%s: %s: %s", name, key, message) })
	}
}

// The two examples of SQLite, one behind the other: what the source reads, the sink writes.
func TestExamples_OfSQLiteRun(t *testing.T) {
	all, dir := examples(t), t.TempDir()
	from, to := all["sqlite-source.json"].Config, all["sqlite-sink.json"].Config
	for _, c := range []map[string]string{from, to} {
		c["connection.url"] = strings.Replace(c["connection.url"], "/var/lib/notes", dir, 1)
	}
	open := func(file string) *sql.DB {
		db, err := sql.Open("sqlite", filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	if _, err := open("notes.db").ExecContext(t.Context(), `CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, changed_at TIMESTAMP NOT NULL);
		INSERT INTO notes VALUES (1, 'one', '2024-01-01 00:00:00'), (2, NULL, '2024-01-01 00:00:01')`); err != nil {
		t.Fatal(err)
	}
	source, sink := plugin(t, from["connector.class"]).NewSource(), plugin(t, to["connector.class"]).NewSink()
	if err := source.Start(t.Context(), &conformance.ConnectorContext{}, from); err != nil {
		t.Fatal(err)
	}
	plan, err := source.TaskConfigs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	in, out := source.NewTask(), sink.NewTask()
	if err := in.Start(t.Context(), &conformance.SourceContext{}, plan[0]); err != nil {
		t.Fatal(err)
	}
	if err := out.Start(t.Context(), &conformance.SinkContext{}, to); err != nil {
		t.Fatal(err)
	}
	b := connectors.NewSourceBatch(10)
	if err := in.Poll(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var batch connectors.SinkBatch
	for i, r := range b.Records {
		batch.Records = append(batch.Records, connectors.SinkRecord{Topic: r.Topic, Offset: int64(i), ValueSchema: r.ValueSchema, Value: r.Value})
	}
	for range 2 { // a second time changes nothing
		if err := out.Put(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := out.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n, nulls int
	if err := open("copy.db").QueryRowContext(t.Context(), "SELECT count(*), count(*) - count(text) FROM notes").Scan(&n, &nulls); err != nil || n != 2 || nulls != 1 {
		t.Errorf("%d rows, %d without a text: %v", n, nulls, err)
	}
}
