package kafkaio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sluice-project/sluice/internal/clock"
)

// ProducerConfig is what a producer needs.
type ProducerConfig struct {
	Client Client
	// TransactionalID makes it a transactional producer; empty for none.
	TransactionalID string
	// MessageTimeout is how long a message may take from Produce to its acknowledgement; 0 is for ever.
	MessageTimeout time.Duration
	Logger         *slog.Logger
	// ClientID is client.id where Client does not set it.
	ClientID string
}

// Producer sends records. Produce may be called by several goroutines, Reports by one at a time.
type Producer struct {
	p     *kafka.Producer
	rk    handle
	wake  *waker
	log   *slog.Logger
	fatal atomic.Pointer[Error]
	out   atomic.Int64
	txn   bool

	mu     sync.Mutex // guards what follows, and the client against its end
	closed bool
	topics map[string]int32
	rkts   []topicHandle
	descs  []outDesc
	buf    []byte
	failed []Report

	reading sync.Mutex
	reports reports
}

// NewProducer makes a producer. It does not wait for Kafka.
func NewProducer(cfg ProducerConfig) (*Producer, error) {
	conf, err := configMap(RoleProducer, cfg.Client, cfg.ClientID, cfg.Logger)
	if err != nil {
		return nil, err
	}
	if cfg.TransactionalID != "" {
		conf["transactional.id"] = cfg.TransactionalID
		conf["enable.idempotence"] = "true"
	}
	if cfg.MessageTimeout > 0 {
		ms := cfg.MessageTimeout.Milliseconds()
		conf["message.timeout.ms"] = strconv.FormatInt(ms, 10)
		if t, err := strconv.ParseInt(fmt.Sprint(conf["transaction.timeout.ms"]), 10, 64); cfg.TransactionalID != "" && (err != nil || t < ms) {
			conf["transaction.timeout.ms"] = strconv.FormatInt(max(ms, 10_000), 10)
		}
	}
	// Nobody reads confluent-kafka-go's own channels here.
	conf["go.events.channel.size"], conf["go.produce.channel.size"] = 1, 1
	conf["go.delivery.reports"] = false
	if cfg.TransactionalID != "" {
		// librdkafka refuses a request that may outlast the transaction.
		fit(conf, "socket.timeout.ms", TransactionTimeout(conf["transaction.timeout.ms"]))
	}
	w, err := newWaker()
	if err != nil {
		return nil, err
	}
	p, err := kafka.NewProducer(&conf)
	if err != nil {
		w.close()
		return nil, fmt.Errorf("%w: %w", ErrConfig, wrap(err))
	}
	rk := rkOf(p)
	c := &Producer{p: p, rk: rk, reports: newReports(queueMain(rk)), wake: w, log: cfg.Logger, txn: cfg.TransactionalID != "", topics: map[string]int32{}}
	stopPoller(c.reports.q, pollerStop(p))
	setLogQueue(rk, nil)
	queueWake(c.reports.q, w.fd)
	return c, nil
}

// fit lowers a setting in milliseconds to a limit.
func fit(conf kafka.ConfigMap, key string, limit time.Duration) {
	if ms, err := strconv.ParseInt(fmt.Sprint(conf[key]), 10, 64); err == nil && ms > limit.Milliseconds() {
		conf[key] = strconv.FormatInt(limit.Milliseconds(), 10)
	}
}

// TransactionTimeout is how long Kafka lets a transaction be open, of a producer whose transaction.timeout.ms is v; the
// default of Java's clients and librdkafka where it is not set.
func TransactionTimeout(v any) time.Duration {
	if ms, err := strconv.ParseInt(fmt.Sprint(v), 10, 64); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return time.Minute
}

// stopPoller ends the goroutine by which confluent-kafka-go would take the reports one by one. The channel
// stays open, because Close closes it.
func stopPoller(q queueHandle, stop chan bool) {
	for {
		queueYield(q)
		select {
		case stop <- true:
			return
		case <-clock.Real().After(time.Millisecond):
		}
	}
}

// Produce hands messages over and returns how many were taken: fewer than all only with ErrQueueFull, then
// take reports and go on with the rest. A message that is refused by itself (too large, say) counts as taken
// and has a Report with the error. The whole batch crosses to librdkafka in one call.
func (p *Producer) Produce(msgs []Message) (int, error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	if err := p.Fatal(); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, ErrClosed
	}
	p.buf, p.descs = p.buf[:0], p.descs[:0]
	last, topic := "", int32(-1)
	for i := range msgs {
		m := &msgs[i]
		if topic < 0 || m.Topic != last {
			last, topic = m.Topic, p.topic(m.Topic)
		}
		p.descs = append(p.descs, describe(m, len(p.buf), topic))
		p.buf = append(append(p.buf, m.Key...), m.Value...)
		for j := range m.Headers {
			p.buf = appendHeader(p.buf, &m.Headers[j])
		}
	}
	if len(p.buf) == 0 {
		p.buf = append(p.buf, 0) // an empty key or value is a pointer too
	}
	p.out.Add(int64(len(msgs)))
	n := nativeProduce(p.rk, p.rkts, p.descs, p.buf, p.txn)
	p.out.Add(int64(n - len(msgs)))
	fatal := false
	for i := range p.descs[:n] {
		if d := &p.descs[i]; d.err != 0 {
			p.failed = append(p.failed, Report{Seq: uint64(d.seq), Partition: int32(d.partition), Offset: -1, Err: codeError(int32(d.err))})
			fatal = fatal || int(d.err) == int(kafka.ErrFatal)
		}
	}
	if len(p.failed) > 0 {
		p.wake.wake()
	}
	if cap(p.buf) > maxIdleBuffer {
		p.buf = nil
	}
	if n < len(msgs) {
		return n, ErrQueueFull
	}
	return n, nil
}

