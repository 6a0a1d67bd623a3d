package dialect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sluice-project/sluice/connectors"
)

// MySQL is the name of the dialect of MySQL and MariaDB.
const MySQL = "MySqlDatabaseDialect"

type mysqlDialect struct {
	mysqlWriter
	database string
}

func parseMariaDB(rest string, p *params) (*Database, error) {
	return parseMySQLOf("mariadb", rest, p, map[string]string{"disable": "false", "trust": "skip-verify", "verify-full": "true"})
}

func parseMySQL(rest string, p *params) (*Database, error) {
	return parseMySQLOf("mysql", rest, p, map[string]string{"disabled": "false", "preferred": "preferred", "required": "skip-verify", "verify_identity": "true"})
}

// parseMySQLOf reads //host[:port]/[database][?parameters], with the parameters of Connector/J and MariaDB's connector.
func parseMySQLOf(scheme, rest string, p *params, ssl map[string]string) (*Database, error) {
	rest, query, _ := strings.Cut(rest, "?")
	if err := p.query(query); err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return nil, fmt.Errorf("jdbc:%s://host:port/database would be right", scheme)
	}
	host, database, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(host, "@"):
		return nil, errors.New("it has a user before the host: use connection.user, or the parameters user and password")
	case strings.ContainsAny(host, ",()="):
		return nil, errors.New("it names several hosts: one would be right")
	}
	name, port := hostPort(host, "3306")
	if name == "" {
		name = "localhost"
	}
	p.credentials("user")
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User, c.Passwd = "tcp", name+":"+port, database, p.user, p.password
	if strings.Contains(name, ":") {
		c.Addr = "[" + name + "]:" + port
	}
	c.Logger, c.Timeout = &mysql.NopLogger{}, connectTimeout
	c.Params = map[string]string{}
	var err error
	if c.TLSConfig, err = mysqlSSL(p, ssl); err != nil {
		return nil, err
	}
	for key, to := range map[string][]*time.Duration{"connectTimeout": {&c.Timeout}, "socketTimeout": {&c.ReadTimeout, &c.WriteTimeout}} {
		s := p.take(key)
		if s == "" {
			continue
		}
		ms, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("the parameter %s must be a number of milliseconds", key)
		}
		for _, d := range to {
			*d = time.Duration(ms) * time.Millisecond //nolint:gosec // it has 31 bits
		}
	}
	if s := p.take("connectionCollation"); s != "" {
		c.Collation = s
	}
	if s := p.take("sessionVariables"); s != "" {
		for v := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' }) {
			k, value, ok := strings.Cut(v, "=")
			if !ok {
				return nil, errors.New("the parameter sessionVariables must be a list of name=value")
			}
			c.Params[strings.TrimSpace(k)] = strings.TrimSpace(value)
		}
	}
	if err := errors.Join(p.only("characterEncoding", "utf8", "utf-8", "utf8mb4"), p.only("useUnicode", "true"), p.only("zeroDateTimeBehavior", "exception"),
		p.only("transformedBitIsBoolean", "false"), p.only("yearIsDateType", "true"), p.only("nullCatalogMeansCurrent", "true"),
		p.only("nullDatabaseMeansCurrent", "true"), p.only("allowMultiQueries", "false", "true")); err != nil {
		return nil, err
	}
	p.ignore("serverTimezone", "connectionTimeZone", "useTimezone", "useLegacyDatetimeCode", "useJDBCCompliantTimezoneShift", "allowPublicKeyRetrieval", "rewriteBatchedStatements",
		"useServerPrepStmts", "cachePrepStmts", "prepStmtCacheSize", "prepStmtCacheSqlLimit", "useCursorFetch", "defaultFetchSize", "autoReconnect", "maxReconnects", "tcpKeepAlive",
		"tinyInt1isBit", "useBulkStmts", "permitMysqlScheme", "useInformationSchema", "cacheServerConfiguration", "elideSetAutoCommits", "maintainTimeStats", "useLocalSessionState")
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("the driver does not take it: %w", err)
	}
	return &Database{Dialect: mysqlDialect{database: database}, Where: scheme + "://" + host + "/" + database, connector: connector}, nil
}

func mysqlSSL(p *params, modes map[string]string) (string, error) {
	mode, err := p.oneOf("sslMode", modes)
	if err != nil || mode != "" {
		p.ignore("useSSL", "requireSSL", "verifyServerCertificate", "trustServerCertificate")
		return mode, err
	}
	use, given, err := p.flag("useSSL")
	if err != nil {
		return "", err
	}
	require, _, err := p.flag("requireSSL")
	if err != nil {
		return "", err
	}
	verify, _, err := p.flag("verifyServerCertificate")
	if err != nil {
		return "", err
	}
	switch {
	case given && !use:
		return "false", nil
	case verify:
		return "true", nil
	case require:
		return "skip-verify", nil
	}
	return "preferred", nil
}

