package api

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// MigrationKey is the header of calls that may write to a cluster that is handed back: a take-over brings what changed
// in Kafka Connect before anything is granted again.
const MigrationKey = "sluice-migration"

// maxNamed bounds the units that an answer names.
const maxNamed = 100

// writable says whether connectors may be changed: not while the cluster is handed back, as nobody would act on it.
func (s *Connectors) writable(ctx context.Context) error {
	h := s.store.View().HandBack
	if h == nil {
		return nil
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get(MigrationKey)) > 0 {
		return nil
	}
	return errs.New(errs.HandedBack, "The cluster is handed back to Kafka Connect since %s: change connectors there, or end that with `sluice migrate undo`",
		time.UnixMilli(h.Value.GetSinceMs()).UTC().Format(time.RFC3339))
}

// HandBack implements ClusterService.
func (s *Cluster) HandBack(ctx context.Context, _ *sluicev1.HandBackRequest) (*sluicev1.HandBackResponse, error) {
	return &sluicev1.HandBackResponse{}, s.store.HandBack(ctx)
}

// EndHandBack implements ClusterService.
func (s *Cluster) EndHandBack(ctx context.Context, _ *sluicev1.EndHandBackRequest) (*sluicev1.EndHandBackResponse, error) {
	return &sluicev1.EndHandBackResponse{}, s.store.EndHandBack(ctx)
}

// GetHandBack implements ClusterService.
func (s *Cluster) GetHandBack(ctx context.Context, _ *sluicev1.GetHandBackRequest) (*sluicev1.GetHandBackResponse, error) {
	// An answer from an old view could say done too early.
	if err := s.store.Barrier(ctx); err != nil {
		return nil, err
	}
	view := s.store.View()
	out := &sluicev1.GetHandBackResponse{HandedBack: view.HandBack != nil, SinceMs: view.HandBack.Since(),
		HeldCount: int32(len(view.Assignments)), LapsedCount: int32(len(view.Lapsed)), Mirrored: view.MirroredAll()} //nolint:gosec // far below
	for _, u := range unit.Sorted(view.Assignments) {
		if len(out.Held) < maxNamed {
			out.Held = append(out.Held, u.String())
		}
	}
	for _, u := range unit.Sorted(view.Lapsed) {
		if len(out.Lapsed) < maxNamed {
			out.Lapsed = append(out.Lapsed, u.String())
		}
	}
	out.Done = out.GetMirrored() && len(view.Assignments) == 0
	return out, nil
}
