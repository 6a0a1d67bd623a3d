//go:build integration

package systems

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	httpUser   = "reader"
	httpSecret = "marmalade-3306"
)

// httpAPI is an API with numbered records, ten of each second, that can be made to misbehave.
type httpAPI struct {
	t    *testing.T
	addr string

	mu       sync.Mutex
	server   *http.Server
	records  int
	slow     time.Duration // before each answer
	refuse   int           // the status instead of an answer, where it is not 0
	after    string        // its Retry-After
	refused  []time.Time   // when it was given
	answered int           // how many requests have had a list
	first    time.Time     // the first one since refused was emptied
}

func startHTTP(t *testing.T, records int) *httpAPI {
	a := &httpAPI{t: t, addr: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)), records: records}
	a.start()
	t.Cleanup(a.stop)
	return a
}

// start listens, where it listened before.
func (a *httpAPI) start() {
	a.t.Helper()
	l, err := net.Listen("tcp", a.addr) //nolint:noctx // it is local
	if err != nil {
		a.t.Fatal(err)
	}
	s := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
	a.mu.Lock()
	a.server = s
	a.mu.Unlock()
	go func() { _ = s.Serve(l) }() // ends with stop
}

// stop goes away, in the middle of answers.
func (a *httpAPI) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.server.Close()
}

// becomes slow, or refuses with a status.
func (a *httpAPI) becomes(slow time.Duration, refuse int, after string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slow, a.refuse, a.after, a.refused, a.first = slow, refuse, after, nil, time.Time{}
}

func (a *httpAPI) add(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records += n
}

// refusals is how often it has refused since it became so.
func (a *httpAPI) refusals() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.refused)
}

// at is a record's time, in milliseconds.
func at(n int) int64 { return 1_700_000_000_000 + int64(n/10)*1000 }

func (a *httpAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	slow, refuse, after, records := a.slow, a.refuse, a.after, a.records
	if refuse != 0 {
		a.refused = append(a.refused, time.Now())
	} else if a.answered++; a.first.IsZero() {
		a.first = time.Now()
	}
	a.mu.Unlock()
	select {
	case <-r.Context().Done():
		return
	case <-time.After(slow):
	}
	if user, password, _ := r.BasicAuth(); user != httpUser || password != httpSecret {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, "who is %s with %s?", user, password)
		return
	}
	if refuse != 0 {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(refuse)
		return
	}
	q := r.URL.Query()
	since, _ := strconv.ParseInt(q.Get("since"), 10, 64)
	from := max(0, int((since-at(0))/1000)*10)
	if n, err := strconv.Atoi(q.Get("after")); err == nil {
		from = n + 1
	}
	skip, _ := strconv.Atoi(q.Get("offset"))
	from += skip
	const size = 250
	end := min(from+size, records)
	if end < records {
		q.Set("offset", strconv.Itoa(skip+size))
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, q.Encode()))
	}
	items := []string{}
	for n := from; n < end; n++ {
		items = append(items, fmt.Sprintf(`{"n":%d,"at":%d,"text":"record %d"}`, n, at(n), n))
	}
	_, _ = fmt.Fprintf(w, `{"items":[%s],"last":%q}`, strings.Join(items, ","), strconv.Itoa(max(end-1, -1)))
}

// source is a config.
func (a *httpAPI) source(topic string, more map[string]string) map[string]string {
	out := map[string]string{"connector.class": "com.github.castorm.kafka.connect.http.HttpSourceConnector", "tasks.max": "2", "kafka.topic": topic,
		"http.request.url": "http://" + a.addr + "/items", "http.auth.type": "Basic", "http.auth.user": httpUser, "http.auth.password": httpSecret,
		"http.response.list.pointer": "/items", "http.response.record.offset.pointer": "key=/n, timestamp=/at", "http.offset.initial": "timestamp=2023-01-01T00:00:00Z",
		"http.response.record.mapper": "com.github.castorm.kafka.connect.http.record.StringKvSourceRecordMapper",
		"http.timer.interval.millis":  "200", "http.timer.catchup.interval.millis": "200", "sluice.http.retry.backoff.ms": "300", "sluice.http.retry.backoff.max.ms": "1000",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"sluice.restart.delay.ms": "500", "sluice.restart.delay.max.ms": "2000"}
	maps.Copy(out, more)
	return out
}

// tally counts what topics get.
type tally struct {
	mu   sync.Mutex
	seen map[string]map[string]int // topic, key
}

func follow(t *testing.T, broker string, topics ...string) *tally {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	y := &tally{seen: map[string]map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended; client.Close() })
	go func() { // ends with the test
		defer close(ended)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				y.mu.Lock()
				defer y.mu.Unlock()
				if y.seen[r.Topic] == nil {
					y.seen[r.Topic] = map[string]int{}
				}
				y.seen[r.Topic][string(r.Key)]++
			})
		}
	}()
	return y
}

// counts are the records of a topic, without and with those that came again.
func (y *tally) counts(topic string) (distinct, all int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, n := range y.seen[topic] {
		distinct, all = distinct+1, all+n
	}
	return distinct, all
}

