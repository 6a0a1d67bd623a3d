package source

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/data"
)

// reader reads one table, or the query. Not safe for concurrent use.
//
//	idle ──start──▶ open ──next, until there are no more rows──▶ idle
//	                 └── an error, or close ──▶ idle, and the next start goes on behind position
type reader struct {
	s         settings
	pool      *sql.DB
	log       *slog.Logger
	table     dialect.Table // without a name for the query
	name      string        // for messages
	topic     string
	partition map[string]any
	ids       string   // the column that grows, "" for none
	moments   []string // the columns of timestamps

	position position // behind which the next query goes on
	due      time.Time

	cancel   context.CancelFunc // of the open query
	tx       *sql.Tx            // it is made in, or nil
	rows     *sql.Rows          // nil while idle
	shape    *shape             // nil until the first row of the result
	pending  []dialect.Column   // of the result, for the shape
	idAt     int
	momentAt []int
	scan     []any
	cells    []any
	ahead    *row // the row behind the next one, in mode timestamp
}

// row is one row, and its position.
type row struct {
	value data.Value
	at    position
}

// describe looks the columns of the mode up.
func (r *reader) describe(ctx context.Context) error {
	if r.table.Name == "" {
		return nil
	}
	columns, err := r.s.db.Columns(ctx, r.pool, r.table)
	if err != nil {
		return r.s.db.Error("describing the table "+r.name, err)
	}
	if len(columns) == 0 {
		// It may come: the task fails, for all to see, and is started again.
		return connectors.Classify(connectors.TransientError, fmt.Errorf("%w: there is no table %s in %s, or the user may not see it", ErrTables, r.name, r.s.db.Where))
	}
	if r.s.usesIncrementing() && r.ids == "" {
		i := slices.IndexFunc(columns, func(c dialect.Column) bool { return c.AutoIncrement })
		if i < 0 {
			return configError(fmt.Errorf("%w: the table %s has no auto-incrementing column: name one with %s", ErrColumn, r.name, incrementingKey))
		}
		r.ids = columns[i].Name
	}
	if r.ids != "" {
		c, ok := dialect.Find(columns, r.ids)
		switch {
		case !ok:
			return configError(fmt.Errorf("%w: Incrementing column: %s does not exist in table '%s'", ErrColumn, r.ids, r.name))
		case c.Nullable && r.s.Bool(nonNullKey):
			return configError(fmt.Errorf("%w: Cannot make incremental queries using incrementing column %s on %s because this column is nullable.", ErrColumn, r.ids, r.name))
		}
		r.ids = c.Name
	}
	firm := len(r.moments) == 0
	for i, m := range r.moments {
		c, ok := dialect.Find(columns, m)
		if !ok {
			return configError(fmt.Errorf("%w: Timestamp columns: %s do not exist in table '%s'", ErrColumn, m, r.name))
		}
		r.moments[i], firm = c.Name, firm || !c.Nullable
	}
	if !firm && r.s.Bool(nonNullKey) {
		return configError(fmt.Errorf("%w: Cannot make incremental queries using timestamp columns %s on %s because all of these columns are nullable.", ErrColumn, strings.Join(r.moments, ","), r.name))
	}
	return nil
}

// sql is the query that goes on behind the position, and its parameters.
func (r *reader) sql(ctx context.Context, q dialect.Querier) (string, []any, error) {
	d := r.s.db
	text := r.s.query
	if r.table.Name != "" {
		name := r.table
		if !r.s.Bool(qualifyKey) {
			name = dialect.Table{Name: name.Name}
		}
		text = "SELECT * FROM " + name.Quoted(r.s.quote)
	}
	var args []any
	param := func(v any) string { args = append(args, v); return d.Placeholder(len(args)) }
	ids := r.s.quote(r.ids)
	switch {
	case len(r.moments) > 0:
		column, err := r.momentColumn(ctx, q)
		if err != nil {
			return "", nil, err
		}
		now, err := d.Now(ctx, q, r.s.zone)
		if err != nil {
			return "", nil, err
		}
		moments := mapEach(r.moments, r.s.quote)
		expr := moments
		if len(r.moments) > 1 {
			expr = "COALESCE(" + moments + ")"
		}
		begin, compared := d.Moment(r.position.since(), r.s.zone, column, expr)
		end, _ := d.Moment(now.Add(-r.s.milliseconds(delayKey)), r.s.zone, column, expr)
		if r.ids == "" {
			text += " WHERE " + compared + " > " + param(begin) + " AND " + compared + " < " + param(end) + " ORDER BY " + compared + " ASC"
			break
		}
		text += " WHERE " + compared + " < " + param(end) + " AND ((" + compared + " = " + param(begin) + " AND " + ids + " > " + param(r.position.id) + ") OR " +
			compared + " > " + param(begin) + ") ORDER BY " + compared + "," + ids + " ASC"
	case r.ids != "":
		text += " WHERE " + ids + " > " + param(r.position.id) + " ORDER BY " + ids + " ASC"
	}
	if suffix := strings.TrimSpace(r.s.String(suffixKey)); suffix != "" {
		text += " " + suffix
	}
	return text, args, nil
}

