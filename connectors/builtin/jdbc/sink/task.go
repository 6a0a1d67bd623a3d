package sink

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugin is the JDBC sink.
func Plugin() connectors.Plugin { return plugin(clock.Real()) }

func plugin(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "io.confluent.connect.jdbc.JdbcSinkConnector",
		Aliases: []string{"io.aiven.connect.jdbc.JdbcSinkConnector", "JdbcSinkConnector", "JdbcSink"},
		Version: version.Connect,
		Type:    connectors.Sink,
		Config:  def,
		NewSink: func() connectors.SinkConnector {
			return &connector{Connector: base.Connector{Def: def}, clk: clk}
		},
	}
}

type connector struct {
	base.Connector
	clk clock.Clock
}

// Check implements connectors.Checker.
func (*connector) Check(config map[string]string, fail func(key, message string)) {
	check(config, fail)
}

// AlterOffsets implements connectors.SinkOffsetsAlterer: the connector keeps no offsets elsewhere.
func (*connector) AlterOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// NewTask implements connectors.SinkConnector.
func (c *connector) NewTask() connectors.SinkTask { return &task{clk: c.clk} }

type task struct {
	clk    clock.Clock
	s      settings
	tc     connectors.SinkTaskContext
	log    *slog.Logger
	pool   *sql.DB
	left   int               // retries
	tables map[string]*table // by their names in the config
	// settled are the records of a batch that are written or reported though its Put failed: it comes again.
	settled map[connectors.TopicPartition]map[int64]bool
}

func (t *task) Start(ctx context.Context, tc connectors.SinkTaskContext, config map[string]string) (err error) {
	if t.s, err = parse(config); err != nil {
		return err
	}
	t.tc, t.log, t.left = tc, tc.Logger(), t.s.Int(retriesKey)
	t.tables, t.settled = map[string]*table{}, map[connectors.TopicPartition]map[int64]bool{}
	t.pool, err = t.s.db.Connect(ctx, t.clk, t.s.Int(dialect.AttemptsKey), t.s.milliseconds(dialect.BackoffKey))
	return err
}

// Put writes a batch in one transaction, or, where the database refuses records of it, in several without those.
func (t *task) Put(ctx context.Context, b *connectors.SinkBatch) error {
	if len(b.Records) == 0 {
		return nil
	}
	err := t.put(ctx, b.Records)
	if err == nil {
		t.left = t.s.Int(retriesKey)
		clear(t.settled)
		return nil
	}
	clear(t.tables)
	c, _ := connectors.ClassOf(err)
	if c != connectors.TransientError || errors.Is(err, ErrTable) || ctx.Err() != nil {
		return err
	}
	if t.left == 0 {
		return fmt.Errorf("%w (after %d retries: %s)", err, t.s.Int(retriesKey), retriesKey)
	}
	t.left--
	t.tc.Retry(t.s.milliseconds(backoffKey))
	return connectors.Retriable(err)
}

func (t *task) put(ctx context.Context, records []connectors.SinkRecord) error {
	groups, err := t.group(ctx, records)
	if err != nil {
		return err
	}
	if err = t.write(ctx, groups); err == nil || !refused(err) {
		return err
	}
	for _, g := range groups {
		for _, c := range t.chunks(g) {
			part := g
			part.items = c
			if err := t.isolate(ctx, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// group makes rows of records, and reports those that make none. A table's groups are in the order of its records.
func (t *task) group(ctx context.Context, records []connectors.SinkRecord) (out []group, err error) {
	open := map[string]int{} // a table's last group
	for i := range records {
		r := &records[i]
		if t.isSettled(r) {
			continue
		}
		table, headers := t.s.tableOf(r.Topic), t.s.headersOf(r)
		at, ok := open[table]
		if !ok || !out[at].shape.fits(r, table, headers) {
			g, err := t.newGroup(ctx, r, table, headers)
			if err != nil {
				if err = t.unfit(ctx, r, err); err != nil {
					return nil, err
				}
				continue
			}
			at = len(out)
			open[table], out = at, append(out, g)
		}
		values, err := t.s.row(out[at].shape, out[at].columns, r)
		if err != nil {
			if err = t.report(ctx, r, err); err != nil {
				return nil, err
			}
			continue
		}
		out[at].items = append(out[at].items, item{r, values})
	}
	return out, nil
}

func (t *task) newGroup(ctx context.Context, r *connectors.SinkRecord, table, headers string) (group, error) {
	sh, err := t.s.newShape(r, table, headers)
	if err != nil {
		return group{}, err
	}
	columns, err := t.describe(ctx, sh)
	if err != nil {
		return group{}, err
	}
	return group{shape: sh, table: t.tables[table].id.Quoted(t.s.quote), columns: columns}, nil
}

// unfit deals with a record that no group can be made for: it is reported if that is its own fault, or if the table lacks
// columns for it.
func (t *task) unfit(ctx context.Context, r *connectors.SinkRecord, err error) error {
	c, _ := connectors.ClassOf(err)
	switch {
	case errors.Is(err, ErrRecord), c == connectors.DataError:
		return t.report(ctx, r, err)
	case c == connectors.ConfigError && errors.Is(err, ErrTable) && t.tc.Reporter() != nil:
		return t.report(ctx, r, err)
	}
	return err
}

func (t *task) Stop(context.Context) error {
	pool := t.pool
	t.pool, t.tables, t.settled = nil, nil, nil
	if pool == nil {
		return nil
	}
	return t.s.db.Error("closing", pool.Close())
}
