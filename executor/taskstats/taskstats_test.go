package taskstats_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/taskstats"
	"github.com/sluice-project/sluice/internal/clock"
)

func begin(sink bool) (*taskstats.Task, *clock.Fake) {
	c := clock.NewFake(time.Unix(1_000_000, 0))
	t := taskstats.New(taskstats.Identity{Connector: "c", Sink: sink}, c)
	t.Running()
	return t, c
}

func tp(n int32) taskstats.Partition { return taskstats.Partition{Topic: "t", Index: n} }

func at(n int32, offset int64, ts time.Time) taskstats.Offset {
	return taskstats.Offset{Partition: tp(n), Offset: offset, Timestamp: ts.UnixMilli()}
}

func TestView_RatesAveragesAndMaximaAreOfTheWindow(t *testing.T) {
	s, c := begin(false)
	poll := func(n int, took time.Duration) {
		s.Enter(taskstats.Poll)
		c.Advance(took)
		s.PollReturned(n)
		s.Taken(n, 0, int64(10*n), n, taskstats.Unknown)
		s.Acknowledged(n, 0, 0)
	}
	poll(1000, 2*time.Second)
	for range 10 { // 50 s later that is out of the window
		c.Advance(taskstats.Every)
		s.Sample()
	}
	v := s.View()
	if v.Rate(taskstats.Polled) != 0 || v.Max(taskstats.PollTime) != 0 || v.Min(taskstats.PollTime) != 0 || v.Avg(taskstats.PollTime) != 0 || v.Total(taskstats.Polled) != 1000 {
		t.Errorf("after an idle window: rate %v, max %v, avg %v, total %d", v.Rate(taskstats.Polled), v.Max(taskstats.PollTime), v.Avg(taskstats.PollTime), v.Total(taskstats.Polled))
	}
	poll(100, time.Second)
	c.Advance(taskstats.Every)
	s.Sample()
	poll(200, 3*time.Second)
	v = s.View()
	// The window begins with the oldest sample that is at most 30 s older than the newest, 26 s, and 3 s have passed since.
	if got, want := v.Rate(taskstats.Polled), 300.0/29; got != want {
		t.Errorf("rate %v, want about %v", got, want)
	}
	if v.Max(taskstats.PollTime) != int64(3*time.Second) || v.Avg(taskstats.PollTime) != float64(2*time.Second) || v.Avg(taskstats.BatchSize) != 150 {
		t.Errorf("max %v, avg %v, batch %v", v.Max(taskstats.PollTime), v.Avg(taskstats.PollTime), v.Avg(taskstats.BatchSize))
	}
	if v.Max(taskstats.BatchSize) != 200 || v.Min(taskstats.BatchSize) != 100 || v.Min(taskstats.Active) != 0 {
		t.Errorf("batches of %d to %d, at least %d active", v.Min(taskstats.BatchSize), v.Max(taskstats.BatchSize), v.Min(taskstats.Active))
	}
	if v.Total(taskstats.ProducedBytes) != 13000 || v.Total(taskstats.Acked) != 1300 {
		t.Errorf("%d bytes, %d acknowledged", v.Total(taskstats.ProducedBytes), v.Total(taskstats.Acked))
	}
}

func TestView_CommitsAreCountedByHowTheyEnd(t *testing.T) {
	s, c := begin(false)
	for i := range 4 {
		s.Committing()
		c.Advance(time.Second)
		var err error
		if i == 0 {
			err = errors.New("no")
		}
		s.Committed(err)
	}
	v := s.View()
	if v.Share(taskstats.Commits, taskstats.CommitFailures) != 0.75 || v.Share(taskstats.CommitFailures, taskstats.Commits) != 0.25 ||
		v.Avg(taskstats.CommitTime) != float64(time.Second) || !v.Committed.Equal(c.Now()) {
		t.Errorf("%v %v %v %s", v.Share(taskstats.Commits, taskstats.CommitFailures), v.Share(taskstats.CommitFailures, taskstats.Commits), v.Avg(taskstats.CommitTime), v.Committed)
	}
}

