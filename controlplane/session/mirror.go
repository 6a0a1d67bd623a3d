package session

import (
	"cmp"
	"slices"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// WatchMirror implements SessionService. It ends with NotHolder as soon as the assignment is another's.
func (s *Server) WatchMirror(req *sluicev1.WatchMirrorRequest, g grpc.ServerStreamingServer[sluicev1.WatchMirrorResponse]) error {
	if err := s.barrier(g.Context()); err != nil {
		return err
	}
	changed, unsubscribe := s.store.Subscribe()
	defer unsubscribe()
	sent := map[unit.ID]int64{}
	for synced := false; ; synced = true {
		view := s.store.View()
		if a := view.Assignments[unit.Mirror]; a == nil || a.Epoch != epoch(req.GetEpoch()) || a.Value.GetSession() != req.GetSession() {
			return errs.New(errs.NotHolder, "Session %s does not hold %s with epoch %s", req.GetSession(), unit.Mirror, epoch(req.GetEpoch()))
		}
		for _, m := range mirrorChanges(view, sent) {
			if err := g.Send(m); err != nil {
				return err
			}
		}
		if !synced {
			if err := g.Send(&sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Synced{Synced: &sluicev1.MirrorSynced{}}, Revision: view.Revision}); err != nil {
				return err
			}
		}
		select {
		case _, ok := <-changed:
			if !ok {
				return ErrStopping
			}
		case <-s.stopping:
			return ErrStopping
		case <-g.Context().Done():
			return nil
		}
	}
}

// mirrorChanges returns what differs from what was sent, in the order of etcd's revisions, and notes it
// as sent. A deletion has no revision of its own here: it comes last, at the view's.
func mirrorChanges(view *state.Snapshot, sent map[unit.ID]int64) []*sluicev1.WatchMirrorResponse {
	var fresh []*state.Status
	for u, st := range view.Statuses {
		if (u.Kind == unit.KindConnector || u.Kind == unit.KindTask) && sent[u] != st.ModRevision {
			fresh = append(fresh, st)
		}
	}
	slices.SortFunc(fresh, func(a, b *state.Status) int {
		return cmp.Or(cmp.Compare(a.ModRevision, b.ModRevision), unit.Compare(a.Unit, b.Unit))
	})
	var out []*sluicev1.WatchMirrorResponse
	add := func(m *sluicev1.MirrorStatus, revision int64) {
		out = append(out, &sluicev1.WatchMirrorResponse{Change: &sluicev1.WatchMirrorResponse_Status{Status: m}, Revision: revision})
	}
	for _, st := range fresh {
		sent[st.Unit] = st.ModRevision
		v := st.Value
		add(&sluicev1.MirrorStatus{
			Unit: st.Unit.String(), State: v.GetState(), Trace: v.GetTrace(), WorkerId: v.GetExecutor(),
			Generation: v.GetEpoch().GetRevision(), Version: v.GetVersion(),
		}, st.ModRevision)
	}
	var gone []unit.ID
	for u := range sent {
		if view.Statuses[u] == nil {
			gone = append(gone, u)
			delete(sent, u)
		}
	}
	slices.SortFunc(gone, unit.Compare)
	for _, u := range gone {
		add(&sluicev1.MirrorStatus{Unit: u.String(), Deleted: true}, view.Revision)
	}
	return out
}
