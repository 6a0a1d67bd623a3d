package dialect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sluice-project/sluice/connectors"
)

// Postgres is the name of PostgreSQL's dialect.
const Postgres = "PostgreSqlDatabaseDialect"

type postgres struct{ postgresWriter }

// parsePostgres reads [//host[:port][,host[:port]]/][database][?parameters], with the parameters of pgjdbc.
func parsePostgres(rest string, p *params) (*Database, error) {
	rest, query, _ := strings.Cut(rest, "?")
	if err := p.query(query); err != nil {
		return nil, err
	}
	hosts, database := "localhost", rest
	if r, ok := strings.CutPrefix(rest, "//"); ok {
		hosts, database, _ = strings.Cut(r, "/")
		if hosts == "" {
			hosts = "localhost"
		}
	}
	if strings.Contains(hosts, "@") {
		return nil, errors.New("it has a user before the host: use connection.user, or the parameters user and password")
	}
	var names, ports []string
	for h := range strings.SplitSeq(hosts, ",") {
		name, port := hostPort(h, "5432")
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, fmt.Errorf("the port %q is not a number", port)
		}
		names, ports = append(names, name), append(ports, port)
	}
	p.credentials("user")
	conf := map[string]string{"host": strings.Join(names, ","), "port": strings.Join(ports, ","), "user": p.user, "password": p.password, "dbname": database}
	if database == "" {
		conf["dbname"] = p.user
	}
	if err := postgresSSL(p, conf); err != nil {
		return nil, err
	}
	target, err := p.oneOf("targetServerType", map[string]string{"any": "any", "primary": "primary", "master": "primary", "secondary": "standby", "slave": "standby",
		"prefersecondary": "prefer-standby", "preferslave": "prefer-standby"})
	if err != nil {
		return nil, err
	}
	conf["target_session_attrs"] = target
	conf["application_name"] = p.take("ApplicationName")
	conf["search_path"] = p.take("currentSchema")
	conf["options"] = p.take("options")
	conf["connect_timeout"] = strconv.Itoa(int(connectTimeout.Seconds()))
	if s := p.take("connectTimeout", "loginTimeout"); s != "" {
		if _, err := strconv.ParseUint(s, 10, 31); err != nil {
			return nil, errors.New("the parameter connectTimeout must be a number of seconds")
		}
		conf["connect_timeout"] = s
	}
	p.ignore("reWriteBatchedInserts", "prepareThreshold", "preparedStatementCacheQueries", "preparedStatementCacheSizeMiB", "defaultRowFetchSize", "tcpKeepAlive",
		"stringtype", "loggerLevel", "loggerFile", "binaryTransfer", "assumeMinServerVersion", "gssEncMode", "quoteReturningIdentifiers")
	var text strings.Builder
	for _, k := range []string{"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "target_session_attrs",
		"application_name", "search_path", "options", "connect_timeout"} {
		if v := conf[k]; v != "" {
			fmt.Fprintf(&text, "%s='%s' ", k, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v))
		}
	}
	c, err := pgx.ParseConfig(text.String())
	if err != nil {
		var parse *pgconn.ParseConfigError
		if errors.As(err, &parse) { // its own text has the settings in it
			err = parse.Unwrap()
		}
		return nil, fmt.Errorf("the driver does not take it: %w", err)
	}
	c.RuntimeParams["TimeZone"] = "UTC"
	// A statement is described whenever it is run: its result may have changed, and it may go to another server.
	c.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	return &Database{Dialect: postgres{}, Where: "postgresql://" + hosts + "/" + conf["dbname"], connector: stdlib.GetConnector(*c)}, nil
}

