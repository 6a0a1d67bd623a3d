package kafkaio

import (
	"context"
	"errors"
	"time"
)

// Deliver produces a batch and waits for all of its reports; the error is the first report's. It is for producers that
// nobody else uses meanwhile: it takes every report.
func (p *Producer) Deliver(ctx context.Context, batch []Message) error {
	buf := make([]Report, 100)
	var failed error
	for left := len(batch); left > 0; {
		n, err := p.Produce(batch)
		if err != nil && !errors.Is(err, ErrQueueFull) {
			return err
		}
		batch = batch[n:]
		if n, err = p.Reports(ctx, 100*time.Millisecond, buf); err != nil {
			return err
		}
		left -= n
		for _, r := range buf[:n] {
			if r.Err != nil && failed == nil {
				failed = r.Err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}
