package altering

import (
	"context"
	"maps"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/plugin"
)

// source alters a source's offsets and says whether the connector has none elsewhere.
func (d Deps) source(ctx context.Context, p connectors.Plugin, j job) (complete bool, err error) {
	store, release, err := d.Offsets(ctx, j.config)
	if err != nil {
		return false, err
	}
	defer release()
	var entries []offsets.Entry
	if j.forgetAll {
		if entries, err = store.List(ctx, j.connector); err != nil {
			return false, err
		}
		for i := range entries {
			entries[i].Offset = nil
		}
	} else if entries, err = sourceOffsets(j.changes); err != nil {
		return false, err
	}
	c, err := plugin.NewSource(p)
	if err != nil {
		return false, err
	}
	if a, ok := c.(connectors.SourceOffsetsAlterer); ok {
		changes := make([]connectors.SourceOffsetChange, len(entries))
		for i, e := range entries {
			changes[i] = connectors.SourceOffsetChange{Partition: maps.Clone(e.Partition), Offset: maps.Clone(e.Offset)}
		}
		if complete, err = d.ask(ctx, p, j, func(ctx context.Context) (bool, error) { return a.AlterOffsets(ctx, maps.Clone(j.config), changes) }); err != nil {
			return false, err
		}
	}
	if len(entries) == 0 {
		return complete, nil
	}
	if err := j.mayAct(); err != nil {
		return false, err
	}
	return complete, store.Alter(ctx, j.connector, entries)
}
