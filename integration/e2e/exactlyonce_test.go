package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// committed are the values of a topic's committed records, in order.
func (c *cluster) committed(topic string) (out []string) {
	c.t.Helper()
	_, err := kafkaio.ReadToEnd(limited(c.t), kafkaio.Client{"bootstrap.servers": c.kafka}, topic, kafkaio.ReadOptions{Logger: quiet()}, func(r kafkaio.Record) error {
		out = append(out, string(r.Value))
		return nil
	})
	if err != nil && !errors.Is(err, kafkaio.ErrUnknownTopic) {
		c.t.Fatal(err)
	}
	return out
}

// eachOnce wants every line of a file in a topic, once and in order.
func (c *cluster) eachOnce(topic string, n int) {
	c.t.Helper()
	got := c.committed(topic)
	for i, v := range got {
		if want := fmt.Sprintf("line %07d äöü", i); v != want {
			c.t.Fatalf("record %d of topic %s is %q, want %q", i, topic, v, want)
		}
	}
	if len(got) != n {
		c.t.Fatalf("topic %s has %d records, want %d", topic, len(got), n)
	}
}

func TestExactlyOnce_EveryLineOnceWhileExecutorsDie(t *testing.T) {
	c := newClusterWith(t, map[string]string{"exactly.once.source.support": "enabled"}, 2, 3)
	const n = 40_000
	in := text(t, n)
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1", "batch.size": "200", "exactly.once.support": "required", "offsets.storage.topic": "own-offsets"})
	for i := range 2 {
		await(t, "some lines", func() bool { return len(c.committed("lines")) > (i+1)*n/10 })
		holder := c.status("src").Tasks[0].WorkerID
		for j, x := range c.executors {
			if fmt.Sprintf("x%d:1", j+1) == holder {
				x.Kill()
			}
		}
	}
	await(t, "all lines", func() bool { return len(c.committed("lines")) >= n })
	c.eachOnce("lines", n)
	if got := c.newest("connect-configs", "read_committed")["tasks-fencing-src"]; got != `{"task-count":1}` {
		t.Errorf("the task count record is %s", got)
	}
	if o := c.offsets("src", "filename"); !strings.HasPrefix(o[in], `{"position":`) {
		t.Errorf("offsets %v", o)
	}
	// From the beginning, by the transactional id of the task.
	c.stopped("src")
	c.want("DELETE", "/connectors/src/offsets", nil, 200, "")
	c.want("PUT", "/connectors/src/resume", nil, 202, "")
	await(t, "all lines again", func() bool { return len(c.committed("lines")) == 2*n })
}

func TestExactlyOnce_ValidationSaysWhatIsMissing(t *testing.T) {
	c := newCluster(t, 1, 1)
	conf := map[string]string{"connector.class": "FileStreamSource", "file": text(t, 1), "topic": "lines", "tasks.max": "1", "exactly.once.support": "required"}
	code, body := c.call("PUT", "/connectors/src/config", conf)
	if code != 400 || !strings.Contains(body, "This worker does not have exactly-once source support enabled.") {
		t.Errorf("%d %s", code, body)
	}
	delete(conf, "exactly.once.support")
	conf["transaction.boundary"] = "connector"
	if code, body := c.call("PUT", "/connectors/src/config", conf); code != 400 || !strings.Contains(body, "does not support connector-defined transaction boundaries") {
		t.Errorf("%d %s", code, body)
	}
}

func TestExactlyOnce_ACutOverFromKafkaConnectFencesAllTasksThatItHad(t *testing.T) {
	c := newClusterWith(t, map[string]string{"exactly.once.source.support": "enabled"}, 1, 1)
	old := c.connect("e2e", "connect-configs", "connect-offsets", "connect-status")
	in := text(t, 10)
	old.has("src", "STARTED", "connector.class", "FileStreamSource", "file", in, "topic", "lines", "tasks.max", "1")
	old.put("connect-configs", "tasks-fencing-src", []byte(`{"task-count":3}`))
	// A worker that hangs has a transaction open of its third task; Sluice has one.
	ctx := limited(t)
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": c.kafka}, TransactionalID: "e2e-src-2", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = errors.Join(p.InitTransactions(ctx), p.Begin(), p.Deliver(ctx, []kafkaio.Message{{Topic: "lines", Partition: -1, Value: []byte("zombie"), Timestamp: -1}}))
	if err != nil {
		t.Fatal(err)
	}
	old.must("from-connect", "--executor-properties", old.properties)
	c.running("src", 1)
	if err := p.Commit(ctx); !errors.Is(err, kafkaio.ErrFenced) {
		t.Errorf("the old worker's commit: %v", err)
	}
	await(t, "all lines", func() bool { return len(c.committed("lines")) == 10 })
	c.eachOnce("lines", 10)
}

func TestExactlyOnce_ATaskThatNobodyFollowsIsFencedBeforeNewOnesStart(t *testing.T) {
	c := newClusterWith(t, map[string]string{"exactly.once.source.support": "enabled"}, 1, 2)
	conf := map[string]string{"connector.class": "VerifiableSource", "topic": "counted", "tasks.max": "2", "throughput": "50"}
	c.create("src", conf)
	c.running("src", 2)
	ctx := limited(t)
	holder := c.status("src").Tasks[1].WorkerID
	c.executors[holder[1]-'1'].Kill()
	conf["tasks.max"] = "1"
	c.want("PUT", "/connectors/src/config", conf, 200, "")
	await(t, "one task runs", func() bool {
		s := c.status("src")
		return len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING" && s.Tasks[0].WorkerID != holder
	})
	await(t, "the fence is not owed any more", func() bool { return len(c.replicas[0].Store().View().Lapsed) == 0 })
	before := len(c.committed("counted"))
	await(t, "it goes on", func() bool { return len(c.committed("counted")) > before })
	// The id was used: whoever had it is fenced, and it can be used again.
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": c.kafka}, TransactionalID: "e2e-src-1", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.InitTransactions(ctx); err != nil {
		t.Error(err)
	}
}
