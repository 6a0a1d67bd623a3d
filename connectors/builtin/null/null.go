// Package null is a sink that drops everything: for measuring what comes before it. Its tasks hold no
// state; it promises nothing but speed.
package null

import (
	"context"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/base"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/version"
)

// Plugin is NullSink.
func Plugin() connectors.Plugin {
	return connectors.Plugin{
		Class:   "sluice.NullSink",
		Aliases: []string{"NullSink"},
		Version: version.Version,
		Type:    connectors.Sink,
		Config:  configdef.New,
		NewSink: func() connectors.SinkConnector { return &connector{base.Connector{Def: configdef.New}} },
	}
}

type connector struct{ base.Connector }

func (*connector) NewTask() connectors.SinkTask { return task{} }

type task struct{}

func (task) Start(context.Context, connectors.SinkTaskContext, map[string]string) error { return nil }

func (task) Put(context.Context, *connectors.SinkBatch) error { return nil }

func (task) Stop(context.Context) error { return nil }
