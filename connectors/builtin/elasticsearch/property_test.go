package elasticsearch

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

// Whatever nodes refuse for a while, of whole requests and of single items, and whatever comes again: each id has its last record.
func TestPut_TheLastRecordOfEachIDWinsWhateverIsRefusedForAWhile(t *testing.T) {
	f := newFake(t)
	rapid.Check(t, func(t *rapid.T) {
		var mu sync.Mutex
		trouble := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 429, 503, 409}), 20, 60).Draw(t, "answers to items")
		whole := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 503, -1}), 0, 6).Draw(t, "answers to requests")
		f.with(func() {
			f.docs, f.highest, f.most = map[string]doc{}, 0, 0
			f.item = func(_ map[string]any, name string) (int, string, string) {
				if len(trouble) == 0 {
					return 0, "", ""
				}
				s := trouble[0]
				if trouble = trouble[1:]; s == 409 && name != "update" { // a conflict of versions is an answer, not a trouble
					s = 0
				}
				return s, map[bool]string{true: "some_exception"}[s != 0], ""
			}
			f.answer = func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if r.URL.Path != "/_bulk" || len(whole) == 0 {
					return false
				}
				s := whole[0]
				switch whole = whole[1:]; s {
				case 0:
					return false
				case -1:
					mu.Unlock()
					defer mu.Lock()
					panic(http.ErrAbortHandler)
				}
				return failed(w, s, "some_exception", "")
			}
		})
		method := rapid.SampledFrom([]string{insert, upsert}).Draw(t, "method")
		size := rapid.IntRange(1, 9).Draw(t, "batch.size")
		abreast := rapid.IntRange(1, 4).Draw(t, "requests at once")
		config := f.config(map[string]string{ignoreKeyKey: "false", methodKey: method, nullsKey: remove, retriesKey: "100", backoffKey: "0", batchKey: strconv.Itoa(size), inFlightKey: strconv.Itoa(abreast),
			bufferedKey: strconv.Itoa(size*abreast + rapid.IntRange(0, 5).Draw(t, "more room")), lingerKey: strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "linger"))})
		sink := Plugins()[0].NewSink().NewTask()
		if err := sink.Start(context.Background(), &conformance.SinkContext{}, config); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := sink.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		want := map[string]string{}
		var all []connectors.SinkRecord
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			b := &connectors.SinkBatch{}
			if len(all) > 0 && rapid.Bool().Draw(t, "some come again") {
				b.Records = append(b.Records, all[rapid.IntRange(0, len(all)-1).Draw(t, "from"):]...)
			}
			for range rapid.IntRange(0, 20).Draw(t, "records") {
				n := int64(len(all))
				r := connectors.SinkRecord{Topic: "t", Offset: n, Key: data.Int64(rapid.Int64Range(0, 4).Draw(t, "key"))}
				id := fmt.Sprintf("t/%d", r.Key.Int())
				if delete(want, id); rapid.IntRange(0, 5).Draw(t, "tombstone") > 0 {
					r.Value = mapOf(data.String("n"), data.Int64(n))
					want[id] = fmt.Sprintf(`{"n":%d}`, n)
				}
				all, b.Records = append(all, r), append(b.Records, r)
			}
			if err := sink.Put(context.Background(), b); err != nil {
				t.Fatal(err)
			}
		}
		if err := sink.(connectors.Flusher).Flush(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, f.sources()); d != "" {
			t.Fatal(d)
		}
		if f.highest > abreast || method == upsert && f.highest > 1 || f.most > size {
			t.Fatalf("%d requests at once, of up to %d records", f.highest, f.most)
		}
	})
}
