package httpsource

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
)

func TestRecords_AreCastorms(t *testing.T) {
	a := newAPI(t, says(`{"items":[ {"id":7, "at":"2024-01-01T01:00:00.50+01:00", "x":{"y":[1, 2.0]}} ]}`))
	config := a.config(listKey, "/items", offsetKey, byIDAndTime+", y=/x/y/0")
	r := start(t, config, &conformance.SourceContext{})
	want := []got{{Key: "7", Value: `{"id":7,"at":"2024-01-01T01:00:00.50+01:00","x":{"y":[1,2.0]}}`, Timestamp: 1704067200500,
		Offset: map[string]any{"key": "7", "timestamp": "2024-01-01T00:00:00.500Z", "y": "1"}}}
	if d := cmp.Diff(want, r.read()); d != "" {
		t.Error(d)
	}
	if p := r.b.PartitionMap(r.b.Records[0].Partition); p == nil || len(p) != 0 || r.b.Records[0].Topic != "t" {
		t.Errorf("%v %s", p, r.b.Records[0].Topic)
	}
	if n := len(r.read()); n != 0 {
		t.Errorf("%d records came again", n)
	}
	// Nothing but a body: its hash is the key, the time of reading the timestamp, and it comes each time.
	a.becomes(says(`{"items":["hello"]}`))
	r = start(t, a.config(listKey, "/items", mapperKey, stringMapper), &conformance.SourceContext{})
	want = []got{{Key: "5d41402a-bc4b-3a76-b971-9d911017c592", Value: "hello", Timestamp: r.clk.Now().UnixMilli(), Offset: map[string]any{"key": "5d41402a-bc4b-3a76-b971-9d911017c592"}}}
	for range 2 {
		if d := cmp.Diff(want, r.read()); d != "" {
			t.Error(d)
		}
	}
	// Deprecated pointers, a record within an entry, and one that is no list.
	a.becomes(says(`{"a":1,"b":"2","at":1000,"record":{"v":true}}`))
	r = start(t, a.config(keyPointerKey, "/a,/b", timePointerKey, "/at", recordKey, "/record"), &conformance.SourceContext{})
	want = []got{{Key: "1+2", Value: `{"v":true}`, Timestamp: 1000, Offset: map[string]any{"key": "1+2", "timestamp": "1970-01-01T00:00:01Z"}}}
	if d := cmp.Diff(want, r.read()); d != "" {
		t.Error(d)
	}
	for _, none := range []string{`{"items":null}`, `{"items":[]}`, ""} {
		a.becomes(says(none))
		if got := start(t, config, &conformance.SourceContext{}).read(); len(got) > 0 {
			t.Errorf("%q: %v", none, got)
		}
	}
}

func TestOffset_OfTheJavaConnectorIsWhereItGoesOn(t *testing.T) {
	a := newAPI(t, says(pageOf(item(1, 0), item(2, 1), item(3, 1), item(4, 2))))
	tc := &conformance.SourceContext{}
	tc.Commit(map[string]any{}, map[string]any{"key": "2", "timestamp": "2024-01-01T00:00:01Z"})
	r := start(t, a.config(listKey, "/items", offsetKey, byIDAndTime, paramsKey, "since=${offset.timestamp?datetime.iso?long}&x=${offset.key}", initialKey, "key=0,timestamp=2020-01-01T00:00:00Z"), tc)
	same(t, "records", keys(r.read()), []string{"3", "4"})
	r.read()
	same(t, "requests", a.paths(), []string{"/items?since=1704067201000&x=2", "/items?since=1704067202000&x=4"})
}

func TestOffset_ThatNamesLackFailsTheStart(t *testing.T) {
	a := newAPI(t, says("[]"))
	task := Plugin().NewSource().NewTask()
	err := task.Start(t.Context(), &conformance.SourceContext{}, a.config(paramsKey, "after=${offset.key}"))
	if err == nil || !strings.Contains(err.Error(), "http.offset.initial=key=value would be right") {
		t.Error(err)
	}
	tc := &conformance.SourceContext{}
	tc.Commit(map[string]any{}, map[string]any{"timestamp": "1"})
	if err := task.Start(t.Context(), tc, a.config()); err == nil || !strings.Contains(err.Error(), "2020-05-08T07:55:44Z would be right") {
		t.Error(err)
	}
}

