package httpsource

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is a server that notes what it is asked.
type api struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	heads []http.Header
	serve http.HandlerFunc
}

func newAPI(tb testing.TB, serve http.HandlerFunc) *api {
	tb.Helper()
	a := &api{serve: serve}
	a.Server = httptest.NewServer(a)
	tb.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.URL.RequestURI())
	a.heads = append(a.heads, r.Header.Clone())
	serve := a.serve
	a.mu.Unlock()
	serve(w, r)
}

// becomes has another answer from now on.
func (a *api) becomes(serve http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serve = serve
}

// paths are what was asked since the last call.
func (a *api) paths() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.asked
	a.asked = nil
	return out
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// config is that of a source of an API, with pairs of more keys.
func (a *api) config(more ...string) map[string]string {
	out := map[string]string{"name": "src", "connector.class": "HttpSource", "kafka.topic": "t", "http.request.url": a.URL + "/items",
		"http.timer.interval.millis": "0", "http.timer.catchup.interval.millis": "0"}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// running is a task that polls.
type running struct {
	tb  testing.TB
	t   connectors.SourceTask
	b   *connectors.SourceBatch
	clk *clock.Fake
	tc  *conformance.SourceContext
}

func start(tb testing.TB, config map[string]string, tc *conformance.SourceContext) *running {
	tb.Helper()
	r := &running{tb: tb, b: connectors.NewSourceBatch(1000), clk: clock.NewFake(time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)), tc: tc}
	r.t = plugin(r.clk).NewSource().NewTask()
	if err := r.t.Start(tb.Context(), tc, maps.Clone(config)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.t.Stop(context.WithoutCancel(tb.Context())) })
	return r
}

// got is a record as tests compare it.
type got struct {
	Key, Value string
	Offset     map[string]any
	Timestamp  int64
}

// poll polls once. What came is as good as committed.
func (r *running) poll() (out []got, err error) {
	r.tb.Helper()
	r.b.Reset()
	err = r.t.Poll(r.tb.Context(), r.b)
	for _, rec := range r.b.Records {
		if fault := data.Validate(rec.ValueSchema, rec.Value); fault != nil {
			r.tb.Error(fault)
		}
		g := got{Offset: conformance.OffsetMap(rec.Offset), Timestamp: rec.Timestamp}
		if rec.ValueSchema.Type == data.KindStruct {
			g.Key, g.Value = rec.Key.Struct().Get("key").Str(), rec.Value.Struct().Get("value").Str()
		} else {
			g.Key, g.Value = rec.Key.Str(), rec.Value.Str()
		}
		r.tc.Commit(r.b.PartitionMap(rec.Partition), g.Offset)
		out = append(out, g)
	}
	return out, err
}

// read polls once, and fails the test where that fails.
func (r *running) read() []got {
	r.tb.Helper()
	out, err := r.poll()
	if err != nil {
		r.tb.Fatal(err)
	}
	return out
}

// fails polls once, and says with what it failed.
func (r *running) fails(words ...string) error {
	r.tb.Helper()
	_, err := r.poll()
	if err == nil {
		r.tb.Fatal("it did not fail")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			r.tb.Errorf("%q is not in: %v", w, err)
		}
	}
	return err
}

func keys(records []got) []string {
	out := []string{}
	for _, g := range records {
		out = append(out, g.Key)
	}
	return out
}

func same(tb testing.TB, what string, got, want []string) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// item is JSON of a record, of that second.
func item(id, second int) string {
	return fmt.Sprintf(`{"id":%d,"at":"2024-01-01T00:%02d:%02dZ","text":"item %d"}`, id, second/60, second%60, id)
}

const byIDAndTime = "key=/id, timestamp=/at"

// pageOf is a list of items as the API has it.
func pageOf(items ...string) string { return `{"items":[` + strings.Join(items, ",") + `]}` }
