package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestReads_FollowWrites(t *testing.T) {
	h := newHarness(t)
	for i := range 20 {
		name := fmt.Sprintf("c%02d", i)
		h.create(name)
		if _, err := h.connectors.GetConnector(t.Context(), &sluicev1.GetConnectorRequest{Name: name}); err != nil {
			t.Fatalf("right after its creation: %v", err)
		}
		if _, err := h.connectors.DeleteConnector(t.Context(), &sluicev1.DeleteConnectorRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
		_, err := h.connectors.GetConnectorConfig(t.Context(), &sluicev1.GetConnectorConfigRequest{Name: name})
		wantErr(t, "right after its deletion", err, errs.ConnectorNotFound, "Connector "+name+" not found")
	}
}

func TestStatus_IsWhatIsReportedOfThisIncarnation(t *testing.T) {
	h := newHarness(t)
	ask := func() (*sluicev1.ConnectorStatus, error) {
		r, err := h.connectors.GetConnectorStatus(t.Context(), &sluicev1.GetConnectorStatusRequest{Name: "a"})
		return r.GetStatus(), err
	}
	_, err := ask()
	wantErr(t, "no connector", err, errs.StatusNotFound, "No status found for connector a")
	h.create("a")
	_, err = ask()
	wantErr(t, "nothing reported", err, errs.StatusNotFound, "No status found for connector a")
	h.plan("a", 2, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_FAILED)
	got, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	zero, one := int32(0), int32(1)
	want := &sluicev1.ConnectorStatus{
		Name: "a", Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE,
		Connector: &sluicev1.InstanceState{State: sluicev1.State_STATE_RUNNING, WorkerId: "x:1", Version: "1", Trace: "t"},
		Tasks: []*sluicev1.InstanceState{
			{Task: &zero, State: sluicev1.State_STATE_FAILED, WorkerId: "x:1", Version: "1", Trace: "t"},
			{Task: &one, State: sluicev1.State_STATE_UNASSIGNED},
		},
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if r, err := h.connectors.GetTaskStatus(t.Context(), &sluicev1.GetTaskStatusRequest{Name: "a"}); err != nil || r.GetStatus().GetState() != sluicev1.State_STATE_FAILED {
		t.Errorf("%v %v", r, err)
	}
	for _, n := range []int32{-1, 1, 2} {
		_, err := h.connectors.GetTaskStatus(t.Context(), &sluicev1.GetTaskStatusRequest{Name: "a", Task: n})
		wantErr(t, "task", err, errs.StatusNotFound, fmt.Sprintf("No status found for task a-%d", n))
	}
	if _, err := h.connectors.DeleteConnector(t.Context(), &sluicev1.DeleteConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	h.create("a")
	_, err = ask()
	wantErr(t, "what the earlier incarnation left", err, errs.StatusNotFound, "No status found for connector a")
}

func TestList_ExpandsWhatIsAskedAndDropsWhatHasNoStatus(t *testing.T) {
	h := newHarness(t)
	h.create("b")
	h.create("a")
	h.plan("b", 1, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_RUNNING)
	for _, c := range []struct {
		expand       []string
		names        []string
		info, status bool
	}{
		{nil, []string{"a", "b"}, false, false},
		{[]string{""}, []string{"a", "b"}, false, false},
		{[]string{"nonsense"}, []string{"a", "b"}, false, false},
		{[]string{"info"}, []string{"a", "b"}, true, false},
		{[]string{"status", "info"}, []string{"b"}, true, true},
	} {
		r, err := h.connectors.ListConnectors(t.Context(), &sluicev1.ListConnectorsRequest{Expand: c.expand})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range r.GetConnectors() {
			names = append(names, e.GetName())
			if (e.GetInfo() != nil) != c.info || (e.GetStatus() != nil) != c.status {
				t.Errorf("%v: %v", c.expand, e)
			}
		}
		if !cmp.Equal(names, c.names) || r.GetExpanded() != (c.expand != nil) {
			t.Errorf("%v: %v", c.expand, r)
		}
	}
	tasks, err := h.connectors.ListTasks(t.Context(), &sluicev1.ListTasksRequest{Name: "b"})
	if err != nil || len(tasks.GetTasks()) != 1 || tasks.GetTasks()[0].GetConfig().GetEntries()[0].GetKey() != "n" {
		t.Errorf("%v %v", tasks, err)
	}
}

func TestPlugins_AreListedInKafkaConnectsOrder(t *testing.T) {
	h := newHarness(t)
	p := func(class string, kind sluicev1.PluginType) *sluicev1.Plugin {
		return &sluicev1.Plugin{Class: class, Type: kind, Version: "1", Definition: []*sluicev1.ConfigKey{{Name: "k"}}}
	}
	err := errors.Join(
		h.store.RegisterPlugins(t.Context(), "default", []*sluicev1.Plugin{p("z.Source", 2), p("b.Sink", 1), p("a.Sink", 1), p("H", 6), p("C", 5), p("P", 4), p("T", 3)}),
		h.store.RegisterPlugins(t.Context(), "fat", []*sluicev1.Plugin{p("a.Sink", 1), p("y.Source", 2)}),
	)
	if err != nil {
		t.Fatal(err)
	}
	no := "yes"
	for only, want := range map[*string][]string{
		nil: {"a.Sink", "b.Sink", "y.Source", "z.Source"},
		&no: {"a.Sink", "b.Sink", "y.Source", "z.Source", "T", "P", "C", "H"},
	} {
		r, err := h.plugins.ListPlugins(t.Context(), &sluicev1.ListPluginsRequest{ConnectorsOnly: only})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range r.GetPlugins() {
			got = append(got, x.GetClass())
			if len(x.GetDefinition()) != 0 {
				t.Errorf("%s has its definition", x.GetClass())
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestValidate_ChecksThePathAgainstTheClass(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		plugin, class string
		ok            bool
	}{
		{"FileStreamSource", "FileStreamSource", true}, {"Source", "FileStreamSource", true},
		{"FileStreamSourceConnector", "org.x.FileStreamSource", true}, {"FileStreamSource", "org.x.FileStreamSourceConnector", true},
		{"org.x.FileStreamSource", "FileStreamSource", false}, {"Connector", "FileStreamSource", false}, {"filestreamsource", "FileStreamSource", false},
	} {
		_, err := h.plugins.ValidateConfig(t.Context(), &sluicev1.ValidateConfigRequest{Plugin: c.plugin, Config: pairs("connector.class", c.class)})
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c, err)
		}
		if !c.ok {
			wantErr(t, c.plugin, err, errs.PluginMismatch, "Included connector type "+c.class+" does not match request type "+c.plugin)
		}
	}
	_, err := h.plugins.ValidateConfig(t.Context(), &sluicev1.ValidateConfigRequest{Plugin: "Nope", Config: pairs("topic", "t")})
	wantErr(t, "no class", err, errs.ConfigInvalid, "Connector config {topic=t} contains no connector type")
	_, err = h.plugins.ValidateConfig(t.Context(), &sluicev1.ValidateConfigRequest{Plugin: "Nope"})
	wantErr(t, "no config", err, errs.RequestMalformed, "")
}

func TestCheckConfig_AnswersWithErrorsAndWarningsAlone(t *testing.T) {
	h := newHarness(t)
	h.validator.answer = func(string, *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		return &sluicev1.ValidateResult{Name: "X", ErrorCount: 1, Warnings: []string{"fiel: unknown key"}, Configs: []*sluicev1.ConfigInfo{
			{Value: &sluicev1.ConfigValue{Name: "right"}}, {Value: &sluicev1.ConfigValue{Name: "file", Errors: []string{"is missing"}}}}}, nil
	}
	r, err := h.plugins.CheckConfig(t.Context(), &sluicev1.CheckConfigRequest{Plugin: "X", Config: pairs("connector.class", "X")})
	want := &sluicev1.CheckConfigResponse{Name: "X", ErrorCount: 1, Warnings: []string{"fiel: unknown key"}, Errors: []*sluicev1.KeyErrors{{Name: "file", Errors: []string{"is missing"}}}}
	if err != nil || !proto.Equal(r, want) {
		t.Errorf("%v %v", r, err)
	}
	_, err = h.plugins.CheckConfig(t.Context(), &sluicev1.CheckConfigRequest{Plugin: "Y", Config: pairs("connector.class", "X")})
	wantErr(t, "another class", err, errs.PluginMismatch, "")
}

func TestCluster_ListsExecutorsAndAssignments(t *testing.T) {
	h := newHarness(t)
	h.create("a")
	h.create("b")
	h.grant(unit.Task("b", 0), unit.Task("a", 10), unit.Task("a", 9), unit.Connector("a"), unit.Mirror)
	x, err := h.cluster.ListExecutors(t.Context(), &sluicev1.ListExecutorsRequest{})
	if err != nil || len(x.GetExecutors()) != 1 || x.GetExecutors()[0].GetUnits() != 5 || x.GetExecutors()[0].GetId() != "x:1" {
		t.Errorf("%v %v", x, err)
	}
	a, err := h.cluster.ListAssignments(t.Context(), &sluicev1.ListAssignmentsRequest{Connector: "a"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range a.GetAssignments() {
		got = append(got, i.GetUnit())
	}
	if d := cmp.Diff([]string{"connector:a", "task:a/9", "task:a/10"}, got); d != "" {
		t.Error(d)
	}
	i, err := h.cluster.GetServerInfo(t.Context(), &sluicev1.GetServerInfoRequest{})
	if err != nil || i.GetKafkaClusterId() != "k" || i.GetVersion() == "" {
		t.Errorf("%v %v", i, err)
	}
}

// stale is a reader whose store has no quorum, and which panics where the view is asked of it too often.
type stale struct {
	api.ClusterStore
	view *state.Snapshot
}

func (s stale) View() *state.Snapshot {
	if s.view == nil {
		panic("no view")
	}
	return s.view
}
func (stale) Barrier(context.Context) error { return store.ErrUnavailable }

func TestReads_WithoutQuorumAnswerFromTheCacheWithAWarningAndPanicsAreErrors(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, c := range map[string]struct {
		reader stale
		code   codes.Code
		warned int
	}{"stale": {stale{view: &state.Snapshot{}}, codes.OK, 1}, "panics": {stale{}, codes.Internal, 1}} {
		lis := bufconn.Listen(1 << 16)
		srv := grpc.NewServer(grpc.ChainUnaryInterceptor(api.Unary(log)))
		sluicev1.RegisterClusterServiceServer(srv, api.NewCluster(c.reader, nil))
		served := make(chan error, 1)
		go func() { served <- srv.Serve(lis) }()
		conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		var header metadata.MD
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = sluicev1.NewClusterServiceClient(conn).ListExecutors(ctx, &sluicev1.ListExecutorsRequest{}, grpc.Header(&header))
		cancel()
		if status.Code(err) != c.code || len(header.Get("sluice-warning")) != c.warned {
			t.Errorf("%s: %v, header %v", name, err, header)
		}
		_ = conn.Close()
		srv.Stop()
		<-served //nolint:errcheck // its end is waited for
	}
}

func TestStatus_CarriesTheReason(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   codes.Code
		reason errs.Reason
	}{
		{errs.New(errs.ConnectorNotFound, "x"), codes.NotFound, errs.ConnectorNotFound},
		{fmt.Errorf("wrapped: %w", errs.New(errs.ConfigInvalid, "x")), codes.InvalidArgument, errs.ConfigInvalid},
		{fmt.Errorf("%w: y", store.ErrUnavailable), codes.Unavailable, errs.StoreUnavailable},
		{fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrFull), codes.ResourceExhausted, errs.StoreFull},
		{store.ErrConflict, codes.Aborted, errs.Conflict},
		{store.ErrTooLarge, codes.InvalidArgument, errs.ConfigTooLarge},
		{errors.New("anything"), codes.Internal, errs.Internal},
		{context.DeadlineExceeded, codes.DeadlineExceeded, ""},
	} {
		s := status.Convert(api.Status(c.err))
		reason := errs.Reason("")
		for _, d := range s.Details() {
			if i, ok := d.(*errdetails.ErrorInfo); ok && i.GetDomain() == "sluice" {
				reason = errs.Reason(i.GetReason())
			}
		}
		if s.Code() != c.code || reason != c.reason {
			t.Errorf("%v: %v %q", c.err, s, reason)
		}
	}
	if api.Status(nil) != nil {
		t.Error("no error is no status")
	}
}
