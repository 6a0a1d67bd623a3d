package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
)

const (
	// initTime is one attempt at initialising transactions, after which the right is looked at again.
	initTime = 30 * time.Second
	// abortTime is what giving up the last transaction may take: Kafka does it too, once the next instance has begun.
	abortTime = 2 * time.Second
)

// txnProducer is a Producer with transactions.
type txnProducer interface {
	Producer
	InitTransactions(ctx context.Context) error
	Begin() error
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
}

// ofOffset is the number of messages that are offsets.
const ofOffset = 1<<64 - 1

// ending is what becomes of a transaction.
type ending uint8

const (
	goOn ending = iota
	commit
	abort
)

// cut is where a transaction ends in a batch: after so many records.
type cut struct {
	after int
	how   ending
}

// transaction is what a task of an exactly-once source has beside the loop (KIP-618):
//
//	confirm ─▶ initTransactions ─▶ confirm ─▶ fenced is told ─▶ the plugin starts
//	batch ─▶ begin, produce up to the next end ─▶ offsets, commit ─▶ the rest of the batch, or the next Poll
//
// Records count for the offsets as soon as they are handed over: Kafka has them all with the commit, or none. What is
// handed over and what ends a transaction take turns, so that nothing gets into the wrong one. Of the loop's goroutine,
// but for asked.
type transaction struct {
	boundary string
	interval time.Duration
	timeout  time.Duration // after which Kafka aborts it
	asked    *asked        // nil unless the connector defines boundaries

	offsets  offsets.Transactional
	producer txnProducer
	open     bool
	began    time.Time
	ended    time.Time // when the last one was due
	commits  int
	due      ending
	aborting bool
	unacked  int
	size     int          // records of the transaction that were handed over
	seq      uint64       // of the last message
	marks    []stage.Mark // of the batch, not handed over yet
	messages []kafkaio.Message
	done     int // records of the batch that were
	cuts     []cut
}

// asked is what the plugin asked for. It implements connectors.TransactionContext.
type asked struct {
	mu            sync.Mutex
	commit, abort bool
	records       map[int]ending
	both          bool // commit and abort of one record
}

func (a *asked) Commit() { a.mu.Lock(); a.commit = true; a.mu.Unlock() }
func (a *asked) Abort()  { a.mu.Lock(); a.abort = true; a.mu.Unlock() }

func (a *asked) CommitAfter(i int) { a.after(i, commit) }
func (a *asked) AbortAfter(i int)  { a.after(i, abort) }

func (a *asked) after(i int, how ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if was := a.records[i]; was != goOn && was != how {
		a.both = true
	}
	a.records[i] = how
}

// forget drops what was asked of records of a batch that did not come.
func (a *asked) forget() {
	a.mu.Lock()
	clear(a.records)
	a.mu.Unlock()
}

// take hands out what was asked of a batch of n records, in order.
func (a *asked) take(n int) (cuts []cut, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch { // Kafka Connect's words
	case a.commit && a.abort:
		return nil, fmt.Errorf("%w: Connector requested both commit and abort of same transaction", ErrTransaction)
	case a.both:
		return nil, fmt.Errorf("%w: Connector requested both commit and abort of same record", ErrTransaction)
	}
	for i := range n {
		if how := a.records[i]; how != goOn {
			cuts = append(cuts, cut{i + 1, how})
		}
	}
	switch {
	case a.abort:
		cuts = append(cuts, cut{n, abort})
	case a.commit:
		cuts = append(cuts, cut{n, commit})
	}
	a.commit, a.abort = false, false
	clear(a.records)
	return cuts, nil
}

