package deadletter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
)

// letterbox is a producer that acknowledges when it is told to, and is full above room.
type letterbox struct {
	mu     sync.Mutex
	got    []kafkaio.Message
	acks   chan kafkaio.Report
	room   int
	closed bool
}

func (l *letterbox) Produce(msgs []kafkaio.Message) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.got) >= l.room {
		return 0, kafkaio.ErrQueueFull
	}
	m := msgs[0]
	m.Headers = append([]kafkaio.Header(nil), m.Headers...)
	l.got = append(l.got, m)
	return 1, nil
}

func (l *letterbox) Reports(ctx context.Context, _ time.Duration, buf []kafkaio.Report) (int, error) {
	select {
	case buf[0] = <-l.acks:
		return 1, nil
	case <-ctx.Done():
		return 0, nil
	}
}

func (l *letterbox) Purge() {}

func (l *letterbox) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func queue(t *testing.T, conf map[string]string, c clock.Clock) (*Queue, *letterbox) {
	t.Helper()
	cfg, err := Parse(conf)
	if err != nil {
		t.Fatal(err)
	}
	l := &letterbox{acks: make(chan kafkaio.Report), room: 100}
	q := New(cfg, "sink", 3, func() (Producer, error) { return l, nil }, c, slog.New(slog.DiscardHandler))
	t.Cleanup(q.Close)
	return q, l
}

var letter = kafkaio.Record{Topic: "t", Partition: 2, Offset: 17, Timestamp: 99, Key: []byte("k"), Headers: []kafkaio.Header{{Key: "own", Value: []byte("h")}, {Key: "null"}}}

func TestQueue_SendsTheRecordAsItWasConsumedWithKafkaConnectsHeaders(t *testing.T) {
	q, l := queue(t, map[string]string{TopicKey: " dlq ", headersKey: "true"}, clock.Real())
	cause := fmt.Errorf("header %q: %w", "h", &converter.Error{Message: "Failed to deserialize long: ", Detail: "Size of data received is not 8"})
	if _, err := q.Send(t.Context(), &letter, Failure{"VALUE_CONVERTER", "x.Json", cause}); err != nil {
		t.Fatal(err)
	}
	m := l.got[0]
	if m.Topic != "dlq" || m.Partition != -1 || m.Timestamp != 99 || string(m.Key) != "k" || m.Value != nil {
		t.Errorf("%+v", m)
	}
	var got []string
	for _, h := range m.Headers {
		got = append(got, h.Key+"="+string(h.Value))
	}
	const text = "Failed to deserialize long: " // and no more: Java has the rest in the cause
	want := []string{"own=h", "null=", "__connect.errors.topic=t", "__connect.errors.partition=2", "__connect.errors.offset=17",
		"__connect.errors.connector.name=sink", "__connect.errors.task.id=3", "__connect.errors.stage=VALUE_CONVERTER", "__connect.errors.class.name=x.Json",
		"__connect.errors.exception.class.name=org.apache.kafka.connect.errors.DataException", "__connect.errors.exception.message=" + text,
		"__connect.errors.exception.stacktrace=org.apache.kafka.connect.errors.DataException: " + text + "\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	q, l = queue(t, map[string]string{TopicKey: "dlq"}, clock.Real())
	if _, err := q.Send(t.Context(), &letter, Failure{"VALUE_CONVERTER", "x.Json", cause}); err != nil || len(l.got[0].Headers) != 2 {
		t.Errorf("%v %v", err, l.got)
	}
}

type named struct{ error }

func (named) JavaClass() string { return "java.io.IOException" }

func TestQueue_NamesTheClassOfJavasException(t *testing.T) {
	boom := errors.New("boom")
	for want, err := range map[string]error{
		"java.io.IOException":                                named{boom},
		"java.lang.NullPointerException":                     &transform.Error{Class: "java.lang.NullPointerException", Message: "m"},
		"org.apache.kafka.connect.errors.RetriableException": connectors.Retriable(boom),
		"org.apache.kafka.connect.errors.ConnectException":   boom,
	} {
		if got := className(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestQueue_WaitsUntilEverythingIsAcknowledged(t *testing.T) {
	q, l := queue(t, map[string]string{TopicKey: "dlq"}, clock.Real())
	if err := q.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := q.Send(t.Context(), &letter, Failure{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := q.Send(t.Context(), &letter, Failure{})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := q.Wait(short); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "2 records on their way") {
		t.Errorf("%v", err)
	}
	l.acks <- kafkaio.Report{Seq: 1}
	if err := b.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	l.acks <- kafkaio.Report{Seq: 0}
	if err := q.Wait(t.Context()); err != nil || a.Wait(t.Context()) != nil {
		t.Error(err)
	}
}

func TestQueue_OneThatKafkaDoesNotTakeIsNeverForgotten(t *testing.T) {
	q, l := queue(t, map[string]string{TopicKey: "dlq"}, clock.Real())
	r, err := q.Send(t.Context(), &letter, Failure{})
	if err != nil {
		t.Fatal(err)
	}
	l.acks <- kafkaio.Report{Err: errors.New("too large")}
	if err := r.Wait(t.Context()); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
	for range 2 {
		if err := q.Wait(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("%v", err)
		}
	}
	if _, err := q.Send(t.Context(), &letter, Failure{}); !errors.Is(err, ErrLost) {
		t.Errorf("%v", err)
	}
	if err := q.Tick(); !errors.Is(err, ErrLost) {
		t.Errorf("%v", err)
	}
}

func TestQueue_WaitsWhileTheProducerIsFull(t *testing.T) {
	q, l := queue(t, map[string]string{TopicKey: "dlq"}, clock.Real())
	l.room = 1
	if _, err := q.Send(t.Context(), &letter, Failure{}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := q.Send(short, &letter, Failure{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	sent := make(chan error)
	go func() { _, err := q.Send(t.Context(), &letter, Failure{}); sent <- err }()
	l.mu.Lock()
	l.room = 2
	l.mu.Unlock()
	l.acks <- kafkaio.Report{Seq: 0}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	l.mu.Lock()
	l.room = 0
	l.mu.Unlock()
	go func() { _, err := q.Send(t.Context(), &letter, Failure{}); sent <- err }()
	q.Close() // ends those who wait
	if err := <-sent; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestQueue_AProducerWithNothingToDoIsClosedAndOpenedAgain(t *testing.T) {
	c := clock.NewFake(time.Unix(0, 0))
	q, l := queue(t, map[string]string{TopicKey: "dlq"}, c)
	send := func(seq uint64) {
		t.Helper()
		r, err := q.Send(t.Context(), &letter, Failure{})
		if err != nil {
			t.Fatal(err)
		}
		c.Advance(2 * idle)
		if err := q.Tick(); err != nil || l.closed {
			t.Fatalf("%v; closed: %v, with a record on its way", err, l.closed)
		}
		l.acks <- kafkaio.Report{Seq: seq}
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	send(0)
	if err := q.Tick(); err != nil || !l.closed {
		t.Errorf("%v; closed: %v", err, l.closed)
	}
	l.closed = false
	send(1)
}

func TestParse_SaysWhichKeyIsWrong(t *testing.T) {
	for key, v := range map[string]string{replicationKey: "x", headersKey: "maybe"} {
		if _, err := Parse(map[string]string{key: v}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), key) {
			t.Errorf("%v", err)
		}
	}
	if c, err := Parse(nil); err != nil || c != (Config{Replication: 3}) {
		t.Errorf("%v %v", c, err)
	}
}
