//go:build integration

package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/integration/harness"
)

// TestPipelines_ARecordLivesTheSameLifeOnBoth runs the table, docs/pipelines.md: every row on a real Kafka Connect worker and
// on Sluice, all at the same time and on one broker, and compares all that a row leaves behind.
func TestPipelines_ARecordLivesTheSameLifeOnBoth(t *testing.T) {
	table := pipelines()
	var chosen []*pipeline
	for i := range table {
		if only := os.Getenv("PIPELINES"); only == "" || slices.Contains(strings.Split(only, ","), table[i].name) { // some rows, for a person who looks into them
			chosen = append(chosen, &table[i])
		}
	}
	kafka := harness.StartKafka(t, root)
	admin, err := kafkaio.NewAdmin(kafkaio.Client{"bootstrap.servers": kafka.Addr}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	dir := t.TempDir()
	feed(t, kafka.Addr, admin, dir, chosen)

	properties, base := harness.ConnectProperties(t, kafka, "pipelines", "pipelines-configs", "pipelines-offsets", "pipelines-status")
	configure(t, kafka.Addr, admin, dir, chosen)
	bin := harness.Binaries(t, root)
	java := harness.StartConnect(t, root, properties, base)
	sluice := harness.Start(t, harness.Options{Kafka: kafka, Root: root, Executors: []string{"default"}}, bin)
	sides := []*runner{
		{name: "Kafka Connect", prefix: "kc", base: java.Base, offsets: "pipelines-offsets", process: java.Process},
		{name: "Sluice", prefix: "sl", base: sluice.REST(0), offsets: "connect-offsets", process: sluice.Executors[0]},
	}
	started := time.Now()
	t.Log("both serve")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for _, s := range sides {
		s.t, s.ctx, s.kafka, s.admin, s.dir = t, ctx, kafka.Addr, admin, dir
		all.Go(func() {
			if s.err = s.run(chosen); s.err != nil {
				cancel() // the other need not go on
			}
		})
	}
	all.Wait()
	for _, s := range sides {
		if s.err != nil {
			t.Fatalf("%s: %v", s.name, s.err)
		}
	}
	t.Logf("%d pipelines ran on both within %s", len(chosen), time.Since(started).Round(time.Second))
	for i, p := range chosen {
		t.Run(p.name, func(t *testing.T) { p.compare(t, sides[0].done[i], sides[1].done[i]) })
	}
}

// configure writes the connectors of the real worker to its config topic, before it starts: it then starts all of them after
// one rebalance, where it needs two for each that is created over REST.
func configure(t *testing.T, kafka string, admin *kafkaio.Admin, dir string, rows []*pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if err := admin.CreateTopic(ctx, kafkaio.TopicSpec{Name: "pipelines-configs", Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	var msgs []kafkaio.Message
	for _, p := range rows {
		config := p.config(dir, "kc")
		config["name"] = "kc-" + p.name
		b, err := json.Marshal(map[string]any{"properties": config})
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, kafkaio.Message{Topic: "pipelines-configs", Partition: 0, Key: []byte("connector-kc-" + p.name), Value: b, Timestamp: began})
	}
	deliver(ctx, t, kafka, msgs)
}

func deliver(ctx context.Context, t *testing.T, kafka string, msgs []kafkaio.Message) {
	t.Helper()
	producer, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: kafkaio.Client{"bootstrap.servers": kafka}, MessageTimeout: patient, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.Deliver(ctx, msgs); err != nil {
		t.Fatal(err)
	}
}

// feed makes the topics that sinks read and the files that sources read, for both sides.
func feed(t *testing.T, kafka string, admin *kafkaio.Admin, dir string, rows []*pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	var msgs []kafkaio.Message
	for _, p := range rows {
		for _, prefix := range []string{"kc", "sl"} {
			if p.lines != nil {
				if err := os.WriteFile(p.file(dir, prefix), []byte(strings.Join(p.lines, "\n")+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			topics := map[string]bool{}
			for i, m := range p.in {
				if m.Topic == "" {
					m.Topic = "in"
				}
				m.Topic = prefix + "-" + p.name + "." + m.Topic
				if topics[m.Topic] = true; m.Timestamp == 0 {
					m.Timestamp = began + int64(i)*1000
				}
				msgs = append(msgs, m)
			}
			for topic := range topics {
				if err := admin.CreateTopic(ctx, kafkaio.TopicSpec{Name: topic, Partitions: max(1, p.partitions), Replication: 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	deliver(ctx, t, kafka, msgs)
}

// runner runs the table on one side.
type runner struct {
	t                                  *testing.T
	ctx                                context.Context //nolint:containedctx // that of the test
	name, prefix, base, offsets, kafka string
	dir                                string
	process                            *harness.Process
	admin                              *kafkaio.Admin
	err                                error
	done                               []outcome
}

// outcome is what a row leaves behind: what is compared, by name.
type outcome struct {
	facets map[string]string
	// late says what was awaited in vain; empty where all came.
	late string
	// failed says that the task is FAILED.
	failed bool
	asked  bool // for the state at the end
}

const (
	// starters is how many connectors are created at once, lookers how many rows are looked at.
	starters = 4
	lookers  = 8
)

// run waits for each row's end; Sluice's connectors it creates before.
func (s *runner) run(rows []*pipeline) error {
	s.done = make([]outcome, len(rows))
	if s.prefix == "sl" {
		if err := s.create(rows); err != nil {
			return err
		}
	}
	return s.await(rows)
}

func (s *runner) create(rows []*pipeline) error {
	next := make(chan *pipeline, len(rows))
	for _, p := range rows {
		next <- p
	}
	close(next)
	errs := make(chan error, starters)
	for range starters {
		go func() { // joined below
			for p := range next {
				if err := s.call("PUT", "/connectors/"+s.prefix+"-"+p.name+"/config", p.config(s.dir, s.prefix), 201); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var failed []error
	for range starters {
		failed = append(failed, <-errs)
	}
	return errors.Join(failed...)
}

// call sends a request until it is answered as wanted.
func (s *runner) call(method, path string, body any, want int) error {
	deadline := time.Now().Add(patient)
	for {
		code, text, err := harness.Call(method, s.base+path, body)
		if err == nil && code == want {
			return nil
		}
		// A real worker answers 409 while it rebalances, and 500 where that takes long.
		if err == nil && code != 409 && code != 500 && code != 503 || time.Now().After(deadline) {
			return fmt.Errorf("%s %s: %d %s %w", method, path, code, text, err)
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// await looks at all rows that are not done, again and again, until for too long none was.
func (s *runner) await(rows []*pipeline) error {
	deadline, tick := time.Now().Add(patient), time.NewTicker(500*time.Millisecond)
	defer tick.Stop()
	left, idle := map[int]bool{}, 0
	for i := range rows {
		left[i] = true
	}
	for {
		states, err := s.states()
		if err != nil {
			return err
		}
		sources := s.sourceOffsets()
		var looks sync.WaitGroup
		free := make(chan struct{}, lookers)
		for i := range left {
			looks.Go(func() {
				free <- struct{}{}
				defer func() { <-free }()
				late, err := s.look(rows[i], &s.done[i], states, sources)
				if err != nil {
					late = "an answer: " + err.Error() // a broker that is busy has one later
				}
				s.done[i].late = late
			})
		}
		looks.Wait()
		was := len(left)
		idle++
		maps.DeleteFunc(left, func(i int, _ bool) bool { return s.done[i].late == "" })
		if len(left) < was {
			deadline, idle = time.Now().Add(patient), 0
		}
		s.t.Logf("%s: %d of %d rows have ended", s.name, len(rows)-len(left), len(rows))
		// On a machine that is busy a single look at all may take longer than the patience.
		if len(left) == 0 || time.Now().After(deadline) && idle >= 5 {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// states are those of all connectors.
func (s *runner) states() (map[string]harness.Status, error) {
	deadline := time.Now().Add(patient)
	for {
		code, text, err := harness.Call("GET", s.base+"/connectors?expand=status", nil)
		if err == nil && code == 200 {
			var all map[string]struct{ Status harness.Status }
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				return nil, err
			}
			out := map[string]harness.Status{}
			for name, c := range all {
				out[name] = c.Status
			}
			return out, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("asking for states: %d %s %w", code, text, err)
		}
	}
}

// sourceOffsets are the last value of each key of the offsets' topic.
func (s *runner) sourceOffsets() map[string]string {
	out := map[string]string{}
	in, err := readAll(s.ctx, s.kafka, s.offsets, "read_committed")
	if err != nil {
		s.t.Logf("%s: %v", s.name, err)
	}
	for _, r := range in {
		out[string(r.Key)] = string(r.Value)
	}
	return out
}
