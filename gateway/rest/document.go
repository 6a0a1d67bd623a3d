package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/sluice-project/sluice/gateway/rest/openapi"
	"github.com/sluice-project/sluice/internal/version"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Document describes every route: its words are the protos' comments, its statuses and shapes what the code that answers
// makes of a sample. protos are the descriptors with their comments, as `buf build` writes them.
func Document(protos *descriptorpb.FileDescriptorSet) (*openapi.Document, error) {
	schemas, err := openapi.NewSchemas(protos, shapes, fixedSchemas)
	if err != nil {
		return nil, err
	}
	schemas.Named["Error"] = &openapi.Schema{Type: "object", Description: "Kafka Connect's ErrorMessage: what every refusal is.", Required: []string{"error_code", "message"},
		Properties: openapi.Properties{{Name: "error_code", Schema: &openapi.Schema{Type: "integer", Format: "int32", Description: "The HTTP status."}},
			{Name: "message", Schema: openapi.Text("What is wrong, with which key, and what would be right.")}}}
	d := &describer{schemas: schemas, ids: map[string]int{}, out: &openapi.Document{
		OpenAPI: "3.0.3",
		Info: openapi.Info{Title: "Sluice", Version: version.Connect,
			Description: "Kafka Connect's REST API, and what Sluice has beside it under /v1/. The version is that of the Kafka Connect whose API is spoken. HEAD goes wherever GET does, OPTIONS everywhere; parameters that are not listed are ignored."},
		Paths: map[string]openapi.Item{}, Components: openapi.Components{Schemas: schemas.Named},
	}}
	for _, r := range routes {
		if err := d.add(r); err != nil {
			return nil, err
		}
	}
	for _, s := range schemas.Named {
		s.Description, _ = inHTTP("", s.Description)
		for _, p := range s.Properties {
			p.Schema.Description, _ = inHTTP("", p.Schema.Description)
		}
	}
	return d.out, nil
}

type describer struct {
	schemas *openapi.Schemas
	out     *openapi.Document
	ids     map[string]int
}

func (d *describer) add(r route) error {
	op := &openapi.Operation{Responses: map[string]openapi.Response{}}
	if r.rpc == nil {
		d.own(r, op)
	} else if err := d.rpc(r, op); err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path(), err)
	}
	if d.ids[op.ID]++; d.ids[op.ID] > 1 {
		op.ID += strconv.Itoa(d.ids[op.ID])
	}
	item := d.out.Paths[r.path()]
	if item == nil {
		item = openapi.Item{}
		d.out.Paths[r.path()] = item
	}
	item[strings.ToLower(r.method)] = op
	return nil
}

// own describes one of ownRoutes.
func (d *describer) own(r route, op *openapi.Operation) {
	i := slices.IndexFunc(ownRoutes, func(o ownRoute) bool { return o.method == r.method && o.path == r.path() })
	o := ownRoutes[i]
	op.ID, op.Summary, op.Description, op.Tags = o.id, o.summary, o.about, []string{"Gateway"}
	d.tag("Gateway", "What the gateway answers by itself.")
	for _, s := range r.segments {
		if name, ok := variable(s); ok {
			op.Parameters = append(op.Parameters, openapi.Parameter{Name: name, In: "path", Required: true, Schema: pathText})
		}
	}
	if o.body != nil {
		op.Body = jsonBody(o.body, true)
	}
	for code, schema := range o.answers {
		d.answer(op, code, schema)
	}
	d.refusals(r, op, nil)
}

// rpc describes a route behind which there is an rpc.
func (d *describer) rpc(r route, op *openapi.Operation) error {
	service := r.rpc.Parent()
	tag := strings.TrimSuffix(string(service.Name()), "Service") + "s"
	group, _ := inHTTP("", d.schemas.Comment(service.FullName()))
	d.tag(tag, group)
	about, codes := inHTTP(r.rpc.Name(), d.schemas.Comment(r.rpc.FullName()))
	name := string(r.rpc.Name())
	op.Tags, op.ID, op.Description = []string{tag}, strings.ToLower(name[:1])+name[1:], about
	op.Summary, _, _ = strings.Cut(strings.TrimSuffix(about, "."), ". ")
	if err := d.request(r, op); err != nil {
		return err
	}
	d.refusals(r, op, codes)
	return d.answers(r, op)
}

