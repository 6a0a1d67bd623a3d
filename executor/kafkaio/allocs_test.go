package kafkaio_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// perRecord is how many allocations f makes for each of the records whose number it returns. The broker runs in this
// process too, and has a few for each request.
func perRecord(f func() int) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := f()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func TestBatches_AllocateNothingPerRecord(t *testing.T) {
	const records, most = 100_000, 0.2
	_, client := cluster(t, kfake.SyntheticFetch(kfake.SyntheticBatch{}), kfake.SeedTopics(1, "a"), kfake.BlackholeProduce())
	ctx := limited(t)
	p := producer(t, kafkaio.ProducerConfig{Client: client})
	for name, m := range map[string]kafkaio.Message{
		"plain":        {Topic: "a", Value: make([]byte, 100), Timestamp: -1},
		"with headers": {Topic: "a", Key: []byte("k"), Value: make([]byte, 100), Timestamp: 7, Headers: []kafkaio.Header{{Key: "h", Value: []byte("v")}}},
	} {
		msgs, buf := make([]kafkaio.Message, 500), make([]kafkaio.Report, 2000)
		for i := range msgs {
			msgs[i] = m
		}
		produce := func() int {
			for left := records; (left > 0 || p.Outstanding() > 0) && ctx.Err() == nil; {
				if left > 0 && p.Outstanding() < 20_000 {
					n, _ := p.Produce(msgs[:min(left, len(msgs))])
					left -= n
				} else if _, err := p.Reports(ctx, time.Second, buf); err != nil {
					t.Fatal(err)
				}
			}
			return records
		}
		produce()
		if n := perRecord(produce); n > most || ctx.Err() != nil {
			t.Errorf("producing, %s: %.3f allocations a record (%v)", name, n, ctx.Err())
		}
	}
	c := consumer(t, kafkaio.ConsumerConfig{Client: client, Group: "g", Topics: []string{"a"}})
	var b kafkaio.Batch
	consume := func() (n int) {
		for n < records && ctx.Err() == nil {
			if err := c.Poll(context.Background(), time.Second, &b); err != nil {
				t.Fatal(err)
			}
			n += len(b.Records)
		}
		return n
	}
	consume()
	if n := perRecord(consume); n > most || ctx.Err() != nil {
		t.Errorf("consuming: %.3f allocations a record (%v)", n, ctx.Err())
	}
}
