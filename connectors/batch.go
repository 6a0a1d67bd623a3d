package connectors

import (
	"encoding/json"
	"fmt"
	"unsafe"
)

// SourceBatch is what one Poll fills. It belongs to the runtime, which reuses it: its records and
// copied bytes are valid until Reset, its interned partitions as long as the batch. Not safe for
// concurrent use.
type SourceBatch struct {
	Records []SourceRecord
	max     int
	arena   []byte
	refs    map[string]PartitionRef
	parts   []map[string]any
}

// NewSourceBatch makes a batch for up to max records.
func NewSourceBatch(max int) *SourceBatch {
	return &SourceBatch{max: max, refs: map[string]PartitionRef{}, parts: []map[string]any{nil}}
}

// Room is how many records Poll may still add.
func (b *SourceBatch) Room() int { return b.max - len(b.Records) }

// Add appends an empty record. The pointer is valid until the next Add.
func (b *SourceBatch) Add() *SourceRecord {
	b.Records = append(b.Records, SourceRecord{KafkaPartition: NoPartition, Timestamp: NoTimestamp})
	return &b.Records[len(b.Records)-1]
}

// Partition interns a source partition: equal maps get one ref. It costs an encoding, so a task keeps
// the refs that it uses often. Values are strings, booleans, numbers or nil; it panics for others,
// which fails the task.
func (b *SourceBatch) Partition(m map[string]any) PartitionRef {
	if m == nil {
		return 0
	}
	key, err := json.Marshal(m) // sorts keys
	if err != nil {
		panic(fmt.Sprintf("connectors: the source partition %v cannot be encoded: %v", m, err))
	}
	if r, ok := b.refs[string(key)]; ok {
		return r
	}
	r := PartitionRef(len(b.parts))
	b.refs[string(key)] = r
	b.parts = append(b.parts, m)
	return r
}

// PartitionMap is the partition of a ref, nil for the null partition and for refs of other batches.
func (b *SourceBatch) PartitionMap(r PartitionRef) map[string]any {
	if int(r) >= len(b.parts) {
		return nil
	}
	return b.parts[r]
}

// CopyBytes copies p into the batch, where it stays until Reset. One allocation in many calls.
func (b *SourceBatch) CopyBytes(p []byte) []byte {
	if cap(b.arena)-len(b.arena) < len(p) {
		b.arena = make([]byte, 0, max(64<<10, 2*cap(b.arena), len(p)))
	}
	n := len(b.arena)
	b.arena = append(b.arena, p...)
	return b.arena[n:len(b.arena):len(b.arena)]
}

// CopyString is CopyBytes as a string.
func (b *SourceBatch) CopyString(p []byte) string {
	if len(p) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b.CopyBytes(p)), len(p))
}

// maxKeptArena bounds the memory that a batch keeps between polls, in bytes.
const maxKeptArena = 4 << 20

// Reset empties the batch for the next Poll. Interned partitions stay.
func (b *SourceBatch) Reset() {
	clear(b.Records)
	b.Records = b.Records[:0]
	if cap(b.arena) > maxKeptArena {
		b.arena = nil
	}
	b.arena = b.arena[:0]
}
