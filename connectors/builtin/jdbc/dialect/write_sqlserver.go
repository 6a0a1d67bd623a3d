package dialect

import (
	"strings"
	"time"

	"github.com/golang-sql/civil"

	"github.com/sluice-project/sluice/connectors/data"
)

type sqlserverWriter struct{}

func at(n int) string { return sqlserver{}.Placeholder(n) }

// Rows: a statement has at most 2100 parameters, some of which are the driver's, and VALUES at most 1000 rows.
func (sqlserverWriter) Rows(m Mode, columns int) int {
	if m == Update {
		return 1
	}
	return max(1, min(1000, 2090/columns))
}

func (sqlserverWriter) SQL(s Statement) string {
	all := strings.Join(s.all(), ",")
	switch s.Mode {
	case Delete:
		return deleteMany(s, at)
	case Update:
		return updateOne(s, at)
	case Insert:
		return "INSERT INTO " + s.Table + " (" + all + ") VALUES " + values(s.Rows, len(s.Columns), at)
	}
	text := "MERGE INTO " + s.Table
	if s.HoldLock {
		text += " WITH (HOLDLOCK)"
	}
	text += " AS target USING (VALUES " + values(s.Rows, len(s.Columns), at) + ") AS incoming (" + all + ") ON (" +
		mapped(s.Keys, " AND ", func(k string) string { return "target." + k + "=incoming." + k }) + ")"
	if len(s.Others) > 0 {
		text += " WHEN MATCHED THEN UPDATE SET " + mapped(s.Others, ",", func(o string) string { return "target." + o + "=incoming." + o })
	}
	return text + " WHEN NOT MATCHED THEN INSERT (" + all + ") VALUES (" + mapped(s.all(), ",", func(n string) string { return "incoming." + n }) + ");"
}

func (sqlserverWriter) Args(s Statement, rows [][]any) []any { return flat(s, rows) }

func (w sqlserverWriter) Value(c Column, schema *data.Schema, v data.Value, z Zones) (any, error) {
	p, err := plain(schema, v)
	if err != nil {
		return nil, err
	}
	switch x := p.(type) {
	case nil:
		if c.Kind == Bytes { // a null without a type is a text, which no binary column takes
			return []byte(nil), nil
		}
	case decimal:
		return string(x), nil
	case day:
		d, err := civil.ParseDate(x.in(z.Date))
		return d, err
	case ofDay:
		return civil.TimeOf(time.Unix(0, int64(x)).UTC()), nil
	case time.Time:
		return w.Stamp(c, x, z), nil
	case []any:
		return nil, noArray()
	}
	return p, nil
}

func (sqlserverWriter) Stamp(c Column, t time.Time, z Zones) any {
	if c.Kind == Instant {
		return t.In(z.DB)
	}
	return civil.DateTimeOf(t.In(z.DB))
}

func (sqlserverWriter) Type(c NewColumn) (string, error) {
	if c.Moment {
		return "datetime2", nil
	}
	switch c.Schema.Name {
	case data.DecimalName:
		scale, _ := c.Schema.Param(data.ScaleParameter)
		return "decimal(38," + scale + ")", nil
	case data.DateName:
		return "date", nil
	case data.TimeName:
		return "time", nil
	case data.TimestampName:
		return "datetime2", nil
	}
	switch c.Schema.Type {
	case data.KindInt8: // SQL Server's tinyint has no sign, and takes no -1
		return "smallint", nil
	case data.KindInt16:
		return "smallint", nil
	case data.KindInt32:
		return "int", nil
	case data.KindInt64:
		return "bigint", nil
	case data.KindFloat32:
		return "real", nil
	case data.KindFloat64:
		return "float", nil
	case data.KindBool:
		return "bit", nil
	case data.KindString:
		if c.Key { // an index takes 900 bytes
			return "varchar(900)", nil
		}
		return "varchar(max)", nil
	case data.KindBytes:
		return "varbinary(max)", nil
	}
	return "", noType(c, SQLServer)
}

func (sqlserverWriter) AddColumns(table string, definitions []string) []string {
	return []string{"ALTER TABLE " + table + " ADD " + strings.Join(definitions, ", ")}
}
