package session

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// maxTrace is the longest trace that is stored, in bytes (DESIGN 3).
const maxTrace = 8 << 10

// reporter writes what an executor reports. It takes one message at a time and waits for the store, so
// that a slow store makes the executor wait and nothing here grows.
type reporter struct {
	st       *stream
	statuses map[unit.ID]store.StatusWrite
	due      clock.Timer // armed while statuses wait
	pace     *rate.Limiter
}

// report runs until the stream ends; what has been reported by then is still written.
func (st *stream) report(ctx, group context.Context) {
	defer close(st.reported)
	r := &reporter{st: st, statuses: map[unit.ID]store.StatusWrite{}, pace: newPace()}
	if err := run.Call(func() error { r.run(ctx); return nil }); err != nil {
		st.end(err)
		return
	}
	ctx, cancel := context.WithTimeout(group, lastFlush)
	defer cancel()
	_ = r.flush(ctx) // the stream is gone: the executor repeats what matters in its next hello
	if r.due != nil {
		r.due.Stop()
	}
}

func (r *reporter) run(ctx context.Context) {
	for {
		var due <-chan time.Time
		if r.due != nil {
			due = r.due.C()
		}
		select {
		case m, ok := <-r.st.in.c:
			if !ok {
				return
			}
			r.take(ctx, m)
		case <-due:
			r.due = nil
			if err := r.flush(ctx); err != nil {
				r.arm(retryDelay)
			}
		case <-ctx.Done():
			return
		}
	}
}

// take handles one message. One of an unknown variant is ignored, so that versions can be mixed.
func (r *reporter) take(ctx context.Context, m *sluicev1.AttachRequest) {
	switch m := m.GetMessage().(type) {
	case *sluicev1.AttachRequest_Status:
		r.add(m.Status)
	case *sluicev1.AttachRequest_Release:
		r.release(ctx, parseRelease(m.Release))
	case *sluicev1.AttachRequest_Fence:
		r.fence(ctx, m.Fence)
	case *sluicev1.AttachRequest_Drain:
		r.drain(ctx)
	case *sluicev1.AttachRequest_Prepared:
		r.prepared(ctx, m.Prepared)
	}
}

// add puts states with those that wait; only the newest of each unit is kept.
func (r *reporter) add(report *sluicev1.StatusReport) {
	for _, s := range report.GetStatuses() {
		u, err := unit.Parse(s.GetUnit())
		if err != nil || u.Kind != unit.KindConnector && u.Kind != unit.KindTask {
			continue
		}
		if _, ok := r.statuses[u]; !ok && len(r.statuses) >= maxUnits {
			continue // no executor holds that many
		}
		r.statuses[u] = store.StatusWrite{Unit: u, Epoch: epoch(s.GetEpoch()), Value: &storev1.Status{
			State: s.GetState(), Trace: cut(s.GetTrace()), Executor: r.st.hello.GetExecutor(), Epoch: s.GetEpoch(),
			Version: s.GetVersion(), Restart: s.GetRestart(), ConfigGeneration: s.GetConfigGeneration(), AutoRestart: s.GetAutoRestart(),
		}}
	}
	if len(r.statuses) > 0 && r.due == nil {
		r.arm(wait(r.pace, r.st.server.clock.Now()))
	}
}

// newPace is how often one session's states are written: a connector that has just been created reports a
// few within moments of each other and somebody waits for the last, while thousands that start, or one that
// flaps, must not write more than design 9 allows.
func newPace() *rate.Limiter { return rate.NewLimiter(rate.Every(statusPeriod), statusBurst) }

// wait is how long states that were reported at now wait for others. It counts as one write of the pace.
func wait(pace *rate.Limiter, now time.Time) time.Duration {
	return max(statusGather, pace.ReserveN(now, 1).DelayFrom(now))
}

func (r *reporter) arm(d time.Duration) { r.due = r.st.server.clock.NewTimer(d) }

// flush writes the states that wait. They stay where that fails.
func (r *reporter) flush(ctx context.Context) error {
	if len(r.statuses) == 0 {
		return nil
	}
	writes := make([]store.StatusWrite, 0, len(r.statuses))
	for _, w := range r.statuses {
		writes = append(writes, w)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := r.st.server.store.WriteStatuses(ctx, writes); err != nil {
		return err
	}
	clear(r.statuses)
	return nil
}

// release writes a release and then has it acknowledged. A state that was reported before it is written
// first: afterwards its epoch would be stale.
func (r *reporter) release(ctx context.Context, rel release) {
	if _, ok := r.statuses[rel.unit]; ok {
		r.persist(ctx, func(ctx context.Context) error { return r.flush(ctx) })
	}
	written := rel.unit == unit.ID{} || r.persist(ctx, func(ctx context.Context) error {
		return r.st.server.store.WriteRelease(ctx, rel.unit, rel.epoch, int32(rel.outcome), rel.unfenced)
	})
	if written {
		r.st.log.Info("unit released", logkey.Unit, rel.ack.GetUnit(), logkey.Epoch, rel.epoch.String(), "outcome", rel.outcome.String())
		r.st.ack(rel.ack)
	}
}

func (r *reporter) fence(ctx context.Context, f *sluicev1.FenceReport) {
	u, err := unit.Parse(f.GetUnit())
	if err != nil {
		return
	}
	e := epoch(f.GetEpoch())
	r.persist(ctx, func(ctx context.Context) error { return r.st.server.store.ClearUnfenced(ctx, u, e) })
}

func (r *reporter) prepared(ctx context.Context, p *sluicev1.Prepared) {
	u, err := unit.Parse(p.GetUnit())
	if err != nil {
		return
	}
	e := epoch(p.GetEpoch())
	r.persist(ctx, func(ctx context.Context) error {
		return r.st.server.store.SuccessorReady(ctx, u, e, r.st.hello.GetSession())
	})
}

func (r *reporter) drain(ctx context.Context) {
	h := r.st.hello
	r.st.log.Info("executor drains")
	r.persist(ctx, func(ctx context.Context) error {
		return r.st.server.store.UpdateSession(ctx, h.GetSession(), h.GetStream(), func(v *storev1.Session) { v.Draining = true })
	})
}

// persist repeats a write while the store is not available, as long as the stream lasts. Any other error
// ends the stream: the executor comes again and repeats what matters.
func (r *reporter) persist(ctx context.Context, write func(context.Context) error) bool {
	for {
		one, cancel := context.WithTimeout(ctx, writeTimeout)
		err := write(one)
		cancel()
		switch {
		case err == nil:
			return true
		case errors.Is(err, store.ErrLapsed):
			r.st.end(lapsed())
			return false
		case errors.Is(err, store.ErrSuperseded):
			r.st.end(superseded())
			return false
		case !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrConflict) && !errors.Is(err, context.DeadlineExceeded):
			if ctx.Err() == nil {
				r.st.end(err)
			}
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-r.st.server.clock.After(retryDelay):
		}
	}
}

// cut shortens a trace at a character's border and keeps it valid UTF-8.
func cut(trace string) string {
	if len(trace) > maxTrace {
		trace = trace[:maxTrace]
		for len(trace) > 0 && !utf8.RuneStart(trace[len(trace)-1]) {
			trace = trace[:len(trace)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(trace); r == utf8.RuneError && n == 1 {
			trace = trace[:len(trace)-1]
		}
	}
	return strings.ToValidUTF8(trace, "\uFFFD")
}
