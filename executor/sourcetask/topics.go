package sourcetask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/javaregex"
	"github.com/sluice-project/sluice/internal/logkey"
)

// Topics looks for topics and creates them; *kafkaio.Admin does.
type Topics interface {
	DescribeTopic(ctx context.Context, name string) (kafkaio.TopicInfo, error)
	CreateTopic(ctx context.Context, spec kafkaio.TopicSpec) error
}

// creation is a group of topic.creation.*: the topics it is for and how they are made.
type creation struct {
	include, exclude *javaregex.Regex // without exclude, nothing is excluded
	spec             kafkaio.TopicSpec
}

// parseCreation reads topic.creation.*: the groups in their order, and `default` last; none where the connector does
// not ask for topics to be created.
func parseCreation(config map[string]string) ([]creation, error) {
	asks := false
	for k := range config {
		asks = asks || strings.HasPrefix(k, framework.TopicCreation)
	}
	if !asks {
		return nil, nil
	}
	values, err := framework.CreationDef(config).Parse(config)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	var out []creation
	for _, g := range append(framework.CreationGroups(config), framework.DefaultGroup) {
		prefix := framework.TopicCreation + g + "."
		c := creation{spec: kafkaio.TopicSpec{
			Partitions:  int32(values.Int(prefix + "partitions")),
			Replication: int16(values.Int(prefix + "replication.factor")),
			Config:      map[string]string{},
		}}
		for k, v := range config {
			if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" && !slices.Contains([]string{"include", "exclude", "partitions", "replication.factor"}, rest) {
				c.spec.Config[rest] = v
			}
		}
		if g == framework.DefaultGroup {
			c.include, err = javaregex.Compile(".*")
		} else if c.include, err = joined(values.List(prefix + "include")); err == nil {
			c.exclude, err = joined(values.List(prefix + "exclude"))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %sinclude, %sexclude: %w", ErrConfig, prefix, prefix, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// joined is one pattern of several, for whole names. As in Kafka Connect they are written one after the other, so that a
// flag in one is on in those that follow, and none at all match the empty name.
func joined(list []string) (*javaregex.Regex, error) {
	return javaregex.Compile(strings.Join(list, "|"))
}

func (c creation) applies(topic string) bool {
	return c.include.Matches(topic) && (c.exclude == nil || !c.exclude.Matches(topic))
}

// topic is called in the plugin's lane before the first record for a topic. Without topic.creation.* the broker
// creates topics, or refuses the record.
func (t *task) topic(ctx context.Context, topic string) error {
	if t.txn != nil && topic == t.txn.offsets.Topic() {
		// Reading the offsets would wait for the transaction that the record is in.
		return fmt.Errorf("%w: Source tasks may not produce to their own offsets topics when exactly-once support is enabled", ErrTransaction)
	}
	if t.deps.TopicCreation && t.deps.Topics != nil {
		for _, c := range t.rules {
			if !c.applies(topic) {
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
