//go:build integration

package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// post creates a connector. Kafka Connect answers 409 while its workers rebalance: it is asked again, as its users do.
func (b *bench) post(s *side, name string, config map[string]string) {
	b.t.Helper()
	harness.Await(b.t, s.name+" takes connector "+name, 2*time.Minute, func() bool {
		code, text, err := harness.Call("POST", s.base+"/connectors", map[string]any{"name": name, "config": config})
		if code != 201 && code != 409 {
			b.t.Fatalf("%s: POST %s: %d %s %v", s.name, name, code, text, err)
		}
		return code == 201
	})
}

func (b *bench) remove(s *side, name string) {
	b.t.Helper()
	harness.Await(b.t, s.name+" deletes connector "+name, 2*time.Minute, func() bool {
		code, text, err := harness.Call("DELETE", s.base+"/connectors/"+name, nil)
		if code != 204 && code != 409 {
			b.t.Fatalf("%s: DELETE %s: %d %s %v", s.name, name, code, text, err)
		}
		return code == 204
	})
}

// statuses are what ?expand=status says, by the connectors' names.
type statuses map[string]struct {
	Status harness.Status `json:"status"`
}

var patient = &http.Client{Timeout: 5 * time.Minute}

// list asks for the status of all connectors.
func (b *bench) list(s *side) (out statuses) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", s.base+"/connectors?expand=status", nil)
	b.must(err)
	res, err := patient.Do(req)
	b.must(err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	b.must(err)
	if res.StatusCode == http.StatusOK {
		b.must(json.Unmarshal(text, &out))
	}
	return out // none while Kafka Connect rebalances
}

// allRun waits until n connectors run, each with one task.
func (b *bench) allRun(s *side, n int) {
	b.t.Helper()
	harness.Await(b.t, s.name+" runs all connectors", 10*time.Minute, func() bool {
		found := 0
		for name, c := range b.list(s) {
			for _, task := range c.Status.Tasks {
				if task.State == "FAILED" {
					b.t.Fatalf("%s: %s: %s", s.name, name, task.Trace)
				}
				if task.State == "RUNNING" && c.Status.Connector.State == "RUNNING" {
					found++
				}
			}
		}
		return found >= n
	})
}
