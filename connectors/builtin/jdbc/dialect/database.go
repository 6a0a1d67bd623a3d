package dialect

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/internal/clock"
)

// connectTimeout is how long one connection may take to be made where the URL does not say.
const connectTimeout = 30 * time.Second

// Database is one database that connectors talk to. Safe for concurrent use.
type Database struct {
	Dialect
	// Where is the database without its user, password and parameters, for messages.
	Where     string
	connector driver.Connector
	secrets   []string
}

// Open returns a pool. It connects when it is first used; the caller closes it.
func (d *Database) Open() *sql.DB {
	db := sql.OpenDB(d.connector)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}

// Connect opens a pool and makes a connection, in that many attempts with a pause between them.
func (d *Database) Connect(ctx context.Context, clk clock.Clock, attempts int, pause time.Duration) (*sql.DB, error) {
	db := d.Open()
	for attempt := 1; ; attempt++ {
		err := db.PingContext(ctx)
		if err == nil {
			return db, nil
		}
		err = d.Error("connecting", err)
		if c, _ := connectors.ClassOf(err); attempt >= attempts || c != connectors.TransientError || !pace.Wait(ctx, clk, pause) {
			_ = db.Close() // it has no connection
			return nil, err
		}
	}
}

// Error says what the database could not do, without passwords, and of which class of trouble that is. Nil stays nil.
func (d *Database) Error(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	text := err.Error()
	for _, s := range d.secrets {
		text = strings.ReplaceAll(text, s, "[hidden]")
	}
	return connectors.Classify(d.classOf(err), &Error{text: fmt.Sprintf("jdbc: %s, %s: %s", d.Where, op, text), err: err})
}

func (d *Database) classOf(err error) connectors.ErrorClass {
	if transport(err) {
		return connectors.TransientError
	}
	return d.Class(err)
}

// Dialect is what differs between databases.
type Dialect interface {
	// Name is the Java connector's name of the dialect, as dialect.name gives it.
	Name() string
	// Class says what an error of the driver is. That the database is away is known before it is asked.
	Class(err error) connectors.ErrorClass
	// Quote is a name in the database's quotes.
	Quote(name string) string
	// Placeholder is the n-th parameter of a statement, from 1 on.
	Placeholder(n int) string

	Reader
	Writer
}

// Querier is a *sql.DB, *sql.Conn or *sql.Tx.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Reader is the part of a Dialect that sources need. Errors are the driver's.
type Reader interface {
	// Tables are the tables of the given types (TABLE, VIEW, ...), of all catalogs and schemas that the user may see. Only
	// the system's own are left out.
	Tables(ctx context.Context, q Querier, types []string) ([]Table, error)
	// Columns describes a table; none where there is no such table.
	Columns(ctx context.Context, q Querier, t Table) ([]Column, error)
	// Result describes the columns of rows.
	Result(ctx context.Context, q Querier, types []*sql.ColumnType) ([]Column, error)
	// Now is the database's time. zone is that of its dates without a zone.
	Now(ctx context.Context, q Querier, zone *time.Location) (time.Time, error)
	// Moment makes a timestamp a parameter that is compared with a column, and an expression of the column that it can be
	// compared with. expr is the column, quoted.
	Moment(t time.Time, zone *time.Location, c Column, expr string) (arg any, comparable string)
	// TableTypes are what Tables knows.
	TableTypes() []string
}

// Table names a table. Catalog and Schema are empty where the database has none.
type Table struct{ Catalog, Schema, Name string }

// String is the name with its catalog and schema, without quotes: as the Java connector writes it into source partitions.
func (t Table) String() string { return t.join(func(s string) string { return s }) }

// Quoted is the name for a statement.
func (t Table) Quoted(quote func(string) string) string { return t.join(quote) }

func (t Table) join(f func(string) string) string {
	var parts []string
	for _, p := range []string{t.Catalog, t.Schema, t.Name} {
		if p != "" {
			parts = append(parts, f(p))
		}
	}
	return strings.Join(parts, ".")
}

// SortTables puts tables into the order of their names.
func SortTables(all []Table) {
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.String(), b.String()) })
}

// ParseTable reads a name of one to three parts, each with or without quotes ("x", `x`, [x]). Two parts are a schema and a
// table, or a catalog and a table where the database has no schemas.
func ParseTable(d Dialect, text string) (Table, error) {
	parts, err := splitName(text)
	if err != nil {
		return Table{}, fmt.Errorf("%w: %q: %w", ErrName, text, err)
	}
	switch len(parts) {
	case 1:
		return Table{Name: parts[0]}, nil
	case 2:
		if d.Name() == MySQL {
			return Table{Catalog: parts[0], Name: parts[1]}, nil
		}
		return Table{Schema: parts[0], Name: parts[1]}, nil
	case 3:
		return Table{parts[0], parts[1], parts[2]}, nil
	}
	return Table{}, fmt.Errorf("%w: %q has %d parts: table, schema.table or catalog.schema.table would be right", ErrName, text, len(parts))
}

var closing = map[byte]byte{'"': '"', '`': '`', '[': ']'}

func splitName(text string) (parts []string, err error) {
	for rest := text; ; {
		var part string
		if end, ok := closing[first(rest)]; ok {
			rest = rest[1:]
			for {
				i := strings.IndexByte(rest, end)
				if i < 0 {
					return nil, errors.New("a quote is not closed")
				}
				part, rest = part+rest[:i], rest[i+1:]
				if first(rest) != end { // a quote that stands twice is one
					break
				}
				part, rest = part+string(end), rest[1:]
			}
			if rest != "" && rest[0] != '.' {
				return nil, errors.New("behind a quoted part only a dot may stand")
			}
		} else {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				i = len(rest)
			}
			part, rest = rest[:i], rest[i:]
		}
		if part == "" {
			return nil, errors.New("a part is empty")
		}
		parts = append(parts, part)
		if rest == "" {
			return parts, nil
		}
		rest = rest[1:]
	}
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}
