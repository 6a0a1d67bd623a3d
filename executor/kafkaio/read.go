package kafkaio

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sluice-project/sluice/internal/clock"
)

// ReadOptions are those of ReadToEnd.
type ReadOptions struct {
	// Isolation is isolation.level; default read_committed.
	Isolation string
	// Progress is how long a partition that is not at its end may bring nothing; default 30 s.
	Progress time.Duration
	// From is where to begin, by partition; those it does not name, and those where it is out of range, are read from
	// their beginning.
	From   map[int32]int64
	Logger *slog.Logger
}

// Reader reads a topic to its end again and again, over one client and its connections. It belongs to one goroutine.
type Reader struct {
	consumer
	topic string
	opts  ReadOptions
}

// NewReader returns a reader of a topic. From of opts is not looked at. It does not wait for Kafka.
func NewReader(client Client, topic string, opts ReadOptions) (*Reader, error) {
	r := &Reader{topic: topic, opts: opts}
	if err := r.reader(client, &r.opts, true); err != nil {
		return nil, err
	}
	return r, nil
}

// ReadToEnd is Reader.ToEnd for one reading.
func ReadToEnd(ctx context.Context, client Client, topic string, opts ReadOptions, fn func(Record) error) (map[int32]int64, error) {
	r, err := NewReader(client, topic, opts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.ToEnd(ctx, opts.From, fn)
}

// ToEnd reads every record of the topic, in each partition's order, up to an end that is not older than the call. The
// record's bytes are valid until fn returns; fn's error ends the reading and is returned. It needs no group. from is where
// to begin, by partition, as in ReadOptions. It returns where the next reading may begin, by partition. Where nothing is new
// that costs two requests and fetches nothing. After an error the reader can only be closed.
func (c *Reader) ToEnd(ctx context.Context, from map[int32]int64, fn func(Record) error) (map[int32]int64, error) {
	open, err := c.partitions(ctx, c.topic, c.opts)
	if err != nil {
		return nil, err
	}
	// A committed reader is told of an end where the first open transaction begins. What is committed behind it has to be
	// waited for: it may be what the caller is after.
	ends, err := c.ends(ctx, c.topic, open, c.opts)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(from)
	if next == nil {
		next = map[int32]int64{}
	}
	for p, end := range ends {
		if begin, known := from[p]; known && begin == end || end == 0 {
			delete(open, p)
			next[p] = end
		}
	}
	if len(open) == 0 {
		return next, nil
	}
	if err := c.begin(c.topic, open, from); err != nil {
		return nil, err
	}
	if err := c.read(ctx, open, ends, next, fn); err != nil {
		return nil, err
	}
	if err := c.c.Unassign(); err != nil {
		return nil, fmt.Errorf("reading topic %q: %w", c.topic, wrap(err))
	}
	return next, nil
}

// read reads until no partition is open, and keeps in next where each one's reading ended.
func (c *Reader) read(ctx context.Context, open map[int32]bool, ends, next map[int32]int64, fn func(Record) error) error {
	now := clock.Real().Boot
	moved := map[int32]time.Duration{}
	for p := range open {
		moved[p] = now()
	}
	held := map[int32]bool{}
	c.onEOF = func(tp TopicPartition, offset int64) {
		if held[tp.Partition] = offset < ends[tp.Partition]; !held[tp.Partition] {
			delete(open, tp.Partition)
			next[tp.Partition] = offset
		}
	}
	var b Batch
	for len(open) > 0 {
		if err := c.serve(); err != nil {
			return fmt.Errorf("reading topic %q: %w", c.topic, err)
		}
		if err := c.take(&b); err != nil {
			return err
		}
		for i := range b.Records {
			r := &b.Records[i]
			if err := fn(*r); err != nil {
				return err
			}
			moved[r.Partition], next[r.Partition] = now(), r.Offset+1
		}
		if len(b.Records) > 0 {
			continue
		}
		if ctx.Err() != nil {
			return ended(ctx, fmt.Sprintf("reading topic %q", c.topic))
		}
		if late := overdue(open, held, moved, now(), c.opts.Progress); len(late) > 0 {
			if held[late[0]] {
				return fmt.Errorf("reading topic %q: partitions %v have a transaction that is open for %v: %w", c.topic, late, openWait, ErrTimeout)
			}
			return fmt.Errorf("reading topic %q: partitions %v brought nothing for %v: %w%s", c.topic, late, c.opts.Progress, ErrTimeout, c.hint())
		}
		if len(open) > 0 {
			c.wake.wait(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// Close ends the client within ten seconds.
func (c *Reader) Close() error { return c.shut() }

// Follow reads every record of a topic as ReadToEnd does, and goes on with those that come, until ctx ends: then it
// returns nil. An error of fn ends it too, and one of the client that does not heal by itself.
func Follow(ctx context.Context, client Client, topic string, opts ReadOptions, fn func(Record) error) error {
	var c consumer
	if err := c.reader(client, &opts, false); err != nil {
		return err
	}
	defer func() { _ = c.shut() }()
	open, err := c.partitions(ctx, topic, opts)
	if err != nil {
		return err
	}
	if err := c.begin(topic, open, opts.From); err != nil {
		return err
	}
	var b Batch
	for ctx.Err() == nil {
		if err := c.serve(); err != nil {
			return fmt.Errorf("following topic %q: %w", topic, err)
		}
		if err := c.take(&b); err != nil {
			return err
		}
		for i := range b.Records {
			if err := fn(b.Records[i]); err != nil {
				return err
			}
		}
		if len(b.Records) == 0 {
			c.wake.wait(ctx, time.Second)
		}
	}
	return nil
}

// reader opens a consumer without a group. toEnd: c is told of each partition's end.
func (c *consumer) reader(client Client, opts *ReadOptions, toEnd bool) error {
	if opts.Isolation == "" {
		opts.Isolation = "read_committed"
	}
	if opts.Progress <= 0 {
		opts.Progress = 30 * time.Second
	}
	conf, err := configMap(RoleConsumer, client, "", nil)
	if err != nil {
		return err
	}
	delete(conf, "group.instance.id")
	conf["group.id"] = "sluice-reader" // never joined: confluent-kafka-go asks for one
	conf["isolation.level"], conf["auto.offset.reset"] = opts.Isolation, "earliest"
	if toEnd {
		conf["enable.partition.eof"] = "true"
		// An empty partition's end is told by an empty answer: with the default the broker keeps that back for half a second,
		// and a source waits for it before its first record (measured on 25 partitions: 1.07 s so, 0.09 s with this).
		conf["fetch.wait.max.ms"] = 10
	}
	if err := c.open(conf, 1000, opts.Logger); err != nil {
		return err
	}
	c.groupless = true
	return nil
}

// openWait is how long a transaction of somebody else may keep a reader from a partition's end: longer than Kafka lets it
// be open (transaction.timeout.ms, a minute by default), and looks for those that are (ten seconds).
const openWait = 90 * time.Second

// overdue are the partitions that brought nothing for too long; held ones have a transaction open before their end.
func overdue(open, held map[int32]bool, moved map[int32]time.Duration, now, progress time.Duration) (late []int32) {
	for p := range open {
		limit := progress
		if held[p] {
			limit = max(openWait, progress)
		}
		if now-moved[p] > limit {
			late = append(late, p)
		}
	}
	slices.Sort(late)
	return late
}

// ends are where the partitions end, whatever transactions are open.
func (c *consumer) ends(ctx context.Context, topic string, open map[int32]bool, opts ReadOptions) (map[int32]int64, error) {
	out := map[int32]int64{}
	if len(open) == 0 {
		return out, nil
	}
	a, err := kafka.NewAdminClientFromConsumer(c.c)
	if err != nil {
		return nil, wrap(err)
	}
	defer a.Close()
	ask := map[kafka.TopicPartition]kafka.OffsetSpec{}
	for p := range open {
		ask[kafka.TopicPartition{Topic: &topic, Partition: p}] = kafka.LatestOffsetSpec
	}
	limit, cancel := context.WithTimeout(ctx, opts.Progress)
	defer cancel()
	for {
		err := listEnds(limit, a, ask, out)
		c.drainLogs()
		if err == nil {
			return out, nil
		}
		// Of a topic that was just made, leaders are not known everywhere yet.
		if !Retriable(err) || limit.Err() != nil {
			return nil, fmt.Errorf("reading topic %q: asking where it ends: %w%s", topic, err, c.hint())
		}
		c.wake.wait(limit, 100*time.Millisecond)
	}
}

func listEnds(ctx context.Context, a *kafka.AdminClient, ask map[kafka.TopicPartition]kafka.OffsetSpec, out map[int32]int64) error {
	r, err := a.ListOffsets(ctx, ask, kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadUncommitted), kafka.SetAdminRequestTimeout(time.Duration(millis(ctx))*time.Millisecond))
	if err != nil {
		return wrap(err)
	}
	for tp, info := range r.ResultInfos {
		if err := wrap(info.Error); err != nil {
			return fmt.Errorf("partition %d: %w", tp.Partition, err)
		}
		out[tp.Partition] = int64(info.Offset)
	}
	return nil
}

// partitions are those of a topic.
func (c *consumer) partitions(ctx context.Context, topic string, opts ReadOptions) (map[int32]bool, error) {
	wait, cancel := context.WithTimeout(ctx, opts.Progress)
	defer cancel()
	md, err := c.c.GetMetadata(&topic, false, millis(wait))
	c.drainLogs()
	if err != nil {
		return nil, fmt.Errorf("reading topic %q: %w%s", topic, wrap(err), c.hint())
	}
	t, ok := md.Topics[topic]
	if !ok || t.Error.Code() == kafka.ErrUnknownTopicOrPart || t.Error.Code() == kafka.ErrUnknownTopic {
		return nil, fmt.Errorf("topic %q: %w", topic, ErrUnknownTopic)
	}
	if t.Error.Code() != kafka.ErrNoError {
		return nil, fmt.Errorf("reading topic %q: %w", topic, wrap(t.Error))
	}
	out := map[int32]bool{}
	for _, p := range t.Partitions {
		out[p.ID] = true
	}
	return out, nil
}

// begin assigns partitions of a topic.
func (c *consumer) begin(topic string, open map[int32]bool, from map[int32]int64) error {
	var parts []kafka.TopicPartition
	for p := range open {
		forward(c.rk, TopicPartition{Topic: topic, Partition: p}, c.data.q)
		at := kafka.OffsetBeginning
		if o, ok := from[p]; ok {
			at = kafka.Offset(o)
		}
		parts = append(parts, kafka.TopicPartition{Topic: &topic, Partition: p, Offset: at})
	}
	if err := c.c.Assign(parts); err != nil {
		return fmt.Errorf("reading topic %q: %w", topic, wrap(err))
	}
	return nil
}

// hint is the client's last complaint: it says why nothing came.
func (c *consumer) hint() string {
	c.drainLogs()
	if c.lastLog == "" {
		return ""
	}
	return " (" + strings.TrimSpace(c.lastLog) + ")"
}
