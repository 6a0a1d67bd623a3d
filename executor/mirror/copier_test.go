package mirror

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func config(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]})
	}
	return c
}

// log is a topic.
type log struct {
	recs    []kafkaio.Record
	aborted map[int64]bool
}

func (l *log) append(recs []record, status bool) {
	for _, r := range recs {
		if r.status == status {
			l.recs = append(l.recs, kafkaio.Record{Offset: int64(len(l.recs)), Key: []byte(r.key), Value: r.value})
		}
	}
}

// reader is a copier that has read the topics.
func reader(configs, states *log) *copier {
	c := newCopier()
	for _, t := range []struct {
		b *book
		l *log
	}{{c.configs, configs}, {c.states, states}} {
		for _, committed := range []bool{false, true} {
			for _, r := range t.l.recs {
				if !committed || !t.l.aborted[r.Offset] {
					t.b.read(r, committed)
				}
			}
		}
	}
	return c
}

func show(recs []record) (out []string) {
	for _, r := range recs {
		v := "null"
		if r.value != nil {
			v = string(r.value)
		}
		out = append(out, r.key+" "+v)
	}
	return out
}

func connectorIs(m *sluicev1.MirrorConnector) *sluicev1.WatchMirrorResponse {
	return &sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Connector{Connector: m}}
}

func tasksAre(first int32, tasks ...*sluicev1.Config) *sluicev1.WatchMirrorResponse {
	return &sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Tasks{Tasks: &sluicev1.MirrorTasks{First: first, Tasks: tasks}}}
}

func statusIs(u string, s sluicev1.State, deleted bool) *sluicev1.WatchMirrorResponse {
	return &sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Status{Status: &sluicev1.MirrorStatus{Unit: u, State: s, Deleted: deleted, WorkerId: "w:1", Generation: 7, Version: "4.3.1"}}}
}

const (
	started = sluicev1.TargetState_TARGET_STATE_STARTED
	paused  = sluicev1.TargetState_TARGET_STATE_PAUSED
	stopped = sluicev1.TargetState_TARGET_STATE_STOPPED
)

