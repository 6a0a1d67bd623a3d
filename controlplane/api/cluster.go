package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	"github.com/sluice-project/sluice/internal/version"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// ClusterStore is what the service needs of the store.
type ClusterStore interface {
	Reader
	MarkSession(ctx context.Context, id string, f func(*storev1.Session)) error
	ForgetFence(ctx context.Context, u unit.ID) error
	HandBack(ctx context.Context) error
	EndHandBack(ctx context.Context) error
}

// Cluster serves ClusterService. Safe for concurrent use.
type Cluster struct {
	sluicev1.UnimplementedClusterServiceServer
	store  ClusterStore
	events *Events
}

// NewCluster returns the service; its streams of events are e's.
func NewCluster(s ClusterStore, e *Events) *Cluster { return &Cluster{store: s, events: e} }

// WatchEvents implements ClusterService.
func (s *Cluster) WatchEvents(req *sluicev1.WatchEventsRequest, stream grpc.ServerStreamingServer[sluicev1.WatchEventsResponse]) error {
	return s.events.Watch(req, stream)
}

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

// healthTimeout is below what a gateway waits, so that it hears the reason.
const healthTimeout = 8 * time.Second

// GetHealth implements ClusterService. Like a worker's, it does not ask whether anybody could run a connector.
func (s *Cluster) GetHealth(ctx context.Context, _ *sluicev1.GetHealthRequest) (*sluicev1.GetHealthResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := s.store.Barrier(ctx); err != nil {
		return &sluicev1.GetHealthResponse{Status: "unhealthy",
			Message: "Worker was unable to handle this request and may be unable to handle other requests. The control plane's store is not available."}, nil
	}
	return &sluicev1.GetHealthResponse{Status: "healthy", Message: "Worker has completed startup and is ready to handle requests."}, nil
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
			Capacity: v.GetCapacity(), Draining: v.GetDraining() || v.GetEvicting(), Cordoned: v.GetCordoned(), Units: units[x.ID], Replica: v.GetReplica(),
		})
	}
	slices.SortFunc(out.Executors, func(a, b *sluicev1.Executor) int {
		return cmp.Or(strings.Compare(a.GetId(), b.GetId()), strings.Compare(a.GetSession(), b.GetSession()))
	})
	return out, nil
}

// CordonExecutor implements ClusterService.
func (s *Cluster) CordonExecutor(ctx context.Context, req *sluicev1.CordonExecutorRequest) (*sluicev1.CordonExecutorResponse, error) {
	_, err := s.mark(ctx, req.GetExecutor(), func(v *storev1.Session) {
		v.Cordoned = !req.GetUncordon()
		v.Evicting = v.Evicting && v.Cordoned
	})
	return &sluicev1.CordonExecutorResponse{}, err
}

// DrainExecutor implements ClusterService.
func (s *Cluster) DrainExecutor(ctx context.Context, req *sluicev1.DrainExecutorRequest) (*sluicev1.DrainExecutorResponse, error) {
	n, err := s.mark(ctx, req.GetExecutor(), func(v *storev1.Session) { v.Cordoned, v.Evicting = true, true })
	return &sluicev1.DrainExecutorResponse{Units: n}, err
}

// mark changes the sessions of an executor and says how many units they hold.
func (s *Cluster) mark(ctx context.Context, executor string, f func(*storev1.Session)) (units int32, err error) {
	view := fresh(ctx, s.store)
	found := false
	for id, x := range view.Sessions {
		if x.Value.GetExecutor() != executor {
			continue
		}
		found = true
		if err := s.store.MarkSession(ctx, id, f); err != nil && !errors.Is(err, store.ErrLapsed) {
			return 0, err
		}
		for _, a := range view.Assignments {
			if a.Value.GetSession() == id {
				units++
			}
		}
	}
	if !found {
		return 0, errs.New(errs.ExecutorNotFound, "No executor %q has a live session: see GET /v1/executors", executor)
	}
	return units, nil
}

// ForgetUnit implements ClusterService.
func (s *Cluster) ForgetUnit(ctx context.Context, req *sluicev1.ForgetUnitRequest) (*sluicev1.ForgetUnitResponse, error) {
	u, err := unit.Parse(req.GetUnit())
	if err != nil {
		return nil, errs.New(errs.RequestMalformed, "unit: %q is no unit: it must be as task:orders/0", req.GetUnit())
	}
	switch err := s.store.ForgetFence(ctx, u); {
	case errors.Is(err, store.ErrNotFound):
		return nil, errs.New(errs.UnitNotFound, "Unit %s is not lapsed: nobody waits for its last holder", u)
	case err != nil:
		return nil, err
	}
	return &sluicev1.ForgetUnitResponse{}, nil
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
