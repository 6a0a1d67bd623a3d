//go:build integration

package jdbc

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/source"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/integration/harness"
)

// config is that of a connector of a database.
func config(db *harness.Database, more map[string]string) map[string]string {
	out := map[string]string{"name": "c", "connection.url": db.JDBC, "connection.user": harness.DatabaseUser, "connection.password": harness.DatabasePassword, "connection.attempts": "1"}
	maps.Copy(out, more)
	return out
}

// started is a source's task.
type started struct {
	t  connectors.SourceTask
	b  *connectors.SourceBatch
	tc *conformance.SourceContext
}

func start(t *testing.T, conf map[string]string, tc *conformance.SourceContext) *started {
	t.Helper()
	c := source.Plugin().NewSource()
	if err := c.Start(t.Context(), &conformance.ConnectorContext{}, conf); err != nil {
		t.Fatal(err)
	}
	plan, err := c.TaskConfigs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &started{t: c.NewTask(), b: connectors.NewSourceBatch(10_000), tc: tc}
	if err := s.t.Start(t.Context(), tc, plan[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.t.Stop(context.WithoutCancel(t.Context())) })
	return s
}

// read polls until a result has ended, commits what came, and returns it.
func (s *started) read(t *testing.T) (out []connectors.SourceRecord) {
	t.Helper()
	s.b.Reset()
	if err := s.t.Poll(t.Context(), s.b); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.b.Records {
		if err := data.Validate(r.ValueSchema, r.Value); err != nil {
			t.Error(err)
		}
		s.tc.Commit(s.b.PartitionMap(r.Partition), conformance.OffsetMap(r.Offset))
		out = append(out, r)
	}
	return out
}

// shown is a field's schema and value as the tables of tests have them.
func shown(r connectors.SourceRecord) map[string]string {
	out := map[string]string{}
	for i, f := range r.ValueSchema.Fields {
		kind := f.Schema.Type.String()
		if f.Schema.Name != "" {
			kind = f.Schema.Name[len("org.apache.kafka.connect.data."):]
		}
		if f.Schema.Optional {
			kind += "?"
		}
		out[f.Name] = fmt.Sprintf("%s %#v", kind, r.Value.Struct().Raw(i))
	}
	return out
}

func TestPostgres_TypesOfTheSource(t *testing.T) {
	db := harness.StartPostgres(t)
	db.Exec("CREATE TYPE mood AS ENUM ('sad', 'glad')", `CREATE TABLE kinds (id SERIAL PRIMARY KEY, flag BOOLEAN NOT NULL, small SMALLINT, big BIGINT, f4 REAL, f8 DOUBLE PRECISION,
		num NUMERIC(10,2), wide NUMERIC, txt TEXT, vc VARCHAR(10), ch CHAR(3), bin BYTEA, day DATE, tod TIME, ts TIMESTAMP, tstz TIMESTAMPTZ, uid UUID, js JSON, jb JSONB, how mood, arr INT[], cash MONEY)`,
		`INSERT INTO kinds VALUES (1, true, -7, 9000000000, 1.5, 2.25, 12.30, 42, 'é', 'v', 'ab', '\x00ff', '2024-02-29', '01:02:03.456', '2024-07-01 12:00:00.123456',
		'2024-07-01 12:00:00.123456+02', '00000000-0000-0000-0000-000000000001', '{"a":1}', '{"a": 1}', 'glad', '{1,2}', 1.5)`, "INSERT INTO kinds (id, flag) VALUES (2, false)")
	zone := map[string]string{"mode": "timestamp+incrementing", "timestamp.column.name": "ts", "incrementing.column.name": "id", "db.timezone": "Europe/Berlin", "poll.interval.ms": "0", "validate.non.null": "false"}
	s := start(t, config(db, zone), &conformance.SourceContext{})
	rows := s.read(t)
	if len(rows) != 1 { // the other has no timestamp
		t.Fatalf("%d rows", len(rows))
	}
	moment := time.Date(2024, 7, 1, 10, 0, 0, 123456000, time.UTC)
	ms := fmt.Sprint(moment.UnixMilli())
	want := map[string]string{"id": "INT32 1", "flag": "BOOLEAN true", "small": "INT16? -7", "big": "INT64? 9000000000", "f4": "FLOAT32? 1.5", "f8": "FLOAT64? 2.25", "num": "Decimal? bytes(04ce)",
		"wide": "Decimal? bytes(2a)", "txt": `STRING? "é"`, "vc": `STRING? "v"`, "ch": `STRING? "ab "`, "bin": "BYTES? bytes(00ff)", "day": "Date? 19782", "tod": "Time? 3723456",
		"ts": "Timestamp? " + ms, "tstz": "Timestamp? " + ms, "uid": `STRING? "00000000-0000-0000-0000-000000000001"`, "js": `STRING? "{\"a\":1}"`, "jb": `STRING? "{\"a\": 1}"`, "how": `STRING? "glad"`, "cash": "FLOAT64? 1.5"}
	if d := cmp.Diff(want, shown(rows[0])); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"incrementing": int64(1), "timestamp": moment.UnixMilli(), "timestamp_nanos": int64(123456000)}, conformance.OffsetMap(rows[0].Offset)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"protocol": "1", "table": "public.kinds"}, s.b.PartitionMap(rows[0].Partition)); d != "" {
		t.Error(d)
	}
	if more := s.read(t); len(more) > 0 {
		t.Errorf("%d rows came again", len(more))
	}
	if more := start(t, config(db, zone), s.tc).read(t); len(more) > 0 { // microseconds are not lost
		t.Errorf("%d rows came again after a restart", len(more))
	}
	query := map[string]string{"mode": "incrementing", "incrementing.column.name": "id", "query": "SELECT * FROM (SELECT id, how, (num * 2)::NUMERIC(12,2) AS twice FROM kinds) AS q", "topic.prefix": "q"}
	q := start(t, config(db, query), &conformance.SourceContext{}).read(t)
	if len(q) != 2 || shown(q[0])["how"] != `STRING? "glad"` {
		t.Errorf("%d rows of the query, %v", len(q), shown(q[0]))
	}
	mapped := map[string]string{"mode": "bulk", "numeric.mapping": "best_fit", "table.whitelist": "public.kinds", "transaction.isolation.mode": "REPEATABLE_READ"}
	if got := shown(start(t, config(db, mapped), &conformance.SourceContext{}).read(t)[0]); got["num"] != "FLOAT64? 12.3" || got["wide"] != "Decimal? bytes(2a)" {
		t.Errorf("%s, %s", got["num"], got["wide"])
	}
}