func mapEach(names []string, f func(string) string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = f(n)
	}
	return strings.Join(out, ",")
}

// since is the moment behind which to go on, 1970 where nothing was read, as in the Java connectors.
func (p position) since() time.Time {
	if p.hasTime {
		return p.time
	}
	return time.Unix(0, 0).UTC()
}

// momentColumn is the first column of timestamps; of a query it is taken for one without a zone where that is not known.
func (r *reader) momentColumn(ctx context.Context, q dialect.Querier) (dialect.Column, error) {
	plain := dialect.Column{Name: r.moments[0], Kind: dialect.Timestamp}
	if r.table.Name == "" {
		if r.shape != nil {
			if c, ok := dialect.Find(r.shape.columns, r.moments[0]); ok {
				return c, nil
			}
		}
		return plain, nil
	}
	columns, err := r.s.db.Columns(ctx, q, r.table)
	if err != nil {
		return plain, err
	}
	if c, ok := dialect.Find(columns, r.moments[0]); ok {
		return c, nil
	}
	return plain, nil
}

// begin makes the context of a query, which outlives the poll that makes it. cancel ends it.
func (r *reader) begin(ctx context.Context) (query context.Context) {
	query, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return query
}

// start makes the query, which ctx ends, also later on. close is called whatever comes of it.
func (r *reader) start(ctx context.Context) (err error) {
	var q dialect.Querier = r.pool
	if level, ok := levels[r.s.String(isolationKey)]; ok {
		if r.tx, err = r.pool.BeginTx(ctx, &sql.TxOptions{Isolation: level}); err != nil {
			return r.s.db.Error("beginning a transaction", err)
		}
		q = r.tx
	}
	text, args, err := r.sql(ctx, q)
	if err != nil {
		return r.s.db.Error("reading "+r.name, err)
	}
	var known []dialect.Column
	if r.table.Name != "" { // before there are rows: a transaction has one result at a time
		if known, err = r.s.db.Columns(ctx, q, r.table); err != nil {
			return r.s.db.Error("describing the table "+r.name, err)
		}
	}
	if r.rows, err = q.QueryContext(ctx, text, args...); err != nil {
		return r.s.db.Error("reading "+r.name, err)
	}
	types, err := r.rows.ColumnTypes()
	if err != nil {
		return r.s.db.Error("reading "+r.name, err)
	}
	columns, err := r.s.db.Result(ctx, r.pool, types)
	if err != nil {
		return r.s.db.Error("describing the columns of "+r.name, err)
	}
	for i := range columns {
		if c, ok := dialect.Find(known, columns[i].Name); ok {
			columns[i].Nullable = c.Nullable
		}
	}
	if r.shape == nil || !slices.EqualFunc(r.shape.columns, columns, sameColumn) {
		r.shape = nil
		r.cells, r.scan = make([]any, len(columns)), make([]any, len(columns))
		for i := range r.cells {
			r.scan[i] = &r.cells[i]
		}
		return r.locate(columns)
	}
	return nil
}

var levels = map[string]sql.IsolationLevel{"READ_UNCOMMITTED": sql.LevelReadUncommitted, "READ_COMMITTED": sql.LevelReadCommitted,
	"REPEATABLE_READ": sql.LevelRepeatableRead, "SERIALIZABLE": sql.LevelSerializable, "SQL_SERVER_SNAPSHOT": sql.LevelSnapshot}

// sameColumn compares a column of a shape, whose kind is settled, with one as the result has it.
func sameColumn(a, b dialect.Column) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Precision == b.Precision && a.Scale == b.Scale && a.Nullable == b.Nullable
}

