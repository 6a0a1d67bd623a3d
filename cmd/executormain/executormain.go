// Package executormain is the program sluice-executor, for those who build one with connectors of their own: plugins of
// Sluice are compiled in. See docs/plugins.md.
package executormain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.uber.org/fx"
	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/replicas"
)

// Main runs an executor that has these connectors and the builtin converters, transforms and predicates, and exits when
// it is told to end. Its keys and flags are sluice-executor's.
func Main(plugins ...connectors.Plugin) { process.Main(Kind(plugins...)) }

// Kind is sluice-executor with these connectors, for a test to run it.
func Kind(plugins ...connectors.Plugin) process.Kind {
	return process.Kind{
		Name:  "sluice-executor",
		Short: "Runs connectors and tasks that Sluice's control plane hands out",
		Long: "Takes a Kafka Connect worker's properties, distributed mode. Any number of executors may run, in pools. It keeps nothing.\n" +
			"Prints one line\n  ready executor=… admin=…\nwhen it has started; /readyz says when it may be given units.",
		Def: process.ExecutorDef, Worker: true,
		Compose: func(ctx context.Context, s process.Settings, c clock.Clock, log *slog.Logger) (*process.Process, error) {
			return compose(ctx, s, c, log, plugins)
		},
	}
}

func compose(ctx context.Context, s process.Settings, c clock.Clock, log *slog.Logger, plugins []connectors.Plugin) (*process.Process, error) {
	w, warnings, err := config.FromProps(s.Props, process.AllKeys())
	if err != nil {
		return nil, err
	}
	if w.Standalone() {
		return nil, errors.New("group.id is missing: with offset.storage.file.filename alone these are the properties of a standalone Worker: run `sluice standalone`")
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	creds, err := s.Credentials(c.Now())
	if err != nil {
		return nil, err
	}
	var x *executor.Executor
	var metrics executor.Metrics
	adm, err := process.NewAdmin(ctx, s.Values.String(process.AdminListen), func() error { return x.Health() }, &metrics)
	if err != nil {
		return nil, err
	}
	if err := adm.Apply(ctx, s, "sluice-executor", log); err != nil {
		return nil, errors.Join(err, adm.Stop(ctx))
	}
	conf := executor.Config{Worker: w, Advertise: w.Advertise(), Plugins: plugins, Clock: c, Logger: log, Levels: s.Levels}
	if conf.Advertise == "" {
		conf.Advertise = process.Advertised(adm.Addr())
	}
	var conns []*grpc.ClientConn
	for _, to := range []*grpc.ClientConnInterface{&conf.Streams, &conf.Heartbeats} {
		conn, err := replicas.Dial(w.ControlPlane(), replicas.One, creds)
		if err != nil {
			return nil, errors.Join(err, adm.Stop(ctx))
		}
		*to = conn
		conns = append(conns, conn)
	}
	app := fx.New(fx.NopLogger, fx.Supply(conf),
		fx.Module("process", fx.Invoke(func(l fx.Lifecycle) {
			l.Append(fx.StartStopHook(adm.Start, adm.Stop))
			l.Append(fx.StopHook(func() error { return errors.Join(conns[0].Close(), conns[1].Close()) }))
		})),
		executor.Module, fx.Populate(&x), fx.Invoke(func() { metrics.Of(x) }))
	return &process.Process{App: app, Failed: func() <-chan struct{} { return x.Failed() }, Err: func() error { return x.Err() },
		Ready: func() string { return fmt.Sprintf("ready executor=%s admin=%s", conf.Advertise, adm.Addr()) },
	}, nil
}
