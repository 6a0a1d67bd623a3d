package filestream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/internal/clock"
)

// connectorsOf is the source over an env that changes between checks.
func connectorsOf(e *env) connectors.Plugin {
	p := e.source()
	p.NewSource = func() connectors.SourceConnector { return e.source().NewSource() }
	return p
}

func startSource(tb testing.TB, e env, tc connectors.SourceTaskContext, config map[string]string) connectors.SourceTask {
	tb.Helper()
	task := e.source().NewSource().NewTask()
	if err := task.Start(tb.Context(), tc, config); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := task.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return task
}

type line struct {
	Text string
	Pos  int64
}

// next polls until a Poll returns lines, or n polls returned none.
func next(tb testing.TB, task connectors.SourceTask, n int) []line {
	tb.Helper()
	b := connectors.NewSourceBatch(1000)
	for range n {
		if err := task.Poll(tb.Context(), b); err != nil {
			tb.Fatal(err)
		}
		if len(b.Records) > 0 {
			break
		}
	}
	var out []line
	for _, r := range b.Records {
		out = append(out, line{strings.Clone(r.Value.Str()), r.Offset.Value.Int()})
	}
	return out
}

func TestSource_PositionsAreBytesAfterTheLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "éé\nx\r\n\ry\n")
	got := next(t, startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t"}), 1)
	if d := cmp.Diff([]line{{"éé", 5}, {"x", 8}, {"", 9}, {"y", 11}}, got); d != "" {
		t.Error(d)
	}
}

func TestSource_RecordsAreKafkaConnects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "a\n")
	c := clock.NewFake(time.UnixMilli(1234))
	e := testEnv()
	e.clk = c
	task := startSource(t, e, &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t"})
	b := connectors.NewSourceBatch(10)
	if err := task.Poll(t.Context(), b); err != nil || len(b.Records) != 1 {
		t.Fatal(err, len(b.Records))
	}
	r := b.Records[0]
	if r.Topic != "t" || r.KafkaPartition != connectors.NoPartition || r.Timestamp != 1234 || r.KeySchema != nil || !r.Key.IsNull() || r.ValueSchema.Optional {
		t.Errorf("got %+v", r)
	}
	if d := cmp.Diff(map[string]any{"filename": path}, b.PartitionMap(r.Partition)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"position": int64(2)}, conformance.OffsetMap(r.Offset)); d != "" {
		t.Error(d)
	}
}

func TestSource_HoldsALineUntilItsEndComes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "one\ntw")
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t"})
	for _, step := range []struct {
		write string
		want  []line
	}{
		{"", []line{{"one", 4}}},
		{"o\r", nil}, // perhaps the first half of \r\n
		{"\n", []line{{"two", 9}}},
		{"three\r", nil},
		{"x", []line{{"three", 15}}},
		{"\n", []line{{"x", 17}}},
	} {
		write(t, path, step.write)
		if d := cmp.Diff(step.want, next(t, task, 1)); d != "" {
			t.Errorf("after %q: %s", step.write, d)
		}
	}
}

func TestSource_EmitsWhatABatchLeftOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "1\n2\n3\n4\n5\n")
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t", "batch.size": "2"})
	var sizes []int
	for range 3 {
		sizes = append(sizes, len(next(t, task, 1)))
	}
	if d := cmp.Diff([]int{2, 2, 1}, sizes); d != "" {
		t.Error(d)
	}
}

func TestSource_WaitsForAMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "late")
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t"})
	if got := next(t, task, 1); got != nil {
		t.Fatalf("got %v of a file that does not exist", got)
	}
	write(t, path, "now\n")
	if d := cmp.Diff([]line{{"now", 4}}, next(t, task, 3)); d != "" {
		t.Error(d)
	}
}

func TestSource_BoundsOnePollByBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, strings.Repeat(strings.Repeat("x", 1<<20)+"\n", 8))
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": path, "topic": "t"})
	if got := len(next(t, task, 1)); got != 4 {
		t.Errorf("one Poll returned %d MiB, want 4", got)
	}
}

func TestSource_RefusesOffsetsThatAreNotItsOwn(t *testing.T) {
	for _, bad := range []any{"12", int64(-1), 1.5} {
		tc := &conformance.SourceContext{}
		tc.Commit(map[string]any{"filename": "f"}, map[string]any{"position": bad})
		task := testEnv().source().NewSource().NewTask()
		if err := task.Start(t.Context(), tc, map[string]string{"file": "f", "topic": "t"}); !errors.Is(err, ErrPosition) {
			t.Errorf("the position %v gave %v, want ErrPosition", bad, err)
		}
	}
	tc := &conformance.SourceContext{}
	path := filepath.Join(t.TempDir(), "in")
	write(t, path, "a\nb\n")
	tc.Commit(map[string]any{"filename": path}, map[string]any{"position": 2.0})
	if d := cmp.Diff([]line{{"b", 4}}, next(t, startSource(t, testEnv(), tc, map[string]string{"file": path, "topic": "t"}), 1)); d != "" {
		t.Error(d)
	}
}

