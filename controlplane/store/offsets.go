package store

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// MaxOffsets is how large a request to alter offsets may be, in bytes.
const MaxOffsets = 384 << 10

// RequestOffsets records a request to alter a connector's offsets, to be done within a time. The connector must
// be as it was seen, without a request. ErrOffsetsBusy where it has changed or has one, ErrTooLarge.
func (s *Store) RequestOffsets(ctx context.Context, c *state.Connector, within time.Duration, v *storev1.Offsets) error {
	v = proto.CloneOf(v)
	v.Incarnation, v.DeadlineMs, v.Result, v.Started = c.Incarnation, s.clock.Now().Add(within).UnixMilli(), nil, false
	if n := proto.Size(v); n > MaxOffsets {
		return fmt.Errorf("%w: the request to alter offsets of connector %s has %d bytes: at most %d, alter them in several requests", ErrTooLarge, c.Name, n, MaxOffsets)
	}
	key := s.keys.offsets(c.Name)
	op, err := put(key, v, 0)
	if err != nil {
		return err
	}
	ok, _, err := s.write(ctx, []Compare{{s.keys.connector(c.Name), ModRevision, c.ModRevision}, {key, CreateRevision, 0}}, op)
	if err == nil && !ok {
		err = fmt.Errorf("%w: connector %s", ErrOffsetsBusy, c.Name)
	}
	return err
}

// CompleteOffsets writes what a request came to, for the holder of the unit at that epoch. Idempotent.
// ErrOffsetsStale where it holds it no more, or the request is gone.
func (s *Store) CompleteOffsets(ctx context.Context, connector string, e lease.Epoch, id string, r *sluicev1.OffsetsResult) error {
	key, assignment := s.keys.offsets(connector), s.keys.assignment(unit.Offsets(connector))
	for range tries {
		kvs, _, err := s.backend.Get(ctx, key, false)
		if err != nil {
			return err
		}
		if len(kvs) == 0 || !s.sameEra(e) {
			return fmt.Errorf("%w: %s", ErrOffsetsStale, connector)
		}
		v, err := decode(kvs[0], &storev1.Offsets{})
		if err != nil {
			return err
		}
		if v.GetId() != id {
			return fmt.Errorf("%w: %s", ErrOffsetsStale, connector)
		}
		if v.GetResult() != nil {
			return nil
		}
		v.Result, v.Offsets = r, nil
		op, err := put(key, v, 0)
		if err != nil {
			return err
		}
		ok, _, err := s.write(ctx, []Compare{{key, ModRevision, kvs[0].ModRevision}, {assignment, CreateRevision, e.Revision}}, op)
		if err != nil || ok {
			return err
		}
		held, _, err := s.backend.Get(ctx, assignment, false)
		if err != nil {
			return err
		}
		if len(held) == 0 || held[0].CreateRevision != e.Revision {
			return fmt.Errorf("%w: %s", ErrOffsetsStale, connector)
		}
	}
	return fmt.Errorf("%w: the request to alter offsets of %s", ErrConflict, connector)
}

// EndOffsets deletes a request that is still as it was seen: one whose result has been read, or one that was never
// started. false where it is not so.
func (s *Store) EndOffsets(ctx context.Context, o *state.Offsets) (bool, error) {
	st := deletion(s.keys.offsets(o.Connector), o.ModRevision)
	ok, _, err := s.write(ctx, st.compares, st.ops...)
	return ok, err
}

func (s *Store) dropOffsets(connector string, mod int64) step {
	st := deletion(s.keys.offsets(connector), mod)
	u := unit.Offsets(connector)
	st.compares = append(st.compares, Compare{s.keys.assignment(u), CreateRevision, 0}, Compare{s.keys.lapsed(u), CreateRevision, 0})
	return st
}
