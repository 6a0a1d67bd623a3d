// Package clock is the only place that reads the time of this machine. Everything else is handed a
// Clock, so that tests decide what time it is; pure code takes a `now` argument instead.
package clock

import "time"

// Clock tells the time and makes timers. Safe for concurrent use.
type Clock interface {
	// Now is the wall time, with Go's monotonic reading: right for intervals inside one process.
	Now() time.Time
	// Boot is the time since the machine started, counting the time it was suspended
	// (CLOCK_BOOTTIME where there is one). Rights are reckoned with it (DESIGN 4.3).
	Boot() time.Duration
	// NewTimer returns a timer that sends once on C after d.
	NewTimer(d time.Duration) Timer
	// After is NewTimer(d).C for waits that are always short or always end.
	After(d time.Duration) <-chan time.Time
}

// Timer is a time.Timer that a fake clock can fire.
type Timer interface {
	C() <-chan time.Time
	Stop() bool
	Reset(d time.Duration) bool
}

// Real is the clock of this machine.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) Boot() time.Duration                    { return bootTime() }
func (realClock) NewTimer(d time.Duration) Timer         { return realTimer{time.NewTimer(d)} }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

type realTimer struct{ t *time.Timer }

func (r realTimer) C() <-chan time.Time        { return r.t.C }
func (r realTimer) Stop() bool                 { return r.t.Stop() }
func (r realTimer) Reset(d time.Duration) bool { return r.t.Reset(d) }
