package stage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sluice-project/sluice/connectors"
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
)

// firstDelay is the first wait between two tries; it doubles with each.
const firstDelay = 300 * time.Millisecond

// Place says which record failed. Offset is negative for records of a source.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
	// Key and Value are logged only with errors.log.include.messages.
	Key, Value any
}

// Operator decides what becomes of a record that a stage failed on.
type Operator struct {
	policy  Policy
	clock   clock.Clock
	log     *slog.Logger
	skipped int64
	errors  *taskstats.Errors
}

// NewOperator returns the operator of one task; log names the task.
func NewOperator(p Policy, c clock.Clock, log *slog.Logger) *Operator {
	return &Operator{policy: p, clock: c, log: log, errors: &taskstats.Errors{}}
}

// Counting has failures counted there.
func (o *Operator) Counting(e *taskstats.Errors) *Operator {
	o.errors = e
	return o
}

// Skipped counts the records that were tolerated.
func (o *Operator) Skipped() int64 { return o.skipped }

// Tolerates says whether errors.tolerance is all.
func (o *Operator) Tolerates() bool { return o.policy.Tolerate }

// Failed decides about a failure: it calls retry again while the error is retriable and
// errors.retry.timeout allows, then reports, and then skips the record (false, nil) or fails the task
// (false, ErrTolerance). (true, nil) says that a retry succeeded. It ends early with ctx, with its error:
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
	o.report(stage, class, place, err)
	if o.policy.Tolerate {
		o.skipped++
		o.errors.Skipped.Add(1)
		return false, nil
	}
	o.errors.Failed.Add(1)
	return false, fmt.Errorf("%w: stage %s, class %s: %w", ErrTolerance, stage, class, err)
}

func (o *Operator) report(stage, class string, place func() Place, err error) {
	if !o.policy.Log {
		return
	}
	o.errors.Logged.Add(1)
	attrs := []any{"stage", stage, "class", class, logkey.Err, err}
	p := place()
	attrs = append(attrs, logkey.Topic, p.Topic)
	if p.Offset >= 0 {
		attrs = append(attrs, logkey.Partition, p.Partition, logkey.Offset, p.Offset)
	}
	if o.policy.LogMessages {
		attrs = append(attrs, "key", p.Key, "value", p.Value)
	}
	o.log.Error("error encountered in task", attrs...)
}
