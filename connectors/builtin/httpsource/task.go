package httpsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/internal/clock"
)

type task struct {
	clk clock.Clock
	s   *settings
	log *slog.Logger
	c   *client

	at      offset    // behind the last record that was handed over, and its page's cursors
	listing *listing  // nil: the next request begins one
	page    *page     // nil: all was handed over
	due     time.Time // when the next request is
	failed  int       // requests in a row that failed with a transient error
	// known are the validators of the last answer, all of which was handed over, and the request that it was for.
	known   validators
	request string

	batch *connectors.SourceBatch
	ref   connectors.PartitionRef
}

func (t *task) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	*t = task{clk: t.clk, log: tc.Logger()}
	if t.s, err = parse(config, t.clk.Now()); err != nil {
		return err
	}
	committed, err := tc.Offsets(ctx, []map[string]any{partition()})
	if err != nil {
		return fmt.Errorf("http: reading the committed offset: %w", err)
	}
	t.at = t.s.initial
	if len(committed) == 1 && len(committed[0]) > 0 {
		if t.at, err = parseOffset(committed[0]); err != nil {
			return err
		}
		// An offset that was committed before a cursor was asked for has none yet.
		for name := range t.s.cursors {
			if first, ok := t.s.initial[name]; ok && t.at[name] == "" {
				t.at = t.at.with(offset{name: first})
			}
		}
	}
	if err := t.s.begins(t.at); err != nil {
		return err
	}
	if t.c, err = newClient(t.s, t.clk); err != nil {
		return err
	}
	t.due = t.s.first(t.clk.Now())
	return nil
}

// Poll hands over what is left of a page, or asks for the next one when it is due.
func (t *task) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was stopped
	}
	if t.page == nil {
		if wait := t.due.Sub(t.clk.Now()); wait > 0 {
			pace.UpTo(ctx, t.clk, wait)
			return nil
		}
		switch err := t.fetch(ctx); {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was stopped: the request is made again
		case err != nil:
			return t.verdict(err)
		}
		t.failed = 0
	}
	t.handOver(b)
	return nil
}

// handOver appends as many records as there is room for.
func (t *task) handOver(b *connectors.SourceBatch) {
	if t.page == nil {
		return
	}
	if t.batch != b {
		t.batch, t.ref = b, b.Partition(partition())
	}
	for len(t.page.records) > 0 && b.Room() > 0 {
		r := t.page.records[0]
		t.page.records = t.page.records[1:]
		to := b.Add()
		to.Partition = t.ref
		t.s.put(r, to)
		t.at = r.at
	}
	if len(t.page.records) == 0 {
		t.at = t.at.with(t.page.after)
		t.known, t.request = t.page.seen, t.page.same
		t.page = nil
	}
}

// fetch asks for a page.
func (t *task) fetch(ctx context.Context) error {
	if t.listing == nil {
		l, err := t.s.begin(t.at)
		if err != nil {
			return err
		}
		t.listing = l
	}
	r := t.listing.next
	var v validators
	if t.s.Bool(conditionalKey) && t.request == r.same() {
		v = t.known
	}
	begin := t.clk.Now()
	a, err := t.c.do(ctx, r, v)
	t.due = begin.Add(t.s.gap())
	if err != nil {
		return err
	}
	if a.status == 304 && v != (validators{}) {
		t.end(time.Time{})
		return nil
	}
	switch {
	case t.s.process.has(a.status):
		return t.take(r, a)
	case t.s.skip.has(a.status):
		t.log.Warn("an answer counts as having no records, for its status", slog.Int("status", a.status))
		t.end(time.Time{})
		return nil
	}
	wait, asked, err := t.c.refusal(r, a)
	if asked {
		t.due = later(t.due, t.clk.Now().Add(wait))
		return &asking{err}
	}
	return err
}

// asking is the error of an answer that says how long to wait.
type asking struct{ error }

func (a *asking) Unwrap() error { return a.error }

// take makes a page of an answer, and finds out what follows.
func (t *task) take(r request, a answer) error {
	if err := check(r, a.body); err != nil {
		return err
	}
	records, err := t.s.entries(r, a.body, t.clk.Now())
	if err != nil {
		return err
	}
	if err := t.s.sort(r, records); err != nil {
		return err
	}
	l, n := t.listing, len(records)
	following := *l // a page that fails is asked for again
	more, err := t.s.follow(&following, a.header, a.body, n)
	if err != nil {
		return err
	}
	*l = following
	p := &page{records: t.s.unseen(l, records), after: t.s.cursorsIn(a.body)}
	if t.s.Bool(conditionalKey) {
		p.seen, p.same = validatorsOf(a.header), r.same()
	}
	l.news = l.news || len(p.records) > 0
	moved := t.s.place(p, t.at)
	t.log.Debug("a page was read", slog.Int("records", n), slog.Int("new", len(p.records)))
	t.page = p
	switch {
	case more:
	case moved && n > 0: // there may be more behind the cursor
		t.listing = nil
	case len(p.records) > 0:
		t.end(p.records[len(p.records)-1].time)
	default:
		t.end(time.Time{})
	}
	return nil
}

// cursorsIn are the cursors of an answer.
func (s *settings) cursorsIn(body []byte) offset {
	out := offset{}
	if len(body) == 0 {
		return out
	}
	for name, p := range s.cursors {
		if v, ok := p.in(body); ok && string(v) != "null" {
			if text := textOf(v); text != "" {
				out[name] = text
			}
		}
	}
	return out
}

// place puts the cursors into the records' offsets: the last one has those behind the page, the others those before it. It says
// whether a cursor has moved.
func (s *settings) place(p *page, at offset) (moved bool) {
	before := offset{}
	for name := range s.cursors {
		if v, ok := at[name]; ok {
			before[name] = v
		}
	}
	for name, v := range p.after {
		moved = moved || before[name] != v
	}
	for i := range p.records {
		r := &p.records[i]
		r.at = r.at.with(before)
		if i == len(p.records)-1 {
			r.at = r.at.with(p.after)
		}
	}
	return moved
}

// end ends a listing. latest is the timestamp of its last new record, if its last page had one.
func (t *task) end(latest time.Time) {
	news := t.listing.news
	if latest.IsZero() {
		latest, _, _ = t.at.time()
	}
	t.listing = nil
	t.due = later(t.due, t.s.after(t.clk.Now(), news, latest))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// verdict says whether a request that failed is made again.
func (t *task) verdict(err error) error {
	if c, _ := connectors.ClassOf(err); c != connectors.TransientError {
		return err
	}
	t.failed++
	if most := t.s.Int(retriesKey); most >= 0 && t.failed > most {
		return fmt.Errorf("%w (after %d attempts: %s)", err, t.failed, retriesKey)
	}
	var asked *asking
	if !errors.As(err, &asked) {
		t.due = later(t.due, t.clk.Now().Add(t.s.backoff(t.failed)))
	}
	return connectors.Retriable(fmt.Errorf("%w (again in %s)", err, t.due.Sub(t.clk.Now()).Round(time.Millisecond)))
}

func (t *task) Stop(context.Context) error {
	if t.c != nil {
		t.c.close()
	}
	*t = task{clk: t.clk}
	return nil
}
