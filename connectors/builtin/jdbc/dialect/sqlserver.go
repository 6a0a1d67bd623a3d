package dialect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golang-sql/civil"
	mssql "github.com/microsoft/go-mssqldb"

	"github.com/sluice-project/sluice/connectors"
)

// SQLServer is the name of SQL Server's dialect.
const SQLServer = "SqlServerDatabaseDialect"

type sqlserver struct{ sqlserverWriter }

// parseSQLServer reads //[host[\instance][:port]][;name=value]..., with the properties of Microsoft's JDBC driver.
func parseSQLServer(rest string, p *params) (*Database, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return nil, errors.New("jdbc:sqlserver://host:port;databaseName=name would be right")
	}
	server, properties, _ := strings.Cut(rest, ";")
	if err := sqlserverProperties(properties, p); err != nil {
		return nil, err
	}
	server, instance, _ := strings.Cut(server, `\`)
	host, port := server, ""
	if instance != "" {
		instance, port = hostPort(instance, "")
	} else {
		host, port = hostPort(server, "")
	}
	if s := p.take("serverName", "server"); host == "" {
		host = s
	}
	if s := p.take("portNumber", "port"); port == "" {
		port = s
	}
	if s := p.take("instanceName", "instance"); instance == "" {
		instance = s
	}
	if host == "" {
		host = "localhost"
	}
	p.credentials("user", "userName")
	database := p.take("databaseName", "database")
	query := url.Values{"database": {database}, "dial timeout": {strconv.Itoa(int(connectTimeout.Seconds()))}, "app name": {"sluice"}}
	if err := sqlserverQuery(p, query); err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "sqlserver", Host: host, Path: instance, RawQuery: query.Encode()}
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, fmt.Errorf("the port %q is not a number", port)
		}
		u.Host = host + ":" + port
	}
	if p.user != "" {
		u.User = url.UserPassword(p.user, p.password)
	}
	connector, err := mssql.NewConnector(u.String())
	if err != nil {
		return nil, errors.New("the driver does not take it") // its own text may have the URL in it
	}
	return &Database{Dialect: sqlserver{}, Where: "sqlserver://" + u.Host + "/" + database, connector: connector}, nil
}

func sqlserverQuery(p *params, query url.Values) error {
	encrypt, err := p.oneOf("encrypt", map[string]string{"true": "true", "mandatory": "true", "false": "false", "optional": "false", "strict": "strict"})
	if err != nil {
		return err
	}
	if encrypt == "" {
		encrypt = "true" // as of version 10 of Microsoft's driver
	}
	query.Set("encrypt", encrypt)
	if trust, given, err := p.flag("trustServerCertificate"); err != nil {
		return err
	} else if given {
		query.Set("TrustServerCertificate", strconv.FormatBool(trust))
	}
	if s := p.take("hostNameInCertificate"); s != "" {
		query.Set("hostNameInCertificate", s)
	}
	if s := p.take("applicationName"); s != "" {
		query.Set("app name", s)
	}
	if s := p.take("applicationIntent"); s != "" {
		query.Set("ApplicationIntent", s)
	}
	if multi, given, err := p.flag("multiSubnetFailover"); err != nil {
		return err
	} else if given {
		query.Set("multisubnetfailover", strconv.FormatBool(multi))
	}
	if s := p.take("loginTimeout"); s != "" {
		if _, err := strconv.ParseUint(s, 10, 31); err != nil {
			return errors.New("the parameter loginTimeout must be a number of seconds")
		}
		query.Set("dial timeout", s)
	}
	p.ignore("sendStringParametersAsUnicode", "selectMethod", "responseBuffering", "useBulkCopyForBatchInsert", "sendTimeAsDatetime", "packetSize", "statementPoolingCacheSize", "disableStatementPooling")
	return errors.Join(p.only("integratedSecurity", "false"), p.only("authentication", "NotSpecified", "SqlPassword"))
}

// sqlserverProperties reads name=value;name={value with ;}.
func sqlserverProperties(text string, p *params) error {
	for rest := text; rest != ""; {
		var name, value string
		var ok bool
		if name, rest, ok = strings.Cut(rest, "="); !ok {
			if strings.Trim(name, "; ") == "" {
				return nil
			}
			return errors.New("a property has no value: name=value would be right")
		}
		if r, braced := strings.CutPrefix(rest, "{"); braced {
			end := -1
			for i := 0; i < len(r); i++ {
				if r[i] != '}' {
					continue
				}
				if i+1 < len(r) && r[i+1] == '}' {
					i++
					continue
				}
				end = i
				break
			}
			if end < 0 {
				return errors.New("the brace of a property's value is not closed")
			}
			value, rest = strings.ReplaceAll(r[:end], "}}", "}"), strings.TrimPrefix(r[end+1:], ";")
		} else {
			value, rest, _ = strings.Cut(rest, ";")
		}
		p.set(strings.TrimSpace(name), value)
	}
	return nil
}

func (sqlserver) Name() string             { return SQLServer }
func (sqlserver) Quote(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }
func (sqlserver) Placeholder(n int) string { return "@p" + strconv.Itoa(n) }

// Class goes by SQL Server's error numbers.
func (sqlserver) Class(err error) connectors.ErrorClass {
	var e mssql.Error
	if !errors.As(err, &e) {
		return connectors.OtherError
	}
	switch e.Number {
	case 1204, 1205, 1222, 3960, 701, 8645, 8651, 10928, 10929, 40197, 40501, 40549, 40550, 40613, 49918, 49919, 49920, 4221, 6005, 976, 983, 3906: // locks, deadlocks, memory, busy, starting, read-only
		return connectors.TransientError
	case 18456, 18452, 18470, 229, 230, 262, 916, 4064, 300: // logins and permissions
		return connectors.AuthorisationError
	case 208, 207, 102, 156, 4060, 2812: // no such object, column, database; syntax
		return connectors.ConfigError
	case 245, 515, 547, 2601, 2627, 2628, 8114, 8115, 8152, 220, 241, 242, 8134: // the value does not fit
		return connectors.DataError
	}
	return connectors.OtherError
}

func (sqlserver) TableTypes() []string { return []string{"TABLE", "VIEW"} }

func (sqlserver) Tables(ctx context.Context, q Querier, types []string) ([]Table, error) {
	return listTables(ctx, q, sqlserverTables(types))
}

func sqlserverTables(types []string) string {
	var kinds []string
	for _, t := range types {
		kinds = append(kinds, map[string]string{"TABLE": "'BASE TABLE'", "VIEW": "'VIEW'"}[t])
	}
	return "SELECT TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE IN (" + strings.Join(kinds, ",") +
		") AND TABLE_SCHEMA NOT IN ('sys', 'INFORMATION_SCHEMA')"
}

const sqlserverColumns = `SELECT c.name, UPPER(ty.name), c.is_nullable, c.is_identity, CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 OR c.is_computed = 1 THEN 1 ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM sys.index_columns ic JOIN sys.indexes i ON i.object_id = ic.object_id AND i.index_id = ic.index_id
			WHERE i.is_primary_key = 1 AND ic.object_id = c.object_id AND ic.column_id = c.column_id) THEN 1 ELSE 0 END, c.precision, c.scale
	FROM sys.columns c JOIN sys.types ty ON ty.user_type_id = c.system_type_id WHERE c.object_id = OBJECT_ID(@p1) ORDER BY c.column_id`

func (d sqlserver) Columns(ctx context.Context, q Querier, t Table) ([]Column, error) {
	rows, err := q.QueryContext(ctx, sqlserverColumns, t.Quoted(d.Quote))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Column
	for rows.Next() {
		var c Column
		if err := rows.Scan(&c.Name, &c.Type, &c.Nullable, &c.AutoIncrement, &c.HasDefault, &c.PrimaryKey, &c.Precision, &c.Scale); err != nil {
			return nil, err
		}
		c.Kind = sqlserverKind(c.Type)
		out = append(out, c)
	}
	return out, rows.Err()
}

func sqlserverKind(name string) Kind {
	switch name {
	case "BIT":
		return Int8
	case "TINYINT", "SMALLINT":
		return Int16
	case "INT":
		return Int32
	case "BIGINT":
		return Int64
	case "REAL":
		return Float32
	case "FLOAT":
		return Float64
	case "NUMERIC":
		return Numeric
	case "DECIMAL", "MONEY", "SMALLMONEY":
		return Decimal
	case "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "TEXT", "NTEXT", "XML", "UNIQUEIDENTIFIER":
		return String
	case "BINARY", "VARBINARY", "IMAGE", "ROWVERSION":
		return Bytes
	case "DATE":
		return Date
	case "TIME":
		return Time
	case "DATETIME", "DATETIME2", "SMALLDATETIME":
		return Timestamp
	case "DATETIMEOFFSET":
		return Instant
	}
	return Unsupported
}

func (sqlserver) Result(_ context.Context, _ Querier, types []*sql.ColumnType) ([]Column, error) {
	out := result(types, sqlserverKind)
	for i := range out {
		switch out[i].Type {
		case "MONEY":
			out[i].Precision, out[i].Scale = 19, 4
		case "SMALLMONEY":
			out[i].Precision, out[i].Scale = 10, 4
		}
	}
	return out, nil
}

func (sqlserver) Now(ctx context.Context, q Querier, zone *time.Location) (time.Time, error) {
	t, err := scalar[time.Time](ctx, q, "SELECT SYSDATETIME()")
	return reread(t, zone), err
}

// Moment: a datetime has ticks of 1/300 s, and is compared with one.
func (sqlserver) Moment(t time.Time, zone *time.Location, c Column, expr string) (any, string) {
	switch {
	case c.Kind == Instant:
		return t, expr
	case c.Type == "DATETIME":
		return mssql.DateTime1(reread(t.In(zone), time.UTC)), expr
	}
	return civil.DateTimeOf(t.In(zone)), expr
}

// reread is the same wall clock in another zone.
func reread(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}
