package process

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestAdmin_ServesProfilesOnlyWhereTheyAreAskedFor(t *testing.T) {
	for _, c := range []struct {
		profiles bool
		want     int
	}{{false, http.StatusNotFound}, {true, http.StatusOK}} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		a, err := NewAdmin(ctx, "127.0.0.1:0", func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if c.profiles {
			a.Profile()
		}
		if err := a.Start(ctx); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]int{"/metrics": http.StatusOK, "/debug/pprof/": c.want, "/debug/pprof/heap": c.want} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Addr().String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if _ = resp.Body.Close(); resp.StatusCode != want {
				t.Errorf("profiles %t: GET %s: %d, want %d", c.profiles, path, resp.StatusCode, want)
			}
		}
		http.DefaultClient.CloseIdleConnections()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}
