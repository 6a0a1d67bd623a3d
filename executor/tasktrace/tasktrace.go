// Package tasktrace follows one record at a time through a task and makes a trace of it: from the poll that brought it to
// Kafka's acknowledgement (a source), or from Kafka to the commit of its offset (a sink).
//
// The one idea: a task follows at most one record, and not more often than every so often, so that neither the cost nor the
// number of traces grows with the number of records. Following is noting times; the spans are made, with those times, once
// the record has arrived. A nil Tracer and a nil Task follow nothing and cost a comparison with nil at each step of a batch.
//
// The record that is followed is the first of a batch. One that a transform drops, or that belongs to a run that ends first,
// leaves no trace. Records are not changed: no context travels in their headers.
package tasktrace

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluice-project/sluice/internal/clock"
)

// Tracer makes the traces of an executor's tasks. Safe for concurrent use.
type Tracer struct {
	tracer trace.Tracer
	every  time.Duration
	clock  clock.Clock
}

// New has each task traced a record at most every so often.
func New(t trace.Tracer, every time.Duration, c clock.Clock) *Tracer { return &Tracer{t, every, c} }

// Task follows the records of one run of a task: nil where t is.
func (t *Tracer) Task(connector string, task int) *Task {
	if t == nil {
		return nil
	}
	return &Task{tracer: t, own: []attribute.KeyValue{attribute.String("sluice.connector", connector), attribute.Int("sluice.task", task),
		attribute.String("messaging.system", "kafka")}}
}

// maxSteps is more than any record takes.
const maxSteps = 4

// Task follows one record. Begin and Next belong to the goroutine that polls and converts, the rest to the one that delivers
// and commits; Follow is called while neither does.
type Task struct {
	tracer  *Tracer
	own     []attribute.KeyValue
	due     atomic.Int64 // no record before, unix ns
	waiting atomic.Bool  // for the end of a record

	next, steps steps // of the batch that is polled; of the record that is followed
	id          uint64
	topic       string
	part        int32
	offset      int64
	batch       int
}

type step struct {
	name  string
	begin time.Time
}

// steps are those that were taken; the last one goes on.
type steps struct {
	all [maxSteps]step
	n   int
}

func (s *steps) add(name string, now time.Time) {
	if s.n < maxSteps && (s.n == 0 || s.all[s.n-1].name != name) {
		s.all[s.n] = step{name, now}
		s.n++
	}
}

// Begin begins a batch with its first step, if it is time to follow a record and none is followed.
func (t *Task) Begin(name string) {
	if t == nil {
		return
	}
	t.next.n = 0
	if t.waiting.Load() {
		return
	}
	if now := t.tracer.clock.Now(); now.UnixNano() >= t.due.Load() {
		t.next.add(name, now)
	}
}

// Next ends the step and begins another, unless that is the same.
func (t *Task) Next(name string) {
	if t != nil && t.next.n > 0 {
		t.next.add(name, t.tracer.clock.Now())
	}
}

// Follow says which record it is, and begins its last step: one ends it by id, or by topic, partition and offset.
func (t *Task) Follow(name string, id uint64, topic string, partition int32, offset int64, batch int) {
	if t == nil || t.next.n == 0 || t.waiting.Load() {
		return
	}
	t.Next(name)
	t.steps, t.next.n = t.next, 0
	t.id, t.topic, t.part, t.offset, t.batch = id, topic, partition, offset, batch
	t.waiting.Store(true)
}

// Follows says whether a record is being followed, and which.
func (t *Task) Follows() (id uint64, yes bool) {
	if t == nil || !t.waiting.Load() {
		return 0, false
	}
	return t.id, true
}

// Committed ends the record where its offset has been committed.
func (t *Task) Committed(topic string, partition int32, offset int64) {
	if _, yes := t.Follows(); yes && t.topic == topic && t.part == partition && offset > t.offset {
		t.End(partition, t.offset, nil)
	}
}

// Drop follows the record no more.
func (t *Task) Drop() {
	if t != nil {
		t.waiting.Store(false)
	}
}

// End makes the trace of the record that is followed.
func (t *Task) End(partition int32, offset int64, err error) {
	if _, yes := t.Follows(); !yes {
		return
	}
	now := t.tracer.clock.Now()
	ctx, root := t.tracer.tracer.Start(context.Background(), "record "+t.topic, trace.WithTimestamp(t.steps.all[0].begin), trace.WithAttributes(t.own...),
		trace.WithAttributes(attribute.String("messaging.destination.name", t.topic), attribute.Int("messaging.destination.partition.id", int(partition)),
			attribute.Int64("messaging.kafka.offset", offset), attribute.Int("messaging.batch.message_count", t.batch)))
	for i, st := range t.steps.all[:t.steps.n] {
		end := now
		if i+1 < t.steps.n {
			end = t.steps.all[i+1].begin
		}
		_, s := t.tracer.tracer.Start(ctx, st.name, trace.WithTimestamp(st.begin))
		s.End(trace.WithTimestamp(end))
	}
	if err != nil {
		root.SetStatus(codes.Error, err.Error())
	}
	root.End(trace.WithTimestamp(now))
	t.due.Store(now.Add(t.tracer.every).UnixNano())
	t.Drop()
}
