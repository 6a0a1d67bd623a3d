package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// marshaler is the one place where messages become the root's JSON and back. What it does not know is
// Sluice's own and goes as proto JSON.
type marshaler struct{ own runtime.JSONPb }

func newMarshaler() *marshaler {
	return &marshaler{own: runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: true},
		UnmarshalOptions: protojson.UnmarshalOptions{},
	}}
}

func (m *marshaler) ContentType(any) string { return "application/json" }

func (m *marshaler) Marshal(v any) ([]byte, error) {
	shape, known := shapeOf(v)
	if !known {
		return m.ownJSON(v)
	}
	if shape == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, shape); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ownJSON is proto JSON without its blanks, which protojson sets now so, now so.
func (m *marshaler) ownJSON(v any) ([]byte, error) {
	b, err := m.own.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (m *marshaler) Unmarshal(data []byte, v any) error {
	return decodeBody(bytes.NewReader(data), v)
}

func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error { return decodeBody(r, v) })
}

func (m *marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		b, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
}

// shapeOf turns a message into what the root's JSON shows of it. A nil shape is an answer without a
// body; known is false for a message that Kafka Connect does not have.
func shapeOf(v any) (shape any, known bool) {
	switch v := v.(type) {
	case *sluicev1.GetServerInfoResponse:
		return serverInfo{v.GetVersion(), v.GetCommit(), v.GetKafkaClusterId()}, true
	case *sluicev1.ListConnectorsResponse:
		return listShape(v), true
	case *sluicev1.CreateConnectorResponse:
		return infoShape(v.GetConnector()), true
	case *sluicev1.GetConnectorResponse:
		return infoShape(v.GetConnector()), true
	case *sluicev1.PutConnectorConfigResponse:
		return infoShape(v.GetConnector()), true
	case *sluicev1.PatchConnectorConfigResponse:
		return infoShape(v.GetConnector()), true
	case *sluicev1.GetHealthResponse:
		return health{v.GetStatus(), v.GetMessage()}, true
	case *sluicev1.ListLoggersResponse:
		out := make(map[string]loggerLevel, len(v.GetLoggers()))
		for _, l := range v.GetLoggers() {
			out[l.GetName()] = loggerLevel{l.GetLevel(), l.LastModified}
		}
		return out, true
	case *sluicev1.GetLoggerResponse:
		return loggerLevel{v.GetLogger().GetLevel(), v.GetLogger().LastModified}, true
	case *sluicev1.SetLoggerResponse:
		if v.GetElsewhere() {
			return nil, true
		}
		return notNil(v.GetChanged()), true
	case *sluicev1.GetPluginConfigResponse:
		out := make([]configKey, 0, len(v.GetPlugin().GetDefinition()))
		for _, k := range v.GetPlugin().GetDefinition() {
			out = append(out, *keyShape(k))
		}
		return out, true
	case *sluicev1.GetConnectorConfigResponse:
		return configJSON{v.GetConfig()}, true
	case *sluicev1.GetConnectorStatusResponse:
		return statusShape(v.GetStatus()), true
	case *sluicev1.GetTaskStatusResponse:
		return taskStateShape(v.GetStatus()), true
	case *sluicev1.ListTasksResponse:
		out := make([]taskInfo, 0, len(v.GetTasks()))
		for _, t := range v.GetTasks() {
			out = append(out, taskInfo{taskID{t.GetId().GetConnector(), t.GetId().GetTask()}, configJSON{t.GetConfig()}})
		}
		return out, true
	case *sluicev1.GetConnectorOffsetsResponse:
		return offsetsShape(v.GetOffsets()), true
	case *sluicev1.AlterConnectorOffsetsResponse:
		return message{v.GetMessage()}, true
	case *sluicev1.ResetConnectorOffsetsResponse:
		return message{v.GetMessage()}, true
	case *sluicev1.GetConnectorTopicsResponse:
		return topicsShape(v), true
	case *sluicev1.RestartConnectorResponse:
		if v.GetStatus() == nil {
			return nil, true
		}
		return statusShape(v.GetStatus()), true
	case *sluicev1.DeleteConnectorResponse, *sluicev1.PauseConnectorResponse, *sluicev1.ResumeConnectorResponse,
		*sluicev1.StopConnectorResponse, *sluicev1.RestartTaskResponse,
		*sluicev1.ResetConnectorTopicsResponse:
		return nil, true
	case *sluicev1.ListPluginsResponse:
		out := make([]plugin, 0, len(v.GetPlugins()))
		for _, p := range v.GetPlugins() {
			out = append(out, plugin{p.GetClass(), enumText(p.GetType().String(), "PLUGIN_TYPE_"), p.GetVersion()})
		}
		return out, true
	case *sluicev1.ValidateConfigResponse:
		return validateShape(v), true
	default:
		return nil, false
	}
}

