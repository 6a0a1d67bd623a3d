package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatASinkCannotReadIsInItsDeadLetterQueueAndItsOffsetIsCommitted(t *testing.T) {
	c := newCluster(t, 1, 1)
	dir := t.TempDir()
	in, out, dead := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "dead")
	if err := os.WriteFile(in, []byte("1\n{oops\n2\n\"open\n3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200",
		"value.converter": "JsonConverter", "value.converter.schemas.enable": "false", "errors.tolerance": "all",
		"errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true"})
	c.create("look", map[string]string{"connector.class": "FileStreamSink", "file": dead, "topics": "dead", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	await(t, "three lines, and two dead letters as they were", func() bool {
		d := lines(dead)
		return len(lines(out)) == 3 && len(d) == 2 && d["{oops\n"] == 1 && d["\"open\n"] == 1
	})
	await(t, "the offset", func() bool { return c.offsets("dst", "kafka_topic")["lines"] == `{"kafka_offset":5}` })
}
