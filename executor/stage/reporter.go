package stage

import (
	"context"
	"sync"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/kafkaio"
)

// sinkTask is the class that is at work in the stage TASK_PUT.
const sinkTask = "org.apache.kafka.connect.sink.SinkTask"

// Reporter is a sink task's connectors.ErrantRecordReporter. Safe for concurrent use: a task may report from goroutines
// of its own, while the loop converts or puts.
type Reporter struct {
	sink *Sink

	mu       sync.Mutex     // held during Convert: converters are not safe for concurrent use
	batch    *kafkaio.Batch // during Put
	exceeded error          // of the first report that was not tolerated
}

// begun says that b is converted, and is being put; r is locked.
func (r *Reporter) begun(b *kafkaio.Batch) {
	r.batch = b
	r.mu.Unlock()
}

// End says that Put has returned: the batch's memory is used again. The error is that of a report that errors.tolerance
// does not allow: the task fails also where the plugin did not pass it on.
func (r *Reporter) End() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch = nil
	return r.exceeded
}

// Report implements connectors.ErrantRecordReporter.
func (r *Reporter) Report(ctx context.Context, rec *connectors.SinkRecord, cause error) (*connectors.Reported, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	original := r.original(rec)
	if original == nil {
		var err error
		if original, err = r.serialize(rec); err != nil {
			return nil, err
		}
	}
	rep, err := r.sink.op.Report(ctx, TaskPut, sinkTask, sinkPlace(original), cause)
	if err != nil && r.exceeded == nil && ctx.Err() == nil {
		r.exceeded = err
	}
	return rep, err
}

// original is the consumed record that a record of the batch under way was made of; nil where there is none, or not one
// alone (transforms that give records of several topics one name).
func (r *Reporter) original(rec *connectors.SinkRecord) (found *kafkaio.Record) {
	if r.batch == nil {
		return nil
	}
	s := r.sink
	for at, i := range s.origin {
		c := &r.batch.Records[i]
		topic, partition := c.Topic, c.Partition
		if s.chain != nil {
			t := &s.chain.records[at]
			if t.Dropped {
				continue
			}
			topic, partition = t.Topic, t.Partition
		}
		if c.Offset != rec.Offset || partition != rec.Partition || topic != rec.Topic {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

// serialize makes a record as it might have been consumed.
func (r *Reporter) serialize(rec *connectors.SinkRecord) (*kafkaio.Record, error) {
	conv := &r.sink.conv
	out := &kafkaio.Record{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp, TimestampType: rec.TimestampType}
	buf, null, err := conv.Key.FromData(nil, rec.Topic, rec.KeySchema, rec.Key)
	if err != nil {
		return nil, err
	}
	out.Key = cut(buf, 0, null)
	if buf, null, err = conv.Value.FromData(nil, rec.Topic, rec.ValueSchema, rec.Value); err != nil {
		return nil, err
	}
	out.Value = cut(buf, 0, null)
	for i := range rec.Headers {
		h := &rec.Headers[i]
		if buf, null, err = conv.Header.FromData(nil, rec.Topic, h.Key, h.Schema, h.Value); err != nil {
			return nil, err
		}
		out.Headers = append(out.Headers, kafkaio.Header{Key: h.Key, Value: cut(buf, 0, null)})
	}
	return out, nil
}

var _ connectors.ErrantRecordReporter = (*Reporter)(nil)