// listShape is a list of names, or with expand a map by name.
func listShape(v *sluicev1.ListConnectorsResponse) any {
	if !v.GetExpanded() {
		names := make([]string, 0, len(v.GetConnectors()))
		for _, c := range v.GetConnectors() {
			names = append(names, c.GetName())
		}
		return names
	}
	out := make(map[string]expanded, len(v.GetConnectors()))
	for _, c := range v.GetConnectors() {
		var one expanded
		if c.GetInfo() != nil {
			info := infoShape(c.GetInfo())
			one.Info = &info
		}
		if c.GetStatus() != nil {
			s := statusShape(c.GetStatus())
			one.Status = &s
		}
		out[c.GetName()] = one
	}
	return out
}

func infoShape(c *sluicev1.ConnectorInfo) connectorInfo {
	out := connectorInfo{Name: c.GetName(), Config: configJSON{c.GetConfig()}, Tasks: []taskID{}, Type: typeText(c.GetType())}
	for _, t := range c.GetTasks() {
		out.Tasks = append(out.Tasks, taskID{t.GetConnector(), t.GetTask()})
	}
	return out
}

func statusShape(s *sluicev1.ConnectorStatus) connectorStatus {
	c := taskStateShape(s.GetConnector())
	out := connectorStatus{
		Name:      s.GetName(),
		Connector: connectorState{c.State, c.WorkerID, c.Version, c.Trace},
		Tasks:     []taskState{},
		Type:      typeText(s.GetType()),
	}
	for _, t := range s.GetTasks() {
		out.Tasks = append(out.Tasks, taskStateShape(t))
	}
	return out
}

// taskStateShape shows no version, null, in passing: while nothing runs that has one.
func taskStateShape(s *sluicev1.InstanceState) taskState {
	out := taskState{ID: s.GetTask(), State: enumText(s.GetState().String(), "STATE_"), WorkerID: s.GetWorkerId(), Trace: s.GetTrace()}
	out.State = strings.ToUpper(out.State)
	if v := s.GetVersion(); v != "" {
		out.Version = &v
	}
	return out
}

func validateShape(v *sluicev1.ValidateConfigResponse) configInfos {
	out := configInfos{Name: v.GetName(), ErrorCount: v.GetErrorCount(), Groups: notNil(v.GetGroups()), Configs: []configInfo{}}
	for _, c := range v.GetConfigs() {
		info := configInfo{Value: configValue{
			Name: c.GetValue().GetName(), Value: c.GetValue().Value, Recommended: notNil(c.GetValue().GetRecommendedValues()),
			Errors: notNil(c.GetValue().GetErrors()), Visible: c.GetValue().GetVisible(),
		}}
		if d := c.GetDefinition(); d != nil {
			info.Definition = keyShape(d)
		}
		out.Configs = append(out.Configs, info)
	}
	return out
}

func keyShape(d *sluicev1.ConfigKey) *configKey {
	return &configKey{
		Name: d.GetName(), Type: d.GetType(), Required: d.GetRequired(), DefaultValue: d.DefaultValue,
		Importance: d.GetImportance(), Documentation: d.GetDocumentation(), Group: d.Group, Width: d.GetWidth(),
		DisplayName: d.GetDisplayName(), Dependents: notNil(d.GetDependents()), Order: d.GetOrder(), OrderInGroup: d.GetOrder(),
	}
}

func typeText(t sluicev1.ConnectorType) string {
	if t == sluicev1.ConnectorType_CONNECTOR_TYPE_UNSPECIFIED {
		return "unknown"
	}
	return enumText(t.String(), "CONNECTOR_TYPE_")
}

func enumText(s, prefix string) string { return strings.ToLower(strings.TrimPrefix(s, prefix)) }
