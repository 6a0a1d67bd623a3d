package s3

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

// begin starts a task.
func begin(t *testing.T, p connectors.Plugin, tc connectors.SinkTaskContext, config map[string]string) connectors.SinkTask {
	t.Helper()
	sink := p.NewSink().NewTask()
	if err := sink.Start(t.Context(), tc, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func two() *conformance.SinkContext {
	return &conformance.SinkContext{Partitions: []connectors.TopicPartition{tp0, tp1}}
}

// texts are records with texts, from an offset on.
func texts(from int64, values ...string) *connectors.SinkBatch {
	b := &connectors.SinkBatch{}
	for i, v := range values {
		b.Records = append(b.Records, connectors.SinkRecord{Topic: "t", Offset: from + int64(i), Timestamp: 1_700_000_000_000, KeySchema: data.StringSchema, Key: data.String("k"),
			ValueSchema: data.StringSchema, Value: data.String(v)})
	}
	return b
}

func TestPut_FilesAreCutUploadedAndThenCommitted(t *testing.T) {
	f := newFake(t)
	sink := begin(t, Plugins()[0], two(), f.config(nil))
	if err := sink.Put(t.Context(), texts(10, "a", "b", "c", "d")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"topics/t/partition=0/t+0+0000000010.json": "\"a\"\n\"b\"\n\"c\"\n"}, f.objects(t)); d != "" {
		t.Error(d)
	}
	out, err := sink.(connectors.PreCommitter).PreCommit(t.Context(), map[connectors.TopicPartition]int64{tp0: 14})
	if d := cmp.Diff(map[connectors.TopicPartition]int64{tp0: 13}, out); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestPut_WhatComesAgainAfterARewindIsInOneObject(t *testing.T) {
	f := newFake(t)
	sink := begin(t, Plugins()[0], two(), f.config(nil))
	for _, b := range []*connectors.SinkBatch{texts(0, "a", "b"), texts(0, "a"), texts(1, "b", "c", "d"), texts(4, "e", "f")} {
		if err := sink.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(map[string]string{"topics/t/partition=0/t+0+0000000000.json": "\"a\"\n\"b\"\n\"c\"\n", "topics/t/partition=0/t+0+0000000003.json": "\"d\"\n\"e\"\n\"f\"\n"}, f.objects(t)); d != "" {
		t.Error(d)
	}
}

func TestPut_LargeFilesGoByPartsAndOutOfMemory(t *testing.T) {
	f := newFake(t)
	parts := 0
	f.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("partNumber") != "" {
			if n, _ := strconv.Atoi(r.Header.Get("Content-Length")); n > minPartSize {
				t.Errorf("a part of %d bytes", n)
			}
			parts++
		}
		return false
	})
	t.Setenv("TMPDIR", t.TempDir())
	sink := begin(t, Plugins()[0], two(), f.config(map[string]string{"flush.size": "1000", "s3.part.size": "5242880", "sluice.s3.buffer.bytes": "1048576"}))
	var want strings.Builder
	for i := range int64(100) {
		line := strings.Repeat(strconv.FormatInt(i, 10), 60_000)
		for range 10 {
			want.WriteString(`"` + line + "\"\n")
		}
		b := texts(i*10, line, line, line, line, line, line, line, line, line, line)
		if err := sink.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if held := sink.(*task).writers[tp0].held(); held > 1<<20+8<<20 {
			t.Fatalf("%d bytes are in memory", held)
		}
	}
	objects := f.objects(t)
	if len(objects) != 1 || objects["topics/t/partition=0/t+0+0000000000.json"] != want.String() {
		t.Errorf("%d objects", len(objects))
	}
	if parts < 20 {
		t.Errorf("%d parts", parts)
	}
}

func TestPut_TheStoresAnswersSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		class  connectors.ErrorClass
		words  []string
	}{
		{503, "SlowDown", connectors.TransientError, []string{"busy or away"}},
		{500, "InternalError", connectors.TransientError, nil},
		{429, "TooManyRequests", connectors.TransientError, nil},
		{403, "SignatureDoesNotMatch", connectors.AuthorisationError, []string{"aws.access.key.id and aws.secret.access.key"}},
		{403, "InvalidAccessKeyId", connectors.AuthorisationError, []string{"aws.access.key.id"}},
		{403, "AccessDenied", connectors.AuthorisationError, []string{"s3:PutObject", "s3.bucket.name"}},
		{404, "NoSuchBucket", connectors.ConfigError, []string{"s3.bucket.name", bucket}},
		{301, "PermanentRedirect", connectors.ConfigError, []string{"s3.region"}},
		{400, "AuthorizationHeaderMalformed", connectors.ConfigError, []string{"s3.region"}},
	} {
		t.Run(c.code, func(t *testing.T) {
			f := newFake(t)
			tc := two()
			sink := begin(t, Plugins()[0], tc, f.config(map[string]string{"retry.backoff.ms": "77", "s3.part.retries": "1"}))
			tries := 0
			f.answers(func(w http.ResponseWriter, r *http.Request) bool {
				tries++
				return failure(w, c.status, c.code)
			})
			err := sink.Put(t.Context(), texts(0, "a", "b", "c"))
			if class, _ := connectors.ClassOf(err); err == nil || class != c.class || connectors.IsRetriable(err) != (c.class == connectors.TransientError) {
				t.Fatalf("%v is %v", err, class)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\"secret\"") || strings.Contains(err.Error(), "=secret") {
				t.Error("it says the secret")
			}
			if c.class != connectors.TransientError {
				return
			}
			if tries != 2 || tc.Backoff != 77*time.Millisecond {
				t.Errorf("%d tries, then again after %v", tries, tc.Backoff)
			}
			if out, err := sink.(connectors.PreCommitter).PreCommit(t.Context(), map[connectors.TopicPartition]int64{tp0: 3}); err != nil || len(out) != 0 {
				t.Error(out, err)
			}
			f.answers(nil)
			if err := sink.Put(t.Context(), texts(0, "a", "b", "c")); err != nil || len(f.objects(t)) != 1 {
				t.Error(err, f.objects(t))
			}
		})
	}
}

