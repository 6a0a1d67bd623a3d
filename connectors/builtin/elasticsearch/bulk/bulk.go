package bulk

import "bytes"

// Source is where an operation comes from.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
	// Record is the record's place in the batch of the filler.
	Record int
}

// Op is one operation of a bulk.
type Op struct {
	Source
	// Versioned says that the operation has a version of its own: a conflict then says that it, or a later one, was done.
	Versioned bool
	// Once says that a conflict says the same though it has none: a document that is only created.
	Once bool
	// Delete says that the document need not be there.
	Delete bool
	// from and to are the operation's lines in the body, idFrom and idTo the id in them.
	from, to, idFrom, idTo int
}

// Bulk is the body of a request that is being filled.
type Bulk struct {
	body   []byte
	ops    []Op
	again  []byte       // the lines of those that are tried again
	answer bytes.Buffer // of the last try
}

// Len is how many operations it has.
func (b *Bulk) Len() int { return len(b.ops) }

// Body is where the lines of the next operation are appended to; Add takes them.
func (b *Bulk) Body() []byte { return b.body }

// Add takes what was appended to Body as an operation. Its id is at body[idFrom:idTo].
func (b *Bulk) Add(body []byte, op Op, idFrom, idTo int) {
	op.from, op.to, op.idFrom, op.idTo = len(b.body), len(body), idFrom, idTo
	b.body, b.ops = body, append(b.ops, op)
}

// lines are the lines of some of the operations, in their order.
func (b *Bulk) lines(ops []Op) []byte {
	if len(ops) == len(b.ops) {
		return b.body
	}
	b.again = b.again[:0]
	for i := range ops {
		b.again = append(b.again, b.body[ops[i].from:ops[i].to]...)
	}
	return b.again
}

// followersAgain has what was done tried again where an earlier operation with its id is tried again, which is not to overtake it.
func (b *Bulk) followersAgain(ops []Op, verdicts []verdict) {
	ids := map[string]bool{}
	for i := range ops {
		id := b.body[ops[i].idFrom:ops[i].idTo]
		if verdicts[i] == again {
			ids[string(id)] = true
		} else if verdicts[i] == done && ids[string(id)] {
			verdicts[i] = again
		}
	}
}

// maxKept bounds the memory that is kept for the next use, in bytes.
const maxKept = 16 << 20

// reset empties it for the next use.
func (b *Bulk) reset() {
	if cap(b.body) > maxKept {
		b.body = nil
	}
	if cap(b.again) > maxKept {
		b.again = nil
	}
	if b.answer.Cap() > maxKept {
		b.answer = bytes.Buffer{}
	}
	clear(b.ops)
	b.body, b.again, b.ops = b.body[:0], b.again[:0], b.ops[:0]
}
