package sink

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	for _, s := range statements {
		f.exec(s)
	}
	return f
}

func (f *file) exec(s string) {
	f.tb.Helper()
	if _, err := f.db.ExecContext(f.tb.Context(), s); err != nil {
		f.tb.Fatalf("%s: %v", s, err)
	}
}

func (f *file) config(more map[string]string) map[string]string {
	out := map[string]string{"name": "dst", "connector.class": "JdbcSink", "connection.url": "jdbc:sqlite:" + f.path + "?synchronous=OFF", "topics": "users", "connection.attempts": "1"}
	maps.Copy(out, more)
	return out
}

// rows are a query's rows, each as one text.
func (f *file) rows(query string) []string {
	f.tb.Helper()
	rows, err := f.db.QueryContext(f.tb.Context(), query)
	if err != nil {
		f.tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		f.tb.Fatal(err)
	}
	out := []string{}
	for rows.Next() {
		cells := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			f.tb.Fatal(err)
		}
		out = append(out, strings.TrimSuffix(fmt.Sprintln(cells...), "\n"))
	}
	if err := rows.Err(); err != nil {
		f.tb.Fatal(err)
	}
	return out
}

// desk is a context whose reporter keeps what it gets; none where it is closed.
type desk struct {
	conformance.SinkContext
	closed  bool
	records []string
}

func (d *desk) Reporter() connectors.ErrantRecordReporter {
	if d.closed {
		return nil
	}
	return d
}

func (d *desk) Report(_ context.Context, r *connectors.SinkRecord, cause error) (*connectors.Reported, error) {
	d.records = append(d.records, fmt.Sprintf("%d: %v", r.Offset, cause))
	out := connectors.NewReported()
	out.Resolve(nil)
	return out, nil
}

func start(tb testing.TB, config map[string]string, tc connectors.SinkTaskContext) connectors.SinkTask {
	tb.Helper()
	t := Plugin().NewSink().NewTask()
	if err := t.Start(tb.Context(), tc, config); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = t.Stop(context.WithoutCancel(tb.Context())) })
	return t
}

var (
	keySchema  = &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "id", Schema: data.Int64Schema}}}
	userSchema = &data.Schema{Type: data.KindStruct, Name: "user", Fields: []data.Field{{Name: "name", Schema: data.OptionalStringSchema}, {Name: "age", Schema: data.OptionalInt32Schema}}}
)

func of(schema *data.Schema, values ...data.Value) data.Value {
	s := data.NewStruct(schema)
	for i, v := range values {
		s.Set(i, v)
	}
	return data.StructOf(s)
}

// user is a record; without a name it has no value.
func user(offset, id int64, name string, age int32) connectors.SinkRecord {
	r := connectors.SinkRecord{Topic: "users", Offset: offset, KeySchema: keySchema, Key: of(keySchema, data.Int64(id)), Headers: data.Headers{{Key: "h", Schema: data.StringSchema, Value: data.String(fmt.Sprint("h", id))}}}
	if name != "" {
		r.ValueSchema, r.Value = userSchema, of(userSchema, data.String(name), data.Int32(age))
	}
	return r
}

func put(tb testing.TB, t connectors.SinkTask, records ...connectors.SinkRecord) {
	tb.Helper()
	if err := t.Put(tb.Context(), &connectors.SinkBatch{Records: records}); err != nil {
		tb.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	schema := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "text", Schema: data.StringSchema}}}
	for name, more := range map[string]map[string]string{
		"insert of texts":   {"auto.create": "true"},
		"upsert of structs": {"auto.create": "true", "insert.mode": "upsert", "pk.mode": "kafka", "batch.size": "7"},
	} {
		conformance.Run(t, Plugin(), conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
			f := newFile(tb)
			out := conformance.Fixture{Config: f.config(more), Broken: f.config(map[string]string{"insert.mode": "upsert"}), Delivered: func(testing.TB) string {
				if len(f.rows("SELECT 1 FROM sqlite_schema")) == 0 {
					return ""
				}
				return strings.Join(f.rows("SELECT * FROM conformance"), "\n")
			}}
			if more["insert.mode"] == "upsert" {
				out.Value = func(text []byte) (*data.Schema, data.Value) { return schema, of(schema, data.StringOfBytes(text)) }
			}
			return out
		}})
	}
}

