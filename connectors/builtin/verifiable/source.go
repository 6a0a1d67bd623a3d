package verifiable

import (
	"context"
	"fmt"
	"math"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/internal/pace"
	"github.com/sluice-project/sluice/connectors/data"
)

// Names in source partitions and offsets, as Kafka's connector has them.
const (
	idField    = "id"
	seqnoField = "seqno"
)

// maxLines bounds what one Poll makes: each record is printed before it is returned.
const maxLines = 1000

var completeSchema = &data.Schema{Type: data.KindStruct, Fields: []data.Field{
	{Name: "name", Schema: data.StringSchema}, {Name: "task", Schema: data.Int32Schema}, {Name: "topic", Schema: data.StringSchema},
	{Name: "time_ms", Schema: data.Int64Schema}, {Name: "seqno", Schema: data.Int64Schema},
}}

type sourceTask struct {
	env       env
	tc        connectors.SourceTaskContext
	name      string
	id        int32
	topic     string
	complete  bool
	silent    bool // throughput is 0
	pacer     *pace.Pacer
	partition map[string]any
	next      int64 // the number of the next record
	told      int64 // the first number that was not printed as committed
	prefix    []byte
	out       []byte

	batch *connectors.SourceBatch // whose ref is ref
	ref   connectors.PartitionRef
}

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := sourceDef().Parse(config)
	if err != nil {
		return err
	}
	if t.id, err = taskID(config); err != nil {
		return err
	}
	t.tc, t.name, t.topic = tc, config[nameKey], v.String(topicKey)
	t.complete, t.silent = v.Bool(completeKey), v.Long(throughputKey) == 0
	t.pacer = pace.New(t.env.clk, v.Long(throughputKey))
	t.partition, t.batch = map[string]any{idField: int64(t.id)}, nil
	t.prefix = appendField(appendString([]byte(`{"name":`), t.name), "task", int64(t.id))
	t.prefix = appendString(append(t.prefix, `,"topic":`...), t.topic)
	if t.next, err = t.committed(ctx); err != nil {
		return err
	}
	t.told = t.next
	tc.Logger().Info("verifiable source starts", "topic", t.topic, "seqno", t.next)
	return nil
}

// committed is the number after the committed one.
func (t *sourceTask) committed(ctx context.Context) (int64, error) {
	offsets, err := t.tc.Offsets(ctx, []map[string]any{t.partition})
	if err != nil {
		return 0, fmt.Errorf("verifiable: reading the committed offset: %w", err)
	}
	if len(offsets) == 0 || offsets[0] == nil {
		return 0, nil
	}
	n, ok := offsets[0][seqnoField].(int64)
	if !ok || n < 0 || n == math.MaxInt64 {
		return 0, fmt.Errorf("%w: %q is %v (%T): the number of a record would be right", ErrSeqno, seqnoField, offsets[0][seqnoField], offsets[0][seqnoField])
	}
	return n + 1, nil
}

func (t *sourceTask) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if t.silent {
		pace.Rest(ctx, t.env.clk)
		return nil
	}
	if t.batch != b {
		t.batch, t.ref = b, b.Partition(t.partition)
	}
	n := t.pacer.Take(ctx, min(b.Room(), maxLines))
	now := t.env.clk.Now().UnixMilli()
	t.out = t.out[:0]
	for range n {
		t.line(t.next, now, "}\n")
		r := b.Add()
		r.Topic, r.Partition = t.topic, t.ref
		r.Offset = connectors.SourceOffset{Key: seqnoField, Value: data.Int64(t.next)}
		r.KeySchema, r.Key = data.Int32Schema, data.Int32(t.id)
		r.ValueSchema, r.Value = data.Int64Schema, data.Int64(t.next)
		if t.complete {
			s := data.NewStruct(completeSchema)
			for i, v := range []data.Value{data.String(t.name), data.Int32(t.id), data.String(t.topic), data.Int64(now), data.Int64(t.next)} {
				s.Set(i, v)
			}
			r.ValueSchema, r.Value = completeSchema, data.StructOf(s)
		}
		t.next++
	}
	return t.print()
}

func (t *sourceTask) line(seqno, now int64, end string) {
	t.out = append(t.out, t.prefix...)
	t.out = appendField(t.out, "time_ms", now)
	t.out = append(appendField(t.out, seqnoField, seqno), end...)
}

func (t *sourceTask) print() error {
	if len(t.out) == 0 {
		return nil
	}
	if _, err := t.env.out.Write(t.out); err != nil {
		return fmt.Errorf("verifiable: printing records: %w", err)
	}
	return nil
}

// Commit prints what is committed, by what the offsets say: records after them may still be on the way.
func (t *sourceTask) Commit(ctx context.Context) error {
	end, err := t.committed(ctx)
	if err != nil {
		return err
	}
	now := t.env.clk.Now().UnixMilli()
	for end = min(end, t.next); t.told < end; {
		t.out = t.out[:0]
		for range min(end-t.told, maxLines) {
			t.line(t.told, now, ",\"committed\":true}\n")
			t.told++
		}
		if err := t.print(); err != nil {
			return err
		}
	}
	return nil
}

func (t *sourceTask) Stop(context.Context) error {
	t.batch = nil
	return nil
}
