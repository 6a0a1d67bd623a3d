package source

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/await"
)

const users = "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(50) NOT NULL, at TIMESTAMP NOT NULL)"

func TestConformance(t *testing.T) {
	var cases []conformance.Case
	for name, more := range map[string]map[string]string{
		"bulk":                   {"mode": "bulk", "poll.interval.ms": "3600000"},
		"incrementing":           {"mode": "incrementing", "poll.interval.ms": "10"},
		"timestamp":              {"mode": "timestamp", "timestamp.column.name": "at", "poll.interval.ms": "10"},
		"timestamp+incrementing": {"mode": "timestamp+incrementing", "timestamp.column.name": "at", "incrementing.column.name": "id", "batch.max.rows": "7", "poll.interval.ms": "10"},
		"query":                  {"mode": "incrementing", "incrementing.column.name": "id", "query": "SELECT * FROM (SELECT id, upper(name) AS loud FROM users)", "topic.prefix": "q", "poll.interval.ms": "10"},
	} {
		cases = append(cases, conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
			const rows = 20
			insert := "INSERT INTO users (name, at) VALUES ('', '2024-01-01 00:00:00')"
			for i := range rows - 1 {
				insert += fmt.Sprintf(", ('u%d', '2024-01-02 03:04:%02d.%03d')", i, i, i)
			}
			f := newFile(tb, users, insert)
			var broken map[string]string
			if name != "query" {
				broken = f.config(more)
				broken["incrementing.column.name"], broken["mode"] = "nowhere", "incrementing"
			}
			return conformance.Fixture{Config: f.config(more), Broken: broken, Records: rows, NotResumable: name == "bulk"}
		}})
	}
	conformance.Run(t, Plugin(), cases...)
}

func TestBulk_ReadsTheWholeTableEachTime(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00'), ('b', '2024-01-01 00:00:00')")
	r := start(t, f.config(map[string]string{"mode": "bulk", "poll.interval.ms": "1000"}), &conformance.SourceContext{})
	first := r.read()
	want := got{Topic: "t-users", Partition: map[string]any{"protocol": "1", "table": "users"}, Value: map[string]any{"id": int64(1), "name": "a", "at": int64(1704067200000)}}
	first[0].Schema = nil
	if d := cmp.Diff(want, first[0]); d != "" {
		t.Error(d)
	}
	f.exec("UPDATE users SET name = 'c'")
	r.clk.Advance(time.Second)
	if d := cmp.Diff([]any{"c", "c"}, ids(r.read(), "name")); d != "" {
		t.Error(d)
	}
}

func TestIncrementing_GoesOnBehindTheCommittedNumber(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00'), ('b', '2024-01-01 00:00:00')")
	conf := f.config(map[string]string{"mode": "incrementing"})
	tc := &conformance.SourceContext{}
	r := start(t, conf, tc)
	first := r.read()
	if d := cmp.Diff([]map[string]any{{"incrementing": int64(1)}, {"incrementing": int64(2)}}, []map[string]any{first[0].Offset, first[1].Offset}); d != "" {
		t.Error(d)
	}
	f.exec("INSERT INTO users (name, at) VALUES ('c', '2024-01-01 00:00:00')")
	if d := cmp.Diff([]any{int64(3)}, ids(r.read(), "id")); d != "" {
		t.Error(d)
	}
	f.exec("INSERT INTO users (name, at) VALUES ('d', '2024-01-01 00:00:00')")
	if d := cmp.Diff([]any{int64(4)}, ids(start(t, conf, tc).read(), "id")); d != "" {
		t.Error(d)
	}
}

func TestTimestamp_RowsOfOneMomentAreNeverPassedOver(t *testing.T) {
	f := newFile(t, users)
	for i := range 6 { // three moments, two rows each
		f.exec(fmt.Sprintf("INSERT INTO users (name, at) VALUES ('u%d', '2024-01-01 00:00:0%d')", i, i/2))
	}
	conf := f.config(map[string]string{"mode": "timestamp", "timestamp.column.name": "at"})
	for cut := 1; cut <= 6; cut++ {
		tc := &conformance.SourceContext{}
		r := start(t, conf, tc)
		r.b = connectors.NewSourceBatch(cut) // so many come before the crash
		seen := map[any]bool{}
		for _, id := range ids(r.read(), "id") {
			seen[id] = true
		}
		for _, id := range ids(start(t, conf, tc).read(), "id") {
			seen[id] = true
		}
		if len(seen) != 6 {
			t.Errorf("cut after %d rows, %d of 6 came", cut, len(seen))
		}
	}
}

