package mirror

import (
	"context"
	"log/slog"
	"sync"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
)

// ActiveTopics writes which topics the executor's tasks use. Safe for concurrent use; it never blocks.
type ActiveTopics struct {
	topic  string
	client kafkaio.Client
	clock  clock.Clock
	log    *slog.Logger

	mu    sync.Mutex
	queue []kafkaio.Message
	wake  chan struct{}
}

// maxActive bounds what waits to be written.
const maxActive = 10_000

// NewActiveTopics returns a writer; Run writes.
func NewActiveTopics(topic string, client kafkaio.Client, c clock.Clock, log *slog.Logger) *ActiveTopics {
	return &ActiveTopics{topic: topic, client: client, clock: c, log: log, wake: make(chan struct{}, 1)}
}

// Used says that a task uses a topic.
func (a *ActiveTopics) Used(connector string, task int, topic string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) >= maxActive {
		return // a copy for people: it is not worth holding a task up
	}
	a.queue = append(a.queue, kafkaio.Message{Topic: a.topic, Partition: -1, Timestamp: -1, Key: []byte(topics.StatusTopicKey(topic, connector)),
		Value: topics.ActiveTopicValue(topic, connector, task, a.clock.Now().UnixMilli())})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends.
func (a *ActiveTopics) Run(ctx context.Context) error {
	for {
		select {
		case <-a.wake:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-a.clock.After(gather):
		case <-ctx.Done():
		}
		a.mu.Lock()
		batch := a.queue
		a.queue = nil
		a.mu.Unlock()
		if err := a.write(ctx, batch); err != nil && ctx.Err() == nil {
			a.log.Warn("active topics were not written", slog.Int("records", len(batch)), logkey.Err, err)
		}
	}
}

func (a *ActiveTopics) write(parent context.Context, batch []kafkaio.Message) error {
	ctx, cancel := context.WithTimeout(parent, writeTime)
	defer cancel()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: a.client, MessageTimeout: writeTime, Logger: a.log, ClientID: "sluice-active-topics"})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Deliver(ctx, batch)
}
