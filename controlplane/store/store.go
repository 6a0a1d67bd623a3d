package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// Store is one cluster's state. Safe for concurrent use. Start before anything else.
type Store struct {
	backend Backend
	keys    keys
	clock   clock.Clock
	log     *slog.Logger
	group   *run.Group

	view    atomic.Pointer[state.Snapshot]
	observe Observer

	mu      sync.Mutex
	subs    map[chan struct{}]struct{}
	reached chan struct{} // closed and replaced with every new view
	barrier *barrier      // the next one, not yet begun
	running bool          // a barrier is being asked
	rewatch func()        // ends the present watch, so that everything is read anew
	sets    *taskSetCache
}

// New returns a store over a backend, for the cluster of that id.
func New(b Backend, cluster string, c clock.Clock, log *slog.Logger) *Store {
	return &Store{
		backend: b, keys: newKeys(cluster), clock: c, log: log.With(logkey.Component, "store"),
		subs: map[chan struct{}]struct{}{}, reached: make(chan struct{}), rewatch: func() {}, sets: newTaskSetCache(),
	}
}

// LeaderPrefix is where the election keeps its keys.
func (s *Store) LeaderPrefix() string { return s.keys.leader() }

// Backend is what the store writes to.
func (s *Store) Backend() Backend { return s.backend }

// Start reads everything once and then follows it. It fails where the backend cannot be read until ctx
// ends.
func (s *Store) Start(ctx context.Context) error {
	if err := s.list(ctx); err != nil {
		return fmt.Errorf("the store cannot be read: %w", err)
	}
	s.group = run.New(context.Background(), "store")
	return s.group.Go(s.follow)
}

// Stop ends the watch.
func (s *Store) Stop(ctx context.Context) error {
	if s.group == nil {
		return nil
	}
	return s.group.Stop(ctx)
}

// View is the newest snapshot. It may be behind what has been written: see Barrier.
func (s *Store) View() *state.Snapshot { return s.view.Load() }

// Subscribe returns a channel with one slot that gets a word after every new view, and the function
// that ends it.
func (s *Store) Subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.subs[ch] = struct{}{}
	s.mu.Unlock()
	return ch, func() {
		s.mu.Lock()
		delete(s.subs, ch)
		s.mu.Unlock()
	}
}

func (s *Store) list(ctx context.Context) error {
	kvs, rev, err := s.backend.Get(ctx, s.keys.root, true)
	if err != nil {
		return err
	}
	b := newBuilder(s.keys, &state.Snapshot{
		Connectors: map[string]*state.Connector{}, Deleted: map[string]*state.Deleted{}, Assignments: nil, Sessions: map[string]*state.Session{}, Replicas: map[string]*state.Replica{},
	})
	// The era comes first: epochs are made of it.
	for _, kv := range kvs {
		if kv.Key == s.keys.era() {
			if err := b.apply(Event{KV: kv}); err != nil {
				return err
			}
		}
	}
	for _, kv := range kvs {
		if err := b.apply(Event{KV: kv}); err != nil {
			return err
		}
	}
	if s.observe != nil {
		s.observe.Anew(rev)
	}
	s.publish(b.done(rev))
	return nil
}

func (s *Store) publish(v *state.Snapshot) {
	if old := s.View(); old != nil {
		v.Restored = old.Restored
		if seen := (lease.Epoch{Era: old.Era, Revision: old.Revision}); old.Revision > v.Revision && seen.Compare(v.Restored) > 0 {
			v.Restored = seen
		}
		if v.Era > v.Restored.Era {
			v.Restored = lease.Epoch{}
		}
	}
	s.view.Store(v)
	s.mu.Lock()
	close(s.reached)
	s.reached = make(chan struct{})
	for ch := range s.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
}

// follow keeps the view fresh. A watch that ends (etcd away, compacted) is begun anew after a list.
func (s *Store) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		s.log.Warn("the watch of the store ended and is begun anew", logkey.Err, err)
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-s.clock.After(500 * time.Millisecond):
			}
			if err = s.list(ctx); err == nil {
				break
			}
			s.log.Warn("the store cannot be read; trying again", logkey.Err, err)
		}
	}
	return nil
}

func (s *Store) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.rewatch = cancel
	s.mu.Unlock()
	for batch := range s.backend.Watch(ctx, s.keys.root, s.View().Revision, false) {
		if batch.Err != nil {
			return batch.Err
		}
		b := newBuilder(s.keys, s.View())
		b.record = s.observe != nil
		for _, e := range batch.Events {
			if err := b.apply(e); err != nil {
				// One key that nobody here can read must not stop the rest.
				s.log.Error("a key of the store cannot be read and is ignored", logkey.Err, err)
			}
		}
		if batch.Revision < b.snap.Revision {
			batch.Revision = b.snap.Revision
		}
		if s.observe != nil {
			s.observe.Changed(b.changes, batch.Revision)
		}
		s.publish(b.done(batch.Revision))
	}
	return errors.New("the channel was closed")
}

// barrier is one question for the present revision, shared by all who came before it was asked.
type barrier struct {
	done chan struct{}
	rev  int64
	err  error
}

// Barrier returns once View is at least as new as everything written before the call. ErrUnavailable
// without quorum or when ctx ends: View still answers then, but may be stale.
func (s *Store) Barrier(ctx context.Context) error {
	s.mu.Lock()
	if s.barrier == nil {
		s.barrier = &barrier{done: make(chan struct{})}
	}
	b := s.barrier
	if !s.running {
		s.running = true
		if err := s.group.Go(s.ask); err != nil {
			s.running = false
			s.mu.Unlock()
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	s.mu.Unlock()
	select {
	case <-b.done:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if b.err != nil {
		return b.err
	}
	return s.wait(ctx, b.rev)
}

// ask serves barriers until none is left. Those that come while it asks share the next question.
func (s *Store) ask(ctx context.Context) error {
	for {
		s.mu.Lock()
		b := s.barrier
		s.barrier = nil
		if b == nil {
			s.running = false
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		seen := s.View().Revision
		b.rev, b.err = s.backend.Revision(ctx)
		switch {
		case b.err != nil:
		case b.rev < seen:
			b.err = s.restored(b.rev, seen)
		case s.View().Revision < b.rev:
			b.err = s.backend.Progress(ctx)
		}
		close(b.done)
	}
}

// restored has everything read anew where the revision has gone back: the watch waits for revisions that are to come,
// and would never say so.
func (s *Store) restored(rev, seen int64) error {
	s.log.Error("etcd was restored from an older snapshot; everything is read anew", "revision", rev, "seen", seen)
	s.sets.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rewatch()
	return fmt.Errorf("%w: it is at revision %d, and was at %d: it was restored from an older snapshot", ErrUnavailable, rev, seen)
}

// wait returns once View has reached a revision. A word of progress that was sent too early is asked
// for again.
func (s *Store) wait(ctx context.Context, rev int64) error {
	for {
		s.mu.Lock()
		reached := s.reached
		s.mu.Unlock()
		if s.View().Revision >= rev {
			return nil
		}
		select {
		case <-reached:
		case <-s.clock.After(50 * time.Millisecond):
			if err := s.backend.Progress(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: the watch is behind revision %d: %w", ErrUnavailable, rev, ctx.Err())
		}
	}
}

// write runs a transaction that must not be repeated.
func (s *Store) write(ctx context.Context, compares []Compare, ops ...Op) (bool, int64, error) {
	return s.backend.Txn(ctx, compares, ops)
}
