package api

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// putTries bounds how often a PUT changes between create and update while others delete and create the
// same connector.
const putTries = 5

// planTimeout is how long a PUT waits for a connector's first plan.
const planTimeout = 500 * time.Millisecond

// CreateConnector implements ConnectorService.
func (s *Connectors) CreateConnector(ctx context.Context, req *sluicev1.CreateConnectorRequest) (*sluicev1.CreateConnectorResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	target := req.GetInitialState()
	switch target {
	case sluicev1.TargetState_TARGET_STATE_UNSPECIFIED:
		target = sluicev1.TargetState_TARGET_STATE_STARTED
	case sluicev1.TargetState_TARGET_STATE_STARTED, sluicev1.TargetState_TARGET_STATE_PAUSED, sluicev1.TargetState_TARGET_STATE_STOPPED:
	default:
		return nil, errs.New(errs.RequestMalformed, "initial_state: %d is unknown: it must be STARTED, PAUSED or STOPPED", target)
	}
	name := trimJava(req.GetName())
	checked, err := check(name, req.GetConfig(), req.GetRequestId())
	if err != nil {
		return nil, err
	}
	// A request that comes again gets its first answer, even where no executor is left to validate.
	if c := s.store.View().Connectors[name]; c != nil && createdBy(c.Value, req.GetRequestId()) {
		return &sluicev1.CreateConnectorResponse{Connector: firstInfo(c)}, nil
	}
	value, err := s.validated(ctx, checked, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	value.TargetState, value.ConfigGeneration, value.RequestCreated, value.CreateId = target, 1, true, req.GetRequestId()
	value.TargetStateSet = req.GetInitialState() != sluicev1.TargetState_TARGET_STATE_UNSPECIFIED
	c, err := s.store.CreateConnector(ctx, name, value)
	if errors.Is(err, store.ErrExists) {
		return s.existing(ctx, name, req.GetRequestId())
	}
	if err != nil {
		return nil, err
	}
	return &sluicev1.CreateConnectorResponse{Connector: info(c)}, nil
}

// existing answers a create of a name that is taken: by this very request, or by another.
func (s *Connectors) existing(ctx context.Context, name, requestID string) (*sluicev1.CreateConnectorResponse, error) {
	if err := s.store.Barrier(ctx); err != nil {
		return nil, err
	}
	if c := s.store.View().Connectors[name]; c != nil && createdBy(c.Value, requestID) {
		return &sluicev1.CreateConnectorResponse{Connector: firstInfo(c)}, nil
	}
	return nil, errs.New(errs.ConnectorExists, "Connector %s already exists", name)
}

// firstInfo is what a create answers: its tasks are planned later.
func firstInfo(c *state.Connector) *sluicev1.ConnectorInfo {
	out := info(c)
	out.Tasks = nil
	return out
}

// PutConnectorConfig implements ConnectorService.
func (s *Connectors) PutConnectorConfig(ctx context.Context, req *sluicev1.PutConnectorConfigRequest) (*sluicev1.PutConnectorConfigResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	name, id := req.GetName(), req.GetRequestId()
	checked, err := check(name, req.GetConfig(), id)
	if err != nil {
		return nil, err
	}
	if c := s.store.View().Connectors[name]; c != nil && repeated(c.Value, id) {
		return putAnswer(c, c.Value.GetRequestCreated()), nil
	}
	value, err := s.validated(ctx, checked, id)
	if err != nil {
		return nil, err
	}
	s.awaitFirstPlan(ctx, name)
	for range putTries {
		created := false
		c, err := s.store.UpdateConnector(ctx, name, func(c *state.Connector) (*storev1.Connector, error) {
			created = repeated(c.Value, id) && c.Value.GetRequestCreated()
			if repeated(c.Value, id) {
				return nil, nil
			}
			if err := matches(c, req.GetIfMatch()); err != nil {
				return nil, err
			}
			return replaced(c.Value, value, id), nil
		})
		if err == nil {
			return putAnswer(c, created), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err := matchesNone(name, req.GetIfMatch()); err != nil {
			return nil, err
		}
		fresh := proto.CloneOf(value)
		fresh.TargetState, fresh.ConfigGeneration, fresh.RequestCreated, fresh.CreateId = sluicev1.TargetState_TARGET_STATE_STARTED, 1, true, id
		c, err = s.store.CreateConnector(ctx, name, fresh)
		if err == nil {
			return putAnswer(c, true), nil
		}
		if !errors.Is(err, store.ErrExists) {
			return nil, err
		}
	}
	return nil, errs.New(errs.Conflict, "Connector %s was created and deleted by others again and again: try again", name)
}

// awaitFirstPlan waits, but not long, until the tasks of a connector that was only just created are planned: a worker of
// Kafka Connect does one thing after the other, so that its answer to a PUT after a create has the tasks.
func (s *Connectors) awaitFirstPlan(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	changed, end := s.store.Subscribe()
	defer end()
	for {
		view := s.store.View()
		c := view.Connectors[name]
		if c == nil || c.Value.GetConfigGeneration() > 1 || c.Value.GetTaskSet() != nil || c.Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED ||
			reported(view, c, unit.Connector(name)).GetState() == sluicev1.State_STATE_FAILED {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func putAnswer(c *state.Connector, created bool) *sluicev1.PutConnectorConfigResponse {
	return &sluicev1.PutConnectorConfigResponse{Connector: info(c), Created: created, Etag: etag(c)}
}

// replaced is a connector with a new config; nil where the config is the same: nothing restarts then.
func replaced(v, with *storev1.Connector, requestID string) *storev1.Connector {
	if equal(v.GetConfig(), with.GetConfig()) {
		return nil
	}
	next := proto.CloneOf(v)
	next.Config, next.Pool, next.Type, next.PluginClass, next.TaskClass = with.GetConfig(), with.GetPool(), with.GetType(), with.GetPluginClass(), with.GetTaskClass()
	next.RequestId, next.RequestCreated = requestID, false
	next.ConfigGeneration++
	return next
}

// createdBy says whether a connector was created by this very request, whatever its config has become since.
func createdBy(v *storev1.Connector, requestID string) bool {
	return requestID != "" && v.GetCreateId() == requestID
}

// repeated says whether a value was written by this very request.
func repeated(v *storev1.Connector, requestID string) bool {
	return requestID != "" && v.GetRequestId() == requestID
}

// checkedConfig is a config that can be sent to an executor.
type checkedConfig struct {
	config *sluicev1.Config
	pool   string
}

// check finds what is wrong without an executor.
func check(name string, config *sluicev1.Config, requestID string) (*checkedConfig, error) {
	if len(requestID) > maxRequestID {
		return nil, errs.New(errs.RequestMalformed, "request_id: it has %d bytes: at most %d", len(requestID), maxRequestID)
	}
	config, err := normal(config)
	if err != nil {
		return nil, err
	}
	if config, err = named(config, name); err != nil {
		return nil, err
	}
	if err := checkSize(config); err != nil {
		return nil, err
	}
	checked, err := checkPlaced(config)
	if err != nil {
		return nil, err
	}
	if len(name) > maxName {
		return nil, checkName(name)
	}
	return checked, nil
}

// checkPlaced wants to know which class, and in which pool.
func checkPlaced(config *sluicev1.Config) (*checkedConfig, error) {
	if err := checkClass(config); err != nil {
		return nil, err
	}
	pool, err := poolOf(config)
	if err != nil {
		return nil, err
	}
	return &checkedConfig{config, pool}, nil
}

// validated has a config validated by an executor and makes the value that is stored of it.
func (s *Connectors) validated(ctx context.Context, c *checkedConfig, requestID string) (*storev1.Connector, error) {
	// Without quorum nothing can be written, and executors go: the first is what is to be said.
	if err := s.store.Barrier(ctx); err != nil {
		return nil, err
	}
	r, err := s.validator.Validate(ctx, c.pool, c.config)
	if err != nil {
		return nil, err
	}
	if r.GetErrorCount() > 0 {
		var messages []string
		for _, i := range r.GetConfigs() {
			messages = append(messages, i.GetValue().GetErrors()...)
		}
		return nil, invalid(r.GetErrorCount(), messages...)
	}
	if r.GetRefusal() != "" {
		return nil, invalid(1, r.GetRefusal())
	}
	// The definition of every connector has said so, with what else is wrong. The store relies on it.
	if name, ok := lookup(c.config, keyName); ok {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	return &storev1.Connector{
		Config: c.config, Pool: c.pool, Type: r.GetType(), PluginClass: r.GetPluginClass(), TaskClass: r.GetTaskClass(), RequestId: requestID,
	}, nil
}

// DeleteConnector implements ConnectorService.
func (s *Connectors) DeleteConnector(ctx context.Context, req *sluicev1.DeleteConnectorRequest) (*sluicev1.DeleteConnectorResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	err := s.store.DeleteConnector(ctx, req.GetName())
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(req.GetName())
	}
	if err != nil {
		return nil, err
	}
	return &sluicev1.DeleteConnectorResponse{}, nil
}
