package taskstats

import "time"

const (
	// Every is how often a registry takes a sample, and window how long rates, averages and maxima reach back.
	Every  = 5 * time.Second
	window = 30 * time.Second
)

// sample is what a task's numbers were at one time. Samples of a time in which nothing happened share them: most tasks of
// thousands are like that.
type sample struct {
	at time.Time
	*numbers
}

// numbers do not change. max are the maxima since the sample before, least the minima and 1, or 0 where nothing was measured
// since.
type numbers struct {
	counts [counters]int64
	n, sum [meters]int64
	max    [meters]int64
	least  [meters]int64
}

func (t *Task) read() (s numbers) {
	for i := range s.counts {
		s.counts[i] = t.counts[i].Load()
	}
	for i := range s.n {
		m := &t.meters[i]
		s.n[i], s.sum[i], s.max[i], s.least[i] = m.n.Load(), m.sum.Load(), m.max.Load(), m.least.Load()
	}
	return s
}

// Sample takes a sample: a registry does every so often.
func (t *Task) Sample() {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.read()
	for i := range t.meters {
		s.max[i], s.least[i] = t.meters[i].max.Swap(0), t.meters[i].least.Swap(0)
	}
	last := t.ring[len(t.ring)-1].numbers
	if s != *last {
		last = &numbers{}
		*last = s
	}
	t.ring = append(t.ring, sample{now, last})
	for len(t.ring) > 1 && now.Sub(t.ring[0].at) > window {
		t.ring = append(t.ring[:0], t.ring[1:]...)
	}
}

// View is what a task's numbers are at one time.
type View struct {
	Identity
	At time.Time
	// Polled, Moved, Acked and Committed are when it last did: polled or read, produced or put, was acknowledged,
	// committed offsets. Zero where it has not.
	Polled, Moved, Acked, Committed time.Time
	// Unacked is the number of a source's records that Kafka has not acknowledged.
	Unacked int64
	// Call is what goes on now, and CallSince since when.
	Call      Call
	CallSince time.Time
	// Started, Paused and Suspended are the run's state.
	Started, Paused, Suspended bool
	// RunningRatio and PauseRatio are the parts of the run's time that it was so.
	RunningRatio, PauseRatio float64
	// Lags are a sink's, by partition; LagRecords is their sum, LagMax the largest, LagTime the longest.
	Lags                []Lag
	LagRecords, LagMax  int64
	LagTime             time.Duration
	Failures, Retries   int64
	Failed, Skipped     int64
	Logged              int64
	DLQRequests, DLQBad int64
	LastError           time.Time
	// Stalled says why the task is stalled; empty where it is not.
	Stalled string

	now, old sample
	max      [meters]int64
	least    [meters]int64
}

func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// View reads the numbers.
func (t *Task) View() View {
	now := t.clock.Now()
	v := View{Identity: t.Identity, At: now, Polled: at(t.lastPolled.Load()), Moved: at(t.lastMoved.Load()), Acked: at(t.lastAcked.Load()),
		Committed: at(t.lastCommitted.Load()), Unacked: t.unacked.Load(), Call: Call(t.call.Load()), CallSince: at(t.callSince.Load()),
		Started: t.started.Load(), Paused: t.paused.Load(), Suspended: t.suspended.Load()}
	if v.Call == None {
		v.CallSince = time.Time{}
	}
	e := &t.Errors
	v.Failures, v.Retries, v.Failed, v.Skipped, v.Logged = e.Failures.Load(), e.Retries.Load(), e.Failed.Load(), e.Skipped.Load(), e.Logged.Load()
	v.DLQRequests, v.DLQBad, v.LastError = e.DLQRequests.Load(), e.DLQFailures.Load(), at(e.Last.Load()*int64(time.Millisecond))
	waiting := at(t.waiting.Load())

	t.mu.Lock()
	read := t.read()
	v.now, v.old = sample{now, &read}, t.ring[0]
	v.max, v.least = v.now.max, v.now.least
	for _, s := range t.ring[1:] {
		for i := range v.max {
			v.max[i] = max(v.max[i], s.max[i])
			if l := s.least[i]; l > 0 && (l < v.least[i] || v.least[i] == 0) {
				v.least[i] = l
			}
		}
	}
	paused := t.pausedFor
	if v.Paused && !t.pausedAt.IsZero() {
		paused += now.Sub(t.pausedAt)
	}
	v.Lags = t.lags(now)
	t.mu.Unlock()

	if life := now.Sub(t.since); life > 0 {
		v.PauseRatio = min(float64(paused)/float64(life), 1)
		v.RunningRatio = 1 - v.PauseRatio
	}
	for _, l := range v.Lags {
		if l.Records > 0 {
			v.LagRecords += l.Records
			v.LagMax, v.LagTime = max(v.LagMax, l.Records), max(v.LagTime, l.Time)
		}
	}
	v.Stalled = v.stalled(waiting)
	return v
}

// Uncommitted counts a sink's records that were put and are not committed.
func (v *View) Uncommitted() (n int64) {
	for _, l := range v.Lags {
		if l.Next != Unknown && l.Committed != Unknown {
			n += max(l.Next-l.Committed, 0)
		}
	}
	return n
}

// Total is a counter's value.
func (v *View) Total(c Counter) int64 { return v.now.counts[c] }

// Rate is a counter's growth in the window, per second.
func (v *View) Rate(c Counter) float64 {
	d := v.At.Sub(v.old.at).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(v.now.counts[c]-v.old.counts[c]) / d
}

// Share is what part of the sum of two counters' growth in the window is of the first; 0 where nothing happened.
func (v *View) Share(of, and Counter) float64 {
	a, b := v.now.counts[of]-v.old.counts[of], v.now.counts[and]-v.old.counts[and]
	if a+b == 0 {
		return 0
	}
	return float64(a) / float64(a+b)
}

// Avg is a meter's average in the window; 0 where nothing was measured.
func (v *View) Avg(m Meter) float64 {
	n := v.now.n[m] - v.old.n[m]
	if n <= 0 {
		return 0
	}
	return float64(v.now.sum[m]-v.old.sum[m]) / float64(n)
}

// Min is a meter's minimum in the window; 0 where nothing was measured.
func (v *View) Min(m Meter) int64 { return max(v.least[m]-1, 0) }

// Max is a meter's maximum in the window.
func (v *View) Max(m Meter) int64 { return v.max[m] }
