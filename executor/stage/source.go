package stage

import (
	"context"
	"fmt"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/connectors/transform"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/logkey"
)

// Mark is what the ledger has to know of a message.
type Mark struct {
	Partition connectors.PartitionRef
	// Offset outlives the batch that it came in.
	Offset connectors.SourceOffset
	// Size is that of key, value and headers, in bytes.
	Size int
	// Dropped marks a record that was filtered or skipped and has no message. Its offset is committed with a later
	// record's of its partition, as Kafka Connect does.
	Dropped bool
}

// Outgoing is a converted batch: Marks has one entry for each record, Messages one for each that was not dropped.
// It is reused; the messages' bytes are valid until the next Convert or until the source batch is reset.
type Outgoing struct {
	Messages []kafkaio.Message
	Marks    []Mark
	buf      []byte
	headers  []kafkaio.Header
}

func (o *Outgoing) reset() {
	clear(o.Messages) // their bytes belong to the plugin's batch
	clear(o.Marks)
	clear(o.headers)
	o.Messages, o.Marks, o.buf, o.headers = o.Messages[:0], o.Marks[:0], o.buf[:0], o.headers[:0]
}

// Source converts what a source task polled.
type Source struct {
	conv             Converters
	chain            *Chain
	op               *Operator
	rawKey, rawValue bool
	onTopic          func(ctx context.Context, topic string) error
	topics, keys     interner
	changed          connectors.SourceRecord // the transformed record that is being converted
}

// NewSource returns the stage of one task; chain is nil without transforms. onTopic is called once for each topic, before its first record
// is handed on, with a context that ends when the task stops; its error fails the task. It may be nil.
func NewSource(conv Converters, chain *Chain, op *Operator, onTopic func(ctx context.Context, topic string) error) *Source {
	return &Source{conv: conv, chain: chain, op: op, rawKey: converter.Raw(conv.Key), rawValue: converter.Raw(conv.Value), onTopic: onTopic}
}

// Convert fills out from b: transforms, headers, key, value. ctx ends waits between retries; then, and after any
// error, out is of no use.
func (s *Source) Convert(ctx context.Context, b *connectors.SourceBatch, out *Outgoing) error {
	out.reset()
	var changed []transform.Record
	if s.chain != nil {
		changed = s.chain.begin(len(b.Records))
		for i := range b.Records {
			r, t := &b.Records[i], &changed[i] // field by field, as data.AppendEntry does
			t.Topic, t.Partition, t.Timestamp, t.Offset, t.KeySchema, t.Key = r.Topic, r.KafkaPartition, r.Timestamp, transform.NoOffset, r.KeySchema, r.Key
			t.ValueSchema, t.Value, t.Headers = r.ValueSchema, r.Value, r.Headers
		}
		if err := s.chain.run(ctx, s.op, func(i int) Place { return sourcePlace(b, &b.Records[i]) }); err != nil {
			return err
		}
	}
	for i := range b.Records {
		r := &b.Records[i]
		if changed != nil {
			t := &changed[i]
			if t.Dropped {
				out.Marks = append(out.Marks, Mark{Partition: r.Partition, Offset: s.own(r.Offset), Dropped: true})
				continue
			}
			c := &s.changed
			c.Partition, c.Offset, c.Topic, c.KafkaPartition, c.Timestamp = r.Partition, r.Offset, t.Topic, t.Partition, t.Timestamp
			c.KeySchema, c.Key, c.ValueSchema, c.Value, c.Headers = t.KeySchema, t.Key, t.ValueSchema, t.Value, t.Headers
			r = c
		}
		topic, fresh := s.topics.get(r.Topic)
		if topic == "" {
			return fmt.Errorf("%w: record %d of the batch names no topic", ErrRecord, i)
		}
		if r.Timestamp < connectors.NoTimestamp {
			return fmt.Errorf("%w: record %d for topic %q has the timestamp %d: use a time of at least 0, or NoTimestamp", ErrRecord, i, topic, r.Timestamp)
		}
		if fresh && s.onTopic != nil {
			if err := s.onTopic(ctx, topic); err != nil {
				s.topics.forget(topic)
				return err
			}
		}
		m := kafkaio.Message{Topic: topic, Partition: r.KafkaPartition, Timestamp: r.Timestamp}
		buf, heads := len(out.buf), len(out.headers)
		stage, class, err := s.record(r, topic, &m, out)
		if err != nil {
			ok, err := s.op.Failed(ctx, stage, class, func() Place { return sourcePlace(b, r) }, err, func() error {
				out.buf, out.headers = out.buf[:buf], out.headers[:heads]
				_, _, err := s.record(r, topic, &m, out)
				return err
			})
			if err != nil {
				return err
			}
			if !ok {
				out.buf, out.headers = out.buf[:buf], out.headers[:heads]
				out.Marks = append(out.Marks, Mark{Partition: r.Partition, Offset: s.own(r.Offset), Dropped: true})
				continue
			}
		}
		size := len(m.Key) + len(m.Value)
		for j := range m.Headers {
			size += len(m.Headers[j].Key) + len(m.Headers[j].Value)
		}
		out.Messages = append(out.Messages, m)
		out.Marks = append(out.Marks, Mark{})
		mark := &out.Marks[len(out.Marks)-1]
		mark.Partition, mark.Offset, mark.Size = r.Partition, s.own(r.Offset), size
	}
	return nil
}

