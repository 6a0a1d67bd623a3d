package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// OpenSearchVersion is the search server's: the runner's, which brings the server.
const OpenSearchVersion = "2.19.1.0"

// OpenSearch is a search server of one node, without users and TLS.
type OpenSearch struct {
	*Process
	URL string
	t   testing.TB
}

// StartOpenSearch starts a server and waits until it answers. root is the module's directory.
func StartOpenSearch(t testing.TB, root string) *OpenSearch {
	t.Helper()
	dir := filepath.Join(root, "integration/harness/opensearch")
	jars := Fetch(t, filepath.Join(dir, "pom.xml"), "opensearch-"+OpenSearchVersion)
	addr := freeAddr(t)
	_, port, _ := strings.Cut(addr, ":")
	s := &OpenSearch{URL: "http://" + addr, t: t}
	s.Process = Run(t, "opensearch", "java", "-Xms512m", "-Xmx512m", "-cp", jars+"/*", filepath.Join(dir, "OpenSearch.java"), t.TempDir(), port)
	s.AwaitAnswers()
	return s
}

// AwaitAnswers waits until it can be written to.
func (s *OpenSearch) AwaitAnswers() {
	s.t.Helper()
	Await(s.t, "OpenSearch answers at "+s.URL, 3*time.Minute, func() bool {
		code, _, err := s.call(http.MethodGet, "/_cluster/health?wait_for_status=yellow&timeout=1s", "")
		return err == nil && code == http.StatusOK
	})
}

// Do sends a request that has to succeed, and reads the answer into out, where there is one.
func (s *OpenSearch) Do(method, path, body string, out any) {
	s.t.Helper()
	code, answer, err := s.call(method, path, body)
	if err == nil && code/100 != 2 {
		err = fmt.Errorf("%d: %s", code, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// Stats are how many documents an index has, and the least, the most and the sum of a field; all 0 where it is not there.
func (s *OpenSearch) Stats(index, field string) (count int, least, most, sum float64) {
	if code, _, err := s.call(http.MethodPost, "/"+index+"/_refresh", ""); err != nil || code != http.StatusOK {
		return 0, 0, 0, 0
	}
	var a struct {
		Aggregations struct {
			Of struct {
				Count         int
				Min, Max, Sum float64
			}
		}
	}
	code, answer, err := s.call(http.MethodPost, "/"+index+"/_search?size=0", fmt.Sprintf(`{"aggs":{"of":{"stats":{"field":%q}}}}`, field))
	if err != nil || code != http.StatusOK || json.Unmarshal(answer, &a) != nil {
		return 0, 0, 0, 0
	}
	of := a.Aggregations.Of
	return of.Count, of.Min, of.Max, of.Sum
}

func (s *OpenSearch) call(method, path, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
