package controlplane

import "go.uber.org/fx"

// Module runs one replica. It needs a Config, a store.Backend, an Elect, a clock.Clock and a *slog.Logger.
var Module = fx.Module("controlplane",
	fx.Provide(New),
	fx.Invoke(func(lc fx.Lifecycle, p *ControlPlane) { lc.Append(fx.StartStopHook(p.Start, p.Stop)) }),
)
