package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInput_IsAnsweredClearlyAndChangesNothing has the exact status and the words that matter of each answer.
func TestBadInput_IsAnsweredClearlyAndChangesNothing(t *testing.T) {
	c := newCluster(t, 1, 1)
	create := func(name any, conf map[string]any) string {
		b, err := json.Marshal(map[string]any{"name": name, "config": conf})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	source := func(more ...string) map[string]any {
		m := map[string]any{"connector.class": "FileStreamSource", "topic": "t", "file": "/nowhere", "tasks.max": "1"}
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for _, tt := range []struct {
		what, method, path, body string
		code                     int
		words                    []string
	}{
		{"malformed JSON", "POST", "/connectors", `{"name":"a","config":`, 400, []string{"JSON"}},
		{"unknown fields", "POST", "/connectors", `{"name":"a","config":{"connector.class":"FileStreamSource"},"nonsense":1}`, 400, []string{"nonsense"}},
		{"empty name", "POST", "/connectors", create("", source()), 400, []string{"name"}},
		{"control characters", "POST", "/connectors", create("a\u0001b", source()), 400, []string{"name"}},
		{"tasks.max 0", "POST", "/connectors", create("a", source("tasks.max", "0")), 400, []string{"tasks.max", "at least 1"}},
		{"tasks.max text", "POST", "/connectors", create("a", source("tasks.max", "many")), 400, []string{"tasks.max", "many"}},
		{"unknown class", "POST", "/connectors", create("a", source("connector.class", "Nope")), 400, []string{"Nope", "FileStreamSourceConnector", "sluice.NullSink"}},
		{"no class", "POST", "/connectors", `{"name":"a","config":{"topic":"t"}}`, 400, []string{"contains no connector type"}},
		{"unknown converter", "POST", "/connectors", create("a", source("value.converter", "com.acme.Nope")), 400, []string{"value.converter", "com.acme.Nope"}},
		{"a required key", "POST", "/connectors", create("a", map[string]any{"connector.class": "FileStreamSource", "file": "/nowhere"}), 400, []string{"topic"}},
		{"a sink without topics", "POST", "/connectors", create("a", map[string]any{"connector.class": "FileStreamSink", "file": "/nowhere"}), 400, []string{"topics"}},
		{"config of nothing", "GET", "/connectors/none/config", "", 404, []string{"none"}},
		{"status of nothing", "GET", "/connectors/none/status", "", 404, []string{"none"}},
		{"delete nothing", "DELETE", "/connectors/none", "", 404, []string{"none"}},
		{"pause nothing", "PUT", "/connectors/none/pause", "", 404, []string{"none"}},
		{"restart nothing", "POST", "/connectors/none/restart", "", 404, []string{"none"}},
		{"a task of nothing", "GET", "/connectors/none/tasks/0/status", "", 404, nil},
		{"no such path", "GET", "/nonsense", "", 404, nil},
	} {
		code, body := c.call(tt.method, tt.path, tt.body)
		var answer struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Errorf("%s: the answer is not JSON: %s", tt.what, body)
		}
		if code != tt.code || answer.Code != tt.code {
			t.Errorf("%s: %d (%d) %s, want %d", tt.what, code, answer.Code, answer.Message, tt.code)
		}
		for _, w := range tt.words {
			if !strings.Contains(answer.Message, w) {
				t.Errorf("%s: %q is not in %q", tt.what, w, answer.Message)
			}
		}
		if _, list := c.call("GET", "/connectors", nil); strings.TrimSpace(list) != "[]" {
			t.Fatalf("%s changed something: %s", tt.what, list)
		}
	}
	if topics := c.kfake.TopicInfo("t"); topics != nil {
		t.Errorf("a topic was made: %v", topics)
	}
}

func TestNoExecutor_IsSaid(t *testing.T) {
	c := newCluster(t, 1, 0)
	code, body := c.call("POST", "/connectors", map[string]any{"name": "a", "config": map[string]string{"connector.class": "FileStreamSource", "topic": "t"}})
	if code != 503 || !strings.Contains(body, "executor") {
		t.Errorf("%d %s", code, body)
	}
	if _, list := c.call("GET", "/connectors", nil); strings.TrimSpace(list) != "[]" {
		t.Errorf("it was created: %s", list)
	}
}

// TestHostilePlugin_HarmsOnlyItsOwnTask has plugins that panic, hang and answer nonsense in each of their methods, beside a
// pipeline that has to go on.
func TestHostilePlugin_HarmsOnlyItsOwnTask(t *testing.T) {
	c := newCluster(t, 1, 1)
	t.Cleanup(c.hostile.Release)
	in, out := text(t, 100), filepath.Join(t.TempDir(), "out.txt")
	c.create("src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	c.create("dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	await(t, "the lines", func() bool { return len(lines(out)) == 100 })
	failed := func(name string) func() bool {
		return func() bool {
			s := c.status(name)
			return s.Connector.State == "FAILED" && s.Connector.Trace != "" ||
				len(s.Tasks) > 0 && s.Tasks[0].State == "FAILED" && s.Tasks[0].Trace != ""
		}
	}
	for _, how := range []string{"panic", "error"} {
		for _, tt := range []struct{ class, method string }{
			{c.hostile.Source().Class, "start"}, {c.hostile.Source().Class, "taskconfigs"}, {c.hostile.Source().Class, "taskstart"}, {c.hostile.Source().Class, "poll"},
			{c.hostile.Sink().Class, "taskstart"}, {c.hostile.Sink().Class, "put"}, {c.hostile.Sink().Class, "open"},
		} {
			name := "bad-" + how + "-" + tt.method + "-" + tt.class[strings.LastIndexByte(tt.class, '.')+1:]
			conf := map[string]string{"connector.class": tt.class, "method": tt.method, "how": how, "topic": "bad", "tasks.max": "1"}
			if tt.class == c.hostile.Sink().Class {
				delete(conf, "topic")
				conf["topics"] = "lines"
			}
			c.create(name, conf)
			await(t, name+" has failed", failed(name))
			if code, body := c.call("DELETE", "/connectors/"+name, nil); code != 204 {
				t.Fatalf("%s: %d %s", name, code, body)
			}
		}
	}
	// Hangs: the method does not return until it is released; the connector can be deleted all the same.
	for _, method := range []string{"start", "taskconfigs", "stop", "poll", "taskstart", "taskstop", "put", "open", "precommit"} {
		name := "hang-" + method
		conf := map[string]string{"connector.class": c.hostile.Source().Class, "method": method, "how": "hang", "topic": "bad", "tasks.max": "1"}
		if method == "put" || method == "open" || method == "precommit" {
			delete(conf, "topic")
			conf["connector.class"], conf["topics"] = c.hostile.Sink().Class, "lines"
		}
		c.create(name, conf)
		if method != "start" && method != "taskconfigs" {
			await(t, name+" has a task", func() bool { return len(c.status(name).Tasks) == 1 })
		}
		if code, body := c.call("DELETE", "/connectors/"+name, nil); code != 204 {
			t.Fatalf("%s: %d %s", name, code, body)
		}
		await(t, name+" is given back", func() bool {
			for u := range c.replicas[0].Store().View().Assignments {
				if u.Name == name {
					return false
				}
			}
			return true
		})
	}
	c.running("src", 1)
	c.running("dst", 1)
	if len(lines(out)) != 100 {
		t.Errorf("%d lines", len(lines(out)))
	}
}
