package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/stage"
	"github.com/sluice-project/sluice/executor/stage/lane"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

const (
	// maxBatch is how many records one Poll may return.
	maxBatch = 2000
	// maxRecords and maxBytes bound what of a task is on its way to Kafka.
	maxRecords = 50_000
	maxBytes   = 32 << 20
	// idleProducer is how long a producer stays open with nothing to send.
	idleProducer = time.Minute
	// tick is how often the loop looks at what nothing wakes it for: that its right runs again, that a full queue has room.
	tick = 100 * time.Millisecond
	// idleTick is how often it looks where nothing is due.
	idleTick = time.Minute
	// never is when the clock gives the loop nothing to do.
	never = time.Duration(math.MaxInt64)
	// retryPoll is the pause after a retriable error of Poll, as Kafka Connect's.
	retryPoll = time.Second
	// emptyPause keeps a task that returns nothing without waiting from spinning.
	emptyPause = 5 * time.Millisecond
	reportBuf  = 1024
)

// loop is the state of the task's goroutine.
type loop struct {
	started  bool     // the plugin is
	closers  []func() // for the end of the run
	source   connectors.SourceTask
	lane     *lane.Lane // the plugin's
	writer   *lane.Lane // offset writes
	batch    *connectors.SourceBatch
	out      stage.Outgoing
	used     map[string]bool   // the topics of a batch
	rest     []kafkaio.Message // of out, not handed over yet
	ledger   Ledger
	parts    []map[string]any // the source partitions that were polled: the batch is the plugin's while it polls
	producer Producer
	carrier  *run.Group // carries producer's reports
	reports  chan []kafkaio.Report
	spare    chan []kafkaio.Report
	lost     chan error // the producer is of no use any more
	sentAt   time.Time
	flushAt  time.Time
	pollAt   time.Time // not before
	polledAt time.Time // the last Poll's begin; of the lane until the call is over
	writing  []Committable
	tell     bool        // SourceCommitter.Commit is due
	wanted   atomic.Bool // the lane is to come back from polling: for tell
	alone    bool        // nothing is on its way to Kafka while the lane polls
	polled   bool        // the call in the lane is a Poll
	filled   bool        // Poll has returned records, and they are being converted; of the lane until the call is over
	wasIdle  bool        // paused or suspended at the last look
	acts     bool        // each poll and commit goes into the history
	names    []string    // the source partitions of the last poll, where acts is set
}

// Run implements supervisor.Instance.
func (t *task) Run(ctx context.Context) (err error) {
	defer func() {
		if !errors.Is(err, supervisor.ErrParked) {
			t.close()
		}
	}()
	if !t.started {
		if err := t.begin(ctx); err != nil {
			return err
		}
	}
	if err = t.work(); errors.Is(err, supervisor.ErrParked) {
		return err
	}
	return t.finish(true, err)
}

// begin opens what the task needs and starts the plugin.
func (t *task) begin(ctx context.Context) error {
	h, err := t.hold()
	if err != nil {
		return err
	}
	t.closing(h.release)
	t.closing(t.deps.Stats.Add(t.stats))
	t.store, t.lost = h.store, make(chan error, 1)
	if t.ready != nil {
		t.closing(t.closeProducer) // where it comes to no finish
		if err := t.adopt(t.ready.producer); err != nil {
			return err
		}
	}
	t.lane = lane.New(ctx, t.deps.Clock, "source-task")
	t.closing(t.lane.Close)
	t.writer = lane.New(ctx, t.deps.Clock, "source-offsets")
	t.closing(t.writer.Close)
	if t.parker != nil {
		t.lane.Tell(t.parker.Again)
		t.writer.Tell(t.parker.Again)
	}
	t.batch, t.used = connectors.NewSourceBatch(maxBatch), map[string]bool{}
	t.acts = history.Acts(t.log)
	t.flushAt = t.deps.Clock.Now().Add(t.deps.FlushInterval)
	if t.txn != nil {
		if err := t.initTransactions(); err != nil {
			return t.finish(false, err)
		}
	}
	since := t.deps.Clock.Boot() // after the fence: what older instances commit is there
	err = t.lane.Do(0, t.stopping.Done(), t.stats.During(taskstats.Start, func(ctx context.Context) error {
		t.source = t.plugin.NewSource().NewTask()
		return t.source.Start(ctx, taskContext{t, since}, maps.Clone(t.spec.TaskConfig)) // the plugin may change its own
	}))
	if err != nil {
		return t.finish(false, err)
	}
	t.lane.Renew() // a start is deep, and polls may wait for days
	t.started = true
	t.stats.Running()
	t.env.Running()
	return nil
}

