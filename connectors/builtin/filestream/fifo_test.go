//go:build unix

package filestream

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sluice-project/sluice/connectors/conformance"
)

func TestPipeSource_ConformsAndNeverBlocks(t *testing.T) {
	for name, text := range map[string]string{"with lines": "a\nb\nunfinished", "silent": ""} {
		conformance.Run(t, testEnv().source(), conformance.Case{Name: name, Setup: func(tb testing.TB) conformance.Fixture {
			path := filepath.Join(tb.TempDir(), "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				tb.Fatal(err)
			}
			f := conformance.Fixture{Config: map[string]string{"name": "c", "file": path, "topic": "t"}, NotResumable: true}
			if text == "" {
				return f // not even a writer
			}
			w, err := os.OpenFile(path, os.O_RDWR, 0) // does not wait for a reader
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() {
				if err := w.Close(); err != nil {
					tb.Error(err)
				}
			})
			if _, err := w.WriteString(text); err != nil {
				tb.Fatal(err)
			}
			f.Records = 2
			return f
		}})
	}
}
