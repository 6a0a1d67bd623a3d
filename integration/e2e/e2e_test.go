package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/internal/unit"
)

func TestEveryLineArrives_WhileTheLeaderAndAnExecutorAreKilled(t *testing.T) {
	c := newCluster(t, 2, 3)
	const n = 60_000
	in := text(t, n)
	out := filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1", "batch.size": "200"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1",
		"consumer.override.metadata.max.age.ms": "200", "consumer.override.max.poll.records": "100"})
	await(t, "the first lines", func() bool { return len(lines(out)) > 0 })
	// The leader, in mid-stream.
	c.replicas[0].Kill()
	// The executor that has the sink's task, in mid-stream.
	view := c.replicas[1].Store().View()
	holder := ""
	if a := view.Assignments[unit.Task("dst", 0)]; a != nil {
		holder = a.Value.GetExecutor()
	}
	killed := false
	for i, x := range c.executors {
		if holder == fmt.Sprintf("x%d:1", i+1) {
			x.Kill()
			killed = true
		}
	}
	if !killed {
		t.Fatalf("nobody holds the sink's task (%q)", holder)
	}
	await(t, "every line", func() bool { return len(lines(out)) == n })
	want := lines(in)
	for l := range lines(out) {
		if want[l] == 0 {
			t.Fatalf("a line that was never written: %q", l)
		}
	}
	await(t, "the sink runs elsewhere", func() bool {
		s := c.status("dst")
		return len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING" && s.Tasks[0].WorkerID != holder
	})
}

func TestLifecycle_PauseStopResumeRestartDelete(t *testing.T) {
	c := newCluster(t, 1, 1)
	in := text(t, 10)
	out := filepath.Join(t.TempDir(), "out.txt")
	conf := map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"}
	c.create("src", conf)
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	c.running("src", 1)
	c.running("dst", 1)
	await(t, "ten lines", func() bool { return len(lines(out)) == 10 })
	state := func(name, connector, task string) {
		t.Helper()
		await(t, name+" is "+connector, func() bool {
			s := c.status(name)
			return s.Connector.State == connector && (task == "" && len(s.Tasks) == 0 || len(s.Tasks) == 1 && s.Tasks[0].State == task)
		})
	}
	more := func(text string) {
		t.Helper()
		f, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		c.check(f.Close())
	}
	put := func(path string, want int) {
		t.Helper()
		method := "PUT"
		if strings.HasSuffix(path, "restart") {
			method = "POST"
		}
		if code, body := c.call(method, path, nil); code != want {
			t.Fatalf("%s: %d %s", path, code, body)
		}
	}
	put("/connectors/src/pause", 202)
	state("src", "PAUSED", "PAUSED")
	more("while paused\n")
	put("/connectors/src/resume", 202)
	state("src", "RUNNING", "RUNNING")
	await(t, "the line of the pause", func() bool { return len(lines(out)) == 11 })
	put("/connectors/src/stop", 204)
	state("src", "STOPPED", "")
	more("while stopped\n")
	put("/connectors/src/resume", 202)
	await(t, "the line of the stop, once", func() bool { return lines(out)["while stopped\n"] == 1 })
	put("/connectors/src/tasks/0/restart", 204)
	put("/connectors/src/restart", 204)
	state("src", "RUNNING", "RUNNING")
	more("after the restart\n")
	await(t, "the line after the restart", func() bool { return lines(out)["after the restart\n"] == 1 })
	if code, body := c.call("DELETE", "/connectors/dst", nil); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	await(t, "the sink has left its group", func() bool {
		g := c.kfake.GroupInfo("connect-dst")
		return g == nil || len(g.Members) == 0
	})
	if code, _ := c.call("GET", "/connectors/dst", nil); code != 404 {
		t.Errorf("a deleted connector answers %d", code)
	}
	for l, n := range lines(out) {
		if n != 1 {
			t.Errorf("line %q came %d times", l, n)
		}
	}
}
