package bulk

import "testing"

// Whatever a server, or what stands in its place, answers: each operation has a verdict, or the answer is refused.
func FuzzItems_EachOperationHasAnAnswerOrNoneHas(f *testing.F) {
	for _, seed := range []string{
		`{"errors":false,"items":[{"index":{"status":201}}]}`,
		`{"errors":true,"items":[{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[1]: version conflict"}}},{"delete":{"status":404}}]}`,
		`{"took":3,"errors":false}`, `{"errors":true,"items":[{},{}]}`, `{"errors":true,"items":[{"a":{},"b":{}}]}`, `{"errors":true,"items":null}`, `<html>`, ``, `null`,
		`{"errors":true,"items":[{"index":{"status":400,"error":"text"}},{"index":{"status":400,"error":{"caused_by":{"reason":"x"}}}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := items(body, 2)
		if err != nil && list != nil || err == nil && len(list) != 0 && len(list) != 2 {
			t.Fatalf("%d items, %v", len(list), err)
		}
		for _, i := range list {
			if v, e := judge(&Op{}, i); v == rejected && i.Status != 400 && i.Status != 413 || len(e.Reason) > 8*1024 {
				t.Errorf("%d is %v: %s", i.Status, v, e)
			}
		}
	})
}
