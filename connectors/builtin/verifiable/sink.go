package verifiable

import (
	"bytes"
	"context"
	"fmt"

	"github.com/sluice-project/sluice/connectors"
)

// maxUnflushed is how much may wait for a flush before the task asks for one, in bytes.
const maxUnflushed = 8 << 20

type sinkTask struct {
	env       env
	tc        connectors.SinkTaskContext
	prefix    []byte
	id        int32
	unflushed []byte // the lines so far, without time and end, each with a \n
	out       []byte
}

func (t *sinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	id, err := taskID(config)
	if err != nil {
		return err
	}
	t.tc, t.id = tc, id
	t.prefix = append(appendString([]byte(`{"name":`), config[nameKey]), `,"task":`...)
	return nil
}

// Put prints a line for each record.
func (t *sinkTask) Put(_ context.Context, b *connectors.SinkBatch) error {
	now := t.env.clk.Now().UnixMilli()
	from := len(t.unflushed)
	for i := range b.Records {
		r := &b.Records[i]
		p := appendValue(append(t.unflushed, t.prefix...), r.Key)
		p = appendField(p, "sinkTask", int64(t.id))
		p = appendString(append(p, `,"topic":`...), r.Topic)
		p = appendValue(append(p, `,"seqno":`...), r.Value)
		p = appendField(p, "offset", r.Offset)
		t.unflushed = append(p, '\n') // JSON has no raw \n
	}
	if len(t.unflushed) > maxUnflushed {
		t.tc.RequestCommit()
	}
	return t.print(t.unflushed[from:], now, "}\n")
}

// Flush prints the lines since the last flush again, as flushed.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if err := t.print(t.unflushed, t.env.clk.Now().UnixMilli(), ",\"flushed\":true}\n"); err != nil {
		return err
	}
	t.unflushed = t.unflushed[:0]
	return nil
}

func (t *sinkTask) print(lines []byte, now int64, end string) error {
	t.out = t.out[:0]
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte{'\n'})
		t.out = append(appendField(append(t.out, line...), "time_ms", now), end...)
		lines = rest
	}
	if len(t.out) == 0 {
		return nil
	}
	if _, err := t.env.out.Write(t.out); err != nil {
		return fmt.Errorf("verifiable: printing records: %w", err)
	}
	return nil
}

func (t *sinkTask) Stop(context.Context) error {
	t.unflushed, t.out = nil, nil
	return nil
}
