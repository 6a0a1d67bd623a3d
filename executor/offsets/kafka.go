package offsets

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/run"
)

// producer is what the store needs of a kafkaio.Producer.
type producer interface {
	Produce(msgs []kafkaio.Message) (int, error)
	Reports(ctx context.Context, wait time.Duration, buf []kafkaio.Report) (int, error)
	Fatal() error
	InitTransactions(ctx context.Context) error
	Begin() error
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
	Close()
}

// reader is what the store needs of a kafkaio.Reader.
type reader interface {
	ToEnd(ctx context.Context, from map[int32]int64, fn func(kafkaio.Record) error) (next map[int32]int64, err error)
	Close() error
}

// clients makes what the store needs of Kafka; tests have their own.
type clients interface {
	producer(transactionalID string, messageTimeout time.Duration) (producer, error)
	reader() (reader, error)
}

// Config is what a Kafka store needs.
type Config struct {
	// Topic is offset.storage.topic.
	Topic string
	// Producer and Consumer are the client settings: the worker's unprefixed ones.
	Producer, Consumer kafkaio.Client
	// Group is group.id, ExactlyOnce says that tasks of sources have transactional ids: see AlterID.
	Group       string
	ExactlyOnce bool
	// ClientID is that of the clients; Kafka Connect's is <group.id>-offsets.
	ClientID string
	// Margin is the session's margin; the producer's message timeout is three fifths of it. Default 5 s.
	Margin func() time.Duration
	// ReadProgress is how long a partition of the topic may bring nothing while it is read before the read
	// fails with the partition's name. Default 30 s.
	ReadProgress time.Duration
	// ReadTimeout bounds one reading of the whole topic. Default 5 min.
	ReadTimeout time.Duration
	Clock       clock.Clock
	Logger      *slog.Logger
}

// Kafka is the store in connect-offsets. It owns one producer and one reader, each open while it is used and
// for a minute after, and one reading at a time.
type Kafka struct {
	cfg     Config
	clients clients
	group   *run.Group

	mu     sync.Mutex
	closed bool
	held   map[string]*holding
	wanted map[string][]*waiter // for the next reading
	wake   chan struct{}        // to whom does the readings; nil where nobody does
	busy   bool                 // a reading is under way
	seen   seen
	out    *writer // nil where no producer is open
}

// holding is a connector that somebody holds, and what was last read of it.
type holding struct {
	count int
	table table
	asOf  time.Duration   // when that reading began; negative: never
	next  map[int32]int64 // where it ended: the next one begins there
	// since are the writes that were acknowledged while a reading is under way: it may not have seen them.
	since []record
}

// NewKafka returns the store; it opens nothing yet.
func NewKafka(cfg Config) *Kafka {
	if cfg.Margin == nil {
		cfg.Margin = func() time.Duration { return 5 * time.Second }
	}
	if cfg.ReadProgress <= 0 {
		cfg.ReadProgress = 30 * time.Second
	}
	if cfg.ReadTimeout <= 0 {
		cfg.ReadTimeout = 5 * time.Minute
	}
	return newKafka(cfg, kafkaClients{cfg})
}

func newKafka(cfg Config, c clients) *Kafka {
	return &Kafka{cfg: cfg, clients: c, group: run.New(context.Background(), "offsets"),
		held: map[string]*holding{}, wanted: map[string][]*waiter{}}
}

// WriteTimeout is what a right must have left for Write: the producer's message timeout.
func (k *Kafka) WriteTimeout() time.Duration { return k.cfg.Margin() * 3 / 5 }

// Hold implements Store.
func (k *Kafka) Hold(connector string) func() {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.held[connector]
	if h == nil {
		h = &holding{asOf: -1}
		k.held[connector] = h
	}
	h.count++
	var once sync.Once
	return func() {
		once.Do(func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			if h.count--; h.count == 0 {
				delete(k.held, connector)
			}
		})
	}
}

// Close implements Store.
func (k *Kafka) Close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return k.group.Stop(ctx)
}

// kafkaClients are the real ones.
type kafkaClients struct{ cfg Config }

func (c kafkaClients) producer(id string, timeout time.Duration) (producer, error) {
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: c.cfg.Producer, TransactionalID: id, MessageTimeout: timeout,
		Logger: c.cfg.Logger, ClientID: c.cfg.ClientID})
	if err != nil {
		return nil, fmt.Errorf("producer for topic %q: %w", c.cfg.Topic, err)
	}
	return p, nil
}

func (c kafkaClients) reader() (reader, error) {
	r, err := kafkaio.NewReader(c.cfg.Consumer, c.cfg.Topic, kafkaio.ReadOptions{Isolation: "read_committed", Progress: c.cfg.ReadProgress, Logger: c.cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("reader of topic %q: %w", c.cfg.Topic, err)
	}
	return r, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
