package stage

import (
	"context"
	"fmt"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/connectors/data"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// Sink converts what was consumed for a sink task.
type Sink struct {
	conv             Converters
	chain            *Chain
	op               *Operator
	rawKey, rawValue bool
	arena            data.Arena // of what the converters make
	headers          data.Headers
	origin           []int // of each converted record, its place in the consumed batch
	onTopic          func(topic string)
	topics           interner
	reporter         *Reporter // nil where nobody is told
}

// NewSink returns the stage of one task; chain is nil without transforms. onTopic is called once for each topic; it may be nil.
func NewSink(conv Converters, chain *Chain, op *Operator, onTopic func(topic string)) *Sink {
	s := &Sink{conv: conv, chain: chain, op: op, rawKey: converter.Raw(conv.Key), rawValue: converter.Raw(conv.Value), onTopic: onTopic}
	for _, c := range []converter.Converter{conv.Key, conv.Value} {
		if b, ok := c.(converter.Borrower); ok {
			b.Borrow(&s.arena)
		}
	}
	if op.Reports() {
		s.reporter = &Reporter{sink: s}
	}
	return s
}

// Reporter is what the task reports errant records to; nil where nobody is told of them.
func (s *Sink) Reporter() *Reporter { return s.reporter }

// Convert fills out from b: key, value, headers, transforms, as Kafka Connect orders them. The values may point into
// b's bytes. ctx ends waits between retries; after an error out is of no use. Skipped records are missing
// from out; their offsets are committed all the same. again says that b, or what is left of it, comes once more: what was
// skipped of it was reported, and is not tried again.
func (s *Sink) Convert(ctx context.Context, b *kafkaio.Batch, again bool, out *connectors.SinkBatch) error {
	if s.reporter != nil {
		s.reporter.mu.Lock()
		defer s.reporter.begun(b)
	}
	if !again {
		clear(s.op.noted)
	}
	noted := len(s.op.noted) > 0
	s.arena.Reset()
	clear(out.Records)
	clear(s.headers)
	out.Records, s.headers, s.origin = out.Records[:0], s.headers[:0], s.origin[:0]
	place := func(i int) Place { return sinkPlace(&b.Records[i]) }
	for i := range b.Records {
		r := &b.Records[i]
		if topic, fresh := s.topics.get(r.Topic); fresh && s.onTopic != nil {
			s.onTopic(topic)
		}
		if noted {
			if _, skipped := s.op.noted[coordinatesOf(r)]; skipped {
				continue
			}
		}
		out.Records = append(out.Records, connectors.SinkRecord{})
		to := &out.Records[len(out.Records)-1] // field by field, as data.AppendEntry does
		to.Topic, to.Partition, to.Offset, to.Timestamp, to.TimestampType = r.Topic, r.Partition, r.Offset, r.Timestamp, r.TimestampType
		s.origin = append(s.origin, i)
		heads := len(s.headers)
		stage, class, err := s.record(r, to)
		if err == nil {
			continue
		}
		ok, err := s.op.Failed(ctx, stage, class, func() Place { return place(i) }, err, func() error {
			s.headers = s.headers[:heads]
			_, _, err := s.record(r, to)
			return err
		})
		if err != nil {
			return fmt.Errorf("record of topic %q, partition %d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		if !ok {
			out.Records, s.headers, s.origin = out.Records[:len(out.Records)-1], s.headers[:heads], s.origin[:len(s.origin)-1]
		}
	}
	if s.chain == nil {
		return nil
	}
	return s.transform(ctx, out, place)
}

// transform transforms what was converted, and takes out what the transforms drop.
func (s *Sink) transform(ctx context.Context, out *connectors.SinkBatch, place func(i int) Place) error {
	changed := s.chain.begin(len(out.Records))
	for i := range out.Records {
		r, t := &out.Records[i], &changed[i]
		t.Topic, t.Partition, t.Timestamp, t.Offset, t.KeySchema, t.Key = r.Topic, r.Partition, r.Timestamp, r.Offset, r.KeySchema, r.Key
		t.ValueSchema, t.Value, t.Headers = r.ValueSchema, r.Value, r.Headers
	}
	if err := s.chain.run(ctx, s.op, func(i int) Place { return place(s.origin[i]) }); err != nil {
		return err
	}
	n := 0
	for i := range changed {
		t := &changed[i]
		if t.Dropped {
			continue
		}
		r := &out.Records[n]
		if n != i {
			*r = out.Records[i]
		}
		r.Topic, r.Partition, r.Timestamp, r.KeySchema, r.Key = t.Topic, t.Partition, t.Timestamp, t.KeySchema, t.Key
		r.ValueSchema, r.Value, r.Headers = t.ValueSchema, t.Value, t.Headers
		n++
	}
	clear(out.Records[n:])
	out.Records = out.Records[:n]
	return nil
}

func sinkPlace(r *kafkaio.Record) Place {
	return Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r, Details: func() []any {
		return []any{"timestamp", r.Timestamp, "timestampType", [...]string{"NoTimestampType", "CreateTime", "LogAppendTime"}[r.TimestampType]}
	}}
}

func (s *Sink) record(r *kafkaio.Record, to *connectors.SinkRecord) (stage, class string, err error) {
	if s.rawKey && r.Key != nil {
		to.KeySchema, to.Key = data.OptionalBytesSchema, data.Bytes(r.Key)
	} else if to.KeySchema, to.Key, err = s.conv.Key.ToData(r.Topic, r.Key); err != nil {
		return KeyConverter, s.conv.KeyClass, err
	}
	if s.rawValue && r.Value != nil {
		to.ValueSchema, to.Value = data.OptionalBytesSchema, data.Bytes(r.Value)
	} else if to.ValueSchema, to.Value, err = s.conv.Value.ToData(r.Topic, r.Value); err != nil {
		return ValueConverter, s.conv.ValueClass, err
	}
	first := len(s.headers)
	for i := range r.Headers {
		h := &r.Headers[i]
		schema, v, err := s.conv.Header.ToData(r.Topic, h.Key, h.Value)
		if err != nil {
			return HeaderConverter, s.conv.HeaderClass, fmt.Errorf("header %q: %w", h.Key, err)
		}
		s.headers = append(s.headers, data.Header{Key: h.Key, Schema: schema, Value: v})
	}
	to.Headers = nil
	if len(s.headers) > first {
		to.Headers = s.headers[first:len(s.headers):len(s.headers)]
	}
	return "", "", nil
}
