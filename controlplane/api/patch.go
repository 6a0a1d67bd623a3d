package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// errMoved says that the config was changed while the merged one was validated.
var errMoved = errors.New("api: the config has changed meanwhile")

// PatchConnectorConfig implements ConnectorService (KIP-477). Whether there is such a connector comes before everything
// else. The name in the config is neither checked nor put in: what validation says of the merged config counts.
func (s *Connectors) PatchConnectorConfig(ctx context.Context, req *sluicev1.PatchConnectorConfigRequest) (*sluicev1.PatchConnectorConfigResponse, error) {
	if err := s.writable(ctx); err != nil {
		return nil, err
	}
	name, id := req.GetName(), req.GetRequestId()
	if len(id) > maxRequestID {
		return nil, errs.New(errs.RequestMalformed, "request_id: it has %d bytes: at most %d", len(id), maxRequestID)
	}
	for range putTries {
		c, err := s.store.Connector(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return nil, notFound(name)
		}
		if err != nil {
			return nil, err
		}
		if !repeated(c.Value, id) {
			c, err = s.patch(ctx, c, req)
		}
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &sluicev1.PatchConnectorConfigResponse{Connector: info(c), Etag: etag(c)}, nil
	}
	return nil, errs.New(errs.Conflict, "The config of connector %s was changed by others again and again: try again", name)
}

// patch validates the merged config and writes it, unless the config that it was merged with is not the present one.
func (s *Connectors) patch(ctx context.Context, c *state.Connector, req *sluicev1.PatchConnectorConfigRequest) (*state.Connector, error) {
	if err := matches(c, req.GetIfMatch()); err != nil {
		return nil, err
	}
	patch, err := normal(req.GetPatch())
	if err != nil {
		return nil, err
	}
	config := merged(c.Value.GetConfig(), patch)
	if err := checkSize(config); err != nil {
		return nil, err
	}
	checked, err := checkPlaced(config)
	if err != nil {
		return nil, err
	}
	value, err := s.validated(ctx, checked, req.GetRequestId())
	if err != nil {
		return nil, err
	}
	was := etag(c)
	c, err = s.store.UpdateConnector(ctx, c.Name, func(c *state.Connector) (*storev1.Connector, error) {
		switch {
		case repeated(c.Value, req.GetRequestId()):
			return nil, nil
		case etag(c) != was:
			return nil, errMoved
		}
		return replaced(c.Value, value, req.GetRequestId()), nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(req.GetName())
	}
	return c, err
}

// etag names a connector's config: it is new with every change of the config, and with every create of the name.
func etag(c *state.Connector) string {
	return fmt.Sprintf("\"%x-%x\"", c.Incarnation, c.Value.GetConfigGeneration())
}

// matches checks HTTP's If-Match against a connector.
func matches(c *state.Connector, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	for one := range strings.SplitSeq(ifMatch, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == etag(c) {
			return nil
		}
	}
	return errs.New(errs.ConfigChanged, "The config of connector %s has the ETag %s, not %s: read it again", c.Name, etag(c), ifMatch)
}

// matchesNone checks If-Match where there is no connector: no etag is right then.
func matchesNone(name, ifMatch string) error {
	if ifMatch == "" {
		return nil
	}
	return errs.New(errs.ConfigChanged, "There is no connector %s, and If-Match wants one with the ETag %s", name, ifMatch)
}
