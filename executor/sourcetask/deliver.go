package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// newest is the timestamp of the last message, or NoTimestamp.
func newest(m []kafkaio.Message) int64 {
	if len(m) == 0 {
		return connectors.NoTimestamp
	}
	return m[len(m)-1].Timestamp
}

// follow has the batch's first message traced, where one is due.
func (t *task) follow() {
	if len(t.rest) > 0 {
		t.trace.Follow("produce", t.rest[0].Seq, t.rest[0].Topic, -1, -1, len(t.rest))
	}
}

// arrived ends the trace of a message that is among the reports.
func (t *task) arrived(got []kafkaio.Report) {
	seq, follows := t.trace.Follows()
	for i := range got {
		if !follows {
			return
		}
		if r := &got[i]; r.Seq == seq {
			t.trace.End(r.Partition, r.Offset, r.Err)
			return
		}
	}
}

// uses tells of a topic once a batch: the record of it may have been reset.
func (t *task) uses(topic string) {
	if t.deps.ActiveTopic == nil || t.used[topic] {
		return
	}
	t.used[topic] = true
	t.deps.ActiveTopic(t.spec.Unit.Name, t.spec.Unit.Task, topic)
}

// produce hands over as much as the producer takes.
func (t *task) produce() error {
	if t.acts {
		history.Act(t.log, t.deps.Clock, history.Produced, t.deps.Clock.Boot(), slog.String(logkey.Class, t.spec.Class.String()), slog.Any("partitions", t.names))
	}
	if t.producer == nil {
		if err := t.openProducer(); err != nil {
			return err
		}
	}
	n, err := t.producer.Produce(t.rest)
	t.rest = t.rest[n:]
	t.sentAt = t.deps.Clock.Now()
	t.stats.Handed(n)
	if err != nil && !errors.Is(err, kafkaio.ErrQueueFull) {
		return fmt.Errorf("%w: %w", ErrProduce, err)
	}
	return nil
}

func (t *task) openProducer() error {
	p, err := t.deps.NewProducer(factory{t.deps}.producer(t.spec, t.client, t.log))
	if err != nil {
		return err
	}
	return t.adopt(p)
}

// adopt makes an open producer the task's.
func (t *task) adopt(p Producer) error {
	t.mu.Lock()
	t.open = p
	t.mu.Unlock()
	t.producer, t.sentAt = p, t.deps.Clock.Now()
	t.carrier = run.New(context.Background(), "source-reports")
	t.reports, t.spare = make(chan []kafkaio.Report, 1), make(chan []kafkaio.Report, 2)
	t.spare <- make([]kafkaio.Report, reportBuf)
	t.spare <- make([]kafkaio.Report, reportBuf)
	return t.carrier.Go(func(ctx context.Context) error { t.carry(ctx, p, t.reports, t.spare); return nil })
}

// carry brings reports to the loop, many at a time.
func (t *task) carry(ctx context.Context, p Producer, to, spare chan []kafkaio.Report) {
	for {
		var buf []kafkaio.Report
		select {
		case buf = <-spare:
		case <-ctx.Done():
			return
		}
		for n := 0; n == 0; {
			var err error
			if n, err = p.Reports(ctx, time.Second, buf[:cap(buf)]); err != nil || ctx.Err() != nil {
				if ctx.Err() == nil && !t.read().cut {
					t.lost <- err
				}
				return
			}
			buf = buf[:n]
			if n == 0 {
				buf = buf[:cap(buf)]
			}
		}
		select {
		case to <- buf:
		case <-ctx.Done():
			return
		}
	}
}

// acknowledge takes reports into the ledger and gives their buffer back. What Kafka refused and errors.tolerance=all
// allows counts as delivered.
func (t *task) acknowledge(got []kafkaio.Report) error {
	if t.txn != nil {
		err := t.refused(got)
		t.spare <- got
		return err
	}
	var failed, skipped error
	refused := 0
	for i := range got {
		r := &got[i]
		if r.Err != nil {
			refused++
			if !t.policy.Tolerate {
				failed = fmt.Errorf("%w: %w", ErrProduce, r.Err)
				continue // not acknowledged: its offset is never committed
			}
			skipped = r.Err
			if _, err := t.op.Report(t.stopping, stage.KafkaProduce, workerSourceTask, stage.Place{Offset: -1}, r.Err); err != nil {
				failed = err
				continue
			}
		}
		if err := t.ledger.Ack(r.Seq); err != nil {
			return err
		}
	}
	t.arrived(got)
	t.stats.Acknowledged(len(got), refused, t.ledger.Unacked())
	if skipped != nil {
		t.log.Warn("records were not delivered and are skipped (errors.tolerance=all)", slog.Int("records", refused), logkey.Err, skipped)
	}
	t.spare <- got
	return failed
}

// workerSourceTask is the class that Kafka Connect names for failures of the producer.
const workerSourceTask = "org.apache.kafka.connect.runtime.WorkerSourceTask"

// closeIdle closes a producer that has had nothing to do.
func (t *task) closeIdle(now time.Time) {
	if t.producer != nil && t.ledger.Unacked() == 0 && now.Sub(t.sentAt) > idleProducer {
		t.closeProducer()
	}
}

func (t *task) closeProducer() {
	if t.producer == nil {
		return
	}
	t.mu.Lock()
	t.open = nil
	t.mu.Unlock()
	// The carrier first: to it a producer that is closed is one that was lost.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.carrier.Stop(ctx); err != nil {
		t.log.Warn("the carrier of reports did not end", logkey.Err, err)
	}
	t.producer.Close()
	t.producer, t.carrier, t.reports = nil, nil, nil
}