// The store has completed a multipart upload, and its answer is lost: another try finds the upload gone and the object there.
func TestPut_ALostAnswerToTheEndOfAnUploadIsNoLoss(t *testing.T) {
	for _, completed := range []bool{true, false} {
		f := newFake(t)
		sink := begin(t, Plugins()[0], two(), f.config(map[string]string{"s3.part.size": "5242880"}))
		lost := false
		f.answers(func(w http.ResponseWriter, r *http.Request) bool {
			if lost || r.Method != http.MethodPost || r.URL.Query().Get("uploadId") == "" {
				return false
			}
			lost = true
			if completed {
				f.handler.ServeHTTP(httptest.NewRecorder(), r)
			}
			return failure(w, 500, "InternalError")
		})
		b := texts(0, strings.Repeat("x", 6<<20), "b", "c")
		if err := sink.Put(t.Context(), b); !connectors.IsRetriable(err) || !lost {
			t.Fatal(err)
		}
		if err := sink.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if o := f.objects(t)["topics/t/partition=0/t+0+0000000000.json"]; len(o) != 6<<20+3+8 {
			t.Errorf("%d bytes", len(o))
		}
	}
}

func TestStart_SaysWhatIsWrongAndWaitsForAStoreThatIsAway(t *testing.T) {
	f := newFake(t)
	start := func(extra map[string]string) error {
		sink := Plugins()[0].NewSink().NewTask()
		err := sink.Start(t.Context(), two(), f.config(extra))
		return errors.Join(err, sink.Stop(t.Context()))
	}
	err := start(map[string]string{"s3.bucket.name": "not-there"})
	if class, _ := connectors.ClassOf(err); class != connectors.ConfigError || !strings.Contains(err.Error(), "not-there") {
		t.Errorf("%v is %v", err, class)
	}
	if err := start(map[string]string{"store.url": "http://127.0.0.1:1"}); err != nil {
		t.Error(err)
	}
	f.answers(func(w http.ResponseWriter, r *http.Request) bool { return failure(w, 403, "SignatureDoesNotMatch") })
	if class, _ := connectors.ClassOf(start(nil)); class != connectors.AuthorisationError {
		t.Error(class)
	}
	f.answers(func(w http.ResponseWriter, r *http.Request) bool { return failure(w, 403, "AccessDenied") }) // may not list: may put
	if err := start(nil); err != nil {
		t.Error(err)
	}
}

// reporting is a context with a dead letter queue.
type reporting struct {
	*conformance.SinkContext
	reported []string
}

func (r *reporting) Reporter() connectors.ErrantRecordReporter { return r }

func (r *reporting) Report(_ context.Context, rec *connectors.SinkRecord, cause error) (*connectors.Reported, error) {
	r.reported = append(r.reported, strconv.FormatInt(rec.Offset, 10)+": "+cause.Error())
	return connectors.NewReported(), nil
}

