package store_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
)

// restorable is a backend that can be put back to an older one. As with etcd, a watch of the revisions that are to come
// stays open and says nothing.
type restorable struct {
	mu sync.Mutex
	store.Backend
}

func (r *restorable) now() store.Backend {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Backend
}

func (r *restorable) restore(b store.Backend) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Backend = b
}

func (r *restorable) Txn(ctx context.Context, c []store.Compare, o []store.Op) (bool, int64, error) {
	return r.now().Txn(ctx, c, o)
}
func (r *restorable) Get(ctx context.Context, key string, prefix bool) ([]store.KV, int64, error) {
	return r.now().Get(ctx, key, prefix)
}
func (r *restorable) Watch(ctx context.Context, prefix string, after int64, prev bool) <-chan store.WatchBatch {
	return r.now().Watch(ctx, prefix, after, prev)
}
func (r *restorable) Progress(ctx context.Context) error { return r.now().Progress(ctx) }
func (r *restorable) Revision(ctx context.Context) (int64, error) {
	return r.now().Revision(ctx)
}

func TestStore_AnOlderStoreIsReadAnewAndWhatWasSeenBeforeIsRemembered(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	newer, older := store.NewMemory(clock.Real()), store.NewMemory(clock.Real())
	b := &restorable{Backend: newer}
	s := store.New(b, "c", clock.Real(), slog.New(slog.DiscardHandler))
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := s.CreateConnector(ctx, name, &storev1.Connector{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	before := s.View()
	if !before.Restored.IsZero() || len(before.Connectors) != 3 {
		t.Fatalf("restored %v, %d connectors", before.Restored, len(before.Connectors))
	}
	if ok, _, err := older.Txn(ctx, nil, []store.Op{{Key: "/sluice/c/era", Value: []byte("0")}}); err != nil || !ok {
		t.Fatal(err)
	}
	b.restore(older)
	changed, unsubscribe := s.Subscribe()
	defer unsubscribe()
	if err := s.Barrier(ctx); err == nil {
		t.Error("what was read before the restoration was taken for present")
	}
	for s.View().Revision == before.Revision {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("the store was not read anew")
		}
	}
	if err := s.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	was := lease.Epoch{Revision: before.Revision}
	if v := s.View(); len(v.Connectors) != 0 || v.Revision >= before.Revision || v.Restored != was {
		t.Errorf("%d connectors at %d, restored %v", len(v.Connectors), v.Revision, v.Restored)
	}
	// It goes on from there, and does not forget when it has come as far again.
	for _, name := range []string{"d", "e", "f", "g"} {
		if _, err := s.CreateConnector(ctx, name, &storev1.Connector{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	if v := s.View(); v.Connectors["g"] == nil || v.Revision <= before.Revision || v.Restored != was {
		t.Errorf("%v at %d, restored %v", v.Connectors, v.Revision, v.Restored)
	}
	if _, _, err := older.Txn(ctx, nil, []store.Op{{Key: "/sluice/c/era", Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	if v := s.View(); v.Era != 1 || !v.Restored.IsZero() {
		t.Errorf("era %d, restored %v", v.Era, v.Restored)
	}
}
