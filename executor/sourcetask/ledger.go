package sourcetask

import (
	"fmt"

	"github.com/sluice-project/sluice/connectors"
)

// Ledger decides which source offsets are committable, as Kafka Connect's SubmittedRecords does: of each
// source partition the newest offset such that every earlier record of that partition is acknowledged.
//
// Each partition has a ring of marks, one a record, in the order of Add. Acknowledged marks leave it at its
// head. The number that Add returns names partition and place, so Ack looks nothing up, and neither
// allocates once the rings have grown. Not safe for concurrent use: the loop owns it.
type Ledger struct {
	parts   []ring
	dirty   []connectors.PartitionRef
	records int
	bytes   int64
	unacked int
}

// ring holds the marks [head, tail) of one partition; both run freely and wrap at 2^32.
type ring struct {
	marks      []mark
	head, tail uint32
	// newest is the committable offset, once one mark has left.
	newest connectors.SourceOffset
	dirty  bool
}

type mark struct {
	offset connectors.SourceOffset
	size   int32
	acked  bool
}

// Committable is the newest committable offset of a partition.
type Committable struct {
	Partition connectors.PartitionRef
	Offset    connectors.SourceOffset
}

const firstRing = 16

// Add notes a record that is about to be produced and returns the number by which it is acknowledged.
// offset must outlive the batch that it came in.
func (l *Ledger) Add(p connectors.PartitionRef, offset connectors.SourceOffset, size int) uint64 {
	for int(p) >= len(l.parts) {
		l.parts = append(l.parts, ring{})
	}
	r := &l.parts[p]
	if int(r.tail-r.head) == len(r.marks) {
		r.grow()
	}
	r.marks[int(r.tail)&(len(r.marks)-1)] = mark{offset: offset, size: int32(min(size, 1<<30))}
	seq := uint64(p)<<32 | uint64(r.tail)
	r.tail++
	l.records++
	l.unacked++
	l.bytes += int64(min(size, 1<<30))
	return seq
}

func (r *ring) grow() {
	marks := make([]mark, max(firstRing, 2*len(r.marks)))
	for i := r.head; i != r.tail; i++ {
		marks[int(i)&(len(marks)-1)] = r.marks[int(i)&(len(r.marks)-1)]
	}
	r.marks = marks
}

// Ack notes that Kafka has a record, or that its loss is tolerated. A number that Add did not return, or
// that was acknowledged before, is a bug and an error.
func (l *Ledger) Ack(seq uint64) error {
	p := seq >> 32
	if p >= uint64(len(l.parts)) {
		return fmt.Errorf("%w: acknowledgement for source partition %d of %d", errMark, p, len(l.parts))
	}
	r := &l.parts[p]
	i := uint32(seq)
	if i-r.head >= r.tail-r.head {
		return fmt.Errorf("%w: acknowledgement %d of source partition %d is not in [%d, %d)", errMark, i, p, r.head, r.tail)
	}
	mask := len(r.marks) - 1
	m := &r.marks[int(i)&mask]
	if m.acked {
		return fmt.Errorf("%w: acknowledgement %d of source partition %d came twice", errMark, i, p)
	}
	m.acked = true
	l.unacked--
	if i != r.head {
		return nil
	}
	// Promise 1: only the leading run of acknowledged marks leaves the ring.
	for r.head != r.tail {
		m := &r.marks[int(r.head)&mask]
		if !m.acked {
			break
		}
		r.newest = m.offset
		l.records--
		l.bytes -= int64(m.size)
		m.offset = connectors.SourceOffset{}
		r.head++
	}
	l.soil(connectors.PartitionRef(p))
	return nil
}

func (l *Ledger) soil(p connectors.PartitionRef) {
	r := &l.parts[p]
	// A record without source partition and offset has nothing to commit.
	if r.dirty || p == 0 && r.newest.Key == "" && r.newest.Value.IsNull() {
		return
	}
	r.dirty = true
	l.dirty = append(l.dirty, p)
}

// Collect appends the partitions whose committable offset is newer than the last one collected.
func (l *Ledger) Collect(to []Committable) []Committable {
	for _, p := range l.dirty {
		r := &l.parts[p]
		r.dirty = false
		to = append(to, Committable{p, r.newest})
	}
	l.dirty = l.dirty[:0]
	return to
}

// Restore takes back what Collect handed out and could not be committed: it comes again, newer where there
// is a newer one.
func (l *Ledger) Restore(from []Committable) {
	for _, c := range from {
		l.soil(c.Partition)
	}
}

// Dirty says whether Collect has something.
func (l *Ledger) Dirty() bool { return len(l.dirty) > 0 }

// Held is the number and size of the records in the rings: those not acknowledged, and those behind them.
func (l *Ledger) Held() (records int, bytes int64) { return l.records, l.bytes }

// Unacked is the number of records that Kafka has not acknowledged.
func (l *Ledger) Unacked() int { return l.unacked }
