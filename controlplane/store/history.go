package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
)

// Observer is told of every change that the store sees, one after the other, before View shows it. It must not wait.
type Observer interface {
	// Changed tells of whole revisions, all that there was up to revision.
	Changed(changes []state.Change, revision int64)
	// Anew says that the store was read anew at a revision, and that what happened before is not known.
	Anew(revision int64)
}

// Observe sets who is told of changes. Before Start.
func (s *Store) Observe(o Observer) { s.observe = o }

// History gives the changes of the revisions after one until another, which the store has seen, each revision whole.
// ErrCompacted where they are not known any more; another error is what give returned, or ErrUnavailable.
func (s *Store) History(ctx context.Context, after, until int64, give func(changes []state.Change, revision int64) error) error {
	if after >= until {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := s.backend.Watch(ctx, s.keys.root, after, true)
	defer func() {
		cancel()
		for range batches { // it is closed now
		}
	}()
	for {
		select {
		case batch, ok := <-batches:
			switch {
			case !ok:
				return fmt.Errorf("%w: the watch ended: %w", ErrUnavailable, ctx.Err())
			case batch.Err != nil:
				return batch.Err
			}
			if err := give(s.changes(batch.Events), batch.Revision); err != nil || batch.Revision >= until {
				return err
			}
		case <-s.clock.After(50 * time.Millisecond): // the last revisions may be of other keys: ask
			if err := s.backend.Progress(ctx); err != nil {
				return err
			}
		}
	}
}

// changes are events of a watch that says what was before.
func (s *Store) changes(events []Event) []state.Change {
	var out []state.Change
	for _, e := range events {
		b := newBuilder(s.keys, &state.Snapshot{Era: s.View().Era})
		if e.Prev != nil {
			if err := b.apply(Event{KV: *e.Prev}); err != nil {
				continue // the store's own watch has said so
			}
		}
		b.record = true
		if err := b.apply(e); err == nil {
			out = append(out, b.changes...)
		}
	}
	return out
}
