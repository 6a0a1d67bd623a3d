package tasktrace_test

import (
	"errors"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sluice-project/sluice/executor/tasktrace"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestTask_OneRecordAtATimeAndNotTooOften(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	spans := tracetest.NewSpanRecorder()
	tr := tasktrace.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("t"), time.Minute, c).Task("c", 1)
	poll := func(id uint64) {
		tr.Begin("poll")
		c.Advance(time.Second)
		tr.Next("convert")
		c.Advance(2 * time.Second)
		tr.Follow("produce", id, "topic", -1, -1, 10)
	}
	tr.Begin("poll") // a batch that brought nothing
	poll(7)
	poll(8) // 7 is not there yet
	if id, yes := tr.Follows(); !yes || id != 7 {
		t.Fatalf("%d %v", id, yes)
	}
	c.Advance(3 * time.Second)
	tr.End(4, 99, errors.New("refused"))
	ended := spans.Ended()
	if len(ended) != 4 {
		t.Fatalf("%d spans", len(ended))
	}
	root := ended[3]
	for i, want := range []struct {
		name       string
		begin, end time.Duration
	}{{"poll", 0, time.Second}, {"convert", time.Second, 3 * time.Second}, {"produce", 3 * time.Second, 9 * time.Second}, {"record topic", 0, 9 * time.Second}} {
		s, zero := ended[i], time.Unix(1000, 0)
		if s.Name() != want.name || !s.StartTime().Equal(zero.Add(want.begin)) || !s.EndTime().Equal(zero.Add(want.end)) || s.SpanContext().TraceID() != root.SpanContext().TraceID() {
			t.Errorf("%s from %s to %s", s.Name(), s.StartTime().Sub(zero), s.EndTime().Sub(zero))
		}
	}
	if root.Status().Description != "refused" {
		t.Errorf("%v", root.Status())
	}
	poll(9) // too soon
	if _, yes := tr.Follows(); yes {
		t.Error("two records within the interval")
	}
	c.Advance(time.Minute)
	poll(10)
	if id, yes := tr.Follows(); !yes || id != 10 {
		t.Error("none after the interval")
	}
	tr.Drop()
	if _, yes := tr.Follows(); yes || len(spans.Ended()) != 4 {
		t.Error("a dropped record was traced")
	}
}

func TestTask_ASinksRecordEndsWithTheCommitThatPassesIt(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tr := tasktrace.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("t"), time.Minute, clock.NewFake(time.Unix(1000, 0))).Task("c", 1)
	tr.Begin("convert")
	tr.Next("put")
	tr.Next("put") // tried again
	tr.Follow("commit", 0, "t", 3, 41, 1)
	tr.Committed("t", 3, 41)
	tr.Committed("t", 4, 50)
	if len(spans.Ended()) != 0 {
		t.Fatal("it was not committed yet")
	}
	tr.Committed("t", 3, 42)
	var names string
	for _, s := range spans.Ended() {
		names += s.Name() + " "
	}
	if names != "convert put commit record t " {
		t.Error(names)
	}
}

// What tracing costs a batch where it is off: all hooks of a source.
func BenchmarkTask_Off(b *testing.B) {
	var none *tasktrace.Tracer
	benchmark(b, none.Task("c", 0))
}

// What it costs a batch where it is on and no record is due.
func BenchmarkTask_NotDue(b *testing.B) {
	tr := tasktrace.New(sdktrace.NewTracerProvider().Tracer("t"), time.Hour, clock.Real()).Task("c", 0)
	tr.Begin("poll")
	tr.Follow("produce", 1, "t", 0, 0, 1)
	tr.End(0, 0, nil)
	benchmark(b, tr)
}

func benchmark(b *testing.B, tr *tasktrace.Task) {
	b.ReportAllocs()
	for b.Loop() {
		tr.Begin("poll")
		tr.Next("convert")
		tr.Follow("produce", 1, "t", 0, 0, 500)
		if _, yes := tr.Follows(); yes {
			b.Fatal("none is due")
		}
	}
}
