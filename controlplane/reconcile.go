package controlplane

import (
	"context"

	"github.com/sluice-project/sluice/controlplane/reconciler"
	"github.com/sluice-project/sluice/controlplane/store"
)

// reconcile is this replica's work while it leads.
func (p *ControlPlane) reconcile(ctx context.Context, g store.Guard) error {
	return reconciler.New(reconciler.Config{
		Times: p.config.Times, StaticStability: p.config.StaticStability, FastFailover: p.config.FastFailover,
	}, p.store, p.commander, p.clock, p.log).Run(ctx, g)
}
