package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// Guard is what every transaction of a leader compares: the election's key as it was when it was won.
type Guard struct {
	Key            string
	CreateRevision int64
}

// Limits of one transaction.
const (
	maxTxnOps   = 100
	maxTxnBytes = 512 << 10
)

// step is one action as compares and writes.
type step struct {
	compares []Compare
	ops      []Op
}

func (s step) bytes() (n int) {
	for _, op := range s.ops {
		n += len(op.Key) + len(op.Value)
	}
	return n
}

// Apply writes a leader's actions. Each is done whole or, where what it was planned from has changed,
// not at all: the next plan sees to it. ErrNotLeader ends it at once.
func (s *Store) Apply(ctx context.Context, g Guard, actions []state.Action) error {
	view := s.View()
	var batch []step
	ops, size, written := 0, 0, map[string]bool{}
	flush := func() error {
		err := s.applyBatch(ctx, g, batch)
		batch, ops, size = nil, 0, 0
		clear(written)
		return err
	}
	for _, a := range actions {
		if d, ok := a.(state.DropTaskSets); ok {
			if err := s.dropTaskSets(ctx, g, d); err != nil {
				return err
			}
			continue
		}
		st, err := s.step(view, a)
		if err != nil {
			return err
		}
		if len(st.ops) == 0 {
			continue
		}
		// A unit that is released and granted again has two transactions: the key has to be gone in between.
		again := slices.ContainsFunc(st.ops, func(op Op) bool { return written[op.Key] })
		if again || ops+len(st.ops)+len(st.compares) > maxTxnOps || size+st.bytes() > maxTxnBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		for _, op := range st.ops {
			written[op.Key] = true
		}
		batch = append(batch, st)
		ops += len(st.ops) + len(st.compares)
		size += st.bytes()
	}
	return flush()
}

