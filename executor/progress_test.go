package executor

import (
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestProgress_OfManyPartitionsThoseWithTheMostLagAreNamed(t *testing.T) {
	c := clock.NewFake(time.Unix(1_000_000, 0))
	s := taskstats.New(taskstats.Identity{Connector: "c", Task: 3, Sink: true}, c)
	s.Running()
	var next, ends []taskstats.Offset
	for i := range int32(1000) {
		p := taskstats.Partition{Topic: "t", Index: i}
		next = append(next, taskstats.Offset{Partition: p, Offset: 0, Timestamp: taskstats.Unknown})
		ends = append(ends, taskstats.Offset{Partition: p, Offset: int64(i)})
	}
	s.CommittedOffsets(next)
	s.Ends(ends)
	c.Advance(taskstats.StalledAfter)
	p := progress([]taskstats.View{s.View()})[0]
	if p.GetTask() != 3 || p.GetPartitionCount() != 1000 || len(p.GetPartitions()) != maxPartitions || p.GetPartitions()[0].GetPartition() != 999 || p.GetLagRecords() != 999*500 {
		t.Errorf("%d partitions of %d, lag %d, first %v", len(p.GetPartitions()), p.GetPartitionCount(), p.GetLagRecords(), p.GetPartitions()[0])
	}
	if p.GetState() != "STALLED" || p.GetReason() == "" || !p.GetKnown() {
		t.Errorf("%s: %q", p.GetState(), p.GetReason())
	}
	if p.GetLastPutMs() != 0 {
		t.Errorf("it never put, and did at %d", p.GetLastPutMs())
	}
}
