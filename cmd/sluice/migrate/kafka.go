package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/topics"
)

const (
	// askTime bounds one question to Kafka, readTime the reading of one topic, writeTime one write.
	askTime   = 30 * time.Second
	readTime  = 10 * time.Minute
	writeTime = time.Minute
)

// errGroup says that workers are members of the group.
var errGroup = errors.New("workers of the Kafka Connect cluster are running: stop them first")

// cluster is the Kafka of one worker file.
type cluster struct {
	worker config.Worker
	client kafkaio.Client
	admin  *kafkaio.Admin
	log    *slog.Logger
	id     string
}

func open(ctx context.Context, w config.Worker, log *slog.Logger) (*cluster, error) {
	c := &cluster{worker: w, client: kafkaio.Client(w.Internal()), log: log}
	var err error
	if c.admin, err = kafkaio.NewAdmin(c.client, log); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if c.id, err = c.admin.ClusterID(ctx); err != nil {
		c.admin.Close()
		return nil, err
	}
	return c, nil
}

// members is how many members a group has.
func (c *cluster) members(ctx context.Context, group string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return c.admin.GroupMembers(ctx, group)
}

// vacant wants no worker in the group.
func (c *cluster) vacant(ctx context.Context) error {
	n, err := c.members(ctx, c.worker.GroupID())
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: group %s has %d members", errGroup, c.worker.GroupID(), n)
	}
	return err
}

// read reads a topic up to its end. Isolation is that of Kafka's consumers.
func (c *cluster) read(ctx context.Context, topic, isolation string, fn func(kafkaio.Record) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	_, err := kafkaio.ReadToEnd(ctx, c.client, topic, kafkaio.ReadOptions{Isolation: isolation, Logger: c.log}, fn)
	return err
}

// configs reads connect-configs, and says which records cannot be read.
func (c *cluster) configs(ctx context.Context) (list []topics.LoggedConnector, skipped []string, err error) {
	var l topics.ConfigLog
	topic := c.worker.ConfigTopic().Name
	err = c.read(ctx, topic, "read_committed", func(r kafkaio.Record) error {
		if err := l.Apply(string(r.Key), r.Value); err != nil {
			skipped = append(skipped, fmt.Sprintf("%s, offset %d, key %s: %v", topic, r.Offset, r.Key, err))
		}
		return nil
	})
	return l.Connectors(), skipped, err
}

// write writes records in order.
func (c *cluster) write(ctx context.Context, msgs []kafkaio.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: c.client, MessageTimeout: writeTime, Logger: c.log, ClientID: "sluice-migrate"})
	if err != nil {
		return err
	}
	defer p.Close()
	for batch := range slices.Chunk(msgs, 1000) {
		if err := p.Deliver(ctx, batch); err != nil {
			return fmt.Errorf("writing to topic %q: %w", msgs[0].Topic, err)
		}
	}
	return nil
}

// offsets are a topic's newest records by key.
type offsets map[string]newest

type newest struct {
	partition int32
	offset    int64
	value     []byte // nil is a tombstone
}

func (c *cluster) offsets(ctx context.Context, topic, isolation string, wanted func(key []byte) bool) (offsets, error) {
	out := offsets{}
	err := c.read(ctx, topic, isolation, func(r kafkaio.Record) error {
		if wanted == nil || wanted(r.Key) {
			out[string(r.Key)] = newest{r.Partition, r.Offset, bytes.Clone(r.Value)}
		}
		return nil
	})
	return out, err
}

// uncover returns the records that have to be written again: those of keys whose newest record belongs to an aborted
// transaction. Kafka Connect's workers read offsets without regard to transactions, unless they are exactly-once.
func uncover(topic string, everything, committed offsets) []kafkaio.Message {
	var out []kafkaio.Message
	for _, key := range slices.Sorted(maps.Keys(everything)) {
		// A key without any committed record has no offset: that is a tombstone.
		if c, ok := committed[key]; !ok || c.offset < everything[key].offset {
			out = append(out, kafkaio.Message{Topic: topic, Partition: everything[key].partition, Key: []byte(key), Value: c.value, Timestamp: -1, Seq: uint64(len(out))})
		}
	}
	return out
}

