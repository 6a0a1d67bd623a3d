package sink

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/data"
)

// table is what the task knows of a table of the database. It is forgotten whenever a write fails: someone may have
// changed it.
type table struct {
	id      dialect.Table
	columns []dialect.Column
}

// describe returns the columns of a shape's fields, in their order, once the table has them all: it makes what is
// missing, if it may.
func (t *task) describe(ctx context.Context, sh *shape) ([]dialect.Column, error) {
	known, ok := t.tables[sh.table]
	if !ok {
		id, err := dialect.ParseTable(t.s.db, sh.table)
		if err != nil {
			return nil, configError(fmt.Errorf("%w, of %s", err, tableKey))
		}
		known = &table{id: id}
		if known.columns, err = t.s.db.Columns(ctx, t.pool, id); err != nil {
			return nil, t.s.db.Error("describing the table "+sh.table, err)
		}
		if len(known.columns) == 0 {
			if err := t.create(ctx, known, sh); err != nil {
				return nil, err
			}
		}
		t.tables[sh.table] = known
	}
	missing := missingFields(known.columns, sh)
	if len(missing) > 0 {
		if err := t.evolve(ctx, known, sh, missing); err != nil {
			delete(t.tables, sh.table)
			return nil, err
		}
		if missing = missingFields(known.columns, sh); len(missing) > 0 {
			return nil, connectors.Classify(connectors.ConfigError, fmt.Errorf("%w: %s has no column %s", ErrTable, sh.table, missing[0].name))
		}
	}
	out := make([]dialect.Column, len(sh.fields))
	for i, f := range sh.fields {
		out[i], _ = dialect.Find(known.columns, f.name)
	}
	return out, nil
}

func missingFields(columns []dialect.Column, sh *shape) (out []field) {
	for _, f := range sh.fields {
		if _, ok := dialect.Find(columns, f.name); !ok {
			out = append(out, f)
		}
	}
	return out
}

func (t *task) create(ctx context.Context, known *table, sh *shape) error {
	if !t.s.Bool(createKey) || sh.deletes {
		// It may come: the task fails, for all to see, and is started again.
		return connectors.Classify(connectors.TransientError, fmt.Errorf("%w: there is no table %s in %s, or the user may not see it; %s=true would make it", ErrTable, sh.table, t.s.db.Where, createKey))
	}
	var definitions, keys []string
	for _, f := range sh.fields {
		d, err := t.definition(f)
		if err != nil {
			return connectors.Classify(connectors.DataError, err)
		}
		definitions = append(definitions, d)
		if f.key {
			keys = append(keys, t.s.quote(f.name))
		}
	}
	if len(keys) > 0 {
		definitions = append(definitions, "PRIMARY KEY("+strings.Join(keys, ",")+")")
	}
	return t.change(ctx, known, sh, []string{"CREATE TABLE " + known.id.Quoted(t.s.quote) + " (" + strings.Join(definitions, ", ") + ")"})
}

func (t *task) evolve(ctx context.Context, known *table, sh *shape, missing []field) error {
	names := make([]string, len(missing))
	definitions := make([]string, len(missing))
	for i, f := range missing {
		names[i] = f.name
		if t.s.Bool(evolveKey) && !f.schema.Optional && f.schema.Default.IsNull() {
			return connectors.Classify(connectors.DataError, fmt.Errorf("%w: %s cannot be altered to add the field %s: it is neither optional nor has a default", ErrTable, sh.table, f.name))
		}
		var err error
		if definitions[i], err = t.definition(f); err != nil {
			return connectors.Classify(connectors.DataError, err)
		}
	}
	if !t.s.Bool(evolveKey) {
		return configError(fmt.Errorf("%w: %s has no column for the fields %s: %s=true would add them", ErrTable, sh.table, strings.Join(names, ", "), evolveKey))
	}
	return t.change(ctx, known, sh, t.s.db.AddColumns(known.id.Quoted(t.s.quote), definitions))
}

// definition is a column as CREATE and ALTER TABLE have it.
func (t *task) definition(f field) (string, error) {
	schema := f.schema
	if schema == nil {
		return "", fmt.Errorf("%w: the field %s has no schema", ErrRecord, f.name)
	}
	kind, err := t.s.db.Type(dialect.NewColumn{Name: f.name, Schema: schema, Key: f.key, Moment: f.moment})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRecord, err)
	}
	out := t.s.quote(f.name) + " " + kind
	if !schema.Default.IsNull() && !f.key {
		text, err := t.literal(schema)
		if err != nil {
			return "", err
		}
		if text != "" {
			return out + " DEFAULT " + text, nil
		}
	}
	switch {
	case f.key || !schema.Optional:
		out += " NOT NULL"
	default:
		out += " NULL"
	}
	return out, nil
}

// literal is a default as a statement has it; empty where a column cannot have one.
func (t *task) literal(schema *data.Schema) (string, error) {
	v, err := t.s.db.Value(dialect.Column{}, schema, schema.Default, t.s.zones)
	if err != nil {
		return "", err
	}
	switch x := v.(type) {
	case string:
		if t.s.db.Name() == dialect.MySQL && schema.Type == data.KindString && schema.Name == "" {
			return "", nil // a TEXT has none in MySQL
		}
		return "'" + strings.ReplaceAll(x, "'", "''") + "'", nil
	case bool:
		if x {
			return "1", nil
		}
		return "0", nil
	case int64, float64:
		return fmt.Sprint(x), nil
	}
	return "", nil
}

// change runs DDL and describes the table anew. What another task was quicker with is no error.
func (t *task) change(ctx context.Context, known *table, sh *shape, statements []string) error {
	var failed error
	for _, s := range statements {
		t.log.Info("the table is changed", "table", sh.table, "statement", s)
		if _, err := t.pool.ExecContext(ctx, s); err != nil {
			failed = t.s.db.Error("changing the table "+sh.table, err)
			break
		}
	}
	columns, err := t.s.db.Columns(ctx, t.pool, known.id)
	if err != nil {
		return t.s.db.Error("describing the table "+sh.table, err)
	}
	known.columns = columns
	if failed != nil && (len(columns) == 0 || len(missingFields(columns, sh)) > 0) {
		return failed
	}
	return nil
}