func TestPrimaryKeys_ComeFromWhereTheConfigSays(t *testing.T) {
	for name, c := range map[string]struct {
		conf map[string]string
		want []string
	}{
		"none":          {nil, []string{"CREATE TABLE \"users\" (\"name\" TEXT NULL, \"age\" INTEGER NULL)", "a 1"}},
		"kafka":         {map[string]string{"pk.mode": "kafka"}, []string{`CREATE TABLE "users" ("__connect_topic" TEXT NOT NULL, "__connect_partition" INTEGER NOT NULL, "__connect_offset" INTEGER NOT NULL, "name" TEXT NULL, "age" INTEGER NULL, PRIMARY KEY("__connect_topic","__connect_partition","__connect_offset"))`, "users 0 3 a 1"}},
		"kafka, named":  {map[string]string{"pk.mode": "kafka", "pk.fields": "t,p,o", "fields.whitelist": "age"}, []string{`CREATE TABLE "users" ("t" TEXT NOT NULL, "p" INTEGER NOT NULL, "o" INTEGER NOT NULL, "age" INTEGER NULL, PRIMARY KEY("t","p","o"))`, "users 0 3 1"}},
		"record_key":    {map[string]string{"pk.mode": "record_key"}, []string{`CREATE TABLE "users" ("id" INTEGER NOT NULL, "name" TEXT NULL, "age" INTEGER NULL, PRIMARY KEY("id"))`, "9 a 1"}},
		"record_value":  {map[string]string{"pk.mode": "record_value", "pk.fields": "name"}, []string{`CREATE TABLE "users" ("name" TEXT NOT NULL, "age" INTEGER NULL, PRIMARY KEY("name"))`, "a 1"}},
		"record_header": {map[string]string{"pk.mode": "record_header"}, []string{`CREATE TABLE "users" ("h" TEXT NOT NULL, "name" TEXT NULL, "age" INTEGER NULL, PRIMARY KEY("h"))`, "h9 a 1"}},
		"unquoted":      {map[string]string{"quote.sql.identifiers": "never"}, []string{`CREATE TABLE users (name TEXT NULL, age INTEGER NULL)`, "a 1"}},
		"other table":   {map[string]string{"table.name.format": "users", "topics.to.tables.mapping": "x:y"}, []string{"CREATE TABLE \"users\" (\"name\" TEXT NULL, \"age\" INTEGER NULL)", "a 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			conf := f.config(map[string]string{"auto.create": "true"})
			maps.Copy(conf, c.conf)
			put(t, start(t, conf, &desk{}), user(3, 9, "a", 1))
			if d := cmp.Diff(c.want, slices.Concat(f.rows("SELECT sql FROM sqlite_schema WHERE type = 'table'"), f.rows("SELECT * FROM users"))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestModes_InsertUpsertUpdateDelete(t *testing.T) {
	f := newFile(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, other TEXT DEFAULT 'kept')")
	upsert := start(t, f.config(map[string]string{"insert.mode": "upsert", "pk.mode": "record_key", "delete.enabled": "true", "batch.size": "2"}), &desk{closed: true})
	put(t, upsert, user(0, 1, "a", 1), user(1, 2, "b", 2), user(2, 1, "c", 3), user(3, 3, "d", 4), user(4, 2, "", 0), user(5, 4, "e", 5), user(6, 4, "", 0), user(7, 4, "f", 6))
	if d := cmp.Diff([]string{"1 c 3 kept", "3 d 4 kept", "4 f 6 kept"}, f.rows("SELECT * FROM users ORDER BY id")); d != "" {
		t.Error(d)
	}
	f.exec("UPDATE users SET other = 'mine'")
	update := start(t, f.config(map[string]string{"insert.mode": "update", "pk.mode": "record_key", "fields.whitelist": "age"}), &desk{closed: true})
	put(t, update, user(0, 1, "x", 7), user(1, 8, "nobody", 8), user(2, 1, "y", 9))
	if d := cmp.Diff([]string{"1 c 9 mine", "3 d 4 mine", "4 f 6 mine"}, f.rows("SELECT * FROM users ORDER BY id")); d != "" {
		t.Error(d)
	}
	put(t, upsert, user(8, 1, "z", 1)) // what the config has no column for is left alone
	if d := cmp.Diff([]string{"1 z 1 mine"}, f.rows("SELECT * FROM users WHERE id = 1")); d != "" {
		t.Error(d)
	}
}

func TestEvolve_AddsColumnsOfFieldsThatMayBeNull(t *testing.T) {
	f := newFile(t, "CREATE TABLE users (name TEXT)")
	task := start(t, f.config(map[string]string{"auto.evolve": "true"}), &desk{})
	put(t, task, user(0, 1, "a", 1))
	more := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "name", Schema: data.StringSchema}, {Name: "age", Schema: data.OptionalInt32Schema},
		{Name: "city", Schema: &data.Schema{Type: data.KindString, Default: data.String("it's")}}, {Name: "n", Schema: &data.Schema{Type: data.KindInt64, Optional: true, Default: data.Int64(7)}}}}
	put(t, task, connectors.SinkRecord{Topic: "users", Offset: 1, ValueSchema: more, Value: of(more, data.String("b"), data.Null(), data.Null(), data.Null())})
	if d := cmp.Diff([]string{"a 1 it's 7", "b <nil> it's 7"}, f.rows("SELECT name, age, city, n FROM users")); d != "" {
		t.Error(d)
	}
}

func TestErrantRecords_AreReportedAndTheOthersWritten(t *testing.T) {
	f := newFile(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER CHECK (age < 100))")
	d := &desk{}
	task := start(t, f.config(map[string]string{"insert.mode": "upsert", "pk.mode": "record_key", "batch.size": "50"}), d)
	var batch []connectors.SinkRecord
	for i := range int64(200) {
		age := int32(1)
		if i%67 == 3 { // four of them
			age = 100
		}
		batch = append(batch, user(i, i, "u", age))
	}
	batch[10].Value = data.Null()                                                                                    // there are no deletes
	batch[20].Key = of(keySchema, data.Null())                                                                       // its key is null
	batch[30].ValueSchema, batch[30].Value = data.Int64Schema, data.Int64(1)                                         // it is no struct
	other := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "nowhere", Schema: data.StringSchema}}} // there is no such column
	batch[40].ValueSchema, batch[40].Value = other, of(other, data.String("x"))
	put(t, task, batch...)
	if n := f.rows("SELECT count(*) FROM users WHERE age < 100")[0]; n != "193" {
		t.Errorf("%s rows instead of 193", n)
	}
	var offsets []string
	for _, r := range d.records {
		offset, _, _ := strings.Cut(r, ":")
		offsets = append(offsets, offset)
	}
	slices.Sort(offsets)
	if diff := cmp.Diff([]string{"10", "137", "20", "3", "30", "40", "70"}, offsets); diff != "" {
		t.Error(diff, d.records)
	}
}