// rewriteAborted does that in every topic of offsets, and says how many there were.
func (c *cluster) rewriteAborted(ctx context.Context) (n int, err error) {
	list, err := c.offsetsTopics(ctx)
	if err != nil {
		return 0, err
	}
	for _, topic := range list {
		one, err := c.rewrite(ctx, topic)
		if errors.Is(err, kafkaio.ErrUnknownTopic) && topic != c.worker.OffsetsTopic().Name {
			continue // of a connector that never ran, or with a Kafka of its own
		}
		if err != nil {
			return n, err
		}
		n += one
	}
	return n, nil
}

func (c *cluster) rewrite(ctx context.Context, topic string) (int, error) {
	// This order: what is committed meanwhile only makes a key look right that is.
	everything, err := c.offsets(ctx, topic, "read_uncommitted", nil)
	if err != nil {
		return 0, err
	}
	committed, err := c.offsets(ctx, topic, "read_committed", nil)
	if err != nil {
		return 0, err
	}
	msgs := uncover(topic, everything, committed)
	return len(msgs), c.write(ctx, msgs)
}

// copyOffsets brings the offsets of connectors to another topic, with the bytes of their keys. Those that are there with
// the same value are left. Keys that only the target has are tombstoned: they are of an earlier life.
func copyOffsets(ctx context.Context, from, to *cluster, connectors map[string]bool) (int, error) {
	wanted := func(key []byte) bool {
		name, ok := topics.OffsetKeyConnector(key)
		return ok && connectors[string(name)]
	}
	isolation := "read_uncommitted" // as the workers read
	if from.worker.ExactlyOnce() {
		isolation = "read_committed"
	}
	source, err := from.offsets(ctx, from.worker.OffsetsTopic().Name, isolation, wanted)
	if err != nil {
		return 0, err
	}
	topic := to.worker.OffsetsTopic().Name
	target, err := to.offsets(ctx, topic, "read_committed", wanted)
	if err != nil {
		return 0, err
	}
	var msgs []kafkaio.Message
	add := func(key string, value []byte) {
		msgs = append(msgs, kafkaio.Message{Topic: topic, Partition: -1, Key: []byte(key), Value: value, Timestamp: -1, Seq: uint64(len(msgs))})
	}
	for _, key := range slices.Sorted(maps.Keys(source)) {
		if s := source[key]; !bytes.Equal(s.value, target[key].value) || s.value == nil != (target[key].value == nil) {
			add(key, s.value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(target)) {
		if _, ok := source[key]; !ok && target[key].value != nil {
			add(key, nil)
		}
	}
	return len(msgs), to.write(ctx, msgs)
}

// checkTransactions initialises transactional ids, which Kafka Connect's workers did not need, and names those that
// the client may not use.
func (c *cluster) checkTransactions(ctx context.Context, ids []string) (problems []string) {
	for _, id := range ids {
		err := c.initialise(ctx, c.client, id)
		switch {
		case errors.Is(err, kafkaio.ErrDenied):
			problems = append(problems, fmt.Sprintf("the ACLs do not let Sluice use the transactional id %s, which Kafka Connect did not need. Allow it: %s", id, c.allow(id)))
		case err != nil:
			problems = append(problems, fmt.Sprintf("transactional id %s, which Sluice needs, cannot be used: %v", id, err))
		}
	}
	return problems
}

// allow is the command that lets the client use a transactional id.
func (c *cluster) allow(id string) string {
	principal := kafkaio.Principal(c.client)
	if principal == "" {
		principal = "User:…" // the broker's business: a certificate's name, say
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --add --allow-principal %s --operation Describe --operation Write --transactional-id %s",
		c.client["bootstrap.servers"], quoted(principal), quoted(id))
}

// quoted is a word of a shell's command line.
func quoted(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[\w.:/@%+=,…-]+$`)