func TestOffsets_AreAltered(t *testing.T) {
	alterer := Plugin().NewSource().(connectors.SourceOffsetsAlterer)
	for _, c := range []struct {
		partition, offset map[string]any
		words             string
	}{
		{map[string]any{}, map[string]any{"key": "1", "timestamp": "2024-01-01T00:00:00Z", "n": int64(3)}, ""},
		{map[string]any{"a": "b"}, nil, ""},
		{map[string]any{"a": "b"}, map[string]any{"key": "1"}, "{} would be right"},
		{nil, map[string]any{"key": "1"}, "{} would be right"},
		{map[string]any{}, map[string]any{"timestamp": "x"}, "would be right"},
		{map[string]any{}, map[string]any{"key": []any{}}, "a text would be right"},
	} {
		_, err := alterer.AlterOffsets(t.Context(), nil, []connectors.SourceOffsetChange{{Partition: c.partition, Offset: c.offset}})
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestFilter_PassesWhatIsBehindTheOffset(t *testing.T) {
	all := pageOf(item(1, 0), item(2, 1), item(3, 1), item(4, 2))
	for name, c := range map[string]struct {
		body, offset string
		more, want   []string
	}{
		"the record is there":                      {all, "key=2,timestamp=2024-01-01T00:00:01Z", nil, []string{"3", "4"}},
		"newest first":                             {pageOf(item(4, 2), item(3, 1), item(2, 1), item(1, 0)), "key=2,timestamp=2024-01-01T00:00:01Z", nil, []string{"3", "4"}},
		"newest first, of one time":                {pageOf(item(3, 1), item(2, 1)), "key=2,timestamp=2024-01-01T00:00:01Z", []string{orderKey, "DESC"}, []string{"3"}},
		"the record is gone":                       {all, "key=9,timestamp=2024-01-01T00:00:01Z", nil, []string{"2", "3", "4"}},
		"by the timestamp alone":                   {all, "key=2,timestamp=2024-01-01T00:00:01Z", []string{filterKey, timestampFilter}, []string{"4"}},
		"no filter":                                {all, "key=2,timestamp=2024-01-01T00:00:01Z", []string{filterKey, noFilter}, []string{"1", "2", "3", "4"}},
		"no timestamp":                             {all, "key=2", []string{offsetKey, "key=/id"}, []string{"1", "2", "3", "4"}},
		"pages of a request by timestamp, as Java": {all, "key=9,timestamp=2024-01-01T00:00:01Z", []string{pagesKey, linkPages, paramsKey, "t=${offset.timestamp}"}, []string{"4"}},
		"pages of a request by key":                {all, "key=9,timestamp=2024-01-01T00:00:01Z", []string{pagesKey, linkPages, paramsKey, "t=${offset.key}"}, []string{"2", "3", "4"}},
	} {
		a := newAPI(t, says(c.body))
		r := start(t, a.config(append([]string{listKey, "/items", offsetKey, byIDAndTime, initialKey, c.offset}, c.more...)...), &conformance.SourceContext{})
		same(t, name, keys(r.read()), c.want)
	}
}

func TestPages_ThatAreInDescendingOrderFail(t *testing.T) {
	a := newAPI(t, says(pageOf(item(2, 2), item(1, 1))))
	r := start(t, a.config(listKey, "/items", offsetKey, byIDAndTime, pagesKey, linkPages), &conformance.SourceContext{})
	err := r.fails("descending", "sluice.http.pagination=link")
	if c, _ := connectors.ClassOf(err); c != connectors.DataError {
		t.Error(c)
	}
}

func TestPages_AreFollowed(t *testing.T) {
	five := []string{item(1, 1), item(2, 2), item(3, 3), item(4, 4), item(5, 5)}
	// page answers with two items from there on.
	page := func(from int) string {
		if from >= len(five) {
			return ""
		}
		return strings.Join(five[from:min(from+2, len(five))], ",")
	}
	for name, c := range map[string]struct {
		more  []string
		serve http.HandlerFunc
		asked []string
	}{
		"link": {[]string{pagesKey, linkPages}, func(w http.ResponseWriter, r *http.Request) {
			n := number(r, "n")
			if n+2 < len(five) {
				w.Header().Set("Link", fmt.Sprintf(`</items?n=%d>; rel="next"`, n+2))
			}
			_, _ = fmt.Fprintf(w, `{"items":[%s]}`, page(n))
		}, []string{"/items?a=b", "/items?n=2", "/items?n=4"}},
		"link in the body": {[]string{pagesKey, linkPages, nextKey, "/next", limitKey, "2"}, func(w http.ResponseWriter, r *http.Request) {
			n := number(r, "n")
			next := "null"
			if n+2 < len(five) {
				next = fmt.Sprintf(`"http://%s/items?n=%d"`, r.Host, n+2)
			}
			_, _ = fmt.Fprintf(w, `{"next":%s,"items":[%s]}`, next, page(n))
		}, []string{"/items?a=b&limit=2", "/items?n=2", "/items?n=4"}},
		"offset": {[]string{pagesKey, offsetPages, limitKey, "2"}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"items":[%s]}`, page(number(r, "offset")))
		}, []string{"/items?a=b&limit=2&offset=0", "/items?a=b&limit=2&offset=2", "/items?a=b&limit=2&offset=4", "/items?a=b&limit=2&offset=5"}},
		"offset of pages": {[]string{pagesKey, offsetPages, offsetUnitKey, unitPages, offsetParamKey, "page", offsetStartKey, "1"}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"items":[%s]}`, page(2*(number(r, "page")-1)))
		}, []string{"/items?a=b&page=1", "/items?a=b&page=2", "/items?a=b&page=3", "/items?a=b&page=4"}},
		"token": {[]string{pagesKey, tokenPages, nextKey, "/next", tokenParamKey, "tok"}, func(w http.ResponseWriter, r *http.Request) {
			n, next := len(r.URL.Query().Get("tok")), ""
			if n+2 < len(five) {
				next = "+ &=/"[:n+2]
			}
			_, _ = fmt.Fprintf(w, `{"next":%q,"items":[%s]}`, next, page(n))
		}, []string{"/items?a=b", "/items?a=b&tok=%2B+", "/items?a=b&tok=%2B+%26%3D"}},
	} {
		a := newAPI(t, c.serve)
		r := start(t, a.config(append([]string{listKey, "/items", offsetKey, byIDAndTime, paramsKey, "a=b", intervalKey, "3600000", initialKey, "timestamp=2030-01-01T00:00:00Z", filterKey, noFilter}, c.more...)...), &conformance.SourceContext{})
		var got []string
		for range len(c.asked) {
			got = append(got, keys(r.read())...)
		}
		same(t, name, got, []string{"1", "2", "3", "4", "5"})
		same(t, name+" asks", a.paths(), c.asked)
	}
}