func TestErrantRecords_FailTheTaskWhereNobodyTakesThem(t *testing.T) {
	f := newFile(t, "CREATE TABLE users (name TEXT, age INTEGER CHECK (age < 100))")
	task := start(t, f.config(nil), &desk{closed: true})
	err := task.Put(t.Context(), &connectors.SinkBatch{Records: []connectors.SinkRecord{user(4, 1, "a", 1), user(5, 1, "b", 100)}})
	if c, _ := connectors.ClassOf(err); err == nil || c != connectors.DataError || !strings.Contains(err.Error(), "offset 5 of partition 0 of topic users") || !strings.Contains(err.Error(), "CHECK") {
		t.Errorf("%v (%v)", err, c)
	}
}

func TestRetry_WritesNothingTwiceOfWhatWasWritten(t *testing.T) {
	f := newFile(t, "CREATE TABLE users (name TEXT, age INTEGER CHECK (age < 100))")
	d := &desk{}
	tk := start(t, f.config(map[string]string{"max.retries": "1", "retry.backoff.ms": "7", "connection.busy_timeout": "1"}), d).(*task)
	batch := []connectors.SinkRecord{user(0, 1, "a", 1), user(1, 1, "b", 100), user(2, 1, "c", 1)}
	conn, err := f.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	lock := func(s string) {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	tk.settle(&batch[0]) // as if its half had been written before the database was locked
	lock("BEGIN EXCLUSIVE")
	if err := tk.Put(t.Context(), &connectors.SinkBatch{Records: batch}); !connectors.IsRetriable(err) || d.Backoff.Milliseconds() != 7 {
		t.Fatalf("%v, %v", err, d.Backoff)
	}
	if err := tk.Put(t.Context(), &connectors.SinkBatch{Records: batch}); connectors.IsRetriable(err) || !strings.Contains(err.Error(), "max.retries") {
		t.Fatalf("%v", err)
	}
	lock("ROLLBACK")
	put(t, tk, batch...)
	put(t, tk, user(0, 1, "d", 1)) // another batch: offset 0 counts again
	if diff := cmp.Diff([]string{"c 1", "d 1"}, f.rows("SELECT * FROM users")); diff != "" || len(d.records) != 1 {
		t.Error(diff, d.records)
	}
}

func TestMissing_TablesAndColumnsFailWithTheirNames(t *testing.T) {
	f := newFile(t)
	task := start(t, f.config(nil), &desk{closed: true})
	batch := &connectors.SinkBatch{Records: []connectors.SinkRecord{user(0, 1, "a", 1)}}
	err := task.Put(t.Context(), batch)
	if c, _ := connectors.ClassOf(err); err == nil || c != connectors.TransientError || connectors.IsRetriable(err) || !strings.Contains(err.Error(), "no table users") {
		t.Errorf("%v (%v)", err, c)
	}
	f.exec("CREATE TABLE users (name TEXT)")
	err = task.Put(t.Context(), batch)
	if c, _ := connectors.ClassOf(err); err == nil || c != connectors.ConfigError || !strings.Contains(err.Error(), "no column for the fields age: auto.evolve=true") {
		t.Errorf("%v (%v)", err, c)
	}
	f.exec("ALTER TABLE users ADD COLUMN age INTEGER")
	put(t, task, batch.Records...)
}

func TestTimestampFields_AreMicrosecondsOrNanoseconds(t *testing.T) {
	schema := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "at", Schema: data.Int64Schema}, {Name: "then", Schema: data.StringSchema}}}
	for mode, unit := range map[string]int64{"microseconds": 1000, "nanoseconds": 1000000} {
		f := newFile(t)
		d := &desk{}
		task := start(t, f.config(map[string]string{"auto.create": "true", "timestamp.fields.list": "at,then", "timestamp.precision.mode": mode}), d)
		put(t, task, connectors.SinkRecord{Topic: "users", ValueSchema: schema, Value: of(schema, data.Int64(1704067200123*unit), data.String(fmt.Sprint(1704067200456*unit)))},
			connectors.SinkRecord{Topic: "users", Offset: 1, ValueSchema: schema, Value: of(schema, data.Int64(0), data.String("yesterday"))})
		if diff := cmp.Diff([]string{"1704067200123 1704067200456"}, f.rows("SELECT * FROM users")); diff != "" || len(d.records) != 1 {
			t.Error(mode, diff, d.records)
		}
	}
}

