package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/loglevel"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestPatch_MergesValidatesAndKeepsWhatItRefuses(t *testing.T) {
	h := newHarness(t)
	h.create("a", "x", "1", "y", "2")
	h.validator.answer = func(_ string, c *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		for _, e := range c.GetEntries() {
			if e.GetKey() == "bad" {
				return &sluicev1.ValidateResult{ErrorCount: 1, Configs: []*sluicev1.ConfigInfo{{Value: &sluicev1.ConfigValue{Name: "bad", Errors: []string{"it is bad"}}}}}, nil
			}
		}
		return &sluicev1.ValidateResult{Name: "X", PluginClass: "org.X", Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE}, nil
	}
	patch := func(name string, p *sluicev1.Config, match string) (*sluicev1.PatchConnectorConfigResponse, error) {
		return h.connectors.PatchConnectorConfig(t.Context(), &sluicev1.PatchConnectorConfigRequest{Name: name, Patch: p, IfMatch: match})
	}
	r, err := patch("a", null(pairs("y", "3", "z", "4", "nope", "5"), "x"), "")
	want := pairs("connector.class", "X", "y", "3", "name", "a", "z", "4", "nope", "5")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, r.GetConnector().GetConfig(), protocmp.Transform()); d != "" {
		t.Error(d)
	}
	before := h.look().Revision
	for _, c := range []struct {
		what, name string
		patch      *sluicev1.Config
		match      string
		reason     errs.Reason
		message    string
	}{
		{"no connector, before all else", "no", nil, `"1"`, errs.ConnectorNotFound, "Connector no not found"},
		{"another config", "a", pairs("y", "9"), `"0-0"`, errs.ConfigChanged, ""},
		{"no patch", "a", nil, "", errs.RequestMalformed, ""},
		{"no class", "a", null(pairs(), "connector.class"), "", errs.ConfigInvalid, "Connector config {name=a, y=3, z=4, nope=5} contains no connector type"},
		{"invalid", "a", pairs("bad", "1"), "", errs.ConfigInvalid, ""},
		{"too large", "a", pairs("big", strings.Repeat("x", 400<<10)), "", errs.ConfigTooLarge, ""},
	} {
		_, err := patch(c.name, c.patch, c.match)
		wantErr(t, c.what, err, c.reason, c.message)
	}
	if _, err := patch("a", null(pairs(), "never"), ""); err != nil {
		t.Error(err)
	}
	if h.look().Revision != before {
		t.Error("what changes nothing was written")
	}
	for _, match := range []string{r.GetEtag(), "*", `"x", ` + r.GetEtag()} {
		if _, err := patch("a", pairs(), match); err != nil {
			t.Errorf("%s: %v", match, err)
		}
	}
	// The name is validation's affair: it is neither put in nor compared.
	r, err = patch("a", pairs("name", "b"), "")
	if err != nil || r.GetConnector().GetName() != "a" {
		t.Errorf("%v %v", r, err)
	}
}

func TestPatch_IsMergedAgainWhereTheConfigChangedMeanwhile(t *testing.T) {
	h := newHarness(t)
	h.create("a", "x", "1")
	calls := 0
	h.validator.answer = func(string, *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		if calls++; calls == 1 {
			if _, err := h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("connector.class", "X", "other", "2")}); err != nil {
				t.Error(err)
			}
		}
		return &sluicev1.ValidateResult{Name: "X"}, nil
	}
	r, err := h.connectors.PatchConnectorConfig(t.Context(), &sluicev1.PatchConnectorConfigRequest{Name: "a", Patch: pairs("y", "3"), RequestId: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pairs("connector.class", "X", "other", "2", "name", "a", "y", "3"), r.GetConnector().GetConfig(), protocmp.Transform()); d != "" {
		t.Error(d)
	}
	before := h.look().Revision
	if _, err := h.connectors.PatchConnectorConfig(t.Context(), &sluicev1.PatchConnectorConfigRequest{Name: "a", Patch: pairs("y", "4"), RequestId: "p"}); err != nil || h.look().Revision != before {
		t.Errorf("the request again: %v", err)
	}
}

