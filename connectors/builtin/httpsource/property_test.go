package httpsource

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/internal/clock"
)

// feed is an API over items whose seconds never go back. It answers in every way that the connector can read.
type feed struct {
	mu      sync.Mutex
	seconds []int // of the items 1, 2, and so on
	limit   int
}

func (f *feed) add(seconds ...int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seconds = append(f.seconds, seconds...)
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	var ids []int
	for i, s := range f.seconds {
		at := time.Date(2024, 1, 1, 0, 0, s, 0, time.UTC)
		if since, err := time.Parse(time.RFC3339, q.Get("since")); err == nil && at.Before(since) {
			continue
		}
		if after, err := strconv.Atoi(q.Get("after")); err == nil && i+1 <= after {
			continue
		}
		ids = append(ids, i+1)
	}
	from, limit := number(r, "offset")+len(q.Get("token")), f.limit
	switch strings.Trim(r.URL.Path, "/") {
	case "whole":
		limit = len(ids)
	case "newest":
		slices.Reverse(ids)
		limit = len(ids)
	}
	ids = ids[min(from, len(ids)):]
	more := len(ids) > limit
	ids = ids[:min(limit, len(ids))]
	items := []string{}
	for _, id := range ids {
		items = append(items, item(id, f.seconds[id-1]))
	}
	token, cursor := "", "null"
	if more {
		token = strings.Repeat("x", from+limit)
		q.Set("offset", strconv.Itoa(from+limit))
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, q.Encode()))
	}
	if len(ids) > 0 {
		cursor = strconv.Quote(strconv.Itoa(ids[len(ids)-1]))
	}
	_, _ = fmt.Fprintf(w, `{"token":%q,"cursor":%s,"items":[%s]}`, token, cursor, strings.Join(items, ","))
}

// ways are configs, each with all that it needs.
var ways = map[string][]string{
	"since, by link":      {paramsKey, "since=${offset.timestamp}", pagesKey, linkPages},
	"since, by offset":    {paramsKey, "since=${timestamp}", pagesKey, offsetPages},
	"since, by token":     {paramsKey, "since=${offset.timestamp}", pagesKey, tokenPages, nextKey, "/token", tokenParamKey, "token"},
	"since, whole":        {urlKey, "whole", paramsKey, "since=${offset.timestamp}"},
	"all, by link":        {pagesKey, linkPages},
	"all, by offset":      {pagesKey, offsetPages, limitKey, "1"},
	"all, whole":          {urlKey, "whole"},
	"all, whole, changed": {urlKey, "whole", conditionalKey, "true"},
	"newest first":        {urlKey, "newest", orderKey, "DESC"},
	"after a key":         {paramsKey, "after=${offset.key}", initialKey, "key=0"},
	"after a key, paged":  {paramsKey, "after=${offset.key}", initialKey, "key=0,timestamp=2024-01-01T00:00:00Z", pagesKey, linkPages},
	"a cursor":            {paramsKey, "after=${offset.c}", initialKey, "c=0", cursorKey, "c=/cursor"},
	"a cursor, no time":   {paramsKey, "after=${offset.c}", initialKey, "c=0", cursorKey, "c=/cursor", offsetKey, "key=/id"},
}

