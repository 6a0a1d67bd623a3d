package dialect

import (
	"database/sql"
	"strings"
)

// Kind is what a column holds, JDBC's types as far as Kafka Connect tells them apart.
type Kind uint8

// The kinds of columns.
const (
	Unsupported Kind = iota
	Bool
	Int8
	Int16
	Int32
	Int64
	Float32
	Float64
	// Numeric is what numeric.mapping is about, Decimal what it leaves alone.
	Numeric
	Decimal
	String
	Bytes
	Date
	Time
	// Timestamp has no zone: it is read in db.timezone. Instant has one.
	Timestamp
	Instant
	// Any is a column without a type, as SQLite's may be: its first value says what it is.
	Any
)

// Column is one column of a table, or of rows.
type Column struct {
	Name string
	// Type is the database's name of the type, in capitals, without its parameters.
	Type string
	Kind Kind
	// Precision and Scale are those of a Numeric or Decimal; Precision is 0 where there is none.
	Precision, Scale int
	Nullable         bool
	// AutoIncrement says that the database gives the column its values, in growing order.
	AutoIncrement bool
	PrimaryKey    bool
	HasDefault    bool
	// Cast is the type as a cast names it, where the dialect casts what it writes.
	Cast string
}

// result describes columns by what drivers tell of them.
func result(types []*sql.ColumnType, kind func(name string) Kind) []Column {
	out := make([]Column, len(types))
	for i, t := range types {
		c := Column{Name: t.Name(), Type: t.DatabaseTypeName(), Nullable: true}
		c.Kind = kind(c.Type)
		if nullable, ok := t.Nullable(); ok {
			c.Nullable = nullable
		}
		if p, s, ok := t.DecimalSize(); ok {
			c.Precision, c.Scale = int(p), int(s)
		}
		out[i] = c
	}
	return out
}

// Find returns the column of a name, in any case where there is none of exactly this name and just one of the other.
func Find(columns []Column, name string) (Column, bool) {
	for _, c := range columns {
		if c.Name == name {
			return c, true
		}
	}
	return foldedFind(columns, name)
}
func foldedFind(columns []Column, name string) (found Column, ok bool) {
	for _, c := range columns {
		if strings.EqualFold(c.Name, name) {
			if ok {
				return Column{}, false
			}
			found, ok = c, true
		}
	}
	return found, ok
}
