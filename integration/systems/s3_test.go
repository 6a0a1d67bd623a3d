//go:build integration

package systems

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	root       = "../.."
	partitions = 4
	// perFile divides what each partition gets, so that every record is in a file at the end.
	perFile = 500
)

// s3Job is a cluster with a topic, and a store.
type s3Job struct {
	*harness.Cluster
	t      *testing.T
	kafka  *harness.Kafka
	store  *harness.S3
	python string
	client *kgo.Client
}

func beginS3(t *testing.T) *s3Job {
	t.Helper()
	python := harness.Python(t, "fastavro-1.13.1-pyarrow-26.0.1", "fastavro==1.13.1", "pyarrow==26.0.1", "cramjam==2.14.0")
	store := harness.StartS3(t)
	kafka := harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Executors: []string{"default", "default"}, TTL: 4 * time.Second, Margin: 3 * time.Second, Kafka: kafka, Root: root}, harness.Release(t, root))
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &s3Job{Cluster: c, t: t, kafka: kafka, store: store, python: python, client: client}
}

// topic makes one.
func (j *s3Job) topic(name string) {
	j.t.Helper()
	j.kafka.Tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", j.kafka.Addr, "--create", "--topic", name, "--partitions", strconv.Itoa(partitions))
}

// produce writes the records from..to, with a schema, spread over the partitions.
func (j *s3Job) produce(topic string, from, to int) {
	j.t.Helper()
	const schema = `{"type":"struct","name":"org.example.Line","version":1,"fields":[{"type":"int64","field":"n","optional":false},{"type":"string","field":"text","optional":true}]}`
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.t.Context()), 2*time.Minute)
	defer cancel()
	for n := from; n < to; n++ {
		v := fmt.Sprintf(`{"schema":%s,"payload":{"n":%d,"text":"record %d"}}`, schema, n, n)
		j.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(n % partitions), Value: []byte(v)}, nil)
	}
	if err := j.client.Flush(ctx); err != nil {
		j.t.Fatal(err)
	}
}

// sink is a config.
func (j *s3Job) sink(topic, bucket, format string, more map[string]string) map[string]string {
	out := map[string]string{"connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": topic, "tasks.max": "2",
		"s3.bucket.name": bucket, "s3.region": "us-east-1", "store.url": j.store.URL, "aws.access.key.id": j.store.Key, "aws.secret.access.key": j.store.Secret,
		"format.class": "io.confluent.connect.s3.format." + format, "flush.size": strconv.Itoa(perFile), "retry.backoff.ms": "500",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter"}
	maps.Copy(out, more)
	return out
}

// objects is how many a bucket has.
func objects(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, ".sgwtmp") {
			n++
		}
		return nil
	})
	return n
}

// awaitAll waits until a bucket has all records, and reads them back.
func (j *s3Job) awaitAll(dir string, records int) {
	j.t.Helper()
	want := records / perFile
	harness.Await(j.t, fmt.Sprintf("%s has %d objects", filepath.Base(dir), want), 4*time.Minute, func() bool { return objects(dir) >= want })
	got := strings.TrimSpace(harness.RunPython(j.t, j.python, "testdata/readback.py", dir))
	j.t.Logf("%s: %s", filepath.Base(dir), got)
	if all := fmt.Sprintf("records=%[1]d distinct=%[1]d least=0 most=%[2]d files=%[3]d", records, records-1, want); got != all {
		j.t.Errorf("%s: %s, want %s", filepath.Base(dir), got, all)
	}
}

var formats = map[string]string{"json": "json.JsonFormat", "avro": "avro.AvroFormat", "parquet": "parquet.ParquetFormat"}

// kills is how often an executor is killed: CHAOS_KILLS, else 3.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("CHAOS_KILLS")); err == nil && n > 0 {
		return n
	}
	return 3
}

