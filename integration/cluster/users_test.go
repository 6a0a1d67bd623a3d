//go:build integration

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// users create, list and delete connectors through both gateways until ctx ends, at 20 requests a second or more, never
// trying again. The function they return waits for them and says how that went. While strict is set every failure
// counts; before that a killed gateway or a control plane that is away may refuse.
func (s *story) users(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	var requests, failed atomic.Int64
	var worst atomic.Int64
	var mu sync.Mutex
	var faults []string
	call := func(method, url string, body any, want ...int) string {
		began, strict := time.Now(), s.strict.Load()
		code, text, err := harness.Call(method, url, body)
		if !strict || !s.strict.Load() {
			return text
		}
		requests.Add(1)
		for w, took := worst.Load(), int64(time.Since(began)); took > w && !worst.CompareAndSwap(w, took); w = worst.Load() {
		}
		if err != nil || !slices.Contains(want, code) {
			failed.Add(1)
			mu.Lock()
			faults = append(faults, fmt.Sprintf("%s %s: %d %s %v after %s", method, url, code, text, err, time.Since(began).Round(time.Millisecond)))
			mu.Unlock()
			return ""
		}
		return text
	}
	for u := range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				rest, other := s.REST(u%2), s.REST((u+1)%2)
				name := fmt.Sprintf("user-%d-%d", u, n%5)
				switch strict := s.strict.Load(); n % 3 {
				case 0:
					call("PUT", rest+"/connectors/"+name+"/config", map[string]string{"connector.class": "VerifiableSink", "topics": "nothing-here", "tasks.max": "1"}, 200, 201)
				case 1:
					// The other gateway, and most likely another replica, knows it at once.
					made := fmt.Sprintf("user-%d-%d", u, (n-1)%5)
					if list := call("GET", other+"/connectors", nil, 200); strict && list != "" && s.strict.Load() && !strings.Contains(list, `"`+made+`"`) {
						mu.Lock()
						faults = append(faults, made+" was created and is not in a later list: "+list)
						mu.Unlock()
					}
				case 2:
					call("DELETE", other+"/connectors/"+fmt.Sprintf("user-%d-%d", u, (n-2)%5), nil, 204, 404)
				}
			}
		}()
	}
	return func() {
		all.Wait()
		s.t.Logf("users: %d requests while everything was rolled, %d failed, the slowest took %s", requests.Load(), failed.Load(), time.Duration(worst.Load()).Round(time.Millisecond))
		for i, f := range faults {
			if i < 10 {
				s.t.Error("users: " + f)
			}
		}
	}
}

func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
