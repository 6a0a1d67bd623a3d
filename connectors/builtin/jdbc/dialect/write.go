package dialect

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors/data"
)

// Mode is what a statement does.
type Mode uint8

// The modes of statements.
const (
	Insert Mode = iota
	Upsert
	Update
	Delete
)

// Statement says what is written.
type Statement struct {
	Mode Mode
	// Table is the name as the statement has it.
	Table string
	// Keys and Others are the columns, keys first, as the statement has their names.
	Keys, Others []string
	// Columns describe Keys and Others, in this order.
	Columns []Column
	// Rows is how many rows the statement has.
	Rows int
	// HoldLock has SQL Server's MERGE keep others away from the rows: mssql.use.merge.holdlock.
	HoldLock bool
}

func (s Statement) all() []string { return append(append([]string(nil), s.Keys...), s.Others...) }

// NewColumn is a column to be made.
type NewColumn struct {
	// Name is as the statement has it.
	Name   string
	Schema *data.Schema
	Key    bool
	// Moment says that the field is a number or text that is a timestamp: timestamp.fields.list.
	Moment bool
}

// Zones are those that sinks write dates and times in.
type Zones struct {
	// DB is that of timestamps in columns without a zone: db.timezone. Date is that of dates: date.timezone.
	DB, Date *time.Location
}

// Writer is the part of a Dialect that sinks need.
type Writer interface {
	// SQL is the text of a statement.
	SQL(s Statement) string
	// Rows is the most rows that a statement with that many columns may have.
	Rows(m Mode, columns int) int
	// Args are the parameters of a statement: rows of values, as Value made them.
	Args(s Statement, rows [][]any) []any
	// Value makes a parameter of a value that fits a schema. A schemaless value is an error.
	Value(c Column, schema *data.Schema, v data.Value, z Zones) (any, error)
	// Stamp makes a parameter of a moment.
	Stamp(c Column, t time.Time, z Zones) any
	// Type is the type of a new column; an error wraps ErrValue where there is none.
	Type(c NewColumn) (string, error)
	// AddColumns is how columns are added to a table: one definition each.
	AddColumns(table string, definitions []string) []string
}

// values are n groups of placeholders: (?,?),(?,?).
func values(rows, columns int, placeholder func(n int) string) string {
	var b strings.Builder
	n := 0
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteByte(',')
			}
			n++
			b.WriteString(placeholder(n))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// mapped joins f of each name.
func mapped(names []string, sep string, f func(name string) string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = f(n)
	}
	return strings.Join(out, sep)
}

// updateOne and deleteMany are alike for all databases with placeholders.
func updateOne(s Statement, placeholder func(int) string) string {
	n := 0
	next := func(name string) string { n++; return name + " = " + placeholder(n) }
	return "UPDATE " + s.Table + " SET " + mapped(s.Others, ", ", next) + " WHERE " + mapped(s.Keys, " AND ", next)
}

func deleteMany(s Statement, placeholder func(int) string) string {
	n := 0
	if len(s.Keys) == 1 {
		rows := make([]string, s.Rows)
		for i := range rows {
			rows[i] = placeholder(i + 1)
		}
		return "DELETE FROM " + s.Table + " WHERE " + s.Keys[0] + " IN (" + strings.Join(rows, ",") + ")"
	}
	rows := make([]string, s.Rows)
	for i := range rows {
		rows[i] = "(" + mapped(s.Keys, " AND ", func(name string) string { n++; return name + " = " + placeholder(n) }) + ")"
	}
	return "DELETE FROM " + s.Table + " WHERE " + strings.Join(rows, " OR ")
}

// What plain makes of logical types.
type (
	day     time.Time     // midnight in UTC
	ofDay   time.Duration // since midnight
	decimal string
)

// plain is a value without Kafka Connect's types: nil, bool, int64, float64, string, []byte, decimal, day, ofDay, time.Time
// or []any.
func plain(schema *data.Schema, v data.Value) (any, error) {
	if v.IsNull() {
		return nil, nil
	}
	if schema == nil {
		return nil, fmt.Errorf("%w: it has no schema: set value.converter.schemas.enable=true, or use a converter with schemas", ErrValue)
	}
	switch schema.Name {
	case data.DecimalName:
		text, _ := schema.Param(data.ScaleParameter)
		scale, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%w: a Decimal's schema has the scale %q", ErrValue, text)
		}
		return decimal(FormatDecimal(data.Unscaled(v), scale)), nil
	case data.DateName:
		return day(time.Unix(v.Int()*86400, 0).UTC()), nil
	case data.TimeName:
		return ofDay(time.Duration(v.Int()) * time.Millisecond), nil
	case data.TimestampName:
		return time.UnixMilli(v.Int()).UTC(), nil
	}
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return v.Int(), nil
	case data.KindFloat32, data.KindFloat64:
		return v.Float(), nil
	case data.KindBool:
		return v.Bool(), nil
	case data.KindString:
		return v.Str(), nil
	case data.KindBytes:
		return v.Bytes(), nil
	case data.KindArray:
		out := make([]any, len(v.Array()))
		for i, e := range v.Array() {
			p, err := plain(schema.Elem, e)
			if err != nil {
				return nil, err
			}
			out[i] = p
		}
		return out, nil
	}
	return nil, fmt.Errorf("%w: no column takes a %s: flatten it, or make it a text", ErrValue, v.Kind())
}

// FormatDecimal is unscaled x 10^-scale.
func FormatDecimal(unscaled *big.Int, scale int) string {
	s := new(big.Int).Abs(unscaled).String()
	if scale <= 0 {
		s += strings.Repeat("0", -scale)
	} else {
		if len(s) <= scale {
			s = strings.Repeat("0", scale-len(s)+1) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if unscaled.Sign() < 0 {
		return "-" + s
	}
	return s
}

func (d ofDay) String() string { return time.Unix(0, int64(d)).UTC().Format("15:04:05.000") }

// in is the date that Java's connector writes with a zone: the day on which midnight UTC falls there.
func (d day) in(zone *time.Location) string { return time.Time(d).In(zone).Format("2006-01-02") }
