package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const frame = "Connector configuration is invalid and contains the following 1 error(s):\n%\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"

func framed(s string) string { return strings.Replace(frame, "%", s, 1) }

func TestCreate_StoresTheConfigAsSentAndAnswersAsKafkaConnect(t *testing.T) {
	h := newHarness(t)
	r, err := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: " \ta\n ", Config: null(pairs("connector.class", "X", "tasks.max", "1", "b", "first", "b", "last"), "n")})
	if err != nil {
		t.Fatal(err)
	}
	want := &sluicev1.ConnectorInfo{Name: "a", Config: null(pairs("connector.class", "X", "tasks.max", "1", "b", "last"), "n"), Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE}
	name := "a"
	want.Config.Entries = append(want.Config.Entries, &sluicev1.ConfigEntry{Key: "name", Value: &name})
	if d := cmp.Diff(want, r.GetConnector(), protocmp.Transform()); d != "" {
		t.Error(d)
	}
	v := h.look().Connectors["a"].Value
	if v.GetConfigGeneration() != 1 || v.GetPool() != "default" || v.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED || v.GetPluginClass() != "org.X" || v.GetTaskClass() == 0 {
		t.Errorf("stored %v", v)
	}
	if _, err := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a\u00a0", Config: pairs("connector.class", "X")}); err != nil {
		t.Errorf("a no-break space is not trimmed and is no control character: %v", err)
	}
}

func TestWrites_RefuseBadInputAndChangeNothing(t *testing.T) {
	h := newHarness(t)
	h.create("taken")
	before := h.look().Revision
	big := strings.Repeat("x", 400<<10)
	h.validator.answer = func(_ string, c *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		for _, e := range c.GetEntries() {
			switch e.GetKey() {
			case "bad":
				return &sluicev1.ValidateResult{ErrorCount: 2, Configs: []*sluicev1.ConfigInfo{
					{Value: &sluicev1.ConfigValue{Name: "x"}}, {Value: &sluicev1.ConfigValue{Name: "bad", Errors: []string{"one", "two"}}},
				}}, nil
			case "foreign":
				return &sluicev1.ValidateResult{Refusal: "Sluice does not run it"}, nil
			case "gone":
				return nil, errs.New(errs.NoExecutorForPlugin, "nobody has it")
			}
		}
		return &sluicev1.ValidateResult{}, nil
	}
	for _, c := range []struct {
		what, name string
		config     *sluicev1.Config
		id         string
		reason     errs.Reason
		message    string
	}{
		{"no config", "a", nil, "", errs.RequestMalformed, ""},
		{"a long request id", "a", pairs("connector.class", "X"), strings.Repeat("i", 65), errs.RequestMalformed, ""},
		{"names differ", "a", pairs("connector.class", "X", "name", "b"), "", errs.NameMismatch, "Connector name configuration (b) doesn't match connector name in the URL (a)"},
		{"a name in the config alone", "", pairs("connector.class", "X", "name", "a"), "", errs.NameMismatch, "Connector name configuration (a) doesn't match connector name in the URL ()"},
		{"an untrimmed name in the config", "a", pairs("connector.class", "X", "name", " a "), "", errs.NameMismatch, "Connector name configuration ( a ) doesn't match connector name in the URL (a)"},
		{"no name", "", pairs("connector.class", "X"), "", errs.ConfigInvalid, framed("Invalid value  for configuration name: String may not be empty")},
		{"control characters", "a\u0001b\u0085c", pairs("connector.class", "X"), "", errs.ConfigInvalid, framed("Invalid value a\u0001b\u0085c for configuration name: String may not contain control sequences but had the following ASCII chars: 1, 133")},
		{"a long name", strings.Repeat("n", 1025), pairs("connector.class", "X"), "", errs.ConfigInvalid, ""},
		{"no class", "a", pairs("db.password", "p"), "", errs.ConfigInvalid, "Connector config {name=a, db.password=[hidden]} contains no connector type"},
		{"class null", "a", null(pairs(), "connector.class"), "", errs.ConfigInvalid, "Connector config {connector.class=null, name=a} contains no connector type"},
		{"a class that is not run", "a", pairs("connector.class", "X", "foreign", "x"), "", errs.ConfigInvalid, framed("Sluice does not run it")},
		{"an empty pool", "a", pairs("connector.class", "X", "sluice.pool", ""), "", errs.ConfigInvalid, ""},
		{"too large", "a", pairs("connector.class", "X", "small", "s", "the.big.key", big), "", errs.ConfigTooLarge, ""},
		{"errors found", "a", pairs("connector.class", "X", "bad", "1"), "", errs.ConfigInvalid, strings.Replace(framed("one\ntwo"), "following 1", "following 2", 1)},
		{"no executor", "a", pairs("connector.class", "X", "gone", "1"), "", errs.NoExecutorForPlugin, "nobody has it"},
	} {
		_, err := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: c.name, Config: c.config, RequestId: c.id})
		wantErr(t, "create: "+c.what, err, c.reason, c.message)
		_, err = h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: c.name, Config: c.config, RequestId: c.id})
		wantErr(t, "put: "+c.what, err, c.reason, c.message)
		if c.what == "too large" && !strings.Contains(err.Error(), "the.big.key") {
			t.Errorf("%v does not name the key", err)
		}
	}
	_, err := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "taken", Config: pairs("connector.class", "X")})
	wantErr(t, "exists", err, errs.ConnectorExists, "Connector taken already exists")
	_, err = h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: pairs("connector.class", "X"), InitialState: 77})
	wantErr(t, "initial state", err, errs.RequestMalformed, "")
	_, err = h.connectors.DeleteConnector(t.Context(), &sluicev1.DeleteConnectorRequest{Name: "no"})
	wantErr(t, "delete", err, errs.ConnectorNotFound, "Connector no not found")
	_, err = h.connectors.PauseConnector(t.Context(), &sluicev1.PauseConnectorRequest{Name: "no"})
	wantErr(t, "pause", err, errs.ConnectorNotFound, "Unknown connector no")
	_, err = h.connectors.ResumeConnector(t.Context(), &sluicev1.ResumeConnectorRequest{Name: "no"})
	wantErr(t, "resume", err, errs.ConnectorNotFound, "Unknown connector no")
	_, err = h.connectors.StopConnector(t.Context(), &sluicev1.StopConnectorRequest{Name: "no"})
	wantErr(t, "stop", err, errs.ConnectorNotFound, "Unknown connector no")
	for _, opt := range []string{"", "true"} {
		_, err = h.connectors.RestartConnector(t.Context(), &sluicev1.RestartConnectorRequest{Name: "no", IncludeTasks: opt})
		wantErr(t, "restart", err, errs.ConnectorNotFound, "Unknown connector: no")
	}
	_, err = h.connectors.RestartConnector(t.Context(), &sluicev1.RestartConnectorRequest{Name: "taken", OnlyFailed: "TRUE"})
	wantErr(t, "restart without a status", err, errs.StatusNotFound, "Status for connector taken not found")
	_, err = h.connectors.RestartTask(t.Context(), &sluicev1.RestartTaskRequest{Name: "no"})
	wantErr(t, "restart task", err, errs.ConnectorNotFound, "Unknown connector: no")
	for _, n := range []int32{-1, 0, 9} {
		_, err = h.connectors.RestartTask(t.Context(), &sluicev1.RestartTaskRequest{Name: "taken", Task: n})
		wantErr(t, "restart task", err, errs.TaskNotFound, "")
	}
	if after := h.look().Revision; after != before {
		t.Errorf("the store was changed: revision %d, then %d", before, after)
	}
}

