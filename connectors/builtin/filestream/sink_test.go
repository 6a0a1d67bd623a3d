package filestream

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/connectors/data"
)

func startSink(tb testing.TB, e env, config map[string]string) connectors.SinkTask {
	tb.Helper()
	task := e.sink().NewSink().NewTask()
	if err := task.Start(tb.Context(), &conformance.SinkContext{}, config); err != nil {
		tb.Fatal(err)
	}
	return task
}

func TestSink_WritesValuesAsJavaPrintsThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	write(t, path, "before\n")
	task := startSink(t, testEnv(), map[string]string{"file": path})
	b := &connectors.SinkBatch{}
	for _, v := range []data.Value{data.String("text"), data.Null(), data.Int32(-7), data.Bool(true), data.Float64(1), data.Float64(1e10), data.Array([]data.Value{data.Int8(1), data.Null()})} {
		b.Records = append(b.Records, connectors.SinkRecord{Value: v})
	}
	if err := task.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path) // nothing was flushed
	if err := errors.Join(err, task.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("before\ntext\nnull\n-7\ntrue\n1.0\n1.0E10\n[1, null]\n", string(got)); d != "" {
		t.Error(d)
	}
}

// disk is a full disk: it takes so many bytes more.
type disk struct {
	got  strings.Builder
	room int
}

var errFull = errors.New("full")

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.got.Write(p[:n])
	d.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestSink_GoesOnWhereAFailedWriteStopped(t *testing.T) {
	d := &disk{room: 3}
	e := testEnv()
	e.stdout = d
	task := startSink(t, e, map[string]string{})
	if err := task.Put(t.Context(), &connectors.SinkBatch{Records: []connectors.SinkRecord{{Value: data.String("abcdef")}}}); err != nil {
		t.Fatal(err)
	}
	flush := task.(connectors.Flusher).Flush
	if err := flush(t.Context(), nil); !errors.Is(err, errFull) {
		t.Fatalf("got %v, want the disk's error", err)
	}
	d.room = 100
	if err := flush(t.Context(), nil); err != nil || d.got.String() != "abcdef\n" {
		t.Errorf("got %v and %q", err, d.got.String())
	}
	if err := task.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// wholeLines fails for a write that does not end with a line.
type wholeLines struct{ t *testing.T }

func (w wholeLines) Write(p []byte) (int, error) {
	if p[len(p)-1] != '\n' || p[0] != '<' {
		w.t.Errorf("a write of %d bytes tears a line", len(p))
	}
	return len(p), nil
}

func TestSink_WritesWholeLines(t *testing.T) {
	e := testEnv()
	e.stdout = wholeLines{t}
	task := startSink(t, e, map[string]string{})
	b := &connectors.SinkBatch{}
	for i := range 5000 {
		b.Records = append(b.Records, connectors.SinkRecord{Value: data.String("<" + strings.Repeat("x", i%200) + ">")})
	}
	if err := errors.Join(task.Put(t.Context(), b), task.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// Values of 100 bytes in batches of 500 records, to a file; an operation is a record.
func BenchmarkFileStreamSinkPut(b *testing.B) {
	path := filepath.Join(b.TempDir(), "out")
	task := startSink(b, testEnv(), map[string]string{"file": path})
	batch := &connectors.SinkBatch{}
	for range 500 {
		batch.Records = append(batch.Records, connectors.SinkRecord{ValueSchema: data.StringSchema, Value: data.String(strings.Repeat("x", 100))})
	}
	b.SetBytes(101)
	b.ReportAllocs()
	written := 0
	for n := 0; n < b.N; n += len(batch.Records) {
		if err := task.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if written += 101 * len(batch.Records); written > 64<<20 { // spare the disk
			written = 0
			if err := os.Truncate(path, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := task.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}
