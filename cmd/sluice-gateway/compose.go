package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/sluice-project/sluice/cmd/internal/listen"
	"github.com/sluice-project/sluice/cmd/internal/process"
	"github.com/sluice-project/sluice/gateway"
	"github.com/sluice-project/sluice/internal/clock"
)

// kind is sluice-gateway.
func kind() process.Kind {
	return process.Kind{
		Name:  "sluice-gateway",
		Short: "Kafka Connect's REST API, over Sluice's control plane",
		Long:  "Any number of gateways may run: they keep nothing. Prints one line\n  ready rest=… admin=…\nonce it serves.",
		Def:   process.GatewayDef, Compose: composeGateway,
	}
}

func composeGateway(ctx context.Context, s process.Settings, c clock.Clock, log *slog.Logger) (*process.Process, error) {
	creds, err := s.Credentials(c.Now())
	if err != nil {
		return nil, err
	}
	conf, err := listen.Open(ctx, s, "")
	if err != nil {
		return nil, err
	}
	conf.ControlPlane, conf.Credentials, conf.Levels = s.Values.List(process.ControlPlane), creds, s.Levels
	var g *gateway.Gateway
	var metrics gateway.Metrics
	adm, err := process.NewAdmin(ctx, s.Values.String(process.AdminListen), func() error { return g.Ready() }, &metrics)
	if err != nil {
		return nil, errors.Join(err, listen.Close(conf))
	}
	if err := adm.Apply(ctx, s, "sluice-gateway", log); err != nil {
		return nil, errors.Join(err, listen.Close(conf), adm.Stop(ctx))
	}
	conf.Metrics = &metrics
	app := fx.New(fx.NopLogger, fx.Supply(conf, log), fx.Provide(func() clock.Clock { return c }),
		fx.Module("process", fx.Invoke(func(l fx.Lifecycle) { l.Append(fx.StartStopHook(adm.Start, adm.Stop)) })),
		gateway.Module, fx.Populate(&g))
	return &process.Process{App: app,
		Failed: func() <-chan struct{} { return g.Failed() }, Err: func() error { return nil },
		Ready: func() string { return fmt.Sprintf("ready rest=%s admin=%s", listen.URL(conf.Listeners[0]), adm.Addr()) },
	}, nil
}
