package executor

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// resolve resolves configs within a bounded time: a file may be on a system that is away.
func (x *Executor) resolve(ctx context.Context, configs ...map[string]string) (*secrets.Set, error) {
	r := x.cfg.Worker.Secrets()
	if !secrets.Has(configs...) {
		return r.Resolve(ctx, configs...) // nothing is looked up
	}
	done := make(chan *secrets.Set, 1) // one that hangs still writes
	err := plugin.Call(ctx, x.cfg.Clock, "config.providers", secrets.ResolveTimeout, func(ctx context.Context) error {
		s, err := r.Resolve(ctx, configs...)
		done <- s
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-done, nil
}

// resolving makes a factory's instances of resolved configs, and keeps what was resolved from leaving by their errors
// and logs. Where the values hold for a limited time, it looks again, and has an instance started anew once they have
// changed.
type resolving struct {
	inner  supervisor.Factory
	lookUp func(ctx context.Context, configs ...map[string]string) (*secrets.Set, error)
	clock  clock.Clock
}

// New implements supervisor.Factory.
func (f resolving) New(spec supervisor.Spec, env supervisor.Env) (supervisor.Instance, error) {
	own, err := f.resolve(context.Background(), spec)
	if err != nil {
		return nil, err
	}
	set := own.Secrets
	for _, r := range set.Unresolved {
		env.Logger().Warn("a reference comes to nothing and stays as it is", slog.String("reference", r))
	}
	var in supervisor.Instance
	err = run.Call(func() (err error) {
		in, err = f.inner.New(own, scrubbed(env, set))
		return err
	})
	if err != nil {
		return nil, set.Error(err)
	}
	return &resolved{Instance: in, factory: f, given: [2]map[string]string{spec.ConnectorConfig, spec.TaskConfig}, env: env, set: set}, nil
}

// Prepare implements supervisor.Preparer: with nothing to make ready where the factory has nothing.
func (f resolving) Prepare(ctx context.Context, spec supervisor.Spec, log *slog.Logger) (supervisor.Prepared, error) {
	p, ok := f.inner.(supervisor.Preparer)
	if !ok {
		return nil, nil //nolint:nilnil // there is nothing to make ready
	}
	own, err := f.resolve(ctx, spec)
	if err != nil {
		return nil, err
	}
	var ready supervisor.Prepared
	err = run.Call(func() (err error) {
		ready, err = p.Prepare(ctx, own, own.Secrets.Logger(log))
		return err
	})
	return ready, own.Secrets.Error(err)
}

func (f resolving) resolve(ctx context.Context, spec supervisor.Spec) (supervisor.Spec, error) {
	set, err := f.lookUp(ctx, spec.ConnectorConfig, spec.TaskConfig)
	if err != nil {
		return spec, err
	}
	spec.Secrets, spec.ConnectorConfig = set, set.Configs[0]
	if spec.TaskConfig != nil {
		spec.TaskConfig = set.Configs[1]
	}
	return spec, nil
}

// scrubbedEnv is what an instance sees that knows secrets.
type scrubbedEnv struct {
	supervisor.Env
	set *secrets.Set
}

func (e scrubbedEnv) Logger() *slog.Logger { return e.set.Logger(e.Env.Logger()) }

func (e scrubbedEnv) Warn(trace string) { e.Env.Warn(e.set.Scrub(trace)) }

// parkingEnv is a scrubbedEnv of instances that may park.
type parkingEnv struct {
	scrubbedEnv
	supervisor.Parker
}

// scrubbed is env as an instance sees it. One whose values hold for a limited time does not park: while it runs they are looked
// up again.
func scrubbed(env supervisor.Env, set *secrets.Set) supervisor.Env {
	out := scrubbedEnv{env, set}
	if p, ok := env.(supervisor.Parker); ok && set.TTL == 0 {
		return parkingEnv{out, p}
	}
	return out
}

// resolved is an instance that runs with a resolved config.
type resolved struct {
	supervisor.Instance
	factory resolving
	given   [2]map[string]string // the configs, with references
	env     supervisor.Env
	set     *secrets.Set
}

// Run implements supervisor.Instance.
func (r *resolved) Run(ctx context.Context) error {
	if r.set.TTL > 0 && secrets.Restarts(r.set.Configs[0]) {
		g := run.New(ctx, "config-reload")
		if err := g.Go(r.watch); err != nil {
			return err
		}
		defer func() { _ = g.Stop(context.WithoutCancel(ctx)) }() // a look-up ends within its time
	}
	// Here, and not where the instance is run: the text of a panic may hold a secret too.
	return r.set.Error(run.Call(func() error { return r.Instance.Run(ctx) }))
}

// watch looks for changed values each time that their time is over.
func (r *resolved) watch(ctx context.Context) error {
	for wait := r.set.TTL; r.sleep(ctx, wait); {
		now, err := r.factory.lookUp(ctx, r.given[:]...)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was stopped
		case err != nil:
			r.env.Logger().Warn("references cannot be looked up again; the unit goes on with the values it has", logkey.Err, r.set.Error(err))
		case !now.Equal(r.set):
			r.env.Logger().Info("what references come to has changed: the unit starts again (config.action.reload)")
			if e, ok := r.env.(supervisor.Reloader); ok {
				e.Reload()
			}
			return nil
		}
	}
	return nil
}

func (r *resolved) sleep(ctx context.Context, d time.Duration) bool {
	t := r.factory.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// withSecrets resolves a connector's config and calls f with it; the error that comes back holds no secret.
func (x *Executor) withSecrets(ctx context.Context, config map[string]string, f func(config map[string]string, log *slog.Logger) error) error {
	set, err := x.resolve(ctx, config)
	if err != nil {
		return err
	}
	return set.Error(f(set.Configs[0], set.Logger(x.log)))
}
