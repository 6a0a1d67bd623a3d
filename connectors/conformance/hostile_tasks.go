package conformance

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

type hostileSourceTask struct {
	h         *Hostile
	trap      trap
	topic     string
	partition map[string]any
	next, end int64
}

func (t *hostileSourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	t.trap.set(t.h, config)
	nonsense, err := t.trap.spring("taskstart")
	if err != nil {
		return err
	}
	if nonsense {
		_, err := tc.Offsets(ctx, []map[string]any{nil, {"x": make(chan int)}})
		return err
	}
	v, err := hostileDef().Parse(config)
	if err != nil {
		return err
	}
	t.topic, t.end = v.String(TopicKey), v.Long(RecordsKey)
	t.partition = map[string]any{"task": config[taskIDKey]}
	offsets, err := tc.Offsets(ctx, []map[string]any{t.partition})
	if err != nil {
		return err
	}
	if n, ok := offsets[0]["n"].(int64); ok {
		t.next = n + 1
	}
	return nil
}

func (t *hostileSourceTask) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	nonsense, err := t.trap.spring("poll")
	if err != nil {
		return err
	}
	if nonsense {
		t.nonsense(b)
		return nil
	}
	if t.next >= t.end {
		<-ctx.Done()
		return nil
	}
	t.add(b)
	return nil
}

func (t *hostileSourceTask) add(b *connectors.SourceBatch) *connectors.SourceRecord {
	r := b.Add()
	r.Topic, r.Partition = t.topic, b.Partition(t.partition)
	r.Offset = connectors.SourceOffset{Key: "n", Value: data.Int64(t.next)}
	r.ValueSchema, r.Value = data.StringSchema, data.String(strconv.FormatInt(t.next, 10))
	t.next++
	return r
}

// nonsense adds records that are wrong in the ways of PollNonsense.
func (t *hostileSourceTask) nonsense(b *connectors.SourceBatch) {
	variants := PollNonsense
	if t.trap.variant != "" {
		variants = []string{t.trap.variant}
	}
	for _, v := range variants {
		switch v {
		case "topic":
			t.add(b).Topic = ""
		case "ref":
			t.add(b).Partition = math.MaxUint32
		case "offset":
			t.add(b).Offset = connectors.SourceOffset{Value: data.Array([]data.Value{data.Float64(math.NaN())})}
		case "schema":
			t.add(b).ValueSchema = data.Int32Schema
		case "timestamp":
			t.add(b).Timestamp = math.MinInt64
		case "partition":
			t.add(b).KafkaPartition = math.MinInt32
		case "room":
			for range b.Room() + 10 {
				t.add(b)
			}
		case "records":
			t.add(b)
			b.Records = append(b.Records[:0:0], connectors.SourceRecord{}, connectors.SourceRecord{})
		case "encoding":
			t.add(b).Value = data.String("\xff\xfe\x00")
		}
	}
}

// Commit implements connectors.SourceCommitter.
func (t *hostileSourceTask) Commit(context.Context) error {
	nonsense, err := t.trap.spring("commit")
	if nonsense {
		return notCanceled("commit")
	}
	return err
}

func (t *hostileSourceTask) Stop(context.Context) error {
	nonsense, err := t.trap.spring("taskstop")
	if nonsense {
		return notCanceled("taskstop")
	}
	return err
}

// hostileSinkTask is what both sinks' tasks have.
type hostileSinkTask struct {
	h    *Hostile
	trap trap
	tc   connectors.SinkTaskContext
}

var nowhere = connectors.TopicPartition{Topic: "no-such-topic", Partition: -7}

// lie asks the runtime for what makes no sense.
func (t *hostileSinkTask) lie() {
	t.tc.Seek(nowhere, -5)
	t.tc.Pause(nowhere)
	t.tc.Resume(nowhere, nowhere)
	t.tc.Retry(-time.Hour)
	for range 1000 {
		t.tc.RequestCommit()
	}
}

func (t *hostileSinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	t.tc = tc
	t.trap.set(t.h, config)
	nonsense, err := t.trap.spring("taskstart")
	if nonsense {
		t.lie()
	}
	return err
}

func (t *hostileSinkTask) Put(_ context.Context, b *connectors.SinkBatch) error {
	if len(b.Records) == 0 {
		return nil // so that "after" counts batches that matter
	}
	nonsense, err := t.trap.spring("put")
	if nonsense {
		t.lie()
		for i := range b.Records {
			b.Records[i] = connectors.SinkRecord{Topic: nowhere.Topic, Partition: nowhere.Partition, Offset: math.MaxInt64}
		}
		b.Records = nil
		return connectors.Retriable(fmt.Errorf("hostile: put: the batch is gone"))
	}
	return err
}

// Open implements connectors.PartitionListener.
func (t *hostileSinkTask) Open(context.Context, []connectors.TopicPartition) error {
	return t.listen("open")
}

// Close implements connectors.PartitionListener.
func (t *hostileSinkTask) Close(context.Context, []connectors.TopicPartition) error {
	return t.listen("close")
}

func (t *hostileSinkTask) listen(method string) error {
	nonsense, err := t.trap.spring(method)
	if nonsense {
		t.lie()
	}
	return err
}

func (t *hostileSinkTask) Stop(context.Context) error {
	nonsense, err := t.trap.spring("taskstop")
	if nonsense {
		return notCanceled("taskstop")
	}
	return err
}

type hostilePreCommitTask struct{ hostileSinkTask }

// PreCommit implements connectors.PreCommitter.
func (t *hostilePreCommitTask) PreCommit(_ context.Context, offsets map[connectors.TopicPartition]int64) (map[connectors.TopicPartition]int64, error) {
	nonsense, err := t.trap.spring("precommit")
	if err != nil {
		return nil, err
	}
	if nonsense {
		for tp, o := range offsets {
			offsets[tp] = o + 1_000_000
		}
		offsets[nowhere] = -1
	}
	return offsets, nil
}

type hostileFlushTask struct{ hostileSinkTask }

// Flush implements connectors.Flusher.
func (t *hostileFlushTask) Flush(_ context.Context, offsets map[connectors.TopicPartition]int64) error {
	nonsense, err := t.trap.spring("flush")
	if nonsense { // the map is the caller's
		for tp := range offsets {
			offsets[tp] += 1_000_000
		}
		offsets[nowhere] = -1
	}
	return err
}
