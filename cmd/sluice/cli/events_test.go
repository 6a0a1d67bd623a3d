package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestEvents_AreALineEach(t *testing.T) {
	o := &options{output: "table", clock: clock.NewFake(time.Date(2020, 1, 2, 3, 4, 5, 0, time.Local))}
	var b bytes.Buffer
	for _, e := range []*sluicev1.Event{
		{Type: "connector.config_changed", Connector: "a", Detail: &sluicev1.Event_Config{Config: &sluicev1.ConfigChange{ChangedKeys: []string{"k", "l"}}}},
		{Type: "status.changed", Connector: "a", Unit: "task:a/0", Executor: "x:1", Detail: &sluicev1.Event_Status{Status: &sluicev1.StatusChange{To: sluicev1.State_STATE_FAILED, Trace: "boom\n\tat x"}}},
		{Type: "status.changed", Connector: "a", Unit: "task:a/0", Executor: "x:1", Detail: &sluicev1.Event_Status{Status: &sluicev1.StatusChange{To: sluicev1.State_STATE_FAILED, Trace: "boom",
			AutoRestart: &sluicev1.AutoRestart{ErrorClass: "transient", Attempt: 2, Attempts: 100, NextMs: 1_700_000_000_000}}}},
		{Type: "status.changed", Connector: "a", Unit: "task:a/0", Executor: "x:1", Detail: &sluicev1.Event_Status{Status: &sluicev1.StatusChange{To: sluicev1.State_STATE_FAILED, Trace: "boom",
			AutoRestart: &sluicev1.AutoRestart{ErrorClass: "data", Reason: "x"}}}},
		{Type: "assignment.moved", Unit: "task:a/0", Executor: "x:2", Detail: &sluicev1.Event_Assignment{Assignment: &sluicev1.AssignmentChange{From: "x:1"}}},
		{Type: "reset", Detail: &sluicev1.Event_Gap{Gap: &sluicev1.StreamGap{Reason: "compacted"}}},
	} {
		if err := o.printEvent(&b, &sluicev1.WatchEventsResponse{Id: "7", Event: e}); err != nil {
			t.Fatal(err)
		}
	}
	want := `03:04:05  7  connector.config_changed  a  k,l
03:04:05  7  status.changed  task:a/0  x:1  FAILED  boom
03:04:05  7  status.changed  task:a/0  x:1  FAILED  boom  again: 2/100 at 2023-11-14T22:13:20Z (transient)
03:04:05  7  status.changed  task:a/0  x:1  FAILED  boom  again: no (data)
03:04:05  7  assignment.moved  task:a/0  x:2  from x:1
03:04:05  7  reset  compacted
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
