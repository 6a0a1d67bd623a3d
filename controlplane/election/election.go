package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// Lead is the work of a leader. It ends when ctx does, which is when leadership is lost.
type Lead func(ctx context.Context, g store.Guard) error

// Elector runs Lead whenever this replica leads, until ctx ends.
type Elector interface {
	Run(ctx context.Context, lead Lead) error
}

// Etcd elects one of the replicas that share a prefix.
type Etcd struct {
	client *clientv3.Client
	prefix string
	id     string
	ttl    int
	clock  clock.Clock
	log    *slog.Logger
}

// NewEtcd returns an elector. ttl is how long a dead leader leads on; at least a second. id is told to
// those who ask who leads.
func NewEtcd(c *clientv3.Client, prefix, id string, ttl time.Duration, clk clock.Clock, log *slog.Logger) *Etcd {
	return &Etcd{c, prefix, id, max(1, int(ttl/time.Second)), clk, log.With(logkey.Component, "election", logkey.Replica, id)}
}

// Run campaigns, leads and campaigns again until ctx ends.
func (e *Etcd) Run(ctx context.Context, lead Lead) error {
	for ctx.Err() == nil {
		if err := e.once(ctx, lead); err != nil && ctx.Err() == nil {
			e.log.Warn("the election is begun anew", logkey.Err, err)
			select {
			case <-ctx.Done():
			case <-e.clock.After(500 * time.Millisecond):
			}
		}
	}
	return nil
}

func (e *Etcd) once(ctx context.Context, lead Lead) (err error) {
	session, err := concurrency.NewSession(e.client, concurrency.WithTTL(e.ttl), concurrency.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("election: no session: %w", err)
	}
	defer func() {
		// Gives up leadership at once where this replica only stops.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_, rerr := e.client.Revoke(closing, session.Lease())
		session.Orphan()
		if err == nil && ctx.Err() == nil {
			err = rerr
		}
	}()
	campaigning, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := run.New(campaigning, "election")
	if err := watch.Go(func(c context.Context) error {
		select {
		case <-session.Done():
			cancel()
		case <-c.Done():
		}
		return nil
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watch.Stop(context.WithoutCancel(ctx))) }()
	el := concurrency.NewElection(session, e.prefix)
	if err := el.Campaign(campaigning, e.id); err != nil {
		return fmt.Errorf("election: the campaign: %w", err)
	}
	e.log.Info("leading")
	defer e.log.Info("leading no more")
	return lead(campaigning, store.Guard{Key: el.Key(), CreateRevision: el.Rev()})
}

// Sole leads always: for a store in memory, which nobody shares.
type Sole struct{ store *store.Store }

// NewSole returns the elector of a store that only this process has.
func NewSole(s *store.Store) *Sole { return &Sole{s} }

// Run leads until ctx ends.
func (s *Sole) Run(ctx context.Context, lead Lead) error {
	key := s.store.LeaderPrefix() + "/sole"
	b := s.store.Backend()
	// A put keeps the create revision: to lead again is to lead on.
	if _, _, err := b.Txn(ctx, nil, []store.Op{{Key: key, Value: []byte("sole")}}); err != nil {
		return err
	}
	kvs, _, err := b.Get(ctx, key, false)
	if err != nil {
		return err
	}
	if len(kvs) != 1 {
		return fmt.Errorf("election: the key %s is gone as soon as it was written", key)
	}
	return lead(ctx, store.Guard{Key: key, CreateRevision: kvs[0].CreateRevision})
}