func TestTimestamp_ChangedRowsComeAgain(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00'), ('b', '2024-01-01 00:00:01.250')")
	for _, mode := range []string{"timestamp", "timestamp+incrementing"} {
		tc := &conformance.SourceContext{}
		r := start(t, f.config(map[string]string{"mode": mode, "timestamp.column.name": "at"}), tc)
		first := r.read()
		want := map[string]any{"timestamp": int64(1704067201250), "timestamp_nanos": int64(250000000)}
		if mode != "timestamp" {
			want["incrementing"] = int64(2)
		}
		if d := cmp.Diff(want, first[1].Offset); d != "" {
			t.Error(mode, d)
		}
		f.exec("UPDATE users SET at = '2024-01-01 00:00:09' WHERE id = 1")
		if d := cmp.Diff([]any{int64(1)}, ids(r.read(), "id")); d != "" {
			t.Error(mode, d)
		}
		f.exec("UPDATE users SET at = '2024-01-01 00:00:00' WHERE id = 1")
	}
}

func TestTimestamp_ARowWaitsUntilItIsOldEnough(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('old', datetime('now', '-1 hour')), ('new', datetime('now', '-1 minute'))")
	conf := map[string]string{"mode": "timestamp", "timestamp.column.name": "at", "timestamp.delay.interval.ms": "600000"}
	if d := cmp.Diff([]any{"old"}, ids(start(t, f.config(conf), &conformance.SourceContext{}).read(), "name")); d != "" {
		t.Error(d)
	}
}

func TestTimestamp_BeginsWhereTheConfigSays(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00'), ('b', '2024-01-02 00:00:00')")
	for key, want := range map[string]map[string][]any{
		"timestamp.initial":    {"1704067200000": {"b"}, "-1": {}, "0": {"a", "b"}},
		"timestamp.initial.ms": {"1704067200000": {"b"}, "-1": {"a", "b"}},
	} {
		for value, want := range want {
			conf := f.config(map[string]string{"mode": "timestamp", "timestamp.column.name": "at", key: value})
			if d := cmp.Diff(want, ids(start(t, conf, &conformance.SourceContext{}).read(), "name")); d != "" {
				t.Errorf("%s=%s: %s", key, value, d)
			}
		}
	}
}

// The Java driver stores timestamps as numbers of milliseconds; texts with a T are common too.
func TestTimestamp_EveryFormOfSQLitesTimestamps(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', 1704067200123), ('b', '2024-01-01T00:00:01.500'), ('c', '2024-01-01 00:00:02')")
	r := start(t, f.config(map[string]string{"mode": "timestamp+incrementing", "timestamp.column.name": "at"}), &conformance.SourceContext{})
	if d := cmp.Diff([]any{int64(1704067200123), int64(1704067201500), int64(1704067202000)}, ids(r.read(), "at")); d != "" {
		t.Error(d)
	}
	if more := r.read(); len(more) > 0 {
		t.Errorf("they came again: %v", more)
	}
}

func TestZone_IsThatOfTimestampsWithoutOne(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-07-01 12:00:00')")
	conf := f.config(map[string]string{"mode": "timestamp+incrementing", "timestamp.column.name": "at", "db.timezone": "Europe/Berlin"})
	r := start(t, conf, &conformance.SourceContext{})
	first := r.read()
	if at := time.Date(2024, 7, 1, 10, 0, 0, 0, time.UTC).UnixMilli(); first[0].Value["at"] != at || first[0].Offset["timestamp"] != at {
		t.Errorf("%v", first)
	}
	if more := r.read(); len(more) > 0 {
		t.Errorf("it came again: %v", more)
	}
}

