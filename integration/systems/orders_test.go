//go:build integration

package systems

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	ordersDir = "examples/orders"
	refused   = "shop.orders-refused"
)

// ordersStory is the story of examples/orders: what `make story` runs and prints. The files there are sent as they are.
type ordersStory struct {
	*harness.Cluster
	t      *testing.T
	shop   *harness.Database
	kafka  *harness.Kafka
	search *harness.OpenSearch
	store  *harness.S3
	bucket string
	python string
	told   []string
}

func TestOrders_FromATableToASearchIndexAndParquetFiles(t *testing.T) {
	s := beginOrders(t)
	s.table("table.sql")
	s.put("index.json", s.search.URL+"/orders")
	s.create("source.json")
	first := s.records("shop.orders", 500, offset)
	var value struct{ Payload map[string]any }
	if err := json.Unmarshal(first[0].Value, &value); err != nil {
		t.Fatal(err)
	}
	s.say("Kafka: topic shop.orders has %d records; the first: %s %s", len(first), first[0].Key, s.timeless(value.Payload))
	s.create("search.json")
	s.create("archive.json")
	s.arrived(495, 0)
	s.archived(5)
	s.letters(5)
	s.document("5")
	s.document("101")

	s.table("changes.sql") // readers see each order as it is now
	s.arrived(497, 98)
	s.archived(6)
	s.document("5")
	s.document("101")
	harness.Await(t, "all that search.json consumes is answered for", time.Minute, func() bool {
		code, text, err := harness.Call(http.MethodGet, s.REST(0)+"/connectors/orders-search/offsets", nil)
		return err == nil && code == 200 && strings.Contains(text, `"kafka_offset":600`)
	})
	if n := len(s.allLetters(5)); n != 5 {
		t.Errorf("%d orders are refused: a change was", n)
	}
	for _, r := range s.records("shop.orders", 600, offset) {
		if strings.Contains(string(r.Value), "@") {
			t.Errorf("an e-mail address is in Kafka: %s", r.Value)
		}
	}
	s.isWhatTheReadmeSays()
}

func beginOrders(t *testing.T) *ordersStory {
	t.Helper()
	python := harness.Python(t, "fastavro-1.13.1-pyarrow-26.0.1", "fastavro==1.13.1", "pyarrow==26.0.1", "cramjam==2.14.0") // the set that the S3 sink's test has
	s := &ordersStory{t: t, python: python, shop: harness.StartPostgres(t), kafka: harness.StartKafka(t, root), search: harness.StartOpenSearch(t, root), store: harness.StartS3(t)}
	s.bucket = s.store.Bucket(t, "orders-archive")
	for name, value := range map[string]string{"SHOP_URL": s.shop.JDBC, "SHOP_PASSWORD": harness.DatabasePassword, "SEARCH_URL": s.search.URL,
		"STORE_URL": s.store.URL, "AWS_ACCESS_KEY_ID": s.store.Key, "AWS_SECRET_ACCESS_KEY": s.store.Secret} {
		t.Setenv(name, value)
	}
	s.Cluster = harness.Start(t, harness.Options{Executors: []string{"default"}, Kafka: s.kafka, Root: root,
		ExecutorFlags: []string{"--config", filepath.Join(root, ordersDir, "worker.properties")}}, harness.Release(t, root))
	s.say("PostgreSQL, Kafka, OpenSearch, an S3 server and Sluice run.")
	return s
}

// say tells a part of the story, which the README has too.
func (s *ordersStory) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	s.told = append(s.told, line)
	fmt.Fprintln(s.t.Output(), line)
}

func (s *ordersStory) file(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(root, ordersDir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *ordersStory) table(name string) {
	s.t.Helper()
	s.say("\n$ psql -f %s/%s", ordersDir, name)
	s.shop.Exec(strings.Split(strings.TrimSuffix(strings.TrimSpace(s.file(name)), ";"), ";\n")...)
	s.say("PostgreSQL: %s", s.inTable())
}

// inTable is what the table comes to, in the words of read_parquet.py.
func (s *ordersStory) inTable() string {
	s.t.Helper()
	var all, shipped int
	var sum string
	if err := s.shop.SQL.QueryRowContext(s.t.Context(), "SELECT count(*), count(*) FILTER (WHERE status = 'shipped'), sum(amount)::text FROM orders").Scan(&all, &shipped, &sum); err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("%d orders, %d shipped, %s in all", all, shipped, sum)
}

// send sends a file as curl would.
func (s *ordersStory) send(method, name, url string, want int) {
	s.t.Helper()
	s.say("$ curl -X %s -H 'Content-Type: application/json' -d @%s/%s %s", method, ordersDir, name, url)
	if code, text, err := harness.Call(method, url, json.RawMessage(s.file(name))); err != nil || code != want {
		s.t.Fatalf("%d %s %v", code, text, err)
	}
}

func (s *ordersStory) put(name, url string) { s.t.Helper(); s.send(http.MethodPut, name, url, 200) }

func (s *ordersStory) create(name string) {
	s.t.Helper()
	s.send(http.MethodPost, name, s.REST(0)+"/connectors", 201)
	var connector struct{ Name string }
	if err := json.Unmarshal([]byte(s.file(name)), &connector); err != nil {
		s.t.Fatal(err)
	}
	s.AwaitRunning(s.t, connector.Name, 1)
}

// records are all of a topic, once n of them are there that are told apart by what which says.
func (s *ordersStory) records(topic string, n int, which func(*kgo.Record) int64) (out []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	seen, next, end := map[int64]*kgo.Record{}, int64(0), int64(0)
	for len(seen) < n || next < end {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%s has %d records, and not yet %d", topic, len(seen), n)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { end = p.HighWatermark })
		fetches.EachRecord(func(r *kgo.Record) { seen[which(r)], next = r, r.Offset+1 })
	}
	for _, at := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, seen[at])
	}
	return out
}

