package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/internal/logkey"
)

// Topics looks for topics and creates them; *kafkaio.Admin does.
type Topics interface {
	DescribeTopic(ctx context.Context, name string) (kafkaio.TopicInfo, error)
	CreateTopic(ctx context.Context, spec kafkaio.TopicSpec) error
}

// creation is a group of topic.creation.*: the topics it is for and how they are made.
type creation struct {
	include, exclude []*regexp.Regexp
	spec             kafkaio.TopicSpec
}

const creationPrefix = "topic.creation."

// parseCreation reads topic.creation.*: the groups in their order, and `default` last; none where the connector does
// not ask for topics to be created.
func parseCreation(config map[string]string) ([]creation, error) {
	if config[creationPrefix+"default.replication.factor"] == "" && config[creationPrefix+"groups"] == "" {
		return nil, nil
	}
	var out []creation
	for _, g := range append(strings.Split(config[creationPrefix+"groups"], ","), "default") {
		if g = strings.TrimSpace(g); g == "" {
			continue
		}
		c := creation{spec: kafkaio.TopicSpec{Partitions: -1, Replication: -1, Config: map[string]string{}}}
		for k, v := range config {
			rest, ok := strings.CutPrefix(k, creationPrefix+g+".")
			if !ok {
				continue
			}
			var err error
			switch rest {
			case "replication.factor":
				var n int64
				n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 16)
				c.spec.Replication = int16(n)
			case "partitions":
				var n int64
				n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 32)
				c.spec.Partitions = int32(n)
			case "include":
				c.include, err = patterns(v)
			case "exclude":
				c.exclude, err = patterns(v)
			default:
				c.spec.Config[rest] = v
			}
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %q: %w", ErrConfig, k, v, err)
			}
		}
		if g == "default" {
			c.include = []*regexp.Regexp{regexp.MustCompile(".*")}
		}
		out = append(out, c)
	}
	return out, nil
}

func patterns(v string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, p := range strings.Split(v, ",") {
		r, err := regexp.Compile("^(?:" + strings.TrimSpace(p) + ")$")
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func matches(list []*regexp.Regexp, topic string) bool {
	for _, r := range list {
		if r.MatchString(topic) {
			return true
		}
	}
	return false
}

// topic is called in the plugin's lane before the first record for a topic. Without topic.creation.* the broker
// creates topics, or refuses the record.
func (t *task) topic(ctx context.Context, topic string) error {
	if t.deps.TopicCreation && t.deps.Topics != nil {
		for _, c := range t.rules {
			if !matches(c.include, topic) || matches(c.exclude, topic) {
				continue
			}
			if err := t.create(ctx, topic, c.spec); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// create makes a topic that does not exist; while Kafka is away it waits.
func (t *task) create(ctx context.Context, topic string, spec kafkaio.TopicSpec) error {
	spec.Name = topic
	for {
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := t.deps.Topics.DescribeTopic(limit, topic)
		if errors.Is(err, kafkaio.ErrUnknownTopic) {
			if err = t.deps.Topics.CreateTopic(limit, spec); err == nil {
				t.log.Info("topic created", logkey.Topic, topic)
			}
		}
		cancel()
		switch {
		case err == nil, errors.Is(err, kafkaio.ErrTopicExists):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !kafkaio.Retriable(err) && !errors.Is(err, kafkaio.ErrTimeout):
			return fmt.Errorf("%w, and cannot be created: %w", ErrTopic, err)
		}
		t.log.Warn("creating a topic is tried again", logkey.Topic, topic, logkey.Err, err)
		select {
		case <-t.deps.Clock.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
