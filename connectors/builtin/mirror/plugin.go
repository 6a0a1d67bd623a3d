package mirror

import (
	"context"
	"errors"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/version"
)

const (
	pkg         = "org.apache.kafka.connect.mirror."
	exactlyOnce = "exactly.once.support"
)

// Plugins are the three connectors.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		plugin("MirrorSource", sourceDef, func(c connector) connectors.SourceConnector { return source{c} }),
		plugin("MirrorCheckpoint", checkpointDef, func(c connector) connectors.SourceConnector { return checkpoint{c} }),
		plugin("MirrorHeartbeat", heartbeatDef, func(c connector) connectors.SourceConnector { return c }),
	}
}

func plugin(short string, def func() *configdef.Def, make func(connector) connectors.SourceConnector) connectors.Plugin {
	name := short + "Connector"
	refusal := "Sluice does not run " + name + ": it is here for the validation of its configs only. Run MirrorMaker beside Sluice"
	return connectors.Plugin{
		Class: pkg + name, Aliases: []string{name, short}, Version: version.Connect, Type: connectors.Source,
		Config: def, EmbedsFramework: true, Refusal: refusal,
		NewSource: func() connectors.SourceConnector { return make(connector{errors.New(refusal)}) },
	}
}

// connector refuses to start: a config that came in by another way than the API fails with the reason.
type connector struct{ refusal error }

func (c connector) Start(context.Context, connectors.ConnectorContext, map[string]string) error {
	return c.refusal
}

func (c connector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return nil, c.refusal
}

func (connector) Stop(context.Context) error { return nil }

func (c connector) NewTask() connectors.SourceTask { return task(c) }

type task struct{ refusal error }

func (t task) Start(context.Context, connectors.SourceTaskContext, map[string]string) error {
	return t.refusal
}
func (t task) Poll(context.Context, *connectors.SourceBatch) error { return t.refusal }
func (task) Stop(context.Context) error                            { return nil }

type source struct{ connector }

// SupportsExactlyOnce implements connectors.ExactlyOnceSource: only for a source consumer that reads committed
// records.
func (source) SupportsExactlyOnce(config map[string]string) bool {
	level, ok := config["source.consumer.isolation.level"]
	if !ok {
		level = config["consumer.isolation.level"]
	}
	return level == "read_committed"
}

// Check implements connectors.Checker.
func (s source) Check(config map[string]string, fail func(key, message string)) {
	if config[exactlyOnce] == "required" && !s.SupportsExactlyOnce(config) {
		fail(exactlyOnce, "MirrorSourceConnector can only provide exactly-once guarantees when its source consumer is configured with isolation.level set to 'read_committed'; otherwise, records from aborted and uncommitted transactions will be replicated from the source cluster to the target cluster.")
	}
	if config[emitOffsetSyncs] == "false" && hasOffsetSyncs(config) {
		fail(emitOffsetSyncs, "MirrorSourceConnector can't setup offset-syncs feature while emit.offset-syncs.enabled set to false")
	}
}

type checkpoint struct{ connector }

// Check implements connectors.Checker.
func (checkpoint) Check(config map[string]string, fail func(key, message string)) {
	if config["enabled"] == "false" {
		return
	}
	if config["emit.checkpoints.enabled"] == "false" {
		fail("emit.checkpoints.enabled", "MirrorCheckpointConnector can't run with emit.checkpoints.enabled set to false")
	}
	if config[emitOffsetSyncs] == "false" {
		fail(emitOffsetSyncs, "MirrorCheckpointConnector can't run without offset syncs")
	}
}
