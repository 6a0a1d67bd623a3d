//go:build integration

package cluster

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sluice-project/sluice/integration/harness"
	"github.com/sluice-project/sluice/integration/harness/witness"
)

// place is where a record is in the topic that is watched.
type place struct {
	partition int32
	offset    int64
}

// watched is a topic that the test writes, and what became of its records in sinks that read it.
type watched struct {
	t          *testing.T
	kc         *kgo.Client
	topic      string
	partitions int32
	dir        string

	mu      sync.Mutex
	written map[place]bool // what Kafka has acknowledged; whether the record is broken: no JSON
	failed  error
}

// watch makes a topic.
func watch(t *testing.T, addr, topic string, partitions int32) *watched {
	t.Helper()
	kc, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MaxVersions(kversion.V2_8_0()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kc.Close)
	w := &watched{t: t, kc: kc, topic: topic, partitions: partitions, dir: t.TempDir(), written: map[place]bool{}}
	w.create(topic, partitions)
	return w
}

func (w *watched) create(topic string, partitions int32) {
	w.t.Helper()
	req, t := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 10_000
	res, err := req.RequestWith(w.t.Context(), w.kc)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
	}
	if err != nil {
		w.t.Fatalf("creating topic %s: %v", topic, err)
	}
	harness.Await(w.t, "topic "+topic+" is served", time.Minute, func() bool {
		_, err := w.ask(topic, readUncommitted)
		return err == nil
	})
}

// Isolation levels.
const (
	readUncommitted int8 = iota
	readCommitted
)

// end is the offset after the last record of partition 0 of a topic; with readCommitted, where the first open transaction begins.
func (w *watched) end(topic string, isolation int8) int64 {
	w.t.Helper()
	end, err := w.ask(topic, isolation)
	if err != nil {
		w.t.Fatalf("asking for the end of %s: %v", topic, err)
	}
	return end
}

func (w *watched) ask(topic string, isolation int8) (end int64, err error) {
	req, t, p := kmsg.NewPtrListOffsetsRequest(), kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1 // the latest
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.ReplicaID, req.IsolationLevel, req.Topics = -1, isolation, append(req.Topics, t)
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	res, err := req.RequestWith(ctx, w.kc)
	if err != nil {
		return 0, err
	}
	it := res.Topics[0].Partitions[0]
	return it.Offset, kerr.ErrorForCode(it.ErrorCode)
}

// reader reads partition 0 of a topic from its beginning.
func (w *watched) reader(topic string, opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	kc, err := kgo.NewClient(append(append(w.kc.Opts(), opts...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		w.t.Fatal(err)
	}
	return kc
}

// each reads partition 0 of a topic from its beginning to an end, control records too.
func (w *watched) each(topic string, end int64, do func(r *kgo.Record)) {
	w.t.Helper()
	reader := w.reader(topic, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer reader.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	for at := int64(0); at < end; {
		f := reader.PollFetches(ctx)
		if err := f.Err(); err != nil {
			w.t.Fatalf("reading %s at %d of %d: %v", topic, at, end, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			do(r)
		})
	}
}

// write produces a record.
func (w *watched) write(ctx context.Context, partition int32, broken bool) {
	value := "1"
	if broken {
		value = "{oops"
	}
	w.kc.Produce(ctx, &kgo.Record{Topic: w.topic, Partition: partition, Value: []byte(value)}, func(r *kgo.Record, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.failed = err
			return
		}
		w.written[place{r.Partition, r.Offset}] = broken
	})
}

// trickle writes five hundred records a second to partitions at random until ctx ends, one in twenty broken.
func (w *watched) trickle(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for range 10 {
				w.write(context.WithoutCancel(ctx), rand.Int32N(w.partitions), rand.IntN(20) == 0) //nolint:gosec // any will do
			}
		}
	}()
	return func() {
		w.t.Helper()
		<-done
		w.flush()
	}
}

// flush waits until Kafka has everything.
func (w *watched) flush() {
	w.t.Helper()
	err := w.kc.Flush(w.t.Context())
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.failed != nil {
		w.t.Fatal(err, w.failed)
	}
}

// witnessed is a sink of the topic, with what it has told so far.
type witnessed struct {
	*watched
	name    string
	read    int64 // of the file
	lines   []witness.Line
	seen    map[place]int // how often a record was flushed
	letters map[place]int // and how often it is in the dead letter queue
	queue   *kgo.Client
	taken   int64 // from the queue
}

