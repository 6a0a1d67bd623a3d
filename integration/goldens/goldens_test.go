//go:build integration

package goldens

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

const (
	root            = "../.."
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	limit           = 10 * time.Minute
)

func recordings(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SLUICE_GOLDENS")
	if dir == "" {
		t.Skip("SLUICE_GOLDENS is not set: no recorded answers to compare with")
	}
	return dir
}

// check replays the recordings, every one of which has to be answered as it was.
func check(ctx context.Context, t *testing.T, dir, rest string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "python3", filepath.Join(dir, "check.py"), "--base", rest, "--wait", "10").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func TestAnswersOfDev_AreThoseOfAKafkaConnectWorker(t *testing.T) {
	dir := recordings(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dev := exec.CommandContext(ctx, filepath.Join(harness.Binaries(t, root), "sluice"), "dev", "--data-dir", t.TempDir(), "--rest-listen", "127.0.0.1:0",
		"--grpc-listen", "127.0.0.1:0", "--offset.flush.interval.ms", "1000", "--key.converter", stringConverter, "--value.converter", stringConverter)
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dev.Process.Signal(syscall.SIGTERM)
		_ = dev.Wait() // whatever became of it
	})
	rest := ""
	lines := bufio.NewScanner(out)
	for rest == "" && lines.Scan() {
		for _, f := range strings.Fields(lines.Text()) {
			if v, ok := strings.CutPrefix(f, "rest="); ok && strings.HasPrefix(lines.Text(), "ready ") {
				rest = v
			}
		}
	}
	if rest == "" {
		t.Fatal("sluice dev has ended before it was ready")
	}
	go func() { // ends with the process
		for lines.Scan() {
		}
	}()
	check(ctx, t, dir, rest)
}

func TestAnswersOfProcesses_AreThoseOfAKafkaConnectWorker(t *testing.T) {
	dir := recordings(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cluster := harness.Start(t, harness.Options{Kafka: harness.StartKafka(t, root), Root: root, Executors: []string{"default", "default"}}, harness.Binaries(t, root))
	check(ctx, t, dir, cluster.REST(0))
}