// request describes the parameters and the body.
func (d *describer) request(r route, op *openapi.Operation) error {
	in := r.rpc.Input()
	taken := map[protoreflect.Name]bool{protoreflect.Name(r.bodyField): true}
	for _, s := range r.segments {
		name, ok := variable(s)
		if !ok {
			continue
		}
		f := in.Fields().ByName(protoreflect.Name(name))
		if f == nil {
			return fmt.Errorf("%s has no field %s (bug)", in.FullName(), name)
		}
		taken[f.Name()] = true
		schema := d.schemas.Value(f)
		if schema.Type == "string" {
			schema = pathText
		}
		op.Parameters = append(op.Parameters, openapi.Parameter{Name: name, In: "path", Required: true, Description: d.comment(f), Schema: schema})
	}
	for i := range in.Fields().Len() {
		f := in.Fields().Get(i)
		if f.Name() == "if_match" {
			op.Parameters = append(op.Parameters, openapi.Parameter{Name: "If-Match", In: "header", Schema: openapi.Text(""),
				Description: "ETags of which the present config must have one, or * for any."})
		}
		list, known := queryKeys[f.JSONName()]
		if taken[f.Name()] || r.bodyField == "*" || !known && !r.rpc.IsStreamingServer() { // a stream reads its own
			continue
		}
		schema := d.schemas.Value(f)
		if list {
			schema = &openapi.Schema{Type: "array", Items: schema}
		}
		op.Parameters = append(op.Parameters, openapi.Parameter{Name: f.JSONName(), In: "query", Description: d.comment(f), Schema: schema})
	}
	if in.FullName() == fullName(&sluicev1.CreateConnectorRequest{}) {
		op.Parameters = append(op.Parameters, openapi.Parameter{Name: "Idempotency-Key", In: "header", Schema: openapi.Text(""),
			Description: "With the body, names the request: the same again gets the first answer."})
	}
	var err error
	op.Body, err = d.body(r)
	return err
}

func (d *describer) comment(f protoreflect.FieldDescriptor) string {
	text, _ := inHTTP("", d.schemas.Comment(f.FullName()))
	return text
}

// body describes what decodeBody reads.
func (d *describer) body(r route) (*openapi.Body, error) {
	in := r.rpc.Input()
	switch {
	case r.bodyField == "":
		return nil, nil
	case in.FullName() == fullName(&sluicev1.CreateConnectorRequest{}):
		return jsonBody(d.named("CreateConnector", createBody), true), nil
	case in.FullName() == fullName(&sluicev1.AlterConnectorOffsetsRequest{}):
		return jsonBody(d.named("AlterOffsets", offsetsRequest), true), nil
	case r.bodyField == "*":
		return jsonBody(d.schemas.Body(in), false), nil
	}
	f := in.Fields().ByName(protoreflect.Name(r.bodyField))
	switch {
	case f != nil && f.Message() != nil && f.Message().FullName() == fullName(&sluicev1.Config{}):
		return jsonBody(d.named("Config", configBody), true), nil
	case f != nil && f.Kind() == protoreflect.StringKind:
		return jsonBody(d.named("Level", levelBody), true), nil
	}
	return nil, fmt.Errorf("decodeBody reads no field %s of %s (bug)", r.bodyField, in.FullName())
}

func (d *describer) named(name string, s *openapi.Schema) *openapi.Schema {
	d.schemas.Named[name] = s
	return openapi.Ref(name)
}

// answers has the code that answers do so, with samples.
func (d *describer) answers(r route, op *openapi.Operation) error {
	if r.rpc.IsStreamingServer() {
		return d.stream(r, op)
	}
	of, err := samplesOf(r.rpc.Output())
	if err != nil {
		return err
	}
	bodies := map[int][]*openapi.Schema{}
	headers := map[int]map[string]openapi.Header{}
	for _, sample := range of {
		w := &sampled{header: http.Header{"Content-Type": {"application/json"}}, code: http.StatusOK}
		if err := onResponse(context.Background(), w, sample); err != nil {
			return err
		}
		shape, known := shapeOf(sample)
		var one *openapi.Schema
		switch {
		case w.header["Content-Type"] == nil:
		case known:
			one = d.schemas.Of(reflect.TypeOf(shape))
		default:
			one = d.schemas.Answer(r.rpc.Output())
		}
		bodies[w.code] = append(bodies[w.code], one)
		headers[w.code] = map[string]openapi.Header{}
		if w.header.Get("Location") != "" {
			headers[w.code]["Location"] = openapi.Header{Description: "Where the connector is.", Schema: openapi.Text("")}
		}
		if r.rpc.Output().Fields().ByName("etag") != nil {
			headers[w.code]["ETag"] = openapi.Header{Description: "Names the config, for If-Match.", Schema: openapi.Text("")}
		}
	}
	for code, schemas := range bodies {
		if e, ok := op.Responses[strconv.Itoa(code)]; ok { // a status that refusals have too
			schemas = append(schemas, e.Content["application/json"].Schema)
		}
		var schema *openapi.Schema
		if schemas[0] != nil {
			schema = openapi.Any(schemas)
		}
		d.answer(op, code, schema)
		one := op.Responses[strconv.Itoa(code)]
		one.Headers = headers[code]
		op.Responses[strconv.Itoa(code)] = one
	}
	return nil
}

