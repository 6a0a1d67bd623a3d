package filestream

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/version"
)

// The config keys.
const (
	fileKey      = "file"
	topicKey     = "topic"
	batchSizeKey = "batch.size"
)

func sourceDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: fileKey, Type: configdef.String, Importance: configdef.High,
			Doc: "Source filename. If not specified, the standard input will be used"}).
		Define(configdef.Key{Name: topicKey, Type: configdef.String, Required: true, Validator: configdef.NonEmpty(), Importance: configdef.High,
			Doc: "The topic to publish data to"}).
		Define(configdef.Key{Name: batchSizeKey, Type: configdef.Int, Default: configdef.Text("2000"), Importance: configdef.Low,
			Doc: "The maximum number of records the source task can read from the file each time it is polled"})
}

func sinkDef() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: fileKey, Type: configdef.String, Importance: configdef.High,
			Doc: "Destination filename. If not specified, the standard output will be used"})
}

// env is what the tasks have of the process; tests bring their own.
type env struct {
	clk    clock.Clock
	stdin  *pump
	stdout io.Writer
}

var process = env{clk: clock.Real(), stdin: newPump(os.Stdin), stdout: os.Stdout}

// Plugins are the source and the sink.
func Plugins() []connectors.Plugin { return []connectors.Plugin{SourcePlugin(), SinkPlugin()} }

// SourcePlugin is FileStreamSource.
func SourcePlugin() connectors.Plugin { return process.source() }

// SinkPlugin is FileStreamSink.
func SinkPlugin() connectors.Plugin { return process.sink() }

func (e env) source() connectors.Plugin {
	return connectors.Plugin{
		Class:   "org.apache.kafka.connect.file.FileStreamSourceConnector",
		Aliases: []string{"FileStreamSourceConnector", "FileStreamSource"},
		Version: version.Connect,
		Type:    connectors.Source,
		Config:  sourceDef,
		NewSource: func() connectors.SourceConnector {
			return &sourceConnector{Connector: base.Connector{Def: sourceDef, Limit: 1}, env: e}
		},
	}
}

func (e env) sink() connectors.Plugin {
	return connectors.Plugin{
		Class:   "org.apache.kafka.connect.file.FileStreamSinkConnector",
		Aliases: []string{"FileStreamSinkConnector", "FileStreamSink"},
		Version: version.Connect,
		Type:    connectors.Sink,
		Config:  sinkDef,
		NewSink: func() connectors.SinkConnector {
			return &sinkConnector{Connector: base.Connector{Def: sinkDef}, env: e}
		},
	}
}

type sourceConnector struct {
	base.Connector
	env env
}

// AlterOffsets implements connectors.SourceOffsetsAlterer, with the checks and texts of Kafka's connector. Whether a
// position fits the file is for the task to see.
func (c *sourceConnector) AlterOffsets(_ context.Context, config map[string]string, changes []connectors.SourceOffsetChange) (bool, error) {
	if config[fileKey] == "" {
		return false, fmt.Errorf("Offsets cannot be modified if the '%s' configuration is unspecified. This is because stdin is used for input and offsets are not tracked.", fileKey)
	}
	for _, c := range changes {
		if c.Offset == nil {
			continue // whatever is there may be cleaned up
		}
		position, ok := c.Offset[positionField]
		if !ok {
			return false, fmt.Errorf("Offset objects should either be null or contain the key '%s'", positionField)
		}
		n, ok := position.(int64)
		if !ok {
			return false, fmt.Errorf("The value for the '%s' key in the offset is expected to be a Long value", positionField)
		}
		if n < 0 {
			return false, fmt.Errorf("The value for the '%s' key in the offset should be a non-negative value", positionField)
		}
		if c.Partition == nil {
			return false, fmt.Errorf("Partition objects cannot be null")
		}
		if _, ok := c.Partition[filenameField]; !ok {
			return false, fmt.Errorf("Partition objects should contain the key '%s'", filenameField)
		}
	}
	return true, nil
}

// SupportsExactlyOnce implements connectors.ExactlyOnceSource: the standard input cannot be read again.
func (c *sourceConnector) SupportsExactlyOnce(config map[string]string) bool {
	return configdef.Trim(config[fileKey]) != ""
}

func (c *sourceConnector) NewTask() connectors.SourceTask { return &sourceTask{env: c.env} }

type sinkConnector struct {
	base.Connector
	env env
}

// AlterOffsets implements connectors.SinkOffsetsAlterer: the connector keeps no offsets elsewhere.
func (c *sinkConnector) AlterOffsets(context.Context, map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

func (c *sinkConnector) NewTask() connectors.SinkTask { return &sinkTask{env: c.env} }
