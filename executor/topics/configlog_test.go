package topics

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func props(kv ...string) (out []Property) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, Property{kv[i], &kv[i+1]})
	}
	return out
}

func keysOf(p []Property) string {
	var keys []string
	for _, e := range p {
		keys = append(keys, e.Key)
	}
	return strings.Join(keys, " ")
}

// The orders are those that Java 17 prints for new HashMap<>(…) of the same keys.
func TestTaskProperties_HaveTheOrderOfAJavaHashMapsCopy(t *testing.T) {
	for _, c := range []struct{ connector, added, want string }{
		{"connector.class tasks.max file topics name", "task.class", "connector.class file task.class tasks.max topics name"},
		{"connector.class tasks.max file topic batch.size name", "task.class", "connector.class file task.class tasks.max batch.size name topic"},
		{"connector.class topics name", "task.class", "connector.class name task.class topics"},
		{"key0 key7 key14 key21 key28 key35 key42 key49 key56 key63 key70 key77", "", "key0 key7 key70 key77 key21 key42 key63 key14 key35 key56 key28 key49"},
		// Aa and BB have one hash: the connector's order decides.
		{"BB Aa", "", "BB Aa"},
		{"Aa BB", "", "Aa BB"},
	} {
		var connector, task []Property
		for _, k := range strings.Fields(c.connector) {
			connector, task = append(connector, Property{Key: k}), append(task, Property{Key: k})
		}
		for _, k := range strings.Fields(c.added) {
			task = append(task, Property{Key: k})
		}
		slices.SortFunc(task, func(a, b Property) int { return strings.Compare(a.Key, b.Key) }) // as the planner stores it
		if got := keysOf(TaskProperties(connector, task)); got != c.want {
			t.Errorf("%s + %s:\ngot  %s\nwant %s", c.connector, c.added, got, c.want)
		}
	}
}

