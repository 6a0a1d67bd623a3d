package offsets

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
)

// readAgain is how old what is held may be for a reading to begin where the last one ended. After it the whole topic is
// read: a tombstone must not have been compacted away unseen (delete.retention.ms, a day by default).
const readAgain = time.Hour

// waiter waits for the next reading.
type waiter struct {
	done  chan struct{}
	table table
	err   error
}

// Read implements Store.
func (k *Kafka) Read(ctx context.Context, connector string, asOf time.Duration, partitions []map[string]any) ([]map[string]any, error) {
	k.mu.Lock()
	if h := k.held[connector]; h != nil && h.asOf >= 0 && h.asOf >= asOf {
		defer k.mu.Unlock()
		return h.table.read(connector, partitions)
	}
	k.mu.Unlock()
	t, err := k.load(ctx, connector)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return t.read(connector, partitions)
}

// List implements Store.
func (k *Kafka) List(ctx context.Context, connector string) ([]Entry, error) {
	t, err := k.load(ctx, connector)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return t.list(connector)
}

// load has the topic read from a time after the call. The table may be shared: use it under mu.
func (k *Kafka) load(ctx context.Context, connector string) (table, error) {
	w := &waiter{done: make(chan struct{})}
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil, ErrClosed
	}
	k.wanted[connector] = append(k.wanted[connector], w)
	if !k.busy {
		if err := k.group.Go(k.readings); err != nil {
			k.mu.Unlock()
			return nil, ErrClosed
		}
		k.busy = true
	}
	k.mu.Unlock()
	select {
	case <-w.done:
		if w.err != nil {
			return nil, fmt.Errorf("offsets of connector %q: %w", connector, w.err)
		}
		return w.table, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("offsets of connector %q: reading topic %q: %w", connector, k.cfg.Topic, context.Cause(ctx))
	}
}

// readings reads as long as somebody waits for it.
func (k *Kafka) readings(ctx context.Context) error {
	for {
		k.mu.Lock()
		if len(k.wanted) == 0 {
			k.busy = false
			k.mu.Unlock()
			return nil
		}
		wanted := k.wanted
		k.wanted = map[string][]*waiter{}
		tables := make(map[string]table, len(wanted))
		for c := range wanted {
			tables[c] = table{}
			if h := k.held[c]; h != nil {
				h.since = nil
			}
		}
		began := k.cfg.Clock.Boot()
		from := k.begin(tables, began)
		k.mu.Unlock()
		next, err := k.reading(ctx, from, tables)
		if err != nil && ctx.Err() != nil {
			err = ErrClosed
		}
		k.mu.Lock()
		for c, ws := range wanted {
			t := tables[c]
			if h := k.held[c]; h != nil && err == nil {
				t.applyAll(h.since)
				h.since, h.table, h.asOf, h.next = nil, t, began, next
			}
			for _, w := range ws {
				w.table, w.err = t, err
				close(w.done)
			}
		}
		k.mu.Unlock()
	}
}

// begin says where a reading of those connectors has to begin, and fills the tables with what is known from before
// that. Called with mu held.
func (k *Kafka) begin(tables map[string]table, now time.Duration) map[int32]int64 {
	var from map[int32]int64
	for c := range tables {
		h := k.held[c]
		if h == nil || h.asOf < 0 || now-h.asOf > readAgain {
			return nil
		}
		if from == nil {
			from = maps.Clone(h.next)
		}
		for p := range from {
			if n, ok := h.next[p]; ok {
				from[p] = min(from[p], n)
			} else {
				delete(from, p)
			}
		}
	}
	// Reading some records twice does no harm: the newest of a key comes last.
	for c := range tables {
		tables[c] = k.held[c].table.clone()
	}
	return from
}

func (k *Kafka) reading(ctx context.Context, from map[int32]int64, tables map[string]table) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
	defer cancel()
	return k.clients.read(ctx, from, func(r kafkaio.Record) error {
		if !topics.OffsetKeyOf(r.Key, tables) {
			return nil
		}
		connector, partition, err := topics.ParseOffsetKey(r.Key)
		if err != nil {
			return nil //nolint:nilerr // as Kafka Connect does: a key of another shape is nobody's offset
		}
		canonical, err := topics.Canonical(partition)
		if err != nil {
			return nil //nolint:nilerr // as Kafka Connect does
		}
		var value []byte
		if r.Value != nil {
			value = append([]byte{}, r.Value...)
		}
		tables[connector].apply(canonical, partition, string(r.Key), value)
		return nil
	})
}

func (c kafkaClients) read(ctx context.Context, from map[int32]int64, fn func(kafkaio.Record) error) (map[int32]int64, error) {
	return kafkaio.ReadToEnd(ctx, c.cfg.Consumer, c.cfg.Topic, kafkaio.ReadOptions{From: from, Isolation: "read_committed", Progress: c.cfg.ReadProgress}, fn)
}
