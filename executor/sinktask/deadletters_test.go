package sinktask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage"
)

// errant reports records that end in 7, and goes on whatever the answer.
type errant struct {
	collector
	tc connectors.SinkTaskContext
}

func (e *errant) Start(_ context.Context, tc connectors.SinkTaskContext, _ map[string]string) error {
	e.tc = tc
	return nil
}

func (e *errant) Put(ctx context.Context, b *connectors.SinkBatch) error {
	var good connectors.SinkBatch
	for _, r := range b.Records {
		if strings.HasSuffix(r.Value.Str(), "7") {
			rep, err := e.tc.Reporter().Report(ctx, &r, errors.New("no sevens"))
			if err == nil && rep == nil {
				return errors.New("no report")
			}
			continue
		}
		good.Records = append(good.Records, r)
	}
	return e.collector.Put(ctx, &good)
}

// withErrors begins a task with errors.* settings.
func withErrors(t *testing.T, client kafkaio.Client, sink connectors.SinkTask, extra map[string]string) *running {
	t.Helper()
	f := tasks(client, nil)
	p := connectors.Plugin{Class: "C", Type: connectors.Sink, NewSink: func() connectors.SinkConnector { return planned{task: sink} }}
	f.deps.Find = func(string) (connectors.Plugin, error) { return p, nil }
	f.deps.ProducerClient = func(map[string]string) (kafkaio.Client, error) { return maps.Clone(client), nil }
	f.deps.AdminClient = f.deps.ProducerClient
	r := &running{t: t, env: &env{fenced: make(chan struct{})}, result: make(chan error, 1)}
	s := spec()
	maps.Copy(s.ConnectorConfig, map[string]string{"errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true"})
	maps.Copy(s.ConnectorConfig, extra)
	in, err := f.New(s, r.env)
	if err != nil {
		t.Fatal(err)
	}
	r.task = in
	go func() { r.result <- in.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(in.Cut)
	return r
}

// dead are the records of the dead letter queue.
func dead(t *testing.T, client kafkaio.Client, n int) []kafkaio.Record {
	t.Helper()
	c, err := kafkaio.NewConsumer(kafkaio.ConsumerConfig{Client: client, Group: "reader", Topics: []string{"dead"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var out []kafkaio.Record
	await(t, "dead letters", func() bool {
		b := &kafkaio.Batch{}
		if err := c.Poll(t.Context(), 100*time.Millisecond, b); err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Records...)
		return len(out) >= n
	})
	return out
}

func header(r kafkaio.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == "__connect.errors."+key {
			return string(h.Value)
		}
	}
	return ""
}

func TestTask_WhatATransformFailsOnGoesToTheDeadLetterQueueAndItsOffsetIsCommitted(t *testing.T) {
	_, client := cluster(t, 40)
	c := &collector{}
	r := withErrors(t, client, c, map[string]string{"errors.tolerance": "all", "transforms": "e",
		"transforms.e.type": "org.apache.kafka.connect.transforms.ExtractField$Value", "transforms.e.field": "x"})
	got := dead(t, client, 40)
	await(t, "the offsets", func() bool { return committed(t, client) == 40 })
	if len(c.records()) != 0 || len(got) != 40 {
		t.Errorf("%d put, %d dead", len(c.records()), len(got))
	}
	d := got[0]
	if want := fmt.Sprint(2*d.Offset + int64(d.Partition)); len(d.Value) == 0 || header(d, "topic") != "t" || header(d, "stage") != "TRANSFORMATION" || d.Key != nil ||
		header(d, "class.name") != "org.apache.kafka.connect.transforms.ExtractField$Value" || header(d, "task.id") != "0" ||
		header(d, "exception.class.name") != "org.apache.kafka.connect.errors.DataException" || header(d, "connector.name") != "c" {
		t.Errorf("%q (%s): %+v", d.Value, want, d.Headers)
	}
	seen := map[string]bool{}
	for _, d := range got {
		seen[string(d.Value)] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d values", len(seen))
	}
	r.task.Stop(true)
	if err := r.stopped(); err != nil {
		t.Error(err)
	}
}

func TestTask_WithoutToleranceItFailsAndTheRecordIsInTheDeadLetterQueueAllTheSame(t *testing.T) {
	_, client := cluster(t, 2)
	r := withErrors(t, client, &collector{}, map[string]string{"transforms": "e",
		"transforms.e.type": "org.apache.kafka.connect.transforms.ExtractField$Value", "transforms.e.field": "x"})
	if err := r.stopped(); !errors.Is(err, stage.ErrTolerance) {
		t.Errorf("%v", err)
	}
	dead(t, client, 1)
	if n := committed(t, client); n != 0 {
		t.Errorf("%d committed", n)
	}
}

func TestReporter_TheRecordGoesAsItWasConsumedAndTheTaskGoesOn(t *testing.T) {
	_, client := cluster(t, 100)
	s := &errant{}
	withErrors(t, client, s, map[string]string{"errors.tolerance": "all", "transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter",
		"transforms.r.regex": "t", "transforms.r.replacement": "u"})
	for _, d := range dead(t, client, 10) {
		if !strings.HasSuffix(string(d.Value), "7") || header(d, "topic") != "t" || header(d, "stage") != "TASK_PUT" || header(d, "exception.message") != "no sevens" ||
			header(d, "class.name") != "org.apache.kafka.connect.sink.SinkTask" {
			t.Errorf("%q %v", d.Value, d.Headers)
		}
	}
	await(t, "the others", func() bool { return len(s.records()) == 90 })
	await(t, "the offsets", func() bool { return committed(t, client) == 100 })
}

func TestReporter_WithoutToleranceATaskThatSwallowsTheErrorFails(t *testing.T) {
	_, client := cluster(t, 100)
	r := withErrors(t, client, &errant{}, nil)
	if err := r.stopped(); !errors.Is(err, stage.ErrTolerance) || !strings.Contains(err.Error(), "no sevens") {
		t.Errorf("%v", err)
	}
}

func TestReporter_IsThereOnlyWhereSomebodyIsTold(t *testing.T) {
	for _, c := range []struct {
		extra map[string]string
		want  bool
	}{{map[string]string{deadletter.TopicKey: ""}, false}, {map[string]string{deadletter.TopicKey: "", "errors.log.enable": "true"}, true}, {nil, true}} {
		_, client := cluster(t, 1)
		s := &errant{}
		r := withErrors(t, client, s, c.extra)
		await(t, "the record", func() bool { return len(s.records()) == 1 })
		if got := s.tc.Reporter() != nil; got != c.want {
			t.Errorf("%v: %v", c.extra, got)
		}
		r.task.Stop(true)
		if err := r.stopped(); err != nil {
			t.Error(err)
		}
	}
}

func TestTask_ADeadLetterQueueThatCannotBeMadeFailsTheTask(t *testing.T) {
	_, client := cluster(t, 1)
	r := withErrors(t, client, &collector{}, map[string]string{"errors.deadletterqueue.topic.replication.factor": "7", "errors.tolerance": "all"})
	if err := r.stopped(); !errors.Is(err, deadletter.ErrTopic) || !strings.Contains(err.Error(), "topic=dead") {
		t.Errorf("%v", err)
	}
}
