package kafkaio

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// waker is a pipe into which librdkafka writes when a queue that was empty has something. A wait costs no
// thread: the reader is parked by Go's poller.
type waker struct {
	r, w *os.File
	fd   int
	buf  [64]byte
}

func newWaker() (*waker, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for a Kafka client: %w", err)
	}
	k := &waker{r: r, w: w}
	// Fd would make the pipe blocking, and a full pipe would then block librdkafka.
	raw, err := w.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { k.fd = int(fd) })
	}
	if err != nil {
		k.close()
		return nil, fmt.Errorf("pipe for a Kafka client: %w", err)
	}
	return k, nil
}

// wait returns once something was written, d is over or ctx has ended. Spurious returns are allowed.
func (k *waker) wait(ctx context.Context, d time.Duration) {
	if d <= 0 || ctx.Err() != nil {
		return
	}
	if k.r.SetReadDeadline(clock.Real().Now().Add(d)) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = k.r.SetReadDeadline(time.Unix(1, 0)) })
	_, _ = k.r.Read(k.buf[:])
	stop()
}

// wake ends a wait.
func (k *waker) wake() { _, _ = k.w.Write([]byte{1}) }

func (k *waker) close() {
	_ = k.r.Close()
	_ = k.w.Close()
}