func TestChaosS3_EveryRecordIsInExactlyOneObjectWhateverDies(t *testing.T) {
	j := beginS3(t)
	const records = 100_000
	j.topic("lines")
	dirs := map[string]string{}
	for name, format := range formats {
		dirs[name] = j.store.Bucket(t, name+"-lines")
		more := map[string]string{"avro.codec": "snappy"}
		if name == "json" {
			more["s3.compression.type"] = "gzip"
		}
		j.Put(t, name, j.sink("lines", name+"-lines", format, more))
	}
	for name := range formats {
		j.AwaitRunning(t, name, 2)
	}
	n := kills()
	step := records / (n + 2)
	for i := range n {
		j.produce("lines", i*step, (i+1)*step)
		before := objects(j.store.Dir)
		harness.Await(t, "objects come", 2*time.Minute, func() bool { return objects(j.store.Dir) > before })
		x := j.Executors[rand.IntN(len(j.Executors))]
		x.Kill()
		x.Start()
		j.AwaitHealthy(x)
	}
	// The store goes away too, in the middle.
	j.produce("lines", n*step, (n+1)*step)
	j.store.Kill()
	j.produce("lines", (n+1)*step, records)
	j.store.Start()
	j.store.AwaitListening(t)
	for name := range formats {
		j.awaitAll(dirs[name], records)
		if s, ok := j.Status(name); !ok {
			t.Errorf("%s has no status", name)
		} else {
			for _, task := range s.Tasks {
				if task.State == "FAILED" {
					t.Errorf("%s: %s", name, task.Trace)
				}
			}
		}
	}

	t.Run("a store that is busy, and resets connections, is waited for", func(t *testing.T) {
		proxy := startMoody(t, j.store.URL, `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`, func(http.ResponseWriter, *http.Request) bool { return true })
		proxy.on.Store(true)
		dir := j.store.Bucket(t, "moody")
		j.Put(t, "moody", j.sink("lines", "moody", formats["json"], map[string]string{"store.url": proxy.URL}))
		j.awaitAll(dir, records)
		if proxy.refused.Load() == 0 {
			t.Error("the proxy refused nothing")
		}
		s, ok := j.Status("moody")
		for _, task := range s.Tasks {
			if !ok || task.State != "RUNNING" {
				t.Errorf("task %d is %s: %s", task.ID, task.State, task.Trace)
			}
		}
		t.Logf("%d requests were refused", proxy.refused.Load())
	})
	t.Run("a wrong secret fails the task, and says which key", func(t *testing.T) {
		j.failsWith(t, "wrong-secret", j.sink("lines", "json-lines", formats["json"], map[string]string{"aws.secret.access.key": "not-the-one"}),
			"aws.access.key.id and aws.secret.access.key", "refuses the credentials")
	})
	t.Run("a missing bucket fails the task, and another try finds it", func(t *testing.T) {
		j.failsWith(t, "missing-bucket", j.sink("lines", "not-there-yet", formats["json"], nil), "s3.bucket.name", "not-there-yet")
		j.store.Bucket(t, "not-there-yet")
		if code, text, err := harness.Call("POST", j.REST(0)+"/connectors/missing-bucket/restart?includeTasks=true", nil); err != nil || code/100 != 2 {
			t.Fatal(code, text, err)
		}
		harness.Await(t, "objects come into the new bucket", 2*time.Minute, func() bool { return objects(filepath.Join(j.store.Dir, "not-there-yet")) > 0 })
	})
}

// failsWith waits until all tasks have failed, with words in their traces, and without the secret.
func (j *s3Job) failsWith(t *testing.T, name string, config map[string]string, words ...string) {
	t.Helper()
	j.Put(t, name, config)
	harness.Await(t, name+" fails", time.Minute, func() bool {
		s, ok := j.Status(name)
		if !ok || len(s.Tasks) == 0 {
			return false
		}
		for _, task := range s.Tasks {
			if task.State != "FAILED" {
				return false
			}
			for _, w := range words {
				if !strings.Contains(task.Trace, w) {
					t.Fatalf("%q is not in %s", w, task.Trace)
				}
			}
			if strings.Contains(task.Trace, config["aws.secret.access.key"]) {
				t.Fatal("the trace says the secret")
			}
		}
		return true
	})
}
