package controlplane_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestReplicas_OnEtcdOneGoesOnWhereTheOtherLed(t *testing.T) {
	starting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server, err := embed.StartScratch(starting, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	elect := func(id string) controlplane.Elect {
		return func(s *store.Store) election.Elector {
			return election.NewEtcd(server.Client(), s.LeaderPrefix(), id, time.Second, clock.Real(), slog.New(slog.DiscardHandler))
		}
	}
	p1 := start(t, "r1", store.NewEtcd(server.Client()), elect("r1"))
	p2 := start(t, "r2", store.NewEtcd(server.Client()), elect("r2"))
	x := attach(t, dial(t, p2), "x1")
	api := sluicev1.NewConnectorServiceClient(dial(t, p2))
	create := func(name string) {
		t.Helper()
		await(t, "the session is seen", func() bool { return p2.Store().View().Sessions["x1"] != nil })
		if _, err := api.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: name, Config: config("connector.class", "X")}); err != nil {
			t.Fatal(err)
		}
		await(t, name+"'s tasks are held", func() bool {
			h := x.held()
			return h["connector:"+name] && h["task:"+name+"/0"] && h["task:"+name+"/1"]
		})
	}
	create("before")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p1.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	create("after")
	if !x.held()["task:before/0"] {
		t.Error("a change of leader moved a unit")
	}
}
