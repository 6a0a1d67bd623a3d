package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/javaregex"
	"github.com/sluice-project/sluice/internal/run"
)

// RebalanceListener is told of partitions. It is called inside Poll, Leave and Close, by their caller.
type RebalanceListener interface {
	// Assigned comes before the first record. The partitions are not paused, whatever they were in an earlier assignment.
	Assigned(tps []TopicPartition)
	// Revoked comes while offsets of the partitions can still be committed; inside Close they cannot.
	Revoked(tps []TopicPartition)
	// Lost comes instead of Revoked where they belong to somebody else already.
	Lost(tps []TopicPartition)
}

// ConsumerConfig is what a consumer needs.
type ConsumerConfig struct {
	Client Client
	// Group is group.id; InstanceID, where not empty, makes it a static member; ClientID is client.id.
	Group, InstanceID, ClientID string
	// Topics or TopicsRegex say what to read. The regex is Java's and has to match the whole name; it is
	// matched here, and not by librdkafka, again whenever metadata is refreshed (metadata.max.age.ms).
	Topics      []string
	TopicsRegex string
	Rebalance   RebalanceListener
	// MaxPoll bounds a batch; default max.poll.records of Client, or 500.
	MaxPoll int
	Logger  *slog.Logger
}

// Consumer reads as a member of a group. It belongs to one goroutine.
type Consumer struct {
	consumer
	cfg      ConsumerConfig
	assigned []TopicPartition
	begun    bool // it has subscribed
	joined   bool
	regex    *javaregex.Regex
	topics   []string
	metadata chan []string
	refresh  time.Duration
	due      time.Duration
	asking   bool
}

// consumer is the client with its data queue, without a group.
type consumer struct {
	c             *kafka.Consumer
	rk            handle
	data          fetched
	events, logs  queueHandle
	wake          *waker
	log           *slog.Logger
	group         *run.Group
	closed, fatal bool
	groupless     bool // a reader: its group.id stands for nothing
	names         map[string]string
	position      map[TopicPartition]int64
	onEOF         func(tp TopicPartition, offset int64)
	lastLog       string
}

// NewConsumer makes a member of a group; the first Poll joins it, and nothing before. It does not wait for Kafka.
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	conf, err := configMap(RoleConsumer, cfg.Client, cfg.ClientID, cfg.Logger)
	if err != nil {
		return nil, err
	}
	conf["group.id"] = cfg.Group
	if cfg.InstanceID != "" {
		conf["group.instance.id"] = cfg.InstanceID
	}
	if cfg.MaxPoll <= 0 {
		cfg.MaxPoll = 500
		if v := cfg.Client["max.poll.records"]; v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%w: max.poll.records: %q is not a number of at least 1", ErrConfig, v)
			}
			cfg.MaxPoll = n
		}
	}
	c := &Consumer{cfg: cfg, metadata: make(chan []string, 1), refresh: 5 * time.Minute}
	if ms, err := strconv.Atoi(cfg.Client["metadata.max.age.ms"]); err == nil && ms > 0 {
		c.refresh = time.Duration(ms) * time.Millisecond
	}
	if cfg.TopicsRegex != "" {
		if c.regex, err = javaregex.Compile(cfg.TopicsRegex); err != nil {
			return nil, fmt.Errorf("%w: topics.regex %q: %w", ErrConfig, cfg.TopicsRegex, err)
		}
	}
	if err := c.open(conf, cfg.MaxPoll, cfg.Logger); err != nil {
		return nil, err
	}
	return c, nil
}

// Listen sets the listener, before the first Poll.
func (c *Consumer) Listen(l RebalanceListener) { c.cfg.Rebalance = l }

// Connect waits until a broker has answered, so that the first Poll finds the connections open. It joins nothing.
func (c *Consumer) Connect(ctx context.Context) error {
	var topic *string
	if len(c.cfg.Topics) > 0 {
		topic = &c.cfg.Topics[0]
	}
	_, err := c.c.GetMetadata(topic, false, millis(ctx))
	c.drainLogs()
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w%s", wrap(err), c.hint())
	}
	return nil
}

