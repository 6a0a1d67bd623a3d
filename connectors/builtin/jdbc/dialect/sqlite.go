package dialect

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluice-project/sluice/connectors"
)

// SQLite is the name of SQLite's dialect.
const SQLite = "SqliteDatabaseDialect"

type sqliteDialect struct{ sqliteWriter }

// parseSQLite reads path[?parameters] or file:path[?parameters]. The parameters that are known are pragmas.
func parseSQLite(rest string, p *params) (*Database, error) {
	rest, query, _ := strings.Cut(rest, "?")
	if err := p.query(query); err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(strings.TrimPrefix(rest, "file:"), "//")
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, ":resource:") {
		return nil, errors.New("jdbc:sqlite:/path/to/file would be right: a database in memory would be another one for each task")
	}
	p.credentials("user")
	values := url.Values{}
	if mode := p.take("mode"); mode != "" {
		values.Set("mode", mode)
	}
	busy := p.take("busy_timeout")
	if busy == "" {
		busy = "10000"
	}
	if _, err := strconv.ParseUint(busy, 10, 31); err != nil {
		return nil, errors.New("the parameter busy_timeout must be a number of milliseconds")
	}
	values.Add("_pragma", "busy_timeout("+busy+")")
	for _, k := range []string{"journal_mode", "synchronous", "foreign_keys", "cache_size"} {
		if v := p.take(k); v != "" {
			if strings.ContainsFunc(v, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
			}) {
				return nil, fmt.Errorf("the parameter %s must be a word or a number", k)
			}
			values.Add("_pragma", k+"("+v+")")
		}
	}
	p.ignore("date_class", "date_precision", "date_string_format", "shared_cache", "transaction_mode")
	name := (&url.URL{Path: path}).EscapedPath()
	return &Database{Dialect: sqliteDialect{}, Where: "sqlite:" + path, connector: named{&sqlite.Driver{}, "file:" + name + "?" + values.Encode()}}, nil
}

// named is a driver.Connector of a driver that has none.
type named struct {
	driver driver.Driver
	name   string
}

func (n named) Connect(context.Context) (driver.Conn, error) { return n.driver.Open(n.name) }
func (n named) Driver() driver.Driver                        { return n.driver }

func (sqliteDialect) Name() string { return SQLite }
func (sqliteDialect) Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
func (sqliteDialect) Placeholder(int) string { return "?" }

func (sqliteDialect) Class(err error) connectors.ErrorClass {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return connectors.OtherError
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA:
		return connectors.TransientError
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY:
		return connectors.AuthorisationError
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR:
		return connectors.ConfigError
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return connectors.DataError
	}
	return connectors.OtherError
}

func (sqliteDialect) TableTypes() []string { return []string{"TABLE", "VIEW"} }

func (sqliteDialect) Tables(ctx context.Context, q Querier, types []string) ([]Table, error) {
	var kinds []string
	for _, t := range types {
		kinds = append(kinds, map[string]string{"TABLE": "'table'", "VIEW": "'view'"}[t])
	}
	return listTables(ctx, q, "SELECT '', '', name FROM sqlite_schema WHERE type IN ("+strings.Join(kinds, ",")+") AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
}

func (d sqliteDialect) Columns(ctx context.Context, q Querier, t Table) ([]Column, error) {
	rows, err := q.QueryContext(ctx, "SELECT name, upper(type), \"notnull\", dflt_value IS NOT NULL, pk FROM pragma_table_info(?)", t.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Column
	keys := 0
	for rows.Next() {
		var c Column
		var notNull, pk int
		if err := rows.Scan(&c.Name, &c.Type, &notNull, &c.HasDefault, &pk); err != nil {
			return nil, err
		}
		c.Nullable, c.PrimaryKey = notNull == 0, pk > 0
		if c.PrimaryKey {
			keys++
		}
		sqliteType(&c, c.Type)
		out = append(out, c)
	}
	for i := range out {
		// The only key, if it is an INTEGER, is the row's number: never null, and given where it is left out.
		if out[i].PrimaryKey && keys == 1 && out[i].Type == "INTEGER" {
			out[i].AutoIncrement, out[i].Nullable, out[i].HasDefault = true, false, true
		}
	}
	return out, rows.Err()
}

// sqliteType reads a declared type, DECIMAL(10,2) for one.
func sqliteType(c *Column, declared string) {
	name, args, _ := strings.Cut(declared, "(")
	c.Type = strings.TrimSpace(name)
	c.Kind = sqliteKind(c.Type)
	if c.Kind != Numeric && c.Kind != Decimal {
		return
	}
	precision, scale, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(args), ")"), ",")
	c.Precision, _ = strconv.Atoi(strings.TrimSpace(precision)) // without one it is 0
	c.Scale, _ = strconv.Atoi(strings.TrimSpace(scale))
}

func sqliteKind(name string) Kind {
	switch name {
	case "":
		return Any
	case "BOOLEAN", "BOOL":
		return Bool
	case "TINYINT":
		return Int8
	case "SMALLINT", "INT2":
		return Int16
	case "FLOAT", "REAL", "DOUBLE", "DOUBLE PRECISION":
		return Float64
	case "NUMERIC":
		return Numeric
	case "DECIMAL":
		return Decimal
	case "DATE":
		return Date
	case "DATETIME", "TIMESTAMP":
		return Timestamp
	}
	switch { // SQLite's own rules of affinity
	case strings.Contains(name, "INT"):
		return Int64
	case strings.Contains(name, "CHAR"), strings.Contains(name, "CLOB"), strings.Contains(name, "TEXT"):
		return String
	case strings.Contains(name, "BLOB"):
		return Bytes
	}
	return Any
}

func (sqliteDialect) Result(_ context.Context, _ Querier, types []*sql.ColumnType) ([]Column, error) {
	out := result(types, sqliteKind)
	for i := range out {
		out[i].Nullable = true // what the driver says of it is not about the column
		sqliteType(&out[i], strings.ToUpper(out[i].Type))
	}
	return out, nil
}

func (sqliteDialect) Now(ctx context.Context, q Querier, _ *time.Location) (time.Time, error) {
	s, err := scalar[string](ctx, q, "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(wallClock, s)
}

// Moment compares texts of one form, to the millisecond: a TIMESTAMP in SQLite is a text of some form, or a number of
// milliseconds since 1970, as the Java driver writes it.
func (sqliteDialect) Moment(t time.Time, zone *time.Location, _ Column, expr string) (any, string) {
	const form = "'%Y-%m-%d %H:%M:%f'"
	wall := t.In(zone)
	_, offset := wall.Zone()
	millis := fmt.Sprintf("CASE typeof(%[1]s) WHEN 'integer' THEN strftime(%[2]s, %[1]s / 1000.0 + %[3]d, 'unixepoch') ELSE strftime(%[2]s, %[1]s) END", expr, form, offset)
	return wall.Format("2006-01-02 15:04:05.000"), millis
}