func TestPut_RecordsThatFitNoFileAreReportedAndTheOthersArrive(t *testing.T) {
	f := newFake(t)
	tc := &reporting{SinkContext: two()}
	sink := begin(t, Plugins()[0], tc, f.config(map[string]string{"format.class": byteArrayFormat, "behavior.on.null.values": "ignore"}))
	b := &connectors.SinkBatch{Records: []connectors.SinkRecord{
		{Topic: "t", Offset: 0, Value: data.Bytes([]byte("a"))}, {Topic: "t", Offset: 1, Value: data.String("no bytes")}, {Topic: "t", Offset: 2},
		{Topic: "t", Offset: 3, Value: data.Bytes([]byte("b"))}, {Topic: "t", Offset: 4, Value: data.Bytes([]byte("c"))}}}
	if err := sink.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"topics/t/partition=0/t+0+0000000000.bin": "a\nb\nc\n"}, f.objects(t)); d != "" {
		t.Error(d)
	}
	if len(tc.reported) != 2 || !strings.Contains(tc.reported[0], "1: ") || !strings.Contains(tc.reported[1], "2: ") {
		t.Error(tc.reported)
	}
}

func TestPut_WithoutADeadLetterQueueABadRecordFailsTheTaskAsData(t *testing.T) {
	f := newFake(t)
	for name, r := range map[string]connectors.SinkRecord{"null": {Topic: "t", Offset: 9}, "bytes": {Topic: "t", Offset: 9, Value: data.String("x")}} {
		err := begin(t, Plugins()[0], two(), f.config(map[string]string{"format.class": byteArrayFormat})).Put(t.Context(), &connectors.SinkBatch{Records: []connectors.SinkRecord{r}})
		if class, _ := connectors.ClassOf(err); class != connectors.DataError || !strings.Contains(err.Error(), "offset 9") {
			t.Errorf("%s: %v is %v", name, err, class)
		}
	}
}

func TestPut_RefusesTopicsThatATransformMade(t *testing.T) {
	f := newFake(t)
	b := texts(0, "a")
	b.Records[0].Topic = "other"
	if err := begin(t, Plugins()[0], two(), f.config(nil)).Put(t.Context(), b); !errors.Is(err, ErrMoved) {
		t.Error(err)
	}
}

func TestClose_GivesUpWhatIsOpenAndWhoComesNextHasIt(t *testing.T) {
	f := newFake(t)
	sink := begin(t, Plugins()[0], two(), f.config(nil))
	if err := sink.Put(t.Context(), texts(0, "a", "b")); err != nil {
		t.Fatal(err)
	}
	if err := sink.(connectors.PartitionListener).Close(t.Context(), []connectors.TopicPartition{tp0}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Put(t.Context(), texts(0, "a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	if n := len(f.objects(t)); n != 1 {
		t.Error(n)
	}
}

func TestAiven_FilesAreCutWhenOffsetsAreCommitted(t *testing.T) {
	f := newFake(t)
	config := map[string]string{"name": "a", "aws.s3.bucket.name": bucket, "aws.s3.endpoint": f.url, "aws.access.key.id": "id", "aws.secret.access.key": "secret",
		"file.compression.type": "none", "format.output.type": "jsonl", "format.output.fields": "key,value,offset", "aws.s3.prefix": "pre/",
		"file.name.template": "{{timestamp:unit=yyyy}}/{{topic}}-{{partition:padding=true}}-{{start_offset}}", "file.name.timestamp.source": "event"}
	sink := begin(t, aiven(clock.Real()), two(), config)
	if err := sink.Put(t.Context(), texts(3, "a", "b")); err != nil {
		t.Fatal(err)
	}
	out, err := sink.(connectors.PreCommitter).PreCommit(t.Context(), map[connectors.TopicPartition]int64{tp0: 5})
	if err != nil || out[tp0] != 5 {
		t.Error(out, err)
	}
	want := map[string]string{"pre/2023/t-0000000000-3": `{"key":"k","value":"a","offset":3}` + "\n" + `{"key":"k","value":"b","offset":4}` + "\n"}
	if d := cmp.Diff(want, f.objects(t)); d != "" {
		t.Error(d)
	}
}

func TestAiven_Conforms(t *testing.T) {
	conformance.Run(t, aiven(clock.Real()), conformance.Case{Name: "csv", Setup: func(tb testing.TB) conformance.Fixture {
		f := newFake(tb)
		config := map[string]string{"name": "a", "aws.s3.bucket.name": bucket, "aws.s3.endpoint": f.url, "aws.access.key.id": "id", "aws.secret.access.key": "secret",
			"file.compression.type": "none", "format.output.fields.value.encoding": "none"}
		return conformance.Fixture{Config: config, Delivered: func(tb testing.TB) string {
			var all strings.Builder
			for _, o := range f.objects(tb) {
				all.WriteString(o)
			}
			return all.String()
		}}
	}})
}
