package sinktask

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// waiting is a consumer to which nothing comes.
type waiting struct {
	*fakeConsumer
	waits chan time.Duration
}

func (c *waiting) Poll(ctx context.Context, wait time.Duration, b *kafkaio.Batch) error {
	if err := c.fakeConsumer.Poll(ctx, wait, b); err != nil {
		return err
	}
	if c.waits == nil {
		return nil
	}
	c.waits <- wait
	<-ctx.Done()
	return nil
}

// An idle task sleeps until something is due, and a pause does not wait for that.
func TestLoop_AnIdleTaskIsWokenByAPause(t *testing.T) {
	l := live(t, newWorld([3]string{}), false)
	defer l.end()
	c := &waiting{fakeConsumer: l.c}
	l.t.consumer = c
	if err := l.t.round(); err != nil { // the assignment comes
		t.Fatal(err)
	}
	c.waits = make(chan time.Duration)
	ended := make(chan error, 1)
	go func() { ended <- l.t.round() }()
	if wait := <-c.waits; wait != pollWait {
		t.Errorf("an idle task waits for %s, want %s", wait, pollWait)
	}
	l.t.SetPaused(true)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c.waits = nil
	if err := l.t.round(); err != nil || !c.paused[tpOf(0)] {
		t.Errorf("after a pause: %v, paused %v", err, c.paused)
	}
	l.t.commitAt = l.t.deps.Clock.Now().Add(3 * time.Millisecond)
	c.waits = make(chan time.Duration, 1)
	l.t.SetPaused(true) // a context that was not seen yet
	go func() { ended <- l.t.round() }()
	if wait := <-c.waits; wait != 3*time.Millisecond {
		t.Errorf("with a commit due in 3ms the task waits for %s", wait)
	}
	l.t.Stop(false)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
