package mirror

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// copier makes records of what the control plane sends. It does no I/O.
//
// It writes what Kafka Connect would have written for the same calls, in that order: the target state before a new
// connector, `commit {"tasks":0}` before a STOPPED, a task set whole and its commit last, a connector's tombstone before
// that of its target state. Records of tasks that are no more stay, as there.
type copier struct {
	configs, states *book
	conns           map[string]conn
	// reported are the keys of states that the control plane has.
	reported map[string]bool
	// gone are connectors that were deleted while something may still be reported of them. Their active topics go.
	gone map[string]bool
	// sweep says that active topics of gone connectors are to be looked for.
	sweep bool
	set   *taskSet // the set that is coming in, or nil
}

// conn is what was last sent of a connector.
type conn struct {
	incarnation int64
	restarts    uint64
	stopped     bool
}

// taskSet is a set whose tasks are coming in.
type taskSet struct {
	connector string
	config    []topics.Property
	count     int
	fence     bool
	first     bool // nothing was sent of this connector before: only what the topic does not have is written
	tasks     [][]byte
}

func newCopier() *copier {
	return &copier{configs: newBook(false), states: newBook(true), conns: map[string]conn{}, reported: map[string]bool{}, gone: map[string]bool{}}
}

// apply returns the records of one message, in order.
func (c *copier) apply(m *sluicev1.WatchMirrorResponse) ([]record, error) {
	switch ch := m.GetChange().(type) {
	case *sluicev1.WatchMirrorResponse_Status:
		return c.status(nil, ch.Status), nil
	case *sluicev1.WatchMirrorResponse_Connector:
		if c.set != nil {
			return nil, fmt.Errorf("%w: the tasks of connector %s did not all come", ErrStream, c.set.connector)
		}
		if ch.Connector.GetDeleted() {
			return c.deleted(nil, ch.Connector.GetName()), nil
		}
		return c.connector(nil, ch.Connector), nil
	case *sluicev1.WatchMirrorResponse_Tasks:
		return c.tasks(nil, ch.Tasks)
	case *sluicev1.WatchMirrorResponse_Synced:
		if c.set != nil {
			return nil, fmt.Errorf("%w: the tasks of connector %s did not all come", ErrStream, c.set.connector)
		}
		return c.missed(nil, ch.Synced.GetQuiet()), nil
	}
	return nil, nil
}

// missed takes states away that went while no mirror followed, and that nobody reports as gone any more: those of deleted
// connectors, and all of Sluice's once nobody acts. Those of connectors that Sluice never had stay.
func (c *copier) missed(out []record, quiet bool) []record {
	if !quiet && len(c.gone) == 0 {
		return out // at nearly every marker: there may be many states
	}
	for _, key := range slices.Sorted(maps.Keys(c.states.known)) {
		kind, connector, _, _ := topics.ParseStatusKey(key)
		if kind != topics.StatusConnector && kind != topics.StatusTask || c.reported[key] {
			continue
		}
		if _, ours := c.conns[connector]; c.gone[connector] || quiet && ours {
			out = c.states.differ(out, key, nil)
		}
	}
	return out
}

func properties(c *sluicev1.Config) []topics.Property {
	out := make([]topics.Property, len(c.GetEntries()))
	for i, e := range c.GetEntries() {
		out[i] = topics.Property{Key: e.GetKey(), Value: e.Value}
	}
	return out
}

func (c *copier) deleted(out []record, name string) []record {
	delete(c.conns, name)
	c.gone[name], c.sweep = true, true
	// Only what Sluice wrote, or took over, is there; and what was written once is not written again.
	if connector, target := topics.ConnectorKey(name), topics.TargetStateKey(name); c.configs.has(connector) || c.configs.has(target) {
		out = append(out, c.configs.write(connector, nil), c.configs.write(target, nil))
	}
	return out
}

func (c *copier) connector(out []record, m *sluicev1.MirrorConnector) []record {
	b, name := c.configs, m.GetName()
	connector, commit := topics.ConnectorKey(name), topics.CommitKey(name)
	delete(c.gone, name)
	old, sent := c.conns[name]
	sent = sent && old.incarnation == m.GetIncarnation()
	stopped := m.GetTargetState() == sluicev1.TargetState_TARGET_STATE_STOPPED
	props := properties(m.GetConfig())
	// What is in the topic of its tasks may be left of a connector of the same name that was deleted.
	present := b.has(connector)
	if !present {
		out = c.target(out, m)
		out = b.differ(out, connector, topics.PropertiesValue(props))
	} else {
		out = b.differ(out, connector, topics.PropertiesValue(props))
		none := topics.CommitValue(0)
		if stopped && !b.same(commit, none) && (b.has(commit) || sent && !old.stopped) {
			out = append(out, b.write(commit, none))
		}
		out = c.target(out, m)
	}
	if r := m.GetRestart(); r != nil && (!sent || r.GetCount() != old.restarts) {
		value := topics.RestartValue(r.GetIncludeTasks(), r.GetOnlyFailed())
		if sent {
			out = append(out, b.write(topics.RestartKey(name), value))
		} else {
			out = b.differ(out, topics.RestartKey(name), value)
		}
	}
	c.conns[name] = conn{incarnation: m.GetIncarnation(), restarts: m.GetRestart().GetCount(), stopped: stopped}
	if m.GetHasTasks() {
		c.set = &taskSet{connector: name, config: props, count: int(m.GetTaskCount()), fence: m.GetFenceTasks(), first: !sent && present}
		if c.set.count == 0 {
			out = c.commit(out)
		}
	}
	return out
}