func TestConfigLog_ReadsWhatKafkaConnectWouldRead(t *testing.T) {
	one, two := props("a", "1"), props("a", "2")
	rec := func(key string, value []byte) string { return key + "=" + string(value) }
	for name, c := range map[string]struct {
		records []string
		want    []LoggedConnector
	}{
		"created, planned, paused": {[]string{
			rec("connector-x", PropertiesValue(one)), rec("task-x-0", PropertiesValue(one)), rec("commit-x", CommitValue(1)), rec("target-state-x", TargetStateValue("PAUSED")),
		}, []LoggedConnector{{Name: "x", Config: one, Target: "PAUSED", TargetSet: true, Tasks: [][]Property{one}}}},
		"stopped as written by a worker": {[]string{
			rec("target-state-x", TargetStateValue("STOPPED")), rec("connector-x", PropertiesValue(one)),
		}, []LoggedConnector{{Name: "x", Config: one, Target: "STOPPED", TargetSet: true}}},
		"tasks without a commit are not there": {[]string{
			rec("connector-x", PropertiesValue(one)), rec("task-x-0", PropertiesValue(one)), rec("commit-x", CommitValue(1)), rec("task-x-0", PropertiesValue(two)),
		}, []LoggedConnector{{Name: "x", Config: one, Target: "STARTED", Tasks: [][]Property{one}}}},
		"a set with a gap is inconsistent until it is written whole": {[]string{
			rec("connector-x", PropertiesValue(one)), rec("task-x-1", PropertiesValue(one)), rec("commit-x", CommitValue(2)),
		}, []LoggedConnector{{Name: "x", Config: one, Target: "STARTED", Inconsistent: true}}},
		"names have dashes": {[]string{
			rec("connector-a-b-1", PropertiesValue(one)), rec("task-a-b-1-0", PropertiesValue(two)), rec("commit-a-b-1", CommitValue(1)),
		}, []LoggedConnector{{Name: "a-b-1", Config: one, Target: "STARTED", Tasks: [][]Property{two}}}},
		"a deletion leaves tasks and commits behind": {[]string{
			rec("connector-x", PropertiesValue(one)), "connector-x", "target-state-x", rec("task-x-0", PropertiesValue(one)), rec("commit-x", CommitValue(1)),
		}, []LoggedConnector{}},
		"what cannot be read is skipped": {[]string{
			rec("connector-x", PropertiesValue(one)), "connector-x={", `target-state-x={"state":"HAPPY"}`, "commit-x={}", "session-key={}", "nonsense=1", "commit-x", "task-x-0",
		}, []LoggedConnector{{Name: "x", Config: one, Target: "STARTED"}}},
	} {
		var l ConfigLog
		for _, r := range c.records {
			key, value, ok := strings.Cut(r, "=")
			var v []byte
			if ok {
				v = []byte(value)
			}
			_ = l.Apply(key, v) // what is wrong is skipped
		}
		if d := cmp.Diff(c.want, l.Connectors()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRestart_IsWrittenAsKafkaConnectDoes(t *testing.T) {
	if got := RestartKey("x") + string(RestartValue(true, false)); got != `restart-connector-x{"include-tasks":true,"only-failed":false}` {
		t.Error(got)
	}
}

func TestProperties_ComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Property
		for _, k := range rapid.SliceOfNDistinct(rapid.String(), 0, 20, rapid.ID).Draw(t, "keys") {
			p := Property{Key: k}
			if rapid.Bool().Draw(t, "value") {
				v := rapid.String().Draw(t, "v")
				p.Value = &v
			}
			want = append(want, p)
		}
		b := PropertiesValue(want)
		got, err := ParseProperties(b)
		if err != nil || !json.Valid(b) || fmt.Sprint(len(got)) != fmt.Sprint(len(want)) {
			t.Fatalf("%s: %v", b, err)
		}
		if d := cmp.Diff(want, got); len(want) > 0 && d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzInternalTopics feeds the readers of the three topics whatever somebody may have written there.
func FuzzInternalTopics(f *testing.F) {
	v := "v"
	for _, s := range [][2]string{
		{"connector-x", string(PropertiesValue([]Property{{"k", &v}, {"n", nil}}))}, {"task-x-0", `{"properties":{"task.class":"c"}}`},
		{"commit-x", `{"tasks":1}`}, {"commit-x", `{"tasks":99999999999}`}, {"target-state-x", `{"state":"PAUSED","state.v2":"STOPPED"}`},
		{"tasks-fencing-x", `{"task-count":2}`}, {"restart-connector-x", `{"include-tasks":true,"only-failed":false}`},
		{"status-task-x-0", `{"state":"RUNNING","trace":null,"worker_id":"w","generation":7}`}, {"status-topic-t:connector-c", `{"topic":{}}`},
		{`["c",{"p":1}]`, `{"o":1.5}`}, {`["c",null]`, `null`}, {"session-key", `{"key":"x"}`},
	} {
		f.Add(s[0], []byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		var l ConfigLog
		_ = l.Apply("connector-x", PropertiesValue(nil))
		_ = l.Apply(key, value)
		_ = l.Apply(key, nil)
		_ = l.Apply("commit-x", value)
		l.Connectors()
		if p, err := ParseProperties(value); err == nil && p != nil {
			back, err := ParseProperties(PropertiesValue(p))
			if err != nil || len(back) != len(p) {
				t.Fatalf("%q: %v", value, err)
			}
			if got := TaskProperties(p, p); len(got) != len(p) {
				t.Fatal("an order that loses entries")
			}
		}
		if n, err := ParseCount(value); err == nil && n < 0 {
			t.Fatal(n)
		}
		ParseStatusKey(key)
		if s, err := ParseStatus(value); err == nil && !json.Valid(s.Value()) {
			t.Fatalf("%s", s.Value())
		}
		if c, p, err := ParseOffsetKey([]byte(key)); err == nil {
			if _, err := Canonical(p); err != nil {
				t.Fatalf("%q of %s is read and cannot be told from others: %v", key, c, err)
			}
		}
		if o, err := ParseOffsetValue(value); err == nil && o != nil {
			if _, err := AppendOffsetValue(nil, o); err != nil {
				t.Fatalf("%q is read and cannot be written: %v", value, err)
			}
		}
	})
}
