package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-project/sluice/controlplane/api"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestWrites_WithoutQuorumSayThatAndNotThatNoExecutorAnswers(t *testing.T) {
	h := newHarness(t)
	h.validator.answer = func(string, *sluicev1.Config) (*sluicev1.ValidateResult, error) {
		return nil, errs.New(errs.NoExecutor, "No executor is connected")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.store.Stop(ctx); err != nil { // as good as an etcd that does not answer
		t.Fatal(err)
	}
	config := pairs("connector.class", "X")
	_, created := h.connectors.CreateConnector(t.Context(), &sluicev1.CreateConnectorRequest{Name: "a", Config: config})
	_, put := h.connectors.PutConnectorConfig(t.Context(), &sluicev1.PutConnectorConfigRequest{Name: "a", Config: config})
	for _, err := range []error{created, put} {
		if !errors.Is(err, store.ErrUnavailable) || api.Status(err).Error() != "rpc error: code = Unavailable desc = The store is not available, so nothing was changed or it is not known whether it was: try again" {
			t.Errorf("%v: %v", err, api.Status(err))
		}
	}
	if len(h.validator.pools) != 0 {
		t.Errorf("executors were asked: %v", h.validator.pools)
	}
}
