package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/sluice-project/sluice/internal/clock"
)

// Admin asks and changes what a cluster has. Safe for concurrent use. Every call ends with its context, or after a
// minute where that has no deadline.
type Admin struct {
	p      *kafka.Producer
	a      *kafka.AdminClient
	rk     handle
	q      queueHandle
	log    *slog.Logger
	mu     sync.RWMutex
	closed bool
}

// TopicSpec is how a topic is to look.
type TopicSpec struct {
	Name string
	// Partitions and Replication: -1 is the broker's default.
	Partitions  int32
	Replication int16
	Config      map[string]string
}

// TopicInfo is how a topic looks.
type TopicInfo struct {
	Partitions  int32
	Replication int16
	Config      map[string]string
}

// NewAdmin makes an admin client. It does not wait for Kafka.
func NewAdmin(client Client, log *slog.Logger) (*Admin, error) {
	conf, err := configMap(RoleAdmin, client, "", log)
	if err != nil {
		return nil, err
	}
	conf["go.events.channel.size"], conf["go.produce.channel.size"] = 1, 1
	p, err := kafka.NewProducer(&conf)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, wrap(err))
	}
	rk := rkOf(p)
	a := &Admin{p: p, rk: rk, q: queueNew(rk), log: log}
	q := queueMain(rk)
	stopPoller(q, pollerStop(p))
	queueDone(q)
	setLogQueue(rk, a.q)
	if a.a, err = kafka.NewAdminClientFromProducer(p); err != nil {
		a.Close()
		return nil, fmt.Errorf("%w: %w", ErrConfig, wrap(err))
	}
	return a, nil
}

// Close ends the client.
func (a *Admin) Close() {
	err := closeClient(func() {
		a.mu.Lock() // calls under way end first
		defer a.mu.Unlock()
		if !a.closed {
			a.closed = true
			queueDone(a.q)
			a.p.Close()
		}
	})
	if err != nil {
		a.log.Warn("closing an admin client takes long", slog.Any("error", err))
	}
}

// call gives f a context with a deadline, and its error a name and the client's last complaint.
func (a *Admin) call(ctx context.Context, what string, f func(ctx context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	err := wrap(f(ctx))
	hint := ""
	for range 100 {
		ev, ok := pollEvent(a.q)
		if !ok {
			break
		}
		hint = ev.text
		logEvent(a.log, ev)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		err = ErrTimeout
	}
	if hint != "" && (errors.Is(err, ErrTimeout) || Retriable(err)) {
		return fmt.Errorf("%s: %w (%s)", what, err, hint)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// ClusterID is the id of the Kafka cluster.
func (a *Admin) ClusterID(ctx context.Context) (id string, err error) {
	err = a.call(ctx, "asking for the cluster's id", func(ctx context.Context) error {
		// librdkafka waits in one piece for as long as it is told: a short piece, so that ctx can end it.
		for {
			piece, cancel := context.WithTimeout(ctx, time.Second)
			id, err = a.a.ClusterID(piece)
			cancel()
			if err == nil || ctx.Err() != nil {
				return err
			}
			if k := (kafka.Error{}); !errors.As(err, &k) || k.Code() != kafka.ErrTimedOut {
				return err
			}
		}
	})
	return id, err
}

// HasTopic says whether there is a topic. It needs no right to describe configs.
func (a *Admin) HasTopic(ctx context.Context, name string) (found bool, err error) {
	err = a.call(ctx, fmt.Sprintf("looking for topic %q", name), func(ctx context.Context) error {
		// As below: metadata for this topic alone would create it where brokers are set to do so.
		md, err := a.p.GetMetadata(nil, true, millis(ctx))
		if err == nil {
			_, found = md.Topics[name]
		}
		return err
	})
	return found, err
}

// DescribeTopic reads a topic's partitions and configs; ErrUnknownTopic where there is none.
func (a *Admin) DescribeTopic(ctx context.Context, name string) (info TopicInfo, err error) {
	err = a.call(ctx, fmt.Sprintf("describing topic %q", name), func(ctx context.Context) error {
		// Metadata for this topic alone would create it where brokers are set to do so.
		md, err := a.p.GetMetadata(nil, true, millis(ctx))
		if err != nil {
			return err
		}
		t, ok := md.Topics[name]
		if !ok {
			return ErrUnknownTopic
		}
		if t.Error.Code() != kafka.ErrNoError {
			return t.Error
		}
		info = TopicInfo{Partitions: int32(len(t.Partitions)), Config: map[string]string{}}
		if len(t.Partitions) > 0 {
			info.Replication = int16(len(t.Partitions[0].Replicas))
		}
		res, err := a.a.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: name}})
		if err != nil {
			return err
		}
		for _, r := range res {
			if r.Error.Code() != kafka.ErrNoError {
				return r.Error
			}
			for k, e := range r.Config {
				info.Config[k] = e.Value
			}
		}
		return nil
	})
	return info, err
}

