package source

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is an SQLite database in a file.
type file struct {
	tb   testing.TB
	path string
	db   *sql.DB
}

func newFile(tb testing.TB, statements ...string) *file {
	tb.Helper()
	f := &file{tb: tb, path: filepath.Join(tb.TempDir(), "db.sqlite")}
	db, err := sql.Open("sqlite", f.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	f.db = db
	tb.Cleanup(func() { _ = db.Close() })
	f.exec(statements...)
	return f
}

func (f *file) exec(statements ...string) {
	f.tb.Helper()
	for _, s := range statements {
		if _, err := f.db.ExecContext(f.tb.Context(), s); err != nil {
			f.tb.Fatalf("%s: %v", s, err)
		}
	}
}

// config is that of a source of the file.
func (f *file) config(more map[string]string) map[string]string {
	out := map[string]string{"name": "src", "connector.class": "JdbcSource", "connection.url": "jdbc:sqlite:" + f.path, "topic.prefix": "t-",
		"poll.interval.ms": "0", "connection.attempts": "1"}
	maps.Copy(out, more)
	return out
}

// running is a task that polls.
type running struct {
	tb   testing.TB
	t    connectors.SourceTask
	b    *connectors.SourceBatch
	clk  *clock.Fake
	tc   *conformance.SourceContext
	poll func() error
}

// tasks are those of a plan, not started.
func plan(tb testing.TB, config map[string]string, most int) []map[string]string {
	tb.Helper()
	c := Plugin().NewSource()
	if err := c.Start(tb.Context(), &conformance.ConnectorContext{}, config); err != nil {
		tb.Fatal(err)
	}
	out, err := c.TaskConfigs(tb.Context(), most)
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Stop(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return out
}

func start(tb testing.TB, config map[string]string, tc *conformance.SourceContext) *running {
	tb.Helper()
	r := &running{tb: tb, b: connectors.NewSourceBatch(1000), clk: clock.NewFake(time.Now()), tc: tc}
	r.t = plugin(r.clk).NewSource().NewTask()
	if err := r.t.Start(tb.Context(), tc, plan(tb, config, 1)[0]); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.t.Stop(context.WithoutCancel(tb.Context())) })
	r.poll = func() error { r.b.Reset(); return r.t.Poll(tb.Context(), r.b) }
	return r
}

// got is a record as tests compare it.
type got struct {
	Topic     string
	Partition map[string]any
	Offset    map[string]any
	Value     map[string]any
	Schema    *data.Schema
}

// read polls once, and commits what came.
func (r *running) read() []got {
	r.tb.Helper()
	if err := r.poll(); err != nil {
		r.tb.Fatal(err)
	}
	var out []got
	for _, rec := range r.b.Records {
		if err := data.Validate(rec.ValueSchema, rec.Value); err != nil {
			r.tb.Error(err)
		}
		g := got{Topic: rec.Topic, Partition: r.b.PartitionMap(rec.Partition), Offset: conformance.OffsetMap(rec.Offset), Value: fields(rec.Value), Schema: rec.ValueSchema}
		r.tc.Commit(g.Partition, g.Offset)
		out = append(out, g)
	}
	return out
}

func fields(v data.Value) map[string]any {
	out := map[string]any{}
	for i, f := range v.Struct().Schema().Fields {
		out[f.Name] = plain(v.Struct().Raw(i))
	}
	return out
}

func plain(v data.Value) any {
	switch v.Kind() {
	case data.KindNull:
		return nil
	case data.KindBool:
		return v.Bool()
	case data.KindString:
		return v.Str()
	case data.KindBytes:
		return v.Bytes()
	case data.KindFloat32, data.KindFloat64:
		return v.Float()
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return v.Int()
	}
	return fmt.Sprintf("%#v", v)
}

// ids are the values of a column.
func ids(records []got, column string) []any {
	out := []any{}
	for _, r := range records {
		out = append(out, r.Value[column])
	}
	return out
}