func offset(r *kgo.Record) int64 { return r.Offset }

// count is how many documents a query finds.
func (s *ordersStory) count(q string) (n int) {
	s.t.Helper()
	var answer struct{ Count int }
	s.search.Do(http.MethodPost, "/orders/_refresh", "", nil)
	s.search.Do(http.MethodGet, "/orders/_count?q="+q, "", &answer)
	return answer.Count
}

func (s *ordersStory) arrived(all, shipped int) {
	s.t.Helper()
	harness.Await(s.t, fmt.Sprintf("OpenSearch has %d orders, %d of them shipped", all, shipped), 2*time.Minute, func() bool { return s.count("*") >= all && s.count("status:shipped") >= shipped })
	s.say("\nOpenSearch: %d orders, %d shipped, %d due on 2026-12-15", s.count("*"), s.count("status:shipped"), s.count("delivery_day:2026-12-15"))
	if n := s.count("*"); n != all {
		s.t.Errorf("OpenSearch has %d orders, want %d", n, all)
	}
	if n := s.count("NOT+email:hidden"); n != 0 {
		s.t.Errorf("%d orders in OpenSearch have an e-mail address", n)
	}
}

// archived waits for the objects, and holds the newest version of each order in them against the table.
func (s *ordersStory) archived(files int) {
	s.t.Helper()
	harness.Await(s.t, fmt.Sprintf("the bucket has %d objects", files), 2*time.Minute, func() bool { return objects(s.bucket) >= files })
	rows, newest, _ := strings.Cut(strings.TrimSpace(harness.RunPython(s.t, s.python, filepath.Join(root, ordersDir, "read_parquet.py"))), "\n")
	s.say("S3: %s of Parquet; the newest of each: %s", rows, newest)
	if table := s.inTable(); newest != table {
		s.t.Errorf("the archive says %s, the table %s", newest, table)
	}
	if want := fmt.Sprintf("%d rows in %d files", files*100, files); rows != want {
		s.t.Errorf("the archive has %s, want %s", rows, want)
	}
}

// letter is what the headers of a record of the dead letter queue say.
func letter(r *kgo.Record) map[string]string {
	h := map[string]string{}
	for _, header := range r.Headers {
		h[strings.TrimPrefix(header.Key, "__connect.errors.")] = string(header.Value)
	}
	return h
}

// allLetters are those of the dead letter queue, n or more. One that comes again, as after a crash, is there once.
func (s *ordersStory) allLetters(n int) []*kgo.Record {
	s.t.Helper()
	return s.records(refused, n, func(r *kgo.Record) int64 {
		at, err := strconv.ParseInt(letter(r)["offset"], 10, 64)
		if err != nil {
			s.t.Fatalf("a letter without its offset: %v", r.Headers)
		}
		return at
	})
}

// letters shows the dead letter queue, with n letters.
func (s *ordersStory) letters(n int) {
	s.t.Helper()
	all := s.allLetters(n)
	s.say("Kafka: topic %s has %d letters", refused, len(all))
	for _, r := range all {
		s.say("  order %s, at %s: %s", r.Key, letter(r)["stage"], letter(r)["exception.message"])
	}
}

// document shows one.
func (s *ordersStory) document(id string) {
	s.t.Helper()
	var answer struct {
		Docs []struct {
			Found   bool
			Version int            `json:"_version"`
			Source  map[string]any `json:"_source"`
		}
	}
	s.search.Do(http.MethodPost, "/orders/_mget", fmt.Sprintf(`{"ids":[%q]}`, id), &answer)
	if d := answer.Docs[0]; d.Found {
		s.say("OpenSearch: order %s in version %d: %s", id, d.Version, s.timeless(d.Source))
	} else {
		s.say("OpenSearch: order %s is not there", id)
	}
}

// timeless is a row without the time at which the story was told.
func (s *ordersStory) timeless(row map[string]any) string {
	s.t.Helper()
	if row["updated_at"] == nil {
		s.t.Errorf("there is no updated_at in %v", row)
	}
	delete(row, "updated_at")
	out, err := json.Marshal(row)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(out)
}

// isWhatTheReadmeSays keeps the README's output true. Ports are any.
func (s *ordersStory) isWhatTheReadmeSays() {
	s.t.Helper()
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	if said := port.ReplaceAllString(strings.Join(s.told, "\n"), "HOST"); !strings.Contains(port.ReplaceAllString(s.file("README.md"), "HOST"), said) {
		s.t.Errorf("%s/README.md does not have what was printed: copy it there", ordersDir)
	}
}
