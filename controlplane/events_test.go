package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/internal/clock"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// follow reads the connectors' creations, and after which id, until the last that is awaited.
func follow(t *testing.T, p *controlplane.ControlPlane, since string, last string, into *[]string) (id string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s, err := sluicev1.NewClusterServiceClient(dial(t, p)).WatchEvents(ctx, &sluicev1.WatchEventsRequest{Since: since})
	for err == nil {
		var m *sluicev1.WatchEventsResponse
		if m, err = s.Recv(); err != nil {
			break
		}
		id = m.GetId()
		switch e := m.GetEvent(); {
		case e.GetType() == "reset":
			t.Fatal(e)
		case e == nil && last == "":
			return id, nil
		case e.GetType() == "connector.created":
			*into = append(*into, e.GetConnector())
			if e.GetConnector() == last {
				return id, func() error {
					for {
						if _, err := s.Recv(); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	t.Fatal(err)
	return "", nil
}

// replaced has a reader go on at a replica that was not there when things happened.
func replaced(t *testing.T, b store.Backend, elect controlplane.Elect) {
	writer := store.New(b, "sluice", clock.Real(), slog.New(slog.DiscardHandler))
	if err := writer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := writer.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var want []string
	create := func() {
		t.Helper()
		for range 5 {
			name := fmt.Sprintf("c%02d", len(want))
			want = append(want, name)
			if _, err := writer.CreateConnector(t.Context(), name, &storev1.Connector{Config: config("connector.class", "X"), ConfigGeneration: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p1 := start(t, "r1", b, elect)
	var got []string
	begin, _ := follow(t, p1, "", "", nil)
	create()
	last, end := follow(t, p1, begin, "c04", &got)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := p1.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := end(); !errors.Is(err, io.EOF) {
		t.Errorf("a replica that stops ends the stream: %v", err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("the stop waited for a reader: %s", took)
	}
	create()
	p2 := start(t, "r2", b, elect)
	last, _ = follow(t, p2, last, "c09", &got)
	create()
	last, _ = follow(t, p2, last, "c14", &got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var again []string
	if id, _ := follow(t, p2, begin, "c14", &again); id != last {
		t.Errorf("the same event is %s and %s", id, last)
	}
	if d := cmp.Diff(want, again); d != "" {
		t.Error(d)
	}
}

func TestEvents_GoOnWithoutAGapWhereAReplicaIsReplaced(t *testing.T) {
	replaced(t, store.NewMemory(clock.Real()), func(*store.Store) election.Elector { return follower{} })
}

func TestEvents_OnEtcdGoOnWithoutAGapWhereAReplicaIsReplaced(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server, err := embed.StartScratch(ctx, t.TempDir())
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
	b := store.NewEtcd(server.Client())
	replaced(t, b, func(*store.Store) election.Elector { return follower{} })
	// What etcd has compacted is not made up: the stream says so, and goes on.
	p := start(t, "r3", b, func(s *store.Store) election.Elector {
		return election.NewEtcd(server.Client(), s.LeaderPrefix(), "r3", time.Second, clock.Real(), slog.New(slog.DiscardHandler))
	})
	if _, err := server.Client().Compact(t.Context(), p.Store().View().Revision); err != nil {
		t.Fatal(err)
	}
	reading, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	s, err := sluicev1.NewClusterServiceClient(dial(t, p)).WatchEvents(reading, &sluicev1.WatchEventsRequest{Since: "2"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Recv(); err != nil || m.GetId() != "2" {
		t.Fatal(m, err)
	}
	if m, err := s.Recv(); err != nil || m.GetEvent().GetType() != "reset" || m.GetEvent().GetGap().GetReason() != "What happened after 2 is not known any more: etcd has compacted it" {
		t.Fatal(m, err)
	}
	if _, err := p.Store().CreateConnector(t.Context(), "new", &storev1.Connector{Config: config("connector.class", "X")}); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.GetEvent().GetConnector() == "new" {
			break
		}
	}
}

func TestEvents_TellWhoLeads(t *testing.T) {
	p := start(t, "r1", store.NewMemory(clock.Real()), nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := sluicev1.NewClusterServiceClient(dial(t, p)).WatchEvents(ctx, &sluicev1.WatchEventsRequest{Since: "1"})
	for err == nil {
		var m *sluicev1.WatchEventsResponse
		if m, err = s.Recv(); m.GetEvent().GetLeader().GetReplica() == "r1" {
			return
		}
	}
	t.Fatal(err)
}