func TestCopier_WritesALifeAsKafkaConnectDoes(t *testing.T) {
	c := newCopier()
	conf := config("connector.class", "FileStreamSource", "file", "in", "name", "x")
	task := config("connector.class", "FileStreamSource", "file", "in", "name", "x", "task.class", "T")
	base := &sluicev1.MirrorConnector{Name: "x", Config: conf, Incarnation: 5}
	with := func(f func(*sluicev1.MirrorConnector)) *sluicev1.WatchMirrorResponse {
		base = proto.CloneOf(base)
		base.HasTasks, base.TaskCount = false, 0
		f(base)
		return connectorIs(base)
	}
	planned := func(n int32) func(*sluicev1.MirrorConnector) {
		return func(m *sluicev1.MirrorConnector) { m.HasTasks, m.TaskCount = true, n }
	}
	const line = `{"properties":{"connector.class":"FileStreamSource","file":"in","name":"x"}}`
	taskLine := string(topics.PropertiesValue(topics.TaskProperties(properties(conf), properties(task))))
	for _, step := range []struct {
		what string
		msgs []*sluicev1.WatchMirrorResponse
		want []string
	}{
		{"created, nobody said a state", []*sluicev1.WatchMirrorResponse{connectorIs(base)}, []string{"connector-x " + line}},
		{"planned, in two chunks", []*sluicev1.WatchMirrorResponse{with(planned(2)), tasksAre(0, task), tasksAre(1, task)}, []string{"task-x-0 " + taskLine, "task-x-1 " + taskLine, `commit-x {"tasks":2}`}},
		{"paused", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) { m.TargetState = paused })}, []string{`target-state-x {"state":"PAUSED","state.v2":"PAUSED"}`}},
		{"resumed", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) { m.TargetState = started })}, []string{`target-state-x {"state":"STARTED","state.v2":"STARTED"}`}},
		{"nothing new", []*sluicev1.WatchMirrorResponse{with(func(*sluicev1.MirrorConnector) {})}, nil},
		{"restarted", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) {
			m.Restart = &sluicev1.MirrorRestart{Count: 1, IncludeTasks: true}
		})}, []string{`restart-connector-x {"include-tasks":true,"only-failed":false}`}},
		{"restarted alike", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) {
			m.Restart = &sluicev1.MirrorRestart{Count: 2, IncludeTasks: true}
		})}, []string{`restart-connector-x {"include-tasks":true,"only-failed":false}`}},
		{"planned again, alike", []*sluicev1.WatchMirrorResponse{with(planned(1)), tasksAre(0, task)}, []string{"task-x-0 " + taskLine, `commit-x {"tasks":1}`}},
		{"stopped", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) { m.TargetState = stopped })}, []string{`commit-x {"tasks":0}`, `target-state-x {"state":"PAUSED","state.v2":"STOPPED"}`}},
		{"resumed and planned at once", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) {
			m.TargetState = started
			planned(1)(m)
		}), tasksAre(0, task)}, []string{`target-state-x {"state":"STARTED","state.v2":"STARTED"}`, "task-x-0 " + taskLine, `commit-x {"tasks":1}`}},
		{"exactly once", []*sluicev1.WatchMirrorResponse{with(func(m *sluicev1.MirrorConnector) { planned(1)(m); m.FenceTasks = true }), tasksAre(0, task)}, []string{"task-x-0 " + taskLine, `commit-x {"tasks":1}`, `tasks-fencing-x {"task-count":1}`}},
		{"states", []*sluicev1.WatchMirrorResponse{statusIs("connector:x", sluicev1.State_STATE_RUNNING, false), statusIs("connector:x", sluicev1.State_STATE_RUNNING, false), statusIs("system:mirror", sluicev1.State_STATE_RUNNING, false), statusIs("task:x/0", sluicev1.State_STATE_UNASSIGNED, true)},
			[]string{`status-connector-x {"state":"RUNNING","trace":null,"worker_id":"w:1","generation":7,"version":"4.3.1"}`}},
		{"deleted", []*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "x", Deleted: true}), statusIs("connector:x", 0, true)}, []string{"connector-x null", "target-state-x null", "status-connector-x null"}},
		{"deleted again", []*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "x", Deleted: true})}, []string{"connector-x null", "target-state-x null"}[:0]},
		{"created STOPPED, over what is left", []*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "x", Config: conf, Incarnation: 9, TargetState: stopped})},
			[]string{`target-state-x {"state":"PAUSED","state.v2":"STOPPED"}`, "connector-x " + line}},
		{"planned as what is left", []*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "x", Config: conf, Incarnation: 9, TargetState: started, HasTasks: true, TaskCount: 1}), tasksAre(0, task)},
			[]string{`target-state-x {"state":"STARTED","state.v2":"STARTED"}`, "task-x-0 " + taskLine, `commit-x {"tasks":1}`}},
		{"never mirrored", []*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "y", Deleted: true})}, nil},
	} {
		var got []record
		for _, m := range step.msgs {
			recs, err := c.apply(m)
			if err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
			got = append(got, recs...)
		}
		if !slices.Equal(show(got), step.want) {
			t.Fatalf("%s:\ngot  %s\nwant %s", step.what, strings.Join(show(got), "\n     "), strings.Join(step.want, "\n     "))
		}
	}
}