// CreateTopic creates a topic; ErrTopicExists where it is there already.
func (a *Admin) CreateTopic(ctx context.Context, spec TopicSpec) error {
	return a.call(ctx, fmt.Sprintf("creating topic %q", spec.Name), func(ctx context.Context) error {
		res, err := a.a.CreateTopics(ctx, []kafka.TopicSpecification{{Topic: spec.Name, NumPartitions: int(spec.Partitions),
			ReplicationFactor: int(spec.Replication), Config: spec.Config}}, kafka.SetAdminOperationTimeout(time.Duration(millis(ctx))*time.Millisecond))
		if err != nil {
			return err
		}
		for _, r := range res {
			if r.Error.Code() != kafka.ErrNoError {
				return r.Error
			}
		}
		return nil
	})
}

// EnsureInternalTopic creates one of Connect's internal topics, or checks that the one that exists keeps what is
// written to it: compacted, and with spec's number of partitions where that is one. An error wraps ErrTopicSettings and says what
// is wrong and what would be right.
func (a *Admin) EnsureInternalTopic(ctx context.Context, spec TopicSpec) error {
	info, err := a.DescribeTopic(ctx, spec.Name)
	if errors.Is(err, ErrUnknownTopic) {
		if err = a.CreateTopic(ctx, spec); err != nil && !errors.Is(err, ErrTopicExists) {
			return err
		}
		// Brokers learn of it one after another, also where somebody else made it at the same time.
		for {
			info, err = a.DescribeTopic(ctx, spec.Name)
			if !errors.Is(err, ErrUnknownTopic) || ctx.Err() != nil {
				break
			}
			select {
			case <-clock.Real().After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	if err != nil {
		return err
	}
	if got := splitList(info.Config["cleanup.policy"]); !slices.Equal(got, []string{"compact"}) {
		return fmt.Errorf("%w: topic %q has cleanup.policy=%s, which deletes what Connect stored in it: it has to be compact (kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config cleanup.policy=compact)",
			ErrTopicSettings, spec.Name, strings.Join(got, ","), spec.Name)
	}
	if spec.Partitions == 1 && info.Partitions != 1 {
		return fmt.Errorf("%w: topic %q has %d partitions: it has to have exactly one, because the order of its records matters",
			ErrTopicSettings, spec.Name, info.Partitions)
	}
	return nil
}

func splitList(v string) []string {
	var out []string
	for _, s := range strings.Split(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	sort.Strings(out)
	return out
}

// GroupMembers is the number of members of a group of any protocol; 0 where there is no such group.
func (a *Admin) GroupMembers(ctx context.Context, group string) (n int, err error) {
	if group == "" { // librdkafka 2.11 would end the process
		return 0, fmt.Errorf("describing a group: %w: the group has no name", ErrConfig)
	}
	err = a.call(ctx, fmt.Sprintf("describing group %q", group), func(ctx context.Context) error {
		res, err := a.a.DescribeConsumerGroups(ctx, []string{group}, kafka.SetAdminRequestTimeout(time.Duration(millis(ctx))*time.Millisecond))
		if err != nil {
			return err
		}
		for _, g := range res.ConsumerGroupDescriptions {
			switch c := g.Error.Code(); c {
			case kafka.ErrNoError:
				n += len(g.Members)
			case kafka.ErrGroupIDNotFound:
			case kafka.ErrInvalidArg:
				// It is none of consumers, as that of Kafka Connect's workers. The other way asks every broker, and is
				// for that not the first: one that is down makes it fail unless the group was found.
				var code int32
				if n, code = groupMembers(a.rk, group, millis(ctx)); code != 0 {
					return codeError(code)
				}
			default:
				return g.Error
			}
		}
		return nil
	})
	return n, err
}
