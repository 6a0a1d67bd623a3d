package offsets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/logkey"
)

// idleClient is how long a client stays open with nothing to do.
const idleClient = time.Minute

// writer is an open producer and those who wait for it. Guarded by Kafka.mu.
type writer struct {
	p       producer
	seq     uint64
	waiting map[uint64]*pending
	used    time.Time
}

// pending is one Write.
type pending struct {
	left int
	err  error
	done chan error
}

// Write implements Store.
func (k *Kafka) Write(ctx context.Context, connector string, right Right, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	k.mu.Lock()
	h := k.held[connector]
	var t table
	if h != nil {
		t = h.table
	}
	recs, err := t.encode(connector, entries)
	if err != nil {
		k.mu.Unlock()
		return err
	}
	w := &pending{left: len(recs), done: make(chan error, 1)}
	if err := k.send(w, recs, right); err != nil {
		k.mu.Unlock()
		return fmt.Errorf("offsets of connector %q: %w", connector, err)
	}
	k.mu.Unlock()
	select {
	case err := <-w.done:
		if err != nil {
			return fmt.Errorf("offsets of connector %q: topic %q: %w", connector, k.cfg.Topic, err)
		}
	case <-ctx.Done():
		return fmt.Errorf("offsets of connector %q: writing to topic %q: %w", connector, k.cfg.Topic, context.Cause(ctx))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written(connector, recs)
	return nil
}

// send hands the records to the producer. Called with mu held, so that between the look at the right and
// the producer's own clock lies nothing that waits.
func (k *Kafka) send(w *pending, recs []record, right Right) error {
	if err := k.open(); err != nil {
		return err
	}
	out := k.out
	msgs := k.messages(recs)
	for i := range msgs {
		out.seq++
		msgs[i].Seq = out.seq
	}
	// Promise 2: what is queued now times out before the right ends.
	if right != nil {
		if left := right(); left < k.WriteTimeout() {
			return fmt.Errorf("%w: %s left, %s needed", ErrRight, left, k.WriteTimeout())
		}
	}
	n, err := out.p.Produce(msgs)
	for _, m := range msgs[:n] {
		out.waiting[m.Seq] = w
	}
	if w.left = n; n < len(msgs) {
		if err == nil {
			err = kafkaio.ErrQueueFull
		}
		if w.err = fmt.Errorf("handing over %d records: %w", len(msgs)-n, err); n == 0 {
			return w.err
		}
	}
	out.used = k.cfg.Clock.Now()
	return nil
}

// open opens the producer where there is none. Called with mu held.
func (k *Kafka) open() error {
	if k.closed {
		return ErrClosed
	}
	if k.out != nil {
		return nil
	}
	p, err := k.clients.producer("", k.WriteTimeout())
	if err != nil {
		return err
	}
	out := &writer{p: p, waiting: map[uint64]*pending{}, used: k.cfg.Clock.Now()}
	if err := k.group.Go(func(ctx context.Context) error { k.reports(ctx, out); return nil }); err != nil {
		p.Close()
		return ErrClosed
	}
	k.out = out
	return nil
}

// reports serves a producer until it is idle, has a fatal error or the store closes.
func (k *Kafka) reports(ctx context.Context, out *writer) {
	buf := make([]kafkaio.Report, 256)
	for {
		n, err := out.p.Reports(ctx, time.Second, buf)
		k.mu.Lock()
		for _, r := range buf[:n] {
			w := out.waiting[r.Seq]
			if w == nil {
				continue
			}
			delete(out.waiting, r.Seq)
			if r.Err != nil && w.err == nil {
				w.err = r.Err
			}
			if w.left--; w.left == 0 {
				w.done <- w.err
			}
		}
		fatal := out.p.Fatal()
		if fatal == nil && ctx.Err() != nil {
			fatal = ErrClosed
		}
		if fatal == nil && err != nil {
			fatal = err
		}
		idle := len(out.waiting) == 0 && k.cfg.Clock.Now().Sub(out.used) >= idleClient
		if fatal == nil && !idle {
			k.mu.Unlock()
			continue
		}
		k.out = nil // the next write opens another
		told := map[*pending]bool{}
		for _, w := range out.waiting {
			if !told[w] {
				told[w] = true
				w.done <- fatal
			}
		}
		k.mu.Unlock()
		if fatal != nil && !errors.Is(fatal, ErrClosed) {
			k.cfg.Logger.Warn("offset producer failed; the next write opens another", logkey.Topic, k.cfg.Topic, logkey.Err, fatal)
		}
		out.p.Close()
		return
	}
}

// AlterID is the transactional id of altering a connector's offsets: task 0's where tasks have one, as Kafka Connect has it.
func (c Config) AlterID(connector string) string {
	if c.ExactlyOnce {
		return TransactionalID(c.Group, connector, 0)
	}
	return c.Group + "-" + connector + "-offsets"
}

// TransactionalID is that of an exactly-once source's task, Kafka Connect's.
func TransactionalID(group, connector string, task int) string {
	return fmt.Sprintf("%s-%s-%d", group, connector, task)
}

// Alter implements Store: one transaction, whose id fences the one of an attempt before.
func (k *Kafka) Alter(ctx context.Context, connector string, entries []Entry) (err error) {
	if len(entries) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("altering offsets of connector %q: %w", connector, err)
		}
	}()
	p, err := k.clients.producer(k.cfg.AlterID(connector), 0)
	if err != nil {
		return err
	}
	// The reports tell nothing that the commit does not, but somebody must take them.
	rctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	if err := k.group.Go(func(context.Context) error {
		defer close(done)
		buf := make([]kafkaio.Report, 256)
		for rctx.Err() == nil {
			if _, err := p.Reports(rctx, 100*time.Millisecond, buf); err != nil {
				return nil //nolint:nilerr // the commit says it too
			}
		}
		return nil
	}); err != nil {
		cancel()
		p.Close()
		return ErrClosed
	}
	defer func() { cancel(); <-done; p.Close() }()
	if err := p.InitTransactions(ctx); err != nil {
		return err
	}
	// The reading comes after the fence: no earlier attempt can write any more.
	t, err := k.load(ctx, connector)
	if err != nil {
		return err
	}
	k.mu.Lock()
	recs, err := t.encode(connector, entries)
	k.mu.Unlock()
	if err != nil {
		return err
	}
	if err := p.Begin(); err != nil {
		return err
	}
	msgs := k.messages(recs)
	for len(msgs) > 0 {
		n, perr := p.Produce(msgs)
		msgs = msgs[n:]
		if perr == nil {
			continue
		}
		if !errors.Is(perr, kafkaio.ErrQueueFull) || ctx.Err() != nil {
			return errors.Join(perr, p.Abort(ctx))
		}
		select {
		case <-ctx.Done():
		case <-k.cfg.Clock.After(10 * time.Millisecond):
		}
	}
	if err := p.Commit(ctx); err != nil {
		return errors.Join(err, p.Abort(ctx))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.held[connector]; h != nil {
		h.asOf = -1 // read again: the transaction was not ours to apply
	}
	return nil
}
