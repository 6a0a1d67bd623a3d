package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Offsets records requests to alter offsets.
type Offsets interface {
	Subscribe() (<-chan struct{}, func())
	RequestOffsets(ctx context.Context, c *state.Connector, within time.Duration, v *storev1.Offsets) error
	EndOffsets(ctx context.Context, o *state.Offsets) (bool, error)
}

// alterTimeout is how long a call waits until offsets are altered: below the gateway's 90 s, so that its caller
// hears who was waited for.
const alterTimeout = 60 * time.Second

// GetConnectorOffsets implements ConnectorService.
func (s *Connectors) GetConnectorOffsets(ctx context.Context, req *sluicev1.GetConnectorOffsetsRequest) (*sluicev1.GetConnectorOffsetsResponse, error) {
	_, c, err := s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	found, err := s.validator.Offsets(ctx, c.Value.GetPool(), c.Value.GetPluginClass(), c.Name, c.Value.GetConfig())
	if err != nil {
		return nil, err
	}
	return &sluicev1.GetConnectorOffsetsResponse{Offsets: found}, nil
}

// AlterConnectorOffsets implements ConnectorService.
func (s *Connectors) AlterConnectorOffsets(ctx context.Context, req *sluicev1.AlterConnectorOffsetsRequest) (*sluicev1.AlterConnectorOffsetsResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	if len(req.GetOffsets()) == 0 {
		return nil, errs.New(errs.OffsetsInvalid, "Partitions / offsets need to be provided for an alter offsets request")
	}
	message, err := s.alter(ctx, req.GetName(), req.GetRequestId(), &storev1.Offsets{Offsets: req.GetOffsets()})
	if err != nil {
		return nil, err
	}
	return &sluicev1.AlterConnectorOffsetsResponse{Message: message}, nil
}

// ResetConnectorOffsets implements ConnectorService.
func (s *Connectors) ResetConnectorOffsets(ctx context.Context, req *sluicev1.ResetConnectorOffsetsRequest) (*sluicev1.ResetConnectorOffsetsResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	message, err := s.alter(ctx, req.GetName(), req.GetRequestId(), &storev1.Offsets{ForgetAll: true})
	if err != nil {
		return nil, err
	}
	return &sluicev1.ResetConnectorOffsetsResponse{Message: message}, nil
}

// alter records a request and waits for its result. Requests for one connector wait for one another.
func (s *Connectors) alter(ctx context.Context, name, id string, v *storev1.Offsets) (string, error) {
	if len(id) > maxRequestID {
		return "", errs.New(errs.RequestMalformed, "request_id: it has %d bytes: at most %d", len(id), maxRequestID)
	}
	if id == "" {
		id = rand.Text()
	}
	v.Id = id
	ctx, cancel := context.WithTimeout(ctx, alterTimeout)
	defer cancel()
	changed, unsubscribe := s.store.Subscribe()
	defer unsubscribe()
	// What is refused now is refused whatever another request does.
	if err := s.store.Barrier(ctx); err != nil {
		return "", err
	}
	if _, err := stopped(s.store.View(), name); err != nil {
		return "", err
	}
	requested := false
	for {
		view := s.store.View()
		have := view.Offsets[name]
		switch {
		case have != nil && have.Value.GetId() == id:
			requested = true
			if r := have.Value.GetResult(); r != nil {
				_, _ = s.store.EndOffsets(ctx, have) // it is deleted after its deadline otherwise
				return outcome(r, v.GetForgetAll())
			}
			if _, err := stopped(view, name); err != nil && !have.Value.GetStarted() {
				if ended, terr := s.store.EndOffsets(ctx, have); terr != nil || ended {
					return "", errors.Join(terr, err)
				}
			}
		case requested:
			return "", errs.New(errs.OffsetsTimeout, "The request to alter the offsets of connector %s was ended before there was a result: read its offsets before you try again", name)
		case have == nil: // one that has a result is its caller's to read: it deletes it, or the leader does after its deadline
			c, err := stopped(view, name)
			if err != nil {
				return "", err
			}
			err = s.store.RequestOffsets(ctx, c, alterTimeout, v)
			if errors.Is(err, store.ErrOffsetsBusy) {
				err = s.store.Barrier(ctx) // what has changed is to be seen
			}
			if err == nil {
				err = s.store.Barrier(ctx)
			}
			if err != nil {
				return "", s.late(ctx, name, id, err)
			}
			continue
		}
		select {
		case _, ok := <-changed:
			if !ok {
				return "", store.ErrUnavailable
			}
		case <-ctx.Done():
			return "", s.late(ctx, name, id, nil)
		}
	}
}

