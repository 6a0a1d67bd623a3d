package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestKafkaAwayInTheMiddle_NothingFailsAndEveryLineArrives(t *testing.T) {
	dir, port := t.TempDir(), 0
	open := func() *kfake.Cluster {
		t.Helper()
		opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "lines"), kfake.DataDir(dir), kfake.GroupMinSessionTimeout(time.Second)}
		if port != 0 {
			opts = append(opts, kfake.Ports(port))
		}
		k, err := kfake.NewCluster(opts...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	address := k.ListenAddrs()[0]
	var err error
	if port, err = strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:]); err != nil {
		t.Fatal(err)
	}
	c := newClusterOn(t, address, nil, 1, 1)
	const n = 40_000
	in, out := text(t, n), filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1", "batch.size": "100"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.max.poll.records": "20"})
	await(t, "the first lines", func() bool { return len(lines(out)) > 0 })
	k.Close()
	// Long enough for the clients to notice, and for a flush of offsets to fail.
	before := c.status("src")
	await(t, "two seconds without Kafka", after(2*time.Second))
	if s := c.status("src"); s.Connector.State != "RUNNING" || len(s.Tasks) != 1 || s.Tasks[0].State != "RUNNING" {
		t.Errorf("the source does not wait for Kafka: %+v, before %+v", s, before)
	}
	k = open()
	t.Cleanup(k.Close)
	await(t, "every line", func() bool { return len(lines(out)) >= n })
	c.running("src", 1)
	c.running("dst", 1)
}

// after is a condition that is true once d is over.
func after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

func TestKafkaAwayAtStart_IsSaidAndNothingIsCreated(t *testing.T) {
	p := start(t, binary(t), "dev", "--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--bootstrap-servers", "127.0.0.1:1", "--log-level", "error")
	c := &cluster{t: t, rest: p.rest}
	if code, body := c.call("POST", "/connectors", map[string]any{"name": "a", "config": map[string]string{"connector.class": "FileStreamSource", "topic": "t"}}); code != 503 || !strings.Contains(body, "executor") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := c.call("GET", "/connectors", nil); code != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("%d %s", code, body)
	}
}

func TestATopicThatCannotBeCreated_FailsTheTaskWithItsName(t *testing.T) {
	c := newCluster(t, 1, 1)
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": text(t, 10), "topic": "wide", "tasks.max": "1",
		"topic.creation.default.replication.factor": "3", "topic.creation.default.partitions": "1", "topic.creation.default.cleanup.policy": "nonsense"})
	await(t, "FAILED", func() bool {
		s := c.status("src")
		return len(s.Tasks) == 1 && s.Tasks[0].State == "FAILED" && strings.Contains(s.Tasks[0].Trace, `"wide"`)
	})
}

func TestAMissingFile_IsWaitedForAsInKafkaConnect(t *testing.T) {
	c := newCluster(t, 1, 1)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	c.running("src", 1)
	if err := os.WriteFile(in, []byte("it came\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the line", func() bool { return lines(out)["it came\n"] == 1 })
}