func number(r *http.Request, name string) (n int) {
	_, _ = fmt.Sscan(r.URL.Query().Get(name), &n)
	return n
}

func TestPages_ThatLeadNowhereFail(t *testing.T) {
	for name, c := range map[string]struct {
		more, words []string
		serve       http.HandlerFunc
	}{
		"another server": {[]string{pagesKey, linkPages}, []string{"https://evil.example", "not followed"}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<https://evil.example/items?key=1>; rel="next"`)
			_, _ = w.Write([]byte("[]"))
		}},
		"itself": {[]string{pagesKey, linkPages}, []string{"no end"}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<`+r.URL.RequestURI()+`>; rel="next"`)
			_, _ = w.Write([]byte("[]"))
		}},
		"its own token": {[]string{pagesKey, tokenPages, nextKey, "/next", listKey, "/items"}, []string{"no end", "/next"}, says(`{"items":[],"next":"x"}`)},
		"another host":  {nil, []string{"redirected to another server", "https://evil.example"}, status(302, "Location", "https://evil.example/")},
		"nothing there": {[]string{listKey, "/items"}, []string{"nothing at /items", listKey}, says(`{"error":1}`)},
		"no JSON":       {nil, []string{"no JSON", "<html>"}, says(`<html>`)},
		"no UTF-8":      {nil, []string{"no UTF-8"}, says("[\"\xff\"]")},
		"too much":      {[]string{maxBytesKey, "10"}, []string{"sluice.http.response.max.bytes=10"}, says(`[1,2,3,4,5,6]`)},
		"no timestamp":  {[]string{offsetKey, "timestamp=/at"}, []string{"/at", offsetKey}, says(`[{}]`)},
		"bad timestamp": {[]string{offsetKey, "timestamp=/at"}, []string{`"soon"`, patternKey}, says(`[{"at":"soon"}]`)},
		"old timestamp": {[]string{offsetKey, "timestamp=/at"}, []string{"1960"}, says(`[{"at":"1960-01-01T00:00:00Z"}]`)},
	} {
		a := newAPI(t, c.serve)
		r := start(t, a.config(c.more...), &conformance.SourceContext{})
		var err error
		for range 3 {
			if _, err = r.poll(); err != nil {
				break
			}
		}
		for _, w := range c.words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", name, w, err)
			}
		}
		if class, _ := connectors.ClassOf(err); class != connectors.DataError && class != connectors.ConfigError {
			t.Errorf("%s: the class is %s", name, class)
		}
	}
}

func TestCursor_GoesOnBehindTheLastRecordOfAPage(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		n := number(r, "c")
		if n >= 4 {
			_, _ = w.Write([]byte(`{"items":[],"next":null}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"items":[%s,%s],"next":%d}`, item(n+1, 0), item(n+2, 0), n+2)
	})
	config := a.config(listKey, "/items", offsetKey, "key=/id", cursorKey, "c=/next", paramsKey, "c=${offset.c}", initialKey, "c=0", intervalKey, "3600000")
	tc := &conformance.SourceContext{}
	r := start(t, config, tc)
	var offsets []map[string]any
	for range 2 { // the next request follows at once
		for _, g := range r.read() {
			offsets = append(offsets, g.Offset)
		}
	}
	want := []map[string]any{{"key": "1", "c": "0"}, {"key": "2", "c": "2"}, {"key": "3", "c": "2"}, {"key": "4", "c": "4"}}
	if d := cmp.Diff(want, offsets); d != "" {
		t.Error(d)
	}
	r.read()
	same(t, "requests", a.paths(), []string{"/items?c=0", "/items?c=2", "/items?c=4"})
	// In the middle of a page the page comes again.
	tc.Commit(map[string]any{}, want[2])
	same(t, "after a restart", keys(start(t, config, tc).read()), []string{"3", "4"})
}

func TestConditional_AsksWhetherAnythingHasChanged(t *testing.T) {
	etag := `"v1"`
	a := newAPI(t, nil)
	a.becomes(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
		if r.Header.Get("If-None-Match") == etag && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(pageOf(item(1, 0), item(2, 0))))
	})
	r := start(t, a.config(listKey, "/items", offsetKey, "key=/id", conditionalKey, "true"), &conformance.SourceContext{})
	r.b = connectors.NewSourceBatch(1)
	for _, want := range [][]string{{"1"}, {"2"}, {}, {}} {
		same(t, "records", keys(r.read()), want)
	}
	etag = `"v2"`
	same(t, "after a change", keys(r.read()), []string{"1"})
	// What was not handed over is not known: a restart reads all.
	same(t, "after a restart", keys(start(t, a.config(listKey, "/items", offsetKey, "key=/id", conditionalKey, "true"), &conformance.SourceContext{}).read()), []string{"1", "2"})
}

func TestStop_EndsARequest(t *testing.T) {
	asked, end := make(chan struct{}), make(chan struct{})
	a := newAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	defer close(end)
	r := start(t, a.config(), &conformance.SourceContext{})
	ctx, cancel := context.WithCancel(t.Context())
	stop := context.AfterFunc(t.Context(), cancel)
	defer stop()
	done := make(chan error, 1)
	go func() { <-asked; cancel() }()
	go func() { done <- r.t.Poll(ctx, r.b) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Poll goes on")
	}
}
