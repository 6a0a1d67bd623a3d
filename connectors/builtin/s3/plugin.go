package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugins are the S3 sink with the keys of Confluent's, and with those of Aiven's.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{confluent(clock.Real()), aiven(clock.Real())}
}

func aiven(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
		Aliases: []string{"AivenKafkaConnectS3SinkConnector", "AivenS3Sink"},
		Version: version.Version,
		Type:    connectors.Sink,
		Config:  aivenDef,
		NewSink: func() connectors.SinkConnector {
			return &connector{Connector: base.Connector{Def: aivenDef}, clk: clk, parse: parseAiven, check: checkAiven, nameKey: templateKey}
		},
	}
}

func confluent(clk clock.Clock) connectors.Plugin {
	return connectors.Plugin{
		Class:   "io.confluent.connect.s3.S3SinkConnector",
		Aliases: []string{"S3SinkConnector", "S3Sink"},
		Version: version.Version,
		Type:    connectors.Sink,
		Config:  sinkDef,
		NewSink: func() connectors.SinkConnector {
			return &connector{Connector: base.Connector{Def: sinkDef}, clk: clk, parse: parse, check: check, nameKey: topicsDirKey}
		},
	}
}

type connector struct {
	base.Connector
	clk   clock.Clock
	parse func(config map[string]string) (*settings, error)
	check func(v configdef.Values, fail func(key, message string))
	// nameKey is the key that objects are named by.
	nameKey string
}

// Check implements connectors.Checker.
func (c *connector) Check(config map[string]string, fail func(key, message string)) {
	v, _ := c.Def().Parse(config) // what is wrong with one key was said
	c.check(v, fail)
	for name := range strings.SplitSeq(config["transforms"], ",") {
		key := "transforms." + strings.TrimSpace(name) + ".type"
		if class := config[key]; slices.Contains(routers, class[strings.LastIndexByte(class, '.')+1:]) {
			fail(c.nameKey, fmt.Sprintf("%s=%s changes the topic of records, and objects and offsets go by the topic that was consumed: leave it out", key, class))
		}
	}
}

// routers are the transforms that change topics.
var routers = []string{"RegexRouter", "TimestampRouter"}

// Start implements connectors.SinkConnector.
func (c *connector) Start(ctx context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	if _, err := c.parse(config); err != nil {
		return connectors.Classify(connectors.ConfigError, err)
	}
	return c.Connector.Start(ctx, cc, config)
}

// AlterOffsets implements connectors.SinkOffsetsAlterer: the connector keeps no offsets elsewhere.
func (c *connector) AlterOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

func (c *connector) NewTask() connectors.SinkTask { return &task{clk: c.clk, parse: c.parse} }
