package sinktask

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/sluice-project/sluice/executor/deadletter"
	"github.com/sluice-project/sluice/executor/kafkaio"
	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/executor/taskstats"
)

// deadLetters is the task's dead letter queue, nil for none. Its producer is configured as a source's is, by the worker's
// producer.* and the connector's producer.override.*, as Kafka Connect does.
func (f factory) deadLetters(spec supervisor.Spec, counts *taskstats.Errors, log *slog.Logger) (*deadletter.Queue, error) {
	cfg, err := deadletter.Parse(spec.ConnectorConfig)
	if err != nil || cfg.Topic == "" {
		return nil, err
	}
	client, err := f.deps.ProducerClient(spec.ConnectorConfig)
	if err != nil {
		return nil, err
	}
	name, n := spec.Unit.Name, spec.Unit.Task
	open := func() (deadletter.Producer, error) {
		return kafkaio.NewProducer(kafkaio.ProducerConfig{Client: client, Logger: log, ClientID: fmt.Sprintf("connector-dlq-producer-%s-%d", name, n)})
	}
	return deadletter.New(cfg, name, n, open, f.deps.Clock, log).Counting(counts), nil
}

// letters makes the topic of the dead letter queue, where there is one.
func (t *task) letters(ctx context.Context) error {
	if t.dead == nil {
		return nil
	}
	cfg, err := deadletter.Parse(t.spec.ConnectorConfig)
	if err != nil {
		return err
	}
	client, err := t.deps.AdminClient(t.spec.ConnectorConfig)
	if err != nil {
		return err
	}
	if client["client.id"] == "" {
		client["client.id"] = fmt.Sprintf("connector-dlq-adminclient-%s-%d", t.spec.Unit.Name, t.spec.Unit.Task)
	}
	admin, err := kafkaio.NewAdmin(client, t.log)
	if err != nil {
		return err
	}
	defer admin.Close()
	return deadletter.Ensure(ctx, admin, cfg)
}
