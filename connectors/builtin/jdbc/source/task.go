package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
)

type task struct {
	clk     clock.Clock
	s       settings
	log     *slog.Logger
	pool    *sql.DB
	readers []*reader // the first is read until its result ends, then it becomes the last
	failed  int       // polls in a row that failed with a transient error

	batch *connectors.SourceBatch
	refs  map[*reader]connectors.PartitionRef
}

func (t *task) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	if t.s, err = parse(config); err != nil {
		return err
	}
	t.log, t.readers, t.failed, t.batch = tc.Logger(), nil, 0, nil
	tables, err := splitTables(t.s.db, config[tablesKey])
	if err != nil {
		return configError(err)
	}
	if len(tables) == 0 && t.s.query == "" {
		return configError(fmt.Errorf("%w: no table of %s has a name and a type that the config wants (%s, %s, %s, %s, %s, %s): as soon as one has, the task is started with it",
			ErrTables, t.s.db.Where, whitelistKey, blacklistKey, includeKey, schemaKey, catalogKey, typesKey))
	}
	if t.pool, err = t.s.db.Connect(ctx, t.clk, t.s.Int(dialect.AttemptsKey), t.s.milliseconds(dialect.BackoffKey)); err != nil {
		return err
	}
	if t.s.query != "" {
		tables = []dialect.Table{{}}
	}
	for _, table := range tables {
		r, err := t.reader(table)
		if err != nil {
			return err
		}
		if err := r.describe(ctx); err != nil {
			return err
		}
		if t.s.String(modeKey) != bulk {
			if err := t.resume(ctx, tc, r); err != nil {
				return err
			}
		}
		t.readers = append(t.readers, r)
	}
	return nil
}