func TestIfMatch_GuardsPut(t *testing.T) {
	h := newHarness(t)
	put := func(name, v, match string) (*sluicev1.PutConnectorConfigResponse, error) {
		return h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: name, Config: pairs("connector.class", "X", "v", v), IfMatch: match})
	}
	_, err := put("a", "1", "*")
	wantErr(t, "there is none", err, errs.ConfigChanged, "")
	one, err := put("a", "1", "")
	if err != nil || one.GetEtag() == "" {
		t.Fatal(err)
	}
	get, err := h.connectors.GetConnectorConfig(t.Context(), &sluicev1.GetConnectorConfigRequest{Name: "a"})
	if err != nil || get.GetEtag() != one.GetEtag() {
		t.Errorf("%v %v", get, err)
	}
	two, err := put("a", "2", one.GetEtag())
	if err != nil || two.GetEtag() == one.GetEtag() {
		t.Errorf("%v %v", two, err)
	}
	_, err = put("a", "3", one.GetEtag())
	wantErr(t, "an old one", err, errs.ConfigChanged, "")
	if _, err := h.connectors.DeleteConnector(t.Context(), &sluicev1.DeleteConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if again, err := put("a", "1", ""); err != nil || again.GetEtag() == one.GetEtag() {
		t.Errorf("a new connector has an old etag: %v %v", again, err)
	}
}

func TestCreate_IsRepeatedWhateverBecameOfItsConfig(t *testing.T) {
	h := newHarness(t)
	create := func(id string) error {
		_, err := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: pairs("connector.class", "X"), RequestId: id})
		return err
	}
	if err := create("1"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.connectors.PatchConnectorConfig(t.Context(), &sluicev1.PatchConnectorConfigRequest{Name: "a", Patch: pairs("k", "v"), RequestId: "2"}); err != nil {
		t.Fatal(err)
	}
	if err := create("1"); err != nil {
		t.Errorf("the same request: %v", err)
	}
	wantErr(t, "another", create("2"), errs.ConnectorExists, "")
}

func TestRestartTask_OfAStoppedConnectorIsAConflict(t *testing.T) {
	h := newHarness(t)
	h.create("a")
	h.plan("a", 2)
	if _, err := h.connectors.StopConnector(t.Context(), &sluicev1.StopConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	for n, reason := range map[int32]errs.Reason{-1: errs.TaskNotFound, 0: errs.TaskStopped, 1: errs.TaskStopped, 2: errs.TaskNotFound} {
		_, err := h.connectors.RestartTask(t.Context(), &sluicev1.RestartTaskRequest{Name: "a", Task: n})
		wantErr(t, "task", err, reason, "")
	}
}

func TestPut_RightAfterACreateHasItsTasks(t *testing.T) {
	h := newHarness(t)
	h.create("a")
	h.look()
	planned := make(chan struct{})
	h.validator.answer = func(string, *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		go func() { defer close(planned); h.plan("a", 1) }()
		return &sluicev1.ValidateResult{Name: "X"}, nil
	}
	r, err := h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("connector.class", "X", "k", "v")})
	<-planned
	if err != nil || len(r.GetConnector().GetTasks()) != 1 {
		t.Errorf("%v %v", r, err)
	}
}

