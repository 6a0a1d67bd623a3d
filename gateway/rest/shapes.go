package rest

import (
	"bytes"
	"encoding/json"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// The shapes of Kafka Connect's bodies. The order of the fields is the order of the JSON; values says for the reference
// which values a string may have.

type serverInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Cluster string `json:"kafka_cluster_id"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type loggerLevel struct {
	Level        string `json:"level"`
	LastModified *int64 `json:"last_modified"`
}

type taskID struct {
	Connector string `json:"connector"`
	Task      int32  `json:"task"`
}

type connectorInfo struct {
	Name   string     `json:"name"`
	Config configJSON `json:"config"`
	Tasks  []taskID   `json:"tasks"`
	Type   string     `json:"type" values:"source,sink,unknown"`
}

type taskInfo struct {
	ID     taskID     `json:"id"`
	Config configJSON `json:"config"`
}

type connectorState struct {
	State    string  `json:"state" values:"UNASSIGNED,RUNNING,PAUSED,FAILED,RESTARTING,STOPPED"`
	WorkerID string  `json:"worker_id"`
	Version  *string `json:"version"`
	Trace    string  `json:"trace,omitempty"`
}

type taskState struct {
	ID       int32   `json:"id"`
	State    string  `json:"state" values:"UNASSIGNED,RUNNING,PAUSED,FAILED,RESTARTING,STOPPED"`
	WorkerID string  `json:"worker_id"`
	Version  *string `json:"version"`
	Trace    string  `json:"trace,omitempty"`
}

type connectorStatus struct {
	Name      string         `json:"name"`
	Connector connectorState `json:"connector"`
	Tasks     []taskState    `json:"tasks"`
	Type      string         `json:"type" values:"source,sink,unknown"`
}

// expanded is a connector in a list with expand.
type expanded struct {
	Info   *connectorInfo   `json:"info,omitempty"`
	Status *connectorStatus `json:"status,omitempty"`
}

type plugin struct {
	Class   string `json:"class"`
	Type    string `json:"type" values:"sink,source,transformation,predicate,converter,header_converter"`
	Version string `json:"version,omitempty"`
}

// configKey says its order twice: `order`, last, before Kafka Connect 4.2, and `order_in_group` since.
type configKey struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	OrderInGroup  int32    `json:"order_in_group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int32    `json:"order"`
}

type configValue struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

type configInfo struct {
	Definition *configKey  `json:"definition"`
	Value      configValue `json:"value"`
}

type configInfos struct {
	Name       string       `json:"name"`
	ErrorCount int32        `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []configInfo `json:"configs"`
}

// configJSON is a config as a flat object, in its own order.
type configJSON struct{ *sluicev1.Config }

func (c configJSON) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range c.GetEntries() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(&b, e.GetKey()); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := writeJSON(&b, e.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeJSON encodes without HTML's escapes, which Kafka Connect does not make either.
func writeJSON(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
