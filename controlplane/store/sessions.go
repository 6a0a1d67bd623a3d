package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// OpenSession grants a lease and writes the session bound to it. ErrExists where the id is taken.
func (s *Store) OpenSession(ctx context.Context, id string, v *storev1.Session, ttl time.Duration) (leaseID int64, err error) {
	leaseID, err = s.backend.Grant(ctx, ttl)
	if err != nil {
		return 0, err
	}
	v = proto.CloneOf(v)
	v.Lease = leaseID
	key := s.keys.session(id)
	op, err := put(key, v, leaseID)
	if err != nil {
		return 0, err
	}
	ok, _, err := s.write(ctx, []Compare{{key, CreateRevision, 0}}, op)
	if err == nil && !ok {
		err = fmt.Errorf("%w: session %s", ErrExists, id)
	}
	if err != nil {
		return 0, errors.Join(err, s.backend.Revoke(ctx, leaseID))
	}
	return leaseID, nil
}

// KeepAlive renews a session's lease once. ErrLapsed where it is gone.
func (s *Store) KeepAlive(ctx context.Context, leaseID int64) error {
	return s.backend.KeepAlive(ctx, leaseID)
}

// UpdateSession changes a session that the stream of that number owns. ErrSuperseded where another
// stream does, ErrLapsed where the session is gone.
func (s *Store) UpdateSession(ctx context.Context, id string, stream uint64, f func(*storev1.Session)) error {
	return s.changeSession(ctx, id, func(v *storev1.Session) error {
		if v.GetStream() != stream {
			return fmt.Errorf("%w: session %s: stream %d owns it, not %d", ErrSuperseded, id, v.GetStream(), stream)
		}
		f(v)
		return nil
	})
}

// TakeSession makes a newer stream the owner of a session, here or from another replica. ErrSuperseded
// where the owner is as new or newer, ErrLapsed where the session is gone.
func (s *Store) TakeSession(ctx context.Context, id string, stream uint64, replica string, f func(*storev1.Session)) error {
	return s.changeSession(ctx, id, func(v *storev1.Session) error {
		if v.GetStream() >= stream {
			return fmt.Errorf("%w: session %s: stream %d owns it, not %d", ErrSuperseded, id, v.GetStream(), stream)
		}
		v.Stream, v.Replica, v.LostSinceMs = stream, replica, 0
		f(v)
		return nil
	})
}

// MarkSession changes what an operator says of a session, whoever owns it. ErrLapsed where it is gone.
func (s *Store) MarkSession(ctx context.Context, id string, f func(*storev1.Session)) error {
	return s.changeSession(ctx, id, func(v *storev1.Session) error { f(v); return nil })
}

// ForgetFence says that the fence of a lapsed unit is not owed any more. ErrNotFound where the unit is not lapsed.
func (s *Store) ForgetFence(ctx context.Context, u unit.ID) error {
	key := s.keys.lapsed(u)
	for range tries {
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return err
		}
		if len(kvs) == 0 {
			return fmt.Errorf("%w: unit %s is not lapsed", ErrNotFound, u)
		}
		v, err := decode(kvs[0], &storev1.Lapsed{})
		if err != nil || !v.GetFenceOwed() {
			return err
		}
		v.FenceOwed = false
		op, err := put(key, v, 0)
		if err != nil {
			return err
		}
		if ok, _, err := s.write(ctx, []Compare{{key, ModRevision, kvs[0].ModRevision}}, op); err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("%w: %s", ErrConflict, u)
}

func (s *Store) changeSession(ctx context.Context, id string, f func(*storev1.Session) error) error {
	key := s.keys.session(id)
	for range tries {
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return err
		}
		if len(kvs) == 0 {
			return fmt.Errorf("%w: session %s", ErrLapsed, id)
		}
		v, err := decode(kvs[0], &storev1.Session{})
		if err != nil {
			return err
		}
		before := proto.CloneOf(v)
		if err := f(v); err != nil {
			return err
		}
		if proto.Equal(before, v) {
			return nil
		}
		op, err := put(key, v, kvs[0].Lease)
		if err != nil {
			return err
		}
		ok, _, err := s.write(ctx, []Compare{{key, ModRevision, kvs[0].ModRevision}}, op)
		if err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("%w: session %s", ErrConflict, id)
}

// SessionLease is the lease of a session. ErrLapsed where it is gone.
func (s *Store) SessionLease(ctx context.Context, id string) (int64, error) {
	kvs, _, err := s.backend.Get(ctx, s.keys.session(id), false)
	if err != nil {
		return 0, err
	}
	if len(kvs) == 0 {
		return 0, fmt.Errorf("%w: session %s", ErrLapsed, id)
	}
	return kvs[0].Lease, nil
}

// DeleteEarlierLife ends every session and takes every unit back at once: only for a process that alone owns its
// data directory. Nobody of its earlier life can act any more, so there is nothing to wait for; a sink's new
// member takes the place of the old one in its group.
func (s *Store) DeleteEarlierLife(ctx context.Context) error {
	kvs, _, err := s.backend.Get(ctx, s.keys.root+"sessions/", true)
	if err != nil {
		return err
	}
	for _, kv := range kvs {
		if err := s.backend.Revoke(ctx, kv.Lease); err != nil {
			return err
		}
	}
	var ops []Op
	for _, dir := range []string{"assignments/", "lapsed/", "releases/"} {
		ops = append(ops, Op{Key: s.keys.root + dir, Delete: true, Prefix: true})
	}
	_, _, err = s.write(ctx, nil, ops...)
	return err
}

