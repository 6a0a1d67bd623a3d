package store_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/controlplane/store/storetest"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// etcd's server leaves these behind when it is closed.
		goleak.IgnoreTopFunction("go.etcd.io/etcd/client/pkg/v3/logutil.(*MergeLogger).outputLoop"),
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
}

func TestMemory_KeepsTheContract(t *testing.T) { storetest.Run(t, store.NewMemory(clock.Real())) }

func TestEtcd_KeepsTheContract(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := embed.StartScratch(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	storetest.Run(t, store.NewEtcd(s.Client()))
}

func TestMemory_SessionsLapseByTheClock(t *testing.T) {
	c := clock.NewFake(time.Unix(1000, 0))
	m := store.NewMemory(c)
	id, err := m.Grant(t.Context(), 15*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Txn(t.Context(), nil, []store.Op{{Key: "k", Value: []byte("v"), Lease: id}}); err != nil {
		t.Fatal(err)
	}
	c.Advance(14 * time.Second)
	if kvs, _, _ := m.Get(t.Context(), "k", false); len(kvs) != 1 {
		t.Fatal("lapsed too early")
	}
	c.Advance(time.Second)
	if kvs, _, _ := m.Get(t.Context(), "k", false); len(kvs) != 0 {
		t.Fatal("did not lapse")
	}
}