func (t *task) reader(table dialect.Table) (*reader, error) {
	r := &reader{s: t.s, pool: t.pool, log: t.log, table: table, name: table.String(), topic: t.s.String(prefixKey) + table.Name, partition: tablePartition(table)}
	if table.Name == "" {
		r.name, r.partition = "the query", queryPartition()
	}
	if t.s.usesIncrementing() {
		r.ids = t.s.String(incrementingKey)
		if t.s.String(incrementingMapKey) != "" && table.Name != "" {
			m, err := parseMapping(t.s.String(incrementingMapKey), false)
			if err != nil {
				return nil, configError(err)
			}
			columns, err := columnsOf(m, incrementingMapKey, table)
			if err != nil {
				return nil, err
			}
			r.ids = columns[0]
		}
	}
	if t.s.usesTimestamp() {
		r.moments = t.s.List(timestampKey)
		if t.s.String(timestampMapKey) != "" && table.Name != "" {
			m, err := parseMapping(t.s.String(timestampMapKey), true)
			if err != nil {
				return nil, configError(err)
			}
			if r.moments, err = columnsOf(m, timestampMapKey, table); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// resume sets the position from the newest offset that there is of the table, or from the config.
func (t *task) resume(ctx context.Context, tc connectors.SourceTaskContext, r *reader) error {
	r.position = position{id: t.s.Long(incrementingInitKey)}
	partitions := []map[string]any{r.partition}
	if r.table.Name != "" {
		partitions = append(partitions, olderPartitions(r.table)...)
	}
	offsets, err := tc.Offsets(ctx, partitions)
	if err != nil {
		return fmt.Errorf("jdbc: reading the committed offset of %s: %w", r.name, err)
	}
	for _, o := range offsets {
		if o == nil {
			continue
		}
		p, err := parseOffset(o)
		if err != nil {
			return fmt.Errorf("%w (%s)", err, r.name)
		}
		if !p.hasID {
			p.id = r.position.id
		}
		r.position = p
		return nil
	}
	return t.begin(ctx, r)
}

// begin sets the position of a table that has no offset.
func (t *task) begin(ctx context.Context, r *reader) error {
	key := timestampInitKey
	if !t.s.Has(key) {
		key = timestampInitMSKey
	}
	if !t.s.usesTimestamp() || !t.s.Has(key) {
		return nil
	}
	r.position.hasTime = true
	if t.s.Long(key) != -1 || key == timestampInitMSKey {
		r.position.time = time.UnixMilli(t.s.Long(key)).UTC()
		return nil
	}
	now, err := t.s.db.Now(ctx, t.pool, t.s.zone)
	if err != nil {
		return t.s.db.Error("asking for the time", err)
	}
	r.position.time = now
	return nil
}

// Poll takes rows of the table whose turn it is, and waits where none is due.
func (t *task) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was stopped
	}
	if t.batch != b {
		t.batch, t.refs = b, map[*reader]connectors.PartitionRef{}
	}
	r, wait := t.turn()
	if wait > 0 {
		pace.UpTo(ctx, t.clk, wait)
		return nil
	}
	first := len(b.Records)
	err := t.fill(ctx, r, b, first+min(b.Room(), t.s.Int(rowsKey)))
	switch {
	case err == nil:
		t.failed = 0
		return nil
	case ctx.Err() != nil: // a query that was cut off is made again
		r.close()
		return nil //nolint:nilerr // it was stopped
	}
	r.close()
	if c, _ := connectors.ClassOf(err); c == connectors.ConfigError {
		if gone := r.describe(ctx); errors.Is(gone, ErrTables) {
			err = gone
		}
	}
	if len(b.Records) > first { // these count; the query is made again behind them, and fails again if it has to
		t.log.Warn("reading broke off", logkey.Err, err)
		return nil
	}
	return t.verdict(err)
}

// verdict says whether a poll that failed is tried again.
func (t *task) verdict(err error) error {
	if c, _ := connectors.ClassOf(err); c != connectors.TransientError || errors.Is(err, ErrTables) {
		return err
	}
	t.failed++
	if most := t.s.Int(retriesKey); most >= 0 && t.failed > most {
		return fmt.Errorf("%w (after %d attempts: %s)", err, t.failed, retriesKey)
	}
	return connectors.Retriable(err)
}

// turn is the reader that is read next, and how long it is until then.
func (t *task) turn() (*reader, time.Duration) {
	r := t.readers[0]
	if r.rows != nil {
		return r, 0
	}
	for i, o := range t.readers { // the one that has waited longest
		if o.due.Before(r.due) {
			r = o
			t.readers = append(append([]*reader{o}, t.readers[:i]...), t.readers[i+1:]...)
		}
	}
	return r, r.due.Sub(t.clk.Now())
}

// fill appends rows until the batch has that many.
func (t *task) fill(ctx context.Context, r *reader, b *connectors.SourceBatch, upTo int) error {
	var query context.Context
	if r.rows == nil {
		query = r.begin(ctx)
	}
	stop := context.AfterFunc(ctx, r.cancel)
	defer func() {
		if !stop() { // the query was cut off, and the next poll makes it again
			r.close()
		}
	}()
	if query != nil {
		if err := r.start(query); err != nil {
			return err
		}
	}
	ref, ok := t.refs[r]
	if !ok {
		ref = b.Partition(r.partition)
		t.refs[r] = ref
	}
	for len(b.Records) < upTo {
		row, err := r.next()
		if err != nil {
			return err
		}
		if row == nil {
			r.close()
			r.due = t.clk.Now().Add(t.s.milliseconds(pollKey))
			return nil
		}
		rec := b.Add()
		rec.Partition, rec.Topic = ref, r.topic
		rec.ValueSchema, rec.Value = r.shape.schema, row.value
		if t.s.String(modeKey) != bulk {
			r.position = row.at.orID(r.position.id)
			rec.Offset.Value = row.at.offset()
		}
	}
	return nil
}

// orID keeps the number to go on behind where the mode has none.
func (p position) orID(id int64) position {
	if !p.hasID {
		p.id = id
	}
	return p
}

func (t *task) Stop(context.Context) error {
	for _, r := range t.readers {
		r.close()
	}
	pool := t.pool
	t.readers, t.pool, t.batch, t.refs = nil, nil, nil, nil
	if pool == nil {
		return nil
	}
	return t.s.db.Error("closing", pool.Close())
}

// joinTables and splitTables are a task's tables as its config has them.
func joinTables(d *dialect.Database, tables []dialect.Table) string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = t.Quoted(d.Quote)
	}
	return strings.Join(out, ",")
}

func splitTables(d *dialect.Database, text string) (out []dialect.Table, err error) {
	for text != "" {
		name := text
		if i := endOfName(text); i < len(text) {
			name, text = text[:i], text[i+1:]
		} else {
			text = ""
		}
		t, err := dialect.ParseTable(d, strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("the task's key %q: %w", tablesKey, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// endOfName is where the next comma outside of quotes is.
func endOfName(text string) int {
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '`':
			quote = c
		case c == '[':
			quote = ']'
		case c == ',':
			return i
		}
	}
	return len(text)
}
