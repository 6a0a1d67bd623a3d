package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/s3/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// abreast is how many objects a task uploads at once.
const abreast = 8

// task is one sink task.
type task struct {
	clk   clock.Clock
	parse func(config map[string]string) (*settings, error)

	tc      connectors.SinkTaskContext
	s       *settings
	store   *store.Client
	writers map[connectors.TopicPartition]*writer
	last    *writer // of the last record
	again   bool    // the last Put failed, and its batch comes again
}

// Start implements connectors.SinkTask. It looks at the bucket; that the store is away fails no task.
func (t *task) Start(ctx context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	s, err := t.parse(config)
	if err != nil {
		return connectors.Classify(connectors.ConfigError, err)
	}
	t.tc, t.s, t.writers = tc, s, map[connectors.TopicPartition]*writer{}
	if s.atLeastOnce != "" {
		tc.Logger().Info("this config is at least once: after a crash records may be in two files", slog.String("reason", s.atLeastOnce))
	}
	if s.ineffective != "" {
		tc.Logger().Warn("a key is without effect", slog.String("reason", s.ineffective))
	}
	bounded, cancel := context.WithTimeout(ctx, s.requestsDeadline)
	defer cancel()
	if t.store, err = store.New(bounded, s.store); err != nil {
		return err
	}
	if err := t.store.Check(bounded); connectors.IsRetriable(err) {
		tc.Logger().Warn("the store does not answer yet; what is to be uploaded waits for it", logkey.Err, err)
	} else if err != nil {
		return err
	}
	return nil
}

// Put implements connectors.SinkTask. When it returns without an error, everything that was cut is uploaded.
func (t *task) Put(ctx context.Context, b *connectors.SinkBatch) error {
	now := t.clk.Now()
	begun := map[*writer]bool{}
	for i := range b.Records {
		r := &b.Records[i]
		w, err := t.writer(r)
		if err != nil {
			return err
		}
		if !begun[w] {
			begun[w] = true
			t.begin(ctx, w, r.Offset)
		}
		if r.Offset < w.next {
			continue // it was taken when the batch came first
		}
		if err := t.take(ctx, w, r, now); err != nil {
			return err
		}
		w.next = r.Offset + 1
	}
	for _, w := range t.writers {
		if w.due(now) {
			if err := w.cut(w.next); err != nil {
				return err
			}
		}
	}
	err := t.upload(ctx)
	if err == nil {
		err = t.relieve()
	}
	if t.again = connectors.IsRetriable(err); t.again {
		t.tc.Retry(t.s.retryAfter)
	}
	return err
}

// writer is the record's.
func (t *task) writer(r *connectors.SinkRecord) (*writer, error) {
	if w := t.last; w != nil && w.tp.Partition == r.Partition && w.tp.Topic == r.Topic {
		return w, nil
	}
	tp := connectors.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	w, ok := t.writers[tp]
	if !ok {
		if !slices.Contains(t.tc.Assignment(), tp) {
			// Its offset could not be committed, and two topics that became one would write over each other's objects.
			return nil, connectors.Classify(connectors.ConfigError, fmt.Errorf("%w: %s, partition %d: leave out the transform that changes topics", ErrMoved, tp.Topic, tp.Partition))
		}
		tp.Topic = strings.Clone(tp.Topic)
		w = newWriter(tp, t.s)
		t.writers[tp] = w
	}
	t.last = w
	return w, nil
}

// begin is told the first offset of a partition in a batch. A batch that comes again after an error goes on where it was;
// where the consumer was put back, because a commit failed or a topic was made anew, the files begin again.
func (t *task) begin(ctx context.Context, w *writer, offset int64) {
	if offset < w.next && (!t.again || offset < w.from) {
		t.tc.Logger().Info("records come again; open files are begun anew", logkey.Topic, w.tp.Topic, logkey.Partition, w.tp.Partition,
			logkey.Offset, offset)
		w.drop(ctx)
	}
	w.from = offset
}

// take puts a record into its file, or where records go that have none.
func (t *task) take(ctx context.Context, w *writer, r *connectors.SinkRecord, now time.Time) error {
	if r.Value.IsNull() && !t.s.writeNulls {
		cause := fmt.Errorf("%w: topic %s, partition %d, offset %d; %s=ignore leaves such records out", ErrNoValue, r.Topic, r.Partition, r.Offset, nullsKey)
		switch {
		case !t.s.skipNulls:
			return connectors.Classify(connectors.DataError, cause)
		case t.s.reportNulls && t.tc.Reporter() != nil:
			return t.report(ctx, r, cause)
		}
		return nil
	}
	err := w.add(t.store, r, now)
	var refused refusal
	if errors.As(err, &refused) {
		return t.report(ctx, r, refused.error)
	}
	return err
}

