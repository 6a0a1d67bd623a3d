package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Memory is a Backend in memory: for standalone mode and tests. It keeps etcd's rules: one revision a
// transaction, create revisions new after a delete, leases that delete their keys.
type Memory struct {
	clock clock.Clock

	mu       sync.Mutex
	revision int64
	kvs      map[string]KV
	leases   map[int64]*memoryLease
	next     int64
	// history are the changes since the start, for watches that begin late. It is bounded: a watch that
	// begins before it gets an error, as after etcd's compaction.
	history []Event
	dropped int64
	watches map[*memoryWatch]struct{}
}

const maxHistory = 100_000

type memoryLease struct {
	ttl  time.Duration
	ends time.Duration
}

type memoryWatch struct {
	prefix string
	prev   bool
	wake   chan struct{}
	sent   int64
	asked  bool
}

// NewMemory returns an empty backend. Leases lapse when it is next used: there is no goroutine.
func NewMemory(c clock.Clock) *Memory {
	return &Memory{clock: c, kvs: map[string]KV{}, leases: map[int64]*memoryLease{}, watches: map[*memoryWatch]struct{}{}, revision: 1}
}

// lapse deletes the keys of leases that have ended. Under mu.
func (m *Memory) lapse() {
	now := m.clock.Boot()
	for id, l := range m.leases {
		if now >= l.ends {
			delete(m.leases, id)
			m.deleteLeased(id)
		}
	}
}

func (m *Memory) deleteLeased(id int64) {
	var ops []Op
	for k, kv := range m.kvs {
		if kv.Lease == id {
			ops = append(ops, Op{Key: k, Delete: true})
		}
	}
	slices.SortFunc(ops, func(a, b Op) int { return strings.Compare(a.Key, b.Key) })
	m.apply(ops)
}

// apply writes ops as one revision. Under mu.
func (m *Memory) apply(ops []Op) {
	var events []Event
	rev := m.revision + 1
	remove := func(key string) {
		if old, ok := m.kvs[key]; ok {
			delete(m.kvs, key)
			events = append(events, Event{KV: KV{Key: key, ModRevision: rev}, Deleted: true, Prev: &old})
		}
	}
	for _, op := range ops {
		switch {
		case op.Delete && op.Prefix:
			for _, k := range m.keys(op.Key, true) {
				remove(k)
			}
		case op.Delete:
			remove(op.Key)
		default:
			kv := KV{Key: op.Key, Value: slices.Clone(op.Value), CreateRevision: rev, ModRevision: rev, Lease: op.Lease}
			one := Event{}
			if old, ok := m.kvs[op.Key]; ok {
				kv.CreateRevision, one.Prev = old.CreateRevision, &old
			}
			m.kvs[op.Key], one.KV = kv, kv
			events = append(events, one)
		}
	}
	if len(events) == 0 {
		return
	}
	m.revision = rev
	m.history = append(m.history, events...)
	if over := len(m.history) - maxHistory; over > 0 {
		m.dropped = m.history[over-1].ModRevision
		m.history = slices.Clone(m.history[over:])
	}
	for w := range m.watches {
		w.poke()
	}
}

func (w *memoryWatch) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (m *Memory) keys(key string, prefix bool) []string {
	var out []string
	for k := range m.kvs {
		if k == key || prefix && strings.HasPrefix(k, key) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Txn implements Backend.
func (m *Memory) Txn(_ context.Context, compares []Compare, ops []Op) (bool, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lapse()
	for _, c := range compares {
		kv := m.kvs[c.Key]
		got := kv.ModRevision
		if c.Field == CreateRevision {
			got = kv.CreateRevision
		}
		if got != c.Value {
			return false, m.revision, nil
		}
	}
	for _, op := range ops {
		if _, ok := m.leases[op.Lease]; op.Lease != 0 && !ok {
			return false, m.revision, ErrLapsed
		}
	}
	m.apply(ops)
	return true, m.revision, nil
}

// Get implements Backend.
func (m *Memory) Get(_ context.Context, key string, prefix bool) ([]KV, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lapse()
	var out []KV
	for _, k := range m.keys(key, prefix) {
		out = append(out, m.kvs[k])
	}
	return out, m.revision, nil
}

// Watch implements Backend.
func (m *Memory) Watch(ctx context.Context, prefix string, after int64, prev bool) <-chan WatchBatch {
	out := make(chan WatchBatch)
	w := &memoryWatch{prefix: prefix, prev: prev, wake: make(chan struct{}, 1), sent: after}
	m.mu.Lock()
	m.watches[w] = struct{}{}
	m.mu.Unlock()
	w.poke()
	go func() {
		defer close(out)
		defer func() {
			m.mu.Lock()
			delete(m.watches, w)
			m.mu.Unlock()
		}()
		for {
			// Leases lapse while nobody calls: look every second.
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			case <-m.clock.After(time.Second):
			}
			b, ok := m.next1(w)
			if !ok {
				continue
			}
			select {
			case out <- b:
			case <-ctx.Done():
				return
			}
			if b.Err != nil {
				return
			}
		}
	}()
	return out
}

// next1 is the next batch of a watch.
func (m *Memory) next1(w *memoryWatch) (WatchBatch, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lapse()
	if w.sent < m.dropped {
		return WatchBatch{Err: fmt.Errorf("%w: %w: revision %d and before", ErrUnavailable, ErrCompacted, m.dropped)}, true
	}
	b := WatchBatch{Revision: m.revision}
	i, _ := slices.BinarySearchFunc(m.history, w.sent+1, func(e Event, r int64) int { return int(e.ModRevision - r) })
	for _, e := range m.history[i:] {
		if !w.prev {
			e.Prev = nil
		}
		if strings.HasPrefix(e.Key, w.prefix) {
			b.Events = append(b.Events, e)
		}
	}
	news := len(b.Events) > 0 || w.asked
	w.sent, w.asked = m.revision, false
	return b, news
}

// Progress implements Backend.
func (m *Memory) Progress(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.watches {
		w.asked = true
		w.poke()
	}
	return nil
}

// Revision implements Backend.
func (m *Memory) Revision(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lapse()
	return m.revision, nil
}

// Grant implements Backend.
func (m *Memory) Grant(_ context.Context, ttl time.Duration) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	m.leases[m.next] = &memoryLease{ttl, m.clock.Boot() + ttl}
	return m.next, nil
}

// KeepAlive implements Backend.
func (m *Memory) KeepAlive(_ context.Context, id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lapse()
	l, ok := m.leases[id]
	if !ok {
		return ErrLapsed
	}
	l.ends = m.clock.Boot() + l.ttl
	return nil
}

// Revoke implements Backend.
func (m *Memory) Revoke(_ context.Context, id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.leases, id)
	m.deleteLeased(id)
	return nil
}