// newTransaction reads transaction.* of a connector.
func (f factory) newTransaction(config map[string]string, client kafkaio.Client) (*transaction, error) {
	v, err := framework.TransactionDef().Parse(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	x := &transaction{boundary: strings.ToLower(v.String(framework.Boundary)), interval: f.deps.FlushInterval, timeout: kafkaio.TransactionTimeout(client["transaction.timeout.ms"])}
	if v.Has(framework.BoundaryInterval) {
		x.interval = time.Duration(v.Long(framework.BoundaryInterval)) * time.Millisecond
	}
	if x.boundary == "connector" {
		x.asked = &asked{records: map[int]ending{}}
	}
	return x, nil
}

// initTransactions opens the producer and takes the place of older instances.
func (t *task) initTransactions() error {
	x, ok := t.txn, false
	if x.offsets, ok = t.store.(offsets.Transactional); !ok {
		return fmt.Errorf("%w: offsets in a file have no transactions (bug)", ErrConfig)
	}
	if t.producer == nil {
		if err := t.openProducer(); err != nil {
			return err
		}
	}
	if x.producer, ok = t.producer.(txnProducer); !ok {
		return fmt.Errorf("%w: the producer has no transactions (bug)", ErrConfig)
	}
	for {
		// Promise 2: an instance whose right has ended, or whose epoch is over, fences nobody.
		if err := t.env.Confirm(t.stopping); err != nil {
			return err
		}
		limit, cancel := context.WithTimeout(t.stopping, initTime)
		err := x.producer.InitTransactions(limit)
		cancel()
		switch {
		case err == nil:
			// What was granted meanwhile may have been fenced by this; it is confirmed and begins anew, and this one ends here.
			if err := t.env.Confirm(t.stopping); err != nil {
				return err
			}
			t.env.Fenced()
			x.ended = t.deps.Clock.Now()
			return nil
		case t.stopping.Err() != nil:
			return context.Canceled
		case !kafkaio.Retriable(err) && !errors.Is(err, kafkaio.ErrTimeout):
			return fmt.Errorf("transactional id %q: %w", t.transactionalID(), err)
		}
		t.log.Warn("transactions are not initialised yet, and it is tried again", logkey.Err, err)
	}
}

func (t *task) transactionalID() string { return factory{t.deps}.transactionalID(t.spec) }

// takeTransactional takes the converted batch.
func (t *task) takeTransactional() (err error) {
	x, n := t.txn, len(t.out.Marks)
	x.marks, x.messages, x.done, x.cuts = t.out.Marks, t.out.Messages, 0, nil
	switch x.boundary {
	case "connector":
		if x.cuts, err = x.asked.take(n); err != nil {
			return err
		}
	case "interval":
	default:
		x.cuts = []cut{{n, commit}}
	}
	return nil
}

// advance hands over what may be, and ends the transaction where that is due. It says whether the task may be polled.
// final: nothing comes any more.
func (t *task) advance(now time.Time, final bool) (poll bool, err error) {
	x := t.txn
	for !t.writer.Busy() && len(t.rest) == 0 {
		switch {
		case x.due != goOn:
			if err := t.end(now); err != nil {
				return false, err
			}
		case len(x.marks) > 0 || len(x.cuts) > 0:
			if err := t.handOver(); err != nil {
				return false, err
			}
		case x.boundary == "interval" && (final || t.wasIdle || !now.Before(x.ended.Add(x.interval))) && (x.open || t.ledger.Dirty()):
			x.due = commit
		default:
			return true, nil
		}
	}
	return false, nil
}

// handOver hands over the batch up to the next end of a transaction.
func (t *task) handOver() error {
	x, end := t.txn, cut{after: t.txn.done + len(t.txn.marks)}
	if len(x.cuts) > 0 {
		end, x.cuts = x.cuts[0], x.cuts[1:]
	}
	marks, n, bytes := x.marks[:end.after-x.done], 0, int64(0)
	for i := range marks {
		m := &marks[i]
		if err := t.ledger.Ack(t.ledger.Add(m.Partition, m.Offset, m.Size)); err != nil {
			return err
		}
		if !m.Dropped {
			bytes += int64(m.Size)
			x.seq++
			x.messages[n].Seq = x.seq
			t.uses(x.messages[n].Topic)
			n++
		}
	}
	t.rest = x.messages[:n]
	x.marks, x.messages, x.done, x.due = x.marks[len(marks):], x.messages[n:], end.after, end.how
	x.unacked += n
	x.size += n
	t.follow()
	t.stats.Taken(n, len(marks)-n, bytes, x.unacked, newest(t.rest))
	if n == 0 {
		return nil
	}
	if err := x.begin(t.deps.Clock.Now()); err != nil {
		return err
	}
	return t.produce()
}

func (x *transaction) begin(now time.Time) error {
	if x.open {
		return nil
	}
	if err := x.producer.Begin(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	x.open, x.began = true, now
	return nil
}

// end begins to end the transaction, beside the loop: it goes on taking reports, which the commit waits for.
func (t *task) end(now time.Time) error {
	x, how := t.txn, t.txn.due
	x.due, x.ended = goOn, now
	if !x.open && !t.ledger.Dirty() {
		return nil
	}
	open, aborting, entries := x.open, how == abort && x.open, t.collect()
	x.aborting = aborting
	size := x.size
	if x.size = 0; aborting {
		size = 0
	}
	t.stats.Committing()
	return t.writer.Begin(func(ctx context.Context) error {
		if aborting {
			t.log.Info("a transaction is aborted, as the connector asked")
			if err := x.producer.Abort(ctx); err != nil {
				return err
			}
			open = false
		}
		if len(entries) == 0 && !open {
			return nil
		}
		if !open {
			if err := x.producer.Begin(); err != nil {
				return fmt.Errorf("beginning a transaction: %w", err)
			}
		}
		if err := t.commit(ctx, entries); err != nil {
			return err
		}
		t.stats.TransactionCommitted(size)
		return nil
	})
}

// commit writes offsets into the transaction and commits it.
func (t *task) commit(ctx context.Context, entries []offsets.Entry) error {
	msgs, committed, err := t.txn.offsets.Records(ctx, t.spec.Unit.Name, entries)
	if err != nil {
		return err
	}
	for i := range msgs {
		msgs[i].Seq = ofOffset
	}
	for len(msgs) > 0 {
		n, err := t.txn.producer.Produce(msgs)
		if msgs = msgs[n:]; err == nil {
			continue
		}
		if !errors.Is(err, kafkaio.ErrQueueFull) {
			return err
		}
		select {
		case <-t.deps.Clock.After(emptyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if t.read().cut {
		return ErrCut
	}
	begin := t.deps.Clock.Boot()
	if err := t.txn.producer.Commit(ctx); err != nil {
		return err
	}
	committed()
	if t.acts {
		history.Act(t.log, t.deps.Clock, history.Committed, begin, slog.String(logkey.Class, t.spec.Class.String()))
	}
	return nil
}

// over deals with what the end of a transaction came to. Nothing is tried again: what was not committed is read again by
// the next instance.
func (t *task) over(err error) error {
	x := t.txn
	t.stats.Committed(err)
	if err != nil {
		return fmt.Errorf("Failed to flush offsets and/or records for task %s-%d: %w", t.spec.Unit.Name, t.spec.Unit.Task, err) //nolint:staticcheck // Kafka Connect's words
	}
	x.open, x.aborting = false, false
	x.commits++
	t.tell = true
	return nil
}

// refused deals with a record that Kafka did not take. errors.tolerance has no say in it, as in Kafka Connect.
func (t *task) refused(got []kafkaio.Report) error {
	x, records, refused := t.txn, 0, 0
	var failed error
	for i := range got {
		r := &got[i]
		if r.Seq != ofOffset {
			records++
		}
		if r.Err != nil {
			refused++
			if !x.aborting {
				failed = fmt.Errorf("%w: %w", ErrProduce, r.Err)
			}
		}
	}
	x.unacked -= records
	t.arrived(got)
	t.stats.Acknowledged(records, min(refused, records), x.unacked)
	return failed
}

// last ends the transactions of a task that stops, in the time that it has, or gives the last one up.
func (t *task) last(left func() time.Duration, cause error) (failed, unflushed error) {
	if t.txn.producer == nil || errors.Is(cause, kafkaio.ErrFenced) {
		return t.expired(cause), nil
	}
	err := cause
	if err == nil {
		if err = t.untilOver(left); err != nil {
			unflushed = fmt.Errorf("%w: %w", ErrUnflushed, err)
		}
	}
	if t.txn.open && !t.read().cut {
		if aborted := t.giveUp(); errors.Is(aborted, kafkaio.ErrFenced) && cause != nil {
			cause = errors.Join(cause, aborted) // this is why
		}
	}
	return t.expired(cause), unflushed
}

// untilOver goes on until everything is handed over and the transaction ended, as its boundary says.
func (t *task) untilOver(left func() time.Duration) error {
	if t.txn.asked != nil && len(t.txn.marks) == 0 && len(t.txn.cuts) == 0 {
		var err error
		if t.txn.cuts, err = t.txn.asked.take(0); err != nil {
			return err
		}
		t.txn.done = 0
	}
	timer := t.deps.Clock.NewTimer(max(left(), least))
	defer timer.Stop()
	for !t.read().cut {
		if len(t.rest) > 0 {
			if err := t.produce(); err != nil {
				return err
			}
		}
		if done, err := t.advance(t.deps.Clock.Now(), true); err != nil || done {
			return err
		}
		if over, err := t.serve(timer.C()); err != nil {
			return err
		} else if over {
			return fmt.Errorf("the transaction was not committed within %s", t.deps.StopTimeout)
		}
	}
	return nil
}

// giveUp aborts the open transaction, so that readers of what is committed do not wait for Kafka to do it.
func (t *task) giveUp() error {
	x := t.txn
	x.aborting = true // reports of what is given up are no failures
	timer := t.deps.Clock.NewTimer(abortTime)
	defer timer.Stop()
	committing := t.writer.Busy()
	if t.writer.Interrupt(); !committing {
		if err := t.writer.Begin(x.producer.Abort); err != nil {
			return err
		}
	}
	for {
		select {
		case err := <-t.writer.Done():
			t.writer.Taken()
			if !committing || err == nil { // it was committed after all
				return err
			}
			committing = false
			if err := t.writer.Begin(x.producer.Abort); err != nil {
				return err
			}
		case got := <-t.reports:
			t.spare <- got
		case err := <-t.lost: // no report comes any more
			t.writer.Interrupt()
			return fmt.Errorf("%w: %w", ErrProduce, err)
		case <-timer.C():
			t.writer.Interrupt()
			return fmt.Errorf("aborting a transaction: %w", kafkaio.ErrTimeout)
		}
	}
}

// serve waits for one thing to happen. over: the time is.
func (t *task) serve(timer <-chan time.Time) (over bool, err error) {
	again := t.deps.Clock.NewTimer(tick)
	defer again.Stop()
	select {
	case err := <-t.writer.Done():
		t.writer.Taken()
		return false, t.over(err)
	case got := <-t.reports:
		return false, t.acknowledge(got)
	case err := <-t.lost:
		return false, fmt.Errorf("%w: %w", ErrProduce, err)
	case <-again.C():
		return false, nil
	case <-timer:
		return true, nil
	}
}

// expired tells a transaction that Kafka aborted for its age from one of an instance that was fenced: both look alike. An
// instance that has not committed anything yet would do no better the next time.
func (t *task) expired(err error) error {
	x := t.txn
	if !errors.Is(err, kafkaio.ErrFenced) || x.commits > 0 || !x.open || t.deps.Clock.Now().Sub(x.began) < x.timeout {
		return err
	}
	// Kafka Connect's words. What caused it is not wrapped: it would have the task begin anew.
	return fmt.Errorf("%w: The task %s-%d was unable to finish writing records to Kafka before its producer transaction expired. "+
		"It may be necessary to reconfigure this connector in order for it to run healthily with exactly-once support. "+
		"Options for this include: tune the connector's producer configuration for higher throughput, "+
		"increase the transaction timeout for the connector's producers (producer.override.transaction.timeout.ms, now %s), "+
		"decrease the offset commit interval (if using interval-based transaction boundaries), "+
		"or use the 'poll' transaction boundary (if the connector is not already configured to use it): %v",
		ErrTransaction, t.spec.Unit.Name, t.spec.Unit.Task, x.timeout, err)
}

// Transactions is asked by connectors.Transactions.
func (c taskContext) Transactions() connectors.TransactionContext {
	if c.txn == nil || c.txn.asked == nil {
		return nil
	}
	return c.txn.asked
}

// FenceSource ends what is open under a source task's transactional id: an older instance can commit nothing any more.
func FenceSource(ctx context.Context, cfg kafkaio.ProducerConfig) error {
	p, err := kafkaio.NewProducer(cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.InitTransactions(ctx); err != nil {
		return fmt.Errorf("transactional id %q: %w", cfg.TransactionalID, err)
	}
	return nil
}
