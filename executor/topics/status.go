package topics

import (
	"fmt"
	"strconv"
	"strings"
)

// The keys of connect-status.
const (
	statusConnectorPrefix = "status-connector-"
	statusTaskPrefix      = "status-task-"
	statusTopicPrefix     = "status-topic-"
	statusTopicSeparator  = ":connector-"
)

// Status is the value of a state in connect-status.
type Status struct {
	// State is UNASSIGNED, RUNNING, PAUSED, FAILED, RESTARTING or STOPPED.
	State string
	// Trace is why it failed; empty is written as null.
	Trace string
	// WorkerID is the advertised host:port.
	WorkerID string
	// Generation is Kafka Connect's group generation; Sluice writes the connector's config generation.
	Generation int64
	// Version is the plugin's version; empty is written as null.
	Version string
}

// StatusConnectorKey is the key of a connector's state.
func StatusConnectorKey(connector string) string { return statusConnectorPrefix + connector }

// StatusTaskKey is the key of a task's state.
func StatusTaskKey(connector string, task int) string {
	return statusTaskPrefix + connector + "-" + strconv.Itoa(task)
}

// StatusTopicKey is the key of an active topic of a connector.
func StatusTopicKey(topic, connector string) string {
	return statusTopicPrefix + topic + statusTopicSeparator + connector
}

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendString(dst, s)
}

// Value is the record's JSON.
func (s Status) Value() []byte {
	dst := AppendString([]byte(`{"state":`), s.State)
	dst = appendOptional(append(dst, `,"trace":`...), s.Trace)
	dst = AppendString(append(dst, `,"worker_id":`...), s.WorkerID)
	dst = strconv.AppendInt(append(dst, `,"generation":`...), s.Generation, 10)
	dst = appendOptional(append(dst, `,"version":`...), s.Version)
	return append(dst, '}')
}

// ParseStatus reads a state. A record without a version, as before Kafka Connect 4.1, is fine.
func ParseStatus(value []byte) (Status, error) {
	var v struct {
		State      string  `json:"state"`
		Trace      *string `json:"trace"`
		WorkerID   string  `json:"worker_id"`
		Generation int64   `json:"generation"`
		Version    *string `json:"version"`
	}
	if err := decode(value, &v); err != nil {
		return Status{}, err
	}
	switch v.State {
	case "UNASSIGNED", "RUNNING", "PAUSED", "FAILED", "DESTROYED", "RESTARTING", "STOPPED":
	default:
		return Status{}, fmt.Errorf("%w: state %q is not one of Kafka Connect's", ErrMalformed, v.State)
	}
	s := Status{State: v.State, WorkerID: v.WorkerID, Generation: v.Generation}
	if v.Trace != nil {
		s.Trace = *v.Trace
	}
	if v.Version != nil {
		s.Version = *v.Version
	}
	return s, nil
}

// ActiveTopicValue is the value of an active topic; discovered is in ms since the epoch.
func ActiveTopicValue(topic, connector string, task int, discovered int64) []byte {
	dst := AppendString([]byte(`{"topic":{"name":`), topic)
	dst = AppendString(append(dst, `,"connector":`...), connector)
	dst = strconv.AppendInt(append(dst, `,"task":`...), int64(task), 10)
	dst = strconv.AppendInt(append(dst, `,"discoverTimestamp":`...), discovered, 10)
	return append(dst, "}}"...)
}

// StatusKind is what a record of connect-status is about.
type StatusKind uint8

// The kinds.
const (
	StatusOther StatusKind = iota
	StatusConnector
	StatusTask
	StatusTopic
)

// ParseStatusKey says what a key of connect-status names. topic is set for an active topic only.
func ParseStatusKey(key string) (kind StatusKind, connector string, task int, topic string) {
	if c, ok := strings.CutPrefix(key, statusConnectorPrefix); ok {
		return StatusConnector, c, 0, ""
	}
	if c, ok := strings.CutPrefix(key, statusTaskPrefix); ok {
		if name, n, ok := cutTask(c); ok {
			return StatusTask, name, n, ""
		}
		return StatusOther, "", 0, ""
	}
	if c, ok := strings.CutPrefix(key, statusTopicPrefix); ok {
		// A topic's name holds no colon, a connector's may.
		if t, rest, ok := strings.Cut(c, ":"); ok {
			if name, ok := strings.CutPrefix(":"+rest, statusTopicSeparator); ok {
				return StatusTopic, name, 0, t
			}
		}
	}
	return StatusOther, "", 0, ""
}
