package verifiable

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// The config keys. idKey is in task configs alone; nameKey is the framework's.
const (
	nameKey       = "name"
	idKey         = "id"
	topicKey      = "topic"
	throughputKey = "throughput"
	completeKey   = "complete.record.data"
)

func sourceDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: topicKey, Type: configdef.String, Required: true, Validator: configdef.NonEmpty(), Importance: configdef.High,
			Doc: "The topic to write to."}).
		Define(configdef.Key{Name: throughputKey, Type: configdef.Long, Default: configdef.Text("-1"), Importance: configdef.Medium,
			Doc: "Records a second, for each task. A negative number means no limit, 0 means none at all."}).
		Define(configdef.Key{Name: completeKey, Type: configdef.Boolean, Default: configdef.Text("false"), Importance: configdef.Low,
			Doc: "Whether values are structs of everything that is printed, instead of the number alone."})
}

// env is what the tasks have of the process; tests bring their own.
type env struct {
	clk clock.Clock
	out io.Writer
}

var process = env{clock.Real(), os.Stdout}

// Plugins are the source and the sink.
func Plugins() []connectors.Plugin { return []connectors.Plugin{SourcePlugin(), SinkPlugin()} }

// SourcePlugin is VerifiableSource.
func SourcePlugin() connectors.Plugin { return process.source() }

// SinkPlugin is VerifiableSink.
func SinkPlugin() connectors.Plugin { return process.sink() }

func (e env) source() connectors.Plugin {
	return connectors.Plugin{
		Class:   "org.apache.kafka.connect.tools.VerifiableSourceConnector",
		Aliases: []string{"VerifiableSourceConnector", "VerifiableSource"},
		Version: version.Connect,
		Type:    connectors.Source,
		Config:  sourceDef,
		NewSource: func() connectors.SourceConnector {
			return &sourceConnector{base.Connector{Def: sourceDef, TaskKey: idKey}, e}
		},
	}
}

func (e env) sink() connectors.Plugin {
	return connectors.Plugin{
		Class:   "org.apache.kafka.connect.tools.VerifiableSinkConnector",
		Aliases: []string{"VerifiableSinkConnector", "VerifiableSink"},
		Version: version.Connect,
		Type:    connectors.Sink,
		Config:  configdef.New,
		NewSink: func() connectors.SinkConnector {
			return &sinkConnector{base.Connector{Def: configdef.New, TaskKey: idKey}, e}
		},
	}
}

type sourceConnector struct {
	base.Connector
	env env
}

func (c *sourceConnector) NewTask() connectors.SourceTask { return &sourceTask{env: c.env} }

type sinkConnector struct {
	base.Connector
	env env
}

func (c *sinkConnector) NewTask() connectors.SinkTask { return &sinkTask{env: c.env} }

// taskID is the number that TaskConfigs gave the task.
func taskID(config map[string]string) (int32, error) {
	id, err := strconv.ParseInt(config[idKey], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("verifiable: the task's number, key %q, is %q: the connector should have set it (bug)", idKey, config[idKey])
	}
	return int32(id), nil
}
