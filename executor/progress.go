package executor

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-project/sluice/executor/taskstats"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// maxPartitions bounds the partitions of a task in an answer.
const maxPartitions = 100

// stalled is the state of a task that has something to move and moves nothing: never in Kafka Connect's own fields.
const stalled = "STALLED"

// progress is what tasks do, as the control plane is told.
func progress(views []taskstats.View) []*sluicev1.TaskProgress {
	out := make([]*sluicev1.TaskProgress, 0, len(views))
	for i := range views {
		out = append(out, taskProgress(&views[i]))
	}
	return out
}

func taskProgress(v *taskstats.View) *sluicev1.TaskProgress {
	p := &sluicev1.TaskProgress{
		Task: int32(v.Task), Known: true, Reason: v.Stalled, Call: v.Call.String(), CallSinceMs: ms(v.CallSince), LastPolledMs: ms(v.Polled), LastCommittedMs: ms(v.Committed), //nolint:gosec // at most the bound of a plan
		Commits: v.Total(taskstats.Commits), CommitFailures: v.Total(taskstats.CommitFailures), RecordsSkipped: v.Skipped, LastErrorMs: ms(v.LastError),
	}
	if v.Stalled != "" {
		p.State = stalled
	}
	if !v.Sink {
		p.LastProducedMs, p.LastAcknowledgedMs, p.Unacknowledged = ms(v.Moved), ms(v.Acked), v.Unacked
		p.Records, p.RecordsPerSecond = v.Total(taskstats.Acked), v.Rate(taskstats.Acked)
		p.Bytes, p.BytesPerSecond = v.Total(taskstats.ProducedBytes), v.Rate(taskstats.ProducedBytes)
		p.EventAgeMs = v.Avg(taskstats.EventAge) / float64(time.Millisecond)
		return p
	}
	p.LastPutMs, p.PutFailures = ms(v.Moved), v.Total(taskstats.PutFailures)
	p.Records, p.RecordsPerSecond = v.Total(taskstats.Put), v.Rate(taskstats.Put)
	p.Bytes, p.BytesPerSecond = v.Total(taskstats.ReadBytes), v.Rate(taskstats.ReadBytes)
	p.LagRecords, p.LagMs, p.PartitionCount = v.LagRecords, v.LagTime.Milliseconds(), int32(len(v.Lags)) //nolint:gosec // partitions
	lags := v.Lags
	if len(lags) > maxPartitions {
		lags = slices.Clone(lags)
		slices.SortStableFunc(lags, func(a, b taskstats.Lag) int { return cmp.Compare(b.Records, a.Records) })
		lags = lags[:maxPartitions]
	}
	for _, l := range lags {
		p.Partitions = append(p.Partitions, &sluicev1.PartitionProgress{Topic: l.Topic, Partition: l.Index, NextOffset: l.Next, CommittedOffset: l.Committed,
			EndOffset: l.End, LagRecords: l.Records, LagMs: l.Time.Milliseconds()})
	}
	return p
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
