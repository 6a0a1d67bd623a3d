package altering

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func invalid(format string, args ...any) error {
	return errs.New(errs.OffsetsInvalid, format, args...)
}

// object reads a JSON object; nil for null. Numbers stay as they are written.
func object(text *string) (map[string]any, error) {
	if text == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(*text)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, invalid("%.100q is not a JSON object: %v", *text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("%.100q is more than one JSON object", *text)
	}
	return m, nil
}

// sourceOffsets reads what is to become of a source's offsets. Of equal partitions the last counts.
func sourceOffsets(in []*sluicev1.PartitionOffset) ([]offsets.Entry, error) {
	var out []offsets.Entry
	at := map[string]int{}
	for _, p := range in {
		var e offsets.Entry
		var err error
		if e.Partition, err = primitive(p.Partition); err != nil {
			return nil, err
		}
		if e.Offset, err = primitive(p.Offset); err != nil {
			return nil, err
		}
		key, err := topics.Canonical(e.Partition)
		if err != nil {
			return nil, invalid("%v", err)
		}
		if i, ok := at[key]; ok {
			out[i] = e
			continue
		}
		at[key] = len(out)
		out = append(out, e)
	}
	return out, nil
}

// primitive reads an object as Kafka Connect stores it: whole numbers are int64, others float64. The texts are those of
// its OffsetUtils.
func primitive(text *string) (map[string]any, error) {
	m, err := object(text)
	if err != nil {
		return nil, err
	}
	for _, k := range sortedKeys(m) {
		kind := ""
		switch v := m[k].(type) {
		case map[string]any:
			kind = "MAP"
		case []any:
			kind = "ARRAY"
		case json.Number:
			if n, err := v.Int64(); err == nil {
				m[k] = n
				continue
			}
			f, err := v.Float64()
			if err == nil && bytes.ContainsAny([]byte(v), ".eE") {
				m[k] = f
				continue
			}
			// It would come back altered.
			return nil, invalid("Offsets may only contain primitive types as values, but field %s contains %.100s, which is beyond a 64-bit number", k, v)
		}
		if kind != "" {
			return nil, invalid("Offsets may only contain primitive types as values, but field %s contains %s", k, kind)
		}
	}
	return m, nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The keys of a sink's partitions and offsets.
const (
	topicKey     = "kafka_topic"
	partitionKey = "kafka_partition"
	offsetKey    = "kafka_offset"
)

// sinkOffsets reads what is to become of a sink's offsets; nil forgets one. The texts are Kafka Connect's.
func sinkOffsets(in []*sluicev1.PartitionOffset) (map[kafkaio.TopicPartition]*int64, error) {
	out := map[kafkaio.TopicPartition]*int64{}
	for _, e := range in {
		p, err := object(e.Partition)
		if err != nil {
			return nil, err
		}
		o, err := object(e.Offset)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, invalid("The partition for a sink connector offset cannot be null or missing")
		}
		topic, hasTopic := p[topicKey]
		number, hasNumber := p[partitionKey]
		switch {
		case !hasTopic || !hasNumber:
			return nil, invalid("The partition for a sink connector offset must contain the keys '%s' and '%s'", topicKey, partitionKey)
		case topic == nil:
			return nil, invalid("Kafka topic names must be valid strings and may not be null")
		case number == nil:
			return nil, invalid("Kafka partitions must be valid numbers and may not be null")
		}
		n, err := strconv.ParseInt(java(number), 10, 32)
		if err != nil {
			return nil, invalid("Failed to parse the following Kafka partition value in the provided offsets: '%.100s'. Partition values for sink connectors need to be integers.", java(number))
		}
		tp := kafkaio.TopicPartition{Topic: java(topic), Partition: int32(n)}
		if o == nil {
			out[tp] = nil
			continue
		}
		value, ok := o[offsetKey]
		if !ok {
			return nil, invalid("The offset for a sink connector should either be null or contain the key '%s'", offsetKey)
		}
		offset, err := strconv.ParseInt(java(value), 10, 64)
		if err != nil {
			return nil, invalid("Failed to parse the following Kafka offset value in the provided offsets: '%.100s'. Offset values for sink connectors need to be integers.", java(value))
		}
		out[tp] = &offset
	}
	return out, nil
}

// java is String.valueOf.
func java(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// text is an object as JSON, in the bytes of Kafka Connect's topics; nil is absent.
func text(m map[string]any) (*string, error) {
	if m == nil {
		return nil, nil
	}
	b, err := topics.AppendOffsetValue(nil, m)
	if err != nil {
		return nil, err
	}
	s := string(b)
	return &s, nil
}