func TestEveryRecordComesAtLeastOnce_WhateverThePagesAndKills(t *testing.T) {
	f := &feed{}
	a := newAPI(t, f.ServeHTTP)
	rapid.Check(t, func(rt *rapid.T) {
		way := rapid.SampledFrom(slices.Sorted(maps.Keys(ways))).Draw(rt, "way")
		config := a.config(append([]string{listKey, "/items", offsetKey, byIDAndTime, initialKey, "timestamp=2023-12-31T00:00:00Z"}, ways[way]...)...)
		if path := config[urlKey]; !strings.Contains(path, "/") {
			config[urlKey] = a.URL + "/" + path
		}
		size := rapid.IntRange(1, 5).Draw(rt, "page size") // not under the lock: it may panic
		f.mu.Lock()
		f.seconds, f.limit = nil, size
		f.mu.Unlock()
		clk := clock.NewFake(time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC))
		tc := &conformance.SourceContext{}
		var task connectors.SourceTask
		var handed []map[string]any // the offsets of this life
		seen := map[string]int{}
		stop := func() {
			if task != nil {
				_ = task.Stop(context.Background())
			}
		}
		defer func() { stop() }()
		begin := func() {
			stop()
			task, handed = plugin(clk).NewSource().NewTask(), nil
			if err := task.Start(context.Background(), tc, config); err != nil {
				rt.Fatal(err)
			}
		}
		begin()
		poll := func(room int) int {
			b := connectors.NewSourceBatch(room)
			if err := task.Poll(context.Background(), b); err != nil {
				rt.Fatalf("%s: %v", way, err)
			}
			for _, r := range b.Records {
				seen[r.Key.Struct().Get("key").Str()]++
				handed = append(handed, conformance.OffsetMap(r.Offset))
			}
			return len(b.Records)
		}
		second := 0
		rt.Repeat(map[string]func(*rapid.T){
			"new items": func(rt *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(rt, "items") {
					second += rapid.IntRange(0, 1).Draw(rt, "later")
					f.add(second)
				}
			},
			"poll": func(rt *rapid.T) { poll(rapid.IntRange(1, 7).Draw(rt, "room")) },
			"kill": func(rt *rapid.T) {
				if n := rapid.IntRange(0, len(handed)).Draw(rt, "committed"); n > 0 {
					tc.Commit(partition(), handed[n-1])
				}
				begin()
			},
		})
		f.mu.Lock()
		n := len(f.seconds)
		f.mu.Unlock()
		for i := 0; i < 20+3*n && len(seen) < n; i++ { // each poll hands over records, or asks for a page
			poll(100)
		}
		for id := 1; id <= n; id++ {
			if seen[strconv.Itoa(id)] == 0 {
				rt.Fatalf("%s: record %d of %d is lost; seen: %v", way, id, n, seen)
			}
		}
	})
}

func TestConformance(t *testing.T) {
	var cases []conformance.Case
	for name, way := range ways {
		cases = append(cases, conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
			f := &feed{limit: 7}
			const records = 20
			for i := range records {
				f.add(i / 2)
			}
			a := newAPI(tb, f.ServeHTTP)
			config := a.config(append([]string{listKey, "/items", offsetKey, byIDAndTime, initialKey, "timestamp=2023-12-31T00:00:00Z", intervalKey, "10", catchUpKey, "10"}, way...)...)
			if path := config[urlKey]; !strings.Contains(path, "/") {
				config[urlKey] = a.URL + "/" + path
			}
			broken := maps.Clone(config)
			broken[listKey] = "items"
			// With a cursor and no time to tell them by, a page's records come again after a restart in its middle.
			return conformance.Fixture{Config: config, Broken: broken, Records: records, NotResumable: name == "a cursor, no time"}
		}})
	}
	conformance.Run(t, Plugin(), cases...)
}

// The example of a castorm config, against a server.
func TestExample_Runs(t *testing.T) {
	b, err := os.ReadFile("../../../examples/http/new-and-changed.json")
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Config map[string]string }
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, says(`{"items":[{"id":"a","updatedAt":"2021-01-01T00:00:00Z"},{"id":"b","updatedAt":"2021-01-01T00:00:01Z"}]}`))
	e.Config[urlKey] = strings.Replace(e.Config[urlKey], "https://shop.example", a.URL, 1)
	r := start(t, e.Config, &conformance.SourceContext{})
	same(t, "records", keys(r.read()), []string{"a", "b"})
	r.clk.Advance(time.Second) // it catches up
	same(t, "records, again", keys(r.read()), []string{})
	same(t, "requests", a.paths(), []string{"/api/orders?updatedFrom=2020-05-08T07:55:44Z&order=asc&limit=100", "/api/orders?updatedFrom=2021-01-01T00:00:01Z&order=asc&limit=100"})
}
