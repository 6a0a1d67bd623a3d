package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// callTimeout bounds one call to etcd where the caller's context has no earlier deadline.
const callTimeout = 5 * time.Second

// Etcd is a Backend on etcd. The client belongs to the caller.
type Etcd struct{ client *clientv3.Client }

// NewEtcd returns a backend over a client.
func NewEtcd(c *clientv3.Client) *Etcd { return &Etcd{c} }

func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, rpctypes.ErrLeaseNotFound) || errors.Is(err, rpctypes.ErrGRPCLeaseNotFound) {
		return ErrLapsed
	}
	if full(err) {
		return fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, ErrFull, op, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, op, denied(err))
}

// Txn implements Backend.
func (e *Etcd) Txn(ctx context.Context, compares []Compare, ops []Op) (bool, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var cs []clientv3.Cmp
	for _, c := range compares {
		if c.Field == CreateRevision {
			cs = append(cs, clientv3.Compare(clientv3.CreateRevision(c.Key), "=", c.Value))
		} else {
			cs = append(cs, clientv3.Compare(clientv3.ModRevision(c.Key), "=", c.Value))
		}
	}
	var os []clientv3.Op
	for _, op := range ops {
		switch {
		case op.Delete && op.Prefix:
			os = append(os, clientv3.OpDelete(op.Key, clientv3.WithPrefix()))
		case op.Delete:
			os = append(os, clientv3.OpDelete(op.Key))
		default:
			os = append(os, clientv3.OpPut(op.Key, string(op.Value), clientv3.WithLease(clientv3.LeaseID(op.Lease))))
		}
	}
	r, err := e.client.Txn(ctx).If(cs...).Then(os...).Commit()
	if err != nil {
		return false, 0, unavailable("a transaction", err)
	}
	return r.Succeeded, r.Header.Revision, nil
}

// Get implements Backend.
func (e *Etcd) Get(ctx context.Context, key string, prefix bool) ([]KV, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var opts []clientv3.OpOption
	if prefix {
		opts = append(opts, clientv3.WithPrefix())
	}
	r, err := e.client.Get(ctx, key, opts...)
	if err != nil {
		return nil, 0, unavailable("a read", err)
	}
	out := make([]KV, 0, len(r.Kvs))
	for _, kv := range r.Kvs {
		out = append(out, keyValue(kv))
	}
	return out, r.Header.Revision, nil
}

func keyValue(kv *mvccpb.KeyValue) KV {
	return KV{Key: string(kv.Key), Value: kv.Value, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision, Lease: kv.Lease}
}

// Watch implements Backend.
func (e *Etcd) Watch(ctx context.Context, prefix string, after int64, prev bool) <-chan WatchBatch {
	out := make(chan WatchBatch)
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(after + 1), clientv3.WithProgressNotify()}
	if prev {
		opts = append(opts, clientv3.WithPrevKV())
	}
	in := e.client.Watch(clientv3.WithRequireLeader(ctx), prefix, opts...)
	go func() {
		defer close(out)
		for r := range in {
			b := WatchBatch{Revision: r.Header.Revision, Err: unavailable("the watch", r.Err())}
			if r.CompactRevision != 0 {
				b.Err = fmt.Errorf("%w: %w: revision %d and before", ErrUnavailable, ErrCompacted, r.CompactRevision)
			}
			for _, ev := range r.Events {
				one := Event{KV: KV{Key: string(ev.Kv.Key), ModRevision: ev.Kv.ModRevision}, Deleted: ev.Type == clientv3.EventTypeDelete}
				if !one.Deleted {
					one.KV = keyValue(ev.Kv)
				}
				if ev.PrevKv != nil {
					p := keyValue(ev.PrevKv)
					one.Prev = &p
				}
				// etcd leaves it out where it was compacted meanwhile.
				if prev && one.Prev == nil && (one.Deleted || ev.Kv.CreateRevision != ev.Kv.ModRevision) {
					b.Err = fmt.Errorf("%w: %w: what %s was before revision %d", ErrUnavailable, ErrCompacted, one.Key, one.ModRevision)
				}
				b.Events = append(b.Events, one)
			}
			// The header's revision may be ahead of what has been sent, but for words of progress.
			if len(b.Events) > 0 {
				b.Revision = b.Events[len(b.Events)-1].ModRevision
			}
			select {
			case out <- b:
			case <-ctx.Done():
				return
			}
			if b.Err != nil {
				return
			}
		}
	}()
	return out
}

// Progress implements Backend.
func (e *Etcd) Progress(ctx context.Context) error {
	return unavailable("a request for progress", e.client.RequestProgress(clientv3.WithRequireLeader(ctx)))
}

// Revision implements Backend.
func (e *Etcd) Revision(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := e.client.Get(ctx, "\x00", clientv3.WithCountOnly())
	if err != nil {
		return 0, unavailable("a read of the revision", err)
	}
	return r.Header.Revision, nil
}

// Grant implements Backend.
func (e *Etcd) Grant(ctx context.Context, ttl time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := e.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return 0, unavailable("a grant of a lease", err)
	}
	return int64(r.ID), nil
}

// KeepAlive implements Backend.
func (e *Etcd) KeepAlive(ctx context.Context, lease int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := e.client.KeepAliveOnce(ctx, clientv3.LeaseID(lease))
	return unavailable("a renewal of a lease", err)
}

// Revoke implements Backend.
func (e *Etcd) Revoke(ctx context.Context, lease int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := e.client.Revoke(ctx, clientv3.LeaseID(lease))
	if err = unavailable("a revocation of a lease", err); errors.Is(err, ErrLapsed) {
		return nil
	}
	return err
}