func TestWrites_AreIdempotentByRequestID(t *testing.T) {
	h := newHarness(t)
	create := func(id string) (*sluicev1.CreateConnectorResponse, error) {
		return h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: pairs("connector.class", "X"), RequestId: id})
	}
	if _, err := create("1"); err != nil {
		t.Fatal(err)
	}
	h.look()
	h.validator.answer = func(string, *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		return nil, errs.New(errs.NoExecutor, "gone")
	}
	if r, err := create("1"); err != nil || r.GetConnector().GetName() != "a" {
		t.Errorf("the first answer again, even without executors: %v %v", r, err)
	}
	h.validator.answer = nil
	_, err := create("2")
	wantErr(t, "another request", err, errs.ConnectorExists, "")
	_, err = create("")
	wantErr(t, "without an id", err, errs.ConnectorExists, "")

	put := func(name, id, v string) *sluicev1.PutConnectorConfigResponse {
		t.Helper()
		r, err := h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: name, Config: pairs("connector.class", "X", "v", v), RequestId: id})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for range 2 {
		if !put("b", "3", "1").GetCreated() {
			t.Error("the repetition of a put that created says so again")
		}
	}
	for range 2 {
		if put("b", "4", "2").GetCreated() {
			t.Error("an update creates nothing")
		}
	}
	if g := h.look().Connectors["b"].Value.GetConfigGeneration(); g != 2 {
		t.Errorf("generation %d, want 2", g)
	}
}