// applyBatch writes steps in one transaction, or where one of them has become stale each for itself.
func (s *Store) applyBatch(ctx context.Context, g Guard, batch []step) error {
	if len(batch) == 0 {
		return nil
	}
	compares := []Compare{{g.Key, CreateRevision, g.CreateRevision}}
	var ops []Op
	for _, st := range batch {
		compares = append(compares, st.compares...)
		ops = append(ops, st.ops...)
	}
	ok, _, err := s.write(ctx, compares, ops...)
	if err != nil || ok {
		return err
	}
	if err := s.leads(ctx, g); err != nil {
		return err
	}
	if len(batch) == 1 {
		return nil
	}
	for i := range batch {
		if err := s.applyBatch(ctx, g, batch[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) leads(ctx context.Context, g Guard) error {
	kvs, _, err := s.backend.Get(ctx, g.Key, false)
	if err != nil {
		return err
	}
	if len(kvs) == 0 || kvs[0].CreateRevision != g.CreateRevision {
		return ErrNotLeader
	}
	return nil
}

var errUnknownAction = errors.New("store: unknown action (bug)")

// step translates one action. A step without writes has become void.
func (s *Store) step(view *state.Snapshot, a state.Action) (step, error) {
	switch a := a.(type) {
	case state.Grant:
		return s.grant(a)
	case state.RequestRelease:
		return s.editAssignment(view.Assignments[a.Unit], a.Mod, func(v *storev1.Assignment) { v.Release = int32(a.Mode) })
	case state.MarkSettling:
		return s.editAssignment(view.Assignments[a.Unit], a.Mod, func(v *storev1.Assignment) { v.SettlingSinceMs = a.SinceMS })
	case state.SetSuccessor:
		return s.editAssignment(view.Assignments[a.Unit], a.Mod, func(v *storev1.Assignment) {
			v.Successor, v.SuccessorSinceMs, v.SuccessorReady = a.Session, a.SinceMS, false
		})
	case state.Lapse:
		key := s.keys.assignment(a.Unit)
		op, err := put(s.keys.lapsed(a.Unit), a.Value, 0)
		if err != nil {
			return step{}, err
		}
		st := step{
			compares: []Compare{{key, ModRevision, a.Mod}},
			ops:      []Op{{Key: key, Delete: true}, {Key: s.keys.release(a.Unit), Delete: true}, op},
		}
		if a.Session != "" {
			st.compares = append(st.compares, Compare{s.keys.session(a.Session), CreateRevision, 0})
		}
		return st, nil
	case state.DropLapsed:
		return deletion(s.keys.lapsed(a.Unit), a.Mod), nil
	case state.ConsumeRelease:
		return s.consume(a)
	case state.DropOffsets:
		return s.dropOffsets(a.Connector, a.Mod), nil
	case state.PutStatus:
		key := s.keys.status(a.Unit)
		op, err := put(key, a.Value, 0)
		return step{[]Compare{{key, ModRevision, a.Mod}}, []Op{op}}, err
	case state.DeleteStatus:
		return deletion(s.keys.status(a.Unit), a.Mod), nil
	default:
		return step{}, fmt.Errorf("%w: %T", errUnknownAction, a)
	}
}

func deletion(key string, mod int64) step {
	return step{[]Compare{{key, ModRevision, mod}}, []Op{{Key: key, Delete: true}}}
}

func (s *Store) grant(a state.Grant) (step, error) {
	key := s.keys.assignment(a.Unit)
	op, err := put(key, a.Value, 0)
	if err != nil {
		return step{}, err
	}
	st := step{
		compares: []Compare{
			{key, CreateRevision, 0},
			{s.keys.lapsed(a.Unit), ModRevision, a.LapsedMod},
			{s.keys.session(a.Value.GetSession()), ModRevision, a.SessionMod},
		},
		ops: []Op{op},
	}
	if a.Offsets != nil {
		key, v := s.keys.offsets(a.Offsets.Connector), a.Offsets.Value
		st.compares = append(st.compares, Compare{s.keys.connector(a.Offsets.Connector), ModRevision, a.ConnectorMod}, Compare{key, ModRevision, a.Offsets.ModRevision})
		if !v.GetStarted() {
			v = proto.CloneOf(v)
			v.Started = true
			op, err := put(key, v, 0)
			if err != nil {
				return step{}, err
			}
			st.ops = append(st.ops, op)
		}
	}
	if a.LapsedMod != 0 {
		st.ops = append(st.ops, Op{Key: s.keys.lapsed(a.Unit), Delete: true})
	}
	return st, nil
}

func (s *Store) consume(a state.ConsumeRelease) (step, error) {
	st := deletion(s.keys.release(a.Unit), a.ReleaseMod)
	if a.AssignmentMod != 0 {
		d := deletion(s.keys.assignment(a.Unit), a.AssignmentMod)
		st.compares, st.ops = append(st.compares, d.compares...), append(st.ops, d.ops...)
	}
	if a.Lapsed != nil {
		op, err := put(s.keys.lapsed(a.Unit), a.Lapsed, 0)
		if err != nil {
			return step{}, err
		}
		st.ops = append(st.ops, op)
	}
	return st, nil
}

// editAssignment rewrites an assignment that is still as it was seen. The put keeps the create
// revision, and so the epoch.
func (s *Store) editAssignment(seen *state.Assignment, mod int64, f func(*storev1.Assignment)) (step, error) {
	if seen == nil || seen.ModRevision != mod {
		return step{}, nil
	}
	v := proto.CloneOf(seen.Value)
	f(v)
	key := s.keys.assignment(seen.Unit)
	op, err := put(key, v, 0)
	return step{[]Compare{{key, ModRevision, mod}}, []Op{op}}, err
}

// dropTaskSets deletes the sets that nothing points to any more and nothing ever will: of a connector that
// is there only what the set to keep, which was the present one, has made obsolete. Another may be written
// just now, chunk by chunk, and pointed to next.
func (s *Store) dropTaskSets(ctx context.Context, g Guard, d state.DropTaskSets) error {
	c := s.View().Connectors[d.Connector]
	present := c != nil && c.Incarnation == d.Incarnation
	if present && d.Keep == "" {
		return nil
	}
	prefix := s.keys.taskSets(d.Connector, d.Incarnation)
	kvs, _, err := s.backend.Get(ctx, prefix, true)
	if err != nil {
		return err
	}
	compares := []Compare{{g.Key, CreateRevision, g.CreateRevision}}
	var ops []Op
	for _, kv := range kvs {
		id, _, _ := strings.Cut(strings.TrimPrefix(kv.Key, prefix), "/")
		if present && !replaceable(id, d.Keep) || !present && id == d.Keep {
			continue
		}
		ops = append(ops, Op{Key: kv.Key, Delete: true})
	}
	for len(ops) > 0 {
		n := min(len(ops), maxTxnOps-len(compares))
		ok, _, err := s.write(ctx, compares, ops[:n]...)
		if err != nil {
			return err
		}
		if !ok {
			return s.leads(ctx, g)
		}
		ops = ops[n:]
	}
	return nil
}
