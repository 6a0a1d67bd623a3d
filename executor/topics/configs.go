package topics

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Property is one entry of a config; a nil value is null.
type Property struct {
	Key   string
	Value *string
}

// The keys of connect-configs.
const (
	connectorPrefix   = "connector-"
	taskPrefix        = "task-"
	commitPrefix      = "commit-"
	targetStatePrefix = "target-state-"
	taskCountPrefix   = "tasks-fencing-"
	restartPrefix     = "restart-connector-"
)

// ConnectorKey is the key of a connector's config.
func ConnectorKey(connector string) string { return connectorPrefix + connector }

// TaskKey is the key of a task's config.
func TaskKey(connector string, task int) string {
	return taskPrefix + connector + "-" + strconv.Itoa(task)
}

// CommitKey is the key of the record that makes a task set visible.
func CommitKey(connector string) string { return commitPrefix + connector }

// TargetStateKey is the key of what the user asked of a connector.
func TargetStateKey(connector string) string { return targetStatePrefix + connector }

// TaskCountKey is the key of the number of task producers to fence (exactly-once).
func TaskCountKey(connector string) string { return taskCountPrefix + connector }

// RestartKey is the key of the last restart with options that was asked for (KIP-745).
func RestartKey(connector string) string { return restartPrefix + connector }

// RestartValue is the value of a restart record.
func RestartValue(includeTasks, onlyFailed bool) []byte {
	dst := strconv.AppendBool([]byte(`{"include-tasks":`), includeTasks)
	return append(strconv.AppendBool(append(dst, `,"only-failed":`...), onlyFailed), '}')
}

// PropertiesValue is the value of a connector's or task's config, in the given order.
func PropertiesValue(props []Property) []byte {
	dst := []byte(`{"properties":{`)
	for i, p := range props {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, p.Key), ':')
		if p.Value == nil {
			dst = append(dst, "null"...)
		} else {
			dst = AppendString(dst, *p.Value)
		}
	}
	return append(dst, "}}"...)
}

// CommitValue is the value of a commit record.
func CommitValue(tasks int) []byte {
	return append(strconv.AppendInt([]byte(`{"tasks":`), int64(tasks), 10), '}')
}

// TaskCountValue is the value of a task count record.
func TaskCountValue(tasks int) []byte {
	return append(strconv.AppendInt([]byte(`{"task-count":`), int64(tasks), 10), '}')
}

// TargetStateValue is the value of a target state: STARTED, PAUSED or STOPPED. Workers that do not know
// STOPPED read PAUSED.
func TargetStateValue(state string) []byte {
	old := state
	if old == "STOPPED" {
		old = "PAUSED"
	}
	dst := AppendString([]byte(`{"state":`), old)
	dst = AppendString(append(dst, `,"state.v2":`...), state)
	return append(dst, '}')
}

// ConfigKind is what a record of connect-configs is about.
type ConfigKind uint8

// The kinds; KindOther is what Sluice leaves alone (session keys, loggers).
const (
	KindOther ConfigKind = iota
	KindConnector
	KindTask
	KindCommit
	KindTargetState
	KindTaskCount
	KindRestart
)

// ParseConfigKey says what a key of connect-configs names. A task's number is what follows the last dash,
// since a connector's name may hold dashes; a task key without one is KindOther.
func ParseConfigKey(key string) (kind ConfigKind, connector string, task int) {
	if c, ok := strings.CutPrefix(key, targetStatePrefix); ok {
		return KindTargetState, c, 0
	}
	if c, ok := strings.CutPrefix(key, connectorPrefix); ok {
		return KindConnector, c, 0
	}
	if c, ok := strings.CutPrefix(key, taskCountPrefix); ok {
		return KindTaskCount, c, 0
	}
	if c, ok := strings.CutPrefix(key, commitPrefix); ok {
		return KindCommit, c, 0
	}
	if c, ok := strings.CutPrefix(key, restartPrefix); ok {
		return KindRestart, c, 0
	}
	if c, ok := strings.CutPrefix(key, taskPrefix); ok {
		if name, n, ok := cutTask(c); ok {
			return KindTask, name, n
		}
	}
	return KindOther, "", 0
}

func cutTask(s string) (name string, task int, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(s[i+1:])
	if err != nil || n < 0 {
		return "", 0, false
	}
	return s[:i], n, true
}

// ParseProperties reads a connector's or task's config, in the order of the record; nil for a tombstone.
func ParseProperties(value []byte) ([]Property, error) {
	if value == nil {
		return nil, nil
	}
	var outer struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := decode(value, &outer); err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(outer.Properties)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: a config without an object `properties`", ErrMalformed)
	}
	props := []Property{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		key, _ := k.(string)
		v, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: config key %q: %w", ErrMalformed, key, err)
		}
		switch v := v.(type) {
		case nil:
			props = append(props, Property{Key: key})
		case string:
			props = append(props, Property{Key: key, Value: &v})
		default:
			return nil, fmt.Errorf("%w: config key %q holds a %T: want a string or null", ErrMalformed, key, v)
		}
	}
	return props, nil
}

// ParseCount reads a commit or a task count record.
func ParseCount(value []byte) (int, error) {
	var m map[string]json.Number
	if err := decode(value, &m); err != nil {
		return 0, err
	}
	for _, k := range []string{"tasks", "task-count"} {
		if n, ok := m[k]; ok {
			i, err := n.Int64()
			if err != nil || i < 0 {
				return 0, fmt.Errorf("%w: %s is %q: want a number of tasks", ErrMalformed, k, n)
			}
			return int(i), nil
		}
	}
	return 0, fmt.Errorf("%w: a count without `tasks` or `task-count`", ErrMalformed)
}

// ParseTargetState reads a target state: state.v2 where it is a string, else state. STARTED for a tombstone.
func ParseTargetState(value []byte) (string, error) {
	if value == nil {
		return "STARTED", nil
	}
	var m map[string]any
	if err := decode(value, &m); err != nil {
		return "", err
	}
	s, ok := m["state.v2"].(string)
	if !ok {
		if s, ok = m["state"].(string); !ok {
			return "", fmt.Errorf("%w: a target state without `state`", ErrMalformed)
		}
	}
	switch s {
	case "STARTED", "PAUSED", "STOPPED":
		return s, nil
	}
	return "", fmt.Errorf("%w: target state %q: want STARTED, PAUSED or STOPPED", ErrMalformed, s)
}
