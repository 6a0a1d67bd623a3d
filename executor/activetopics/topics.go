package activetopics

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
)

const (
	// gather is how long records are collected before they are written together.
	gather    = 20 * time.Millisecond
	writeTime = 30 * time.Second
	retry     = time.Second
	// maxQueue bounds what waits to be written.
	maxQueue = 10_000
)

// Config is what Topics needs.
type Config struct {
	// Topic is status.storage.topic; empty keeps everything in memory.
	Topic  string
	Client kafkaio.Client
	Clock  clock.Clock
	Logger *slog.Logger
}

// Topics knows the active topics. Safe for concurrent use.
type Topics struct {
	cfg Config

	mu sync.Mutex
	// used has the topics of each connector, as of next: the offsets up to which the status topic was read.
	used map[string]map[string]bool
	next map[int32]int64
	// written are keys on their way: they are not written again until they were read back.
	written map[string]bool
	queue   []kafkaio.Message
	wake    chan struct{}
	writing chan struct{} // one slot: who writes
}

// New returns a Topics that knows nothing yet. Write and Follow are to run.
func New(cfg Config) *Topics {
	return &Topics{cfg: cfg, used: map[string]map[string]bool{}, next: map[int32]int64{}, written: map[string]bool{}, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
}

// Used says that a task uses a topic. It never waits.
func (t *Topics) Used(connector string, task int, topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used[connector][topic] {
		return
	}
	if t.cfg.Topic == "" {
		t.set(connector, topic, true)
		return
	}
	key := topics.StatusTopicKey(topic, connector)
	if t.written[key] || len(t.queue) >= maxQueue {
		return
	}
	t.written[key] = true
	t.queue = append(t.queue, kafkaio.Message{Topic: t.cfg.Topic, Partition: -1, Timestamp: -1, Key: []byte(key),
		Value: topics.ActiveTopicValue(topic, connector, task, t.cfg.Clock.Now().UnixMilli())})
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *Topics) set(connector, topic string, used bool) {
	if !used {
		if delete(t.used[connector], topic); len(t.used[connector]) == 0 {
			delete(t.used, connector)
		}
		return
	}
	if t.used[connector] == nil {
		t.used[connector] = map[string]bool{}
	}
	t.used[connector][topic] = true
}

// apply takes a record of the status topic. Two readers may bring the same one; each partition's are taken in order.
func (t *Topics) apply(r kafkaio.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Offset < t.next[r.Partition] {
		return nil
	}
	t.next[r.Partition] = r.Offset + 1
	kind, connector, _, topic := topics.ParseStatusKey(string(r.Key))
	if kind == topics.StatusTopic {
		delete(t.written, string(r.Key))
		t.set(connector, topic, r.Value != nil)
	}
	return nil
}

// Follow reads the status topic until ctx ends. The topic must be there.
func (t *Topics) Follow(ctx context.Context) error {
	if t.cfg.Topic == "" {
		return nil
	}
	for {
		err := kafkaio.Follow(ctx, t.cfg.Client, t.cfg.Topic, t.from(), t.apply)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		t.cfg.Logger.Warn("following the status topic is begun anew", logkey.Topic, t.cfg.Topic, logkey.Err, err)
		select {
		case <-t.cfg.Clock.After(retry):
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *Topics) from() kafkaio.ReadOptions {
	t.mu.Lock()
	defer t.mu.Unlock()
	return kafkaio.ReadOptions{Isolation: "read_uncommitted", From: maps.Clone(t.next), Logger: t.cfg.Logger}
}

// refresh reads to an end of the status topic that is not older than the call.
func (t *Topics) refresh(ctx context.Context) error {
	if t.cfg.Topic == "" {
		return nil
	}
	_, err := kafkaio.ReadToEnd(ctx, t.cfg.Client, t.cfg.Topic, t.from(), t.apply)
	return err
}

// List returns the topics that a connector uses, sorted.
func (t *Topics) List(ctx context.Context, connector string) ([]string, error) {
	if err := t.refresh(ctx); err != nil {
		return nil, fmt.Errorf("active topics of connector %q: %w", connector, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.used[connector])), nil
}

// Forget forgets the topics that a connector uses, and returns when that is written. A topic that it goes on to use
// comes back.
func (t *Topics) Forget(ctx context.Context, connector string) error {
	if err := t.refresh(ctx); err != nil {
		return fmt.Errorf("active topics of connector %q: %w", connector, err)
	}
	return t.Leave(ctx, connector)
}

// Leave is Forget without a look at the topic: it forgets what is known here, which is all that this executor's own
// tasks have used.
func (t *Topics) Leave(ctx context.Context, connector string) error {
	release, err := t.lock(ctx) // what is being written now is to be forgotten too
	if err != nil {
		return err
	}
	defer release()
	keys := map[string]bool{}
	of := func(key string) bool {
		kind, name, _, _ := topics.ParseStatusKey(key)
		return kind == topics.StatusTopic && name == connector
	}
	t.mu.Lock()
	for topic := range t.used[connector] {
		keys[topics.StatusTopicKey(topic, connector)] = true
	}
	for key := range t.written {
		if of(key) {
			keys[key] = true
			delete(t.written, key)
		}
	}
	t.queue = slices.DeleteFunc(t.queue, func(m kafkaio.Message) bool { return of(string(m.Key)) })
	if t.cfg.Topic == "" {
		delete(t.used, connector)
	}
	t.mu.Unlock()
	if t.cfg.Topic == "" {
		return nil
	}
	var tombs []kafkaio.Message
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		tombs = append(tombs, kafkaio.Message{Topic: t.cfg.Topic, Partition: -1, Timestamp: -1, Key: []byte(key)})
	}
	if err := t.write(ctx, tombs); err != nil {
		return fmt.Errorf("active topics of connector %q: topic %q: %w", connector, t.cfg.Topic, err)
	}
	return nil
}

// lock keeps others from writing, until release is called.
func (t *Topics) lock(ctx context.Context) (release func(), err error) {
	select {
	case t.writing <- struct{}{}:
		return func() { <-t.writing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Write writes what tasks have said, until ctx ends.
func (t *Topics) Write(ctx context.Context) error {
	for {
		select {
		case <-t.wake:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-t.cfg.Clock.After(gather):
		case <-ctx.Done():
		}
		release, err := t.lock(ctx)
		if err != nil {
			return nil //nolint:nilerr // it was stopped
		}
		t.mu.Lock()
		batch := t.queue
		t.queue = nil
		t.mu.Unlock()
		err = t.write(ctx, batch)
		release()
		if err == nil || ctx.Err() != nil {
			continue
		}
		t.cfg.Logger.Warn("active topics were not written; the tasks' next records have them written again", slog.Int("records", len(batch)), logkey.Err, err)
		t.mu.Lock()
		for _, m := range batch {
			delete(t.written, string(m.Key))
		}
		t.mu.Unlock()
	}
}

func (t *Topics) write(parent context.Context, batch []kafkaio.Message) error {
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, writeTime)
	defer cancel()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: t.cfg.Client, MessageTimeout: writeTime, Logger: t.cfg.Logger, ClientID: "sluice-active-topics"})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Deliver(ctx, batch)
}