func (c *consumer) open(conf kafka.ConfigMap, limit int, log *slog.Logger) error {
	conf["go.application.rebalance.enable"] = true
	w, err := newWaker()
	if err != nil {
		return err
	}
	kc, err := kafka.NewConsumer(&conf)
	if err != nil {
		w.close()
		return fmt.Errorf("%w: %w", ErrConfig, wrap(err))
	}
	rk := rkOf(kc)
	*c = consumer{c: kc, rk: rk, data: newFetched(queueNew(rk), limit), logs: queueNew(rk), events: queueConsumer(rk), wake: w, log: log,
		group: run.New(context.Background(), "kafka-consumer"), names: map[string]string{}, position: map[TopicPartition]int64{}}
	setLogQueue(rk, c.logs)
	queueWake(c.data.q, w.fd)
	queueWake(c.events, w.fd)
	return nil
}

func (c *Consumer) subscribe(topics []string) error {
	c.topics = topics
	if len(topics) == 0 {
		return wrap(c.c.Unsubscribe())
	}
	if err := c.c.SubscribeTopics(topics, c.rebalance); err != nil {
		return fmt.Errorf("subscribing to %q: %w", topics, wrap(err))
	}
	return nil
}

// rebalance is called by confluent-kafka-go inside its Poll, by our caller's goroutine.
func (c *Consumer) rebalance(kc *kafka.Consumer, ev kafka.Event) error {
	cooperative := kc.GetRebalanceProtocol() == "COOPERATIVE"
	switch e := ev.(type) {
	case kafka.AssignedPartitions:
		c.joined = true
		tps := partitions(e.Partitions)
		// Before the assign, so that no record ever comes by the client's own queue (D5).
		for _, tp := range tps {
			forward(c.rk, tp, c.data.q)
			delete(c.position, tp)
		}
		// librdkafka keeps a pause beyond the assignment that it was made in.
		if err := c.Resume(tps); err != nil {
			return err
		}
		if !cooperative {
			c.assigned = nil
		}
		c.assigned = append(c.assigned, tps...)
		err := error(nil)
		if cooperative {
			err = kc.IncrementalAssign(e.Partitions)
		} else {
			err = kc.Assign(e.Partitions)
		}
		if err != nil {
			return err
		}
		if c.cfg.Rebalance != nil {
			c.cfg.Rebalance.Assigned(tps)
		}
	case kafka.RevokedPartitions:
		tps := partitions(e.Partitions)
		if c.cfg.Rebalance != nil && len(tps) > 0 {
			if kc.AssignmentLost() {
				c.cfg.Rebalance.Lost(tps)
			} else {
				c.cfg.Rebalance.Revoked(tps)
			}
		}
		for _, tp := range tps {
			delete(c.position, tp)
		}
		c.assigned = slices.DeleteFunc(c.assigned, func(tp TopicPartition) bool { return slices.Contains(tps, tp) })
		if cooperative {
			return kc.IncrementalUnassign(e.Partitions)
		}
		return kc.Unassign()
	}
	return nil
}

// Poll serves the group and fills b with what is there, waiting up to wait for the first record. An empty
// batch is no error. Rebalances are served before records are taken, so b never has records of partitions
// that were revoked. An error that wraps ErrFenced says that another instance took this member's place.
func (c *Consumer) Poll(ctx context.Context, wait time.Duration, b *Batch) error {
	if c.closed {
		return ErrClosed
	}
	if !c.begun {
		c.begun = true
		if c.regex == nil {
			if err := c.subscribe(c.cfg.Topics); err != nil {
				return err
			}
		}
	}
	for try := 0; ; try++ {
		if err := c.match(); err != nil {
			return err
		}
		if err := c.serve(); err != nil {
			c.lose()
			return err
		}
		if err := c.take(b); err != nil || len(b.Records) > 0 || try > 0 || ctx.Err() != nil {
			return err
		}
		c.wake.wait(ctx, wait)
	}
}

