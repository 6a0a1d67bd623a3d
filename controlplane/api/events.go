package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/events"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	// eventsAlive is how often a stream without events says how far it is.
	eventsAlive = 15 * time.Second
	// eventsPatience is how long a reader may leave one message unread, and how long it may take for what happened before
	// it came.
	eventsPatience = 30 * time.Second
)

// EventStore is what the service needs of the store.
type EventStore interface {
	Reader
	Subscribe() (<-chan struct{}, func())
	History(ctx context.Context, after, until int64, give func([]state.Change, int64) error) error
}

// Events serves ClusterService.WatchEvents out of a journal and, for what was before it, the store's history. Each stream
// has a goroutine that sends; nobody waits for it.
type Events struct {
	store   EventStore
	journal *events.Journal
	clock   clock.Clock
	group   *run.Group
	ended   chan struct{}
	once    sync.Once
}

// NewEvents returns the service. The journal must observe the store. Stop, then Wait.
func NewEvents(s EventStore, j *events.Journal, c clock.Clock) *Events {
	return &Events{store: s, journal: j, clock: c, group: run.New(context.Background(), "events"), ended: make(chan struct{})}
}

// Stop ends the streams. It may be called more than once.
func (s *Events) Stop() { s.once.Do(func() { close(s.ended) }) }

// Wait waits for what the streams' goroutines leave, once the server has ended all calls, or until ctx ends.
func (s *Events) Wait(ctx context.Context) error {
	s.Stop()
	return s.group.Stop(ctx)
}

// Watch serves one stream.
func (s *Events) Watch(req *sluicev1.WatchEventsRequest, stream grpc.ServerStreamingServer[sluicev1.WatchEventsResponse]) error {
	from, err := s.begin(stream.Context(), req.GetSince())
	if err != nil {
		return err
	}
	r := &eventReader{Events: s, at: from, connector: req.GetConnector(), stream: stream}
	done := make(chan error, 1)
	// The group's end is not the sender's: it ends with its stream, which ends with this call.
	if err := s.group.Go(func(context.Context) error {
		done <- run.Call(func() error { return r.run(stream.Context()) })
		return nil
	}); err != nil {
		return nil //nolint:nilerr // the replica stops: another goes on
	}
	for {
		select {
		case err := <-done:
			return err
		case <-s.ended:
			return nil
		case <-s.clock.After(time.Second):
			if r.stuck() {
				return slowReader(r.last())
			}
		}
	}
}

func slowReader(id string) error {
	return errs.New(errs.EventsSlow, "The events are read too slowly: go on with those after %s", id)
}

// begin is where a stream begins: now, or after an id.
func (s *Events) begin(ctx context.Context, since string) (events.ID, error) {
	id, err := events.ParseID(since)
	if since != "" && err != nil {
		return id, errs.New(errs.RequestMalformed, "since: %s", err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	err = s.store.Barrier(ctx)
	now := events.ID{Revision: s.store.View().Revision, Place: events.Whole, Era: s.store.View().Era}
	switch {
	case since == "":
		return now, nil // without quorum from what is known
	case err != nil && id.Revision > now.Revision:
		return id, err
	}
	return id, nil
}

// eventReader is one stream. Its fields belong to run, but for what is atomic.
type eventReader struct {
	*Events
	at        events.ID
	connector string
	stream    grpc.ServerStreamingServer[sluicev1.WatchEventsResponse]
	sent      atomic.Pointer[string]
	busy      atomic.Int64 // since when one message is being sent, by the clock's Boot; 0 where none is
}

// stuck says whether the reader has left a message unread for too long.
func (r *eventReader) stuck() bool {
	since := r.busy.Load()
	return since != 0 && r.clock.Boot()-time.Duration(since) > eventsPatience
}

// last is the id of the last message that was handed over.
func (r *eventReader) last() string {
	if id := r.sent.Load(); id != nil {
		return *id
	}
	return r.at.String()
}

func (r *eventReader) send(id events.ID, e *sluicev1.Event) error {
	r.busy.Store(int64(r.clock.Boot()))
	defer r.busy.Store(0)
	text := id.String()
	if err := r.stream.Send(&sluicev1.WatchEventsResponse{Id: text, Event: e}); err != nil {
		return err
	}
	r.sent.Store(&text)
	return nil
}

// run sends until the stream ends or falls behind.
func (r *eventReader) run(ctx context.Context) error {
	changed, cancel := r.store.Subscribe()
	defer cancel()
	if view := r.store.View(); r.at.Era != view.Era || r.at.Revision > view.Revision {
		if err := r.reset(fmt.Sprintf("The id %s is not of the present store, which is at %d in era %d: it was restored, or is another's", r.at, view.Revision, view.Era)); err != nil {
			return err
		}
	} else if err := r.send(r.at, nil); err != nil {
		return err
	}
	alive := r.clock.NewTimer(eventsAlive)
	defer alive.Stop()
	life, live := uint64(0), false
	for {
		page := r.journal.After(r.at.After())
		switch {
		case page.Revision < r.at.After():
			if err := r.reset("etcd was restored from an older snapshot"); err != nil {
				return err
			}
			continue
		case page.Floor > r.at.After() && live && life == page.Life:
			return slowReader(r.last())
		case page.Floor > r.at.After():
			if err := r.history(ctx, page.Floor); err != nil {
				return err
			}
			continue
		}
		life, live = page.Life, true
		if err := r.give(page.Entries, page.Revision); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-alive.C():
			if err := r.send(r.at, nil); err != nil {
				return err
			}
			alive.Reset(eventsAlive)
		}
	}
}

// give sends what the reader has not seen of what came until a revision.
func (r *eventReader) give(entries []events.Entry, until int64) error {
	for _, e := range entries {
		if r.at.Has(e.ID) {
			continue
		}
		if r.connector == "" || e.Event.GetConnector() == r.connector {
			if err := r.send(e.ID, e.Event); err != nil {
				return err
			}
		}
		r.at = e.ID
	}
	if until > r.at.Revision || until == r.at.Revision && r.at.Place != events.Whole {
		r.at = events.ID{Revision: until, Place: events.Whole, Era: r.store.View().Era}
	}
	return nil
}

// history sends what was before the journal, as far as etcd still knows it.
func (r *eventReader) history(ctx context.Context, until int64) error {
	ctx, cancel := context.WithTimeout(ctx, eventsPatience)
	defer cancel()
	err := r.store.History(ctx, r.at.After(), until, func(changes []state.Change, revision int64) error {
		return r.give(events.Of(changes), revision)
	})
	switch {
	case errors.Is(err, store.ErrCompacted):
		return r.reset(fmt.Sprintf("What happened after %s is not known any more: etcd has compacted it", r.at))
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return slowReader(r.last())
	}
	return err
}

// reset says that there is a gap, and goes on from now.
func (r *eventReader) reset(why string) error {
	page := r.journal.After(0)
	r.at = events.ID{Revision: page.Revision, Place: events.Whole, Era: r.store.View().Era}
	return r.send(r.at, &sluicev1.Event{Type: "reset", Detail: &sluicev1.Event_Gap{Gap: &sluicev1.StreamGap{Reason: why}}})
}
