package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

// Call sends a request with a JSON body (none where it is nil) and returns the answer's code and text. It has ten seconds.
func Call(method, url string, body any) (int, string, error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, url, in) //nolint:noctx // the client has a timeout
	if err != nil {
		return 0, "", err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// Put creates a connector or changes its config.
func (c *Cluster) Put(t testing.TB, name string, config map[string]string) {
	t.Helper()
	code, text, err := Call("PUT", c.REST(0)+"/connectors/"+name+"/config", config)
	if err != nil || code != 200 && code != 201 {
		t.Fatalf("PUT %s: %d %s %v", name, code, text, err)
	}
}

// Status is what GET /connectors/<name>/status says.
type Status struct {
	Connector struct {
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace"`
	} `json:"connector"`
	Tasks []Task `json:"tasks"`
}

// Task is one task of a Status.
type Task struct {
	ID       int    `json:"id"`
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace"`
}

// Status asks any gateway that answers.
func (c *Cluster) Status(name string) (s Status, ok bool) {
	for i := range c.Gateways {
		if code, text, err := Call("GET", c.REST(i)+"/connectors/"+name+"/status", nil); err == nil && code == 200 {
			return s, json.Unmarshal([]byte(text), &s) == nil
		}
	}
	return s, false
}

// AwaitRunning waits until n tasks run.
func (c *Cluster) AwaitRunning(t testing.TB, name string, n int) {
	t.Helper()
	Await(t, name+" has all tasks running", time.Minute, func() bool {
		s, ok := c.Status(name)
		if !ok || len(s.Tasks) != n {
			return false
		}
		for _, task := range s.Tasks {
			if task.State == "FAILED" {
				t.Fatalf("%s task %d: %s", name, task.ID, task.Trace)
			}
			if task.State != "RUNNING" {
				return false
			}
		}
		return true
	})
}

// AwaitRunningInTheEnd waits until n tasks run, whatever failed before.
func (c *Cluster) AwaitRunningInTheEnd(t testing.TB, name string, n int) {
	t.Helper()
	Await(t, name+" has all tasks running", 2*time.Minute, func() bool {
		s, ok := c.Status(name)
		return ok && len(s.Tasks) == n && !slices.ContainsFunc(s.Tasks, func(t Task) bool { return t.State != "RUNNING" })
	})
}