// stream describes server-sent events. The data of each is what the answer has beside its id.
func (d *describer) stream(r route, op *openapi.Operation) error {
	about := http.StatusText(http.StatusOK)
	for i := range r.rpc.Output().Fields().Len() {
		if m := r.rpc.Output().Fields().Get(i).Message(); m != nil {
			d.schemas.Sparse(m)
			about += ": the data of an event is " + string(m.Name()) + ", without the members that hold nothing"
		}
	}
	op.Responses["200"] = openapi.Response{Description: about, Content: map[string]openapi.Media{mediaEvents: {Schema: openapi.Text("")}}}
	op.Parameters = append(op.Parameters, openapi.Parameter{Name: "Last-Event-ID", In: "header", Schema: openapi.Text(""),
		Description: "The id of the last event that was seen: the stream goes on after it."})
	return nil
}

func (d *describer) answer(op *openapi.Operation, code int, schema *openapi.Schema) {
	out := openapi.Response{Description: http.StatusText(code)}
	if schema != nil {
		out.Content = map[string]openapi.Media{"application/json": {Schema: schema}}
	}
	op.Responses[strconv.Itoa(code)] = out
}

// refusals are the errors: those of the comment, and those of the container and of any rpc.
func (d *describer) refusals(r route, op *openapi.Operation, codes []int) {
	codes = append(slices.Clone(codes), http.StatusBadRequest, http.StatusNotAcceptable)
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, r.method) {
		codes = append(codes, http.StatusUnsupportedMediaType)
	}
	if r.rpc != nil {
		codes = append(codes, http.StatusInternalServerError, http.StatusServiceUnavailable)
		if r.method != http.MethodGet {
			codes = append(codes, http.StatusConflict)
		}
		if r.rpc.Input().Fields().ByName("if_match") != nil {
			codes = append(codes, http.StatusPreconditionFailed)
		}
		if strings.Contains(r.path(), "/{task}") || strings.HasPrefix(r.path(), "/admin/") {
			codes = append(codes, http.StatusNotFound)
		}
	}
	for _, code := range codes {
		schema := errorSchema
		if code == http.StatusBadRequest {
			schema = &openapi.Schema{AnyOf: []*openapi.Schema{errorSchema, d.named("BadRequest", badRequestBody)}}
		}
		d.answer(op, code, schema)
	}
}

func (d *describer) tag(name, about string) {
	if !slices.ContainsFunc(d.out.Tags, func(t openapi.Tag) bool { return t.Name == name }) {
		d.out.Tags = append(d.out.Tags, openapi.Tag{Name: name, Description: about})
	}
}

// variable is the name of a segment that stands for any.
func variable(segment string) (string, bool) {
	if !strings.HasPrefix(segment, "{") {
		return "", false
	}
	name, _, _ := strings.Cut(strings.Trim(segment, "{}"), "=")
	return name, true
}

func jsonBody(s *openapi.Schema, required bool) *openapi.Body {
	return &openapi.Body{Required: required, Content: map[string]openapi.Media{"application/json": {Schema: s}}}
}

func fullName(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }

// sampled is where a sample is answered to.
type sampled struct {
	header http.Header
	code   int
}

func (s *sampled) Header() http.Header         { return s.header }
func (s *sampled) WriteHeader(code int)        { s.code = code }
func (s *sampled) Write(b []byte) (int, error) { return len(b), nil }

// samplesOf are answers that differ in their status or shape.
func samplesOf(d protoreflect.MessageDescriptor) ([]proto.Message, error) {
	var out []proto.Message
	for _, s := range samples {
		if fullName(s) == d.FullName() {
			out = append(out, s)
		}
	}
	if out != nil {
		return out, nil
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return nil, err
	}
	return []proto.Message{t.New().Interface()}, nil
}

