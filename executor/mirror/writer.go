package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// writer writes what a copier makes of the stream.
type writer struct {
	in     *instance
	p      *kafkaio.Producer
	copier *copier
	batch  []kafkaio.Message
	size   int
	seq    uint64
	looked time.Duration // when the group was seen without members, boot time
}

func (w *writer) topic(status bool) string {
	if status {
		return w.in.deps.States
	}
	return w.in.deps.Configs
}

// follow writes what the stream brings: what one look of the control plane found together, or about maxBatch of it.
func (w *writer) follow(ctx context.Context, s Stream) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		recs, err := w.copier.apply(m)
		if err != nil {
			return err
		}
		w.add(recs)
		marker := m.GetSynced()
		if marker == nil && w.size < maxBatch {
			continue
		}
		if marker != nil && w.copier.sweep {
			if err := w.sweep(ctx); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		if marker.GetConfirm() {
			limit, done := context.WithTimeout(ctx, writeTime)
			err := w.in.deps.Confirm(limit, w.in.spec.Epoch, m.GetRevision(), marker.GetQuiet())
			done()
			if err != nil {
				return err
			}
		}
	}
}

func (w *writer) add(recs []record) {
	for _, r := range recs {
		w.seq++
		w.size += len(r.key) + len(r.value)
		w.batch = append(w.batch, kafkaio.Message{Topic: w.topic(r.status), Partition: -1, Key: []byte(r.key), Value: r.value, Timestamp: -1, Seq: w.seq})
	}
}

// sweep looks for active topics of connectors that are gone. The executors write them, so that only the topic knows.
func (w *writer) sweep(ctx context.Context) error {
	newest := map[string][]byte{}
	_, err := kafkaio.ReadToEnd(ctx, w.in.deps.Client, w.in.deps.States, kafkaio.ReadOptions{Logger: w.in.log}, func(r kafkaio.Record) error {
		if key := string(r.Key); len(w.copier.activeTopic(nil, key, []byte{})) > 0 {
			newest[key] = nil
			if r.Value != nil {
				newest[key] = []byte{}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, value := range newest {
		w.add(w.copier.activeTopic(nil, key, value))
	}
	w.copier.swept()
	return nil
}

// flush writes the batch in a transaction.
func (w *writer) flush(parent context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	if now := w.in.deps.Clock.Boot(); now-w.looked >= groupWait {
		if err := w.in.vacant(parent); err != nil {
			return err
		}
		w.looked = now
	}
	if w.in.env.RightLeft() <= 0 {
		return fmt.Errorf("%w: the right has ended", ErrWrite)
	}
	ctx, cancel := context.WithTimeout(parent, writeTime)
	defer cancel()
	if err := w.p.Begin(); err != nil {
		return err
	}
	err := w.p.Deliver(ctx, w.batch)
	if err == nil {
		err = w.p.Commit(ctx)
	}
	if err != nil {
		clean, done := context.WithTimeout(context.WithoutCancel(parent), 5*time.Second)
		defer done()
		return errors.Join(fmt.Errorf("%w: %w", ErrWrite, err), w.p.Abort(clean))
	}
	w.batch, w.size = w.batch[:0], 0
	return nil
}
