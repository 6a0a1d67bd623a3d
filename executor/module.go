package executor

import "go.uber.org/fx"

// Module composes the executor. It needs a Config.
var Module = fx.Module("executor",
	fx.Provide(New),
	fx.Invoke(func(lc fx.Lifecycle, x *Executor) { lc.Append(fx.StartStopHook(x.Start, x.Stop)) }),
)
