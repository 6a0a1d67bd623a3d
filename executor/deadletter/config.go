package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/executor/kafkaio"
)

// The keys of a connector's config.
const (
	TopicKey       = "errors.deadletterqueue.topic.name"
	replicationKey = "errors.deadletterqueue.topic.replication.factor"
	headersKey     = "errors.deadletterqueue.context.headers.enable"
)

var (
	// ErrConfig is wrapped where errors.deadletterqueue.* cannot be read.
	ErrConfig = errors.New("deadletter: invalid config")
	// ErrTopic is wrapped where the topic is not there and cannot be created.
	ErrTopic = errors.New("could not initialize dead letter queue")
	// ErrLost is wrapped where Kafka did not take a record. The task fails, and commits no offset behind it.
	ErrLost = errors.New("deadletter: a record was not written to the dead letter queue")
	// ErrClosed is returned for records that come after the end.
	ErrClosed = errors.New("deadletter: the queue is closed")
)

// Config is what errors.deadletterqueue.* says.
type Config struct {
	// Topic is where the records go; empty for no queue.
	Topic string
	// Replication is the topic's replication factor where it is created.
	Replication int16
	// Headers adds the headers __connect.errors.*.
	Headers bool
}

// Parse reads errors.deadletterqueue.*.
func Parse(conf map[string]string) (Config, error) {
	c := Config{Topic: strings.TrimSpace(conf[TopicKey]), Replication: 3}
	if v := strings.TrimSpace(conf[replicationKey]); v != "" {
		n, err := strconv.ParseInt(v, 10, 16)
		if err != nil {
			return c, fmt.Errorf("%w: %s is %q: use a number, or -1 for the broker's default", ErrConfig, replicationKey, v)
		}
		c.Replication = int16(n)
	}
	switch v := strings.ToLower(strings.TrimSpace(conf[headersKey])); v {
	case "", "false":
	case "true":
		c.Headers = true
	default:
		return c, fmt.Errorf("%w: %s is %q: use true or false", ErrConfig, headersKey, v)
	}
	return c, nil
}

// Ensure creates the topic, with one partition, where it is not there.
func Ensure(ctx context.Context, admin *kafkaio.Admin, c Config) error {
	found, err := admin.HasTopic(ctx, c.Topic)
	if err == nil && !found {
		err = admin.CreateTopic(ctx, kafkaio.TopicSpec{Name: c.Topic, Partitions: 1, Replication: c.Replication})
	}
	if err != nil && !errors.Is(err, kafkaio.ErrTopicExists) {
		return fmt.Errorf("%w with topic=%s (%s): %w", ErrTopic, c.Topic, TopicKey, err)
	}
	return nil
}
