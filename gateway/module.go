package gateway

import "go.uber.org/fx"

// Module composes the gateway. It needs a Config, a clock.Clock and a *slog.Logger.
var Module = fx.Module("gateway",
	fx.Provide(New),
	fx.Invoke(func(lc fx.Lifecycle, g *Gateway) { lc.Append(fx.StartStopHook(g.Start, g.Stop)) }),
)
