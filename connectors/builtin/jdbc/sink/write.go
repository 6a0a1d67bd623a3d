package sink

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
)

// item is one record and its row.
type item struct {
	record *connectors.SinkRecord
	values []any
}

// group is consecutive records of a table that have one shape.
type group struct {
	shape   *shape
	table   string // quoted
	columns []dialect.Column
	items   []item
}

// mode is what a group's statements do.
func (t *task) mode(g group) dialect.Mode {
	if g.shape.deletes {
		return dialect.Delete
	}
	return t.s.mode
}

// chunks splits a group into what one statement writes.
func (t *task) chunks(g group) [][]item {
	size := max(1, t.s.Int(batchKey))
	if m := t.mode(g); m != dialect.Update || t.s.db.Rows(m, len(g.columns)) > 1 {
		size = min(size, t.s.db.Rows(m, len(g.columns)))
	}
	return slices.Collect(slices.Chunk(g.items, size))
}

// write writes groups in one transaction: all or nothing.
func (t *task) write(ctx context.Context, groups []group) error {
	tx, err := t.pool.BeginTx(ctx, nil)
	if err != nil {
		return t.s.db.Error("beginning a transaction", err)
	}
	for _, g := range groups {
		for _, c := range t.chunks(g) {
			if err := t.execute(ctx, tx, g, c); err != nil {
				_ = tx.Rollback() // the first error counts
				return t.s.db.Error("writing to the table "+g.shape.table, err)
			}
		}
	}
	return t.s.db.Error("committing", tx.Commit())
}

// execute writes a chunk with one statement, an update of one row with one each where the database has no other.
func (t *task) execute(ctx context.Context, tx *sql.Tx, g group, chunk []item) error {
	s := dialect.Statement{Mode: t.mode(g), Table: g.table, Columns: g.columns, HoldLock: t.s.Bool(holdLockKey)}
	for _, f := range g.shape.fields {
		if f.key {
			s.Keys = append(s.Keys, t.s.quote(f.name))
		} else {
			s.Others = append(s.Others, t.s.quote(f.name))
		}
	}
	rows := make([][]any, 0, len(chunk))
	if s.Mode == dialect.Insert {
		for _, i := range chunk {
			rows = append(rows, i.values)
		}
	} else {
		rows = lastOfEachKey(chunk, len(s.Keys))
	}
	if s.Mode != dialect.Update || t.s.db.Rows(s.Mode, len(s.Columns)) > 1 {
		s.Rows = len(rows)
		_, err := tx.ExecContext(ctx, t.s.db.SQL(s), t.s.db.Args(s, rows)...)
		return err
	}
	s.Rows = 1
	prepared, err := tx.PrepareContext(ctx, t.s.db.SQL(s))
	if err != nil {
		return err
	}
	defer func() { _ = prepared.Close() }()
	for _, r := range rows {
		if _, err := prepared.ExecContext(ctx, t.s.db.Args(s, [][]any{r})...); err != nil {
			return err
		}
	}
	return nil
}

// lastOfEachKey are the rows that count, in the order of their keys: tasks that write the same rows then lock them in the
// same order.
func lastOfEachKey(chunk []item, keys int) [][]any {
	type keyed struct {
		key string
		row []any
	}
	last := make(map[string]int, len(chunk))
	out := make([]keyed, 0, len(chunk))
	var b strings.Builder
	for _, i := range chunk {
		b.Reset()
		for _, v := range i.values[:keys] {
			fmt.Fprintf(&b, "%T:%v\x00", v, v)
		}
		k := b.String()
		if at, ok := last[k]; ok {
			out[at].row = i.values
			continue
		}
		last[k] = len(out)
		out = append(out, keyed{k, i.values})
	}
	slices.SortFunc(out, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	rows := make([][]any, len(out))
	for i, k := range out {
		rows[i] = k.row
	}
	return rows
}

// isolate writes a group of which some records are refused: each half in a transaction of its own, halved again where it
// fails, down to the records that fail alone, which are reported.
func (t *task) isolate(ctx context.Context, g group) error {
	err := t.write(ctx, []group{g})
	if err == nil {
		for _, i := range g.items {
			t.settle(i.record)
		}
		return nil
	}
	if !refused(err) {
		return err
	}
	if len(g.items) == 1 {
		return t.report(ctx, g.items[0].record, err)
	}
	half := g
	for _, half.items = range [][]item{g.items[:len(g.items)/2], g.items[len(g.items)/2:]} {
		if err := t.isolate(ctx, half); err != nil {
			return err
		}
	}
	return nil
}

// refused says whether an error may be about some of the records only. An error that nobody knows may be.
func refused(err error) bool {
	c, _ := connectors.ClassOf(err)
	return c == connectors.DataError || c == connectors.OtherError
}

// report hands a record over that cannot be written, or fails the task where nobody takes it.
func (t *task) report(ctx context.Context, r *connectors.SinkRecord, cause error) error {
	reporter := t.tc.Reporter()
	if reporter == nil {
		return connectors.Classify(connectors.DataError, fmt.Errorf("jdbc: the record at offset %d of partition %d of topic %s: %w", r.Offset, r.Partition, r.Topic, cause))
	}
	if _, err := reporter.Report(ctx, r, cause); err != nil {
		return err
	}
	t.settle(r)
	return nil
}

// settle notes that a record is written or reported, for a batch that comes again.
func (t *task) settle(r *connectors.SinkRecord) {
	tp := connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	if t.settled[tp] == nil {
		t.settled[connectors.TopicPartition{Topic: strings.Clone(r.Topic), Partition: r.Partition}] = map[int64]bool{}
	}
	t.settled[tp][r.Offset] = true
}

func (t *task) isSettled(r *connectors.SinkRecord) bool {
	return len(t.settled) > 0 && t.settled[connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}][r.Offset]
}
