package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sluice-project/sluice/gateway/rest"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// controlPlane answers what a test wants and keeps what it was asked.
type controlPlane struct {
	sluicev1.UnimplementedConnectorServiceServer
	sluicev1.UnimplementedPluginServiceServer
	sluicev1.UnimplementedClusterServiceServer
	calls []any
}

func (c *controlPlane) info(name string, config *sluicev1.Config) *sluicev1.ConnectorInfo {
	return &sluicev1.ConnectorInfo{Name: name, Config: config, Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE}
}

func (c *controlPlane) CreateConnector(_ context.Context, r *sluicev1.CreateConnectorRequest) (*sluicev1.CreateConnectorResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.CreateConnectorResponse{Connector: c.info(r.GetName(), r.GetConfig())}, nil
}

func (c *controlPlane) PutConnectorConfig(_ context.Context, r *sluicev1.PutConnectorConfigRequest) (*sluicev1.PutConnectorConfigResponse, error) {
	c.calls = append(c.calls, r)
	return &sluicev1.PutConnectorConfigResponse{Connector: c.info(r.GetName(), r.GetConfig()), Created: r.GetName() == "new"}, nil
}

func (c *controlPlane) GetConnector(_ context.Context, r *sluicev1.GetConnectorRequest) (*sluicev1.GetConnectorResponse, error) {
	s, err := status.New(codes.NotFound, "Connector "+r.GetName()+" not found").WithDetails(&errdetails.ErrorInfo{Reason: "connector.not_found"})
	if err != nil {
		return nil, err
	}
	return nil, s.Err()
}

func (c *controlPlane) GetTaskStatus(_ context.Context, r *sluicev1.GetTaskStatusRequest) (*sluicev1.GetTaskStatusResponse, error) {
	task := r.GetTask()
	return &sluicev1.GetTaskStatusResponse{Status: &sluicev1.InstanceState{
		Task: &task, State: sluicev1.State_STATE_FAILED, WorkerId: "h:1", Version: "1.0", Trace: "boom",
	}}, nil
}

func (c *controlPlane) ListConnectors(_ context.Context, r *sluicev1.ListConnectorsRequest) (*sluicev1.ListConnectorsResponse, error) {
	return &sluicev1.ListConnectorsResponse{
		Connectors: []*sluicev1.ListConnectorsResponse_Connector{{Name: "a"}},
		Expanded:   len(r.GetExpand()) > 0,
	}, nil
}

func (c *controlPlane) PauseConnector(context.Context, *sluicev1.PauseConnectorRequest) (*sluicev1.PauseConnectorResponse, error) {
	return &sluicev1.PauseConnectorResponse{}, nil
}

func (c *controlPlane) DeleteConnector(context.Context, *sluicev1.DeleteConnectorRequest) (*sluicev1.DeleteConnectorResponse, error) {
	return &sluicev1.DeleteConnectorResponse{}, nil
}

func (c *controlPlane) GetServerInfo(context.Context, *sluicev1.GetServerInfoRequest) (*sluicev1.GetServerInfoResponse, error) {
	return &sluicev1.GetServerInfoResponse{Version: "4.3.1", Commit: "c", KafkaClusterId: "k"}, nil
}

// dial is a connection to a control plane.
func dial(t *testing.T) (*controlPlane, *grpc.ClientConn) {
	t.Helper()
	cp := &controlPlane{}
	l := bufconn.Listen(1 << 20)
	g := grpc.NewServer()
	sluicev1.RegisterConnectorServiceServer(g, cp)
	sluicev1.RegisterPluginServiceServer(g, cp)
	sluicev1.RegisterClusterServiceServer(g, cp)
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///cp", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		g.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return cp, conn
}

func serve(t *testing.T) (*controlPlane, string) {
	t.Helper()
	cp, conn := dial(t)
	h, err := rest.NewHandlers(t.Context(), conn, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h.Main)
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return cp, s.URL
}