// target is the record of the target state; where nobody ever asked for one, there is none.
func (c *copier) target(out []record, m *sluicev1.MirrorConnector) []record {
	key := topics.TargetStateKey(m.GetName())
	if m.GetTargetState() == sluicev1.TargetState_TARGET_STATE_UNSPECIFIED {
		return c.configs.differ(out, key, nil)
	}
	return c.configs.differ(out, key, topics.TargetStateValue(strings.TrimPrefix(m.GetTargetState().String(), "TARGET_STATE_")))
}

// tasks takes the next tasks of the set that is coming in.
func (c *copier) tasks(out []record, m *sluicev1.MirrorTasks) ([]record, error) {
	if c.set == nil || int(m.GetFirst()) != len(c.set.tasks) || len(c.set.tasks)+len(m.GetTasks()) > c.set.count {
		return nil, fmt.Errorf("%w: tasks from %d on that do not follow", ErrStream, m.GetFirst())
	}
	for _, t := range m.GetTasks() {
		c.set.tasks = append(c.set.tasks, topics.PropertiesValue(topics.TaskProperties(c.set.config, properties(t))))
	}
	if len(c.set.tasks) < c.set.count {
		return out, nil
	}
	return c.commit(out), nil
}

// commit writes the set: all of it, and its commit last, as a reader takes a set with a gap for inconsistent.
func (c *copier) commit(out []record) []record {
	set, b := c.set, c.configs
	c.set = nil
	key, value := topics.CommitKey(set.connector), topics.CommitValue(set.count)
	// Nothing of it is written only where all of it is there already, and was committed for the present config.
	whole := set.first && b.same(key, value) && b.after(key, topics.ConnectorKey(set.connector))
	for i, t := range set.tasks {
		task := topics.TaskKey(set.connector, i)
		whole = whole && b.same(task, t) && b.after(key, task)
	}
	if !whole {
		for i, t := range set.tasks {
			out = append(out, b.write(topics.TaskKey(set.connector, i), t))
		}
		out = append(out, b.write(key, value))
	}
	if set.fence {
		out = b.differ(out, topics.TaskCountKey(set.connector), topics.TaskCountValue(set.count))
	}
	return out
}

func (c *copier) status(out []record, st *sluicev1.MirrorStatus) []record {
	u, err := unit.Parse(st.GetUnit())
	if err != nil || u.Kind != unit.KindConnector && u.Kind != unit.KindTask {
		return out // of a newer version
	}
	key := topics.StatusConnectorKey(u.Name)
	if u.Kind == unit.KindTask {
		key = topics.StatusTaskKey(u.Name, u.Task)
	}
	if st.GetDeleted() {
		delete(c.reported, key)
		c.sweep = c.sweep || c.gone[u.Name]
		return c.states.differ(out, key, nil)
	}
	c.reported[key] = true
	return c.states.differ(out, key, topics.Status{State: strings.TrimPrefix(st.GetState().String(), "STATE_"), Trace: st.GetTrace(), WorkerID: st.GetWorkerId(),
		Generation: st.GetGeneration(), Version: st.GetVersion()}.Value())
}

// activeTopic returns the tombstone of an active topic of a connector that is gone.
func (c *copier) activeTopic(out []record, key string, value []byte) []record {
	kind, connector, _, _ := topics.ParseStatusKey(key)
	if kind == topics.StatusTopic && value != nil && c.gone[connector] {
		out = append(out, record{true, key, nil})
	}
	return out
}

// swept forgets connectors of which nothing is reported any more.
func (c *copier) swept() {
	c.sweep = false
	left := map[string]bool{}
	for key, e := range c.states.known {
		if e.gone || len(c.gone) == 0 {
			continue
		}
		if kind, connector, _, _ := topics.ParseStatusKey(key); kind == topics.StatusConnector || kind == topics.StatusTask {
			left[connector] = true
		}
	}
	for name := range c.gone {
		if !left[name] {
			delete(c.gone, name)
		}
	}
}
