package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Reader is the present state.
type Reader interface {
	View() *state.Snapshot
	Barrier(ctx context.Context) error
	// Subscribe has a word after every new view, until the function is called.
	Subscribe() (<-chan struct{}, func())
}

// Writer writes connectors.
type Writer interface {
	Connector(ctx context.Context, name string) (*state.Connector, error)
	CreateConnector(ctx context.Context, name string, v *storev1.Connector) (*state.Connector, error)
	UpdateConnector(ctx context.Context, name string, f func(*state.Connector) (*storev1.Connector, error)) (*state.Connector, error)
	DeleteConnector(ctx context.Context, name string) error
}

// TaskSets reads task sets on demand.
type TaskSets interface {
	TaskSet(ctx context.Context, connector string, incarnation int64, id string) (*store.TaskSet, error)
}

// Store is what the services need of it.
type Store interface {
	Reader
	Writer
	TaskSets
	Offsets
}

// Validator has a config validated by an executor of a pool (any, where it is empty).
type Validator interface {
	Validate(ctx context.Context, pool string, config *sluicev1.Config) (*sluicev1.ValidateResult, error)
}

// Executors answer what only they know.
type Executors interface {
	Validator
	// Offsets reads a connector's offsets at an executor of the pool that has the class.
	Offsets(ctx context.Context, pool, class, connector string, config *sluicev1.Config) ([]*sluicev1.PartitionOffset, error)
	// Topics lists, or forgets, a connector's active topics.
	Topics(ctx context.Context, pool, connector string, forget bool) ([]string, error)
	// Progress asks a session's executor what a connector's tasks do there.
	Progress(ctx context.Context, session, connector string) ([]*sluicev1.TaskProgress, error)
}

// readTimeout is how long a read waits for the store before it answers from the view as it is.
const readTimeout = 3 * time.Second

// WarningKey is the header in which a read says that its answer may be stale.
const WarningKey = "sluice-warning"

const staleWarning = "the store is not available: this answer is from a cache and may be stale"

// fresh returns a view that shows every write before the call; without quorum, the newest there is,
// with a warning to the caller.
func fresh(ctx context.Context, r Reader) *state.Snapshot {
	wait, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if err := r.Barrier(wait); err != nil {
		_ = grpc.SetHeader(ctx, metadata.Pairs(WarningKey, staleWarning)) // it fails only outside of a call
	}
	return r.View()
}

// Connectors serves ConnectorService. Safe for concurrent use.
type Connectors struct {
	sluicev1.UnimplementedConnectorServiceServer
	store     Store
	validator Executors
}

// NewConnectors returns the service.
func NewConnectors(s Store, v Executors) *Connectors { return &Connectors{store: s, validator: v} }

func notFound(name string) error {
	return errs.New(errs.ConnectorNotFound, "Connector %s not found", name)
}

func (s *Connectors) get(ctx context.Context, name string) (*state.Snapshot, *state.Connector, error) {
	view := fresh(ctx, s.store)
	c := view.Connectors[name]
	if c == nil {
		return view, nil, notFound(name)
	}
	return view, c, nil
}

// ListConnectors implements ConnectorService.
func (s *Connectors) ListConnectors(ctx context.Context, req *sluicev1.ListConnectorsRequest) (*sluicev1.ListConnectorsResponse, error) {
	view := fresh(ctx, s.store)
	out := &sluicev1.ListConnectorsResponse{Expanded: len(req.GetExpand()) > 0}
	withInfo, withStatus := slices.Contains(req.GetExpand(), "info"), slices.Contains(req.GetExpand(), "status")
	for _, name := range slices.Sorted(maps.Keys(view.Connectors)) {
		c := view.Connectors[name]
		entry := &sluicev1.ListConnectorsResponse_Connector{Name: name}
		if withStatus {
			if entry.Status = connectorStatus(view, c); entry.Status == nil {
				continue
			}
		}
		if withInfo {
			entry.Info = info(c)
		}
		out.Connectors = append(out.Connectors, entry)
	}
	return out, nil
}

// GetConnector implements ConnectorService.
func (s *Connectors) GetConnector(ctx context.Context, req *sluicev1.GetConnectorRequest) (*sluicev1.GetConnectorResponse, error) {
	_, c, err := s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &sluicev1.GetConnectorResponse{Connector: info(c)}, nil
}

// GetConnectorConfig implements ConnectorService.
func (s *Connectors) GetConnectorConfig(ctx context.Context, req *sluicev1.GetConnectorConfigRequest) (*sluicev1.GetConnectorConfigResponse, error) {
	_, c, err := s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return &sluicev1.GetConnectorConfigResponse{Config: c.Value.GetConfig(), Etag: etag(c)}, nil
}

// DescribeConnectorStatus implements ConnectorService.
func (s *Connectors) DescribeConnectorStatus(ctx context.Context, req *sluicev1.DescribeConnectorStatusRequest) (*sluicev1.DescribeConnectorStatusResponse, error) {
	r, err := s.GetConnectorStatus(ctx, &sluicev1.GetConnectorStatusRequest{Name: req.GetName()})
	if err != nil {
		return nil, err
	}
	return &sluicev1.DescribeConnectorStatusResponse{Status: r.GetStatus()}, nil
}

