package store

import (
	"context"
	"fmt"

	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// HandBack sets the key under which no leader grants anything but system:mirror (ARCHITECTURE 4.14). Idempotent.
func (s *Store) HandBack(ctx context.Context) error {
	op, err := put(s.keys.handBack(), &storev1.HandBack{SinceMs: s.clock.Now().UnixMilli()}, 0)
	if err != nil {
		return err
	}
	// Where it is there already, the first one counts.
	_, _, err = s.write(ctx, []Compare{{op.Key, CreateRevision, 0}}, op, Op{Key: s.keys.mirrored(), Delete: true})
	return err
}

// EndHandBack takes the key away: everything is granted again. Idempotent.
func (s *Store) EndHandBack(ctx context.Context) error {
	_, _, err := s.write(ctx, nil, Op{Key: s.keys.handBack(), Delete: true}, Op{Key: s.keys.mirrored(), Delete: true})
	return err
}

// ConfirmMirror notes that Kafka has everything that a view of that revision showed: what is left of deleted connectors
// goes, and quiet of a handed-back cluster is written down. Guarded by the epoch: false where system:mirror is another's.
func (s *Store) ConfirmMirror(ctx context.Context, e lease.Epoch, revision int64, quiet bool) (bool, error) {
	guard := Compare{s.keys.assignment(unit.Mirror), CreateRevision, e.Revision}
	for _, d := range s.View().Deleted {
		if d.ModRevision > revision {
			continue
		}
		// One by one: there are few, and one that was deleted again meanwhile stays for itself.
		key := s.keys.deleted(d.Name)
		if _, _, err := s.write(ctx, []Compare{guard, {key, ModRevision, d.ModRevision}}, Op{Key: key, Delete: true}); err != nil {
			return false, fmt.Errorf("connector %s: %w", d.Name, err)
		}
	}
	compares, ops := []Compare{guard}, []Op(nil)
	if h := s.View().HandBack; quiet && h != nil {
		op, err := put(s.keys.mirrored(), &storev1.Mirrored{Revision: revision}, 0)
		if err != nil {
			return false, err
		}
		compares, ops = append(compares, Compare{s.keys.handBack(), ModRevision, h.ModRevision}), []Op{op}
	}
	if len(ops) == 0 {
		a := s.View().Assignments[unit.Mirror]
		return a != nil && a.Epoch == e, nil
	}
	ok, _, err := s.write(ctx, compares, ops...)
	return ok, err
}
