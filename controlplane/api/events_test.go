package api_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/events"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/await"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// eventStore is a store of one era whose history is compacted.
type eventStore struct {
	revision int64
	changed  chan struct{}
}

func (s *eventStore) View() *state.Snapshot                { return &state.Snapshot{Revision: s.revision} }
func (s *eventStore) Barrier(context.Context) error        { return nil }
func (s *eventStore) Subscribe() (<-chan struct{}, func()) { return s.changed, func() {} }
func (s *eventStore) History(context.Context, int64, int64, func([]state.Change, int64) error) error {
	return store.ErrCompacted
}

// eventStream takes what is sent once it is read.
type eventStream struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan *sluicev1.WatchEventsResponse
}

func (s *eventStream) Context() context.Context { return s.ctx }

func (s *eventStream) Send(m *sluicev1.WatchEventsResponse) error {
	select {
	case s.sent <- m:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

type eventHarness struct {
	t       *testing.T
	clock   *clock.Fake
	journal *events.Journal
	store   *eventStore
	service *api.Events
	stream  *eventStream
	ended   chan error
}

func newEventHarness(t *testing.T) *eventHarness {
	t.Helper()
	c := clock.NewFake(time.Unix(1000, 0))
	c.Advance(time.Hour)
	h := &eventHarness{t: t, clock: c, journal: events.NewJournal(), store: &eventStore{10, make(chan struct{}, 1)}, ended: make(chan error, 1)}
	h.journal.Anew(10)
	h.service = api.NewEvents(h.store, h.journal, c)
	return h
}

// watch begins a stream, which ends as a call does: with its context.
func (h *eventHarness) watch(req *sluicev1.WatchEventsRequest) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	h.stream = &eventStream{ctx: ctx, sent: make(chan *sluicev1.WatchEventsResponse)}
	go func() {
		err := h.service.Watch(req, h.stream)
		cancel()
		h.ended <- err
	}()
	h.t.Cleanup(func() {
		cancel()
		if err := h.service.Wait(context.Background()); err != nil {
			h.t.Error(err)
		}
	})
}

func (h *eventHarness) next() *sluicev1.WatchEventsResponse {
	h.t.Helper()
	select {
	case m := <-h.stream.sent:
		return m
	case err := <-h.ended:
		h.t.Fatalf("the stream ended: %v", err)
	case <-time.After(10 * time.Second):
		h.t.Fatal("nothing was sent")
	}
	return nil
}

// change creates a connector at a revision.
func (h *eventHarness) change(revision int64, connector string) {
	h.journal.Changed([]state.Change{{Revision: revision, New: &state.Connector{Name: connector, Value: &storev1.Connector{}}}}, revision)
	select {
	case h.store.changed <- struct{}{}:
	default:
	}
}

func (h *eventHarness) end() error {
	h.t.Helper()
	select {
	case err := <-h.ended:
		return err
	case <-time.After(10 * time.Second):
		h.t.Fatal("the stream did not end")
		return nil
	}
}

func TestEvents_OfOneConnectorAloneAndASignOfLifeSaysHowFarItIs(t *testing.T) {
	h := newEventHarness(t)
	h.watch(&sluicev1.WatchEventsRequest{Connector: "b"})
	if m := h.next(); m.GetId() != "10" || m.GetEvent() != nil {
		t.Fatal(m)
	}
	h.change(11, "a")
	h.change(12, "b")
	h.change(13, "a")
	if m := h.next(); m.GetId() != "12" || m.GetEvent().GetConnector() != "b" {
		t.Fatal(m)
	}
	for id := "12"; id == "12"; { // that 13 was nobody's may be found out after the first sign of life
		await.Until(t, "the reader's timer and the sign of life's", func() bool { return h.clock.Waiters() >= 2 })
		h.clock.Advance(15 * time.Second)
		m := h.next()
		if id = m.GetId(); id != "12" && id != "13" || m.GetEvent() != nil {
			t.Fatal(m)
		}
	}
	h.service.Stop()
	if err := h.end(); err != nil {
		t.Error(err)
	}
}

func TestEvents_ABadIDIsRefusedAndOneThatIsNotKnownBeginsWithAReset(t *testing.T) {
	h := newEventHarness(t)
	h.watch(&sluicev1.WatchEventsRequest{Since: "x"})
	wantErr(t, "a bad id", h.end(), errs.RequestMalformed, `since: "x" is not the id of an event, such as 812, 812.0 or 812@1`)
	for since, first := range map[string]string{"5": "5", "11": "", "10@1": ""} {
		h := newEventHarness(t)
		h.watch(&sluicev1.WatchEventsRequest{Since: since})
		if first != "" {
			if m := h.next(); m.GetId() != first {
				t.Fatal(since, m)
			}
		}
		if m := h.next(); m.GetId() != "10" || m.GetEvent().GetType() != "reset" || m.GetEvent().GetGap().GetReason() == "" {
			t.Fatal(since, m)
		}
		h.change(11, "a")
		if m := h.next(); m.GetId() != "11" || m.GetEvent().GetType() != "connector.created" {
			t.Fatal(since, m)
		}
	}
}

func TestEvents_AReaderThatTakesNothingIsCutOffWithTheReason(t *testing.T) {
	h := newEventHarness(t)
	h.watch(&sluicev1.WatchEventsRequest{})
	h.next()
	h.change(11, "a")
	for err := error(nil); err == nil; {
		select {
		case err = <-h.ended:
			wantErr(t, "slow", err, errs.EventsSlow, "The events are read too slowly: go on with those after 10")
		default:
			if h.clock.Waiters() > 0 {
				h.clock.Advance(time.Second)
			}
		}
	}
}

func TestEvents_AReaderThatFallsBehindIsCutOffAndHoldsNobodyUp(t *testing.T) {
	h := newEventHarness(t)
	h.watch(&sluicev1.WatchEventsRequest{})
	h.next()
	h.change(11, "a")
	if m := h.next(); m.GetId() != "11" {
		t.Fatal(m)
	}
	for rev := int64(12); rev < 20_000; rev++ { // nobody reads, and nobody waits
		h.change(rev, "a")
	}
	for {
		select {
		case <-h.stream.sent:
			continue
		case err := <-h.ended:
			wantErr(t, "behind", err, errs.EventsSlow, "")
		case <-time.After(10 * time.Second):
			t.Fatal("it was not cut off")
		}
		break
	}
}
