package taskstats

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Partition is one that a sink reads.
type Partition struct {
	Topic string
	Index int32
}

// Unknown is an offset that is not known.
const Unknown int64 = -1

// place is where a sink is in a partition.
type place struct {
	next, committed, end int64
	// put is the timestamp of the last record that was put, or of the first that was read, unix ms; atEnd is when last
	// nothing was left, unix ns.
	put, atEnd int64
}

// Lag is how far a sink is behind in a partition.
type Lag struct {
	Partition
	// Next is the offset of the next record to be put, Committed that of the group, End the partition's. Unknown where so.
	Next, Committed, End int64
	// Records is what is left to be put; Unknown where that cannot be said.
	Records int64
	// Time is how old the oldest record that is left can be at most; 0 where none is left.
	Time time.Duration
}

func (t *Task) place(p Partition) *place {
	at := t.partitions[p]
	if at == nil {
		at = &place{next: Unknown, committed: Unknown, end: Unknown, put: Unknown}
		t.partitions[p] = at
	}
	return at
}

// Assigned says that partitions are the task's now.
func (t *Task) Assigned(ps []Partition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range ps {
		t.place(p)
	}
}

// Offset is an offset of a partition; its Timestamp is that of the record before it, unix ms, or negative.
type Offset struct {
	Partition
	Offset, Timestamp int64
}

// ReadBatch says that records were consumed; first are the first ones of each partition,
// with their own timestamps.
func (t *Task) ReadBatch(records int, bytes int64, first []Offset) {
	now := t.now()
	t.lastPolled.Store(now)
	t.counts[Read].Add(int64(records))
	t.counts[ReadBytes].Add(bytes)
	t.meters[BatchSize].add(int64(records))
	t.waiting.CompareAndSwap(0, now)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range first {
		at := t.place(o.Partition)
		if at.next == Unknown {
			at.next = o.Offset
		}
		if at.put < 0 {
			at.put = o.Timestamp // nothing was put in this run: this one is the oldest that is left
		}
	}
}

// PutReturned ends the call of Put that Enter began. next are the offsets after the batch; none of a Put that failed.
func (t *Task) PutReturned(records int, next []Offset, err error) {
	now := t.now()
	t.Leave()
	if records > 0 {
		t.meters[PutTime].add(now - t.callSince.Load())
		t.counts[Put].Add(int64(records))
	}
	if err != nil {
		t.counts[PutFailures].Add(1)
		return
	}
	if len(next) == 0 {
		return
	}
	t.lastMoved.Store(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range next {
		at := t.place(o.Partition)
		at.next, at.put = o.Offset, max(at.put, o.Timestamp)
	}
	t.settle(now, true)
}

// Rewound says that a partition goes on at another offset.
func (t *Task) Rewound(p Partition, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.place(p).next = next
}

// CommittedOffsets says what the group has committed.
func (t *Task) CommittedOffsets(offsets []Offset) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range offsets {
		at := t.place(o.Partition)
		if at.committed = o.Offset; at.next == Unknown {
			at.next = o.Offset
		}
	}
}

// Ends says where partitions end.
func (t *Task) Ends(ends []Offset) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range ends {
		t.place(o.Partition).end = o.Offset
	}
	t.settle(now, false)
	t.meters[Active].add(t.uncommitted())
}

// settle looks where nothing is left, and since when something is.
func (t *Task) settle(now int64, moved bool) {
	left := false
	for _, at := range t.partitions {
		if at.next == Unknown || at.end == Unknown {
			continue
		}
		if at.end > at.next {
			left = true
		} else {
			at.atEnd = now
		}
	}
	switch {
	case !left:
		t.waiting.Store(0)
	case moved:
		t.waiting.Store(now)
	default:
		t.waiting.CompareAndSwap(0, now)
	}
}

// uncommitted counts the records that were put and are not committed.
func (t *Task) uncommitted() (n int64) {
	for _, at := range t.partitions {
		if at.next != Unknown && at.committed != Unknown {
			n += max(at.next-at.committed, 0)
		}
	}
	return n
}

// Forget says that partitions went to somebody else.
func (t *Task) Forget(ps []Partition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range ps {
		delete(t.partitions, p)
	}
}

// lags lists the partitions, by name. The caller holds mu.
func (t *Task) lags(now time.Time) []Lag {
	out := make([]Lag, 0, len(t.partitions))
	for p, at := range t.partitions {
		l := Lag{Partition: p, Next: at.next, Committed: at.committed, End: at.end, Records: Unknown}
		if at.next != Unknown && at.end != Unknown {
			l.End = max(at.end, at.next) // what was put since the last look was there
			if l.Records = l.End - at.next; l.Records > 0 {
				// What is left was written after the last record that was put, and after nothing was left.
				if since := max(at.put*int64(time.Millisecond), at.atEnd); since > 0 {
					l.Time = max(now.Sub(time.Unix(0, since)), 0)
				}
			}
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Lag) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	return out
}
