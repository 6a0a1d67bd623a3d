package mirror

import (
	"crypto/sha256"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// record is one record to be written; a nil value is a tombstone.
type record struct {
	status bool // of the status topic, else of the config topic
	key    string
	value  []byte
}

// entry is the newest record of a key. Of the value only a digest is kept: the topic holds every task's config.
type entry struct {
	sum    [16]byte
	gone   bool // a tombstone
	offset int64
	// aborted says that a newer record of an aborted transaction follows. Readers that do not look at transactions
	// take it for the truth, so it has to be covered by another, whatever the committed one says.
	aborted bool
}

// book is what a topic has, by key. Its offsets only tell what came before what: those of what is written here go on
// from those that were read.
type book struct {
	status bool
	known  map[string]entry
	next   int64
}

func newBook(status bool) *book { return &book{status: status, known: map[string]entry{}} }

func digest(value []byte) (out [16]byte) {
	sum := sha256.Sum256(value)
	copy(out[:], sum[:])
	return out
}

// read notes a record. The whole topic is read twice: first everything, then what is committed.
func (b *book) read(r kafkaio.Record, committed bool) {
	e := entry{offset: r.Offset, gone: r.Value == nil, aborted: !committed}
	if r.Value != nil {
		e.sum = digest(r.Value)
	}
	if old, ok := b.known[string(r.Key)]; committed && ok && old.aborted && old.offset > r.Offset {
		e.aborted = true // as far as is known: the record that was seen may still come
		e.offset = old.offset
	}
	b.known[string(r.Key)] = e
	b.next = max(b.next, r.Offset+1)
}

// has says whether the key's newest record is not a tombstone.
func (b *book) has(key string) bool {
	e, ok := b.known[key]
	return ok && !e.gone
}

// same says whether the key's newest record has that value.
func (b *book) same(key string, value []byte) bool {
	e, ok := b.known[key]
	switch {
	case !ok:
		return value == nil
	case e.aborted:
		return false
	case value == nil:
		return e.gone
	}
	return !e.gone && e.sum == digest(value)
}

// write is the record of a value, and notes it.
func (b *book) write(key string, value []byte) record {
	e := entry{gone: value == nil, offset: b.next}
	if value != nil {
		e.sum = digest(value)
	}
	b.next++
	b.known[key] = e
	return record{b.status, key, value}
}

// differ appends the record of a value where the topic does not have it.
func (b *book) differ(out []record, key string, value []byte) []record {
	if b.same(key, value) {
		return out
	}
	return append(out, b.write(key, value))
}

// after says whether a's newest record came after b's. A key without one came before all.
func (b *book) after(x, y string) bool {
	ex, ok := b.known[x]
	if !ok {
		return false
	}
	ey, ok := b.known[y]
	return !ok || ex.offset > ey.offset
}
