package topics

import (
	"bytes"
	"fmt"
)

// AppendOffsetKey appends the key of a source partition's offset: `["connector",{partition}]`, with the
// partition's keys in the order of a Java HashMap. A nil partition is null. ErrUnsupported where the
// partition holds something that is not a primitive value.
func AppendOffsetKey(dst []byte, connector string, partition map[string]any) ([]byte, error) {
	dst = AppendString(append(dst, '['), connector)
	dst, err := appendMap(append(dst, ','), partition, HashMapOrder(partition))
	if err != nil {
		return dst, fmt.Errorf("source partition of connector %q: %w", connector, err)
	}
	return append(dst, ']'), nil
}

// ParseOffsetKey is the inverse of AppendOffsetKey, for any order of keys and any spacing. Integers come
// as int64, other numbers as float64. The partition is nil for null.
func ParseOffsetKey(key []byte) (connector string, partition map[string]any, err error) {
	var parts []any
	if err := decode(key, &parts); err != nil {
		return "", nil, err
	}
	if len(parts) != 2 {
		return "", nil, fmt.Errorf("%w: an offset's key has %d elements: want [connector, partition]", ErrMalformed, len(parts))
	}
	connector, ok := parts[0].(string)
	if !ok {
		return "", nil, fmt.Errorf("%w: the first element of an offset's key is a %T: want the connector's name", ErrMalformed, parts[0])
	}
	if parts[1] == nil {
		return connector, nil, nil
	}
	partition, ok = parts[1].(map[string]any)
	if !ok {
		return "", nil, fmt.Errorf("%w: the second element of an offset's key is a %T: want an object or null", ErrMalformed, parts[1])
	}
	return connector, partition, numbers(partition)
}

// OffsetKeyConnector is the name of the connector that the key belongs to; false where it is nobody's. It is what a
// reader of the whole topic calls for each record: it does not parse the partition, nor allocate for names without
// escapes, which are a part of the key then.
func OffsetKeyConnector(key []byte) (name []byte, ok bool) {
	if rest, ok := bytes.CutPrefix(key, []byte(`["`)); ok {
		if i := bytes.IndexAny(rest, `"\`); i >= 0 && rest[i] == '"' {
			return rest[:i], true
		}
	}
	connector, _, err := ParseOffsetKey(key)
	return []byte(connector), err == nil
}

// Canonical is the text that two source partitions have in common exactly where they mean the same: the
// partition's JSON with sorted keys and canonical numbers.
func Canonical(partition map[string]any) (string, error) {
	b, err := appendMap(nil, partition, sortedKeys(partition))
	return string(b), err
}

// AppendOffsetValue appends the JSON of a source offset. nil has none: it is a tombstone, a record with a
// null value, and refused here.
func AppendOffsetValue(dst []byte, offset map[string]any) ([]byte, error) {
	if offset == nil {
		return dst, fmt.Errorf("%w: a null offset is a tombstone, without a value", ErrUnsupported)
	}
	dst, err := appendMap(dst, offset, HashMapOrder(offset))
	if err != nil {
		return dst, fmt.Errorf("source offset: %w", err)
	}
	return dst, nil
}

// ParseOffsetValue reads a source offset; nil for a tombstone and for JSON's null.
func ParseOffsetValue(value []byte) (map[string]any, error) {
	if value == nil {
		return nil, nil
	}
	var m map[string]any
	if err := decode(value, &m); err != nil {
		return nil, err
	}
	return m, numbers(m)
}
