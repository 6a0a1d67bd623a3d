package controlplane

import (
	"context"
	"errors"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// leads is the work of a leader. That it leads is told beside it, so that nothing waits for that.
func (p *ControlPlane) leads(ctx context.Context, g store.Guard) error {
	telling := run.New(ctx, "controlplane-leads")
	if err := telling.Go(func(ctx context.Context) error {
		p.mu.Lock()
		p.term = g.CreateRevision
		v, l := p.record(), p.lease
		p.mu.Unlock()
		if err := p.store.AnnounceLeader(ctx, g, p.config.ReplicaID, v, l); err != nil && ctx.Err() == nil {
			p.log.Warn("it was not told who leads", logkey.Err, err)
		}
		return nil
	}); err != nil {
		return err
	}
	err := p.leader.Run(ctx, g)
	return errors.Join(err, telling.Stop(context.WithoutCancel(ctx)))
}

// lead campaigns, and runs the reconciler whenever this replica leads. Neither an error nor a panic of
// it ends the replica: it goes on serving sessions, and campaigns again.
func (p *ControlPlane) lead(ctx context.Context) error {
	elector := p.elect(p.store)
	for {
		err := run.Call(func() error { return elector.Run(ctx, p.leads) })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		p.log.Error("leading ended and is begun anew", logkey.Err, err)
		if !p.again(ctx, retryLead) {
			return nil
		}
	}
}
