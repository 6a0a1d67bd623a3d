package e2e

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// progress is one task of GET /v1/connectors/{name}/progress: proto JSON writes 64-bit numbers as strings.
type progress struct {
	Task                                                                         int
	State, Executor, Reason                                                      string
	Known                                                                        bool
	Records, Bytes, LagRecords, Unacknowledged                                   string
	LastPolledMs, LastProducedMs, LastPutMs, LastAcknowledgedMs, LastCommittedMs string
	Partitions                                                                   []struct{ Topic, NextOffset, CommittedOffset, EndOffset, LagRecords string }
}

func TestProgress_IsAskedOfTheExecutorsThroughAnyReplicaAndWritesNothing(t *testing.T) {
	c := newCluster(t, 2, 2)
	const n = 2000
	in, out := text(t, n), filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "200"})
	of := func(name string) (p progress) {
		t.Helper()
		code, body := c.call("GET", "/v1/connectors/"+name+"/progress", nil)
		var got struct{ Tasks []progress }
		if err := json.Unmarshal([]byte(body), &got); code != 200 || err != nil {
			t.Fatalf("%d %s %v", code, body, err)
		}
		if len(got.Tasks) == 1 {
			p = got.Tasks[0]
		}
		return p
	}
	all := strconv.Itoa(n)
	await(t, "everything through and committed", func() bool {
		s, d := of("src"), of("dst")
		return s.Records == all && s.Unacknowledged == "0" && s.LastCommittedMs > s.LastAcknowledgedMs &&
			d.Records == all && d.LagRecords == "0" && d.LastCommittedMs > d.LastPutMs && len(d.Partitions) > 0
	})
	recent := func(what, ms string) {
		t.Helper()
		n, err := strconv.ParseInt(ms, 10, 64)
		if err != nil || time.Since(time.UnixMilli(n)) > time.Minute { //nolint:forbidigo // a server's own time
			t.Errorf("%s: %q", what, ms)
		}
	}
	s, d := of("src"), of("dst")
	for what, at := range map[string]string{"polled": s.LastPolledMs, "produced": s.LastProducedMs, "acknowledged": s.LastAcknowledgedMs, "committed": s.LastCommittedMs,
		"consumed": d.LastPolledMs, "put": d.LastPutMs, "sink committed": d.LastCommittedMs} {
		recent(what, at)
	}
	if s.State != "RUNNING" || !s.Known || s.Executor == "" || s.Reason != "" || s.Bytes == "0" {
		t.Errorf("%+v", s)
	}
	if code, body := c.call("GET", "/v1/connectors/nope/progress", nil); code != 404 {
		t.Errorf("%d %s", code, body)
	}
	revision := c.replicas[0].Store().View().Revision
	for range 20 { // the gateway asks the replicas in turn
		if p := of("dst"); !p.Known || p.Records != all {
			t.Fatalf("%+v", p)
		}
	}
	for range 10 {
		of("src")
	}
	if now := c.replicas[0].Store().View().Revision; now != revision {
		t.Errorf("asking wrote to the store: revision %d, then %d", revision, now)
	}
}
