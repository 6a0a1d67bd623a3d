package clock

import (
	"sort"
	"sync"
	"time"
)

// Fake is a clock that moves only when told to. Safe for concurrent use.
type Fake struct {
	mu     sync.Mutex
	now    time.Time
	boot   time.Duration
	timers []*fakeTimer
}

// NewFake returns a fake clock that stands at the given wall time, with a boot time of an hour.
func NewFake(now time.Time) *Fake { return &Fake{now: now, boot: time.Hour} }

// Now implements Clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Boot implements Clock.
func (f *Fake) Boot() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.boot
}

// Advance moves wall and boot time on and fires the timers that come due, in order.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.boot += d
	f.fire()
}

// Suspend moves wall and boot time on while timers stand still, as they do while the machine is suspended.
func (f *Fake) Suspend(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.boot += d
	for _, t := range f.timers {
		t.at += d
	}
}

// Skew moves the wall time alone, as a paused virtual machine or an operator would.
func (f *Fake) Skew(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// Waiters is the number of armed timers: tests await it before they Advance.
func (f *Fake) Waiters() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, t := range f.timers {
		if t.armed {
			n++
		}
	}
	return n
}

func (f *Fake) fire() {
	sort.SliceStable(f.timers, func(i, j int) bool { return f.timers[i].at < f.timers[j].at })
	kept := f.timers[:0]
	for _, t := range f.timers {
		if t.armed && t.at <= f.boot {
			t.armed = false
			select {
			case t.c <- f.now:
			default:
			}
		}
		if t.armed {
			kept = append(kept, t)
		}
	}
	f.timers = kept
}

// NewTimer implements Clock.
func (f *Fake) NewTimer(d time.Duration) Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{f: f, c: make(chan time.Time, 1), at: f.boot + d, armed: true}
	f.timers = append(f.timers, t)
	f.fire()
	return t
}

// After implements Clock.
func (f *Fake) After(d time.Duration) <-chan time.Time { return f.NewTimer(d).C() }

type fakeTimer struct {
	f     *Fake
	c     chan time.Time
	at    time.Duration
	armed bool
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	was := t.armed
	t.armed = false
	t.drain()
	return was
}

func (t *fakeTimer) Reset(d time.Duration) bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	was := t.armed
	t.at, t.armed = t.f.boot+d, true
	t.drain()
	present := false
	for _, o := range t.f.timers {
		present = present || o == t
	}
	if !present {
		t.f.timers = append(t.f.timers, t)
	}
	t.f.fire()
	return was
}

// drain takes away what nobody has received, as Stop and Reset of a time.Timer do.
func (t *fakeTimer) drain() {
	select {
	case <-t.c:
	default:
	}
}
