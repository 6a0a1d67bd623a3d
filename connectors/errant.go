package connectors

import (
	"context"
	"sync"
)

// ErrantRecordReporter hands records that a sink task cannot put to the error handler (KIP-610): it logs them and writes
// them to the dead letter queue, as the connector's errors.* say. Safe for concurrent use.
type ErrantRecordReporter interface {
	// Report hands over one record and why it could not be put; the task goes on with the next. The record may be one
	// of the batch that is being put, or a copy: then what was consumed goes to the dead letter queue, byte for byte.
	// Of any other record, and of one whose Put has returned, what the task's converters make of it does.
	//
	// An error says that errors.tolerance does not allow it, or that ctx ended while the queue was full. The task has
	// to return it; one that does not fails all the same once Put returns. No offset is committed before everything
	// that was reported is written.
	Report(ctx context.Context, r *SinkRecord, cause error) (*Reported, error)
}

// Reported is a record on its way to the dead letter queue. Safe for concurrent use.
type Reported struct {
	once sync.Once
	done chan struct{}
	err  error
}

// NewReported makes one that is under way. For reporters.
func NewReported() *Reported { return &Reported{done: make(chan struct{})} }

// Resolve says what became of it; only the first call counts. For reporters.
func (r *Reported) Resolve(err error) {
	r.once.Do(func() {
		r.err = err
		close(r.done)
	})
}

// Done is closed once the record is written, or cannot be.
func (r *Reported) Done() <-chan struct{} { return r.done }

// Wait waits until the record is written. The error says that it cannot be, or is ctx's.
func (r *Reported) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
