package sourcetask

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
)

// quiet is a source that waits for a while in each poll and has records when it is told so.
type quiet struct {
	polls, records atomic.Int64
	commits        atomic.Int64
}

func (*quiet) Start(context.Context, connectors.SourceTaskContext, map[string]string) error {
	return nil
}

func (q *quiet) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	q.polls.Add(1)
	select {
	case <-time.After(2 * emptyPause):
	case <-ctx.Done():
		return nil
	}
	if n := q.records.Swap(0); n > 0 {
		for range n {
			r := b.Add()
			r.Topic, r.Partition = "t", b.Partition(map[string]any{"p": "p"})
		}
	}
	return nil
}

func (q *quiet) Commit(context.Context) error   { q.commits.Add(1); return nil }
func (*quiet) Stop(context.Context) error       { return nil }
func (q *quiet) more(n int64) func() bool       { return func() bool { return q.polls.Load() >= n } }
func (q *quiet) goesOn(f *fixture, what string) { f.await(what, q.more(q.polls.Load()+3)) }
func (q *quiet) rests(f *fixture, runs int64)   { f.await("it has parked", f.parkedSince(runs)) }
func (f *fixture) parkedSince(n int64) func() bool {
	return func() bool { return f.env.parked.Load() > n }
}

func TestIdleTask_ParksAndIsPolledOn(t *testing.T) {
	q := &quiet{}
	f := begin(t, &fixture{task2: q})
	q.rests(f, 0)
	parked := f.env.parked.Load()
	q.goesOn(f, "it is polled without its loop")
	if got := f.env.parked.Load(); got > parked+1 { // one Again of its start may have been left
		t.Errorf("the loop ran %d times in which nothing happened", got-parked)
	}

	parked = f.env.parked.Load()
	f.task.SetPaused(true)
	q.rests(f, parked)
	at := q.polls.Load()
	f.task.SetPaused(false)
	f.await("it is polled after a pause", q.more(at+3))

	f.env.mu.Lock()
	f.env.right = 0 // as it ends by the clock
	f.env.mu.Unlock()
	var last int64
	f.await("nobody polls once the right is over", func() bool {
		was := last
		last = q.polls.Load()
		<-time.After(5 * emptyPause) // a poll would have come meanwhile
		return was == last
	})
	f.env.mu.Lock()
	f.env.right = time.Hour
	f.env.mu.Unlock()
	q.goesOn(f, "it is polled once the right is back")

	parked = f.env.parked.Load()
	q.records.Store(5)
	f.await("the records arrive", func() bool { return len(f.broker.records()) == 5 })
	f.await("the plugin is told of the commit, though it polls", func() bool { return q.commits.Load() > 0 })
	f.clock.by.Add(int64(2 * idleProducer))
	f.task.SetPaused(false) // a look at the clock, which has jumped
	q.rests(f, parked)
	q.goesOn(f, "it is polled")

	f.task.Stop(false)
	if err := f.stopped(); err != nil {
		t.Error(err)
	}
}
