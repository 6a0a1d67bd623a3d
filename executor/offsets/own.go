package offsets

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
)

// copyTimeout is what one write of copies to the worker's topic has.
const copyTimeout = 30 * time.Second

// Own is the store of a connector with an offsets topic of its own, as Kafka Connect's ConnectorOffsetBackingStore has
// it: that topic is the truth, the worker's is asked for source partitions that it does not have. Writes are copied to
// the worker's topic, without anybody waiting for it; tombstones go there first, since a partition that only the
// worker's topic still had would come back.
type Own struct {
	own    Transactional
	worker Store
	log    *slog.Logger
	group  *run.Group

	mu     sync.Mutex
	copies map[string]map[string]Entry // by connector and canonical partition: the newest
	wake   chan struct{}
}

// NewOwn returns a store. It closes own, and leaves the worker's store open.
func NewOwn(own Transactional, worker Store, log *slog.Logger) (*Own, error) {
	o := &Own{own: own, worker: worker, log: log, group: run.New(context.Background(), "offset-copies"), copies: map[string]map[string]Entry{}, wake: make(chan struct{}, 1)}
	return o, o.group.Go(o.copying)
}

// Hold implements Store.
func (o *Own) Hold(connector string) func() {
	own, worker := o.own.Hold(connector), o.worker.Hold(connector)
	return func() { own(); worker() }
}

// Close implements Store.
func (o *Own) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = o.group.Stop(ctx) //nolint:errcheck // copying returns nil; copies that are not written are nobody's truth
	return o.own.Close()
}

// Topic implements Transactional.
func (o *Own) Topic() string { return o.own.Topic() }

// Read implements Store.
func (o *Own) Read(ctx context.Context, connector string, asOf time.Duration, partitions []map[string]any) ([]map[string]any, error) {
	found, err := o.own.Read(ctx, connector, asOf, partitions)
	if err != nil {
		return nil, err
	}
	var missing []map[string]any
	var at []int
	for i, f := range found {
		if f == nil {
			missing, at = append(missing, partitions[i]), append(at, i)
		}
	}
	if len(missing) == 0 && len(partitions) > 0 {
		return found, nil
	}
	other, err := o.worker.Read(ctx, connector, asOf, missing)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(found)
	for i, f := range other {
		out[at[i]] = f
	}
	return out, nil
}

// List implements Store.
func (o *Own) List(ctx context.Context, connector string) ([]Entry, error) {
	all := map[string]Entry{}
	for _, s := range []Store{o.worker, o.own} {
		list, err := s.List(ctx, connector)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			canonical, err := topics.Canonical(e.Partition)
			if err != nil {
				return nil, err
			}
			all[canonical] = e
		}
	}
	var out []Entry
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out, nil
}

// tombstones are the entries without an offset.
func tombstones(entries []Entry) (out []Entry) {
	for _, e := range entries {
		if e.Offset == nil {
			out = append(out, e)
		}
	}
	return out
}

// Write implements Store.
func (o *Own) Write(ctx context.Context, connector string, right Right, entries []Entry) error {
	if gone := tombstones(entries); len(gone) > 0 {
		if err := o.worker.Write(ctx, connector, right, gone); err != nil {
			return err
		}
	}
	if err := o.own.Write(ctx, connector, right, entries); err != nil {
		return err
	}
	o.copy(connector, entries)
	return nil
}

// Alter implements Store: all or none as far as the connector's own topic goes.
func (o *Own) Alter(ctx context.Context, connector string, entries []Entry) error {
	if gone := tombstones(entries); len(gone) > 0 {
		if err := o.worker.Alter(ctx, connector, gone); err != nil {
			return err
		}
	}
	if err := o.own.Alter(ctx, connector, entries); err != nil {
		return err
	}
	o.copy(connector, entries)
	return nil
}

// Records implements Transactional.
func (o *Own) Records(ctx context.Context, connector string, entries []Entry) ([]kafkaio.Message, func(), error) {
	if gone := tombstones(entries); len(gone) > 0 {
		if err := o.worker.Write(ctx, connector, nil, gone); err != nil {
			return nil, nil, err
		}
	}
	msgs, committed, err := o.own.Records(ctx, connector, entries)
	return msgs, func() { committed(); o.copy(connector, entries) }, err
}

// copy has entries copied to the worker's topic.
func (o *Own) copy(connector string, entries []Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range entries {
		canonical, err := topics.Canonical(e.Partition)
		if err != nil {
			continue // it was written, so that it has one
		}
		if o.copies[connector] == nil {
			o.copies[connector] = map[string]Entry{}
		}
		if delete(o.copies[connector], canonical); e.Offset != nil {
			o.copies[connector][canonical] = e
		}
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// copying writes copies until the store is closed.
func (o *Own) copying(ctx context.Context) error {
	for {
		select {
		case <-o.wake:
		case <-ctx.Done():
			return nil
		}
		o.mu.Lock()
		copies := o.copies
		o.copies = map[string]map[string]Entry{}
		o.mu.Unlock()
		for connector, entries := range copies {
			limit, cancel := context.WithTimeout(ctx, copyTimeout)
			err := o.worker.Write(limit, connector, nil, slices.Collect(maps.Values(entries)))
			cancel()
			if err != nil && ctx.Err() == nil {
				o.log.Warn("offsets of a connector with a topic of its own were not copied to the worker's topic", logkey.Connector, connector, logkey.Err, err)
			}
		}
	}
}