// closing has f called when the run is over, the last first.
func (t *task) closing(f func()) { t.closers = append(t.closers, f) }

func (t *task) close() {
	for _, f := range slices.Backward(t.closers) {
		f()
	}
	t.closers = nil
}

// work polls and delivers until the task is stopped or fails.
func (t *task) work() error {
	timer := t.deps.Clock.NewTimer(idleTick)
	defer timer.Stop()
	for {
		if t.stopping.Err() != nil {
			return nil
		}
		if err := t.step(); err != nil {
			return err
		}
		if t.parks() {
			return supervisor.ErrParked
		}
		t.await(timer)
		select {
		case <-t.stopping.Done():
		case <-t.wake:
		case <-timer.C():
		case err := <-t.lane.Done():
			t.lane.Taken()
			if err := t.returned(err); err != nil {
				return err
			}
		case err := <-t.writer.Done():
			t.writer.Taken()
			if t.txn != nil {
				if err := t.over(err); err != nil {
					return err
				}
				continue
			}
			t.wrote(err)
		case got := <-t.reports:
			if err := t.acknowledge(got); err != nil {
				return err
			}
		case err := <-t.lost:
			return fmt.Errorf("%w: %w", ErrProduce, err)
		}
	}
}

// parks says that the loop's goroutine may end until the plugin's call returns, offsets are written or a switch is set. Reports
// of an open producer do not begin another.
func (t *task) parks() bool {
	if t.parker == nil || t.producer != nil || len(t.lane.Done())+len(t.writer.Done())+len(t.lost) > 0 {
		return false
	}
	return t.due(t.deps.Clock.Now()) == never
}

func (t *task) await(timer clock.Timer) {
	if !timer.Stop() {
		select {
		case <-timer.C():
		default:
		}
	}
	timer.Reset(min(t.due(t.deps.Clock.Now()), idleTick))
}

// due is how long the loop may wait for what wakes it, or never. What sets it going again by itself is not counted: a call that
// returns, an acknowledgement, a switch.
func (t *task) due(now time.Time) time.Duration {
	if t.txn != nil || len(t.rest) > 0 || !t.mayAct() {
		return tick
	}
	d := never
	until := func(at time.Time) { d = min(d, max(at.Sub(now), 0)) }
	if !t.lane.Busy() && t.polls() {
		until(t.pollAt)
	}
	if t.ledger.Dirty() && !t.writer.Busy() {
		until(t.flushAt)
	}
	if t.producer != nil && t.ledger.Unacked() == 0 {
		until(t.sentAt.Add(idleProducer + 1))
	}
	return d
}

// step does what can be done now.
func (t *task) step() error {
	s := t.read()
	may := t.mayAct()
	idle := s.paused || !may
	if idle && !t.wasIdle {
		if t.polled {
			t.lane.Interrupt()
		}
		t.flushAt = t.deps.Clock.Now() // a pause commits what is done
	}
	t.wasIdle = idle
	if !may {
		return nil
	}
	if len(t.rest) > 0 {
		if err := t.produce(); err != nil {
			return err
		}
	}
	now := t.deps.Clock.Now()
	if t.txn != nil {
		if poll, err := t.advance(now, false); err != nil || !poll {
			return err
		}
	} else {
		if !now.Before(t.flushAt) && !t.writer.Busy() {
			t.flush(now)
		}
		t.closeIdle(now)
	}
	c, told := t.source.(connectors.SourceCommitter)
	told = told && t.tell
	if t.lane.Busy() {
		t.wanted.Store(told)
		return nil
	}
	t.wanted.Store(false)
	if told {
		t.tell, t.polled = false, false
		return t.lane.Begin(t.stats.During(taskstats.Commit, c.Commit))
	}
	if !t.polls() || now.Before(t.pollAt) {
		return nil
	}
	t.batch.Reset()
	t.polled, t.polledAt, t.alone = true, now, t.txn == nil && t.ledger.Unacked() == 0
	return t.lane.Begin(t.poll)
}

// polls says whether the plugin is to be polled, once its time has come.
func (t *task) polls() bool {
	records, bytes := t.ledger.Held()
	return !t.read().paused && len(t.rest) == 0 && records < maxRecords && bytes < maxBytes
}

