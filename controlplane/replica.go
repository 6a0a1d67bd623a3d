package controlplane

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/version"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// announce writes replicas/<id> under a lease of its own.
func (p *ControlPlane) announce(ctx context.Context) error {
	l, err := p.store.Backend().Grant(ctx, p.config.Times.Lease())
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.term = 0 // a term that is told again would be a change of leader
	v := p.record()
	p.mu.Unlock()
	if err := p.store.SetReplica(ctx, p.config.ReplicaID, v, l); err != nil {
		return err
	}
	p.mu.Lock()
	p.lease = l
	p.mu.Unlock()
	return nil
}

// record is what replicas/<id> says. Under mu.
func (p *ControlPlane) record() *storev1.Replica {
	return &storev1.Replica{Address: p.config.Advertise, Version: version.Version, Term: p.term}
}

func (p *ControlPlane) replicaLease() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lease
}

// stayAnnounced keeps the lease alive, and announces the replica anew where it has lapsed.
func (p *ControlPlane) stayAnnounced(ctx context.Context) error {
	timer := p.clock.NewTimer(p.config.Times.Heartbeat())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C():
		}
		one, cancel := context.WithTimeout(ctx, p.config.Times.Heartbeat())
		err := p.store.KeepAlive(one, p.replicaLease())
		if errors.Is(err, store.ErrLapsed) {
			err = p.announce(one)
		}
		if err != nil && ctx.Err() == nil {
			p.log.Warn("the replica's lease was not renewed", logkey.Err, err)
		}
		_ = p.store.Barrier(one) // where nobody else asks, it notices that etcd was restored; the store logs that
		cancel()
		timer.Reset(p.config.Times.Heartbeat())
	}
}

// again waits before something that failed is tried again; false where there is no again.
func (p *ControlPlane) again(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.clock.After(d):
		return true
	}
}