func TestPluginConfig_IsTheNewestThatTheVersionAllows(t *testing.T) {
	h := newHarness(t)
	p := func(class string, kind sluicev1.PluginType, version string) *sluicev1.Plugin {
		return &sluicev1.Plugin{Class: class, Type: kind, Version: version, Aliases: []string{class[2:]}, Definition: []*sluicev1.ConfigKey{{Name: class + version + kind.String()}}}
	}
	for pool, plugins := range map[string][]*sluicev1.Plugin{
		"default": {p("o.A", 2, "1.9"), p("o.J", 6, "1"), p("o.J", 5, "1")}, "other": {p("o.A", 2, "1.10")},
	} {
		if err := h.store.RegisterPlugins(t.Context(), pool, plugins); err != nil {
			t.Fatal(err)
		}
	}
	h.look()
	for _, c := range []struct {
		plugin, version, key string
		reason               errs.Reason
		message              string
	}{
		{"A", "latest", "o.A1.10PLUGIN_TYPE_SOURCE", "", ""},
		{"o.A", "[1,1.10)", "o.A1.9PLUGIN_TYPE_SOURCE", "", ""},
		{"J", "1.0", "o.J1PLUGIN_TYPE_CONVERTER", "", ""},
		{"a", "latest", "", errs.PluginUnknown, "Unknown plugin a."},
		{"Nope", "[x", "", errs.VersionInvalid, "Invalid version specification: [x"},
		{"A", "99.0", "", errs.VersionUnknown, "Plugin o.A not found that matches the version range [99.0,99.0], available versions: [1.10, 1.9]"},
		{"A", "", "", errs.VersionUnknown, "Plugin o.A not found that matches the version range [,], available versions: [1.10, 1.9]"},
	} {
		r, err := h.plugins.GetPluginConfig(t.Context(), &sluicev1.GetPluginConfigRequest{Plugin: c.plugin, Version: &c.version})
		if c.reason != "" {
			wantErr(t, c.plugin+c.version, err, c.reason, c.message)
		} else if err != nil || r.GetPlugin().GetDefinition()[0].GetName() != c.key {
			t.Errorf("%s %s: %v %v", c.plugin, c.version, r, err)
		}
	}
}

func TestHealth_IsTheStores(t *testing.T) {
	h := newHarness(t)
	r, err := h.cluster.GetHealth(t.Context(), &sluicev1.GetHealthRequest{})
	if err != nil || r.GetStatus() != "healthy" {
		t.Errorf("%v %v", r, err)
	}
	away := api.NewCluster(stale{ClusterStore: h.store, view: h.store.View()}, nil)
	if r, err := away.GetHealth(t.Context(), &sluicev1.GetHealthRequest{}); err != nil || r.GetStatus() != "unhealthy" {
		t.Errorf("%v %v", r, err)
	}
}

func TestLoggers_ReachEveryProcessThatIsMeant(t *testing.T) {
	h := newHarness(t)
	h.grant() // opens the session of executor x:1
	own := loglevel.New(0, clock.Real())
	loggers := api.NewLoggers(h.store, own)
	done := make(chan error, 1)
	go func() { done <- loggers.Follow(t.Context()) }()
	t.Cleanup(func() {
		loggers.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	set := func(name, level, scope, executor string) error {
		_, err := loggers.SetLogger(t.Context(), &sluicev1.SetLoggerRequest{Name: name, Level: &level, Scope: scope, Executor: executor})
		return err
	}
	for _, err := range []error{set("a.b", "DEBUG", "cluster", ""), set("a", "info", "CLUSTER", ""), set("c", "WARN", "", "x:1"), set("mine", "ERROR", "worker", "")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, "nobody", set("c", "WARN", "", "no:1"), errs.ExecutorNotFound, "")
	wantErr(t, "no level", set("c", "LOUD", "cluster", ""), errs.LevelUnknown, "invalid log level 'LOUD'.")
	var kept []string
	for _, s := range h.look().LogLevels.GetSettings() {
		kept = append(kept, s.GetName()+" "+s.GetLevel()+" "+s.GetExecutor())
	}
	if d := cmp.Diff([]string{"a INFO ", "c WARN x:1"}, kept); d != "" {
		t.Errorf("kept: %s", d)
	}
	deadline := time.After(5 * time.Second)
	changed, end := h.store.Subscribe()
	defer end()
	for {
		if _, err := own.Get("a"); err == nil {
			break
		}
		select {
		case <-changed:
		case <-time.After(time.Millisecond): // the follower hears of a view as this loop does
		case <-deadline:
			t.Fatal("what is set for all processes does not reach this one")
		}
	}
	if _, err := own.Get("c"); errs.ReasonOf(err) != errs.LoggerNotFound {
		t.Error("what is set for an executor reaches others")
	}
	if err := set("root", "INFO", "cluster", ""); err != nil {
		t.Fatal(err)
	}
	if n := len(h.look().LogLevels.GetSettings()); n != 1 {
		t.Errorf("%d settings are kept under one of root", n)
	}
}