func TestView_LagIsWhatIsLeftToPutAndHowOldItCanBe(t *testing.T) {
	s, c := begin(true)
	s.Assigned([]taskstats.Partition{tp(0), tp(1)})
	s.CommittedOffsets([]taskstats.Offset{at(0, 5, time.Time{})})
	old := c.Now().Add(-time.Hour)
	s.ReadBatch(3, 30, []taskstats.Offset{at(0, 5, old)})
	s.Ends([]taskstats.Offset{at(0, 100, time.Time{}), at(1, 0, time.Time{})})
	v := s.View()
	if l := v.Lags[0]; l.Next != 5 || l.Committed != 5 || l.End != 100 || l.Records != 95 || l.Time != time.Hour {
		t.Errorf("before the first put: %+v", l)
	}
	if l := v.Lags[1]; l.Records != taskstats.Unknown || l.Next != taskstats.Unknown {
		t.Errorf("a partition of which nothing is known: %+v", l)
	}
	s.Enter(taskstats.PutCall)
	s.PutReturned(3, []taskstats.Offset{at(0, 8, old.Add(20*time.Minute))}, nil)
	if v = s.View(); v.LagRecords != 92 || v.LagTime != 40*time.Minute || v.Lags[0].Committed != 5 {
		t.Errorf("after a put: %d records, %s", v.LagRecords, v.LagTime)
	}
	s.PutReturned(92, []taskstats.Offset{at(0, 100, old)}, nil)
	if v = s.View(); v.LagRecords != 0 || v.LagTime != 0 {
		t.Errorf("at the end: %d records, %s", v.LagRecords, v.LagTime)
	}
	c.Advance(time.Hour)
	s.Ends([]taskstats.Offset{at(0, 100, time.Time{})})
	c.Advance(time.Second)
	s.Ends([]taskstats.Offset{at(0, 101, time.Time{})})
	if v = s.View(); v.LagRecords != 1 || v.LagTime != time.Second {
		t.Errorf("what came after an idle hour is a second old at most: %d records, %s", v.LagRecords, v.LagTime)
	}
	s.Forget([]taskstats.Partition{tp(0)})
	if v = s.View(); len(v.Lags) != 1 {
		t.Errorf("a partition that went: %+v", v.Lags)
	}
}

func TestStalled_OnlyWhereThereIsSomethingToMove(t *testing.T) {
	long := taskstats.StalledAfter
	behind := func(s *taskstats.Task) {
		s.CommittedOffsets([]taskstats.Offset{at(0, 0, time.Time{})})
		s.Ends([]taskstats.Offset{at(0, 10, time.Time{})})
	}
	for _, c := range []struct {
		what string
		sink bool
		do   func(s *taskstats.Task, c *clock.Fake)
		want string
	}{
		{"an idle source", false, func(_ *taskstats.Task, c *clock.Fake) { c.Advance(24 * time.Hour) }, ""},
		{"a source whose poll waits", false, func(s *taskstats.Task, c *clock.Fake) { s.Enter(taskstats.Poll); c.Advance(long - time.Second) }, ""},
		{"a source whose poll hangs", false, func(s *taskstats.Task, c *clock.Fake) { s.Enter(taskstats.Poll); c.Advance(long) }, "a call of poll has not returned for 1m0s"},
		{"polls that return with nothing", false, func(s *taskstats.Task, c *clock.Fake) {
			for range 100 {
				s.Enter(taskstats.Poll)
				c.Advance(time.Second)
				s.PollReturned(0)
			}
		}, ""},
		{"records that Kafka does not acknowledge", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Taken(5, 0, 1, 5, 0)
			c.Advance(long)
		}, "5 records are not acknowledged by Kafka, and none was for 1m0s"},
		{"records that come in while others are acknowledged", false, func(s *taskstats.Task, c *clock.Fake) {
			for range 100 {
				s.Taken(5, 0, 1, 5, 0)
				c.Advance(time.Second)
				s.Acknowledged(1, 0, 4)
			}
		}, ""},
		{"all acknowledged", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Taken(5, 0, 1, 5, 0)
			s.Acknowledged(5, 0, 0)
			c.Advance(long)
		}, ""},
		{"paused", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Taken(5, 0, 1, 5, 0)
			s.SetPaused(true)
			c.Advance(long)
		}, ""},
		{"after a pause it has its time anew", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Taken(5, 0, 1, 5, 0)
			s.SetPaused(true)
			c.Advance(long)
			s.SetPaused(false)
			c.Advance(long - time.Second)
		}, ""},
		{"after a suspension, and then not", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Taken(5, 0, 1, 5, 0)
			s.SetSuspended(true)
			c.Advance(long)
			s.SetSuspended(false)
			c.Advance(long)
		}, "5 records are not acknowledged by Kafka, and none was for 1m0s"},
		{"suspended", false, func(s *taskstats.Task, c *clock.Fake) {
			s.Enter(taskstats.Poll)
			s.SetSuspended(true)
			c.Advance(long)
		}, ""},
		{"a sink without partitions", true, func(_ *taskstats.Task, c *clock.Fake) { c.Advance(24 * time.Hour) }, ""},
		{"a sink at the end", true, func(s *taskstats.Task, c *clock.Fake) {
			s.CommittedOffsets([]taskstats.Offset{at(0, 10, time.Time{})})
			s.Ends([]taskstats.Offset{at(0, 10, time.Time{})})
			c.Advance(long)
			s.Ends([]taskstats.Offset{at(0, 10, time.Time{})})
		}, ""},
		{"a sink that puts nothing", true, func(s *taskstats.Task, c *clock.Fake) {
			behind(s)
			c.Advance(long)
			behind(s)
		}, "10 records are left to be put, and none was put for 1m0s"},
		{"a sink whose put fails again and again", true, func(s *taskstats.Task, c *clock.Fake) {
			behind(s)
			s.ReadBatch(5, 1, []taskstats.Offset{at(0, 0, c.Now())})
			for range 60 {
				s.Enter(taskstats.PutCall)
				s.PutReturned(5, nil, errors.New("no"))
				c.Advance(time.Second)
				s.Ends([]taskstats.Offset{at(0, 10, time.Time{})})
			}
		}, "10 records are left to be put, and none was put for 1m0s"},
		{"a sink that is slow", true, func(s *taskstats.Task, c *clock.Fake) {
			behind(s)
			for i := range int64(4) {
				c.Advance(long / 2)
				s.PutReturned(1, []taskstats.Offset{at(0, i, c.Now())}, nil)
				s.Ends([]taskstats.Offset{at(0, 10, time.Time{})})
			}
			c.Advance(long / 2)
		}, ""},
		{"a sink whose put hangs", true, func(s *taskstats.Task, c *clock.Fake) { s.Enter(taskstats.PutCall); c.Advance(long) }, "a call of put has not returned for 1m0s"},
	} {
		s, fake := begin(c.sink)
		c.do(s, fake)
		if v := s.View(); v.Stalled != c.want {
			t.Errorf("%s: %q, want %q", c.what, v.Stalled, c.want)
		}
	}
}

