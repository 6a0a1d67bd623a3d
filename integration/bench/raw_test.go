//go:build integration

package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// buildRaw builds raw/raw.c against the librdkafka that confluent-kafka-go brings.
func (b *bench) buildRaw() string {
	b.t.Helper()
	harness.Need(b.t, "cc", "a C compiler", "gcc libc6-dev")
	out, err := exec.CommandContext(b.t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/confluentinc/confluent-kafka-go/v2").Output()
	b.must(err)
	lib := filepath.Join(strings.TrimSpace(string(out)), "kafka", "librdkafka_vendor")
	program := filepath.Join(b.dir, "raw")
	cc := exec.CommandContext(b.t.Context(), "cc", "-O2", "-o", program, "raw/raw.c", "-I"+lib, filepath.Join(lib, "librdkafka_glibc_linux_"+runtime.GOARCH+".a"), "-lm", "-ldl", "-lpthread", "-lrt") //nolint:gosec // the bench's own program
	if text, err := cc.CombinedOutput(); err != nil {
		b.t.Fatalf("building raw/raw.c: %v\n%s", err, text)
	}
	return program
}

// rawSettings are librdkafka's for the same as both sides are given: what the executor has by itself, and Tuning.
var rawSettings = map[string][]string{
	Source: {"acks=all", "enable.idempotence=false", "max.in.flight=1", "queue.buffering.max.messages=1000000", "batch.size=262144", "linger.ms=20", "queue.buffering.max.kbytes=65536"},
	Sink: {"group.id=raw", "enable.auto.commit=false", "enable.auto.offset.store=false", "check.crcs=true", "isolation.level=read_uncommitted", "queued.max.messages.kbytes=16384", "queued.min.messages=10000", "fetch.queue.backoff.ms=20",
		"fetch.min.bytes=100000", "max.partition.fetch.bytes=4194304"},
}

// rawRound has librdkafka do the job once.
func (b *bench) rawRound(s *side, name string) map[metric]float64 {
	b.t.Helper()
	args := []string{"consume", b.topic, fmt.Sprint(b.job.Records)}
	w := &work{}
	if b.job.Direction == Source {
		w = b.work(s, name)
		args = []string{"produce", w.topics[0], w.configs[0]["file"]}
	}
	args = append(append(args, "bootstrap.servers="+b.kafka.Addr), rawSettings[b.job.Direction]...)
	began := time.Now()
	out, err := exec.CommandContext(b.t.Context(), b.raw, args...).Output()
	b.must(err)
	var n int
	var took, used float64
	if _, err := fmt.Sscan(string(out), &n, &took, &used); err != nil || n != b.job.Records {
		b.t.Fatalf("librdkafka alone says %q: %d records were right", out, b.job.Records)
	}
	if b.job.Direction == Source {
		b.check(Raw, w)
	}
	return map[metric]float64{seconds: time.Since(began).Seconds(), rate: float64(n) / took, micros: used / float64(n)}
}