func TestCopier_RefusesTasksThatDoNotFollow(t *testing.T) {
	for name, msgs := range map[string][]*sluicev1.WatchMirrorResponse{
		"without a connector": {tasksAre(0, config())},
		"with a gap":          {connectorIs(&sluicev1.MirrorConnector{Name: "x", HasTasks: true, TaskCount: 2}), tasksAre(1, config())},
		"too many":            {connectorIs(&sluicev1.MirrorConnector{Name: "x", HasTasks: true, TaskCount: 1}), tasksAre(0, config(), config())},
		"cut off":             {connectorIs(&sluicev1.MirrorConnector{Name: "x", HasTasks: true, TaskCount: 1}), {Change: &sluicev1.WatchMirrorResponse_Synced{Synced: &sluicev1.MirrorSynced{}}}},
	} {
		c, failed := newCopier(), false
		for _, m := range msgs {
			_, err := c.apply(m)
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestCopier_TombstonesNothingThatSluiceDidNotDelete(t *testing.T) {
	var configs, states log
	configs.append([]record{{false, "connector-theirs", []byte(`{"properties":{}}`)}, {false, "session-key", []byte(`{}`)}}, false)
	states.append([]record{{true, "status-connector-theirs", []byte(`{}`)}}, true)
	c := reader(&configs, &states)
	recs, err := c.apply(connectorIs(&sluicev1.MirrorConnector{Name: "ours", Config: config("a", "b"), Incarnation: 1}))
	if err != nil || len(recs) != 1 || recs[0].key != "connector-ours" {
		t.Errorf("%v %v", show(recs), err)
	}
}

func TestCopier_StatesThatWentWhileNobodyFollowedGo(t *testing.T) {
	synced := func(quiet bool) *sluicev1.WatchMirrorResponse {
		return &sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Synced{Synced: &sluicev1.MirrorSynced{Quiet: quiet}}}
	}
	for name, tt := range map[string]struct {
		tell []*sluicev1.WatchMirrorResponse
		want []string
	}{
		"handed back": {[]*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "ours", Config: config(), Incarnation: 1}), synced(true)},
			[]string{"status-connector-ours", "status-task-ours-0"}},
		"held yet":    {[]*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "ours", Config: config(), Incarnation: 1}), synced(false)}, nil},
		"taken over":  {[]*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "new", Config: config(), Incarnation: 1}), synced(true)}, nil},
		"deleted":     {[]*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "ours", Deleted: true}), synced(false)}, []string{"status-connector-ours", "status-task-ours-0"}},
		"a task runs": {[]*sluicev1.WatchMirrorResponse{connectorIs(&sluicev1.MirrorConnector{Name: "ours", Deleted: true}), statusIs("task:ours/0", sluicev1.State_STATE_RUNNING, false), synced(false)}, []string{"status-connector-ours"}},
	} {
		var states log
		states.append([]record{{true, "status-connector-ours", []byte(`{}`)}, {true, "status-task-ours-0", []byte(`{}`)}, {true, "status-connector-theirs", []byte(`{}`)}}, true)
		c := reader(&log{}, &states)
		var got []string
		for _, m := range tt.tell {
			recs, err := c.apply(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				if r.status && r.value == nil {
					got = append(got, r.key)
				}
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestCopier_CoversARecordOfAnAbortedTransaction(t *testing.T) {
	a := string(topics.PropertiesValue(properties(config("a", "1"))))
	b := string(topics.PropertiesValue(properties(config("a", "2"))))
	configs := log{aborted: map[int64]bool{1: true}}
	configs.append([]record{{false, "connector-x", []byte(a)}, {false, "connector-x", []byte(b)}}, false)
	m := connectorIs(&sluicev1.MirrorConnector{Name: "x", Config: config("a", "1"), Incarnation: 1})
	recs, _ := reader(&configs, &log{}).apply(m)
	if !slices.Equal(show(recs), []string{"connector-x " + a}) {
		t.Errorf("a reader without transactions goes on seeing the aborted one: %v", show(recs))
	}
	configs.append(recs, false)
	if recs, _ := reader(&configs, &log{}).apply(m); len(recs) != 0 {
		t.Errorf("it is covered already: %v", show(recs))
	}
}

func TestCopier_TakesActiveTopicsAwayWithTheirConnector(t *testing.T) {
	c := newCopier()
	_, _ = c.apply(connectorIs(&sluicev1.MirrorConnector{Name: "x", Config: config(), Incarnation: 1}))
	_, _ = c.apply(statusIs("task:x/0", sluicev1.State_STATE_RUNNING, false))
	key := topics.StatusTopicKey("t", "x")
	if c.sweep || len(c.activeTopic(nil, key, []byte("{}"))) != 0 {
		t.Fatal("it is there")
	}
	_, _ = c.apply(connectorIs(&sluicev1.MirrorConnector{Name: "x", Deleted: true}))
	if got := c.activeTopic(nil, key, []byte("{}")); !c.sweep || len(got) != 1 || got[0].value != nil || len(c.activeTopic(nil, topics.StatusTopicKey("t", "y"), []byte("{}"))) != 0 {
		t.Fatalf("%v", show(got))
	}
	c.swept()
	if c.sweep || !c.gone["x"] {
		t.Fatal("its task may still name a topic")
	}
	_, _ = c.apply(statusIs("task:x/0", 0, true))
	if !c.sweep {
		t.Fatal("its last state went: look again")
	}
	if c.swept(); len(c.gone) != 0 {
		t.Error(c.gone)
	}
}

// model is a control plane: what it has, and what it has not been told to forget.
type model struct {
	conns   map[string]*sluicev1.MirrorConnector
	tasks   map[string][]*sluicev1.Config
	deleted map[string]bool
	next    int64
}

func TestCopier_OfAnyLifeAndAnyDeathsLeavesWhatTheControlPlaneHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{map[string]*sluicev1.MirrorConnector{}, map[string][]*sluicev1.Config{}, map[string]bool{}, 1}
		configs, states := log{aborted: map[int64]bool{}}, log{aborted: map[int64]bool{}}
		c := reader(&configs, &states)
		feed := func(msgs ...*sluicev1.WatchMirrorResponse) {
			var all []record
			for _, msg := range msgs {
				recs, err := c.apply(msg)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, recs...)
			}
			at := int64(len(configs.recs))
			configs.append(all, false)
			if rapid.IntRange(0, 9).Draw(t, "dies") > 0 {
				return
			}
			// It dies with its transaction open, and the next one is told everything.
			for o := at; o < int64(len(configs.recs)); o++ {
				configs.aborted[o] = true
			}
			c = reader(&configs, &states)
			var again []record
			tell := func(msg *sluicev1.WatchMirrorResponse) {
				recs, err := c.apply(msg)
				if err != nil {
					t.Fatal(err)
				}
				again = append(again, recs...)
			}
			for _, name := range slices.Sorted(maps.Keys(m.deleted)) {
				tell(connectorIs(&sluicev1.MirrorConnector{Name: name, Deleted: true}))
			}
			for _, name := range slices.Sorted(maps.Keys(m.conns)) {
				one := proto.CloneOf(m.conns[name])
				if tasks, ok := m.tasks[name]; ok {
					one.HasTasks, one.TaskCount = true, int32(len(tasks))
					tell(connectorIs(one))
					if len(tasks) > 0 {
						tell(tasksAre(0, tasks...))
					}
					continue
				}
				tell(connectorIs(one))
			}
			configs.append(again, false)
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"x", "x-1"}).Draw(t, "name")
			have := m.conns[name]
			switch event := rapid.IntRange(0, 4).Draw(t, "event"); {
			case have == nil:
				m.next++
				m.conns[name] = &sluicev1.MirrorConnector{Name: name, Incarnation: m.next, Config: config("v", fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "v"))),
					TargetState: sluicev1.TargetState(rapid.IntRange(0, 3).Draw(t, "state"))}
				feed(connectorIs(m.conns[name]))
			case event == 0:
				delete(m.conns, name)
				delete(m.tasks, name)
				m.deleted[name] = true
				feed(connectorIs(&sluicev1.MirrorConnector{Name: name, Deleted: true}))
			case event == 1 && have.GetTargetState() != stopped:
				tasks := slices.Repeat([]*sluicev1.Config{have.GetConfig()}, rapid.IntRange(0, 3).Draw(t, "tasks"))
				m.tasks[name] = tasks
				one := proto.CloneOf(have)
				one.HasTasks, one.TaskCount = true, int32(len(tasks))
				msgs := []*sluicev1.WatchMirrorResponse{connectorIs(one)}
				if len(tasks) > 0 {
					msgs = append(msgs, tasksAre(0, tasks...))
				}
				feed(msgs...)
			case event == 2:
				have = proto.CloneOf(have)
				have.TargetState = rapid.SampledFrom([]sluicev1.TargetState{started, paused, stopped}).Draw(t, "target")
				m.conns[name] = have
				if have.GetTargetState() == stopped {
					delete(m.tasks, name)
				}
				feed(connectorIs(have))
			default:
				have = proto.CloneOf(have)
				have.Config = config("v", fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "v")))
				m.conns[name] = have
				feed(connectorIs(have))
			}
		}
		// A reader that knows transactions and one that does not see the same, and it is what the control plane has.
		for _, transactions := range []bool{true, false} {
			var got topics.ConfigLog
			for _, r := range configs.recs {
				if !transactions || !configs.aborted[r.Offset] {
					if err := got.Apply(string(r.Key), r.Value); err != nil {
						t.Fatal(err)
					}
				}
			}
			list := got.Connectors()
			if len(list) != len(m.conns) {
				t.Fatalf("%d connectors, want %d", len(list), len(m.conns))
			}
			for _, l := range list {
				want := m.conns[l.Name]
				target := strings.TrimPrefix(want.GetTargetState().String(), "TARGET_STATE_")
				if !l.TargetSet {
					l.Target = "UNSPECIFIED"
				}
				if l.Target != target || string(topics.PropertiesValue(l.Config)) != string(topics.PropertiesValue(properties(want.GetConfig()))) {
					t.Fatalf("transactions %t: %+v, want %v", transactions, l, want)
				}
				if tasks, ok := m.tasks[l.Name]; ok && (l.Inconsistent || len(l.Tasks) != len(tasks)) {
					t.Fatalf("transactions %t: %d tasks, inconsistent %t, want %d", transactions, len(l.Tasks), l.Inconsistent, len(tasks))
				}
			}
		}
	})
}