func TestPut_OfAnUnchangedConfigWritesNothing(t *testing.T) {
	h := newHarness(t)
	h.create("a", "x", "1", "y", "2")
	if _, err := h.connectors.PauseConnector(t.Context(), &sluicev1.PauseConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	before := h.look()
	r, err := h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("y", "2", "x", "1", "name", "a", "connector.class", "X"), RequestId: "r"})
	if err != nil || r.GetCreated() {
		t.Fatalf("%v %v", r, err)
	}
	if h.look().Revision != before.Revision {
		t.Error("an unchanged config was written")
	}
	if _, err = h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("connector.class", "X", "sluice.pool", "fat")}); err != nil {
		t.Fatal(err)
	}
	v := h.look().Connectors["a"]
	if v.Incarnation != before.Connectors["a"].Incarnation || v.Value.GetConfigGeneration() != 2 || v.Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_PAUSED || v.Value.GetPool() != "fat" {
		t.Errorf("%+v", v)
	}
	if p := h.validator.pools[len(h.validator.pools)-1]; p != "fat" {
		t.Errorf("validated in pool %q", p)
	}
}

func TestStop_EmptiesTheTaskSetInOneTransaction(t *testing.T) {
	h := newHarness(t)
	h.create("a")
	h.plan("a", 2, sluicev1.State_STATE_RUNNING)
	for range 2 {
		if _, err := h.connectors.StopConnector(t.Context(), &sluicev1.StopConnectorRequest{Name: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	c := h.look().Connectors["a"]
	if c.Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STOPPED || c.Value.GetTaskSet().GetCount() != 0 {
		t.Errorf("%v", c.Value)
	}
	tasks, err := h.connectors.ListTasks(t.Context(), &sluicev1.ListTasksRequest{Name: "a"})
	if err != nil || len(tasks.GetTasks()) != 0 {
		t.Errorf("%v %v", tasks, err)
	}
	before := h.look().Revision
	if _, err := h.connectors.StopConnector(t.Context(), &sluicev1.StopConnectorRequest{Name: "a"}); err != nil || h.look().Revision != before {
		t.Errorf("stopping twice writes nothing: %v", err)
	}
	if _, err := h.connectors.ResumeConnector(t.Context(), &sluicev1.ResumeConnectorRequest{Name: "a"}); err != nil || h.look().Connectors["a"].Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED {
		t.Error("not resumed")
	}
}

func TestRestart_CountsWhatThePlanNames(t *testing.T) {
	const run, fail, again = sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_FAILED, sluicev1.State_STATE_RESTARTING
	for _, c := range []struct {
		what, tasks, failed string
		status              bool
		restart             uint64
		counts              map[int32]uint64
		states              []sluicev1.State
	}{
		{"plain", "", "no", false, 1, nil, nil},
		{"with tasks", "True", "", true, 1, map[int32]uint64{0: 1, 1: 1}, []sluicev1.State{again, again, again, sluicev1.State_STATE_UNASSIGNED}},
		{"only failed", "", "true", true, 0, nil, []sluicev1.State{run, run, fail, sluicev1.State_STATE_UNASSIGNED}},
		{"failed tasks", "true", "true", true, 0, map[int32]uint64{1: 1}, []sluicev1.State{run, run, again, sluicev1.State_STATE_UNASSIGNED}},
	} {
		h := newHarness(t)
		h.create("a")
		h.plan("a", 3, run, run, fail)
		r, err := h.connectors.RestartConnector(t.Context(), &sluicev1.RestartConnectorRequest{Name: "a", IncludeTasks: c.tasks, OnlyFailed: c.failed})
		if err != nil {
			t.Fatal(err)
		}
		if (r.GetStatus() != nil) != c.status {
			t.Errorf("%s: status %v", c.what, r.GetStatus())
		}
		if c.status {
			got := []sluicev1.State{r.GetStatus().GetConnector().GetState()}
			for _, s := range r.GetStatus().GetTasks() {
				got = append(got, s.GetState())
			}
			if d := cmp.Diff(c.states, got); d != "" {
				t.Errorf("%s: %s", c.what, d)
			}
		}
		v := h.look().Connectors["a"].Value
		if v.GetRestart() != c.restart || !cmp.Equal(v.GetTaskRestarts(), c.counts) {
			t.Errorf("%s: %d %v", c.what, v.GetRestart(), v.GetTaskRestarts())
		}
	}
	h := newHarness(t)
	h.create("a")
	h.plan("a", 2)
	if _, err := h.connectors.RestartTask(t.Context(), &sluicev1.RestartTaskRequest{Name: "a", Task: 1}); err != nil || h.look().Connectors["a"].Value.GetTaskRestarts()[1] != 1 {
		t.Errorf("restart of a task: %v", err)
	}
}
