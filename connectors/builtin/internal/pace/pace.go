package pace

import (
	"context"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Idle is the longest that a source waits before it looks for data again.
const Idle = time.Second

// tick is the shortest wait of a Pacer: at high rates it takes many records at once instead of waking
// up for each.
const tick = 5 * time.Millisecond

// Wait waits for d, and says whether it did: false when ctx ended first.
func Wait(ctx context.Context, c clock.Clock, d time.Duration) bool {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C():
		return true
	}
}

// together is the grid on which idle waits end.
const together = 250 * time.Millisecond

// Rest waits for about Idle, never longer, until a quarter of a second is full: a thousand tasks that have nothing to do wake the
// process four times a second, not a thousand times. It says whether it did: false when ctx ended first.
func Rest(ctx context.Context, c clock.Clock) bool {
	return Wait(ctx, c, Idle-time.Duration(c.Now().UnixNano()%int64(together)))
}

// UpTo waits for d, or rests where that is longer: what is due later is looked at again.
func UpTo(ctx context.Context, c clock.Clock, d time.Duration) bool {
	if d >= Idle {
		return Rest(ctx, c)
	}
	return Wait(ctx, c, d)
}

// Pacer spreads records evenly over time. Not safe for concurrent use.
type Pacer struct {
	clk      clock.Clock
	interval time.Duration
	next     time.Time // when the next record is due
}

// New makes a Pacer for that many records a second; 0 and less mean no limit.
func New(c clock.Clock, perSecond int64) *Pacer {
	p := &Pacer{clk: c}
	if perSecond > 0 {
		p.interval = time.Second / time.Duration(perSecond) // above 1e9 it is 0: no limit
	}
	return p
}

// Take waits until a record is due and returns how many are, at most limit. It returns 0 when ctx ended.
// What was missed by more than Idle (a pause) is not caught up with.
func (p *Pacer) Take(ctx context.Context, limit int) int {
	if ctx.Err() != nil {
		return 0
	}
	if p.interval == 0 {
		return limit
	}
	now := p.clk.Now()
	if p.next.IsZero() {
		p.next = now
	}
	if wait := p.next.Sub(now); wait > 0 {
		if !Wait(ctx, p.clk, max(wait, tick)) {
			return 0
		}
		now = p.clk.Now()
	}
	if late := now.Add(-Idle); p.next.Before(late) {
		p.next = late
	}
	if p.next.After(now) {
		return 0
	}
	n := min(int(now.Sub(p.next)/p.interval)+1, limit)
	p.next = p.next.Add(time.Duration(n) * p.interval)
	return n
}
