package executor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/sinktask"
	"github.com/sluice-project/sluice/executor/sourcetask"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// ensureTimeout bounds looking at a connector's own offsets topic.
const ensureTimeout = kafkaTimeout

// transactionalID is Kafka Connect's for a task of an exactly-once source.
func (x *Executor) transactionalID(connector string, task int) string {
	return offsets.TransactionalID(x.cfg.Worker.GroupID(), connector, task)
}

// producerClient is the producer's configuration of a source. What an exactly-once source cannot choose is ignored, as in
// Kafka Connect, with a warning: the producer sets both itself.
func (x *Executor) producerClient(conf map[string]string) (kafkaio.Client, error) {
	client, err := x.cfg.Worker.Client(config.Producer, conf)
	if err != nil || !x.cfg.Worker.ExactlyOnce() {
		return client, err
	}
	for key, want := range map[string]string{"enable.idempotence": "true", "transactional.id": ""} {
		v, given := client[key]
		if given && !strings.EqualFold(v, want) {
			x.log.Warn("a producer setting is ignored, as it cannot be overridden for connectors when exactly-once source support is enabled",
				logkey.Connector, conf[framework.Name], slog.String("setting", key), slog.String("value", v))
			delete(client, key)
		}
	}
	return client, nil
}

// offsetsPlan says where a source's offsets are: in a topic of its own where it names one, or where its producer is of
// another Kafka and the offsets have to be in the transaction of its records.
func (x *Executor) offsetsPlan(conf map[string]string, exactlyOnce bool) (offsets.Plan, error) {
	w := x.cfg.Worker
	own := strings.TrimSpace(conf[framework.OffsetsTopic])
	if w.Standalone() || own == "" && !exactlyOnce {
		return offsets.Plan{}, nil
	}
	producer, err := x.producerClient(conf)
	if err != nil {
		return offsets.Plan{}, err
	}
	spec := w.OffsetsTopic()
	here := sameBrokers(producer["bootstrap.servers"], x.internal["bootstrap.servers"])
	if here && (own == "" || own == spec.Name) {
		return offsets.Plan{}, nil
	}
	if own != "" {
		spec.Name = own
	}
	consumer, err := w.Client(config.Consumer, conf)
	if err != nil {
		return offsets.Plan{}, err
	}
	admin, err := w.Client(config.Admin, conf)
	if err != nil {
		return offsets.Plan{}, err
	}
	var key strings.Builder
	for _, c := range []map[string]string{{"topic": spec.Name}, producer, consumer} {
		for _, k := range slices.Sorted(maps.Keys(c)) {
			fmt.Fprintf(&key, "%q=%q\n", k, c[k])
		}
	}
	return offsets.Plan{
		Key: key.String(),
		Config: offsets.Config{Topic: spec.Name, Producer: producer, Consumer: consumer, Group: w.GroupID(), ExactlyOnce: exactlyOnce,
			ClientID: "connector-offset-producer-" + conf[framework.Name], Margin: x.agent.Margin, Clock: x.cfg.Clock, Logger: x.log},
		Ensure: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, ensureTimeout)
			defer cancel()
			a, err := kafkaio.NewAdmin(admin, x.log)
			if err != nil {
				return err
			}
			defer a.Close()
			return a.EnsureInternalTopic(ctx, kafkaio.TopicSpec(spec))
		},
	}, nil
}

// sameBrokers compares lists of brokers, as Kafka Connect does: by what was written.
func sameBrokers(a, b string) bool {
	set := func(s string) map[string]bool {
		out := map[string]bool{}
		for _, v := range strings.Split(s, ",") {
			out[strings.TrimSpace(v)] = true
		}
		return out
	}
	return maps.Equal(set(a), set(b))
}

// fence takes the place of the last instance of a unit, and gives it up: that instance can do nothing any more.
func (x *Executor) fence(ctx context.Context, f *sluicev1.FenceCommand) error {
	u, err := unit.Parse(f.GetUnit())
	if err != nil || u.Kind != unit.KindTask {
		return errs.New(errs.Internal, "unit %q cannot be fenced: it is no task", f.GetUnit())
	}
	return x.withSecrets(ctx, mapOf(f.GetConnectorConfig()), func(conf map[string]string, log *slog.Logger) error {
		if x.source(conf) {
			client, err := x.producerClient(conf)
			if err != nil {
				return err
			}
			id := x.transactionalID(u.Name, u.Task)
			return sourcetask.FenceSource(ctx, kafkaio.ProducerConfig{Client: client, TransactionalID: id, Logger: log, ClientID: "connector-worker-adminclient-" + u.Name})
		}
		client, err := x.cfg.Worker.Client(config.Consumer, conf)
		if err != nil {
			return err
		}
		return sinktask.Fence(ctx, client, x.cfg.Worker.GroupID(), u, conf, log)
	})
}

// source says whether a connector is a source. Any executor may be asked to fence; one without the plugin goes by what
// only sinks must have.
func (x *Executor) source(conf map[string]string) bool {
	if p, err := x.registry.Connector(conf[framework.Class]); err == nil {
		return p.Type == connectors.Source
	}
	return conf[framework.Topics] == "" && conf[framework.TopicsRegex] == ""
}