// postgresSSL takes what is about TLS. ssl=true alone verifies, as pgjdbc's does.
func postgresSSL(p *params, conf map[string]string) error {
	mode, err := p.oneOf("sslmode", map[string]string{"disable": "disable", "allow": "allow", "prefer": "prefer", "require": "require", "verify-ca": "verify-ca", "verify-full": "verify-full"})
	if err != nil {
		return err
	}
	// A parameter ssl without a value is true.
	_, bare := p.values["ssl"]
	bare = bare && p.values["ssl"] == ""
	on, given, err := p.flag("ssl")
	if err != nil {
		return err
	}
	switch factory := p.take("sslfactory"); factory {
	case "":
	case "org.postgresql.ssl.NonValidatingFactory":
		if mode == "" {
			mode = "require"
		}
	case "org.postgresql.ssl.LibPQFactory", "org.postgresql.ssl.jdbc4.LibPQFactory":
	default:
		return errors.New("the parameter sslfactory is not supported with this class: use sslmode and sslrootcert")
	}
	if mode == "" && (on || bare) {
		mode = "verify-full"
	}
	if mode == "" && given {
		mode = "disable"
	}
	if mode == "" {
		mode = "prefer"
	}
	conf["sslmode"] = mode
	for _, k := range []string{"sslrootcert", "sslcert", "sslkey", "sslpassword"} {
		conf[k] = p.take(k)
	}
	if s := conf["sslpassword"]; s != "" {
		p.secrets = append(p.secrets, s)
	}
	if strings.HasSuffix(conf["sslkey"], ".pk8") || strings.HasSuffix(conf["sslkey"], ".p12") {
		return errors.New("the parameter sslkey must name a key in PEM: openssl pkcs8 -inform DER -in key.pk8 -out key.pem makes one")
	}
	return nil
}

// hostPort splits host:port; an IPv6 address stands in brackets.
func hostPort(s, port string) (string, string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") && strings.Count(s[strings.LastIndexByte(s, ']')+1:], ":") == 1 {
		s, port = s[:i], s[i+1:]
	}
	return strings.Trim(s, "[]"), port
}

func (postgres) Name() string             { return Postgres }
func (postgres) Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func (postgres) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Class goes by the SQLSTATE.
func (postgres) Class(err error) connectors.ErrorClass {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var c *pgconn.ConnectError
		if errors.As(err, &c) {
			return connectors.TransientError
		}
		return connectors.OtherError
	}
	switch e.Code {
	case "42501": // insufficient_privilege
		return connectors.AuthorisationError
	case "3D000", "3F000": // no such database, no such schema
		return connectors.ConfigError
	case "55P03", "57014": // lock_not_available, query_canceled
		return connectors.TransientError
	case "25006": // a server that became a standby
		return connectors.TransientError
	}
	switch e.Code[:2] {
	case "08", "40", "53", "57", "58": // connections, serialisation and deadlocks, resources, the operator, the system
		return connectors.TransientError
	case "28":
		return connectors.AuthorisationError
	case "22", "23":
		return connectors.DataError
	case "42":
		return connectors.ConfigError
	}
	return connectors.OtherError
}

