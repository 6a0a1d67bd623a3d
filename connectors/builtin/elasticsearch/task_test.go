package elasticsearch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/await"
)

// refuse has an operation of the record with that number refused so many times.
func refuse(f *fake, number string, times int, status int, kind string) {
	f.with(func() {
		f.item = func(op map[string]any, _ string) (int, string, string) {
			if times > 0 && strings.HasSuffix(fmt.Sprint(op["_id"]), number) {
				times--
				return status, kind, "as the test wants"
			}
			return 0, "", ""
		}
	})
}

// ids are what numbers(0, n) is there as.
func ids(n int) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[fmt.Sprintf("t/T+0+%d", i)] = fmt.Sprintf(`{"n":%d}`, i)
	}
	return out
}

func TestPut_WritesRecordsByBulksOfTheConfiguredSize(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{batchKey: "100", inFlightKey: "3", bufferedKey: "300", compressionKey: "true"}))
	if err := puts(t, sink, numbers(0, 1050)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(ids(1050), f.sources()); d != "" {
		t.Error(d)
	}
	if f.most != 100 || f.bulks != 11 || f.highest > 3 {
		t.Errorf("%d bulks of at most %d, %d at once", f.bulks, f.most, f.highest)
	}
}

func TestPut_BulksEndAtTheirBytes(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{bulkBytesKey: "1000"}))
	if err := puts(t, sink, numbers(0, 100)); err != nil {
		t.Fatal(err)
	}
	if f.most > 25 || len(f.sources()) != 100 {
		t.Errorf("a bulk of %d, %d documents", f.most, len(f.sources()))
	}
}

func TestPut_WhatLingersGoesByItself(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{lingerKey: "5"}))
	if err := sink.Put(t.Context(), numbers(0, 3)); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the documents are there", func() bool { return len(f.sources()) == 3 })
}

func TestPut_TriesAgainWhatANodeCouldNotTake(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(f *fake)
	}{
		{"429 of one item", func(f *fake) { refuse(f, "+5", 2, 429, "es_rejected_execution_exception") }},
		{"503 of one item", func(f *fake) { refuse(f, "+5", 2, 503, "unavailable_shards_exception") }},
		{"a full disk", func(f *fake) { refuse(f, "+5", 2, 403, "cluster_block_exception") }},
		{"503 of all", func(f *fake) {
			f.times(2, func(w http.ResponseWriter) { failed(w, 503, "cluster_block_exception", "no master") })
		}},
		{"429 of all, in another's words", func(f *fake) {
			f.times(2, func(w http.ResponseWriter) { w.WriteHeader(429); _, _ = io.WriteString(w, "<html>slow down") })
		}},
		{"the connection is reset", func(f *fake) {
			f.times(2, func(http.ResponseWriter) { panic(http.ErrAbortHandler) })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			sink := begin(t, &conformance.SinkContext{}, f.config(nil))
			c.begin(f)
			if err := puts(t, sink, numbers(0, 10)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(ids(10), f.sources()); d != "" {
				t.Error(d)
			}
			for k, d := range f.docs {
				if c.name == "429 of one item" && d.writes != 1 {
					t.Errorf("%s was written %d times: what is done is not tried again", k, d.writes)
				}
			}
		})
	}
}

// times has so many bulk requests answered otherwise.
func (f *fake) times(n int, answer func(w http.ResponseWriter)) {
	var left atomic.Int32
	left.Store(int32(n))
	f.with(func() {
		f.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/_bulk" || left.Add(-1) < 0 {
				return false
			}
			answer(w)
			return true
		}
	})
}

func TestPut_FailsWithTheCauseOnceNoTryIsLeft(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(f *fake)
		class connectors.ErrorClass
		words []string
	}{
		{"429 of one item", func(f *fake) { refuse(f, "+5", 99, 429, "es_rejected_execution_exception") }, connectors.TransientError, []string{"T-0 at offset 5", "429", "es_rejected", retriesKey}},
		{"503 of all", func(f *fake) {
			f.times(99, func(w http.ResponseWriter) { failed(w, 503, "cluster_block_exception", "no master") })
		}, connectors.TransientError, []string{"503", "no master", "127.0.0.1"}},
		{"the connection is reset", func(f *fake) { f.times(99, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }) }, connectors.TransientError, []string{"no answer", urlKey}},
		{"a wrong password", func(f *fake) { f.times(99, func(w http.ResponseWriter) { failed(w, 401, "security_exception", "no") }) }, connectors.AuthorisationError, []string{userKey, passwordKey}},
		{"no rights", func(f *fake) { refuse(f, "+5", 99, 403, "security_exception") }, connectors.AuthorisationError, []string{"offset 5", "403", userKey}},
		{"no index", func(f *fake) { refuse(f, "+5", 99, 404, "index_not_found_exception") }, connectors.ConfigError, []string{"index_not_found_exception"}},
		{"no bulk's answer", func(f *fake) { f.times(99, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>welcome") }) }, connectors.ConfigError, []string{urlKey, "welcome"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{userKey: "me", passwordKey: "tiger-5512"}))
			c.begin(f)
			err := puts(t, sink, numbers(0, 10))
			if err == nil {
				t.Fatal("no error")
			}
			if class, _ := connectors.ClassOf(err); class != c.class || connectors.IsRetriable(err) {
				t.Errorf("%s: %v", class, err)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in %v", w, err)
				}
			}
			if strings.Contains(err.Error(), "tiger") {
				t.Errorf("the password is in %v", err)
			}
			if again := sink.Put(t.Context(), &connectors.SinkBatch{}); !errors.Is(again, err) && again == nil {
				t.Error("the next Put says nothing of it")
			}
		})
	}
}

