package api

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// PauseConnector implements ConnectorService.
func (s *Connectors) PauseConnector(ctx context.Context, req *sluicev1.PauseConnectorRequest) (*sluicev1.PauseConnectorResponse, error) {
	if err := s.target(ctx, req.GetName(), sluicev1.TargetState_TARGET_STATE_PAUSED); err != nil {
		return nil, err
	}
	return &sluicev1.PauseConnectorResponse{}, nil
}

// ResumeConnector implements ConnectorService.
func (s *Connectors) ResumeConnector(ctx context.Context, req *sluicev1.ResumeConnectorRequest) (*sluicev1.ResumeConnectorResponse, error) {
	if err := s.target(ctx, req.GetName(), sluicev1.TargetState_TARGET_STATE_STARTED); err != nil {
		return nil, err
	}
	return &sluicev1.ResumeConnectorResponse{}, nil
}

// StopConnector implements ConnectorService.
func (s *Connectors) StopConnector(ctx context.Context, req *sluicev1.StopConnectorRequest) (*sluicev1.StopConnectorResponse, error) {
	if err := s.target(ctx, req.GetName(), sluicev1.TargetState_TARGET_STATE_STOPPED); err != nil {
		return nil, err
	}
	return &sluicev1.StopConnectorResponse{}, nil
}

// target writes a target state. STOPPED empties the task set in the same transaction (DESIGN 3).
func (s *Connectors) target(ctx context.Context, name string, target sluicev1.TargetState) error {
	if err := s.writable(ctx); err != nil {
		return err
	}
	_, err := s.store.UpdateConnector(ctx, name, func(c *state.Connector) (*storev1.Connector, error) {
		empty := target == sluicev1.TargetState_TARGET_STATE_STOPPED
		if c.Value.GetTargetState() == target && c.Value.GetTargetStateSet() && !(empty && c.Value.GetTaskSet().GetCount() > 0) {
			return nil, nil
		}
		next := proto.CloneOf(c.Value)
		next.TargetState, next.TargetStateSet = target, true
		if empty {
			next.StoppedTasks, next.TaskSet = max(next.GetTaskSet().GetCount(), next.GetStoppedTasks()), nil
		}
		return next, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return errs.New(errs.ConnectorNotFound, "Unknown connector %s", name)
	}
	return err
}

func unknown(name string) error {
	return errs.New(errs.ConnectorNotFound, "Unknown connector: %s", name)
}

// isTrue is Java's Boolean.valueOf.
func isTrue(s string) bool { return strings.EqualFold(s, "true") }

// RestartConnector implements ConnectorService. A restart is a counter in the connector's value: an
// instance that was started for a lower one is started again.
func (s *Connectors) RestartConnector(ctx context.Context, req *sluicev1.RestartConnectorRequest) (*sluicev1.RestartConnectorResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	name := req.GetName()
	includeTasks, onlyFailed := isTrue(req.GetIncludeTasks()), isTrue(req.GetOnlyFailed())
	if !includeTasks && !onlyFailed {
		_, err := s.store.UpdateConnector(ctx, name, func(c *state.Connector) (*storev1.Connector, error) {
			next := proto.CloneOf(c.Value)
			next.Restart++
			return next, nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil, unknown(name)
		}
		if err != nil {
			return nil, err
		}
		return &sluicev1.RestartConnectorResponse{}, nil
	}
	// The plan is made from what is reported, so what is reported must be no older than the call.
	if err := s.store.Barrier(ctx); err != nil {
		return nil, err
	}
	view := s.store.View()
	if view.Connectors[name] == nil {
		return nil, unknown(name)
	}
	var plan *sluicev1.ConnectorStatus
	_, err := s.store.UpdateConnector(ctx, name, func(c *state.Connector) (*storev1.Connector, error) {
		if plan = connectorStatus(view, c); plan == nil {
			return nil, errs.New(errs.StatusNotFound, "Status for connector %s not found", name)
		}
		next := restart(c.Value, plan, includeTasks, onlyFailed)
		if next == nil {
			next = proto.CloneOf(c.Value)
		}
		// Kafka Connect records that it was asked, whatever came of it (KIP-745).
		next.RestartRequest = &storev1.RestartRequest{Count: c.Value.GetRestartRequest().GetCount() + 1, IncludeTasks: includeTasks, OnlyFailed: onlyFailed}
		return next, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(name)
	}
	if err != nil {
		return nil, err
	}
	return &sluicev1.RestartConnectorResponse{Status: plan}, nil
}

// restart is Kafka Connect's RestartPlan (KIP-745): it counts up what is to restart, and marks it as
// RESTARTING in the plan. nil means that nothing restarts. A task of which nothing was reported is not
// held by anybody, and so starts anyway.
func restart(v *storev1.Connector, plan *sluicev1.ConnectorStatus, includeTasks, onlyFailed bool) *storev1.Connector {
	next := proto.CloneOf(v)
	changed := false
	takes := func(i *sluicev1.InstanceState) bool {
		if onlyFailed && i.GetState() != sluicev1.State_STATE_FAILED {
			return false
		}
		i.State, changed = sluicev1.State_STATE_RESTARTING, true
		return true
	}
	if takes(plan.GetConnector()) {
		next.Restart++
	}
	if includeTasks {
		for _, t := range plan.GetTasks() {
			if t.GetWorkerId() != "" && takes(t) {
				countTask(next, t.GetTask())
			}
		}
	}
	if !changed {
		return nil
	}
	return next
}

// countTask counts up a task's restarts and forgets those of tasks that are no more.
func countTask(v *storev1.Connector, n int32) {
	for old := range v.GetTaskRestarts() {
		if old >= v.GetTaskSet().GetCount() {
			delete(v.TaskRestarts, old)
		}
	}
	if v.TaskRestarts == nil {
		v.TaskRestarts = map[int32]uint64{}
	}
	v.TaskRestarts[n]++
}

// RestartTask implements ConnectorService.
func (s *Connectors) RestartTask(ctx context.Context, req *sluicev1.RestartTaskRequest) (*sluicev1.RestartTaskResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	name, n := req.GetName(), req.GetTask()
	_, err := s.store.UpdateConnector(ctx, name, func(c *state.Connector) (*storev1.Connector, error) {
		if n < 0 || n >= c.Value.GetTaskSet().GetCount() {
			if n >= 0 && n < c.Value.GetStoppedTasks() && c.Value.GetTargetState() == sluicev1.TargetState_TARGET_STATE_STOPPED {
				// Kafka Connect still knows the tasks of a stopped connector, and has nobody to ask: its words are kept.
				return nil, errs.New(errs.TaskStopped, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
			}
			return nil, errs.New(errs.TaskNotFound, "Unknown task: %s-%d", name, n)
		}
		next := proto.CloneOf(c.Value)
		countTask(next, n)
		return next, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown(name)
	}
	if err != nil {
		return nil, err
	}
	return &sluicev1.RestartTaskResponse{}, nil
}