func TestMariaDB_TypesOfTheSource(t *testing.T) {
	db := harness.StartMariaDB(t)
	db.Exec(`CREATE TABLE kinds (id INT AUTO_INCREMENT PRIMARY KEY, flag TINYINT(1) NOT NULL, small SMALLINT, us SMALLINT UNSIGNED, ui INT UNSIGNED, big BIGINT, f4 FLOAT, f8 DOUBLE,
		num DECIMAL(10,2), txt TEXT, vc VARCHAR(10), bin VARBINARY(10), day DATE, tod TIME(3), ts DATETIME(6), stamp TIMESTAMP(6) NULL, js JSON, how ENUM('sad','glad'), y YEAR, b BIT(1))`,
		`INSERT INTO kinds VALUES (1, 1, -7, 65535, 4294967295, 9000000000, 1.5, 2.25, 12.30, 'é', 'v', x'00ff', '2024-02-29', '01:02:03.456', '2024-07-01 12:00:00.123456',
		'2024-07-01 12:00:00.123456', '{"a":1}', 'glad', 2024, b'1')`, "INSERT INTO kinds (flag) VALUES (0)")
	zone := map[string]string{"mode": "timestamp+incrementing", "timestamp.column.name": "ts", "incrementing.column.name": "id", "db.timezone": "Europe/Berlin", "poll.interval.ms": "0", "validate.non.null": "false"}
	ms := fmt.Sprint(time.Date(2024, 7, 1, 10, 0, 0, 123456000, time.UTC).UnixMilli())
	want := map[string]string{"id": "INT32 1", "flag": "INT8 1", "small": "INT16? -7", "us": "INT32? 65535", "ui": "INT64? 4294967295", "big": "INT64? 9000000000", "f4": "FLOAT32? 1.5",
		"f8": "FLOAT64? 2.25", "num": "Decimal? bytes(04ce)", "txt": `STRING? "é"`, "vc": `STRING? "v"`, "bin": "BYTES? bytes(00ff)", "day": "Date? 19782", "tod": "Time? 3723456",
		"ts": "Timestamp? " + ms, "stamp": "Timestamp? " + ms, "js": `STRING? "{\"a\":1}"`, "how": `STRING? "glad"`, "y": "Date? 19723", "b": "INT8? 1"}
	s := start(t, config(db, zone), &conformance.SourceContext{})
	rows := s.read(t)
	if d := cmp.Diff(want, shown(rows[0])); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"protocol": "1", "table": harness.DatabaseUser + ".kinds"}, s.b.PartitionMap(rows[0].Partition)); d != "" {
		t.Error(d)
	}
	if more := start(t, config(db, zone), s.tc).read(t); len(more) > 0 {
		t.Errorf("%d rows came again after a restart", len(more))
	}
	// Without parameters the server answers in texts.
	all := start(t, config(db, map[string]string{"mode": "bulk", "db.timezone": "Europe/Berlin"}), &conformance.SourceContext{}).read(t)
	if len(all) != 2 {
		t.Fatalf("%d rows", len(all))
	}
	if d := cmp.Diff(want, shown(all[0])); d != "" {
		t.Error(d)
	}
}
