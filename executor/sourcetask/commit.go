package sourcetask

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/internal/history"
	"github.com/sluice-project/sluice/internal/logkey"
)

// flush begins to write the offsets that can be committed.
func (t *task) flush(now time.Time) {
	t.flushAt = now.Add(t.deps.FlushInterval)
	if !t.ledger.Dirty() {
		return
	}
	t.stats.Committing()
	entries := t.collect()
	err := t.writer.Begin(func(ctx context.Context) error {
		limit, cancel := context.WithTimeout(ctx, t.deps.FlushTimeout)
		defer cancel()
		if t.read().cut {
			return ErrCut
		}
		begin := t.deps.Clock.Boot()
		err := t.store.Write(limit, t.spec.Unit.Name, t.env.RightLeft, entries)
		if err == nil && t.acts {
			history.Act(t.log, t.deps.Clock, history.Committed, begin, slog.String(logkey.Class, t.spec.Class.String()))
		}
		return err
	})
	if err != nil {
		t.wrote(err)
	}
}

// collect takes the offsets that can be committed out of the ledger.
func (t *task) collect() []offsets.Entry {
	t.writing = t.ledger.Collect(t.writing[:0])
	entries := make([]offsets.Entry, len(t.writing))
	for i, c := range t.writing {
		entries[i] = offsets.Entry{Partition: t.parts[c.Partition], Offset: offsetMap(c.Offset)}
	}
	return entries
}

// wrote deals with what a write of offsets came to.
func (t *task) wrote(err error) {
	t.stats.Committed(err)
	if err != nil {
		t.ledger.Restore(t.writing)
		t.log.Warn("offsets were not committed; it is tried again at the next flush", logkey.Err, err)
		return
	}
	t.tell = true
	t.log.Debug("offsets committed", slog.Int("partitions", len(t.writing)))
}

// offsetMap is an offset as the store takes it.
func offsetMap(o connectors.SourceOffset) map[string]any {
	if o.Key != "" {
		return map[string]any{o.Key: plain(o.Value)}
	}
	if o.Value.Kind() != data.KindMap {
		return nil
	}
	m := map[string]any{}
	for _, e := range o.Value.Map().Entries() {
		m[e.Key.Str()] = plain(e.Value)
	}
	return m
}

func plain(v data.Value) any {
	switch v.Kind() {
	case data.KindNull:
		return nil
	case data.KindBool:
		return v.Bool()
	case data.KindInt8, data.KindInt16, data.KindInt32, data.KindInt64:
		return v.Int()
	case data.KindFloat32, data.KindFloat64:
		return v.Float()
	default:
		return v.Str()
	}
}
