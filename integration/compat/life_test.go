//go:build integration

package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/integration/harness"
)

// life has both run the same life, one after the other, and compares the records of the three topics.
func (w *world) life(t *testing.T) {
	w.t = t
	dir := t.TempDir()
	in := filepath.Join(dir, "in.txt")
	properties, base := harness.ConnectProperties(t, w.kafka, "life", "life-configs", "life-offsets", "life-status")
	java := harness.StartConnect(t, root, properties, base)
	theirs := w.live(side{t, "Kafka Connect", java.Base}, in, filepath.Join(dir, "out.txt"), "life")
	java.Kill()
	ours := w.live(side{t, "Sluice", w.sluice.REST(0)}, in, filepath.Join(dir, "out.txt"), "connect")
	for i, stage := range []string{"alive", "deleted"} {
		a, b := theirs[i], ours[i]
		for _, key := range union(a, b) {
			x, inA := a[key]
			y, inB := b[key]
			switch {
			case inA != inB:
				t.Errorf("%s: %s: Kafka Connect wrote it %t, Sluice %t", stage, key, inA, inB)
			case x.last != y.last && !timed(key):
				t.Errorf("%s: %s:\nKafka Connect %s\nSluice        %s", stage, key, x.last, y.last)
			case sequenced(key) && !slices.Equal(x.values, y.values):
				t.Errorf("%s: %s:\nKafka Connect %s\nSluice        %s", stage, key, strings.Join(x.values, "\n              "), strings.Join(y.values, "\n              "))
			}
		}
		t.Logf("%s: %d keys compared", stage, len(union(a, b)))
	}
}

// timed are offsets of a source that counts on by itself.
func timed(key string) bool { return strings.HasPrefix(key, `offsets ["life-numbers"`) }

// sequenced are keys all of whose distinct values are compared.
func sequenced(key string) bool {
	return strings.HasPrefix(key, "configs connector-") || strings.HasPrefix(key, "configs target-state-")
}

// history is what was written of a key: the distinct values in order, and the last.
type history struct {
	values []string
	last   string
}

