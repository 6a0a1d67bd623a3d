package httpsource

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/internal/await"
)

// awaits finds out when the next request is made, and makes it.
func (r *running) awaits(a *api, want time.Duration) {
	r.tb.Helper()
	a.paths()
	if got := r.t.(*task).due.Sub(r.clk.Now()); got != want {
		r.tb.Errorf("the next request is due in %s, want %s", got, want)
	}
	if want > 0 {
		r.clk.Advance(want - time.Millisecond)
		done := make(chan error, 1)
		go func() { r.b.Reset(); done <- r.t.Poll(r.tb.Context(), r.b) }()
		await.Until(r.tb, "the poll waits", func() bool { return r.clk.Waiters() > 0 })
		r.clk.Advance(time.Millisecond)
		if err := <-done; err != nil || len(a.paths()) > 0 {
			r.tb.Fatalf("it asked too early: %v", err)
		}
	}
	if _, err := r.poll(); err != nil || len(a.paths()) != 1 {
		r.tb.Errorf("there was no request: %v", err)
	}
}

func TestTimer_HasTwoIntervals(t *testing.T) {
	at := func(r *running, ago time.Duration) http.HandlerFunc {
		return says(`[{"id":` + strconv.FormatInt(r.clk.Now().UnixNano(), 10) + `,"at":"` + r.clk.Now().Add(-ago).Format(time.RFC3339Nano) + `"}]`)
	}
	a := newAPI(t, says("[]"))
	config := a.config(intervalKey, "60000", oldIntervalKey, "20000", catchUpKey, "5000", offsetKey, byIDAndTime)
	r := start(t, config, &conformance.SourceContext{})
	r.awaits(a, 0) // at once
	r.awaits(a, 20*time.Second)
	a.becomes(at(r, time.Minute)) // an old record: it catches up
	r.awaits(a, 20*time.Second)
	a.becomes(says("[]"))
	r.awaits(a, 5*time.Second)
	r.awaits(a, 20*time.Second)
	a.becomes(at(r, -25*time.Second)) // a recent one, when it is read
	r.awaits(a, 20*time.Second)
	r.awaits(a, 20*time.Second)
	config[timerKey] = fixedTimer
	a.becomes(at(r, time.Hour))
	r = start(t, config, &conformance.SourceContext{})
	r.awaits(a, 0)
	r.awaits(a, 20*time.Second)
}

func TestCron_BeginsListingsWhenItSays(t *testing.T) {
	a := newAPI(t, says("[]"))
	config := a.config(cronKey, "2,5 14 * * *", cronZoneKey, "Europe/Berlin") // 12:02 and 12:05 in UTC
	delete(config, intervalKey)
	delete(config, catchUpKey)
	r := start(t, config, &conformance.SourceContext{})
	r.awaits(a, 2*time.Minute)
	r.awaits(a, 3*time.Minute)
	r.awaits(a, 24*time.Hour-3*time.Minute)
}

func TestRate_IsKept(t *testing.T) {
	a := newAPI(t, says("[]"))
	r := start(t, a.config(rateKey, "0.1"), &conformance.SourceContext{})
	r.awaits(a, 0)
	r.awaits(a, 10*time.Second)
	r.awaits(a, 10*time.Second)
}

func TestRetry_WaitsAsLongAsTheServerSays(t *testing.T) {
	a := newAPI(t, nil)
	begin := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  time.Duration
	}{
		"seconds":                {status(429, "Retry-After", "30"), 30 * time.Second},
		"a date":                 {status(503, "Retry-After", begin.Add(40*time.Second).Format(http.TimeFormat)), 40 * time.Second},
		"a reset":                {status(403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", strconv.FormatInt(begin.Add(50*time.Second).Unix(), 10)), 50 * time.Second},
		"nothing":                {status(500), 3 * time.Second},
		"what cannot be":         {status(502, "Retry-After", "soon"), 3 * time.Second},
		"in a date that is gone": {status(429, "Retry-After", begin.Add(-time.Hour).Format(http.TimeFormat)), 0},
	} {
		a.becomes(c.serve)
		r := start(t, a.config(backoffKey, "3000"), &conformance.SourceContext{})
		if err := r.fails("GET " + a.URL + "/items was answered "); !connectors.IsRetriable(err) {
			t.Errorf("%s: %v", name, err)
		}
		a.becomes(says("[]"))
		t.Log(name)
		r.awaits(a, c.want)
	}
	if wait, _ := retryAfter(http.Header{"Retry-After": {"999999999999"}}, begin); wait != longestWait {
		t.Error(wait)
	}
}

func TestRetry_DoublesItsPausesAndEnds(t *testing.T) {
	a := newAPI(t, status(503))
	r := start(t, a.config(backoffKey, "2000", backoffMaxKey, "7000", retriesKey, "4"), &conformance.SourceContext{})
	_ = r.fails("503 Service Unavailable", "(again in 2s)")
	for _, again := range []string{"4s", "7s", "7s"} {
		r.clk.Advance(10 * time.Second)
		if err := r.fails("(again in " + again + ")"); !connectors.IsRetriable(err) {
			t.Error(err)
		}
	}
	r.clk.Advance(10 * time.Second)
	err := r.fails("503 Service Unavailable", "after 5 attempts: sluice.http.retries")
	if class, _ := connectors.ClassOf(err); connectors.IsRetriable(err) || class != connectors.TransientError {
		t.Errorf("%v, %s", err, class)
	}
}

func TestTimeout_IsForWhatDoesNotCome(t *testing.T) {
	for name, before := range map[string]string{"no answer": "", "half an answer": `{"items":[`} {
		end := make(chan struct{})
		a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
			if before != "" {
				_, _ = w.Write([]byte(before))
				w.(http.Flusher).Flush()
			}
			select {
			case <-r.Context().Done():
			case <-end:
			}
		})
		r := start(t, a.config(readTimeoutKey, "9000", backoffKey, "1"), &conformance.SourceContext{})
		done := make(chan error, 1)
		go func() { done <- r.t.Poll(t.Context(), r.b) }()
		var err error
		await.Until(t, "it gives up", func() bool {
			select {
			case err = <-done:
				return true
			default:
				r.clk.Advance(time.Second)
				return false
			}
		})
		if !connectors.IsRetriable(err) || !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "http.client.read.timeout.millis=9000") {
			t.Errorf("%s: %v", name, err)
		}
		close(end)
	}
}

func TestServer_ThatIsAwayIsAskedAgain(t *testing.T) {
	a := newAPI(t, nil)
	a.Close()
	r := start(t, a.config(paramsKey, "api_key=hush"), &conformance.SourceContext{})
	err := r.fails("GET "+a.URL+"/items", "connection refused")
	if !connectors.IsRetriable(err) || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
}
