package api_test

import (
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestHandBack_RefusesEveryChangeOfAConnectorUntilItEnds(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.create("a")
	if _, err := h.cluster.HandBack(ctx, &sluicev1.HandBackRequest{}); err != nil {
		t.Fatal(err)
	}
	h.look()
	changes := map[string]func() error{
		"create": func() error {
			_, err := h.connectors.CreateConnector(ctx, &sluicev1.CreateConnectorRequest{Name: "b", Config: pairs("connector.class", "X")})
			return err
		},
		"put": func() error {
			_, err := h.connectors.PutConnectorConfig(ctx, &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("connector.class", "X", "k", "v")})
			return err
		},
		"pause": func() error {
			_, err := h.connectors.PauseConnector(ctx, &sluicev1.PauseConnectorRequest{Name: "a"})
			return err
		},
		"restart": func() error {
			_, err := h.connectors.RestartConnector(ctx, &sluicev1.RestartConnectorRequest{Name: "a"})
			return err
		},
		"restart task": func() error {
			_, err := h.connectors.RestartTask(ctx, &sluicev1.RestartTaskRequest{Name: "a"})
			return err
		},
		"delete": func() error {
			_, err := h.connectors.DeleteConnector(ctx, &sluicev1.DeleteConnectorRequest{Name: "a"})
			return err
		},
	}
	for name, change := range changes {
		wantErr(t, name, change(), errs.HandedBack, "")
	}
	taking := metadata.NewIncomingContext(ctx, metadata.Pairs(api.MigrationKey, "1"))
	if _, err := h.connectors.PutConnectorConfig(taking, &sluicev1.PutConnectorConfigRequest{Name: "a", Config: pairs("connector.class", "X", "k", "v")}); err != nil {
		t.Error("a take-over brings what changed:", err)
	}
	if _, err := h.cluster.EndHandBack(ctx, &sluicev1.EndHandBackRequest{}); err != nil {
		t.Fatal(err)
	}
	h.look()
	if err := changes["pause"](); err != nil {
		t.Error(err)
	}
}

func TestGetHandBack_NamesWhatIsStillHeld(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.create("a")
	u := unit.Task("a", 0)
	h.grant(u)
	get := func() *sluicev1.GetHandBackResponse {
		t.Helper()
		r, err := h.cluster.GetHandBack(ctx, &sluicev1.GetHandBackRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := get(); r.GetHandedBack() || r.GetDone() {
		t.Errorf("%v", r)
	}
	if _, err := h.cluster.HandBack(ctx, &sluicev1.HandBackRequest{}); err != nil {
		t.Fatal(err)
	}
	if r := get(); !r.GetHandedBack() || r.GetSinceMs() == 0 || r.GetHeldCount() != 1 || r.GetHeld()[0] != "task:a/0" || r.GetMirrored() || r.GetDone() {
		t.Errorf("%v", r)
	}
}

func TestTargetState_IsRecordedOnlyOnceItWasAskedFor(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.create("a")
	if h.look().Connectors["a"].Value.GetTargetStateSet() {
		t.Error("nobody asked for a state")
	}
	// It runs already: that it was asked for is a record all the same.
	if _, err := h.connectors.ResumeConnector(ctx, &sluicev1.ResumeConnectorRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if !h.look().Connectors["a"].Value.GetTargetStateSet() {
		t.Error("resume was asked for")
	}
	if _, err := h.connectors.CreateConnector(ctx, &sluicev1.CreateConnectorRequest{Name: "b", Config: pairs("connector.class", "X"), InitialState: sluicev1.TargetState_TARGET_STATE_STARTED}); err != nil {
		t.Fatal(err)
	}
	if !h.look().Connectors["b"].Value.GetTargetStateSet() {
		t.Error("initial_state was given")
	}
}

func TestRestart_WithOptionsIsRecordedThoughNothingRestarts(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.create("a")
	h.plan("a", 1, sluicev1.State_STATE_RUNNING, sluicev1.State_STATE_RUNNING)
	before := h.look().Connectors["a"].Value.GetRestart()
	if _, err := h.connectors.RestartConnector(ctx, &sluicev1.RestartConnectorRequest{Name: "a", OnlyFailed: "true"}); err != nil {
		t.Fatal(err)
	}
	v := h.look().Connectors["a"].Value
	if r := v.GetRestartRequest(); r.GetCount() != 1 || r.GetIncludeTasks() || !r.GetOnlyFailed() || v.GetRestart() != before {
		t.Errorf("%v, restart %d", r, v.GetRestart())
	}
}