// GetConnectorStatus implements ConnectorService.
func (s *Connectors) GetConnectorStatus(ctx context.Context, req *sluicev1.GetConnectorStatusRequest) (*sluicev1.GetConnectorStatusResponse, error) {
	view := fresh(ctx, s.store)
	st := connectorStatus(view, view.Connectors[req.GetName()])
	if st == nil {
		return nil, errs.New(errs.StatusNotFound, "No status found for connector %s", req.GetName())
	}
	return &sluicev1.GetConnectorStatusResponse{Status: st}, nil
}

// ListTasks implements ConnectorService.
func (s *Connectors) ListTasks(ctx context.Context, req *sluicev1.ListTasksRequest) (*sluicev1.ListTasksResponse, error) {
	// A set that was replaced between the two reads is gone: the second look finds its successor.
	for look := 0; ; look++ {
		_, c, err := s.get(ctx, req.GetName())
		if err != nil {
			return nil, err
		}
		out := &sluicev1.ListTasksResponse{}
		ref := c.Value.GetTaskSet()
		if ref.GetCount() == 0 {
			return out, nil
		}
		set, err := s.store.TaskSet(ctx, c.Name, c.Incarnation, ref.GetId())
		if errors.Is(err, store.ErrNotFound) && look < 3 {
			continue
		}
		if err != nil {
			return nil, err
		}
		for n, config := range set.Tasks {
			out.Tasks = append(out.Tasks, &sluicev1.ListTasksResponse_Task{Id: taskID(c.Name, n), Config: config})
		}
		return out, nil
	}
}

// GetTaskStatus implements ConnectorService.
func (s *Connectors) GetTaskStatus(ctx context.Context, req *sluicev1.GetTaskStatusRequest) (*sluicev1.GetTaskStatusResponse, error) {
	view := fresh(ctx, s.store)
	c, n := view.Connectors[req.GetName()], int(req.GetTask())
	if c != nil && n >= 0 && n < int(c.Value.GetTaskSet().GetCount()) {
		if st := reported(view, c, unit.Task(c.Name, n)); st != nil {
			return &sluicev1.GetTaskStatusResponse{Status: taskState(n, st)}, nil
		}
	}
	return nil, errs.New(errs.StatusNotFound, "No status found for task %s-%d", req.GetName(), n)
}

func taskID(connector string, n int) *sluicev1.TaskID {
	return &sluicev1.TaskID{Connector: connector, Task: int32(n)} // at most the bound of a plan
}

// info is Kafka Connect's ConnectorInfo.
func info(c *state.Connector) *sluicev1.ConnectorInfo {
	out := &sluicev1.ConnectorInfo{Name: c.Name, Config: c.Value.GetConfig(), Type: c.Value.GetType()}
	for n := range int(c.Value.GetTaskSet().GetCount()) {
		out.Tasks = append(out.Tasks, taskID(c.Name, n))
	}
	return out
}

// reported is the status of a unit, or nil where nothing was reported of it in the connector's present
// incarnation: what is left of an earlier one does not count.
func reported(view *state.Snapshot, c *state.Connector, u unit.ID) *storev1.Status {
	st := view.Statuses[u]
	if st == nil || st.ModRevision < c.Incarnation {
		return nil
	}
	if r := st.Value.GetEpoch().GetRevision(); r != 0 && r < c.Incarnation {
		return nil
	}
	if st.Value.GetState() == sluicev1.State_STATE_UNSPECIFIED {
		return nil
	}
	return st.Value
}

// connectorStatus is Kafka Connect's ConnectorStateInfo, or nil where nothing was reported of the
// connector. A task of the present set of which nothing was reported is UNASSIGNED.
func connectorStatus(view *state.Snapshot, c *state.Connector) *sluicev1.ConnectorStatus {
	if c == nil {
		return nil
	}
	own := reported(view, c, unit.Connector(c.Name))
	if own == nil {
		return nil
	}
	out := &sluicev1.ConnectorStatus{Name: c.Name, Connector: instanceState(own), Type: c.Value.GetType()}
	for n := range int(c.Value.GetTaskSet().GetCount()) {
		out.Tasks = append(out.Tasks, taskState(n, reported(view, c, unit.Task(c.Name, n))))
	}
	return out
}

func taskState(n int, st *storev1.Status) *sluicev1.InstanceState {
	out := &sluicev1.InstanceState{State: sluicev1.State_STATE_UNASSIGNED}
	if st != nil {
		out = instanceState(st)
	}
	number := int32(n) // at most the bound of a plan
	out.Task = &number
	return out
}

func instanceState(st *storev1.Status) *sluicev1.InstanceState {
	return &sluicev1.InstanceState{State: st.GetState(), WorkerId: st.GetExecutor(), Version: st.GetVersion(), Trace: st.GetTrace(),
		AutoRestart: st.GetAutoRestart()}
}