// WriteRelease writes that a holder released its unit. Idempotent; nil also where the epoch is not the
// assignment's any more: there is nothing left to release.
func (s *Store) WriteRelease(ctx context.Context, u unit.ID, e lease.Epoch, outcome int32, predecessorUnfenced bool) error {
	if !s.sameEra(e) {
		return nil
	}
	op, err := put(s.keys.release(u), &storev1.Release{Epoch: epochProto(e), Outcome: outcome, PredecessorUnfenced: predecessorUnfenced}, 0)
	if err != nil {
		return err
	}
	_, _, err = s.write(ctx, []Compare{{s.keys.assignment(u), CreateRevision, e.Revision}}, op)
	return err
}

// StatusWrite is one state to be written.
type StatusWrite struct {
	Unit  unit.ID
	Epoch lease.Epoch
	Value *storev1.Status
}

// WriteStatuses writes states, each guarded by its epoch: a stale one is dropped. What is unchanged in
// the view is not rewritten.
func (s *Store) WriteStatuses(ctx context.Context, writes []StatusWrite) error {
	view := s.View()
	var errs []error
	var compares []Compare
	var ops []Op
	flush := func() {
		if len(ops) == 0 {
			return
		}
		ok, _, err := s.write(ctx, compares, ops...)
		// One stale epoch fails them all: then each for itself.
		if err == nil && !ok && len(ops) > 1 {
			for i := range ops {
				if _, _, err = s.write(ctx, compares[i:i+1], ops[i]); err != nil {
					break
				}
			}
		}
		errs = append(errs, err)
		compares, ops = nil, nil
	}
	for _, w := range writes {
		if old := view.Statuses[w.Unit]; old != nil && proto.Equal(old.Value, w.Value) || !s.sameEra(w.Epoch) {
			continue
		}
		op, err := put(s.keys.status(w.Unit), w.Value, 0)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		compares = append(compares, Compare{s.keys.assignment(w.Unit), CreateRevision, w.Epoch.Revision})
		if ops = append(ops, op); len(ops) == maxStatusOps {
			flush()
		}
	}
	flush()
	return errors.Join(errs...)
}

// maxStatusOps keeps a transaction of statuses, 8 KiB each, within etcd's limits.
const maxStatusOps = 50

// ClearUnfenced says that the fence of a unit's predecessor took effect. Nothing where the epoch is stale.
func (s *Store) ClearUnfenced(ctx context.Context, u unit.ID, e lease.Epoch) error {
	_, err := s.changeAssignment(ctx, u, e, func(v *storev1.Assignment) ([]Compare, bool) {
		was := v.GetPredecessorUnfenced()
		v.PredecessorUnfenced = false
		return nil, was
	})
	return err
}

// SuccessorReady notes that the session which is to follow on an assignment is ready. Nothing where the epoch is
// stale, or where another is to follow meanwhile.
func (s *Store) SuccessorReady(ctx context.Context, u unit.ID, e lease.Epoch, session string) error {
	_, err := s.changeAssignment(ctx, u, e, func(v *storev1.Assignment) ([]Compare, bool) {
		write := v.GetSuccessor() == session && !v.GetSuccessorReady()
		v.SuccessorReady = true
		return nil, write
	})
	return err
}

// Rebind gives an assignment of a session that is gone to the executor's new one: adoption. The epoch
// stays, and nothing restarts. false where the assignment is another, or the old session lives.
func (s *Store) Rebind(ctx context.Context, u unit.ID, e lease.Epoch, oldSession, newSession, executor string) (bool, error) {
	return s.changeAssignment(ctx, u, e, func(v *storev1.Assignment) ([]Compare, bool) {
		if v.GetSession() != oldSession {
			return nil, false
		}
		v.Session, v.Executor, v.SettlingSinceMs = newSession, executor, 0
		return []Compare{{s.keys.session(oldSession), CreateRevision, 0}}, true
	})
}

// changeAssignment writes what f makes of an assignment of that epoch.
func (s *Store) changeAssignment(ctx context.Context, u unit.ID, e lease.Epoch, f func(*storev1.Assignment) ([]Compare, bool)) (bool, error) {
	key := s.keys.assignment(u)
	for range tries {
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return false, err
		}
		if len(kvs) == 0 || kvs[0].CreateRevision != e.Revision || !s.sameEra(e) {
			return false, nil
		}
		v, err := decode(kvs[0], &storev1.Assignment{})
		if err != nil {
			return false, err
		}
		more, write := f(v)
		if !write {
			return false, nil
		}
		op, err := put(key, v, 0)
		if err != nil {
			return false, err
		}
		ok, _, err := s.write(ctx, append(more, Compare{key, ModRevision, kvs[0].ModRevision}), op)
		if err != nil || ok {
			return ok, err
		}
		if len(more) > 0 {
			// The other compare may be what failed: look once.
			if kv, _, err := s.backend.Get(ctx, more[0].Key, false); err != nil || len(kv) > 0 {
				return false, err
			}
		}
	}
	return false, fmt.Errorf("%w: the assignment of %s", ErrConflict, u)
}