// Offsets as Confluent's connector (with and without protocol 1) and Aiven's write them, from their sources.
func TestResume_FromOffsetsOfTheJavaConnectors(t *testing.T) {
	f := newFile(t, users)
	for i := range 5 {
		f.exec(fmt.Sprintf("INSERT INTO users (name, at) VALUES ('u%d', '2024-01-01 00:00:0%d.5')", i, i))
	}
	third := map[string]any{"incrementing": int64(3), "timestamp": int64(1704067202500), "timestamp_nanos": int64(500000000)}
	for name, c := range map[string]struct {
		mode, query       string
		partition, offset map[string]any
		want              []any
	}{
		"protocol 1":           {mode: "timestamp+incrementing", partition: map[string]any{"protocol": "1", "table": "users"}, offset: third, want: []any{int64(4), int64(5)}},
		"protocol 0":           {mode: "incrementing", partition: map[string]any{"table": "users"}, offset: map[string]any{"incrementing": int64(3)}, want: []any{int64(4), int64(5)}},
		"without nanoseconds":  {mode: "timestamp", partition: map[string]any{"table": "users"}, offset: map[string]any{"timestamp": int64(1704067202500)}, want: []any{int64(4), int64(5)}},
		"another mode's":       {mode: "timestamp", partition: map[string]any{"protocol": "1", "table": "users"}, offset: third, want: []any{int64(4), int64(5)}},
		"a query's":            {mode: "incrementing", query: "SELECT id, name FROM users", partition: map[string]any{"query": "query"}, offset: map[string]any{"incrementing": int64(3)}, want: []any{int64(4), int64(5)}},
		"timestamp, then both": {mode: "timestamp+incrementing", partition: map[string]any{"table": "users"}, offset: map[string]any{"timestamp": int64(1704067202500), "timestamp_nanos": int64(500000000)}, want: []any{int64(3), int64(4), int64(5)}},
	} {
		t.Run(name, func(t *testing.T) {
			tc := &conformance.SourceContext{}
			tc.Commit(c.partition, c.offset)
			conf := f.config(map[string]string{"mode": c.mode, "query": c.query, "incrementing.column.name": "id"})
			if strings.Contains(c.mode, "timestamp") {
				conf["timestamp.column.name"] = "at"
			}
			if d := cmp.Diff(c.want, ids(start(t, conf, tc).read(), "id")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSchema_ChangesWhileItRuns(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00')")
	r := start(t, f.config(map[string]string{"mode": "incrementing"}), &conformance.SourceContext{})
	r.read()
	f.exec("ALTER TABLE users ADD COLUMN age INTEGER", "INSERT INTO users (name, at, age) VALUES ('b', '2024-01-01 00:00:00', 7)")
	second := r.read()
	if second[0].Value["age"] != int64(7) || second[0].Schema.FieldIndex("age") != 3 {
		t.Errorf("%v", second)
	}
	schema := second[0].Schema
	f.exec("INSERT INTO users (name, at, age) VALUES ('c', '2024-01-01 00:00:00', 8)")
	if third := r.read(); third[0].Schema != schema {
		t.Error("an unchanged table got another schema")
	}
}

func TestSchema_TypesOfSQLite(t *testing.T) {
	f := newFile(t, `CREATE TABLE kinds (id INTEGER PRIMARY KEY, flag BOOLEAN NOT NULL, tiny TINYINT, small SMALLINT, real REAL, num NUMERIC(6,2), dec DECIMAL(20,3), text TEXT, bin BLOB, day DATE, at DATETIME, free)`,
		`INSERT INTO kinds VALUES (1, 1, -5, 300, 1.5, 12.34, 12345.678, 'é', x'00ff', '2024-02-29', '2024-02-29 01:02:03', 'any')`,
		`INSERT INTO kinds (id, flag) VALUES (2, 0)`)
	dec := data.DecimalSchema(3)
	dec.Params, dec.Optional = append(dec.Params, data.Param{Key: "connect.decimal.precision", Value: "20"}), true
	for mapping, num := range map[string]*data.Schema{"none": nil, "best_fit": data.OptionalFloat64Schema} {
		r := start(t, f.config(map[string]string{"mode": "bulk", "numeric.mapping": mapping}), &conformance.SourceContext{})
		rows := r.read()
		if num == nil {
			num = data.DecimalSchema(2)
			num.Params, num.Optional = append(num.Params, data.Param{Key: "connect.decimal.precision", Value: "6"}), true
		}
		want := &data.Schema{Type: data.KindStruct, Name: "kinds", Fields: []data.Field{{Name: "id", Schema: data.Int64Schema}, {Name: "flag", Schema: data.BoolSchema},
			{Name: "tiny", Schema: data.OptionalInt8Schema}, {Name: "small", Schema: data.OptionalInt16Schema}, {Name: "real", Schema: data.OptionalFloat64Schema},
			{Name: "num", Schema: num}, {Name: "dec", Schema: dec}, {Name: "text", Schema: data.OptionalStringSchema}, {Name: "bin", Schema: data.OptionalBytesSchema},
			{Name: "day", Schema: optional(data.DateSchema)}, {Name: "at", Schema: optional(data.TimestampSchema)}, {Name: "free", Schema: data.OptionalStringSchema}}}
		if !data.SameSchema(want, rows[0].Schema) {
			t.Errorf("%s: %s", mapping, cmp.Diff(want, rows[0].Schema, cmp.AllowUnexported(data.Value{})))
		}
		value := map[string]any{"id": int64(1), "flag": true, "tiny": int64(-5), "small": int64(300), "real": 1.5, "num": []byte{0x04, 0xd2}, "text": "é", "bin": []byte{0, 255},
			"dec": data.Decimal(big.NewInt(12345678)).Bytes(), "day": int64(19782), "at": int64(1709168523000), "free": "any"}
		if mapping == "best_fit" {
			value["num"] = 12.34
		}
		if d := cmp.Diff(value, rows[0].Value); d != "" {
			t.Error(mapping, d)
		}
		for name, v := range rows[1].Value {
			if v != nil && name != "id" && name != "flag" {
				t.Errorf("%s is %v", name, v)
			}
		}
	}
}

func TestGranularity(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00.123')")
	for grain, want := range map[string]any{"connect_logical": int64(1704067200123), "micros_long": int64(1704067200123000), "micros_string": "1704067200123000",
		"micros_iso_datetime_string": "2024-01-01T00:00:00.123000", "nanos_long": int64(1704067200123000000), "nanos_string": "1704067200123000000",
		"nanos_iso_datetime_string": "2024-01-01T00:00:00.123000000"} {
		r := start(t, f.config(map[string]string{"mode": "timestamp", "timestamp.column.name": "at", "timestamp.granularity": grain}), &conformance.SourceContext{})
		if d := cmp.Diff([]any{want}, ids(r.read(), "at")); d != "" {
			t.Error(grain, d)
		}
	}
}

func TestTables_AreChosenAndSplit(t *testing.T) {
	f := newFile(t)
	for _, n := range []string{"a", "b", "c", "d", "e,x"} {
		f.exec(`CREATE TABLE "` + n + `" (id INTEGER PRIMARY KEY)`)
	}
	f.exec("CREATE VIEW v AS SELECT * FROM a")
	for _, c := range []struct {
		conf map[string]string
		most int
		want []string
	}{
		{nil, 2, []string{`"a","b","c"`, `"d","e,x"`}},
		{nil, 9, []string{`"a"`, `"b"`, `"c"`, `"d"`, `"e,x"`}},
		{map[string]string{"table.whitelist": `a, "c"`}, 3, []string{`"a"`, `"c"`}},
		{map[string]string{"table.blacklist": "a,b"}, 1, []string{`"c","d","e,x"`}},
		{map[string]string{"table.include.list": "[a-c]", "table.exclude.list": "b"}, 1, []string{`"a","c"`}},
		{map[string]string{"table.types": "VIEW"}, 1, []string{`"v"`}},
		{map[string]string{"table.types": "TABLE,VIEW", "table.whitelist": "a,v"}, 4, []string{`"a"`, `"v"`}},
		{map[string]string{"table.whitelist": "nothing"}, 4, []string{""}},
	} {
		conf := f.config(map[string]string{"mode": "bulk"})
		for k, v := range c.conf {
			conf[k] = v
		}
		var got []string
		for _, p := range plan(t, conf, c.most) {
			got = append(got, p["tables"])
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v: %s", c.conf, d)
		}
	}
	r := start(t, f.config(map[string]string{"mode": "bulk"}), &conformance.SourceContext{})
	for range 5 { // also the one with a comma can be read
		if err := r.poll(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTables_ThatComeAreAskedFor(t *testing.T) {
	f := newFile(t, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	c, cc := Plugin().NewSource(), &conformance.ConnectorContext{}
	if err := c.Start(t.Context(), cc, f.config(map[string]string{"mode": "bulk", "table.poll.interval.ms": "10"})); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(context.WithoutCancel(t.Context())) }()
	if _, err := c.TaskConfigs(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f.exec("CREATE TABLE b (id INTEGER PRIMARY KEY)")
	await.Until(t, "another plan is asked for", func() bool { return cc.Requests() > 0 })
}

func TestStart_SaysWhatIsWrong(t *testing.T) {
	f := newFile(t, users, "CREATE TABLE loose (id INTEGER, at TIMESTAMP)")
	for _, c := range []struct {
		conf  map[string]string
		words string
		class connectors.ErrorClass
	}{
		{map[string]string{"mode": "bulk", "table.whitelist": "nothing"}, "no table of sqlite:", connectors.ConfigError},
		{map[string]string{"mode": "incrementing", "table.whitelist": "users", "incrementing.column.name": "x"}, "Incrementing column: x does not exist in table 'users'", connectors.ConfigError},
		{map[string]string{"mode": "incrementing", "table.whitelist": "loose"}, "no auto-incrementing column", connectors.ConfigError},
		{map[string]string{"mode": "incrementing", "table.whitelist": "loose", "incrementing.column.name": "id"}, "nullable", connectors.ConfigError},
		{map[string]string{"mode": "timestamp", "table.whitelist": "loose", "timestamp.column.name": "at"}, "nullable", connectors.ConfigError},
		{map[string]string{"mode": "timestamp", "table.whitelist": "users", "timestamp.column.name": "then"}, "Timestamp columns: then", connectors.ConfigError},
		{map[string]string{"mode": "timestamp", "table.whitelist": "users", "timestamp.columns.mapping": "other:[at]"}, "matches 0 entries", connectors.ConfigError},
	} {
		task := Plugin().NewSource().NewTask()
		err := task.Start(t.Context(), &conformance.SourceContext{}, plan(t, f.config(c.conf), 1)[0])
		if class, _ := connectors.ClassOf(err); err == nil || !strings.Contains(err.Error(), c.words) || class != c.class {
			t.Errorf("%v: %v (%v)", c.conf, err, class)
		}
		_ = task.Stop(t.Context())
	}
}

func TestPoll_ATableThatGoesFailsTheTaskUntilItIsBack(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00')")
	conf, tc := f.config(map[string]string{"mode": "incrementing"}), &conformance.SourceContext{}
	r := start(t, conf, tc)
	r.read()
	f.exec("DROP TABLE users")
	err := r.poll()
	if class, _ := connectors.ClassOf(err); !errors.Is(err, ErrTables) || connectors.IsRetriable(err) || class != connectors.TransientError || !strings.Contains(err.Error(), "users") {
		t.Fatalf("%v (%v)", err, class)
	}
	f.exec(users, "INSERT INTO users (id, name, at) VALUES (2, 'b', '2024-01-01 00:00:00')")
	if d := cmp.Diff([]any{"b"}, ids(r.read(), "name")); d != "" {
		t.Error(d)
	}
}

func TestPoll_TransientErrorsAreRetriedAsOftenAsTheConfigSays(t *testing.T) {
	f := newFile(t, users, "INSERT INTO users (name, at) VALUES ('a', '2024-01-01 00:00:00')")
	conf := f.config(map[string]string{"mode": "incrementing", "query.retry.attempts": "2", "connection.busy_timeout": "1"})
	r := start(t, conf, &conformance.SourceContext{})
	conn, err := f.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.poll(); !connectors.IsRetriable(err) {
			t.Fatalf("%v", err)
		}
	}
	err = r.poll()
	if class, _ := connectors.ClassOf(err); connectors.IsRetriable(err) || class != connectors.TransientError || !strings.Contains(err.Error(), "query.retry.attempts") {
		t.Fatalf("%v (%v)", err, class)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{"a"}, ids(r.read(), "name")); d != "" {
		t.Error(d)
	}
}

func TestCheck_RefusesWhatDoesNotFitTogether(t *testing.T) {
	ok := map[string]string{"connection.url": "jdbc:sqlite:/x", "mode": "bulk"}
	for _, c := range []struct {
		conf map[string]string
		keys []string
	}{
		{nil, nil},
		{map[string]string{"connection.url": "jdbc:oracle:thin:@h"}, []string{"connection.url"}},
		{map[string]string{"connection.url": "jdbc:sqlite:/x?nonsense=1"}, []string{"connection.url"}},
		{map[string]string{"connection.nonsense": "1"}, []string{"connection.url"}},
		{map[string]string{"dialect.name": "MySqlDatabaseDialect"}, []string{"dialect.name"}},
		{map[string]string{"table.whitelist": "a", "table.blacklist": "b"}, []string{"table.blacklist"}},
		{map[string]string{"table.whitelist": "a", "table.include.list": "b"}, []string{"table.include.list"}},
		{map[string]string{"table.exclude.list": "b"}, []string{"table.exclude.list"}},
		{map[string]string{"query": "SELECT 1", "table.whitelist": "a", "topic.prefix": "t"}, []string{"query"}},
		{map[string]string{"query": "SELECT 1"}, []string{"topic.prefix"}},
		{map[string]string{"query": "SELECT 1", "query.masked": "SELECT 1", "topic.prefix": "t"}, []string{"query.masked"}},
		{map[string]string{"topic.prefix": "a b"}, []string{"topic.prefix"}},
		{map[string]string{"mode": "timestamp"}, []string{"timestamp.column.name"}},
		{map[string]string{"mode": "timestamp", "timestamp.columns.mapping": "a:[b]"}, nil},
		{map[string]string{"mode": "incrementing", "query": "SELECT 1", "topic.prefix": "t"}, []string{"incrementing.column.name"}},
		{map[string]string{"mode": "incrementing", "incrementing.column.name": "a", "incrementing.column.mapping": "a:b"}, []string{"incrementing.column.mapping"}},
		{map[string]string{"timestamp.initial": "1", "timestamp.initial.ms": "1"}, []string{"timestamp.initial.ms"}},
		{map[string]string{"timestamp.initial": "-2"}, []string{"timestamp.initial"}},
		{map[string]string{"table.types": "TABLE,SYNONYM"}, []string{"table.types"}},
		{map[string]string{"transaction.isolation.mode": "SQL_SERVER_SNAPSHOT"}, []string{"transaction.isolation.mode"}},
	} {
		conf := map[string]string{}
		for _, m := range []map[string]string{ok, c.conf} {
			for k, v := range m {
				conf[k] = v
			}
		}
		var keys []string
		check(conf, func(key, _ string) { keys = append(keys, key) })
		if !slices.Equal(keys, c.keys) {
			t.Errorf("%v: %v instead of %v", c.conf, keys, c.keys)
		}
	}
}

func TestLike_MatchesAsJDBCDoes(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{{"", "", true}, {"", "a", false}, {"%", "", true}, {"a%", "abc", true}, {"a_c", "abc", true}, {"a_c", "ac", false}, {"%b%", "abc", true}, {"abc", "abd", false}, {"%%", "x", true}} {
		if like(c.pattern, c.s) != c.want {
			t.Errorf("%q and %q", c.pattern, c.s)
		}
	}
}

func TestAlterOffsets_TakesWhatATaskCanReadOnly(t *testing.T) {
	table := map[string]any{"protocol": "1", "table": "users"}
	for _, c := range []struct {
		partition, offset map[string]any
		ok                bool
	}{
		{table, nil, true}, {nil, nil, true}, {table, map[string]any{"incrementing": int64(3)}, true}, {map[string]any{"query": "query"}, map[string]any{"timestamp": int64(3)}, true},
		{table, map[string]any{"incrementing": "3"}, false}, {table, map[string]any{"position": int64(3)}, false}, {map[string]any{"file": "x"}, map[string]any{"incrementing": int64(3)}, false},
		{table, map[string]any{"timestamp": int64(3), "timestamp_nanos": int64(-1)}, false},
	} {
		_, err := (&connector{}).AlterOffsets(t.Context(), nil, []connectors.SourceOffsetChange{{Partition: c.partition, Offset: c.offset}})
		if (err == nil) != c.ok {
			t.Errorf("%v %v: %v", c.partition, c.offset, err)
		}
	}
}