// poll runs in the plugin's lane: one batch, polled and converted. A plugin that has waited for nothing is polled again from
// here: it may be so for days, and thousands of them.
func (t *task) poll(ctx context.Context) error {
	for {
		err := t.pollOnce(ctx)
		if err != nil || len(t.batch.Records) > 0 || !t.alone || t.wanted.Load() || ctx.Err() != nil || t.read().paused || !t.mayAct() {
			return err
		}
		now := t.deps.Clock.Now()
		if now.Sub(t.polledAt) < emptyPause {
			return nil
		}
		t.batch.Reset()
		t.polledAt = now
	}
}

// pollOnce polls a batch and converts it.
func (t *task) pollOnce(ctx context.Context) error {
	t.out.Messages, t.out.Marks = t.out.Messages[:0], t.out.Marks[:0]
	if t.txn != nil && t.txn.asked != nil {
		t.txn.asked.forget()
	}
	t.filled = false
	var begin time.Duration
	if t.acts {
		begin = t.deps.Clock.Boot()
	}
	t.stats.Enter(taskstats.Poll)
	t.trace.Begin("poll")
	err := t.source.Poll(ctx, t.batch)
	t.stats.PollReturned(len(t.batch.Records))
	if t.acts {
		t.recordPoll(begin)
	}
	if err != nil {
		return err
	}
	if len(t.batch.Records) == 0 {
		return nil
	}
	t.filled = true
	t.stats.Enter(taskstats.Convert)
	t.trace.Next("convert")
	defer t.stats.Leave()
	// Not by ctx, which a pause ends: the plugin goes on behind these records, and they would never come again. Only a
	// stop ends it, after which they are read again.
	return t.stage.Convert(t.stopping, t.batch, &t.out)
}

// recordPoll writes into the history what was polled.
func (t *task) recordPoll(begin time.Duration) {
	seen := map[connectors.PartitionRef]bool{}
	t.names = nil
	for i := range t.batch.Records {
		ref := t.batch.Records[i].Partition
		if !seen[ref] {
			seen[ref] = true
			t.names = append(t.names, fmt.Sprint(t.batch.PartitionMap(ref)))
		}
	}
	history.Act(t.log, t.deps.Clock, history.Polled, begin, slog.String(logkey.Class, t.spec.Class.String()), slog.Any("partitions", t.names))
}

// returned deals with what the plugin's call came to.
func (t *task) returned(err error) error {
	polled := t.polled
	t.polled = false
	switch {
	case !polled:
		if err != nil {
			t.log.Warn("the task's commit failed", logkey.Err, err)
		}
		return nil
	case err != nil && t.filled: // not tried again by another Poll, whatever it is: that would go on behind the batch
		if t.stopping.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		return err
	case errors.Is(err, context.Canceled): // Poll was interrupted
		return nil
	case connectors.IsRetriable(err):
		t.log.Warn("the task's poll failed and is tried again", logkey.Err, err)
		t.pollAt = t.deps.Clock.Now().Add(retryPoll)
		return nil
	case err != nil:
		return err
	}
	if len(t.batch.Records) == 0 {
		t.pollAt = t.polledAt.Add(emptyPause)
	}
	return t.take()
}

// take puts the converted batch into the ledger and begins to hand it over. What was filtered or skipped is not in it: a
// later record of its partition takes its offset along, as in Kafka Connect.
func (t *task) take() error {
	clear(t.used)
	for ref := len(t.parts); ref == 0 || t.batch.PartitionMap(connectors.PartitionRef(ref)) != nil; ref++ { //nolint:gosec // a batch has few
		t.parts = append(t.parts, t.batch.PartitionMap(connectors.PartitionRef(ref))) //nolint:gosec // as above
	}
	if t.txn != nil {
		return t.takeTransactional()
	}
	n, last, bytes := 0, "", int64(0)
	for i := range t.out.Marks {
		m := &t.out.Marks[i]
		if m.Dropped {
			continue
		}
		t.out.Messages[n].Seq = t.ledger.Add(m.Partition, m.Offset, m.Size)
		bytes += int64(m.Size)
		if topic := t.out.Messages[n].Topic; topic != last {
			last = topic
			t.uses(topic)
		}
		n++
	}
	t.rest = t.out.Messages
	t.follow()
	t.stats.Taken(n, len(t.out.Marks)-n, bytes, t.ledger.Unacked(), newest(t.rest))
	if len(t.rest) == 0 || !t.mayAct() {
		return nil
	}
	return t.produce()
}
