package source

import (
	"fmt"
	"math"
	"time"

	"github.com/sluice-project/sluice/connectors/builtin/jdbc/dialect"
	"github.com/sluice-project/sluice/connectors/data"
)

// Names in source partitions and offsets, as the Java connectors have them.
const (
	tableField        = "table"
	protocolField     = "protocol"
	queryField        = "query"
	incrementingField = "incrementing"
	timestampField    = "timestamp"
	nanosField        = "timestamp_nanos"
)

// position is where a table is read on: behind these values. hasTime and hasID say which there are.
type position struct {
	time           time.Time
	id             int64
	hasTime, hasID bool
}

// tablePartition is a table's source partition.
func tablePartition(t dialect.Table) map[string]any {
	return map[string]any{protocolField: "1", tableField: t.String()}
}

// olderPartitions are those under which a table's offset may be besides: as versions of the Java connectors with and
// without catalog and schema have written it. Newest first.
func olderPartitions(t dialect.Table) []map[string]any {
	out := []map[string]any{}
	for _, o := range []dialect.Table{{Schema: t.Schema, Name: t.Name}, {Catalog: t.Catalog, Name: t.Name}, {Name: t.Name}} {
		if o != t {
			out = append(out, tablePartition(o))
		}
	}
	return append(out, map[string]any{tableField: t.Name})
}

func queryPartition() map[string]any { return map[string]any{queryField: "query"} }

// offset is the position as the Java connectors write it: milliseconds, and all of the second's nanoseconds.
func (p position) offset() data.Value {
	m := &data.Map{}
	if p.hasID {
		m.Put(data.String(incrementingField), data.Int64(p.id))
	}
	if p.hasTime {
		m.Put(data.String(timestampField), data.Int64(p.time.UnixMilli()))
		m.Put(data.String(nanosField), data.Int64(int64(p.time.Nanosecond())))
	}
	return data.MapOf(m)
}

// parseOffset reads a committed offset, or one that a user gives.
func parseOffset(o map[string]any) (p position, err error) {
	for key, v := range o {
		if v == nil {
			continue
		}
		n, ok := whole(v)
		if !ok {
			return p, fmt.Errorf("%w: %q is %v: a whole number would be right", ErrOffset, key, v)
		}
		switch key {
		case incrementingField:
			p.id, p.hasID = n, true
		case timestampField:
			p.time, p.hasTime = time.UnixMilli(n).UTC(), true
		case nanosField:
			if n < 0 || n >= 1e9 {
				return p, fmt.Errorf("%w: %q is %d: 0 to 999999999 would be right", ErrOffset, key, n)
			}
		}
	}
	if nanos, ok := whole(o[nanosField]); ok && p.hasTime {
		p.time = time.Unix(p.time.Unix(), nanos).UTC()
	}
	return p, nil
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}
