package offsets

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-project/sluice/executor/topics"
)

// Entry is the offset of one source partition. A nil Partition is the null partition, a nil Offset none:
// written, it is a tombstone.
type Entry struct {
	Partition map[string]any
	Offset    map[string]any
}

// Right says how long the caller may still act; 0 where its right has ended. nil is a right without end.
type Right func() time.Duration

// Store reads and writes source offsets. Safe for concurrent use.
type Store interface {
	// Read returns the offset of each partition, nil for each without one. The answer is no older than
	// asOf, a boot time (clock.Clock.Boot). Integers are int64, other numbers float64. The maps must not be
	// changed.
	Read(ctx context.Context, connector string, asOf time.Duration, partitions []map[string]any) ([]map[string]any, error)
	// List returns all offsets of a connector, as they are now, ordered by partition.
	List(ctx context.Context, connector string) ([]Entry, error)
	// Write stores the entries and returns once they are durable. ErrRight where the right ends too soon.
	// After an error some of them may have been stored.
	Write(ctx context.Context, connector string, right Right, entries []Entry) error
	// Alter stores the entries all or none, fencing an earlier attempt that stalled. For offsets: units,
	// while no task of the connector runs.
	Alter(ctx context.Context, connector string, entries []Entry) error
	// Hold keeps what is read of a connector in memory until release is called, once.
	Hold(connector string) (release func())
	// Close ends the store. What is under way fails with ErrClosed.
	Close() error
}

// record is one record of the log: raw bytes, a nil value is a tombstone.
type record struct {
	key, value []byte
	canonical  string
	partition  map[string]any
}

// cell is what is known of one source partition.
type cell struct {
	partition map[string]any
	// keys are the distinct byte keys that mean it, the newest last: Java compares bytes.
	keys  []string
	value []byte
}

// table is what is known of one connector, by canonical partition. Not safe for concurrent use.
type table map[string]*cell

func (t table) apply(canonical string, partition map[string]any, key string, value []byte) {
	c := t[canonical]
	if c == nil {
		c = &cell{partition: partition}
		t[canonical] = c
	}
	for i, k := range c.keys {
		if k == key {
			c.keys = append(c.keys[:i], c.keys[i+1:]...)
			break
		}
	}
	c.keys = append(c.keys, key)
	c.value = value
}

// encode makes the records of entries.
func (t table) encode(connector string, entries []Entry) ([]record, error) {
	out := make([]record, 0, len(entries))
	for _, e := range entries {
		canonical, err := topics.Canonical(e.Partition)
		if err != nil {
			return nil, fmt.Errorf("connector %q: source partition %v: %w", connector, e.Partition, err)
		}
		var keys []string
		if c := t[canonical]; c != nil {
			keys = c.keys
		}
		if len(keys) == 0 {
			k, err := topics.AppendOffsetKey(nil, connector, e.Partition)
			if err != nil {
				return nil, err
			}
			keys = []string{string(k)}
		}
		if e.Offset == nil {
			for _, k := range keys {
				out = append(out, record{[]byte(k), nil, canonical, e.Partition})
			}
			continue
		}
		v, err := topics.AppendOffsetValue(nil, e.Offset)
		if err != nil {
			return nil, fmt.Errorf("connector %q: source partition %s: %w", connector, canonical, err)
		}
		out = append(out, record{[]byte(keys[len(keys)-1]), v, canonical, e.Partition})
	}
	return out, nil
}

// clone is a copy that may be applied to.
func (t table) clone() table {
	out := make(table, len(t))
	for canonical, c := range t {
		out[canonical] = &cell{c.partition, slices.Clone(c.keys), c.value}
	}
	return out
}

func (t table) applyAll(recs []record) {
	for _, r := range recs {
		t.apply(r.canonical, r.partition, string(r.key), r.value)
	}
}

func (t table) read(connector string, partitions []map[string]any) ([]map[string]any, error) {
	out := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		canonical, err := topics.Canonical(p)
		if err != nil {
			return nil, fmt.Errorf("connector %q: source partition %v: %w", connector, p, err)
		}
		if c := t[canonical]; c != nil {
			if out[i], err = topics.ParseOffsetValue(c.value); err != nil {
				return nil, fmt.Errorf("connector %q: offset of source partition %s: %w", connector, canonical, err)
			}
		}
	}
	return out, nil
}

func (t table) list(connector string) ([]Entry, error) {
	var out []Entry
	for _, canonical := range sortedKeys(t) {
		c := t[canonical]
		if c.value == nil {
			continue
		}
		o, err := topics.ParseOffsetValue(c.value)
		if err != nil {
			return nil, fmt.Errorf("connector %q: offset of source partition %s: %w", connector, canonical, err)
		}
		if o != nil {
			out = append(out, Entry{c.partition, o})
		}
	}
	return out, nil
}
