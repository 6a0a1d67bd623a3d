package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// ConnectorContext is a connectors.ConnectorContext that counts. Safe for concurrent use.
type ConnectorContext struct {
	mu      sync.Mutex
	planned int
	raised  []error
}

// Logger implements connectors.ConnectorContext.
func (*ConnectorContext) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// RequestTaskReconfiguration implements connectors.ConnectorContext.
func (c *ConnectorContext) RequestTaskReconfiguration() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.planned++
}

// RaiseError implements connectors.ConnectorContext.
func (c *ConnectorContext) RaiseError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raised = append(c.raised, err)
}

// Requests is how often tasks were asked to be planned anew.
func (c *ConnectorContext) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.planned
}

// Raised are the errors that were raised.
func (c *ConnectorContext) Raised() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]error(nil), c.raised...)
}

// SourceContext is a connectors.SourceTaskContext over offsets in memory. The zero value has none.
// Safe for concurrent use.
type SourceContext struct {
	mu      sync.Mutex
	offsets map[string]map[string]any
}

// Logger implements connectors.SourceTaskContext.
func (*SourceContext) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Offsets implements connectors.SourceTaskContext.
func (c *SourceContext) Offsets(_ context.Context, partitions []map[string]any) ([]map[string]any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]map[string]any, len(partitions))
	for i, p := range partitions {
		key, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("conformance: the source partition %v cannot be encoded: %w", p, err)
		}
		out[i] = c.offsets[string(key)]
	}
	return out, nil
}

// Commit sets the offset of a source partition. It panics for a partition that cannot be encoded.
func (c *SourceContext) Commit(partition, offset map[string]any) {
	key, err := json.Marshal(partition)
	if err != nil {
		panic(fmt.Sprintf("conformance: the source partition %v cannot be encoded: %v", partition, err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offsets == nil {
		c.offsets = map[string]map[string]any{}
	}
	c.offsets[string(key)] = offset
}

// OffsetMap is a record's offset as the runtime commits it: numbers are int64 or float64.
func OffsetMap(o connectors.SourceOffset) map[string]any {
	if o.Key != "" {
		return map[string]any{o.Key: plain(o.Value)}
	}
	if o.Value.Map() == nil {
		return nil
	}
	out := map[string]any{}
	for _, e := range o.Value.Map().Entries() {
		out[e.Key.Str()] = plain(e.Value)
	}
	return out
}

func plain(v data.Value) any {
	switch v.Kind() {
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return v.Int()
	case data.KindFloat32, data.KindFloat64:
		return v.Float()
	case data.KindBool:
		return v.Bool()
	case data.KindString:
		return string([]byte(v.Str()))
	default:
		return nil
	}
}

// SinkContext is a connectors.SinkTaskContext that records what a task asks for. Not safe for
// concurrent use, as the real one.
type SinkContext struct {
	Partitions []connectors.TopicPartition
	Seeks      map[connectors.TopicPartition]int64
	Paused     map[connectors.TopicPartition]bool
	Backoff    time.Duration
	Commits    int
}

// Logger implements connectors.SinkTaskContext.
func (*SinkContext) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Assignment implements connectors.SinkTaskContext.
func (c *SinkContext) Assignment() []connectors.TopicPartition { return c.Partitions }

// Seek implements connectors.SinkTaskContext.
func (c *SinkContext) Seek(tp connectors.TopicPartition, offset int64) {
	if c.Seeks == nil {
		c.Seeks = map[connectors.TopicPartition]int64{}
	}
	c.Seeks[tp] = offset
}

// Pause implements connectors.SinkTaskContext.
func (c *SinkContext) Pause(tps ...connectors.TopicPartition) { c.setPaused(true, tps) }

// Resume implements connectors.SinkTaskContext.
func (c *SinkContext) Resume(tps ...connectors.TopicPartition) { c.setPaused(false, tps) }

func (c *SinkContext) setPaused(to bool, tps []connectors.TopicPartition) {
	if c.Paused == nil {
		c.Paused = map[connectors.TopicPartition]bool{}
	}
	for _, tp := range tps {
		c.Paused[tp] = to
	}
}

// Retry implements connectors.SinkTaskContext.
func (c *SinkContext) Retry(after time.Duration) { c.Backoff = after }

// RequestCommit implements connectors.SinkTaskContext.
func (c *SinkContext) RequestCommit() { c.Commits++ }

// Reporter implements connectors.SinkTaskContext: there is none.
func (*SinkContext) Reporter() connectors.ErrantRecordReporter { return nil }