func TestChaosHTTP_NoRecordIsLostWhateverDies(t *testing.T) {
	const records = 100_000
	a := startHTTP(t, records)
	kafka := harness.StartKafka(t, root)
	c := harness.Start(t, harness.Options{Executors: []string{"default", "default"}, TTL: 4 * time.Second, Margin: 3 * time.Second, Kafka: kafka, Root: root}, harness.Release(t, root))
	sources := map[string]map[string]string{
		// Pages of a listing that begins behind the last timestamp.
		"pages": {"http.request.params": "since=${offset.timestamp?datetime.iso?long}", "sluice.http.pagination": "link"},
		// A cursor in the offset.
		"cursor": {"http.request.params": "after=${offset.last}", "http.offset.initial": "last=-1", "sluice.http.response.offset.pointer": "last=/last", "sluice.http.requests.per.second": "200"},
	}
	names := slices.Sorted(maps.Keys(sources))
	y := follow(t, kafka.Addr, names...)
	begin := time.Now()
	for _, name := range names {
		c.Put(t, name, a.source(name, sources[name]))
	}
	there := func() (n int) {
		for _, name := range names {
			distinct, _ := y.counts(name)
			n += distinct
		}
		return n
	}
	n := kills()
	for i := range n {
		goal := (i + 1) * len(names) * records / (n + 2)
		harness.Await(t, fmt.Sprintf("%d records have arrived", goal), 5*time.Minute, func() bool { return there() >= goal })
		x := c.Executors[i%len(c.Executors)]
		t.Logf("kill -9 of %s with %d of %d records there", x.Name, there(), len(names)*records)
		x.Kill()
		if i == n/2 { // the API goes away, too
			a.stop()
		}
		x.Start()
		c.AwaitHealthy(x)
		if i == n/2 {
			a.start()
		}
	}
	want := records
	whole := func(what string) {
		t.Helper()
		for _, name := range names {
			harness.Await(t, fmt.Sprintf("%s: %s has %d records", what, name, want), 5*time.Minute, func() bool { distinct, _ := y.counts(name); return distinct == want })
		}
	}
	whole("after the kills")
	for _, name := range names {
		_, all := y.counts(name)
		t.Logf("%s: %d records, %d with those that came again", name, records, all)
	}
	t.Logf("2 x %d records over pages of an API, with %d kills, after %s", records, n, time.Since(begin).Round(time.Second))

	t.Run("a server that is slow, away or busy is waited for", func(t *testing.T) {
		a.becomes(2500*time.Millisecond, 0, "") // more than http.client.read.timeout.millis alone, which headers have besides connecting
		a.add(500)
		want += 500
		whole("slow")
		a.becomes(time.Minute, 0, "")
		a.add(500)
		want += 500
		harness.Await(t, "an executor says that nothing came", time.Minute, func() bool {
			return c.Executors[0].Said("http.client.read.timeout.millis=2000")+c.Executors[1].Said("http.client.read.timeout.millis=2000") > 0
		})
		a.becomes(0, 503, "")
		harness.Await(t, "it has refused", time.Minute, func() bool { return a.refusals() >= 4 })
		a.becomes(0, 0, "")
		whole("after 503")
		a.becomes(0, 429, "5")
		harness.Await(t, "it has refused", time.Minute, func() bool { return a.refusals() >= len(names) })
		n, when := a.refusals(), time.Now()
		a.add(500)
		want += 500
		a.becomes(0, 0, "")
		whole("after 429")
		a.mu.Lock()
		waited := a.first.Sub(when)
		a.mu.Unlock()
		if n != len(names) || waited < 3*time.Second {
			t.Errorf("429 with Retry-After: 5 was given %d times, and the next request came %s after the last was noticed", n, waited)
		}
		a.stop()
		a.add(500)
		want += 500
		harness.Await(t, "an executor says that the server is away", time.Minute, func() bool {
			return c.Executors[0].Said("connection refused")+c.Executors[1].Said("connection refused") > 0
		})
		a.start()
		whole("after a restart")
		for _, name := range names {
			s, ok := c.Status(name)
			if !ok || len(s.Tasks) != 1 || s.Tasks[0].State != "RUNNING" {
				t.Errorf("%s: %+v", name, s)
			}
		}
	})

	t.Run("refused credentials fail the task, and the right ones have it run", func(t *testing.T) {
		config := a.source("cursor", map[string]string{"http.auth.password": "wrong-8080"})
		c.Put(t, "refused", config)
		var trace string
		harness.Await(t, "the task fails", time.Minute, func() bool {
			s, ok := c.Status("refused")
			if !ok || len(s.Tasks) != 1 || s.Tasks[0].State != "FAILED" {
				return false
			}
			trace = s.Tasks[0].Trace
			return true
		})
		for _, w := range []string{"401 Unauthorized", "http.auth.user and http.auth.password", "GET http://" + a.addr + "/items"} {
			if !strings.Contains(trace, w) {
				t.Errorf("%q is not in %s", w, trace)
			}
		}
		if strings.Contains(trace, "wrong-8080") {
			t.Errorf("the trace says the password: %s", trace)
		}
		config["http.auth.password"] = httpSecret
		c.Put(t, "refused", config)
		c.AwaitRunningInTheEnd(t, "refused", 1)
	})
	for _, x := range c.Executors {
		if n := x.Said(httpSecret) + x.Said("wrong-8080"); n > 0 {
			t.Errorf("%s has a password in %d lines of its log", x.Name, n)
		}
	}
}
