package filestream

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
)

// writeSize is how much is collected before it is written, in bytes.
const writeSize = 64 << 10

type sinkTask struct {
	env env
	w   io.Writer
	f   *os.File // nil for the standard output
	buf []byte   // whole lines that are not written yet
}

func (t *sinkTask) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) error {
	v, err := sinkDef().Parse(config)
	if err != nil {
		return err
	}
	path := v.String(fileKey)
	if path == "" {
		t.w = t.env.stdout
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("filestream: the file of key %q cannot be written: %w", fileKey, err)
	}
	t.f, t.w = f, f
	return nil
}

// Put writes the records' values, one a line: they can be seen in the file when it returns, as with Kafka Connect.
func (t *sinkTask) Put(_ context.Context, b *connectors.SinkBatch) error {
	for i := range b.Records {
		t.buf = append(converter.AppendTextOf(t.buf, b.Records[i].ValueSchema, b.Records[i].Value), '\n')
		if len(t.buf) >= writeSize {
			if err := t.write(); err != nil {
				return err
			}
		}
	}
	_ = t.write() //nolint:errcheck // what it left is tried again with the next Put, and by Flush, which says why
	return nil
}

// Flush hands everything to the operating system; it does not wait for the disk.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	return t.write()
}

// write appends the collected lines with one call, which keeps them whole where tasks share a file.
func (t *sinkTask) write() error {
	if len(t.buf) == 0 {
		return nil
	}
	n, err := t.w.Write(t.buf)
	if err != nil {
		t.buf = append(t.buf[:0], t.buf[n:]...)
		return fmt.Errorf("filestream: writing to the file of key %q: %w", fileKey, err)
	}
	if cap(t.buf) > 16*writeSize { // one huge record must not be paid for ever after
		t.buf = nil
	}
	t.buf = t.buf[:0]
	return nil
}

func (t *sinkTask) Stop(context.Context) error {
	if t.w == nil {
		return nil
	}
	err := t.write()
	t.w, t.buf = nil, nil
	if t.f == nil {
		return err
	}
	f := t.f
	t.f = nil
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