func union(a, b map[string]history) []string {
	seen := map[string]bool{}
	for k := range a {
		seen[k] = true
	}
	for k := range b {
		seen[k] = true
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// live is the life. It returns what is in the topics when everything runs, and when all is deleted.
func (w *world) live(s side, in, out, topics string) (stages [2]map[string]history) {
	t := w.t
	for _, path := range []string{in, out} {
		_ = os.Remove(path) // of the other side's life
	}
	write(t, in, 0, 100)
	source := map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": in, "topic": "life-lines", "batch.size": "2000"}
	put := func(name, path string, want ...int) {
		t.Helper()
		s.call("PUT", "/connectors/"+name+path, nil, want...)
	}

	s.create("life-src", "RUNNING", source)
	s.is("life-src", "RUNNING RUNNING")
	put("life-src", "/pause", 202)
	s.is("life-src", "PAUSED PAUSED")
	put("life-src", "/resume", 202)
	s.is("life-src", "RUNNING RUNNING")
	s.call("POST", "/connectors/life-src/restart", nil, 200, 202, 204)
	s.is("life-src", "RUNNING RUNNING")
	s.call("POST", "/connectors/life-src/restart?includeTasks=true", nil, 202)
	s.is("life-src", "RUNNING RUNNING")
	s.call("POST", "/connectors/life-src/tasks/0/restart", nil, 200, 202, 204)
	s.is("life-src", "RUNNING RUNNING")
	source["extra"] = "é😀/<&> \"\\\t\u2028"
	source["name"] = "life-src"
	s.call("PUT", "/connectors/life-src/config", source, 200)
	s.is("life-src", "RUNNING RUNNING")

	sink := map[string]string{"connector.class": "FileStreamSink", "tasks.max": "2", "file": out, "topics": "life-lines"}
	s.create("life-dst", "", sink)
	s.is("life-dst", "RUNNING RUNNING RUNNING")
	write(t, in, 100, 200)
	harness.Await(t, "lines arrive", patient, func() bool { return distinct(out) >= 100 })
	sink["tasks.max"], sink["name"] = "1", "life-dst"
	s.call("PUT", "/connectors/life-dst/config", sink, 200)
	s.is("life-dst", "RUNNING RUNNING")

	s.create("life-numbers", "", map[string]string{"connector.class": "VerifiableSource", "tasks.max": "3", "topic": "life-numbers", "throughput": "50"})
	s.is("life-numbers", "RUNNING RUNNING RUNNING RUNNING")
	s.create("life-null", "", map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "life-null", "file": in, "a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6", "g": "7", "h": "8", "i": "9"})
	s.is("life-null", "RUNNING RUNNING")
	put("life-null", "/stop", 204)
	s.is("life-null", "STOPPED")
	put("life-null", "/resume", 202)
	s.is("life-null", "RUNNING RUNNING")
	s.create("life-idle", "STOPPED", source2(in))
	s.is("life-idle", "STOPPED")
	s.create("life-held", "PAUSED", source2(in))
	s.is("life-held", "PAUSED")
	whole := fmt.Sprintf(`{"position":%d}`, 200*len("line 0000000\n"))
	settled := func(what string, f func(map[string]history) bool) (got map[string]history) {
		t.Helper()
		harness.Await(t, s.name+": "+what, patient, func() bool { got = w.histories(topics); return f(got) })
		return got
	}
	settled("the offset of the whole file", func(h map[string]history) bool { return h[`offsets ["life-src",{"filename":"`+in+`"}]`].last == whole })
	put("life-src", "/stop", 204)
	s.is("life-src", "STOPPED")

	// Offsets, active topics and states come a little later.
	has := func(h map[string]history, prefix string) bool {
		for k, v := range h {
			if strings.HasPrefix(k, prefix) && v.last != "null" {
				return true
			}
		}
		return false
	}
	stages[0] = settled("offsets, topics and states", func(h map[string]history) bool {
		n := 0
		for k := range h {
			if strings.HasPrefix(k, `offsets ["life-numbers"`) {
				n++
			}
		}
		// The mirror comes behind what the API answers.
		stopped := strings.Contains(h["configs target-state-life-src"].last, "STOPPED") && h["configs commit-life-src"].last == `{"tasks":0}`
		return n == 3 && stopped && h[`offsets ["life-null",{"filename":"`+in+`"}]`].last == whole && has(h, "status status-topic-life-lines:connector-life-dst") &&
			has(h, "status status-topic-life-numbers:") && has(h, "status status-topic-life-null:") && !has(h, "status status-task-life-src-0") && !has(h, "status status-task-life-dst-1")
	})
	for _, name := range []string{"life-held", "life-idle", "life-null", "life-numbers", "life-dst", "life-src"} {
		s.call("DELETE", "/connectors/"+name, nil, 204)
	}
	stages[1] = settled("all is tombstoned", func(h map[string]history) bool {
		return !has(h, "status ") && !has(h, "configs connector-") && !has(h, "configs target-state-")
	})
	return stages
}

func source2(in string) map[string]string {
	return map[string]string{"connector.class": "FileStreamSource", "tasks.max": "1", "file": in, "topic": "life-idle"}
}

// histories reads the three topics, as far as the life goes. prefix is what their names begin with.
func (w *world) histories(prefix string) map[string]history {
	out := map[string]history{}
	for _, topic := range []string{"configs", "offsets", "status"} {
		for _, r := range records(w.t, w.kafka.Addr, prefix+"-"+topic, "read_committed") {
			if !strings.Contains(string(r.Key), "life-") {
				continue
			}
			key := topic + " " + string(r.Key)
			h, v := out[key], value(topic, r)
			if h.last = v; len(h.values) == 0 || h.values[len(h.values)-1] != v {
				h.values = append(h.values, v)
			}
			out[key] = h
		}
	}
	return out
}

// value is a record's value without what is not compared: worker ids, generations, times, versions that are null.
func value(topic string, r kafkaio.Record) string {
	if r.Value == nil {
		return "null"
	}
	if topic != "status" {
		return string(r.Value)
	}
	var v map[string]any
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return string(r.Value)
	}
	for _, k := range []string{"worker_id", "generation", "version"} {
		if _, ok := v[k]; ok {
			v[k] = "-"
		}
	}
	if t, ok := v["topic"].(map[string]any); ok {
		t["discoverTimestamp"], t["task"] = "-", "-" // which of several tasks was first is a matter of time
	}
	b, _ := json.Marshal(v) // it came from JSON
	return string(b)
}