func TestPut_AMappingConflictIsDealtWithAloneAndTheOthersAreWritten(t *testing.T) {
	for _, c := range []struct {
		behavior string
		reports  bool
		fails    bool
	}{{"ignore", false, false}, {"warn", false, false}, {"fail", false, true}, {"IGNORE", true, false}, {"warn", true, false}, {"fail", true, true}} {
		t.Run(fmt.Sprint(c.behavior, c.reports), func(t *testing.T) {
			f := newFake(t)
			f.numeric["n"] = true
			var tc connectors.SinkTaskContext = &conformance.SinkContext{}
			letters := &reporter{}
			if c.reports {
				tc = letters
			}
			sink := begin(t, tc, f.config(map[string]string{malformedKey: c.behavior}))
			err := puts(t, sink, values(0, data.Int64(0), data.String("one"), data.Int64(2), data.String("three"), data.Int64(4)))
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if class, _ := connectors.ClassOf(err); c.fails && (class != connectors.DataError || !strings.Contains(err.Error(), "offset 1") || !strings.Contains(err.Error(), malformedKey)) {
				t.Errorf("%s: %v", class, err)
			}
			if len(f.sources()) != 3 {
				t.Errorf("%v", f.sources())
			}
			if c.reports {
				if d := cmp.Diff([]int64{1, 3}, letters.offsets()); d != "" || !errors.Is(letters.letters[0].cause, ErrRecord) {
					t.Error(d, letters.letters)
				}
			}
		})
	}
}

func TestPut_WhatComesAgainChangesNothing(t *testing.T) {
	for name, extra := range map[string]map[string]string{
		"by place": nil, "by key": {ignoreKeyKey: "false"}, "upsert": {ignoreKeyKey: "false", methodKey: "upsert"},
		"data stream": {streamTypeKey: "logs", datasetKey: "d"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			letters := &reporter{}
			sink := begin(t, letters, f.config(extra))
			for _, b := range []*connectors.SinkBatch{numbers(0, 25), numbers(10, 10), numbers(0, 25), numbers(25, 5)} {
				if err := puts(t, sink, b); err != nil {
					t.Fatal(err)
				}
			}
			want := 30
			if strings.Contains(name, "key") || name == "upsert" {
				want = 10
				for i := range 10 {
					if got := f.sources()[fmt.Sprintf("t/k%d", i)]; name == "by key" && i < 5 && got != fmt.Sprintf(`{"n":%d}`, 25+i) {
						t.Errorf("k%d is %s: an older one has won", i, got)
					}
				}
			}
			if len(f.sources()) != want || len(letters.letters) > 0 {
				t.Errorf("%d documents, %v", len(f.sources()), letters.letters)
			}
		})
	}
}

func TestPut_UpsertsOfAnIDStayInOrderWhenOneIsTriedAgain(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{ignoreKeyKey: "false", methodKey: "upsert", batchKey: "40"}))
	refuse(f, "k3", 1, 429, "es_rejected_execution_exception") // the first of four with this id
	if err := puts(t, sink, numbers(0, 100)); err != nil {
		t.Fatal(err)
	}
	if got := f.sources()["t/k3"]; got != `{"n":93}` || f.highest > 1 {
		t.Errorf("%s, %d bulks at once", got, f.highest)
	}
}

func TestPut_ARequestThatIsRefusedWholeIsHalvedUntilTheCauseIsFound(t *testing.T) {
	f := newFake(t)
	letters := &reporter{}
	sink := begin(t, letters, f.config(map[string]string{malformedKey: "warn"}))
	f.with(func() {
		f.answer = func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/_bulk" && r.ContentLength > 1000 && failed(w, 413, "", "")
		}
	})
	b := numbers(0, 9)
	m := &data.Map{}
	m.Put(data.String("n"), data.String(strings.Repeat("x", 1000)))
	b.Records[4].Value = data.MapOf(m)
	if err := puts(t, sink, b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int64{4}, letters.offsets()); d != "" || len(f.sources()) != 8 {
		t.Error(d, f.sources())
	}
}

