package deadletter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

const (
	// idle is how long the producer stays open with nothing to send.
	idle = time.Minute
	// closing bounds the wait for the goroutine at the end.
	closing   = 5 * time.Second
	reportBuf = 256
)

// Producer is what a queue needs of a kafkaio.Producer.
type Producer interface {
	Produce(msgs []kafkaio.Message) (int, error)
	Reports(ctx context.Context, wait time.Duration, buf []kafkaio.Report) (int, error)
	Purge()
	Close()
}

// Failure says why a record goes to the queue: in which stage it failed, which class was at work, and the error.
type Failure struct {
	Stage, Class string
	Err          error
}

// Queue is the dead letter queue of one task.
type Queue struct {
	cfg       Config
	connector string
	task      int
	open      func() (Producer, error)
	clock     clock.Clock
	log       *slog.Logger
	counts    *taskstats.Errors

	mu       sync.Mutex
	producer Producer
	carrier  *run.Group
	pending  map[uint64]*connectors.Reported
	next     uint64
	sentAt   time.Time
	failed   error         // the first that Kafka did not take
	changed  chan struct{} // closed, and made anew, when something was acknowledged
	closed   bool
	headers  []kafkaio.Header
}

// New makes the queue of a task; open opens its producer.
func New(cfg Config, connector string, task int, open func() (Producer, error), c clock.Clock, log *slog.Logger) *Queue {
	return &Queue{cfg: cfg, connector: connector, task: task, open: open, clock: c, log: log, counts: &taskstats.Errors{},
		pending: map[uint64]*connectors.Reported{}, changed: make(chan struct{})}
}

// Counting has records counted there.
func (q *Queue) Counting(e *taskstats.Errors) *Queue {
	q.counts = e
	return q
}

// Send hands a record over, whose memory may be used again afterwards. It waits while the producer is full, until ctx
// ends.
func (q *Queue) Send(ctx context.Context, r *kafkaio.Record, f Failure) (*connectors.Reported, error) {
	for {
		rep, full, err := q.send(r, f)
		if err != nil {
			return nil, fmt.Errorf("dead letter queue %q: %w", q.cfg.Topic, err)
		}
		if full == nil {
			return rep, nil
		}
		select {
		case <-full:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// send tries once; where the producer is full, it returns what is closed when there may be room.
func (q *Queue) send(r *kafkaio.Record, f Failure) (*connectors.Reported, <-chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, nil, ErrClosed
	}
	if q.failed != nil {
		return nil, nil, q.failed
	}
	if err := q.begin(); err != nil {
		return nil, nil, err
	}
	q.headers = append(q.headers[:0], r.Headers...)
	if q.cfg.Headers {
		q.headers = q.contextHeaders(q.headers, r, f)
	}
	m := kafkaio.Message{Topic: q.cfg.Topic, Partition: connectors.NoPartition, Key: r.Key, Value: r.Value, Headers: q.headers, Timestamp: r.Timestamp, Seq: q.next}
	rep := connectors.NewReported()
	q.pending[q.next] = rep
	_, err := q.producer.Produce([]kafkaio.Message{m})
	if err != nil {
		delete(q.pending, q.next)
		if errors.Is(err, kafkaio.ErrQueueFull) {
			return nil, q.changed, nil
		}
		return nil, nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	q.counts.DLQRequests.Add(1)
	q.next++
	q.sentAt = q.clock.Now()
	return rep, nil, nil
}

// begin opens the producer where it is not.
func (q *Queue) begin() error {
	if q.producer != nil {
		return nil
	}
	p, err := q.open()
	if err != nil {
		return err
	}
	carrier := run.New(context.Background(), "dead-letters")
	if err := carrier.Go(func(ctx context.Context) error { q.carry(ctx, p); return nil }); err != nil {
		p.Close()
		return err
	}
	q.producer, q.carrier = p, carrier
	return nil
}

// carry takes the producer's reports.
func (q *Queue) carry(ctx context.Context, p Producer) {
	buf := make([]kafkaio.Report, reportBuf)
	for {
		n, err := p.Reports(ctx, time.Second, buf)
		if ctx.Err() != nil {
			return
		}
		if n > 0 || err != nil {
			q.take(buf[:n], err)
		}
		if err != nil {
			return
		}
	}
}

// take notes what became of records; gone says that nothing more comes.
func (q *Queue) take(got []kafkaio.Report, gone error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	fail := func(err error) error {
		q.counts.DLQFailures.Add(1)
		err = fmt.Errorf("%w: topic %q (%s): %w", ErrLost, q.cfg.Topic, TopicKey, err)
		if q.failed == nil {
			q.failed = err
			q.log.Error("could not produce message to dead letter queue", logkey.Topic, q.cfg.Topic, logkey.Err, err)
		}
		return err
	}
	for i := range got {
		rep := q.pending[got[i].Seq]
		if rep == nil {
			continue
		}
		delete(q.pending, got[i].Seq)
		err := got[i].Err
		if err != nil {
			err = fail(err)
		}
		rep.Resolve(err)
	}
	if gone != nil {
		q.resolve(fail(gone))
	}
	q.change()
}

// change wakes those who wait.
func (q *Queue) change() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// resolve ends all that is pending.
func (q *Queue) resolve(err error) {
	for seq, rep := range q.pending {
		delete(q.pending, seq)
		rep.Resolve(err)
	}
}

// Wait waits until everything is acknowledged. An error that wraps ErrLost says that a record is lost: nothing behind it
// may be committed, now or later. Otherwise it is ctx's.
func (q *Queue) Wait(ctx context.Context) error {
	for {
		q.mu.Lock()
		failed, left, changed := q.failed, len(q.pending), q.changed
		q.mu.Unlock()
		if failed != nil || left == 0 {
			return failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d records on their way to the dead letter queue %q: %w", left, q.cfg.Topic, context.Cause(ctx))
		}
	}
}

// Tick closes a producer that has had nothing to do, and returns the first loss. The task's loop calls it.
func (q *Queue) Tick() error {
	q.mu.Lock()
	failed := q.failed
	if q.producer == nil || len(q.pending) > 0 || q.clock.Now().Sub(q.sentAt) < idle {
		q.mu.Unlock()
		return failed
	}
	end := q.end()
	q.mu.Unlock()
	end()
	return failed
}

// end takes the producer away and returns what ends it; q.mu is held meanwhile, and not for that.
func (q *Queue) end() func() {
	p, carrier := q.producer, q.carrier
	q.producer, q.carrier = nil, nil
	return func() {
		if p == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := carrier.Stop(ctx); err != nil {
			q.log.Warn("the carrier of reports did not end", logkey.Err, err)
		}
		p.Close()
	}
}

// Cut gives up what is on its way; nothing more is taken. It does not wait.
func (q *Queue) Cut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.producer != nil {
		q.producer.Purge()
	}
	q.change()
}

// Close is Cut, and ends the producer.
func (q *Queue) Close() {
	q.Cut()
	q.mu.Lock()
	end := q.end()
	q.mu.Unlock()
	end()
	q.mu.Lock()
	q.resolve(ErrClosed)
	q.change()
	q.mu.Unlock()
}

var _ Producer = (*kafkaio.Producer)(nil)
