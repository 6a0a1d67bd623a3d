//go:build linux && !asan

package kafkaio_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// native is the process's resident memory that is no file's, less what Go has of it, in MiB.
func native(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return (kib<<10 - int64(m.Sys-m.HeapReleased)) >> 20 //nolint:gosec // a size
}

// alone says that this process is there for TestMemory only: what other tests leave behind would be measured, too.
const alone = "KAFKAIO_MEMORY_ALONE"

func TestMemory_OfClientsThatAreClosedIsGivenBack(t *testing.T) {
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Fatal(err)
		}
		return
	}
	_, client := cluster(t, kfake.SyntheticFetch(kfake.SyntheticBatch{}), kfake.SeedTopics(1, "a"), kfake.BlackholeProduce())
	msgs := make([]kafkaio.Message, 500)
	for i := range msgs {
		msgs[i] = kafkaio.Message{Topic: "a", Value: make([]byte, 100), Timestamp: -1}
	}
	ctx := context.Background()
	life := func() {
		p := producer(t, kafkaio.ProducerConfig{Client: client})
		for range 100 {
			if _, err := p.Produce(msgs); err != nil {
				t.Fatal(err)
			}
		}
		c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
		var b kafkaio.Batch
		for n := 0; n < 10_000; n += len(b.Records) {
			if err := c.Poll(ctx, time.Second, &b); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// settled is the memory once it is under a limit, or after a while: what is free is given back a second later.
	settled := func(under int64, wait time.Duration) (got int64) {
		for end := time.After(wait); ; {
			if got = native(t); got <= under {
				return got
			}
			select {
			case <-end:
				return got
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	life()
	life() // what the process needs once is there
	first := settled(0, 2*time.Second)
	for range 24 {
		life()
	}
	// Measured: up to 3 MiB more, some more with the race detector, whose own memory counts; 50 where nothing is done about it.
	if last := settled(first+30, 10*time.Second); last > first+30 {
		t.Errorf("%d MiB after two lives, %d MiB after 26", first, last)
	} else {
		t.Logf("%d MiB after two lives, %d MiB after 26", first, last)
	}
}
