package kafkaio

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/internal/run"
)

const closeTimeout = 10 * time.Second

// closeClient ends a client by f, without waiting for ever.
func closeClient(f func()) error {
	g := run.New(context.Background(), "kafka-close")
	err := g.Go(func(context.Context) error {
		f()
		trimSoon()
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return g.Stop(ctx)
}

// trimAfter is how long after a client's end its memory is given back: once for all that end meanwhile.
const trimAfter = time.Second

var trimming atomic.Bool

// trimSoon has memory given back that clients which have ended left free: glibc keeps it otherwise.
func trimSoon() {
	if trimming.CompareAndSwap(false, true) {
		time.AfterFunc(trimAfter, func() {
			trimming.Store(false)
			trim()
		})
	}
}
