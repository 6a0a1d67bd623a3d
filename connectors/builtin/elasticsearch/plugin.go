package elasticsearch

import (
	"context"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugins are the sink with the keys of Confluent's for Elasticsearch, and with those of Aiven's for OpenSearch. Both write to
// either.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{confluent(clock.Real()), aiven(clock.Real())}
}

func aiven(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "io.aiven.kafka.connect.opensearch.OpenSearchSinkConnector",
		Aliases: []string{"io.aiven.kafka.connect.opensearch.OpensearchSinkConnector", "OpenSearchSinkConnector", "OpenSearchSink"},
		Version: version.Version,
		Type:    connectors.Sink,
		Config:  aivenDef,
		NewSink: func() connectors.SinkConnector {
			return &connector{Connector: base.Connector{Def: aivenDef}, clk: clk, parse: parseAiven, check: checkAiven}
		},
	}
}

func confluent(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector",
		Aliases: []string{"ElasticsearchSinkConnector", "ElasticsearchSink"},
		Version: version.Version,
		Type:    connectors.Sink,
		Config:  sinkDef,
		NewSink: func() connectors.SinkConnector {
			return &connector{Connector: base.Connector{Def: sinkDef}, clk: clk, parse: parse, check: check}
		},
	}
}

type connector struct {
	base.Connector
	clk   clock.Clock
	parse func(config map[string]string) (*settings, error)
	check func(v configdef.Values, fail func(key, message string))
}

// Check implements connectors.Checker.
func (c *connector) Check(config map[string]string, fail func(key, message string)) {
	v, _ := c.Def().Parse(config) // what is wrong with one key was said
	c.check(v, fail)
}

// Start implements connectors.SinkConnector.
func (c *connector) Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	if _, err := c.parse(config); err != nil {
		return configError(err)
	}
	return c.Connector.Start(ctx, cc, config)
}

// AlterOffsets implements connectors.SinkOffsetsAlterer: the connector keeps no offsets elsewhere.
func (c *connector) AlterOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// NewTask implements connectors.SinkConnector.
func (c *connector) NewTask() connectors.SinkTask { return &task{clk: c.clk, parse: c.parse} }