// samples are those of messages that have more than one, or none that is empty.
var samples = []proto.Message{
	&sluicev1.ListConnectorsResponse{}, &sluicev1.ListConnectorsResponse{Expanded: true},
	&sluicev1.CreateConnectorResponse{Connector: &sluicev1.ConnectorInfo{Name: "a"}},
	&sluicev1.PutConnectorConfigResponse{}, &sluicev1.PutConnectorConfigResponse{Created: true, Connector: &sluicev1.ConnectorInfo{Name: "a"}},
	&sluicev1.RestartConnectorResponse{}, &sluicev1.RestartConnectorResponse{Status: &sluicev1.ConnectorStatus{}},
	&sluicev1.GetHealthResponse{Status: "healthy"}, &sluicev1.GetHealthResponse{Status: "starting"}, &sluicev1.GetHealthResponse{Status: "unhealthy"},
	&sluicev1.GetLoggerResponse{Logger: &sluicev1.Logger{}},
	&sluicev1.SetLoggerResponse{}, &sluicev1.SetLoggerResponse{Elsewhere: true},
}

var grpcWords = regexp.MustCompile(`\b(INVALID_ARGUMENT|OUT_OF_RANGE|NOT_FOUND|ALREADY_EXISTS|ABORTED|FAILED_PRECONDITION|PERMISSION_DENIED|UNAVAILABLE|RESOURCE_EXHAUSTED)\b`)

// inHTTP replaces the gRPC codes of an rpc's comment by the statuses that they become, and returns these.
func inHTTP(rpc protoreflect.Name, comment string) (string, []int) {
	var all []int
	text := grpcWords.ReplaceAllStringFunc(comment, func(word string) string {
		code := statusOf(rpc, word)
		all = append(all, code)
		return strconv.Itoa(code)
	})
	return text, all
}

func statusOf(rpc protoreflect.Name, word string) int {
	switch word {
	case "INVALID_ARGUMENT", "OUT_OF_RANGE":
		return http.StatusBadRequest
	case "NOT_FOUND":
		return http.StatusNotFound
	case "PERMISSION_DENIED":
		return http.StatusForbidden
	case "UNAVAILABLE", "RESOURCE_EXHAUSTED":
		return http.StatusServiceUnavailable
	case "FAILED_PRECONDITION":
		if strings.HasSuffix(string(rpc), "ConnectorOffsets") { // errs.OffsetsNotStopped is Kafka Connect's 400
			return http.StatusBadRequest
		}
	}
	return http.StatusConflict
}

// shapes name the structs of the root's bodies, and say whose comments explain their members.
var shapes = func() map[reflect.Type]openapi.Shape {
	out := map[reflect.Type]openapi.Shape{}
	for _, s := range []struct {
		of      any
		name    string
		message protoreflect.FullName
	}{
		{serverInfo{}, "ServerInfo", "sluice.v1.GetServerInfoResponse"},
		{health{}, "Health", "sluice.v1.GetHealthResponse"},
		{loggerLevel{}, "LoggerLevel", "sluice.v1.Logger"},
		{taskID{}, "TaskID", "sluice.v1.TaskID"},
		{connectorInfo{}, "ConnectorInfo", "sluice.v1.ConnectorInfo"},
		{taskInfo{}, "TaskInfo", "sluice.v1.ListTasksResponse.Task"},
		{connectorState{}, "ConnectorState", "sluice.v1.InstanceState"},
		{taskState{}, "TaskState", "sluice.v1.InstanceState"},
		{connectorStatus{}, "ConnectorStatus", "sluice.v1.ConnectorStatus"},
		{expanded{}, "ExpandedConnector", "sluice.v1.ListConnectorsResponse.Connector"},
		{plugin{}, "Plugin", "sluice.v1.Plugin"},
		{configKey{}, "ConfigKey", "sluice.v1.ConfigKey"},
		{configValue{}, "ConfigValue", "sluice.v1.ConfigValue"},
		{configInfo{}, "ConfigInfo", "sluice.v1.ConfigInfo"},
		{configInfos{}, "ConfigInfos", "sluice.v1.ValidateConfigResponse"},
		{offsetsBody{}, "Offsets", "sluice.v1.GetConnectorOffsetsResponse"},
		{partitionOffset{}, "PartitionOffset", "sluice.v1.PartitionOffset"},
		{message{}, "Message", "sluice.v1.AlterConnectorOffsetsResponse"},
		{activeTopics{}, "ActiveTopics", "sluice.v1.GetConnectorTopicsResponse"},
	} {
		out[reflect.TypeOf(s.of)] = openapi.Shape{Name: s.name, Message: s.message}
	}
	return out
}()

// fixedSchemas are those of types that write their JSON themselves.
var fixedSchemas = map[reflect.Type]*openapi.Schema{
	reflect.TypeFor[configJSON]():      {Type: "object", Additional: &openapi.Schema{Type: "string", Nullable: true}},
	reflect.TypeFor[json.RawMessage](): {Type: "object", Nullable: true},
}