func call(t *testing.T, method, url, contentType, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestBadInput_IsRefusedWithItsReasonAndReachesNobody(t *testing.T) {
	const typ = "application/json"
	for _, c := range []struct {
		name, method, path, typ, body string
		code                          int
		message                       string
	}{
		{"malformed JSON", "POST", "/connectors", typ, `{"name":`, 400, "the body is not valid JSON: it ends too early"},
		{"broken JSON", "POST", "/connectors", typ, `{"name" "a"}`, 400, `the body is not valid JSON: invalid character '"' after object key at byte 8`},
		{"empty body", "POST", "/connectors", typ, ``, 400, "the body is empty: a JSON object is needed"},
		{"array", "POST", "/connectors", typ, `[]`, 400, "the body must be a JSON object"},
		{"unknown field", "POST", "/connectors", typ, `{"zz":1}`, 400, `Unrecognized field "zz" (class org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest), not marked as ignorable (3 known properties: "config", "initial_state", "name"])`},
		{"no config", "POST", "/connectors", typ, `{"name":"a"}`, 400, `the field "config" is missing: an object of the connector's config is needed`},
		{"null config", "POST", "/connectors", typ, `{"config":null}`, 400, `the config is null: an object is needed`},
		{"object in config", "POST", "/connectors", typ, `{"config":{"a":{}}}`, 400, "Cannot deserialize value of type `java.lang.String` from Object value: \"a\" must be a string"},
		{"array in config", "PUT", "/connectors/a/config", typ, `{"a":[1]}`, 400, "Cannot deserialize value of type `java.lang.String` from Array value: \"a\" must be a string"},
		{"initial state", "POST", "/connectors", typ, `{"initial_state":"FOO","config":{}}`, 400, "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest$InitialState`, problem: No enum constant org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.InitialState.FOO: it must be RUNNING, PAUSED or STOPPED"},
		{"two values", "PUT", "/connectors/a/config", typ, `{} {}`, 400, "there is more after the JSON value: the body must be one JSON object"},
		{"form type", "POST", "/connectors", "application/x-www-form-urlencoded", `a=b`, 415, "HTTP 415 Unsupported Media Type"},
		{"no type", "POST", "/connectors", "", `{}`, 415, "HTTP 415 Unsupported Media Type"},
		{"unknown path", "GET", "/nope", "", ``, 404, "HTTP 404 Not Found"},
		{"wrong method", "DELETE", "/connectors", "", ``, 405, "HTTP 405 Method Not Allowed"},
		{"task is text", "GET", "/connectors/a/tasks/x/status", "", ``, 404, "HTTP 404 Not Found"},
		{"unknown connector", "GET", "/connectors/no", "", ``, 404, "Connector no not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cp, base := serve(t)
			resp, body := call(t, c.method, base+c.path, c.typ, c.body) //nolint:bodyclose // call read and closed it
			var got struct {
				Code    int    `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			if resp.StatusCode != c.code || got.Code != c.code || got.Message != c.message {
				t.Errorf("%d %d %q\nwant %d %q", resp.StatusCode, got.Code, got.Message, c.code, c.message)
			}
			if len(cp.calls) > 0 {
				t.Errorf("the control plane was asked to write: %v", cp.calls)
			}
		})
	}
}

func TestAnswers_AreKafkaConnects(t *testing.T) {
	const typ = "application/json"
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		location, want           string
	}{
		{"root", "GET", "/", "", 200, "", `{"version":"4.3.1","commit":"c","kafka_cluster_id":"k"}`},
		{"create", "POST", "/connectors/", `{"name":"a b/c","config":{"z":1.50,"a":null,"b":true,"z":"<"}}`, 201, "/connectors/a%20b/c",
			`{"name":"a b/c","config":{"z":"<","a":null,"b":"true"},"tasks":[],"type":"source"}`},
		{"put old", "PUT", "/connectors/a%20b/config", `{"k":3}`, 200, "", `{"name":"a b","config":{"k":"3"},"tasks":[],"type":"source"}`},
		{"put new", "PUT", "/connectors/new/config", `{}`, 201, "/connectors/new", `{"name":"new","config":{},"tasks":[],"type":"source"}`},
		{"list", "GET", "/connectors", "", 200, "", `["a"]`},
		{"expand", "GET", "/connectors?expand=x", "", 200, "", `{"a":{}}`},
		{"task status", "GET", "/connectors/a/tasks/3/status", "", 200, "", `{"id":3,"state":"FAILED","worker_id":"h:1","version":"1.0","trace":"boom"}`},
		{"pause", "PUT", "/connectors/a/pause", "", 202, "", ""},
		{"delete", "DELETE", "/connectors/a", "", 204, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, base := serve(t)
			given := ""
			if c.body != "" {
				given = typ
			}
			resp, body := call(t, c.method, base+c.path, given, c.body) //nolint:bodyclose // call read and closed it
			if resp.StatusCode != c.code {
				t.Errorf("status %d, want %d", resp.StatusCode, c.code)
			}
			if d := cmp.Diff(c.want, body); d != "" {
				t.Error(d)
			}
			wantType := "application/json"
			if c.want == "" {
				wantType = ""
			}
			if got := resp.Header.Get("Content-Type"); got != wantType {
				t.Errorf("Content-Type %q, want %q", got, wantType)
			}
			if want := c.location; want != "" && resp.Header.Get("Location") != base+want {
				t.Errorf("Location %q, want %q", resp.Header.Get("Location"), base+want)
			}
		})
	}
}

type refuse struct{}

func (refuse) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(codes.Unavailable, "refused")
}

func (refuse) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unavailable, "refused")
}
