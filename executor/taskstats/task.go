package taskstats

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Counter names a total of a task.
type Counter int

// The counters of a task. Sinks have those from Read on, sources those before it.
const (
	// Polled are records that Poll returned.
	Polled Counter = iota
	// Filtered are records that a transform dropped or a tolerated error skipped.
	Filtered
	// Produced and ProducedBytes were given to the producer.
	Produced
	ProducedBytes
	// Acked are records that Kafka has, Undelivered those that it refused.
	Acked
	Undelivered
	// Read and ReadBytes were consumed from Kafka.
	Read
	ReadBytes
	// Put are records that were given to Put, without what was filtered; a Put that is tried again counts again.
	Put
	// PutFailures are calls of Put that failed.
	PutFailures
	// Commits and CommitFailures are writes of offsets.
	Commits
	CommitFailures
	counters
)

// Meter names what is measured once a batch.
type Meter int

// The meters of a task.
const (
	// PollTime is that of calls of Poll that brought records, in ns.
	PollTime Meter = iota
	// PutTime is that of calls of Put, in ns.
	PutTime
	// CommitTime is that of writes of offsets that succeeded, in ns.
	CommitTime
	// BatchSize counts the records of a batch.
	BatchSize
	// Active counts the records that are in a task's hands: polled and not acknowledged, or read and not committed.
	Active
	// TransactionSize counts the records of transactions that were committed.
	TransactionSize
	// EventAge is how old a batch's last record was when it was polled, in ns; only of records with a timestamp.
	EventAge
	meters
)

// Call is what a task's plugin, or its converters and transforms, are doing.
type Call int32

// The calls.
const (
	None Call = iota
	Start
	Poll
	Convert
	PutCall
	Commit
	Open
)

// String is the name that users see; empty for None.
func (c Call) String() string {
	return [...]string{"", "start", "poll", "convert", "put", "commit", "open"}[c]
}

// Errors are a task's failures, in the meaning of Kafka Connect's task-error-metrics. Safe for concurrent use.
type Errors struct {
	// Failures counts attempts of a stage that failed, Retries the attempts after them; Failed counts records that failed
	// the task, Skipped those that were tolerated, Logged what errors.log.enable logged.
	Failures, Retries, Failed, Skipped, Logged atomic.Int64
	// DLQRequests and DLQFailures count writes to the dead letter queue.
	DLQRequests, DLQFailures atomic.Int64
	// Last is when something last failed, unix ms.
	Last atomic.Int64
}

// Failure says that an attempt failed.
func (e *Errors) Failure(now time.Time) {
	e.Failures.Add(1)
	e.Last.Store(now.UnixMilli())
}

// meter has in least 1 more than the minimum; 0 where nothing was measured.
type meter struct{ n, sum, max, least atomic.Int64 }

func (m *meter) add(v int64) {
	m.n.Add(1)
	m.sum.Add(v)
	for old := m.max.Load(); v > old && !m.max.CompareAndSwap(old, v); old = m.max.Load() {
	}
	for old := m.least.Load(); (old == 0 || v < old-1) && !m.least.CompareAndSwap(old, v+1); old = m.least.Load() {
	}
}

// Identity says whose numbers they are.
type Identity struct {
	Connector string
	Task      int
	Sink      bool
	// Transactional is a task of an exactly-once source.
	Transactional bool
}

// Task counts what one run of a task does. Safe for concurrent use; its writers are the task's goroutines.
type Task struct {
	Identity
	Errors Errors
	clock  clock.Clock
	since  time.Time

	counts [counters]atomic.Int64
	meters [meters]meter
	// Times are unix ns, 0 where it has not happened.
	lastPolled, lastMoved, lastAcked, lastCommitted atomic.Int64
	waiting                                         atomic.Int64 // since when something waits and nothing moves; 0 where nothing does
	unacked                                         atomic.Int64
	committing                                      atomic.Int64
	call                                            atomic.Int32
	callSince                                       atomic.Int64

	started, paused, suspended atomic.Bool

	mu         sync.Mutex
	partitions map[Partition]*place
	ring       []sample // oldest first, at most window/Every
	pausedFor  time.Duration
	pausedAt   time.Time
}