// maxIdleBuffer is the largest buffer that is kept from one batch to the next, in bytes.
const maxIdleBuffer = 8 << 20

func appendHeader(b []byte, h *Header) []byte {
	n := int64(-1)
	if h.Value != nil {
		n = int64(len(h.Value))
	}
	b = binary.NativeEndian.AppendUint64(b, uint64(len(h.Key)))
	b = binary.NativeEndian.AppendUint64(b, uint64(n)) //nolint:gosec // -1 is null, for C on this machine
	b = append(b, h.Key...)
	return append(b, h.Value...)
}

func (p *Producer) topic(name string) int32 {
	if i, ok := p.topics[name]; ok {
		return i
	}
	i := int32(len(p.rkts))
	p.rkts = append(p.rkts, newTopic(p.rk, name))
	p.topics[name] = i
	return i
}

// Reports fills buf with what became of messages and returns the number, after wait at most; 0 is no error.
// It has to be called again and again while anything is outstanding. An error says that the producer is of no use
// any more; reports that are there come first.
func (p *Producer) Reports(ctx context.Context, wait time.Duration, buf []Report) (int, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	if len(buf) == 0 {
		return 0, nil
	}
	n, err := p.take(buf)
	if n > 0 || err != nil || wait <= 0 {
		return n, err
	}
	p.wake.wait(ctx, wait)
	return p.take(buf)
}

func (p *Producer) take(buf []Report) (int, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return 0, ErrClosed
	}
	n := copy(buf, p.failed)
	if p.failed = p.failed[n:]; len(p.failed) == 0 {
		p.failed = nil
	}
	p.mu.Unlock()
	if n += p.reports.take(buf[n:], p.event); n > 0 {
		p.out.Add(int64(-n))
		return n, nil
	}
	if err := p.Fatal(); err != nil {
		return 0, err
	}
	return 0, nil
}

func (p *Producer) event(ev nativeEvent) {
	if !ev.log && (refused(kafka.ErrorCode(ev.code)) || kafka.ErrorCode(ev.code) == kafka.ErrFatal) {
		e := &Error{Code: int(ev.code), Text: ev.text, Fatal: true}
		var f kafka.Error
		if errors.As(p.p.GetFatalError(), &f) && f.Code() != kafka.ErrNoError {
			e = &Error{Code: int(f.Code()), Text: f.Error(), Fatal: true}
		}
		p.fatal.CompareAndSwap(nil, e)
		return
	}
	logEvent(p.log, ev)
}

// Outstanding is the number of messages without a report.
func (p *Producer) Outstanding() int { return int(p.out.Load()) }

// Fatal is the error that ended the producer, or nil.
func (p *Producer) Fatal() error {
	if e := p.fatal.Load(); e != nil {
		return e
	}
	return nil
}

// Purge gives up everything outstanding; the reports say so.
func (p *Producer) Purge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_ = p.p.Purge(kafka.PurgeInFlight | kafka.PurgeQueue | kafka.PurgeNonBlocking)
	}
}

// Close gives up everything outstanding and ends the client. It returns within ten seconds; a client that is
// not gone by then ends later by itself.
func (p *Producer) Close() {
	p.Purge()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	p.wake.wake()
	p.reading.Lock()
	defer p.reading.Unlock()
	err := closeClient(func() {
		queueQuiet(p.reports.q)
		p.reports.done()
		for _, t := range p.rkts {
			topicDone(t)
		}
		p.p.Close()
		p.wake.close()
	})
	if err != nil {
		p.log.Warn("closing a producer takes long", slog.Any("error", err))
	}
}

// InitTransactions fences older producers with the same transactional id. Once it has returned nil, what they had not
// committed never will be.
func (p *Producer) InitTransactions(ctx context.Context) error {
	return p.transaction(ctx, "initialising transactions", p.p.InitTransactions)
}

// Begin begins a transaction.
func (p *Producer) Begin() error { return wrap(p.p.BeginTransaction()) }

// Commit commits. Somebody has to take the reports meanwhile, or it waits for them in vain; it fails where one of them
// has an error. Where ctx ends first it is not known whether it was committed.
func (p *Producer) Commit(ctx context.Context) error {
	return p.transaction(ctx, "committing a transaction", p.p.CommitTransaction)
}

// Abort gives the transaction up. Somebody has to take the reports meanwhile.
func (p *Producer) Abort(ctx context.Context) error {
	return p.transaction(ctx, "aborting a transaction", p.p.AbortTransaction)
}

// piece is how long librdkafka waits at a time in a call of a transaction: ctx cannot end it in the middle.
const piece = 500 * time.Millisecond

// transaction tries f again while Kafka says that it may help, until ctx ends.
func (p *Producer) transaction(ctx context.Context, what string, f func(ctx context.Context) error) error {
	for {
		limit, cancel := context.WithTimeout(ctx, piece)
		err := wrap(f(limit))
		cancel()
		var e *Error
		if err == nil || !errors.As(err, &e) || !e.Retriable || ctx.Err() != nil {
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ended(ctx, what)
		case <-clock.Real().After(20 * time.Millisecond):
		}
	}
}
