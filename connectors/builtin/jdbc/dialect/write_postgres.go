package dialect

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

// postgresWriter sends one array of texts a column, whatever the number of rows, and casts them to the columns' types: one
// statement text for all batches, and PostgreSQL's own reading of every type that it has.
type postgresWriter struct{}

func (postgresWriter) Rows(Mode, int) int { return 10_000 }

func (postgresWriter) SQL(s Statement) string {
	names, arrays := make([]string, len(s.Columns)), make([]string, len(s.Columns))
	cast := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i], arrays[i] = fmt.Sprintf("c%d", i+1), fmt.Sprintf("$%d::text[]", i+1)
		cast[i] = fmt.Sprintf("u.c%d::%s", i+1, c.Cast)
	}
	from := "unnest(" + strings.Join(arrays, ",") + ") AS u(" + strings.Join(names, ",") + ")"
	match := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		match[i] = "t." + k + " = " + cast[i]
	}
	set := make([]string, len(s.Others))
	switch s.Mode {
	case Delete:
		return "DELETE FROM " + s.Table + " AS t USING " + from + " WHERE " + strings.Join(match, " AND ")
	case Update:
		for i, o := range s.Others {
			set[i] = o + " = " + cast[len(s.Keys)+i]
		}
		return "UPDATE " + s.Table + " AS t SET " + strings.Join(set, ", ") + " FROM " + from + " WHERE " + strings.Join(match, " AND ")
	}
	text := "INSERT INTO " + s.Table + " (" + strings.Join(s.all(), ",") + ") SELECT " + strings.Join(cast, ",") + " FROM " + from
	if s.Mode == Upsert {
		text += " ON CONFLICT (" + strings.Join(s.Keys, ",") + ") DO "
		if len(s.Others) == 0 {
			return text + "NOTHING"
		}
		text += "UPDATE SET " + mapped(s.Others, ",", func(o string) string { return o + "=EXCLUDED." + o })
	}
	return text
}

func (postgresWriter) Args(s Statement, rows [][]any) []any {
	out := make([]any, len(s.Columns))
	for i := range out {
		column := make([]*string, len(rows))
		for r := range rows {
			if v, ok := rows[r][i].(string); ok {
				column[r] = &v
			}
		}
		out[i] = column
	}
	return out
}

func (w postgresWriter) Value(_ Column, schema *data.Schema, v data.Value, z Zones) (any, error) {
	p, err := plain(schema, v)
	if err != nil || p == nil {
		return nil, err
	}
	return w.text(p, z)
}

func (w postgresWriter) text(p any, z Zones) (string, error) {
	switch x := p.(type) {
	case int64:
		return strconv.FormatInt(x, 10), nil
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), nil
	case bool:
		return strconv.FormatBool(x), nil
	case string:
		if strings.IndexByte(x, 0) >= 0 {
			return "", fmt.Errorf("%w: PostgreSQL takes no text with a zero byte", ErrValue)
		}
		return x, nil
	case []byte:
		return `\x` + hex.EncodeToString(x), nil
	case decimal:
		return string(x), nil
	case day:
		return x.in(z.Date), nil
	case ofDay:
		return x.String(), nil
	case time.Time:
		return stampWithZone(x, z), nil
	}
	elements := p.([]any)
	var b strings.Builder
	b.WriteByte('{')
	for i, e := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		if e == nil {
			b.WriteString("NULL")
			continue
		}
		s, err := w.text(e, z)
		if err != nil {
			return "", err
		}
		if _, nested := e.([]any); nested {
			b.WriteString(s)
			continue
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
	}
	b.WriteByte('}')
	return b.String(), nil
}

// stampWithZone has the wall clock of the zone, which a timestamp takes, and its offset, which a timestamptz heeds.
func stampWithZone(t time.Time, z Zones) string {
	return t.In(z.DB).Format("2006-01-02 15:04:05.999999999-07:00")
}

func (postgresWriter) Stamp(_ Column, t time.Time, z Zones) any { return stampWithZone(t, z) }

func (w postgresWriter) Type(c NewColumn) (string, error) {
	if c.Moment {
		return "TIMESTAMP", nil
	}
	switch c.Schema.Name {
	case data.DecimalName:
		return "DECIMAL", nil
	case data.DateName:
		return "DATE", nil
	case data.TimeName:
		return "TIME", nil
	case data.TimestampName:
		return "TIMESTAMP", nil
	}
	switch c.Schema.Type {
	case data.KindInt8, data.KindInt16:
		return "SMALLINT", nil
	case data.KindInt32:
		return "INT", nil
	case data.KindInt64:
		return "BIGINT", nil
	case data.KindFloat32:
		return "REAL", nil
	case data.KindFloat64:
		return "DOUBLE PRECISION", nil
	case data.KindBool:
		return "BOOLEAN", nil
	case data.KindString:
		return "TEXT", nil
	case data.KindBytes:
		return "BYTEA", nil
	case data.KindArray:
		e, err := w.Type(NewColumn{Name: c.Name, Schema: c.Schema.Elem})
		return e + "[]", err
	}
	return "", noType(c, Postgres)
}

func noType(c NewColumn, dialect string) error {
	return fmt.Errorf("%w: the field %s is a %s, for which %s has no column: flatten it, or make it a text", ErrValue, c.Name, c.Schema.Type, dialect)
}

func (postgresWriter) AddColumns(table string, definitions []string) []string {
	return []string{"ALTER TABLE " + table + " " + mapped(definitions, ", ", func(d string) string { return "ADD COLUMN IF NOT EXISTS " + d })}
}
