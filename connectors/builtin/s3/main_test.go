package s3

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// fake is a store in this process.
type fake struct {
	backend *s3mem.Backend
	handler http.Handler
	server  *httptest.Server
	url     string
	// answer answers a request instead of the store, where it returns true.
	answer atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

const bucket = "test-bucket"

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{backend: s3mem.New()}
	if err := f.backend.CreateBucket(bucket); err != nil {
		tb.Fatal(err)
	}
	f.handler = gofakes3.New(f.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := f.answer.Load(); a != nil && (*a)(w, r) {
			return
		}
		f.handler.ServeHTTP(w, r)
	}))
	tb.Cleanup(server.Close)
	f.server, f.url = server, server.URL
	return f
}

func (f *fake) answers(a func(w http.ResponseWriter, r *http.Request) bool) {
	if a == nil {
		f.answer.Store(nil)
	} else {
		f.answer.Store(&a)
	}
}

// failure answers as S3 does.
func failure(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>as the test wants</Message></Error>")
	return true
}

// objects are all objects by their names.
func (f *fake) objects(tb testing.TB) map[string]string {
	tb.Helper()
	list, err := f.backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range list.Contents {
		o, err := f.backend.GetObject(bucket, c.Key, nil)
		if err != nil {
			tb.Fatal(err)
		}
		b, err := io.ReadAll(o.Contents)
		if err != nil {
			tb.Fatal(err)
		}
		out[c.Key] = string(b)
	}
	return out
}

// config is one for the fake, with what is to be added.
func (f *fake) config(extra map[string]string) map[string]string {
	out := map[string]string{"name": "s3", "s3.bucket.name": bucket, "s3.region": "us-east-1", "store.url": f.url, "aws.access.key.id": "id", "aws.secret.access.key": "secret",
		"format.class": jsonFormat, "flush.size": "3", "s3.part.retries": "0", "s3.retry.backoff.ms": "1", "retry.backoff.ms": "1"}
	maps.Copy(out, extra)
	return out
}

func TestSink_Conforms(t *testing.T) {
	var cases []conformance.Case
	structs := &data.Schema{Type: data.KindStruct, Fields: []data.Field{{Name: "text", Schema: data.StringSchema}}}
	for name, extra := range map[string]map[string]string{
		"json":     {"flush.size": "20"},
		"each":     {"flush.size": "1"},
		"by hour":  {"flush.size": "20", "partitioner.class": byHour, "timestamp.extractor": "Record", "timezone": "UTC", "locale": "en", "rotate.interval.ms": "1000"},
		"avro":     {"flush.size": "20", "format.class": avroFormat},
		"parquet":  {"flush.size": "20", "format.class": parquetFormat, "parquet.codec": "none"},
		"by bytes": {"flush.size": "1000", "sluice.s3.rotate.bytes": "29"},
	} {
		cases = append(cases, conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
			f := newFake(tb)
			fixture := conformance.Fixture{Config: f.config(extra), Broken: f.config(map[string]string{"s3.bucket.name": "nowhere"}), Delivered: func(tb testing.TB) string {
				return strings.Join(slices.Collect(maps.Values(f.objects(tb))), "\n")
			}}
			if extra["format.class"] != "" {
				fixture.Value = func(text []byte) (*data.Schema, data.Value) {
					st := data.NewStruct(structs)
					st.Set(0, data.StringOfBytes(text))
					return structs, data.StructOf(st)
				}
			}
			return fixture
		}})
	}
	conformance.Run(t, Plugins()[0], cases...)
}
