package source

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugin is the JDBC source.
func Plugin() connectors.Plugin { return plugin(clock.Real()) }

func plugin(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:     "io.confluent.connect.jdbc.JdbcSourceConnector",
		Aliases:   []string{"io.aiven.connect.jdbc.JdbcSourceConnector", "JdbcSourceConnector", "JdbcSource"},
		Version:   version.Connect,
		Type:      connectors.Source,
		Config:    def,
		NewSource: func() connectors.SourceConnector { return &connector{clk: clk} },
	}
}

// connector plans tables onto tasks, and looks now and then whether they are still the same.
type connector struct {
	clk    clock.Clock
	cc     connectors.ConnectorContext
	config map[string]string
	s      settings
	pool   *sql.DB
	group  *run.Group

	mu      sync.Mutex
	planned string // the tables of the last plan
}

// Start implements connectors.SourceConnector.
func (c *connector) Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) (err error) {
	if c.s, err = parse(config); err != nil {
		return err
	}
	c.cc, c.config = cc, maps.Clone(config)
	if c.s.query != "" {
		return nil
	}
	if c.pool, err = c.s.db.Connect(ctx, c.clk, c.s.Int(dialect.AttemptsKey), c.s.milliseconds(dialect.BackoffKey)); err != nil {
		return err
	}
	c.group = run.New(context.WithoutCancel(ctx), "jdbc-tables")
	return c.group.Go(c.watch)
}

// watch has tasks planned anew where the tables have changed. A look that fails counts for nothing.
func (c *connector) watch(ctx context.Context) error {
	for pace.Wait(ctx, c.clk, c.s.milliseconds(tablePollKey)) {
		tables, err := c.tables(ctx)
		if err != nil {
			if ctx.Err() == nil {
				c.cc.Logger().Warn("the tables could not be listed, which is tried again", logkey.Err, err)
			}
			continue
		}
		names := joinTables(c.s.db, tables)
		c.mu.Lock()
		changed := names != c.planned
		c.mu.Unlock()
		if changed {
			c.cc.Logger().Info("the tables have changed", slog.Int("tables", len(tables)))
			c.cc.RequestTaskReconfiguration()
		}
	}
	return nil
}

func (c *connector) tables(ctx context.Context) ([]dialect.Table, error) {
	all, err := c.s.db.Tables(ctx, c.pool, c.s.List(typesKey))
	if err != nil {
		return nil, c.s.db.Error("listing tables", err)
	}
	return c.s.filter(all)
}

// TaskConfigs implements connectors.SourceConnector: neighbours in the order of names share a task.
func (c *connector) TaskConfigs(ctx context.Context, maxTasks int) ([]map[string]string, error) {
	if c.config == nil {
		return nil, fmt.Errorf("jdbc: TaskConfigs of a connector that was not started (bug)")
	}
	if c.s.query != "" {
		return []map[string]string{c.taskConfig(nil)}, nil
	}
	tables, err := c.tables(ctx)
	if err != nil {
		return nil, err
	}
	byName := map[string]dialect.Table{}
	for _, t := range tables {
		if o, ok := byName[t.Name]; ok {
			return nil, configError(fmt.Errorf("%w: %s and %s would both go to the topic %s%s: leave one out with %s, %s or %s", ErrTables, o, t, c.s.String(prefixKey), t.Name, whitelistKey, includeKey, schemaKey))
		}
		byName[t.Name] = t
	}
	c.mu.Lock()
	c.planned = joinTables(c.s.db, tables)
	c.mu.Unlock()
	if len(tables) == 0 {
		return []map[string]string{c.taskConfig(nil)}, nil // it says so when it starts
	}
	n := min(maxTasks, len(tables))
	each, more := len(tables)/n, len(tables)%n
	var out []map[string]string
	for i := range n { // the first groups have one more, as of ConnectorUtils.groupPartitions
		size := each
		if i < more {
			size++
		}
		out = append(out, c.taskConfig(tables[:size]))
		tables = tables[size:]
	}
	return out, nil
}

func (c *connector) taskConfig(tables []dialect.Table) map[string]string {
	out := maps.Clone(c.config)
	out[tablesKey] = joinTables(c.s.db, tables)
	return out
}

// Stop implements connectors.SourceConnector.
func (c *connector) Stop(ctx context.Context) error {
	group, pool := c.group, c.pool
	c.group, c.pool, c.config, c.planned = nil, nil, nil, ""
	if group != nil {
		if err := group.Stop(ctx); err != nil {
			return err
		}
	}
	if pool != nil {
		return c.s.db.Error("closing", pool.Close())
	}
	return nil
}

// NewTask implements connectors.SourceConnector.
func (c *connector) NewTask() connectors.SourceTask { return &task{clk: c.clk} }

// Check implements connectors.Checker.
func (*connector) Check(config map[string]string, fail func(key, message string)) {
	check(config, fail)
}

// SupportsExactlyOnce implements connectors.ExactlyOnceSource: every row has an offset of its own, but in bulk there is
// none, and in timestamp rows of one moment share one.
func (*connector) SupportsExactlyOnce(config map[string]string) bool {
	return slices.Contains([]string{incrementing, timestampIncrementing}, configdef.Trim(config[modeKey]))
}

// AlterOffsets implements connectors.SourceOffsetsAlterer.
func (*connector) AlterOffsets(_ context.Context, _ map[string]string, changes []connectors.SourceOffsetChange) (bool, error) {
	for _, c := range changes {
		if c.Offset == nil {
			continue // whatever is there may be cleaned up
		}
		_, table := c.Partition[tableField].(string)
		if query, _ := c.Partition[queryField].(string); !table && query != queryPartition()[queryField] {
			return false, fmt.Errorf(`the partition %v is none of this connector: {"protocol":"1","table":"schema.table"} or {"query":"query"} would be right`, c.Partition)
		}
		for key := range c.Offset {
			if !slices.Contains([]string{incrementingField, timestampField, nanosField}, key) {
				return false, fmt.Errorf("the offset has the key %q: %s would be right", key, strings.Join([]string{incrementingField, timestampField, nanosField}, ", "))
			}
		}
		if _, err := parseOffset(c.Offset); err != nil {
			return false, err
		}
	}
	return true, nil
}
