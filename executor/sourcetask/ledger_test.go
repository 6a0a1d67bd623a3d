package sourcetask

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

func at(n int64) connectors.SourceOffset {
	return connectors.SourceOffset{Key: "position", Value: data.Int64(n)}
}

// naive is SubmittedRecords in the plainest form.
type naive struct {
	queues    map[connectors.PartitionRef][]*naiveMark
	committed map[connectors.PartitionRef]int64
}

type naiveMark struct {
	seq   uint64
	off   int64
	size  int
	acked bool
}

func (n *naive) collect() map[connectors.PartitionRef]int64 {
	out := map[connectors.PartitionRef]int64{}
	for p, q := range n.queues {
		for len(q) > 0 && q[0].acked {
			out[p] = q[0].off
			q = q[1:]
		}
		n.queues[p] = q
	}
	return out
}

func TestLedger_NoOffsetPassesAnUnacknowledgedRecord(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := &Ledger{}
		n := &naive{queues: map[connectors.PartitionRef][]*naiveMark{}, committed: map[connectors.PartitionRef]int64{}}
		var open []*naiveMark
		owed := map[connectors.PartitionRef]int64{}
		next := int64(0)
		r.Repeat(map[string]func(*rapid.T){
			"add": func(r *rapid.T) {
				p := connectors.PartitionRef(rapid.IntRange(0, 4).Draw(r, "partition"))
				for range rapid.IntRange(1, 40).Draw(r, "n") {
					next++
					size := rapid.IntRange(0, 100).Draw(r, "size")
					m := &naiveMark{seq: l.Add(p, at(next), size), off: next, size: size}
					n.queues[p] = append(n.queues[p], m)
					open = append(open, m)
				}
			},
			"ack": func(r *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(r, "n") {
					if len(open) == 0 {
						return
					}
					i := rapid.IntRange(0, len(open)-1).Draw(r, "which")
					m := open[i]
					open = append(open[:i], open[i+1:]...)
					m.acked = true
					if err := l.Ack(m.seq); err != nil {
						r.Fatal(err)
					}
					if l.Ack(m.seq) == nil {
						r.Fatal("an acknowledgement counts twice")
					}
				}
			},
			"collect": func(r *rapid.T) {
				for p, o := range n.collect() {
					owed[p] = o
				}
				got := l.Collect(nil)
				if len(got) != len(owed) {
					r.Fatalf("%d partitions collected, want %d", len(got), len(owed))
				}
				for _, c := range got {
					if o, ok := owed[c.Partition]; !ok || o != c.Offset.Value.Int() {
						r.Fatalf("partition %d: offset %d, want %d", c.Partition, c.Offset.Value.Int(), o)
					}
				}
				if rapid.Bool().Draw(r, "fails") {
					l.Restore(got)
				} else {
					clear(owed)
				}
			},
			"": func(r *rapid.T) {
				records, bytes := l.Held()
				var wantRecords int
				var wantBytes int64
				for p, q := range n.queues {
					i := 0
					for i < len(q) && q[i].acked {
						i++
					}
					_ = p
					for _, m := range q[i:] {
						wantRecords++
						wantBytes += int64(m.size)
					}
				}
				if records != wantRecords || bytes != wantBytes || l.Unacked() != len(open) {
					r.Fatalf("held %d, %d bytes, %d unacked; want %d, %d, %d", records, bytes, l.Unacked(), wantRecords, wantBytes, len(open))
				}
			},
		})
	})
}

func TestLedger_NullPartitionWithoutOffsetIsNeverCommitted(t *testing.T) {
	l := &Ledger{}
	if err := l.Ack(l.Add(0, connectors.SourceOffset{}, 1)); err != nil {
		t.Fatal(err)
	}
	if l.Dirty() {
		t.Error("there is something to commit")
	}
	if err := l.Ack(l.Add(0, at(1), 1)); err != nil || !l.Dirty() {
		t.Error("an offset of the null partition is not committed", err)
	}
}