// locate finds the columns of the mode in the result.
func (r *reader) locate(columns []dialect.Column) error {
	r.pending = columns
	find := func(name string) (int, error) {
		c, ok := dialect.Find(columns, name)
		if !ok {
			return 0, configError(fmt.Errorf("%w: the rows of %s have no column %s", ErrColumn, r.name, name))
		}
		return slices.IndexFunc(columns, func(o dialect.Column) bool { return o.Name == c.Name }), nil
	}
	r.idAt, r.momentAt = -1, nil
	if r.ids != "" {
		i, err := find(r.ids)
		if err != nil {
			return err
		}
		r.idAt = i
	}
	for _, m := range r.moments {
		i, err := find(m)
		if err != nil {
			return err
		}
		r.momentAt = append(r.momentAt, i)
	}
	return nil
}

// close ends the query that is open.
func (r *reader) close() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	if r.rows != nil {
		_ = r.rows.Close() // it was only read
	}
	if r.tx != nil {
		_ = r.tx.Rollback()
	}
	r.cancel, r.rows, r.tx, r.ahead = nil, nil, nil, nil
}

// next is the next row, nil at the end.
func (r *reader) next() (*row, error) {
	if r.s.String(modeKey) != timestamp {
		return r.read()
	}
	// A row's timestamp is the offset only once no other row has it: the rest of them would be passed over. So the row
	// behind it is read first.
	if r.ahead == nil {
		var err error
		if r.ahead, err = r.read(); err != nil || r.ahead == nil {
			return nil, err
		}
	}
	cur := r.ahead
	var err error
	if r.ahead, err = r.read(); err != nil {
		return nil, err
	}
	if r.ahead != nil && cur.at.hasTime && r.ahead.at.hasTime && !cur.at.time.Before(r.ahead.at.time) {
		cur.at = r.position
	}
	return cur, nil
}

func (r *reader) read() (*row, error) {
	if !r.rows.Next() {
		return nil, r.s.db.Error("reading "+r.name, r.rows.Err())
	}
	clear(r.cells)
	if err := r.rows.Scan(r.scan...); err != nil {
		return nil, r.s.db.Error("reading "+r.name, err)
	}
	if r.shape == nil {
		r.shape = r.s.newShape(r.table.Name, r.pending, r.cells, r.log)
	}
	out := &row{}
	var err error
	if out.value, err = r.shape.value(r.cells); err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.name, err)
	}
	if r.idAt >= 0 {
		if out.at.id, err = r.id(r.shape.columns[r.idAt], r.cells[r.idAt]); err != nil {
			return nil, connectors.Classify(connectors.DataError, fmt.Errorf("reading %s: %w", r.name, err))
		}
		out.at.hasID = true
	}
	for _, i := range r.momentAt {
		t, ok, err := dialect.ReadTime(moment(r.shape.columns[i]), r.cells[i], r.s.zone)
		if err != nil {
			return nil, connectors.Classify(connectors.DataError, fmt.Errorf("reading %s: %w", r.name, err))
		}
		if ok {
			out.at.time, out.at.hasTime = t, true
			break
		}
	}
	return out, nil
}

// moment takes a date for a timestamp at midnight.
func moment(c dialect.Column) dialect.Column {
	if c.Kind != dialect.Instant {
		c.Kind = dialect.Timestamp
	}
	return c
}

// id is the value of the column that grows.
func (r *reader) id(c dialect.Column, v any) (int64, error) {
	if v == nil {
		return 0, fmt.Errorf("%w: the incrementing column %s is null", dialect.ErrValue, c.Name)
	}
	switch c.Kind {
	case dialect.Int8, dialect.Int16, dialect.Int32, dialect.Int64:
		c.Kind = dialect.Int64
		n, err := dialect.Read(c, v)
		return n.Int(), err
	case dialect.Decimal:
		if c.Scale != 0 {
			return 0, fmt.Errorf("%w: the incrementing column %s has digits behind the point", dialect.ErrValue, c.Name)
		}
		n, err := dialect.Read(c, v)
		if err != nil {
			return 0, err
		}
		whole := data.Unscaled(n)
		if !whole.IsInt64() {
			return 0, fmt.Errorf("%w: the incrementing column %s has a number of more than 64 bits", dialect.ErrValue, c.Name)
		}
		return whole.Int64(), nil
	}
	return 0, fmt.Errorf("%w: the incrementing column %s has the type %s: whole numbers would be right", dialect.ErrValue, c.Name, c.Type)
}
