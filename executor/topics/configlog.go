package topics

import (
	"maps"
	"slices"
	"strings"
)

// LoggedConnector is what connect-configs says of a connector.
type LoggedConnector struct {
	Name   string
	Config []Property
	// Target is STARTED, PAUSED or STOPPED; STARTED where there is no record of it. TargetSet says whether there is one.
	Target    string
	TargetSet bool
	// Tasks are the configs of the last whole task set; nil where there is none.
	Tasks [][]Property
	// Inconsistent says that the last commit named tasks that were not there: a worker that died, or compaction.
	Inconsistent bool
	// Fence is how many transactional producers of an exactly-once source its task count record names: those of the last
	// task set that was started. It outlives the connector.
	Fence int
}

// ConfigLog reads connect-configs as Kafka Connect's workers do (KafkaConfigBackingStore). Apply every record in order.
// The zero value is empty. Not safe for concurrent use.
type ConfigLog struct {
	connectors map[string]*LoggedConnector
	targets    map[string]string
	deferred   map[string]map[int][]Property
	fences     map[string]int
}

// Apply takes one record; a nil value is a tombstone. An error says that the record is skipped, as Kafka Connect does.
func (l *ConfigLog) Apply(key string, value []byte) error {
	if l.connectors == nil {
		l.connectors, l.targets, l.deferred = map[string]*LoggedConnector{}, map[string]string{}, map[string]map[int][]Property{}
		l.fences = map[string]int{}
	}
	kind, name, task := ParseConfigKey(key)
	switch kind {
	case KindTargetState:
		if value == nil {
			delete(l.targets, name)
			return nil
		}
		state, err := ParseTargetState(value)
		if err != nil {
			return err
		}
		l.targets[name] = state
	case KindConnector:
		if value == nil {
			delete(l.connectors, name)
			delete(l.deferred, name)
			return nil
		}
		props, err := ParseProperties(value)
		if err != nil {
			return err
		}
		if l.connectors[name] == nil {
			l.connectors[name] = &LoggedConnector{Name: name}
		}
		l.connectors[name].Config = props
	case KindTask:
		props, err := ParseProperties(value)
		if err != nil || value == nil {
			return err
		}
		if l.deferred[name] == nil {
			l.deferred[name] = map[int][]Property{}
		}
		l.deferred[name][task] = props
	case KindCommit:
		if value == nil {
			return nil
		}
		n, err := ParseCount(value)
		if err != nil {
			return err
		}
		l.commit(name, n)
	case KindTaskCount:
		if value == nil {
			return nil
		}
		n, err := ParseCount(value)
		if err != nil {
			return err
		}
		l.fences[name] = n
	}
	return nil
}

// commit makes the tasks since the last commit visible, where they are n or more without a gap.
func (l *ConfigLog) commit(name string, n int) {
	tasks, c := l.deferred[name], l.connectors[name]
	delete(l.deferred, name)
	if c == nil {
		return // what is left of a connector that was deleted
	}
	c.Tasks, c.Inconsistent = nil, len(tasks) < n // n is outside input: nothing is made of its size before that
	for i := 0; i < n && !c.Inconsistent; i++ {
		props, ok := tasks[i]
		if c.Inconsistent = !ok; ok {
			c.Tasks = append(c.Tasks, props)
		}
	}
	if c.Inconsistent {
		c.Tasks = nil
	}
}

// Connectors are the connectors that there are, by name.
func (l *ConfigLog) Connectors() []LoggedConnector {
	out := make([]LoggedConnector, 0, len(l.connectors))
	for name, c := range maps.All(l.connectors) {
		one := *c
		one.Target, one.Fence = "STARTED", l.fences[name]
		if t, ok := l.targets[name]; ok {
			one.Target, one.TargetSet = t, true
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b LoggedConnector) int { return strings.Compare(a.Name, b.Name) })
	return out
}
