package httpsource

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/data"
)

// The names in offsets that mean something, as castorm has them.
const (
	keyName       = "key"
	timestampName = "timestamp"
)

// offset is where to go on: texts by names. It is not changed once it is used.
type offset map[string]string

// partition is the source partition: castorm's connector has one, without names.
func partition() map[string]any { return map[string]any{} }

// parseOffset reads a committed offset, or one that a user gives. nil is none.
func parseOffset(o map[string]any) (offset, error) {
	out := offset{}
	for name, v := range o {
		switch v := v.(type) {
		case nil:
		case string:
			out[name] = v
		case int64:
			out[name] = strconv.FormatInt(v, 10)
		case float64:
			out[name] = string(data.AppendFloat(nil, v, 64))
		case bool:
			out[name] = strconv.FormatBool(v)
		default:
			return nil, fmt.Errorf("%w: %q is %v: a text would be right", ErrOffset, name, v)
		}
	}
	if _, _, err := out.time(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOffset, err)
	}
	return out, nil
}

// time is the offset's timestamp, and whether it has one.
func (o offset) time() (t time.Time, ok bool, err error) {
	text, ok := o[timestampName]
	if !ok {
		return time.Time{}, false, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return time.Time{}, false, fmt.Errorf("%s is %q: a time such as 2020-05-08T07:55:44Z would be right", timestampName, excerpt(text, 60))
	}
	return t, true, nil
}

// value is the offset for Kafka.
func (o offset) value() data.Value {
	m := &data.Map{}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		m.Add(data.String(name), data.String(o[name]))
	}
	return data.MapOf(m)
}

// with is the offset with other values for some names.
func (o offset) with(more offset) offset {
	if len(more) == 0 {
		return o
	}
	out := maps.Clone(o)
	if out == nil {
		out = offset{}
	}
	maps.Copy(out, more)
	return out
}

// alter checks what a user makes of the connector's offsets.
func alter(changes []connectors.SourceOffsetChange) error {
	for _, c := range changes {
		if c.Offset == nil {
			continue // whatever is there may be cleaned up
		}
		if c.Partition == nil || len(c.Partition) > 0 {
			return fmt.Errorf("the partition %v is none of this connector: {} would be right", c.Partition)
		}
		if _, err := parseOffset(c.Offset); err != nil {
			return err
		}
	}
	return nil
}
