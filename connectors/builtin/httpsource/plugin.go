package httpsource

import (
	"context"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugin is the HTTP source.
func Plugin() connectors.Plugin { return plugin(clock.Real()) }

func plugin(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   castorm + "http.HttpSourceConnector",
		Aliases: []string{"HttpSourceConnector", "HttpSource"},
		Version: version.Version,
		Type:    connectors.Source,
		Config:  def,
		NewSource: func() connectors.SourceConnector {
			return &connector{Connector: base.Connector{Def: def, Limit: 1}, clk: clk}
		},
	}
}

// connector has one task, whatever tasks.max says: each one would read the same.
type connector struct {
	base.Connector
	clk clock.Clock
}

// Start implements connectors.SourceConnector.
func (c *connector) Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	if _, err := parse(config, c.clk.Now()); err != nil {
		return err
	}
	return c.Connector.Start(ctx, cc, config)
}

// Check implements connectors.Checker.
func (c *connector) Check(config map[string]string, fail func(key, message string)) {
	v, _ := def().Parse(config) // what is wrong with one key was said
	newSettings(v, c.clk.Now(), fail)
}

// AlterOffsets implements connectors.SourceOffsetsAlterer: the connector keeps no offsets elsewhere.
func (*connector) AlterOffsets(_ context.Context, _ map[string]string, changes []connectors.SourceOffsetChange) (bool, error) {
	return true, alter(changes)
}

// NewTask implements connectors.SourceConnector.
func (c *connector) NewTask() connectors.SourceTask { return &task{clk: c.clk} }