func TestCheck_RefusesWhatDoesNotFitTogether(t *testing.T) {
	for _, c := range []struct {
		conf map[string]string
		keys []string
	}{
		{nil, nil},
		{map[string]string{"insert.mode": "UPSERT"}, []string{"pk.mode"}},
		{map[string]string{"insert.mode": "update"}, []string{"pk.mode"}},
		{map[string]string{"delete.enabled": "true", "pk.mode": "record_value"}, []string{"delete.enabled"}},
		{map[string]string{"pk.mode": "kafka", "pk.fields": "a,b"}, []string{"pk.fields"}},
		{map[string]string{"connection.url": "jdbc:db2://h"}, []string{"connection.url"}},
	} {
		conf := map[string]string{"connection.url": "jdbc:sqlite:/x"}
		maps.Copy(conf, c.conf)
		var keys []string
		check(conf, func(key, _ string) { keys = append(keys, key) })
		if !slices.Equal(keys, c.keys) {
			t.Errorf("%v: %v instead of %v", c.conf, keys, c.keys)
		}
	}
}

func TestTableOf_NamesTheTable(t *testing.T) {
	for _, c := range []struct {
		conf map[string]string
		want string
	}{{nil, "a-b.c"}, {map[string]string{"table.name.format": "s.x_${topic}"}, "s.x_a-b.c"}, {map[string]string{"table.name.normalize": "true"}, "a_b.c"},
		{map[string]string{"topics.to.tables.mapping": "a-b.c:t"}, "t"}} {
		conf := map[string]string{"connection.url": "jdbc:sqlite:/x"}
		maps.Copy(conf, c.conf)
		s, err := parse(conf)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.tableOf("a-b.c"); got != c.want {
			t.Errorf("%v: %s", c.conf, got)
		}
	}
}