func (t *task) report(ctx context.Context, r *connectors.SinkRecord, cause error) error {
	if rep := t.tc.Reporter(); rep != nil {
		_, err := rep.Report(ctx, r, cause)
		return err
	}
	return connectors.Classify(connectors.DataError, fmt.Errorf("s3: topic %s, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, cause))
}

// upload sends what was cut, and full parts of what is open, some objects at a time. After an error it begins no more; of
// several errors it returns one that another try does not mend, if there is one.
func (t *task) upload(ctx context.Context) error {
	var jobs []func(ctx context.Context) error
	for _, w := range t.writers {
		for _, c := range w.cuts {
			for i, u := range c.files {
				if u == nil {
					continue
				}
				jobs = append(jobs, func(ctx context.Context) error {
					err := u.Finish(ctx)
					if err == nil {
						c.files[i] = nil
					}
					return err
				})
			}
		}
		for _, f := range w.files {
			if f.up.Full() {
				jobs = append(jobs, f.up.Send)
			}
		}
	}
	err := abreastly(ctx, jobs)
	for _, w := range t.writers {
		w.done()
	}
	return err
}

// abreastly runs jobs, some at a time, until one fails: a store that does not answer is not asked for all of them.
func abreastly(ctx context.Context, jobs []func(ctx context.Context) error) error {
	if len(jobs) == 0 {
		return nil
	}
	errs := make([]error, len(jobs))
	var next atomic.Int64
	var failed atomic.Bool
	g := run.New(ctx, "s3-upload")
	for range min(abreast, len(jobs)) {
		if err := g.Go(func(ctx context.Context) error {
			for i := next.Add(1) - 1; i < int64(len(jobs)) && !failed.Load(); i = next.Add(1) - 1 {
				if errs[i] = jobs[i](ctx); errs[i] != nil {
					failed.Store(true)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	// Each request ends with ctx, and so does each job.
	if err := g.Wait(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	var retriable error
	for _, err := range errs {
		if err != nil && !connectors.IsRetriable(err) {
			return err
		} else if retriable == nil {
			retriable = err
		}
	}
	return retriable
}

// relieve moves open files out of memory, the largest first, where they take too much.
func (t *task) relieve() error {
	var total int64
	for _, w := range t.writers {
		total += w.held()
	}
	if total <= t.s.memory {
		return nil
	}
	var open []*file
	for _, w := range t.writers {
		open = append(open, w.files...)
	}
	slices.SortFunc(open, func(a, b *file) int { return cmp.Compare(b.Held()+b.up.Held(), a.Held()+a.up.Held()) })
	for _, f := range open {
		if total <= t.s.memory/2 {
			return nil
		}
		total -= f.Held() + f.up.Held()
		if err := f.Flush(); err != nil {
			return fmt.Errorf("s3: writing %s: %w", f.up.Key(), err)
		}
		if err := f.up.Spill(); err != nil {
			return err
		}
	}
	return nil
}

// PreCommit implements connectors.PreCommitter. Promise 1: an offset is committed only where every record before it is
// uploaded, and it is that of a cut.
func (t *task) PreCommit(ctx context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	if t.s.atCommit {
		for _, w := range t.writers {
			if w.records == 0 {
				continue
			}
			if err := w.cut(w.next); err != nil {
				return nil, err
			}
		}
		if err := t.upload(ctx); err != nil {
			return nil, err
		}
	}
	out := map[connectors.TopicPartition]int64{}
	for tp, given := range offsets {
		// Above what is given is a part of a batch that comes again.
		if w, ok := t.writers[tp]; !ok {
			continue
		} else if o := w.committable(); o >= 0 && o <= given {
			out[tp] = o
		}
	}
	return out, nil
}

// Open implements connectors.PartitionListener.
func (t *task) Open(context.Context, []connectors.TopicPartition) error { return nil }

// Close implements connectors.PartitionListener: whoever has the partitions next begins at what is committed.
func (t *task) Close(ctx context.Context, tps []connectors.TopicPartition) error {
	t.last = nil
	for _, tp := range tps {
		if w, ok := t.writers[tp]; ok {
			w.drop(ctx)
			delete(t.writers, tp)
		}
	}
	return nil
}

// Stop implements connectors.SinkTask.
func (t *task) Stop(ctx context.Context) error {
	for _, w := range t.writers {
		w.drop(ctx)
	}
	t.writers, t.last = nil, nil
	return nil
}
