package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/clock"
)

// outer is a system that may be away.
type outer struct {
	away   atomic.Bool
	starts atomic.Int64
}

// err is what its clients get.
func (o *outer) err() error {
	if o.away.Load() {
		return syscall.ECONNREFUSED
	}
	return nil
}

func (o *outer) plugin() connectors.Plugin {
	return connectors.Plugin{Class: "test.OuterSource", Version: "1", Type: connectors.Source, NewSource: func() connectors.SourceConnector { return outerSource{o} },
		Config: configdef.New}
}

type outerSource struct{ *outer }

func (outerSource) Start(context.Context, connectors.ConnectorContext, map[string]string) error {
	return nil
}

func (outerSource) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{{}}, nil
}
func (outerSource) Stop(context.Context) error       { return nil }
func (s outerSource) NewTask() connectors.SourceTask { return outerTask(s) }

type outerTask struct{ *outer }

func (t outerTask) Start(_ context.Context, _ connectors.SourceTaskContext, c map[string]string) error {
	t.starts.Add(1)
	return t.err()
}

func (t outerTask) Poll(ctx context.Context, _ *connectors.SourceBatch) error {
	if err := t.err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-clock.Real().After(20 * time.Millisecond):
	}
	return nil
}
func (outerTask) Stop(context.Context) error { return nil }

type described struct {
	Status struct {
		Tasks []struct {
			State       string
			Trace       string
			AutoRestart *struct {
				ErrorClass        string
				Attempt, Attempts int
				NextMs            string
				Reason            string
			}
		}
	}
}

func TestASystemThatIsAwayForAWhile_TheSourceComesBackByItselfAndIsFailedMeanwhile(t *testing.T) {
	c := newCluster(t, 1, 0)
	o := &outer{}
	c.plugins = []connectors.Plugin{o.plugin()}
	c.startExecutor("x1:1", []string{c.replicas[0].Addr()})
	conf := func(more ...string) map[string]string {
		out := map[string]string{"connector.class": "test.OuterSource", "tasks.max": "1", "sluice.restart.delay.ms": "300", "sluice.restart.delay.max.ms": "300"}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	c.create("comes", conf())
	c.create("stays", conf("sluice.restart.on", "none"))
	c.running("comes", 1)
	c.running("stays", 1)
	o.away.Store(true)
	describe := func(name string) (d described) {
		code, body := c.call("GET", "/v1/connectors/"+name+"/status", nil)
		if err := json.Unmarshal([]byte(body), &d); code != 200 || err != nil {
			t.Fatalf("%d %s", code, body)
		}
		return d
	}
	await(t, "both have failed, and one is tried again", func() bool {
		a, b := describe("comes").Status, describe("stays").Status
		if len(a.Tasks) != 1 || len(b.Tasks) != 1 || a.Tasks[0].AutoRestart == nil || b.Tasks[0].AutoRestart == nil {
			return false
		}
		r, s := a.Tasks[0].AutoRestart, b.Tasks[0].AutoRestart
		return r.Attempt >= 2 && r.Attempts == 100 && r.NextMs != "" && r.ErrorClass == "transient" && s.ErrorClass == "transient" && strings.Contains(s.Reason, "sluice.restart.on=none")
	})
	for _, name := range []string{"comes", "stays"} { // for Kafka Connect's tools
		s := c.status(name)
		if s.Tasks[0].State != "FAILED" || !strings.Contains(s.Tasks[0].Trace, "connection refused") || s.Connector.State != "RUNNING" {
			t.Errorf("%+v", s)
		}
		if _, body := c.call("GET", "/connectors/"+name+"/status", nil); strings.Contains(strings.ToLower(body), "restart") {
			t.Errorf("Kafka Connect's status shows more than its own: %s", body)
		}
	}
	await(t, "connect-status has the failure", func() bool {
		found := false
		_, err := kafkaio.ReadToEnd(limited(t), kafkaio.Client{"bootstrap.servers": c.kafka}, "connect-status", kafkaio.ReadOptions{Logger: quiet()}, func(r kafkaio.Record) error {
			found = found || string(r.Key) == "status-task-comes-0" && strings.Contains(string(r.Value), `"FAILED"`) && strings.Contains(string(r.Value), "connection refused")
			return nil
		})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		return found
	})
	o.away.Store(false)
	c.running("comes", 1)
	if d := describe("comes"); d.Status.Tasks[0].AutoRestart != nil || d.Status.Tasks[0].Trace != "" {
		t.Errorf("%+v", d)
	}
	if s := c.status("stays"); s.Tasks[0].State != "FAILED" {
		t.Errorf("none is Kafka Connect's behaviour: %+v", s)
	}
	if code, body := c.call("POST", "/connectors/stays/tasks/0/restart", nil); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	c.running("stays", 1)
}

func TestRestartKeysThatAreWrong_AreRefusedByKey(t *testing.T) {
	c := newCluster(t, 1, 1)
	conf := map[string]string{"connector.class": "FileStreamSource", "topic": "t", "sluice.restart.on": "now", "sluice.restart.attempts": "0", "sluice.restart.delay": "1", "sluice.secrets.allow.derived": "perhaps"}
	code, body := c.call("POST", "/connectors", map[string]any{"name": "a", "config": conf})
	if code != 400 || !strings.Contains(body, "contains the following 4 error(s)") {
		t.Fatalf("%d %s", code, body)
	}
	for _, want := range []string{"sluice.restart.on: Each must be", "sluice.restart.attempts: Value must be at least 1", "sluice.restart.delay: Sluice has no such key; the nearest is sluice.restart.delay.ms", "sluice.secrets.allow.derived"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in %s", want, body)
		}
	}
}
