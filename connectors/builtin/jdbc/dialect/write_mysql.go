package dialect

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

type mysqlWriter struct{}

func question(int) string { return "?" }

// maxParameters is how many parameters a statement of MySQL's protocol may have.
const maxParameters = 65535

func (mysqlWriter) Rows(m Mode, columns int) int {
	if m == Update {
		return 1
	}
	return max(1, min(10_000, maxParameters/columns))
}

func (mysqlWriter) SQL(s Statement) string {
	switch s.Mode {
	case Delete:
		return deleteMany(s, question)
	case Update:
		return updateOne(s, question)
	}
	text := "INSERT INTO " + s.Table + " (" + strings.Join(s.all(), ",") + ") VALUES " + values(s.Rows, len(s.Columns), question)
	if s.Mode == Upsert {
		set := s.Others
		if len(set) == 0 {
			set = s.Keys
		}
		text += " ON DUPLICATE KEY UPDATE " + mapped(set, ",", func(o string) string { return o + "=VALUES(" + o + ")" })
	}
	return text
}

func (mysqlWriter) Args(s Statement, rows [][]any) []any { return flat(s, rows) }

// flat is all rows, one after another; of an update, the others come before the keys.
func flat(s Statement, rows [][]any) []any {
	out := make([]any, 0, len(rows)*len(s.Columns))
	for _, r := range rows {
		if s.Mode == Update {
			out = append(append(out, r[len(s.Keys):]...), r[:len(s.Keys)]...)
			continue
		}
		out = append(out, r...)
	}
	return out
}

func (w mysqlWriter) Value(c Column, schema *data.Schema, v data.Value, z Zones) (any, error) {
	p, err := plain(schema, v)
	if err != nil {
		return nil, err
	}
	switch x := p.(type) {
	case decimal:
		return string(x), nil
	case day:
		return x.in(z.Date), nil
	case ofDay:
		return x.String(), nil
	case time.Time:
		return w.Stamp(c, x, z), nil
	case []any:
		return nil, noArray()
	}
	return p, nil
}

func noArray() error {
	return fmt.Errorf("%w: the database has no arrays: make it a text", ErrValue)
}

func (mysqlWriter) Stamp(_ Column, t time.Time, z Zones) any {
	return t.In(z.DB).Format("2006-01-02 15:04:05.000000")
}

func (mysqlWriter) Type(c NewColumn) (string, error) {
	if c.Moment {
		return "DATETIME(6)", nil
	}
	switch c.Schema.Name {
	case data.DecimalName:
		scale, _ := c.Schema.Param(data.ScaleParameter)
		return "DECIMAL(65," + scale + ")", nil
	case data.DateName:
		return "DATE", nil
	case data.TimeName:
		return "TIME(3)", nil
	case data.TimestampName:
		return "DATETIME(3)", nil
	}
	switch c.Schema.Type {
	case data.KindInt8:
		return "TINYINT", nil
	case data.KindInt16:
		return "SMALLINT", nil
	case data.KindInt32:
		return "INT", nil
	case data.KindInt64:
		return "BIGINT", nil
	case data.KindFloat32:
		return "FLOAT", nil
	case data.KindFloat64:
		return "DOUBLE", nil
	case data.KindBool:
		return "TINYINT", nil
	case data.KindString:
		if c.Key { // a TEXT cannot be one without a length
			return "VARCHAR(256)", nil
		}
		return "TEXT", nil
	case data.KindBytes:
		return "VARBINARY(1024)", nil
	}
	return "", noType(c, MySQL)
}

func (mysqlWriter) AddColumns(table string, definitions []string) []string {
	return []string{"ALTER TABLE " + table + " " + mapped(definitions, ", ", func(d string) string { return "ADD " + d })}
}
