package dialect

import (
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

type sqliteWriter struct{}

func (sqliteWriter) Rows(m Mode, columns int) int {
	if m == Update {
		return 1
	}
	return max(1, min(1000, 32766/columns)) // SQLITE_MAX_VARIABLE_NUMBER
}

func (sqliteWriter) SQL(s Statement) string {
	switch s.Mode {
	case Delete:
		return deleteMany(s, question)
	case Update:
		return updateOne(s, question)
	}
	text := "INSERT INTO " + s.Table + " (" + strings.Join(s.all(), ",") + ") VALUES " + values(s.Rows, len(s.Columns), question)
	if s.Mode == Upsert {
		text += " ON CONFLICT (" + strings.Join(s.Keys, ",") + ") DO "
		if len(s.Others) == 0 {
			return text + "NOTHING"
		}
		text += "UPDATE SET " + mapped(s.Others, ",", func(o string) string { return o + "=excluded." + o })
	}
	return text
}

func (sqliteWriter) Args(s Statement, rows [][]any) []any { return flat(s, rows) }

// Value writes dates and times as the Java driver does: numbers of milliseconds since 1970.
func (w sqliteWriter) Value(c Column, schema *data.Schema, v data.Value, z Zones) (any, error) {
	p, err := plain(schema, v)
	if err != nil {
		return nil, err
	}
	switch x := p.(type) {
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case decimal:
		return string(x), nil
	case day:
		return time.Time(x).UnixMilli(), nil
	case ofDay:
		return time.Duration(x).Milliseconds(), nil
	case time.Time:
		return w.Stamp(c, x, z), nil
	case []any:
		return nil, noArray()
	}
	return p, nil
}

func (sqliteWriter) Stamp(_ Column, t time.Time, _ Zones) any { return t.UnixMilli() }

func (sqliteWriter) Type(c NewColumn) (string, error) {
	if c.Moment {
		return "NUMERIC", nil
	}
	switch c.Schema.Name {
	case data.DecimalName, data.DateName, data.TimeName, data.TimestampName:
		return "NUMERIC", nil
	}
	switch c.Schema.Type {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64, data.KindBool:
		return "INTEGER", nil
	case data.KindFloat32, data.KindFloat64:
		return "REAL", nil
	case data.KindString:
		return "TEXT", nil
	case data.KindBytes:
		return "BLOB", nil
	}
	return "", noType(c, SQLite)
}

func (sqliteWriter) AddColumns(table string, definitions []string) []string {
	out := make([]string, len(definitions)) // a statement adds one
	for i, d := range definitions {
		out[i] = "ALTER TABLE " + table + " ADD COLUMN " + d
	}
	return out
}