func (mysqlDialect) Name() string             { return MySQL }
func (mysqlDialect) Quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
func (mysqlDialect) Placeholder(int) string   { return "?" }

// Class goes by MySQL's error numbers.
func (mysqlDialect) Class(err error) connectors.ErrorClass {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return connectors.TransientError
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return connectors.OtherError
	}
	switch e.Number {
	case 1040, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 3024: // too many connections, shutdown, aborted, lock waits, deadlocks, read-only, killed
		return connectors.TransientError
	case 1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698: // access denied
		return connectors.AuthorisationError
	case 1049, 1054, 1064, 1146, 1051, 1091: // no such database, column, table; syntax
		return connectors.ConfigError
	case 1048, 1062, 1136, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1690, 3140, 3819, 4025: // the value does not fit
		return connectors.DataError
	}
	return connectors.OtherError
}

func (mysqlDialect) TableTypes() []string { return []string{"TABLE", "VIEW"} }

// Tables are those of the URL's database, or of all where it names none.
func (d mysqlDialect) Tables(ctx context.Context, q Querier, types []string) ([]Table, error) {
	var kinds []string
	for _, t := range types {
		kinds = append(kinds, map[string]string{"TABLE": "'BASE TABLE'", "VIEW": "'VIEW'"}[t])
	}
	query := "SELECT table_schema, '', table_name FROM information_schema.tables WHERE table_type IN (" + strings.Join(kinds, ",") + ")"
	if d.database == "" {
		return listTables(ctx, q, query+" AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')")
	}
	return listTables(ctx, q, query+" AND table_schema = ?", d.database)
}

func (d mysqlDialect) Columns(ctx context.Context, q Querier, t Table) ([]Column, error) {
	database := t.Catalog
	if database == "" {
		database = d.database
	}
	rows, err := q.QueryContext(ctx, `SELECT column_name, upper(data_type), column_type LIKE '%unsigned%', is_nullable = 'YES', extra LIKE '%auto_increment%',
			column_default IS NOT NULL OR extra LIKE '%auto_increment%', column_key = 'PRI', coalesce(numeric_precision, 0), coalesce(numeric_scale, 0)
		FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`, database, t.Name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Column
	for rows.Next() {
		var c Column
		var unsigned bool
		if err := rows.Scan(&c.Name, &c.Type, &unsigned, &c.Nullable, &c.AutoIncrement, &c.HasDefault, &c.PrimaryKey, &c.Precision, &c.Scale); err != nil {
			return nil, err
		}
		if unsigned {
			c.Type = "UNSIGNED " + c.Type
		}
		c.Kind = mysqlKind(c.Type)
		out = append(out, c)
	}
	return out, rows.Err()
}

func mysqlKind(name string) Kind {
	switch name {
	case "BIT", "TINYINT":
		return Int8
	case "SMALLINT", "UNSIGNED TINYINT":
		return Int16
	case "INT", "MEDIUMINT", "UNSIGNED SMALLINT":
		return Int32
	case "BIGINT", "UNSIGNED BIGINT", "UNSIGNED INT", "UNSIGNED MEDIUMINT":
		return Int64
	case "FLOAT", "UNSIGNED FLOAT":
		return Float32
	case "DOUBLE", "UNSIGNED DOUBLE":
		return Float64
	case "DECIMAL", "UNSIGNED DECIMAL":
		return Decimal
	case "CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET", "JSON":
		return String
	case "BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return Bytes
	case "DATE", "YEAR":
		return Date
	case "TIME":
		return Time
	case "DATETIME", "TIMESTAMP":
		return Timestamp
	}
	return Unsupported
}

func (mysqlDialect) Result(_ context.Context, _ Querier, types []*sql.ColumnType) ([]Column, error) {
	return result(types, mysqlKind), nil
}

// Now is the session's wall clock, which is what a TIMESTAMP column shows too.
func (mysqlDialect) Now(ctx context.Context, q Querier, zone *time.Location) (time.Time, error) {
	s, err := scalar[string](ctx, q, "SELECT CAST(CURRENT_TIMESTAMP(6) AS CHAR)")
	if err != nil {
		return time.Time{}, err
	}
	return time.ParseInLocation(wallClock, s, zone)
}

// wallClock is a date and time of day as databases write it, with any fraction.
const wallClock = "2006-01-02 15:04:05.999999999"

func (mysqlDialect) Moment(t time.Time, zone *time.Location, _ Column, expr string) (any, string) {
	return t.In(zone).Format("2006-01-02 15:04:05.000000"), expr
}
