package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/run"
)

// Config says how much is sent at once, and how long is waited.
type Config struct {
	// Ops and Bytes are when a bulk is full. Bytes 0 is no bound.
	Ops, Bytes int
	// Abreast is how many bulks are on their way at once, Buffered how many operations there are in all of them.
	Abreast, Buffered int
	// Linger is how long a bulk that is not full waits for more; Patience bounds each wait of the filler.
	Linger, Patience time.Duration
	// InOrder has one bulk on its way at a time, and operations with the id of one that is tried again tried again after it:
	// for operations without versions on ids that come again.
	InOrder bool
	// Settle gets what a bulk had rejected, from one goroutine at a time. Its error fails the Sender.
	Settle func([]Rejected) error
	Log    *slog.Logger
}

// Sender sends bulks. One goroutine fills: Begin, Room and Add for each operation, End; and Flush.
type Sender struct {
	conf   Config
	client *client.Client
	clk    clock.Clock
	group  *run.Group
	armed  chan struct{} // a bulk waits for more; one slot
	freed  chan struct{} // something came back; one slot

	mu       sync.Mutex
	open     *Bulk   // being filled; nil for none
	due      bool    // open is to go, full or not
	free     []*Bulk // for the next
	away     int     // bulks on their way
	buffered int     // operations in open and away
	err      error   // the first: nothing more is sent
	filler   int     // operations of open that buffered has counted
}

// New starts a Sender. Stop ends it.
func New(conf Config, c *client.Client, clk clock.Clock) (*Sender, error) {
	if conf.InOrder {
		conf.Abreast = 1
	}
	s := &Sender{conf: conf, client: c, clk: clk, group: run.New(context.Background(), "elasticsearch-sink"), armed: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
	if err := s.group.Go(s.linger); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop drops what is not sent yet, and ends what is under way. It may be called more than once.
func (s *Sender) Stop(ctx context.Context) error { return s.group.Stop(ctx) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Begin begins to fill. End has to follow.
func (s *Sender) Begin() error {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	return nil
}

// Room is a bulk with room for an operation, once there is one.
func (s *Sender) Room(ctx context.Context) (*Bulk, error) {
	s.count()
	if room := func() bool { return !s.full() && s.buffered < s.conf.Buffered }; !room() {
		s.due = s.open != nil
		s.dispatch()
		if err := s.wait(ctx, room, fmt.Sprintf("room for more than %d buffered records", s.buffered)); err != nil {
			return nil, err
		}
	}
	if s.open == nil {
		s.open = s.take()
	}
	return s.open, nil
}

// End ends filling.
func (s *Sender) End() {
	s.count()
	if s.full() || s.conf.Linger == 0 && s.open != nil {
		s.due = true
	}
	if s.dispatch(); s.open != nil && !s.due {
		notify(s.armed)
	}
	s.mu.Unlock()
}

// Flush has everything sent, and waits until it is answered.
func (s *Sender) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
	if s.err != nil {
		return s.err
	}
	s.due = s.open != nil
	s.dispatch()
	return s.wait(ctx, func() bool { return s.buffered == 0 }, "the answers to all requests")
}

// count counts what was added to open since the last time.
func (s *Sender) count() {
	if s.open != nil {
		s.buffered += len(s.open.ops) - s.filler
		s.filler = len(s.open.ops)
	}
}

func (s *Sender) full() bool {
	return s.open != nil && (len(s.open.ops) >= s.conf.Ops || s.conf.Bytes > 0 && len(s.open.body) >= s.conf.Bytes)
}

func (s *Sender) take() *Bulk {
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return &Bulk{}
}

// wait waits, without the lock, until ok holds.
func (s *Sender) wait(ctx context.Context, ok func() bool, what string) error {
	var deadline clock.Timer
	for s.err == nil && !ok() {
		s.mu.Unlock()
		if deadline == nil {
			deadline = s.clk.NewTimer(s.conf.Patience)
			defer deadline.Stop()
		}
		var late, ended bool
		select {
		case <-s.freed:
		case <-deadline.C():
			late = true
		case <-ctx.Done():
			ended = true
		}
		s.mu.Lock()
		switch {
		case s.err != nil || ok():
		case ended:
			return context.Cause(ctx)
		case late:
			s.err = connectors.Classify(connectors.TransientError, fmt.Errorf("%w %s within flush.timeout.ms=%d, from %s", errLate, what, s.conf.Patience.Milliseconds(), s.client.Where()))
		}
	}
	return s.err
}

var errLate = errors.New("elasticsearch: there was not")

// dispatch sends open where it is due and a place is free.
func (s *Sender) dispatch() {
	if s.open == nil || !s.due || s.away >= s.conf.Abreast || s.err != nil || len(s.open.ops) == 0 {
		return
	}
	b := s.open
	s.open, s.due, s.filler = nil, false, 0
	s.away++
	if err := s.group.Go(func(ctx context.Context) error {
		// A panic must not leave the filler waiting; the group gives its words to Stop.
		err := run.Call(func() error { return s.send(ctx, b, b.ops) })
		s.came(b, err)
		return nil
	}); err != nil {
		s.away--
		s.err = err
	}
}

// came takes a bulk back.
func (s *Sender) came(b *Bulk, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away--
	s.buffered -= len(b.ops)
	if err != nil && s.err == nil {
		s.err = err
	}
	if b.reset(); len(s.free) <= s.conf.Abreast {
		s.free = append(s.free, b)
	}
	s.dispatch()
	notify(s.freed)
}

// settle hands over what was rejected.
func (s *Sender) settle(list []Rejected) error {
	if len(list) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conf.Settle(list)
}

// linger makes bulks due that have waited for more.
func (s *Sender) linger(ctx context.Context) error {
	for {
		select {
		case <-s.armed:
		case <-ctx.Done():
			return nil
		}
		t := s.clk.NewTimer(s.conf.Linger)
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		s.mu.Lock()
		if s.open != nil && len(s.open.ops) > 0 {
			s.due = true
			s.dispatch()
		}
		s.mu.Unlock()
	}
}
