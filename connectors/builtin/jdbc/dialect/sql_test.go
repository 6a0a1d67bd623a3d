package dialect

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/golang-sql/civil"
	"github.com/google/go-cmp/cmp"
	mssql "github.com/microsoft/go-mssqldb"

	"github.com/sluice-project/sluice/connectors/data"
)

var epoch = time.Unix(0, 0).UTC()

// The texts of MySQL and SQL Server are from their documentation: INSERT ... ON DUPLICATE KEY UPDATE, MERGE.
func TestSQL_OfEachDialect(t *testing.T) {
	columns := []Column{{Name: "k", Cast: "pg_catalog.int4"}, {Name: "a", Cast: "pg_catalog.text"}}
	for _, c := range []struct {
		d    Dialect
		mode Mode
		rows int
		want string
	}{
		{postgres{}, Insert, 2, `INSERT INTO "t" ("k","a") SELECT u.c1::pg_catalog.int4,u.c2::pg_catalog.text FROM unnest($1::text[],$2::text[]) AS u(c1,c2)`},
		{postgres{}, Upsert, 2, `INSERT INTO "t" ("k","a") SELECT u.c1::pg_catalog.int4,u.c2::pg_catalog.text FROM unnest($1::text[],$2::text[]) AS u(c1,c2) ON CONFLICT ("k") DO UPDATE SET "a"=EXCLUDED."a"`},
		{postgres{}, Update, 2, `UPDATE "t" AS t SET "a" = u.c2::pg_catalog.text FROM unnest($1::text[],$2::text[]) AS u(c1,c2) WHERE t."k" = u.c1::pg_catalog.int4`},
		{mysqlDialect{}, Insert, 2, "INSERT INTO `t` (`k`,`a`) VALUES (?,?),(?,?)"},
		{mysqlDialect{}, Upsert, 2, "INSERT INTO `t` (`k`,`a`) VALUES (?,?),(?,?) ON DUPLICATE KEY UPDATE `a`=VALUES(`a`)"},
		{mysqlDialect{}, Update, 1, "UPDATE `t` SET `a` = ? WHERE `k` = ?"},
		{sqliteDialect{}, Upsert, 1, `INSERT INTO "t" ("k","a") VALUES (?,?) ON CONFLICT ("k") DO UPDATE SET "a"=excluded."a"`},
		{sqlserver{}, Insert, 2, "INSERT INTO [t] ([k],[a]) VALUES (@p1,@p2),(@p3,@p4)"},
		{sqlserver{}, Upsert, 2, "MERGE INTO [t] WITH (HOLDLOCK) AS target USING (VALUES (@p1,@p2),(@p3,@p4)) AS incoming ([k],[a]) ON (target.[k]=incoming.[k]) WHEN MATCHED THEN UPDATE SET target.[a]=incoming.[a] WHEN NOT MATCHED THEN INSERT ([k],[a]) VALUES (incoming.[k],incoming.[a]);"},
		{sqlserver{}, Update, 1, "UPDATE [t] SET [a] = @p1 WHERE [k] = @p2"},
	} {
		s := Statement{Mode: c.mode, Table: c.d.Quote("t"), Keys: []string{c.d.Quote("k")}, Others: []string{c.d.Quote("a")}, Columns: columns, Rows: c.rows, HoldLock: true}
		if d := cmp.Diff(c.want, c.d.SQL(s)); d != "" {
			t.Errorf("%s: %s", c.d.Name(), d)
		}
	}
	for _, c := range []struct {
		d    Dialect
		want string
	}{
		{postgres{}, `DELETE FROM "t" AS t USING unnest($1::text[]) AS u(c1) WHERE t."k" = u.c1::pg_catalog.int4`},
		{mysqlDialect{}, "DELETE FROM `t` WHERE `k` IN (?,?)"},
		{sqlserver{}, "DELETE FROM [t] WHERE [k] IN (@p1,@p2)"},
	} {
		s := Statement{Mode: Delete, Table: c.d.Quote("t"), Keys: []string{c.d.Quote("k")}, Columns: columns[:1], Rows: 2}
		if d := cmp.Diff(c.want, c.d.SQL(s)); d != "" {
			t.Errorf("%s: %s", c.d.Name(), d)
		}
	}
	two := Statement{Mode: Delete, Table: "t", Keys: []string{"a", "b"}, Columns: columns, Rows: 2}
	if d := cmp.Diff("DELETE FROM t WHERE (a = ? AND b = ?) OR (a = ? AND b = ?)", mysqlDialect{}.SQL(two)); d != "" {
		t.Error(d)
	}
	keysOnly := Statement{Mode: Upsert, Table: "t", Keys: []string{"k"}, Columns: columns[:1], Rows: 1}
	for d, want := range map[Dialect]string{
		postgres{}:      "INSERT INTO t (k) SELECT u.c1::pg_catalog.int4 FROM unnest($1::text[]) AS u(c1) ON CONFLICT (k) DO NOTHING",
		mysqlDialect{}:  "INSERT INTO t (k) VALUES (?) ON DUPLICATE KEY UPDATE k=VALUES(k)",
		sqliteDialect{}: "INSERT INTO t (k) VALUES (?) ON CONFLICT (k) DO NOTHING",
		sqlserver{}:     "MERGE INTO t AS target USING (VALUES (@p1)) AS incoming (k) ON (target.k=incoming.k) WHEN NOT MATCHED THEN INSERT (k) VALUES (incoming.k);",
	} {
		if diff := cmp.Diff(want, d.SQL(keysOnly)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestArgs_OfAnUpdateHaveTheKeysLast(t *testing.T) {
	s := Statement{Mode: Update, Keys: []string{"k"}, Others: []string{"a", "b"}, Columns: make([]Column, 3)}
	if d := cmp.Diff([]any{2, 3, 1}, mysqlDialect{}.Args(s, [][]any{{1, 2, 3}})); d != "" {
		t.Error(d)
	}
}

func TestRows_KeepBelowTheDatabasesLimits(t *testing.T) {
	for _, c := range []struct {
		d           Dialect
		columns     int
		rows, limit int
	}{{mysqlDialect{}, 10, 6553, 65535}, {sqliteDialect{}, 100, 327, 32766}, {sqlserver{}, 10, 209, 2100}, {sqlserver{}, 1, 1000, 2100}, {sqlserver{}, 5000, 1, 1 << 20}} {
		if got := c.d.Rows(Insert, c.columns); got != c.rows || got*c.columns > c.limit {
			t.Errorf("%s with %d columns: %d", c.d.Name(), c.columns, got)
		}
	}
}

func TestValue_OfEachTypeAndDialect(t *testing.T) {
	berlin, err := Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	z := Zones{DB: berlin, Date: time.UTC}
	at := time.Date(2024, 7, 1, 10, 0, 0, 123000000, time.UTC)
	day, _ := civil.ParseDate("2024-02-29")
	for _, c := range []struct {
		schema             *data.Schema
		v                  data.Value
		pg, my, lite, mssq any
	}{
		{data.Int64Schema, data.Int64(-7), "-7", int64(-7), int64(-7), int64(-7)},
		{data.BoolSchema, data.Bool(true), "true", true, int64(1), true},
		{data.Float64Schema, data.Float64(0.1), "0.1", 0.1, 0.1, 0.1},
		{data.StringSchema, data.String(`a"b`), `a"b`, `a"b`, `a"b`, `a"b`},
		{data.BytesSchema, data.Bytes([]byte{0, 255}), `\x00ff`, []byte{0, 255}, []byte{0, 255}, []byte{0, 255}},
		{data.DecimalSchema(3), data.Decimal(big.NewInt(-7)), "-0.007", "-0.007", "-0.007", "-0.007"},
		{data.DecimalSchema(-2), data.Decimal(big.NewInt(7)), "700", "700", "700", "700"},
		{data.DateSchema, data.Int32(19782), "2024-02-29", "2024-02-29", int64(1709164800000), day},
		{data.TimeSchema, data.Int32(3723456), "01:02:03.456", "01:02:03.456", int64(3723456), civil.Time{Hour: 1, Minute: 2, Second: 3, Nanosecond: 456000000}},
		{data.TimestampSchema, data.Timestamp(at), "2024-07-01 12:00:00.123+02:00", "2024-07-01 12:00:00.123000", at.UnixMilli(), civil.DateTimeOf(at.In(berlin))},
		{data.OptionalInt32Schema, data.Null(), nil, nil, nil, nil},
	} {
		for d, want := range map[Dialect]any{postgres{}: c.pg, mysqlDialect{}: c.my, sqliteDialect{}: c.lite, sqlserver{}: c.mssq} {
			got, err := d.Value(Column{}, c.schema, c.v, z)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s %#v: %v %s", d.Name(), c.v, err, diff)
			}
		}
	}
	list := &data.Schema{Type: data.KindArray, Elem: data.OptionalStringSchema}
	got, err := postgres{}.Value(Column{}, list, data.Array([]data.Value{data.String(`a",\`), data.Null(), data.String("")}), z)
	if err != nil || got != `{"a\",\\",NULL,""}` {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []struct {
		d      Dialect
		schema *data.Schema
		v      data.Value
	}{{mysqlDialect{}, list, data.Array([]data.Value{})}, {postgres{}, nil, data.String("x")}, {postgres{}, data.StringSchema, data.String("a\x00b")},
		{postgres{}, &data.Schema{Type: data.KindMap}, data.MapOf(&data.Map{})}} {
		if _, err := bad.d.Value(Column{}, bad.schema, bad.v, z); !errors.Is(err, ErrValue) {
			t.Errorf("%s %#v: %v", bad.d.Name(), bad.v, err)
		}
	}
}

func TestType_OfEachSchema(t *testing.T) {
	for _, c := range []struct {
		schema             *data.Schema
		key                bool
		pg, my, lite, mssq string
	}{
		{data.Int8Schema, false, "SMALLINT", "TINYINT", "INTEGER", "smallint"}, {data.Int16Schema, false, "SMALLINT", "SMALLINT", "INTEGER", "smallint"},
		{data.Int32Schema, false, "INT", "INT", "INTEGER", "int"}, {data.Int64Schema, false, "BIGINT", "BIGINT", "INTEGER", "bigint"},
		{data.Float32Schema, false, "REAL", "FLOAT", "REAL", "real"}, {data.Float64Schema, false, "DOUBLE PRECISION", "DOUBLE", "REAL", "float"},
		{data.BoolSchema, false, "BOOLEAN", "TINYINT", "INTEGER", "bit"}, {data.StringSchema, false, "TEXT", "TEXT", "TEXT", "varchar(max)"},
		{data.StringSchema, true, "TEXT", "VARCHAR(256)", "TEXT", "varchar(900)"}, {data.BytesSchema, false, "BYTEA", "VARBINARY(1024)", "BLOB", "varbinary(max)"},
		{data.DecimalSchema(2), false, "DECIMAL", "DECIMAL(65,2)", "NUMERIC", "decimal(38,2)"}, {data.DateSchema, false, "DATE", "DATE", "NUMERIC", "date"},
		{data.TimeSchema, false, "TIME", "TIME(3)", "NUMERIC", "time"}, {data.TimestampSchema, false, "TIMESTAMP", "DATETIME(3)", "NUMERIC", "datetime2"},
	} {
		for d, want := range map[Dialect]string{postgres{}: c.pg, mysqlDialect{}: c.my, sqliteDialect{}: c.lite, sqlserver{}: c.mssq} {
			if got, err := d.Type(NewColumn{Name: "x", Schema: c.schema, Key: c.key}); err != nil || got != want {
				t.Errorf("%s %s: %s %v", d.Name(), c.schema.Type, got, err)
			}
		}
	}
}

// What SQL Server's driver gives and takes, from its documentation.
func TestSQLServer_MomentsAndGUIDs(t *testing.T) {
	berlin, _ := Zone("Europe/Berlin")
	at := time.Date(2024, 7, 1, 10, 0, 0, 5, time.UTC)
	for _, c := range []struct {
		c    Column
		want any
	}{{Column{Kind: Timestamp, Type: "DATETIME2"}, civil.DateTimeOf(at.In(berlin))}, {Column{Kind: Instant, Type: "DATETIMEOFFSET"}, at},
		{Column{Kind: Timestamp, Type: "DATETIME"}, mssql.DateTime1(time.Date(2024, 7, 1, 12, 0, 0, 5, time.UTC))}} {
		if got, expr := (sqlserver{}).Moment(at, berlin, c.c, "[x]"); got != c.want || expr != "[x]" {
			t.Errorf("%s: %v %s", c.c.Type, got, expr)
		}
	}
	guid := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}
	v, err := Read(Column{Kind: String, Type: "UNIQUEIDENTIFIER"}, guid)
	if err != nil || v.Str() != "00112233-4455-6677-8899-AABBCCDDEEFF" {
		t.Errorf("%#v %v", v, err)
	}
}

func TestRead_RefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		c Column
		v any
	}{{Column{Kind: Int8}, int64(128)}, {Column{Kind: Int32}, "x"}, {Column{Kind: Int64}, uint64(1 << 63)}, {Column{Kind: Int64}, 1.5}, {Column{Kind: Decimal, Scale: 1}, "1.25"},
		{Column{Kind: Decimal}, "NaN"}, {Column{Kind: Date}, "0000-00-00"}, {Column{Kind: Time}, "-01:00:00"}, {Column{Kind: Bool}, "perhaps"}, {Column{Kind: Bytes}, 1.5}} {
		if v, err := Read(c.c, c.v); !errors.Is(err, ErrValue) {
			t.Errorf("%v %v: %#v %v", c.c.Kind, c.v, v, err)
		}
	}
	if _, _, err := ReadTime(Column{Kind: Timestamp}, "0000-00-00 00:00:00", time.UTC); !errors.Is(err, ErrValue) {
		t.Error(err)
	}
}

func TestDecimals_ReadAndWritten(t *testing.T) {
	for text, want := range map[string]string{"12.30": "12.30", "-0.007": "-0.007", "1e3": "1000", "1.5E-3": "0.0015", "0": "0"} {
		n, scale, ok := ParseDecimal(text)
		if got := FormatDecimal(n, scale); !ok || got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"", ".", "1.2.3", "Infinity", "0x1", "1e99999999999"} {
		if _, _, ok := ParseDecimal(text); ok {
			t.Errorf("%q was taken", text)
		}
	}
}