func TestSource_FailsForAFileThatCannotBeRead(t *testing.T) {
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": t.TempDir(), "topic": "t"})
	if err := task.Poll(t.Context(), connectors.NewSourceBatch(1)); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("got %v for a directory", err)
	}
}

func TestStdin_LeavesToTheNextTaskWhatTheLastDidNotTake(t *testing.T) {
	e := testEnv()
	e.stdin = newPump(bytes.NewReader([]byte("a\nb\n")))
	first := startSource(t, e, &conformance.SourceContext{}, map[string]string{"topic": "t"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.Poll(ctx, connectors.NewSourceBatch(10)); err != nil {
		t.Fatal(err)
	}
	second := startSource(t, e, &conformance.SourceContext{}, map[string]string{"topic": "t"})
	if d := cmp.Diff([]line{{"a", 0}, {"b", 0}}, next(t, second, 3)); d != "" {
		t.Error(d)
	}
	await(t, "the pump ends with its input", func() bool {
		_, open := <-e.stdin.chunks
		return !open
	})
	if err := e.stdin.group.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// javaLines is the specification: what Java's rules make of a text.
func javaLines(text []byte) (out []line) {
	start := 0
	for i := 0; i < len(text); i++ {
		end := i
		switch {
		case text[i] == '\r' && i+1 == len(text):
			return out
		case text[i] == '\r' && text[i+1] == '\n':
			i++
		case text[i] != '\r' && text[i] != '\n':
			continue
		}
		out = append(out, line{string(text[start:end]), int64(i + 1)})
		start = i + 1
	}
	return out
}

func TestLines_AreJavasHoweverTheyAreRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := []byte(rapid.StringOfN(rapid.RuneFrom([]rune("ab\r\n\n")), 0, 60, -1).Draw(rt, "text"))
		var l lines
		l.reset(0)
		l.buf = make([]byte, minRead+8) // compacts and grows
		var got []line
		for rest := text; ; {
			for {
				s, ok := l.next()
				if !ok {
					break
				}
				got = append(got, line{string(s), l.pos})
				if rapid.Bool().Draw(rt, "read early") {
					break
				}
			}
			if len(rest) == 0 {
				break
			}
			room, err := l.room()
			if err != nil {
				rt.Fatal(err)
			}
			n := copy(room, rest[:rapid.IntRange(1, len(rest)).Draw(rt, "read")])
			l.added(n)
			rest = rest[n:]
		}
		for s, ok := l.next(); ok; s, ok = l.next() {
			got = append(got, line{string(s), l.pos})
		}
		if d := cmp.Diff(javaLines(text), got); d != "" {
			rt.Fatal(d)
		}
	})
}

func TestLines_RefuseALineWithoutEnd(t *testing.T) {
	l := lines{buf: make([]byte, bufferSize), end: maxLine + 1}
	l.buf = make([]byte, maxLine+minRead/2)
	l.scan = l.end
	if _, err := l.room(); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("got %v, want ErrLineTooLong", err)
	}
}

// bigFile is lines of 100 bytes.
func bigFile(tb testing.TB, n int) string {
	path := filepath.Join(tb.TempDir(), "big")
	if err := os.WriteFile(path, bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), n), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestSource_AllocatesNothingPerLine(t *testing.T) {
	const polls, size = 50, 1000
	task := startSource(t, testEnv(), &conformance.SourceContext{}, map[string]string{"file": bigFile(t, (polls+10)*size), "topic": "t"})
	b := connectors.NewSourceBatch(size)
	poll := func() {
		b.Reset()
		if err := task.Poll(t.Context(), b); err != nil || len(b.Records) != size {
			t.Fatal(err, len(b.Records))
		}
	}
	for range 5 { // the batch grows to its size
		poll()
	}
	if n := testing.AllocsPerRun(polls, poll); n > 3 {
		t.Errorf("%v allocations in a Poll of %d lines", n, size)
	}
}

// A file of 100-byte lines in batches of 500 records; an operation is a record.
func BenchmarkFileStreamSourcePoll(b *testing.B) {
	config := map[string]string{"file": bigFile(b, 200_000), "topic": "t"}
	batch := connectors.NewSourceBatch(500)
	task := testEnv().source().NewSource().NewTask()
	ctx := b.Context()
	b.SetBytes(100)
	b.ReportAllocs()
	left := 0
	for n := 0; n < b.N; n += len(batch.Records) {
		if left == 0 {
			if err := errors.Join(task.Stop(ctx), task.Start(ctx, &conformance.SourceContext{}, config)); err != nil {
				b.Fatal(err)
			}
			left = 200_000
		}
		batch.Reset()
		if err := task.Poll(ctx, batch); err != nil {
			b.Fatal(err)
		}
		if len(batch.Records) == 0 {
			b.Fatal(fmt.Sprint("no records with ", left, " left"))
		}
		left -= len(batch.Records)
	}
	if err := task.Stop(ctx); err != nil {
		b.Fatal(err)
	}
}