// stopped returns a connector whose offsets may be altered. The texts are Kafka Connect's.
func stopped(view *state.Snapshot, name string) (*state.Connector, error) {
	c := view.Connectors[name]
	if c == nil {
		return nil, notFound(name)
	}
	if c.Value.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STOPPED || c.Value.GetTaskSet().GetCount() != 0 {
		return nil, errs.New(errs.OffsetsNotStopped, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	return c, nil
}

// outcome is what a result says to the caller.
func outcome(r *sluicev1.OffsetsResult, reset bool) (string, error) {
	if r.GetReason() != "" {
		return "", errs.New(command.KnownReason(r.GetReason()), "%s", r.GetMessage())
	}
	did := "altered"
	if reset {
		did = "reset"
	}
	if r.GetComplete() {
		return fmt.Sprintf("The offsets for this connector have been %s successfully", did), nil
	}
	return fmt.Sprintf("The Connect framework-managed offsets for this connector have been %s successfully. However, if this connector manages offsets externally, they will need to be manually %s in the system that the connector uses.", did, did), nil
}

// late is the end of a call whose time is over, or err. A request that was not begun is taken back, so that it is
// certain that nothing changes; of any other it is said who has it.
func (s *Connectors) late(ctx context.Context, name, id string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	view := s.store.View()
	have, u := view.Offsets[name], unit.Offsets(name)
	switch {
	case have == nil:
		return errs.New(errs.OffsetsTimeout, "Request timed out: the offsets of connector %s were not altered within %s", name, alterTimeout)
	case have.Value.GetId() != id:
		return errs.New(errs.OffsetsTimeout, "Request timed out: another request has been altering the offsets of connector %s for %s, and nothing was changed by this one", name, alterTimeout)
	case !have.Value.GetStarted():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		if ended, err := s.store.EndOffsets(ending, have); err == nil && ended {
			why := view.Busy(name)
			if why == "" {
				why = "no executor could take it"
			}
			return errs.New(errs.OffsetsTimeout, "Request timed out: %s was not granted to an executor within %s, because %s. Nothing was changed", u, alterTimeout, why)
		}
	}
	holder := "an executor that is gone"
	if a := view.Assignments[u]; a != nil {
		holder = "executor " + a.Value.GetExecutor()
	} else if l := view.Lapsed[u]; l != nil {
		holder = "executor " + l.Value.GetExecutor() + ", which lapsed"
	}
	return errs.New(errs.OffsetsTimeout, "Request timed out: %s was granted to %s, which has not said within %s that the offsets are altered. They may have changed: read them before you try again", u, holder, alterTimeout)
}

// GetConnectorTopics implements ConnectorService.
func (s *Connectors) GetConnectorTopics(ctx context.Context, req *sluicev1.GetConnectorTopicsRequest) (*sluicev1.GetConnectorTopicsResponse, error) {
	c := fresh(ctx, s.store).Connectors[req.GetName()]
	found, err := s.validator.Topics(ctx, poolOr(c), req.GetName(), false)
	if err != nil {
		return nil, err
	}
	if c == nil {
		found = nil // what a deleted one has used is forgotten as soon as its last task is quiet
	}
	return &sluicev1.GetConnectorTopicsResponse{Name: req.GetName(), Topics: found}, nil
}

// ResetConnectorTopics implements ConnectorService.
func (s *Connectors) ResetConnectorTopics(ctx context.Context, req *sluicev1.ResetConnectorTopicsRequest) (*sluicev1.ResetConnectorTopicsResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	if _, err := s.validator.Topics(ctx, poolOr(fresh(ctx, s.store).Connectors[req.GetName()]), req.GetName(), true); err != nil {
		return nil, err
	}
	return &sluicev1.ResetConnectorTopicsResponse{}, nil
}

// poolOr is a connector's pool, the default one where there is no connector.
func poolOr(c *state.Connector) string {
	if c == nil {
		return command.DefaultPool
	}
	return c.Value.GetPool()
}
