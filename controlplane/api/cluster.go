package api

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	"github.com/sluice-project/sluice/internal/version"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Cluster serves ClusterService. Safe for concurrent use.
type Cluster struct {
	sluicev1.UnimplementedClusterServiceServer
	store Reader
}

// NewCluster returns the service.
func NewCluster(s Reader) *Cluster { return &Cluster{store: s} }

// GetServerInfo implements ClusterService. It never waits for the store: tools use it as a ping.
func (s *Cluster) GetServerInfo(context.Context, *sluicev1.GetServerInfoRequest) (*sluicev1.GetServerInfoResponse, error) {
	out := &sluicev1.GetServerInfoResponse{Version: version.Connect, Commit: version.Commit(), SluiceVersion: version.Version}
	view := s.store.View()
	for _, id := range slices.Sorted(maps.Keys(view.Sessions)) {
		if k := view.Sessions[id].Value.GetKafkaClusterId(); k != "" {
			out.KafkaClusterId = k
			break
		}
	}
	return out, nil
}

// ListExecutors implements ClusterService.
func (s *Cluster) ListExecutors(ctx context.Context, _ *sluicev1.ListExecutorsRequest) (*sluicev1.ListExecutorsResponse, error) {
	view := fresh(ctx, s.store)
	units := map[string]int32{}
	for _, a := range view.Assignments {
		units[a.Value.GetSession()]++
	}
	out := &sluicev1.ListExecutorsResponse{}
	for _, x := range view.Sessions {
		v := x.Value
		out.Executors = append(out.Executors, &sluicev1.Executor{
			Id: v.GetExecutor(), Session: x.ID, Pool: v.GetPool(), Version: v.GetVersion(), Labels: v.GetLabels(),
			Capacity: v.GetCapacity(), Draining: v.GetDraining(), Units: units[x.ID], Replica: v.GetReplica(),
		})
	}
	slices.SortFunc(out.Executors, func(a, b *sluicev1.Executor) int {
		return cmp.Or(strings.Compare(a.GetId(), b.GetId()), strings.Compare(a.GetSession(), b.GetSession()))
	})
	return out, nil
}

// ListAssignments implements ClusterService.
func (s *Cluster) ListAssignments(ctx context.Context, req *sluicev1.ListAssignmentsRequest) (*sluicev1.ListAssignmentsResponse, error) {
	view := fresh(ctx, s.store)
	type entry struct {
		unit unit.ID
		info *sluicev1.AssignmentInfo
	}
	var entries []entry
	wanted := func(u unit.ID) bool { return req.GetConnector() == "" || u.Connector() == req.GetConnector() }
	for u, a := range view.Assignments {
		if wanted(u) {
			entries = append(entries, entry{u, assigned(a)})
		}
	}
	for u, l := range view.Lapsed {
		if wanted(u) {
			entries = append(entries, entry{u, &sluicev1.AssignmentInfo{Unit: u.String(), Epoch: l.Value.GetEpoch(), Class: l.Value.GetClass(), Lapsed: true}})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if c := unit.Compare(a.unit, b.unit); c != 0 {
			return c
		}
		return cmp.Compare(a.info.GetEpoch().GetRevision(), b.info.GetEpoch().GetRevision())
	})
	out := &sluicev1.ListAssignmentsResponse{}
	for _, e := range entries {
		out.Assignments = append(out.Assignments, e.info)
	}
	return out, nil
}

func assigned(a *state.Assignment) *sluicev1.AssignmentInfo {
	return &sluicev1.AssignmentInfo{
		Unit: a.Unit.String(), Executor: a.Value.GetExecutor(), Session: a.Value.GetSession(),
		Epoch: &sluicev1.Epoch{Era: a.Epoch.Era, Revision: a.Epoch.Revision}, Class: a.Value.GetClass(), Releasing: a.Value.GetRelease() != 0,
	}
}
