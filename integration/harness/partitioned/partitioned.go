// Package partitioned is a source of twelve source partitions that its tasks share, as the tables of a database are
// shared: for tests of what happens to a partition when the number of tasks changes.
package partitioned

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/internal/clock"
)

// Partitions is how many there are.
const Partitions = 12

// Plugin is the source, PartitionedSource.
func Plugin() connectors.Plugin {
	return connectors.Plugin{Class: "sluice.test.PartitionedSource", Aliases: []string{"PartitionedSource"}, Version: "1", Type: connectors.Source,
		Config: def, NewSource: func() connectors.SourceConnector { return &source{} }}
}

func def() *configdef.Def {
	return configdef.New().Define(configdef.Key{Name: "topic", Type: configdef.String, Required: true, Importance: configdef.High, Doc: "The topic."})
}

type source struct{ topic string }

func (s *source) Start(_ context.Context, _ connectors.ConnectorContext, config map[string]string) error {
	s.topic = config["topic"]
	return nil
}

func (s *source) TaskConfigs(_ context.Context, most int) ([]map[string]string, error) {
	lists := make([][]string, min(most, Partitions))
	for p := range Partitions {
		lists[p%len(lists)] = append(lists[p%len(lists)], strconv.Itoa(p))
	}
	var out []map[string]string
	for _, l := range lists {
		out = append(out, map[string]string{"topic": s.topic, "partitions": strings.Join(l, ",")})
	}
	return out, nil
}

func (s *source) Stop(context.Context) error     { return nil }
func (s *source) NewTask() connectors.SourceTask { return &task{} }

// task counts up in each of its partitions.
type task struct {
	topic string
	names []string
	parts []map[string]any
	next  []int64
	batch *connectors.SourceBatch
	refs  []connectors.PartitionRef
}

func (t *task) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	t.topic, t.names = config["topic"], strings.Split(config["partitions"], ",")
	for _, n := range t.names {
		t.parts = append(t.parts, map[string]any{"partition": n})
	}
	offsets, err := tc.Offsets(ctx, t.parts)
	if err != nil {
		return err
	}
	t.next = make([]int64, len(t.parts))
	for i, o := range offsets {
		if n, ok := o["n"].(int64); ok {
			t.next[i] = n + 1
		}
	}
	return nil
}

// Poll makes a record of each partition a hundred times a second.
func (t *task) Poll(ctx context.Context, b *connectors.SourceBatch) error {
	select {
	case <-clock.Real().After(10 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.batch != b {
		t.batch, t.refs = b, nil
		for _, p := range t.parts {
			t.refs = append(t.refs, b.Partition(p))
		}
	}
	for i := range t.parts {
		r := b.Add()
		r.Topic, r.Partition = t.topic, t.refs[i]
		r.Offset = connectors.SourceOffset{Key: "n", Value: data.Int64(t.next[i])}
		r.ValueSchema, r.Value = data.StringSchema, data.String(fmt.Sprintf("%s %d", t.names[i], t.next[i]))
		t.next[i]++
	}
	return nil
}

func (t *task) Stop(context.Context) error { return nil }