func TestPut_NullsAndInvalidRecords(t *testing.T) {
	records := func() *connectors.SinkBatch {
		b := numbers(0, 6)
		b.Records[1].Value, b.Records[1].ValueSchema = data.Null(), nil // k1
		b.Records[2].Key, b.Records[2].KeySchema = data.Null(), nil
		b.Records[3].Key, b.Records[3].KeySchema = data.Bool(true), data.BoolSchema
		b.Records[4].Key = data.String("")
		b.Records[5].Key = data.String(strings.Repeat("é", 257))
		return b
	}
	for _, c := range []struct {
		extra   map[string]string
		fails   string
		letters []int64
	}{
		{nil, "offset 1", []int64{1}},
		{map[string]string{nullsKey: "ignore"}, "offset 2", []int64{1, 2}},
		{map[string]string{nullsKey: "ignore", dropKey: "true"}, "", []int64{1, 2, 3, 4, 5}},
		{map[string]string{nullsKey: "delete", dropKey: "true"}, "", []int64{2, 3, 4, 5}},
		{map[string]string{dropKey: "true"}, "", []int64{1, 2, 3, 4, 5}},
	} {
		f, r := newFake(t), &reporter{}
		c.extra = merge(map[string]string{ignoreKeyKey: "false"}, c.extra)
		sink := begin(t, r, f.config(c.extra))
		err := puts(t, sink, records())
		if (err != nil) != (c.fails != "") || err != nil && (!strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), dropKey)) {
			t.Errorf("%v: %v", c.extra, err)
		}
		if d := cmp.Diff(c.letters, r.offsets()); d != "" {
			t.Errorf("%v: %s", c.extra, d)
		}
	}
}

func merge(a, b map[string]string) map[string]string {
	for k, v := range b {
		a[k] = v
	}
	return a
}

func TestPut_ATombstoneDeletesWhatCameBeforeAndNothingLater(t *testing.T) {
	f := newFake(t)
	sink := begin(t, &conformance.SinkContext{}, f.config(map[string]string{ignoreKeyKey: "false", nullsKey: "delete"}))
	b := numbers(0, 20)
	b.Records[10].Value, b.Records[13].Value = data.Null(), data.Null() // k0, k3
	if err := puts(t, sink, b); err != nil {
		t.Fatal(err)
	}
	if err := puts(t, sink, &connectors.SinkBatch{Records: slices.Clone(b.Records[:11])}); err != nil { // again
		t.Fatal(err)
	}
	got := f.sources()
	if _, there := got["t/k0"]; there || len(got) != 8 || got["t/k5"] != `{"n":15}` {
		t.Error(got)
	}
}

func TestPut_AFullBufferWaitsAndThenFails(t *testing.T) {
	f := newFake(t)
	config := f.config(map[string]string{batchKey: "5", inFlightKey: "1", bufferedKey: "10", flushKey: "1000", readKey: "0"})
	sink := begin(t, &conformance.SinkContext{}, config)
	stop := make(chan struct{})
	f.with(func() {
		f.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/_bulk" {
				select {
				case <-stop:
				case <-r.Context().Done():
				}
			}
			return false
		}
	})
	if err := sink.Put(t.Context(), numbers(0, 10)); err != nil {
		t.Fatal(err)
	}
	err := sink.Put(t.Context(), numbers(10, 1))
	close(stop)
	if class, _ := connectors.ClassOf(err); class != connectors.TransientError || !strings.Contains(err.Error(), flushKey) {
		t.Errorf("%s: %v", class, err)
	}
}

func TestPut_IndicesAreMadeAndNamedByTopic(t *testing.T) {
	for topic, want := range map[string]string{"Orders": "orders", "_internal": "internal", "-x": "x", ".": "dot", "..": "dotdot", strings.Repeat("A", 249): strings.Repeat("a", 249)} {
		f := newFake(t)
		sink := begin(t, &conformance.SinkContext{}, f.config(nil))
		b := numbers(0, 2)
		b.Records[0].Topic, b.Records[1].Topic = topic, topic
		if err := puts(t, sink, b); err != nil {
			t.Fatal(err)
		}
		if _, ok := f.mappings[want]; !ok || len(f.mappings) != 1 {
			t.Errorf("%s: %v", topic, f.mappings)
		}
	}
}

func TestPut_WhileTheServerIsAwayABatchThatNeedsAnIndexComesAgain(t *testing.T) {
	f := newFake(t)
	tc := &conformance.SinkContext{}
	sink := begin(t, tc, f.config(nil))
	f.with(func() {
		f.answer = func(w http.ResponseWriter, _ *http.Request) bool { return failed(w, 503, "starting", "up") }
	})
	if err := sink.Put(t.Context(), numbers(0, 2)); !connectors.IsRetriable(err) {
		t.Fatal(err)
	}
	f.with(func() { f.answer = nil })
	if err := puts(t, sink, numbers(0, 2)); err != nil || len(f.sources()) != 2 {
		t.Fatal(err, f.sources())
	}
}

func TestPut_AnotherNodeTakesWhatOneCannot(t *testing.T) {
	f := newFake(t)
	config := f.config(map[string]string{retriesKey: "0"})
	config[urlKey] = "127.0.0.1:1, " + f.url
	sink := begin(t, &conformance.SinkContext{}, config)
	if err := puts(t, sink, numbers(0, 10)); err != nil || len(f.sources()) != 10 {
		t.Fatal(err, f.sources())
	}
}
