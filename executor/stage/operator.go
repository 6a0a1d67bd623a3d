package stage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
)

// The stages, in Kafka Connect's words.
const (
	KeyConverter    = "KEY_CONVERTER"
	ValueConverter  = "VALUE_CONVERTER"
	HeaderConverter = "HEADER_CONVERTER"
	KafkaProduce    = "KAFKA_PRODUCE"
	Transformation  = "TRANSFORMATION"
	TaskPut         = "TASK_PUT"
)

// firstDelay is the first wait between two tries; it doubles with each.
const firstDelay = 300 * time.Millisecond

// Place says which record failed. Offset is negative for records of a source.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
	// Record is what was consumed, for a sink.
	Record *kafkaio.Record
	// Details are logged only with errors.log.include.messages.
	Details func() []any
}

// DeadLetters takes what a sink could not process; deadletter.Queue does.
type DeadLetters interface {
	Send(ctx context.Context, r *kafkaio.Record, f deadletter.Failure) (*connectors.Reported, error)
}

// Operator decides what becomes of a record that a stage failed on. What it counts may be read, and Report be called, by
// any goroutine; the rest belongs to the stage.
type Operator struct {
	policy  Policy
	dead    DeadLetters // nil for none
	clock   clock.Clock
	log     *slog.Logger
	skipped atomic.Int64
	noted   map[coordinates]struct{} // skipped of the batch under way
	errors  *taskstats.Errors
}

// coordinates name a record of Kafka.
type coordinates struct {
	kafkaio.TopicPartition
	offset int64
}

func coordinatesOf(r *kafkaio.Record) coordinates {
	return coordinates{kafkaio.TopicPartition{Topic: r.Topic, Partition: r.Partition}, r.Offset}
}

// NewOperator returns the operator of one task; log names the task.
func NewOperator(p Policy, c clock.Clock, log *slog.Logger) *Operator {
	return &Operator{policy: p, clock: c, log: log, noted: map[coordinates]struct{}{}, errors: &taskstats.Errors{}}
}

// Counting has failures counted there.
func (o *Operator) Counting(e *taskstats.Errors) *Operator {
	o.errors = e
	return o
}

// WithDeadLetters has what fails go to a dead letter queue too.
func (o *Operator) WithDeadLetters(d DeadLetters) *Operator {
	o.dead = d
	return o
}

// Skipped counts the records that were tolerated.
func (o *Operator) Skipped() int64 { return o.skipped.Load() }

// Tolerates says whether errors.tolerance is all.
func (o *Operator) Tolerates() bool { return o.policy.Tolerate }

// Reports says whether failures are told to anybody: Kafka Connect has a reporter for tasks only then.
func (o *Operator) Reports() bool { return o.policy.Log || o.dead != nil }

// Failed decides about a failure: it calls retry again while the error is retriable and
// errors.retry.timeout allows, then reports, and then skips the record (false, nil) or fails the task
// (false, ErrTolerance, or that it could not be reported). (true, nil) says that a retry succeeded. It ends early with ctx, with its error:
// then the record is neither done nor skipped.
func (o *Operator) Failed(ctx context.Context, stage, class string, place func() Place, err error, retry func() error) (bool, error) {
	o.errors.Failure(o.clock.Now())
	if o.policy.RetryTimeout != 0 && retry != nil {
		deadline := o.clock.Now().Add(o.policy.RetryTimeout)
		for attempt := 0; connectors.IsRetriable(err); attempt++ {
			delay := firstDelay << min(attempt, 20)
			if delay > o.policy.RetryDelayMax {
				delay = rand.N(o.policy.RetryDelayMax) //nolint:gosec // spreads retries
			}
			if o.policy.RetryTimeout > 0 {
				left := deadline.Sub(o.clock.Now())
				if left <= 0 {
					break
				}
				delay = min(delay, left)
			}
			timer := o.clock.NewTimer(delay)
			select {
			case <-timer.C():
			case <-ctx.Done():
				timer.Stop()
				return false, context.Cause(ctx)
			}
			o.errors.Retries.Add(1)
			if err = retry(); err == nil {
				return true, nil
			}
			o.errors.Failure(o.clock.Now())
		}
	}
	p := place()
	if _, err := o.settle(ctx, stage, class, p, err); err != nil {
		return false, err
	}
	if p.Record != nil {
		o.noted[coordinatesOf(p.Record)] = struct{}{}
	}
	return false, nil
}

// Report tells the log and the dead letter queue of a failure. An error says that it is not tolerated, or could not be
// told. What is returned is done once the record is in the queue.
func (o *Operator) Report(ctx context.Context, stage, class string, p Place, cause error) (*connectors.Reported, error) {
	o.errors.Failure(o.clock.Now())
	return o.settle(ctx, stage, class, p, cause)
}

func (o *Operator) settle(ctx context.Context, stage, class string, p Place, cause error) (*connectors.Reported, error) {
	o.tell(stage, class, p, cause)
	var rep *connectors.Reported
	if o.dead != nil && p.Record != nil {
		var err error
		if rep, err = o.dead.Send(ctx, p.Record, deadletter.Failure{Stage: stage, Class: class, Err: cause}); err != nil {
			return nil, fmt.Errorf("stage %s, class %s: %w; and it could not be reported: %w", stage, class, cause, err)
		}
	}
	if !o.policy.Tolerate {
		o.errors.Failed.Add(1)
		return nil, fmt.Errorf("%w: stage %s, class %s: %w", ErrTolerance, stage, class, cause)
	}
	o.skipped.Add(1)
	o.errors.Skipped.Add(1)
	if rep == nil {
		rep = connectors.NewReported()
		rep.Resolve(nil)
	}
	return rep, nil
}

func (o *Operator) tell(stage, class string, p Place, err error) {
	if !o.policy.Log {
		return
	}
	o.errors.Logged.Add(1)
	attrs := []any{"stage", stage, "class", class, logkey.Err, err}
	if p.Topic != "" {
		attrs = append(attrs, logkey.Topic, p.Topic)
	}
	if p.Offset >= 0 {
		attrs = append(attrs, logkey.Partition, p.Partition, logkey.Offset, p.Offset)
	}
	if o.policy.LogMessages && p.Details != nil {
		attrs = append(attrs, p.Details()...)
	}
	o.log.Error("error encountered in task", attrs...)
}
