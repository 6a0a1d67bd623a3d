package sinktask

import (
	"slices"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// positions is the sink's ledger: where each assigned partition is, and which offsets may be committed. Promise 1: put
// never passes a record that was not put, skipped or filtered. The loop owns it.
type positions struct {
	// put are the next offsets of what was put.
	put map[kafkaio.TopicPartition]int64
	// committed are what Kafka has; of a partition without a committed offset, where it began.
	committed map[kafkaio.TopicPartition]int64
	// seeks are to be done before the next poll. Until then what comes of their partitions is not wanted.
	seeks map[kafkaio.TopicPartition]seek
}

// seek has the next record of a partition be that one. A move is where the task, or a commit that failed, put the
// partition; else records are only fetched again that came too early.
type seek struct {
	offset int64
	move   bool
}

func newPositions() positions {
	return positions{put: map[kafkaio.TopicPartition]int64{}, committed: map[kafkaio.TopicPartition]int64{}, seeks: map[kafkaio.TopicPartition]seek{}}
}

// came notes records that were polled.
func (p *positions) came(records []kafkaio.Record) {
	lasts(records, func(first, _ *kafkaio.Record, tp kafkaio.TopicPartition) {
		if _, ok := p.committed[tp]; !ok {
			p.committed[tp] = first.Offset
		}
	})
}

// delivered notes records that were put. Where the task moved a partition meanwhile, that counts.
func (p *positions) delivered(records []kafkaio.Record) {
	lasts(records, func(_, last *kafkaio.Record, tp kafkaio.TopicPartition) {
		if !p.seeks[tp].move {
			p.put[tp] = last.Offset + 1
		}
	})
}

// lasts calls f for each run of records of one partition.
func lasts(records []kafkaio.Record, f func(first, last *kafkaio.Record, tp kafkaio.TopicPartition)) {
	first := 0
	for i := range records {
		r := &records[i]
		if i+1 == len(records) || records[i+1].Partition != r.Partition || records[i+1].Topic != r.Topic {
			f(&records[first], r, kafkaio.TopicPartition{Topic: r.Topic, Partition: r.Partition})
			first = i + 1
		}
	}
}

// move puts a partition somewhere, as Kafka Connect's rewind does. (That counts the place as committed; here one that is
// ahead of what is does not: a flush that fails later goes back to what really is.)
func (p *positions) move(tp kafkaio.TopicPartition, offset int64) {
	if o, ok := p.committed[tp]; !ok || offset < o {
		p.committed[tp] = offset
	}
	p.put[tp], p.seeks[tp] = offset, seek{offset, true}
}

// again has a record come again that came while it could not be put.
func (p *positions) again(tp kafkaio.TopicPartition, offset int64) {
	if _, ok := p.seeks[tp]; !ok {
		p.seeks[tp] = seek{offset: offset}
	}
}

// back moves every partition to what was committed.
func (p *positions) back() {
	for tp, o := range p.committed {
		p.move(tp, o)
	}
}

// unwanted says whether records of a partition are to be dropped that are about to be put: those of a kept batch only
// where the partition was moved.
func (p *positions) unwanted(tp kafkaio.TopicPartition, kept bool) bool {
	s, ok := p.seeks[tp]
	return ok && (s.move || !kept)
}

// gone forgets partitions.
func (p *positions) gone(tps []kafkaio.TopicPartition) {
	for _, tp := range tps {
		delete(p.put, tp)
		delete(p.committed, tp)
		delete(p.seeks, tp)
	}
}

// committable is what is to be committed of what the task says is safe, as far as it can be true: given is what it was
// asked about. refused is told of the rest.
func (p *positions) committable(given, safe map[connectors.TopicPartition]int64, refused func(tp connectors.TopicPartition, asked, given int64)) map[kafkaio.TopicPartition]int64 {
	commit := map[kafkaio.TopicPartition]int64{}
	for tp, o := range safe {
		have, ok := given[tp]
		switch {
		case !ok:
			refused(tp, o, -1)
		case o < 0 || o > have:
			refused(tp, o, have)
		case p.committed[kafkaio.TopicPartition(tp)] != o:
			commit[kafkaio.TopicPartition(tp)] = o
		}
	}
	return commit
}

// done notes what Kafka has. Where the task moved a partition meanwhile, that counts.
func (p *positions) done(commit map[kafkaio.TopicPartition]int64) {
	for tp, o := range commit {
		if !p.seeks[tp].move {
			p.committed[tp] = o
		}
	}
}

// drop takes records out of a batch.
func drop(b *kafkaio.Batch, unwanted func(tp kafkaio.TopicPartition) bool) {
	b.Records = slices.DeleteFunc(b.Records, func(r kafkaio.Record) bool {
		return unwanted(kafkaio.TopicPartition{Topic: r.Topic, Partition: r.Partition})
	})
}
