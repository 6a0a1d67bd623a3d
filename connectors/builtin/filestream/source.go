package filestream

import (
	"context"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// Names in source partitions and offsets, as Kafka's connector has them.
const (
	filenameField = "filename"
	positionField = "position"
)

// maxPollBytes bounds what one Poll returns, in bytes; a single line may be longer.
const maxPollBytes = 4 << 20

type sourceTask struct {
	env       env
	topic     string
	batchSize int
	partition map[string]any
	plain     bool // offsets have positions: the input is a file
	in        input
	lines     lines

	batch *connectors.SourceBatch // whose ref is ref
	ref   connectors.PartitionRef
}

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	v, err := sourceDef().Parse(config)
	if err != nil {
		return err
	}
	t.topic, t.batchSize = v.String(topicKey), max(v.Int(batchSizeKey), 1)
	t.batch = nil
	t.lines.reset(0)
	path := v.String(fileKey)
	if t.plain = path != ""; !t.plain {
		t.partition = map[string]any{filenameField: nil}
		t.in = &stdin{p: t.env.stdin, clk: t.env.clk}
		return nil
	}
	t.partition = map[string]any{filenameField: path}
	pos, err := committed(ctx, tc, t.partition)
	if err != nil {
		return err
	}
	t.lines.reset(pos)
	t.in = &file{path: path, pos: pos, clk: t.env.clk, log: tc.Logger()}
	return nil
}

// committed is the position to resume from.
func committed(ctx context.Context, tc connectors.SourceTaskContext, partition map[string]any) (int64, error) {
	offsets, err := tc.Offsets(ctx, []map[string]any{partition})
	if err != nil {
		return 0, fmt.Errorf("filestream: reading the committed offset: %w", err)
	}
	if len(offsets) == 0 || offsets[0] == nil {
		return 0, nil
	}
	var pos int64
	switch p := offsets[0][positionField].(type) {
	case nil:
		return 0, nil
	case int64:
		pos = p
	case float64:
		if p != math.Trunc(p) || math.Abs(p) > 1<<53 {
			return 0, fmt.Errorf("%w: %q is %v: a whole number of bytes would be right", ErrPosition, positionField, p)
		}
		pos = int64(p)
	default:
		return 0, fmt.Errorf("%w: %q is %v (%T): a number of bytes would be right", ErrPosition, positionField, p, p)
	}
	if pos < 0 {
		return 0, fmt.Errorf("%w: %q is %d: it must be at least 0", ErrPosition, positionField, pos)
	}
	return pos, nil
}

// looks is how many times a Poll waits for lines before it gives the runtime its turn: an idle task's Polls cost more than its looks.
const looks = 10

func (t *sourceTask) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	if t.batch != b {
		t.batch, t.ref = b, b.Partition(t.partition)
	}
	limit, bytes := min(b.Room(), t.batchSize), maxPollBytes
	first := len(b.Records)
	for waits := 0; ; {
		t.emit(b, first+limit, &bytes)
		if len(b.Records) >= first+limit || bytes <= 0 || ctx.Err() != nil {
			break
		}
		room, err := t.lines.room()
		if err != nil {
			return err
		}
		n, err := t.in.read(ctx, room)
		if err != nil {
			return err
		}
		if n > 0 {
			t.lines.added(n)
			continue
		}
		t.lines.release()
		if len(b.Records) > first || waits == looks {
			break
		}
		if waits++; !t.in.idle(ctx) {
			break
		}
	}
	if now := t.env.clk.Now().UnixMilli(); len(b.Records) > first {
		for i := first; i < len(b.Records); i++ {
			b.Records[i].Timestamp = now
		}
	}
	return nil
}

// emit adds the lines at hand up to a number of records and bytes.
func (t *sourceTask) emit(b *connectors.SourceBatch, upTo int, bytes *int) {
	for len(b.Records) < upTo && *bytes > 0 {
		line, ok := t.lines.next()
		if !ok {
			return
		}
		if !utf8.Valid(line) {
			line = []byte(string([]rune(string(line)))) // each bad byte becomes U+FFFD
		}
		*bytes -= len(line)
		r := b.Add()
		r.Partition = t.ref
		r.Topic = t.topic
		r.ValueSchema = data.StringSchema
		r.Value = data.String(b.CopyString(line))
		r.Offset.Key = positionField
		if t.plain {
			r.Offset.Value = data.Int64(t.lines.pos)
		}
	}
}

func (t *sourceTask) Stop(context.Context) error {
	in := t.in
	t.in, t.batch, t.lines = nil, nil, lines{}
	if in == nil {
		return nil
	}
	return in.close()
}
