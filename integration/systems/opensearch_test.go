//go:build integration

package systems

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	searchUser, searchPassword = "sluice", "swordfish-8812"
	// keys is how many different keys the records have; partitions divides it, so that a key's are in one partition.
	keys = 10_000
)

// searchJob is a cluster with a topic, and a search server behind a proxy that wants a password and refuses requests now and then.
type searchJob struct {
	*harness.Cluster
	t      *testing.T
	kafka  *harness.Kafka
	server *harness.OpenSearch
	proxy  *moody
	client *kgo.Client
}

func beginSearch(t *testing.T) *searchJob {
	t.Helper()
	kafka := harness.StartKafka(t, root)
	j := &searchJob{t: t, kafka: kafka, server: harness.StartOpenSearch(t, root)}
	j.proxy = startMoody(t, j.server.URL, `{"error":{"type":"es_rejected_execution_exception","reason":"rejected"},"status":429}`, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		if user, password, _ := r.BasicAuth(); user != searchUser || password != searchPassword {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}`)
			return false
		}
		return true
	})
	j.Cluster = harness.Start(t, harness.Options{Executors: []string{"default", "default"}, TTL: 4 * time.Second, Margin: 3 * time.Second, Kafka: kafka, Root: root}, harness.Release(t, root))
	var err error
	if j.client, err = kgo.NewClient(kgo.SeedBrokers(kafka.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.client.Close)
	return j
}

// produce writes the records from..to, spread over the partitions. value makes a record's, nil the usual one.
func (j *searchJob) produce(topic string, from, to int, value func(n int) string) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.t.Context()), 2*time.Minute)
	defer cancel()
	for n := from; n < to; n++ {
		v := fmt.Sprintf(`{"n":%d,"text":"record %d"}`, n, n)
		if value != nil {
			v = value(n)
		}
		j.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(n % partitions), Key: []byte("key " + strconv.Itoa(n%keys)), Value: []byte(v)}, nil)
	}
	if err := j.client.Flush(ctx); err != nil {
		j.t.Fatal(err)
	}
}

// sink is a config; records go to the index <name>-<topic>.
func (j *searchJob) sink(name, topic string, more map[string]string) map[string]string {
	out := map[string]string{"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "topics": topic, "tasks.max": "2",
		"connection.url": j.server.URL, "schema.ignore": "true", "max.retries": "3", "read.timeout.ms": "20000",
		"sluice.restart.delay.ms": "500", "sluice.restart.delay.max.ms": "2000",
		"transforms": "to", "transforms.to.type": "org.apache.kafka.connect.transforms.RegexRouter", "transforms.to.regex": ".*", "transforms.to.replacement": name + "-$0",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
	maps.Copy(out, more)
	return out
}

// awaitAll waits until an index has so many documents, and holds what they are against those of the newest records.
func (j *searchJob) awaitAll(index string, records, documents int) {
	j.t.Helper()
	first := records - documents
	sum := float64(records+first-1) * float64(documents) / 2
	var count int
	var least, most, got float64
	harness.Await(j.t, fmt.Sprintf("%s has %d documents, the last of each id", index, documents), 4*time.Minute, func() bool {
		count, least, most, got = j.server.Stats(index, "n")
		return count >= documents && got >= sum
	})
	j.t.Logf("%s: %d documents, n from %.0f to %.0f, sum %.0f", index, count, least, most, got)
	if count != documents || int(least) != first || int(most) != records-1 || got != sum {
		j.t.Errorf("%s has %d documents, n from %.0f to %.0f, sum %.0f; want %d, %d, %d, %.0f", index, count, least, most, got, documents, first, records-1, sum)
	}
}

func TestChaosOpenSearch_EveryRecordIsThereOnceWhateverDies(t *testing.T) {
	j := beginSearch(t)
	const records = 100_000
	j.kafka.Tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", j.kafka.Addr, "--create", "--topic", "lines", "--partitions", strconv.Itoa(partitions))
	moody := map[string]string{"connection.url": j.proxy.URL, "connection.username": searchUser, "connection.password": searchPassword}
	upserts := map[string]string{"write.method": "upsert"}
	maps.Copy(upserts, moody)
	sinks := map[string]map[string]string{"place": {"key.ignore": "true"}, "key": moody, "upsert": upserts}
	for name, more := range sinks {
		j.Put(t, name, j.sink(name, "lines", more))
	}
	for name := range sinks {
		j.AwaitRunning(t, name, 2)
	}
	j.proxy.on.Store(true)
	begin := time.Now()
	n := kills()
	step := records / (n + 2)
	written := func() int { count, _, _, _ := j.server.Stats("place-lines", "n"); return count }
	for i := range n {
		j.produce("lines", i*step, (i+1)*step, nil)
		at := i*step + rand.IntN(step)
		harness.Await(t, fmt.Sprintf("%d documents are there", at), 2*time.Minute, func() bool { return written() > at })
		x := j.Executors[rand.IntN(len(j.Executors))]
		t.Logf("kill -9 of %s with %d of %d documents there", x.Name, written(), records)
		x.Kill()
		x.Start()
		j.AwaitHealthy(x)
	}
	// The server goes away too, in the middle.
	j.produce("lines", n*step, (n+1)*step, nil)
	j.server.Kill()
	j.produce("lines", (n+1)*step, records, nil)
	j.server.Start()
	j.server.AwaitAnswers()
	j.awaitAll("place-lines", records, records)
	j.awaitAll("key-lines", records, keys)
	j.awaitAll("upsert-lines", records, keys)
	t.Logf("3 x %d records into OpenSearch, with %d kills and a server that went away, after %s", records, n, time.Since(begin).Round(time.Second))
	j.proxy.on.Store(false)
	for name := range sinks {
		j.AwaitRunningInTheEnd(t, name, 2)
	}
	t.Run("a mapping conflict goes to the dead letter queue alone", j.conflicts)
	t.Run("a wrong password fails the task, and says which key", j.wrongPassword)
	for _, x := range j.Executors {
		if n := x.Said(searchPassword); n > 0 {
			t.Errorf("%s has the password in %d lines of its log", x.Name, n)
		}
	}
}

func (j *searchJob) conflicts(t *testing.T) {
	const all, every = 1000, 100
	j.kafka.Tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", j.kafka.Addr, "--create", "--topic", "mixed", "--partitions", strconv.Itoa(partitions))
	j.server.Do(http.MethodPut, "/typed-mixed", `{"mappings":{"properties":{"n":{"type":"long"}}}}`, nil)
	bad := map[string]bool{}
	j.produce("mixed", 0, all, func(n int) string {
		if n%every != 0 {
			return fmt.Sprintf(`{"n": %d}`, n)
		}
		v := fmt.Sprintf(`{"n":   "no number, %d"}`, n) // with blanks, which no converter would write
		bad[v] = true
		return v
	})
	j.Put(t, "typed", j.sink("typed", "mixed", map[string]string{"behavior.on.malformed.documents": "warn", "errors.tolerance": "all",
		"errors.deadletterqueue.topic.name": "mixed-refused", "errors.deadletterqueue.topic.replication.factor": "1"}))
	harness.Await(t, "the good ones are there", 2*time.Minute, func() bool { count, _, _, _ := j.server.Stats("typed-mixed", "n"); return count == all-all/every })
	client, err := kgo.NewClient(kgo.SeedBrokers(j.kafka.Addr), kgo.ConsumeTopics("mixed-refused"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for seen := 0; seen < len(bad); {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d letters came: %v", seen, len(bad), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if seen++; !bad[string(r.Value)] {
				t.Errorf("a letter is %s, which is not what was consumed", r.Value)
			}
		})
	}
	if s, ok := j.Status("typed"); !ok || s.Tasks[0].State != "RUNNING" {
		t.Errorf("%+v", s)
	}
}

func (j *searchJob) wrongPassword(t *testing.T) {
	config := j.sink("late", "lines", map[string]string{"connection.url": j.proxy.URL, "connection.username": searchUser, "connection.password": "not-the-one-4411", "key.ignore": "true"})
	j.Put(t, "late", config)
	harness.Await(t, "all tasks fail", time.Minute, func() bool {
		s, ok := j.Status("late")
		if !ok || len(s.Tasks) != 2 {
			return false
		}
		for _, task := range s.Tasks {
			if task.State != "FAILED" {
				return false
			}
			for _, w := range []string{"connection.username and connection.password", searchUser, strings.TrimPrefix(j.proxy.URL, "http://")} {
				if !strings.Contains(task.Trace, w) {
					t.Fatalf("%q is not in %s", w, task.Trace)
				}
			}
			if strings.Contains(task.Trace, "4411") {
				t.Fatal("the trace says the password")
			}
		}
		return true
	})
	config["connection.password"] = searchPassword
	j.Put(t, "late", config)
	j.awaitAll("late-lines", 100_000, 100_000)
}