// witness is a sink's config beside which the test keeps what comes of it. Its dead letter queue is a topic of its own.
func (w *watched) witness(name string, tasks int, more map[string]string) (*witnessed, map[string]string) {
	w.t.Helper()
	dead := name + "-dead"
	w.create(dead, 1)
	queue := w.reader(dead)
	w.t.Cleanup(queue.Close)
	config := map[string]string{"connector.class": "Witness", "file": filepath.Join(w.dir, name), "topics": w.topic, "tasks.max": strconv.Itoa(tasks),
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false", "errors.tolerance": "all",
		"errors.deadletterqueue.topic.name": dead, "errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true"}
	maps.Copy(config, more)
	return &witnessed{watched: w, name: name, seen: map[place]int{}, letters: map[place]int{}, queue: queue}, config
}

// look reads what there is new of the file and of the dead letter queue.
func (s *witnessed) look() {
	s.t.Helper()
	if f, err := os.Open(filepath.Join(s.dir, s.name)); err == nil { // it is there when a task has started
		b, err := io.ReadAll(io.NewSectionReader(f, s.read, 1<<40))
		_ = f.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		lines, n := witness.Parse(string(b))
		s.read += int64(n)
		for _, l := range lines {
			if l.What == witness.Record {
				s.seen[place{l.Partition, l.Offset}]++
			} else {
				s.lines = append(s.lines, l)
			}
		}
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for end := s.end(s.name+"-dead", readUncommitted); s.taken < end; {
		f := s.queue.PollFetches(ctx)
		if err := f.Err(); err != nil {
			s.t.Fatalf("reading %s-dead: %v", s.name, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			s.taken = r.Offset + 1
			heads := map[string]string{}
			for _, h := range r.Headers {
				heads[h.Key] = string(h.Value)
			}
			partition, noPartition := strconv.ParseInt(heads["__connect.errors.partition"], 10, 32)
			offset, noOffset := strconv.ParseInt(heads["__connect.errors.offset"], 10, 64)
			if noPartition != nil || noOffset != nil || heads["__connect.errors.topic"] != s.topic {
				s.t.Errorf("%s-dead has a record from nowhere: %v", s.name, heads)
			}
			s.letters[place{int32(partition), offset}]++
		})
	}
}

// committed is what the sink's group has, by partition.
func (s *witnessed) committed() map[int32]int64 {
	s.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.Topics = "connect-"+s.name, nil // all
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	res, err := req.RequestWith(ctx, s.kc)
	if err == nil {
		err = kerr.ErrorForCode(res.ErrorCode)
	}
	if err != nil {
		s.t.Fatalf("asking for the offsets of group connect-%s: %v", s.name, err)
	}
	out := map[int32]int64{}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			out[p.Partition] = p.Offset
		}
	}
	return out
}

// passed fails where an offset is committed that passes a record which is nowhere.
func (s *witnessed) passed() {
	s.t.Helper()
	at := s.committed()
	s.look() // later: what is committed was delivered before
	for p, end := range at {
		for o := range end {
			if w := (place{p, o}); s.seen[w] == 0 && s.letters[w] == 0 {
				s.t.Errorf("%s: %d of partition %d is committed, and record %d is neither in the sink nor in the dead letter queue", s.name, end, p, o)
				break
			}
		}
	}
}

// whole waits until every record that was written is in the sink or, where it is broken, in the dead letter queue, and its
// offset is committed.
func (s *witnessed) whole() {
	s.t.Helper()
	ends, missing := map[int32]int64{}, 0
	for w := range s.written {
		ends[w.partition] = max(ends[w.partition], w.offset+1)
	}
	harness.Await(s.t, s.name+" has everything", 2*time.Minute, func() bool {
		s.look()
		missing = 0
		for w, broken := range s.written {
			if broken && s.letters[w] == 0 || !broken && s.seen[w] == 0 {
				missing++
			}
		}
		return missing == 0 || s.t.Failed()
	})
	at := map[int32]int64{}
	harness.Await(s.t, fmt.Sprintf("the offsets of %s are committed: %v", s.name, ends), time.Minute, func() bool {
		at = s.committed()
		return maps.Equal(at, ends) || s.t.Failed()
	})
	s.passed()
	again, broken, brokenAgain := 0, 0, 0
	for w, n := range s.seen {
		if again += n - 1; s.written[w] {
			s.t.Errorf("%s: record %v is no JSON, and came all the same", s.name, w)
		}
	}
	for w, n := range s.letters {
		if broken, brokenAgain = broken+1, brokenAgain+n-1; !s.written[w] {
			s.t.Errorf("%s: record %v is not broken, and is in the dead letter queue", s.name, w)
		}
	}
	s.t.Logf("%s: %d records of %d partitions, %d of them in the dead letter queue, %d missing; %d came again, and %d to the queue", s.name, len(s.written), len(ends), broken, missing, again, brokenAgain)
}