// lose tells the listener what a fatal error took away: librdkafka then unassigns without a word.
func (c *Consumer) lose() {
	tps := c.assigned
	if !c.fatal || len(tps) == 0 {
		return
	}
	if c.assigned = nil; c.cfg.Rebalance != nil {
		c.cfg.Rebalance.Lost(tps)
	}
}

// serve takes the events of the group, without waiting.
func (c *consumer) serve() error {
	for range 100 {
		switch e := c.c.Poll(0).(type) {
		case nil:
			return nil
		case kafka.Error:
			if c.groupless && e.Code() == kafka.ErrGroupAuthorizationFailed {
				continue // librdkafka looks for the coordinator of a group that is never joined
			}
			if e.IsFatal() || refused(e.Code()) {
				c.fatal = c.fatal || e.IsFatal()
				return wrap(e)
			}
			logEvent(c.log, nativeEvent{text: e.Error()})
		case kafka.OffsetsCommitted:
			if e.Error != nil {
				logEvent(c.log, nativeEvent{text: "committing offsets: " + e.Error.Error()})
			}
		}
	}
	return nil
}

// take fills b with what the data queue has, without waiting.
func (c *consumer) take(b *Batch) error {
	clear(b.Records)
	clear(b.headers)
	b.Records, b.headers = b.Records[:0], b.headers[:0]
	n, bytes := c.data.fetch()
	if n == 0 {
		c.drainLogs()
		return nil
	}
	defer c.data.drop()
	if cap(b.buf) < bytes || cap(b.buf) > maxIdleBuffer || b.buf == nil {
		b.buf = make([]byte, 0, bytes+bytes/4)
	}
	buf, heads, topic := b.buf[:0], c.data.heads, ""
	for i := range n {
		m, x := c.data.msgs[i], &c.data.more[i]
		if x.topic_len > 0 {
			topic = c.name(view(unsafe.Pointer(x.topic), x.topic_len))
		}
		r := Record{Topic: topic, Partition: int32(m.partition), Offset: int64(m.offset), Timestamp: int64(x.timestamp), TimestampType: uint8(x.timestamp_type)}
		buf, r.Key = copyOut(buf, m.key, m.key_len)
		buf, r.Value = copyOut(buf, m.payload, m.len)
		if m.err != 0 {
			if err := c.failed(TopicPartition{Topic: topic, Partition: r.Partition}, r.Offset, int32(m.err), string(r.Value)); err != nil {
				return err
			}
			continue
		}
		if x.headers > 0 {
			first := len(b.headers)
			for _, h := range heads[:x.headers] {
				header := Header{Key: c.name(view(unsafe.Pointer(h.name), h.name_len))}
				buf, header.Value = copyOut(buf, h.value, h.value_len)
				b.headers = append(b.headers, header)
			}
			heads = heads[x.headers:]
			r.Headers = b.headers[first:len(b.headers):len(b.headers)]
		}
		b.Records = append(b.Records, r)
	}
	b.buf = buf
	// The position is that of a partition's last record: runs of one partition cost one lookup.
	for i := range b.Records {
		r := &b.Records[i]
		if i+1 == len(b.Records) || b.Records[i+1].Partition != r.Partition || b.Records[i+1].Topic != r.Topic {
			c.position[TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
		}
	}
	return nil
}

// failed deals with a message that is an error of its partition.
func (c *consumer) failed(tp TopicPartition, offset int64, code int32, text string) error {
	switch kafka.ErrorCode(code) {
	case kafka.ErrPartitionEOF:
		if c.onEOF != nil {
			c.onEOF(tp, offset)
		}
		return nil
	case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic, kafka.ErrUnknownPartition, kafka.ErrOffsetOutOfRange, kafka.ErrMaxPollExceeded:
		logEvent(c.log, nativeEvent{text: fmt.Sprintf("topic %q, partition %d: %s", tp.Topic, tp.Partition, text)})
		return nil
	}
	return fmt.Errorf("reading topic %q, partition %d: %w", tp.Topic, tp.Partition, &Error{Code: int(code), Text: text})
}

// maxNames bounds the names of topics and headers that are kept.
const maxNames = 10_000

// name gives equal names one string.
func (c *consumer) name(b []byte) string {
	if s, ok := c.names[string(b)]; ok {
		return s
	}
	if len(c.names) >= maxNames {
		clear(c.names)
	}
	s := string(b)
	c.names[s] = s
	return s
}

func (c *consumer) drainLogs() {
	for range 100 {
		ev, ok := pollEvent(c.logs)
		if !ok {
			return
		}
		c.lastLog = ev.text
		logEvent(c.log, ev)
	}
}

// Assignment is what the member holds. The slice must not be changed.
func (c *Consumer) Assignment() []TopicPartition { return c.assigned }

// Joined says whether the group has given the member an assignment, an empty one too.
func (c *Consumer) Joined() bool { return c.joined }

// Position is the offset after the last record that Poll brought of tp.
func (c *Consumer) Position(tp TopicPartition) (int64, bool) {
	o, ok := c.position[tp]
	return o, ok
}

// End is the offset after the last record of tp, as the last fetch found it: it asks nobody, and is not known before the
// first fetch. While tp is paused it stays as it was.
func (c *Consumer) End(tp TopicPartition) (int64, bool) {
	_, end, err := c.c.GetWatermarkOffsets(tp.Topic, tp.Partition)
	return end, err == nil && end >= 0
}

// Pause stops the fetching of partitions.
func (c *Consumer) Pause(tps []TopicPartition) error { return wrap(c.c.Pause(kafkaPartitions(tps))) }

// Resume undoes Pause.
func (c *Consumer) Resume(tps []TopicPartition) error { return wrap(c.c.Resume(kafkaPartitions(tps))) }

// Seek makes offset the next one that Poll brings of tp, which has to be assigned.
func (c *Consumer) Seek(tp TopicPartition, offset int64) error {
	err := c.c.Seek(kafka.TopicPartition{Topic: &tp.Topic, Partition: tp.Partition, Offset: kafka.Offset(offset)}, 0)
	if err != nil {
		return fmt.Errorf("seeking topic %q, partition %d to %d: %w", tp.Topic, tp.Partition, offset, wrap(err))
	}
	c.position[tp] = offset
	return nil
}

// Commit commits offsets: for each partition the next one to read. It waits for Kafka's answer or ctx's end; a commit that was
// given up may still take effect.
func (c *Consumer) Commit(ctx context.Context, offsets map[TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	if c.closed {
		return ErrClosed
	}
	list := make([]kafka.TopicPartition, 0, len(offsets))
	for tp, o := range offsets {
		list = append(list, kafka.TopicPartition{Topic: &tp.Topic, Partition: tp.Partition, Offset: kafka.Offset(o)})
	}
	// confluent-kafka-go's commit has no deadline of its own.
	done := make(chan error, 1)
	err := c.group.Go(func(context.Context) error {
		res, err := c.c.CommitOffsets(list)
		for i := range res {
			if err == nil && res[i].Error != nil {
				err = fmt.Errorf("topic %q, partition %d: %w", *res[i].Topic, res[i].Partition, wrap(res[i].Error))
			}
		}
		done <- err
		return nil
	})
	if err != nil {
		return ErrClosed
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("committing offsets of group %q: %w", c.cfg.Group, wrap(err))
		}
		return nil
	case <-ctx.Done():
		return ended(ctx, fmt.Sprintf("committing offsets of group %q", c.cfg.Group))
	}
}

// Committed reads what the group has committed; partitions without are missing.
func (c *Consumer) Committed(ctx context.Context, tps []TopicPartition) (map[TopicPartition]int64, error) {
	if c.closed {
		return nil, ErrClosed
	}
	res, err := c.c.Committed(kafkaPartitions(tps), millis(ctx))
	if err != nil {
		return nil, fmt.Errorf("reading offsets of group %q: %w", c.cfg.Group, wrap(err))
	}
	out := map[TopicPartition]int64{}
	for _, r := range res {
		if r.Error == nil && r.Offset >= 0 {
			out[TopicPartition{Topic: *r.Topic, Partition: r.Partition}] = int64(r.Offset)
		}
	}
	return out, nil
}

// match keeps the subscription in step with the topics that the regex matches.
func (c *Consumer) match() error {
	if c.regex == nil {
		return nil
	}
	select {
	case topics := <-c.metadata:
		c.asking = false
		if topics != nil && !slices.Equal(topics, c.topics) {
			return c.subscribe(topics)
		}
	default:
	}
	now := clock.Real().Boot()
	if c.asking || now < c.due {
		return nil
	}
	c.asking, c.due = true, now+c.refresh
	if len(c.topics) == 0 {
		c.due = now + min(c.refresh, 5*time.Second)
	}
	return c.group.Go(func(context.Context) error {
		defer c.wake.wake()
		md, err := c.c.GetMetadata(nil, true, 10_000)
		if err != nil {
			c.metadata <- nil
			return nil
		}
		topics := []string{}
		for name := range md.Topics {
			if c.regex.Matches(name) && name != "__consumer_offsets" && name != "__transaction_state" {
				topics = append(topics, name)
			}
		}
		slices.Sort(topics)
		c.metadata <- topics
		return nil
	})
}

// leaveTick is how often a leaving consumer looks whether it is out.
const leaveTick = 5 * time.Millisecond

// Leave leaves the group, and then closes: the member is gone from it at once, a static one too. The rebalance
// listener is called. After ctx's end it only closes.
func (c *Consumer) Leave(ctx context.Context) error {
	if c.closed {
		return nil
	}
	if err := c.c.Unsubscribe(); err == nil {
		var b Batch
		// The revocation comes first, and after it the request to leave: closed before that, a static member stays.
		for (len(c.assigned) > 0 || member(c.rk)) && ctx.Err() == nil {
			if c.serve() != nil || c.take(&b) != nil {
				break
			}
			if len(c.assigned) > 0 || member(c.rk) {
				c.wake.wait(ctx, leaveTick)
			}
		}
	}
	var stays error
	if !c.fatal && member(c.rk) {
		stays = fmt.Errorf("leaving the group %s: it took too long, and the member stays until its session times out: %w", c.cfg.Group, ErrTimeout)
	}
	return errors.Join(stays, c.Close())
}

// Close ends the client within ten seconds. A static member stays in the group until its session times out or
// a member with the same id takes its place.
func (c *Consumer) Close() error { return c.shut() }

func (c *consumer) shut() error {
	if c.closed {
		return nil
	}
	c.closed = true
	err := closeClient(func() {
		queueQuiet(c.data.q)
		queueQuiet(c.events)
		queueDone(c.events)
		c.data.done()
		c.drainLogs()
		if c.fatal {
			destroyFenced(c.c)
		} else if err := c.c.Close(); err != nil {
			logEvent(c.log, nativeEvent{text: err.Error()})
		}
		queueDone(c.logs)
		c.wake.close()
	})
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if gerr := c.group.Stop(ctx); err == nil {
		err = gerr
	}
	return err
}

func partitions(in []kafka.TopicPartition) []TopicPartition {
	out := make([]TopicPartition, len(in))
	for i, p := range in {
		out[i] = TopicPartition{Topic: *p.Topic, Partition: p.Partition}
	}
	return out
}

func kafkaPartitions(tps []TopicPartition) []kafka.TopicPartition {
	out := make([]kafka.TopicPartition, len(tps))
	for i := range tps {
		out[i] = kafka.TopicPartition{Topic: &tps[i].Topic, Partition: tps[i].Partition, Offset: kafka.OffsetInvalid}
	}
	return out
}

// millis is what ctx has left, at least 1 ms and at most a minute.
func millis(ctx context.Context) int {
	d, ok := ctx.Deadline()
	if !ok {
		return 60_000
	}
	return int(min(max(d.Sub(clock.Real().Now()), time.Millisecond), time.Minute).Milliseconds())
}
