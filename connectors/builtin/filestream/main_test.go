package filestream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/internal/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testEnv() env {
	return env{clk: clock.Real(), stdin: newPump(bytes.NewReader(nil)), stdout: io.Discard}
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// odd has every kind of line: all terminators, empty lines, letters outside ASCII, bytes that are not
// UTF-8, lines longer than the buffer, and a last line without an end.
func odd() (text string, lines int) {
	var b bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	b.WriteString("\n\r\n\r\rdos\r\nmac\rénglish öder ελληνικά 🎈\nbad \xff\xfe bytes\n")
	b.Write(bytes.Repeat([]byte{'x'}, 3*bufferSize+17))
	b.WriteString("\nlast\nunfinished")
	return b.String(), 40 + 8 + 2
}

func TestSource_Conforms(t *testing.T) {
	text, n := odd()
	conformance.Run(t, testEnv().source(),
		conformance.Case{Name: "odd lines", Setup: func(tb testing.TB) conformance.Fixture {
			path := filepath.Join(tb.TempDir(), "in")
			write(tb, path, text)
			return conformance.Fixture{
				Config:  map[string]string{"name": "c", "file": path, "topic": "t"},
				Broken:  map[string]string{"name": "c", "file": path, "topic": ""},
				Records: n,
			}
		}},
		conformance.Case{Name: "small batches", Setup: func(tb testing.TB) conformance.Fixture {
			path := filepath.Join(tb.TempDir(), "in")
			write(tb, path, text)
			return conformance.Fixture{Config: map[string]string{"name": "c", "file": path, "topic": "t", "batch.size": "2"}, Records: n}
		}},
		conformance.Case{Name: "missing file", Setup: func(tb testing.TB) conformance.Fixture {
			return conformance.Fixture{Config: map[string]string{"name": "c", "file": filepath.Join(tb.TempDir(), "none"), "topic": "t"}}
		}},
		conformance.Case{Name: "dos lines", Setup: func(tb testing.TB) conformance.Fixture {
			path := filepath.Join(tb.TempDir(), "in")
			write(tb, path, "a\r\nb\n")
			return conformance.Fixture{Config: map[string]string{"name": "c", "file": path, "topic": "t"}, Records: 2}
		}},
	)
}

func TestStdinSource_Conforms(t *testing.T) {
	r, w := io.Pipe()
	e := testEnv()
	conformance.Run(t, connectorsOf(&e), conformance.Case{Name: "stdin", Setup: func(tb testing.TB) conformance.Fixture {
		r, w = io.Pipe()
		p := newPump(r)
		e.stdin = p
		var feed sync.WaitGroup
		feed.Go(func() { _, _ = io.WriteString(w, "one\ntwo\nthree\nunfinished") }) // fails where the check reads nothing
		tb.Cleanup(func() {
			_ = w.Close() // a pipe's Close cannot fail
			_ = r.Close()
			feed.Wait()
			if err := p.group.Stop(context.Background()); err != nil {
				tb.Error(err)
			}
		})
		return conformance.Fixture{Config: map[string]string{"name": "c", "topic": "t"}, Records: 3, NotResumable: true}
	}})
}

func TestSink_Conforms(t *testing.T) {
	conformance.Run(t, testEnv().sink(), conformance.Case{Name: "file", Setup: func(tb testing.TB) conformance.Fixture {
		dir := tb.TempDir()
		path := filepath.Join(dir, "out")
		return conformance.Fixture{
			Config: map[string]string{"name": "c", "file": path},
			Broken: map[string]string{"name": "c", "file": dir},
			Delivered: func(tb testing.TB) string {
				b, err := os.ReadFile(path)
				if err != nil {
					tb.Fatal(err)
				}
				return string(b)
			},
		}
	}})
}

func TestStdoutSink_Conforms(t *testing.T) {
	var out bytes.Buffer
	e := testEnv()
	e.stdout = &out
	conformance.Run(t, e.sink(), conformance.Case{Name: "stdout", Setup: func(testing.TB) conformance.Fixture {
		out.Reset()
		return conformance.Fixture{Config: map[string]string{"name": "c"}, Delivered: func(testing.TB) string { return out.String() }}
	}})
}

// await polls a condition until the deadline of a call.
func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), conformance.Deadline)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			tb.Fatalf("never happened: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