// New returns the numbers of a run that begins now.
func New(id Identity, c clock.Clock) *Task {
	t := &Task{Identity: id, clock: c, since: c.Now(), partitions: map[Partition]*place{}}
	t.ring = []sample{{t.since, &numbers{}}}
	return t
}

func (t *Task) now() int64 { return t.clock.Now().UnixNano() }

// Running says that the plugin has started.
func (t *Task) Running() { t.started.Store(true) }

// SetPaused says whether the task is paused.
func (t *Task) SetPaused(p bool) {
	if t.paused.Swap(p) == p {
		return
	}
	now := t.clock.Now()
	t.anew()
	t.mu.Lock()
	defer t.mu.Unlock()
	if p {
		t.pausedAt = now
	} else {
		t.pausedFor += now.Sub(t.pausedAt)
	}
}

// SetSuspended says whether the task may not act, its right having ended.
func (t *Task) SetSuspended(s bool) {
	if t.suspended.Swap(s) != s {
		t.anew()
	}
}

// anew has what waits wait from now on: while a task is held nothing is expected of it.
func (t *Task) anew() {
	if old := t.waiting.Load(); old != 0 {
		t.waiting.CompareAndSwap(old, t.now())
	}
}

// Enter says that a call begins, or that one goes over into another.
func (t *Task) Enter(c Call) {
	t.callSince.Store(t.now())
	t.call.Store(int32(c))
}

// Leave says that the call has returned.
func (t *Task) Leave() { t.call.Store(int32(None)) }

// During is f, seen as that call.
func (t *Task) During(c Call, f func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		t.Enter(c)
		defer t.Leave()
		return f(ctx)
	}
}

// PollReturned ends the call of Poll that Enter began.
func (t *Task) PollReturned(records int) {
	now := t.now()
	t.Leave()
	t.lastPolled.Store(now)
	if records == 0 {
		return
	}
	t.counts[Polled].Add(int64(records))
	t.meters[BatchSize].add(int64(records))
	t.meters[PollTime].add(now - t.callSince.Load())
}

// Taken says what a polled batch became, and how many records are unacknowledged now. timestamp is that of its last
// record, unix ms; negative where it has none.
func (t *Task) Taken(produced, filtered int, bytes int64, unacked int, timestamp int64) {
	now := t.now()
	t.counts[Produced].Add(int64(produced))
	t.counts[Filtered].Add(int64(filtered))
	t.counts[ProducedBytes].Add(bytes)
	t.meters[Active].add(int64(unacked))
	if timestamp >= 0 && produced > 0 {
		t.meters[EventAge].add(max(now-timestamp*int64(time.Millisecond), 0))
	}
	if t.unacked.Swap(int64(unacked)) == 0 && unacked > 0 {
		t.waiting.Store(now)
	}
}

// Handed says how many records the producer took.
func (t *Task) Handed(records int) {
	if records > 0 {
		t.lastMoved.Store(t.now())
	}
}

// Acknowledged says that Kafka answered: for how many records, how many of them it refused, and how many are
// unacknowledged still.
func (t *Task) Acknowledged(records, refused, unacked int) {
	now := t.now()
	t.counts[Acked].Add(int64(records - refused))
	t.counts[Undelivered].Add(int64(refused))
	t.meters[Active].add(int64(unacked))
	t.lastAcked.Store(now)
	t.unacked.Store(int64(unacked))
	if unacked == 0 {
		now = 0
	}
	t.waiting.Store(now)
}

// TransactionCommitted says how many records a transaction had that was committed, without offsets.
func (t *Task) TransactionCommitted(records int) { t.meters[TransactionSize].add(int64(records)) }

// Committing says that a write of offsets begins; Committed ends it.
func (t *Task) Committing() { t.committing.Store(t.now()) }

// Committed says what a write of offsets came to.
func (t *Task) Committed(err error) {
	if err != nil {
		t.counts[CommitFailures].Add(1)
		return
	}
	now := t.now()
	t.counts[Commits].Add(1)
	t.meters[CommitTime].add(now - t.committing.Load())
	t.lastCommitted.Store(now)
}
