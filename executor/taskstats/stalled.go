package taskstats

import (
	"fmt"
	"time"
)

// StalledAfter is how long a task has to have moved nothing, though there was something to move.
const StalledAfter = time.Minute

// stalled says why the task is stalled, or nothing. It is stalled where it runs, is neither paused nor suspended, and
// for StalledAfter
//
//   - one call of its plugin has not returned: of a source's Poll too, which may wait for data, but not that long;
//   - or, a source, it has records that Kafka has not acknowledged, and Kafka acknowledged none;
//   - or, a sink, records are left in its partitions, and it put none: because Put fails and is tried again, say.
//
// A source that has nothing to poll, and a sink whose partitions are at their end or that has no partition, are idle and
// not stalled, however long it lasts.
func (v *View) stalled(waiting time.Time) string {
	if !v.Started || v.Paused || v.Suspended {
		return ""
	}
	long := func(since time.Time) (time.Duration, bool) {
		d := v.At.Sub(since)
		return d.Truncate(time.Second), !since.IsZero() && d >= StalledAfter
	}
	if d, yes := long(v.CallSince); yes {
		return fmt.Sprintf("a call of %s has not returned for %s", v.Call, d)
	}
	d, yes := long(waiting)
	switch {
	case !yes:
		return ""
	case v.Sink:
		return fmt.Sprintf("%d records are left to be put, and none was put for %s", v.LagRecords, d)
	default:
		return fmt.Sprintf("%d records are not acknowledged by Kafka, and none was for %s", v.Unacked, d)
	}
}