// record converts one record: headers, key, value, as Kafka Connect orders them. Slices of out.buf stay
// right when it grows: the old array is kept alive by them.
func (s *Source) record(r *connectors.SourceRecord, topic string, m *kafkaio.Message, out *Outgoing) (stage, class string, err error) {
	first := len(out.headers)
	for i := range r.Headers {
		h := &r.Headers[i]
		at := len(out.buf)
		buf, null, err := s.conv.Header.FromData(out.buf, topic, h.Key, h.Schema, h.Value)
		if err != nil {
			return HeaderConverter, s.conv.HeaderClass, fmt.Errorf("header %q: %w", h.Key, err)
		}
		out.buf = buf
		out.headers = append(out.headers, kafkaio.Header{Key: h.Key, Value: cut(buf, at, null)})
	}
	m.Headers = nil
	if len(out.headers) > first {
		m.Headers = out.headers[first:len(out.headers):len(out.headers)]
	}
	if m.Key, err = convert(s.conv.Key, s.rawKey, out, topic, r.KeySchema, r.Key); err != nil {
		return KeyConverter, s.conv.KeyClass, err
	}
	if m.Value, err = convert(s.conv.Value, s.rawValue, out, topic, r.ValueSchema, r.Value); err != nil {
		return ValueConverter, s.conv.ValueClass, err
	}
	return "", "", nil
}

func convert(c converter.Converter, raw bool, out *Outgoing, topic string, schema *data.Schema, v data.Value) ([]byte, error) {
	// Bytes that nobody looks into are handed on as they are; the producer copies them.
	if raw && v.Kind() == data.KindBytes && (schema == nil || schema.Type == data.KindBytes && schema.Name == "") {
		return v.Bytes(), nil
	}
	at := len(out.buf)
	buf, null, err := c.FromData(out.buf, topic, schema, v)
	if err != nil {
		return nil, err
	}
	out.buf = buf
	return cut(buf, at, null), nil
}

// cut is what was appended to buf since at: nil only for null.
func cut(buf []byte, at int, null bool) []byte {
	if null {
		return nil
	}
	if len(buf) == at {
		return []byte{}
	}
	return buf[at:len(buf):len(buf)]
}

// own copies what of an offset points into the batch.
func (s *Source) own(o connectors.SourceOffset) connectors.SourceOffset {
	o.Key, _ = s.keys.get(o.Key)
	if o.Value.Kind() >= data.KindString {
		o.Value = data.Clone(o.Value)
	}
	return o
}

func sourcePlace(b *connectors.SourceBatch, r *connectors.SourceRecord) Place {
	return Place{Topic: r.Topic, Offset: -1, Details: func() []any {
		attrs := []any{logkey.Partition, r.KafkaPartition, "timestamp", r.Timestamp, "sourcePartition", b.PartitionMap(r.Partition),
			"sourceOffset", r.Offset.Key + "=" + r.Offset.Value.GoString(), "keySchema", schemaName(r.KeySchema), "key", r.Key.GoString(),
			"valueSchema", schemaName(r.ValueSchema), "value", r.Value.GoString()}
		for i := range r.Headers {
			attrs = append(attrs, "header."+r.Headers[i].Key, r.Headers[i].Value.GoString())
		}
		return attrs
	}}
}

func schemaName(s *data.Schema) string {
	if s == nil {
		return "null"
	}
	return s.Type.String()
}

// maxInterned bounds an interner: beyond it, it begins anew.
const maxInterned = 10_000

// interner gives equal strings one copy of their own. The last one costs no lookup.
type interner struct {
	last string
	all  map[string]string
}

func (n *interner) get(s string) (own string, fresh bool) {
	if s == n.last {
		return n.last, false
	}
	if s == "" {
		return "", false
	}
	own, ok := n.all[s]
	if !ok {
		if n.all == nil || len(n.all) >= maxInterned {
			n.all = map[string]string{}
		}
		own = string(append([]byte(nil), s...))
		n.all[own] = own
	}
	n.last = own
	return own, !ok
}

func (n *interner) forget(s string) {
	delete(n.all, s)
	n.last = ""
}
