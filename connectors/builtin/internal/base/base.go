package base

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
)

// Connector is everything of a connector but NewTask; embed it.
type Connector struct {
	// Def is the config definition that Start checks.
	Def func() *configdef.Def
	// Limit is the most tasks that make sense; 0 means as many as are asked for.
	Limit int
	// TaskKey is the key under which a task finds its number; empty means that it needs none.
	TaskKey string

	config map[string]string
}

// Start implements connectors.SourceConnector and SinkConnector.
func (c *Connector) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	c.config = nil
	if _, err := c.Def().Parse(config); err != nil {
		return err
	}
	if c.config = maps.Clone(config); c.config == nil {
		c.config = map[string]string{}
	}
	return nil
}

// TaskConfigs gives each task the connector's config, as Kafka's own small connectors do.
func (c *Connector) TaskConfigs(_ context.Context, maxTasks int) ([]map[string]string, error) {
	if c.config == nil {
		return nil, ErrNotStarted
	}
	if maxTasks < 1 {
		return nil, fmt.Errorf("%w: %d", ErrMaxTasks, maxTasks)
	}
	n := maxTasks
	if c.Limit > 0 {
		n = min(n, c.Limit)
	}
	out := make([]map[string]string, n)
	for i := range out {
		out[i] = maps.Clone(c.config)
		if c.TaskKey != "" {
			out[i][c.TaskKey] = strconv.Itoa(i)
		}
	}
	return out, nil
}

// Stop implements connectors.SourceConnector and SinkConnector.
func (c *Connector) Stop(context.Context) error {
	c.config = nil
	return nil
}