func TestStalled_NotBeforeThePluginHasStarted(t *testing.T) {
	c := clock.NewFake(time.Unix(1, 0))
	s := taskstats.New(taskstats.Identity{Connector: "c"}, c)
	s.Enter(taskstats.Start)
	c.Advance(time.Hour)
	if v := s.View(); v.Stalled != "" || v.Call != taskstats.Start || v.At.Sub(v.CallSince) != time.Hour {
		t.Errorf("%q: %s for %s", v.Stalled, v.Call, v.At.Sub(v.CallSince))
	}
}

func TestRegistry_HasWhatRunsAndOfTwoRunsTheNewer(t *testing.T) {
	c := clock.NewFake(time.Unix(1, 0))
	r := taskstats.NewRegistry()
	names := func(connector string) string {
		var out []string
		for _, v := range r.Views(connector) {
			out = append(out, v.Connector+"/"+string(rune('0'+v.Task)))
		}
		return strings.Join(out, " ")
	}
	first := taskstats.New(taskstats.Identity{Connector: "b", Task: 1}, c)
	first.Enter(taskstats.Poll)
	defer r.Add(first)()
	c.Advance(time.Second)
	defer r.Add(taskstats.New(taskstats.Identity{Connector: "b", Task: 1}, c))()
	gone := r.Add(taskstats.New(taskstats.Identity{Connector: "b", Task: 0}, c))
	defer r.Add(taskstats.New(taskstats.Identity{Connector: "a"}, c))()
	if got := names(""); got != "a/0 b/0 b/1" || r.Views("b")[1].Call != taskstats.None {
		t.Errorf("%s", got)
	}
	gone()
	if got := names("b"); got != "b/1" {
		t.Errorf("%s", got)
	}
	var none *taskstats.Registry
	none.Add(first)()
	if none.Views("") != nil {
		t.Error("a nil registry has something")
	}
}

func TestRegistry_SamplesUntilItEnds(t *testing.T) {
	c := clock.NewFake(time.Unix(1, 0))
	r := taskstats.NewRegistry()
	s := taskstats.New(taskstats.Identity{Connector: "b"}, c)
	defer r.Add(s)()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, c) }()
	for range 3 {
		for c.Waiters() == 0 {
			<-time.After(time.Millisecond)
		}
		c.Advance(taskstats.Every)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What a batch costs: a poll, its conversion, its handing over and one report.
func BenchmarkTask_SourceBatch(b *testing.B) {
	s := taskstats.New(taskstats.Identity{Connector: "c"}, clock.Real())
	b.ReportAllocs()
	for b.Loop() {
		s.Enter(taskstats.Poll)
		s.PollReturned(500)
		s.Enter(taskstats.Convert)
		s.Leave()
		s.Taken(500, 0, 50_000, 500, 1)
		s.Handed(500)
		s.Acknowledged(500, 0, 0)
	}
}

// What a batch of four partitions costs.
func BenchmarkTask_SinkBatch(b *testing.B) {
	s := taskstats.New(taskstats.Identity{Connector: "c", Sink: true}, clock.Real())
	offsets := []taskstats.Offset{at(0, 1, time.Unix(0, 0)), at(1, 1, time.Unix(0, 0)), at(2, 1, time.Unix(0, 0)), at(3, 1, time.Unix(0, 0))}
	b.ReportAllocs()
	for b.Loop() {
		s.ReadBatch(500, 50_000, offsets)
		s.Enter(taskstats.Convert)
		s.Enter(taskstats.PutCall)
		s.PutReturned(500, offsets, nil)
		s.Leave()
	}
}
