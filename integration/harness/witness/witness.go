// Package witness is a sink that writes down what it is told: which records, and which partitions came and went. For tests
// of what reaches a sink while processes die and groups are rebalanced.
//
// It keeps what it is given until a flush, and forgets it where that fails, as sinks do that write by the batch: so an offset
// that was committed too early shows as a record that nobody has seen.
package witness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/clock"
)

// What a line tells: a record was flushed, a partition was opened, is about to be closed, was closed.
const (
	Record  = "record"
	Opened  = "opened"
	Closing = "closing"
	Closed  = "closed"
)

// Line is one thing that a task wrote down. Offset is a record's.
type Line struct {
	What      string
	Task      int
	Topic     string
	Partition int32
	Offset    int64
}

// A line begins and ends with its own marks: what a process that is killed in a write leaves behind is no line.
const format = "\n%s %d %s %d %d ."

// Parse returns the whole lines of a text and how many bytes they are; what follows is the beginning of another.
func Parse(text string) (lines []Line, n int) {
	n = strings.LastIndexByte(text, '.') + 1
	for s := range strings.SplitSeq(text[:n], "\n") {
		f := strings.Fields(s)
		if len(f) != 6 || f[5] != "." {
			continue
		}
		task, noTask := strconv.Atoi(f[1])
		partition, noPartition := strconv.ParseInt(f[3], 10, 32)
		offset, noOffset := strconv.ParseInt(f[4], 10, 64)
		if errors.Join(noTask, noPartition, noOffset) == nil {
			lines = append(lines, Line{What: f[0], Task: task, Topic: f[2], Partition: int32(partition), Offset: offset})
		}
	}
	return lines, n
}

// Plugin is the sink, Witness.
func Plugin() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.test.Witness", Aliases: []string{"Witness"}, Version: "1", Type: connectors.Sink,
		Config: def, NewSink: func() connectors.SinkConnector { return &sink{} }}
}

func def() *configdef.Def {
	return configdef.New().
		Define(configdef.Key{Name: "file", Type: configdef.String, Required: true, Importance: configdef.High, Doc: "Where all tasks write."}).
		Define(configdef.Key{Name: "refuse", Type: configdef.Int, Default: configdef.Text("0"), Importance: configdef.Low,
			Doc: "One put in so many is refused, to be tried again, and one flush fails; 0 is none."}).
		Define(configdef.Key{Name: "hold", Type: configdef.String, Default: configdef.Text(""), Importance: configdef.Low,
			Doc: "While there is a file of this name, task 0 does not return from closing partitions."})
}

type sink struct{ config map[string]string }

func (s *sink) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	s.config = config
	return nil
}

// TaskConfigs leaves out how many there are, so that a change of that restarts no task.
func (s *sink) TaskConfigs(_ context.Context, most int) (out []map[string]string, err error) {
	for i := range most {
		c := maps.Clone(s.config)
		delete(c, "tasks.max")
		c["task"] = strconv.Itoa(i)
		out = append(out, c)
	}
	return out, nil
}

func (s *sink) Stop(context.Context) error   { return nil }
func (s *sink) NewTask() connectors.SinkTask { return &task{} }

type task struct {
	n             int
	f             *os.File
	hold          string
	refuse        int
	puts, flushes int
	buf           []byte
}

func (t *task) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) (err error) {
	v, err := def().Parse(config)
	if err != nil {
		return err
	}
	if t.n, err = strconv.Atoi(config["task"]); err != nil {
		return fmt.Errorf("witness: the task's number, key \"task\": %w", err)
	}
	t.hold, t.refuse = v.String("hold"), v.Int("refuse")
	t.f, err = os.OpenFile(v.String("file"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

var errRefused = errors.New("witness: refused, as asked for by the key \"refuse\"")

// Put keeps the records' places until the next flush.
func (t *task) Put(_ context.Context, b *connectors.SinkBatch) error {
	if len(b.Records) == 0 {
		return nil
	}
	if t.puts++; t.refuse > 0 && t.puts%t.refuse == 0 {
		return connectors.Retriable(errRefused)
	}
	for i := range b.Records {
		r := &b.Records[i]
		t.buf = fmt.Appendf(t.buf, format, Record, t.n, r.Topic, r.Partition, r.Offset)
	}
	return nil
}

// Flush writes what is kept, or forgets it.
func (t *task) Flush(context.Context, map[connectors.TopicPartition]int64) (err error) {
	if t.flushes++; t.refuse > 0 && t.flushes%t.refuse == 0 {
		err = errRefused
	} else {
		_, err = t.f.Write(t.buf)
	}
	t.buf = t.buf[:0]
	return err
}

func (t *task) Open(_ context.Context, tps []connectors.TopicPartition) error {
	return t.tell(Opened, tps)
}

func (t *task) Close(ctx context.Context, tps []connectors.TopicPartition) error {
	if err := t.tell(Closing, tps); err != nil {
		return err
	}
	for t.n == 0 && t.hold != "" && ctx.Err() == nil {
		if _, err := os.Stat(t.hold); err != nil {
			break
		}
		<-clock.Real().After(10 * time.Millisecond)
	}
	return t.tell(Closed, tps)
}

func (t *task) tell(what string, tps []connectors.TopicPartition) error {
	var text []byte
	for _, tp := range tps {
		text = fmt.Appendf(text, format, what, t.n, tp.Topic, tp.Partition, -1)
	}
	_, err := t.f.Write(text)
	return err
}

func (t *task) Stop(context.Context) error { return t.f.Close() }
