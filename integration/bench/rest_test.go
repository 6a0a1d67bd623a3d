//go:build integration

package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// patient waits for answers as long as a loaded machine may need: the harness's client gives up after ten seconds.
var patient = &http.Client{Timeout: 5 * time.Minute}

// call sends a request with a JSON body, none where it is nil.
func (b *bench) call(method, url string, body any) (code int, text []byte) {
	b.t.Helper()
	var in io.Reader
	if body != nil {
		sent, err := json.Marshal(body)
		b.must(err)
		in = bytes.NewReader(sent)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, in)
	b.must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := patient.Do(req)
	b.must(err)
	defer func() { _ = res.Body.Close() }()
	text, err = io.ReadAll(res.Body)
	b.must(err)
	return res.StatusCode, text
}

// post creates a connector. Kafka Connect answers 409 while its workers rebalance: it is asked again, as its users do.
func (b *bench) post(s *side, name string, config map[string]string) {
	b.t.Helper()
	harness.Await(b.t, s.name+" takes connector "+name, 10*time.Minute, func() bool {
		code, text := b.call("POST", s.base+"/connectors", map[string]any{"name": name, "config": config})
		if code != http.StatusCreated && code != http.StatusConflict {
			b.t.Fatalf("%s: POST %s: %d %s", s.name, name, code, text)
		}
		return code == http.StatusCreated
	})
}

func (b *bench) remove(s *side, name string) {
	b.t.Helper()
	harness.Await(b.t, s.name+" deletes connector "+name, 10*time.Minute, func() bool {
		code, text := b.call("DELETE", s.base+"/connectors/"+name, nil)
		if code != http.StatusNoContent && code != http.StatusConflict {
			b.t.Fatalf("%s: DELETE %s: %d %s", s.name, name, code, text)
		}
		return code == http.StatusNoContent
	})
}

// statuses are what ?expand=status says, by the connectors' names.
type statuses map[string]struct {
	Status harness.Status `json:"status"`
}

// list asks for the status of all connectors.
func (b *bench) list(s *side) (out statuses) {
	b.t.Helper()
	code, text := b.call("GET", s.base+"/connectors?expand=status", nil)
	if code == http.StatusOK {
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
