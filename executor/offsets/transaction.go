package offsets

import (
	"context"
	"fmt"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// Transactional is a Store whose entries can be written in a transaction of the caller's.
type Transactional interface {
	Store
	// Topic is the topic that they are written to.
	Topic() string
	// Records are the records of entries. Call committed once the transaction that they were in is committed.
	Records(ctx context.Context, connector string, entries []Entry) (msgs []kafkaio.Message, committed func(), err error)
}

// Topic implements Transactional.
func (k *Kafka) Topic() string { return k.cfg.Topic }

// Records implements Transactional.
func (k *Kafka) Records(_ context.Context, connector string, entries []Entry) ([]kafkaio.Message, func(), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var t table
	if h := k.held[connector]; h != nil {
		t = h.table
	}
	recs, err := t.encode(connector, entries)
	if err != nil {
		return nil, nil, fmt.Errorf("offsets of connector %q: %w", connector, err)
	}
	return k.messages(recs), func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.written(connector, recs)
	}, nil
}

// messages are records for the topic.
func (k *Kafka) messages(recs []record) []kafkaio.Message {
	msgs := make([]kafkaio.Message, len(recs))
	for i, r := range recs {
		msgs[i] = kafkaio.Message{Topic: k.cfg.Topic, Partition: -1, Key: r.key, Value: r.value, Timestamp: -1, Seq: uint64(i) + 1}
	}
	return msgs
}

// written notes what Kafka has. Called with mu held.
func (k *Kafka) written(connector string, recs []record) {
	h := k.held[connector]
	if h == nil {
		return
	}
	if h.table != nil {
		h.table.applyAll(recs)
	}
	if k.busy {
		h.since = append(h.since, recs...)
	}
}
