package controlplane

import (
	"context"

	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// lead campaigns, and runs the reconciler whenever this replica leads. Neither an error nor a panic of
// it ends the replica: it goes on serving sessions, and campaigns again.
func (p *ControlPlane) lead(ctx context.Context) error {
	elector := p.elect(p.store)
	for {
		err := run.Call(func() error { return elector.Run(ctx, p.leader.Run) })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		p.log.Error("leading ended and is begun anew", logkey.Err, err)
		if !p.again(ctx, retryLead) {
			return nil
		}
	}
}