func (postgres) TableTypes() []string {
	return []string{"TABLE", "PARTITIONED TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}
}

var postgresKinds = map[string]string{"TABLE": "r", "PARTITIONED TABLE": "p", "VIEW": "v", "MATERIALIZED VIEW": "m", "FOREIGN TABLE": "f"}

func (d postgres) Tables(ctx context.Context, q Querier, types []string) ([]Table, error) {
	kinds := ""
	for _, t := range types {
		kinds += postgresKinds[t]
	}
	// Partitions are tables, unless the tables that they are parts of are there too.
	return listTables(ctx, q, `SELECT '', n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE position(c.relkind::text IN $1) > 0 AND c.relpersistence <> 't' AND NOT (c.relispartition AND position('p' IN $1) > 0)
		AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`, kinds)
}

func (d postgres) Columns(ctx context.Context, q Querier, t Table) ([]Column, error) {
	name := t.Quoted(d.Quote)
	rows, err := q.QueryContext(ctx, `SELECT a.attname, upper(ty.typname), ty.typtype::text, ty.oid::bigint, a.atttypmod, a.attnotnull, a.attidentity <> '' OR coalesce(pg_get_expr(ad.adbin, ad.adrelid), '') LIKE 'nextval(%',
			ad.adbin IS NOT NULL OR a.attidentity <> '', coalesce(i.indisprimary, false), quote_ident(n.nspname) || '.' || quote_ident(ty.typname)
		FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid JOIN pg_namespace n ON n.oid = ty.typnamespace
		LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
		LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Column
	for rows.Next() {
		var c Column
		var kind string
		var oid int64
		var mod int
		var notNull bool
		if err := rows.Scan(&c.Name, &c.Type, &kind, &oid, &mod, &notNull, &c.AutoIncrement, &c.HasDefault, &c.PrimaryKey, &c.Cast); err != nil {
			return nil, err
		}
		c.Nullable = !notNull
		c.Kind = postgresKind(c.Type, kind)
		if c.Kind == Numeric && mod >= 4 {
			c.Precision, c.Scale = (mod-4)>>16&0xffff, (mod-4)&0xffff
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func postgresKind(name, typtype string) Kind {
	if typtype == "e" || name == "CITEXT" {
		return String
	}
	switch name {
	case "BOOL":
		return Bool
	case "INT2":
		return Int16
	case "INT4":
		return Int32
	case "INT8", "OID":
		return Int64
	case "FLOAT4":
		return Float32
	case "FLOAT8", "MONEY":
		return Float64
	case "NUMERIC":
		return Numeric
	case "TEXT", "VARCHAR", "BPCHAR", "CHAR", "NAME", "JSON", "JSONB", "UUID", "XML":
		return String
	case "BYTEA":
		return Bytes
	case "DATE":
		return Date
	case "TIME", "TIMETZ":
		return Time
	case "TIMESTAMP":
		return Timestamp
	case "TIMESTAMPTZ":
		return Instant
	}
	return Unsupported
}

func (d postgres) Result(ctx context.Context, q Querier, types []*sql.ColumnType) ([]Column, error) {
	out := result(types, func(name string) Kind { return postgresKind(name, "") })
	for i := range out {
		if out[i].Precision > 1000 { // what the driver makes of a numeric without one
			out[i].Precision, out[i].Scale = 0, 0
		}
		if out[i].Kind != Unsupported {
			continue
		}
		oid, err := strconv.ParseUint(out[i].Type, 10, 32)
		if err != nil { // the driver knows the type, and there is nothing to learn
			continue
		}
		if err := d.look(ctx, q, oid, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// look asks for a type that the driver does not know.
func (postgres) look(ctx context.Context, q Querier, oid uint64, c *Column) error {
	rows, err := q.QueryContext(ctx, "SELECT upper(typname), typtype::text FROM pg_type WHERE oid::bigint = $1", int64(oid)) //nolint:gosec // it has 32 bits
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var kind string
		if err := rows.Scan(&c.Type, &kind); err != nil {
			return err
		}
		c.Kind = postgresKind(c.Type, kind)
	}
	return rows.Err()
}

func (postgres) Now(ctx context.Context, q Querier, _ *time.Location) (time.Time, error) {
	return scalar[time.Time](ctx, q, "SELECT CURRENT_TIMESTAMP")
}

// Moment: the driver sends the wall clock to a timestamp and the moment to a timestamptz; a date has no time of day.
func (postgres) Moment(t time.Time, zone *time.Location, c Column, expr string) (any, string) {
	if c.Kind == Instant {
		return t, expr
	}
	return t.In(zone), expr
}

// listTables reads rows of catalog, schema and name.
func listTables(ctx context.Context, q Querier, query string, args ...any) ([]Table, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Table
	for rows.Next() {
		var t Table
		if err := rows.Scan(&t.Catalog, &t.Schema, &t.Name); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	SortTables(out)
	return out, rows.Err()
}

// scalar is the one value of a query.
func scalar[T any](ctx context.Context, q Querier, query string, args ...any) (out T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return out, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		if rows.Err() != nil {
			return out, rows.Err()
		}
		return out, sql.ErrNoRows
	}
	return out, rows.Scan(&out)
}