func TestLedger_SurvivesTheWrapOfItsCounters(t *testing.T) {
	l := &Ledger{}
	l.Add(1, at(0), 1)
	l.parts[1] = ring{head: 1<<32 - 3, tail: 1<<32 - 3}
	l.records, l.bytes, l.unacked = 0, 0, 0
	var seqs []uint64
	for i := range int64(40) {
		seqs = append(seqs, l.Add(1, at(i), 1))
	}
	for i := len(seqs) - 1; i >= 0; i-- {
		if err := l.Ack(seqs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Collect(nil); len(got) != 1 || got[0].Offset.Value.Int() != 39 {
		t.Errorf("%+v", got)
	}
}

func TestLedger_RefusesWhatItNeverGaveOut(t *testing.T) {
	l := &Ledger{}
	s := l.Add(2, at(1), 1)
	for _, seq := range []uint64{s + 1, 9 << 32, s - 1, 0} {
		if l.Ack(seq) == nil {
			t.Errorf("acknowledgement %x is taken", seq)
		}
	}
}

func TestLedger_AllocatesNothingPerRecord(t *testing.T) {
	l := &Ledger{}
	seqs := make([]uint64, 1000)
	var buf []Committable
	if n := testing.AllocsPerRun(100, func() {
		for i := range seqs {
			seqs[i] = l.Add(connectors.PartitionRef(i%7), at(int64(i)), 100)
		}
		for _, s := range seqs {
			_ = l.Ack(s) //nolint:errcheck // counted below
		}
		buf = l.Collect(buf[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if r, _ := l.Held(); r != 0 {
		t.Errorf("%d records held", r)
	}
}

func BenchmarkLedger(b *testing.B) {
	l := &Ledger{}
	const batch = 1000
	seqs := make([]uint64, batch)
	var buf []Committable
	b.ReportAllocs()
	for i := 0; i < b.N; i += batch {
		for j := range seqs {
			seqs[j] = l.Add(connectors.PartitionRef(j%8), at(int64(j)), 100)
		}
		for _, s := range seqs {
			if err := l.Ack(s); err != nil {
				b.Fatal(err)
			}
		}
		buf = l.Collect(buf[:0])
	}
}

// TestLedger_ExactlyTheDeliveredPrefixOfEachPartitionIsCommittable says both: no committable offset passes a record that
// was not delivered, and every delivered prefix becomes committable; whatever fails, is filtered, or is tried again.
func TestLedger_ExactlyTheDeliveredPrefixOfEachPartitionIsCommittable(t *testing.T) {
	type record struct {
		offset    int64
		seq       uint64
		delivered bool
		stuck     bool // fails, and is never acknowledged
	}
	rapid.Check(t, func(r *rapid.T) {
		l := &Ledger{}
		parts := make([][]*record, rapid.IntRange(1, 6).Draw(r, "partitions"))
		committed := make([]int64, len(parts))
		var flying []*record
		next := int64(0)
		take := func(fails bool) {
			got := l.Collect(nil)
			for _, c := range got {
				want := int64(0)
				for _, rec := range parts[c.Partition] {
					if !rec.delivered {
						break
					}
					want = rec.offset
				}
				if o := c.Offset.Value.Int(); o != want || o < committed[c.Partition] {
					r.Fatalf("partition %d: %d is committable, want %d; committed %d", c.Partition, o, want, committed[c.Partition])
				}
			}
			if fails { // the write of offsets
				l.Restore(got)
				return
			}
			for _, c := range got {
				committed[c.Partition] = c.Offset.Value.Int()
			}
		}
		acknowledge := func(i int) {
			rec := flying[i]
			flying = append(flying[:i], flying[i+1:]...)
			rec.delivered = true
			if err := l.Ack(rec.seq); err != nil {
				r.Fatal(err)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"poll": func(r *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(r, "records") {
					next++
					if rapid.IntRange(0, 4).Draw(r, "filtered") == 0 {
						continue // has no mark: its offset goes along with a later one
					}
					p := rapid.IntRange(0, len(parts)-1).Draw(r, "partition")
					rec := &record{offset: next, seq: l.Add(connectors.PartitionRef(p), at(next), 1), stuck: rapid.IntRange(0, 30).Draw(r, "stuck") == 0}
					parts[p] = append(parts[p], rec)
					if !rec.stuck {
						flying = append(flying, rec)
					}
				}
			},
			"acknowledge": func(r *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(r, "n") {
					if len(flying) > 0 {
						acknowledge(rapid.IntRange(0, len(flying)-1).Draw(r, "which"))
					}
				}
			},
			"commit": func(r *rapid.T) { take(rapid.IntRange(0, 2).Draw(r, "fails") == 0) },
		})
		for len(flying) > 0 {
			acknowledge(0)
		}
		take(false)
		for p, list := range parts {
			want := int64(0)
			for _, rec := range list {
				if rec.stuck {
					break
				}
				want = rec.offset
			}
			if committed[p] != want {
				r.Fatalf("partition %d: %d is committed, and %d is delivered", p, committed[p], want)
			}
		}
	})
}
