package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// oldREST is the REST API of a Kafka Connect cluster.
type oldREST struct {
	base  string
	http  *http.Client
	clock clock.Clock
}

func newREST(base string, c clock.Clock) *oldREST {
	return &oldREST{strings.TrimRight(base, "/"), &http.Client{Timeout: 2 * time.Minute}, c}
}

func (r *oldREST) call(ctx context.Context, method, connector, path string, into any) error {
	u := r.base + "/connectors/" + url.PathEscape(connector) + path
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return fmt.Errorf("--rest: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		return fmt.Errorf("--rest: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("--rest: %s %s: %w", method, u, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("--rest: %s %s: %d %s", method, u, res.StatusCode, strings.TrimSpace(string(b[:min(len(b), 500)])))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("--rest: %s %s: the answer is not Kafka Connect's: %w", method, u, err)
	}
	return nil
}

// stop stops a connector there (KIP-875) and waits until its tasks are gone.
func (r *oldREST) stop(ctx context.Context, connector string) error {
	if err := r.call(ctx, http.MethodPut, connector, "/stop", nil); err != nil {
		return err
	}
	for {
		var s struct {
			Connector struct {
				State string `json:"state"`
			} `json:"connector"`
			Tasks []struct {
				State string `json:"state"`
			} `json:"tasks"`
		}
		err := r.call(ctx, http.MethodGet, connector, "/status", &s)
		if err == nil && s.Connector.State == "STOPPED" && len(s.Tasks) == 0 {
			return nil
		}
		select {
		case <-r.clock.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("connector %s did not stop in the old cluster in time: it is %q with %d tasks", connector, s.Connector.State, len(s.Tasks)), err)
		}
	}
}
