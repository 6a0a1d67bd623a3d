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
	if k.wake == nil {
		wake := make(chan struct{}, 1)
		if err := k.group.Go(func(ctx context.Context) error { k.readings(ctx, wake); return nil }); err != nil {
			k.mu.Unlock()
			return nil, ErrClosed
		}
		k.wake = wake
	}
	select {
	case k.wake <- struct{}{}:
	default:
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

// readings reads whenever somebody waits for it, and ends after a minute in which nobody did.
func (k *Kafka) readings(ctx context.Context, wake <-chan struct{}) {
	var r reader
	defer func() {
		if r != nil {
			_ = r.Close() //nolint:errcheck // nothing is lost with it
		}
	}()
	idle := k.cfg.Clock.NewTimer(idleClient)
	defer idle.Stop()
	for {
		enough := false
		select {
		case <-wake:
		case <-idle.C():
			enough = true
		case <-ctx.Done():
			enough = true
		}
		k.mu.Lock()
		wanted := k.wanted
		k.wanted = map[string][]*waiter{}
		enough = enough && len(wanted) == 0
		if enough {
			k.wake = nil
		}
		k.mu.Unlock()
		if enough {
			return
		}
		if len(wanted) == 0 {
			continue // the reading before took them
		}
		r = k.reading(ctx, r, wanted)
		idle.Reset(idleClient)
	}
}

// reading reads for those who wait, and returns the reader for the next one.
func (k *Kafka) reading(ctx context.Context, r reader, wanted map[string][]*waiter) reader {
	k.mu.Lock()
	k.busy = true
	tables := make(map[string]table, len(wanted))
	for c := range wanted {
		tables[c] = table{}
		if h := k.held[c]; h != nil {
			h.since = nil
		}
	}
	began := k.cfg.Clock.Boot()
	from := k.begin(tables, began)
	whole := from == nil
	k.mu.Unlock()
	var names []string
	var next map[int32]int64
	var err error
	if r == nil {
		r, err = k.clients.reader()
	}
	if err == nil {
		next, names, err = k.read(ctx, r, from, tables)
		if err != nil {
			_ = r.Close() //nolint:errcheck // the reading's error says what is wrong
			r = nil
		}
	}
	if err != nil && ctx.Err() != nil {
		err = ErrClosed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy = false
	if err == nil {
		k.seen.add(whole, names, began, next)
	}
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
	return r
}

// begin says where a reading of those connectors has to begin, and fills the tables with what is known from before
// that. nil is the topic's beginning. Called with mu held.
func (k *Kafka) begin(tables map[string]table, now time.Duration) map[int32]int64 {
	if !k.seen.fresh(now) {
		return nil
	}
	// It begins no later than what was seen ends, so that what is seen has no hole.
	from := maps.Clone(k.seen.next)
	for c := range tables {
		h := k.held[c]
		if h == nil || h.asOf < 0 {
			if k.seen.has(c) {
				return nil
			}
			continue // there was nothing of it up to where that ends
		}
		if now-h.asOf > readAgain {
			return nil
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
		if h := k.held[c]; h != nil && h.asOf >= 0 {
			tables[c] = h.table.clone()
		}
	}
	return from
}

// read reads from there to the topic's end into the tables. names are the connectors that it came by.
func (k *Kafka) read(ctx context.Context, r reader, from map[int32]int64, tables map[string]table) (next map[int32]int64, names []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
	defer cancel()
	last := ""
	next, err = r.ToEnd(ctx, from, func(r kafkaio.Record) error {
		name, ok := topics.OffsetKeyConnector(r.Key)
		if !ok {
			return nil // as Kafka Connect does: a key of another shape is nobody's offset
		}
		if string(name) != last {
			last = string(name)
			names = append(names, last)
		}
		if _, wanted := tables[last]; !wanted {
			return nil
		}
		connector, partition, err := topics.ParseOffsetKey(r.Key)
		if err != nil {
			return nil //nolint:nilerr // as Kafka Connect does
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
	return next, names, err
}
