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
	chunks  [][]byte // of the copied bytes; those from chunk on are empty
	chunk   int      // the one that is being filled
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

const (
	// firstChunk and nextChunks are the sizes of the pieces that copied bytes go into, in bytes: a task that polls little holds little.
	firstChunk, nextChunks = 64 << 10, 256 << 10
	// maxKept bounds the memory that a batch keeps between polls, in bytes.
	maxKept = 5 << 20
)

// CopyBytes copies p into the batch, where it stays until Reset. One allocation in many calls.
func (b *SourceBatch) CopyBytes(p []byte) []byte {
	for b.chunk < len(b.chunks) && cap(b.chunks[b.chunk])-len(b.chunks[b.chunk]) < len(p) {
		b.chunk++
	}
	if b.chunk == len(b.chunks) {
		size := nextChunks
		if b.chunk == 0 {
			size = firstChunk
		}
		b.chunks = append(b.chunks, make([]byte, 0, max(size, len(p))))
	}
	c := &b.chunks[b.chunk]
	n := len(*c)
	*c = append(*c, p...)
	return (*c)[n:len(*c):len(*c)]
}

// CopyString is CopyBytes as a string.
func (b *SourceBatch) CopyString(p []byte) string {
	if len(p) == 0 {
		return ""
	}
	return unsafe.String(unsafe.SliceData(b.CopyBytes(p)), len(p))
}

// Reset empties the batch for the next Poll. Interned partitions stay.
func (b *SourceBatch) Reset() {
	clear(b.Records)
	b.Records = b.Records[:0]
	kept, bytes := 0, 0
	for i := range b.chunks {
		if bytes += cap(b.chunks[i]); bytes > maxKept {
			break
		}
		b.chunks[i] = b.chunks[i][:0]
		kept++
	}
	clear(b.chunks[kept:])
	b.chunks, b.chunk = b.chunks[:kept], 0
}
