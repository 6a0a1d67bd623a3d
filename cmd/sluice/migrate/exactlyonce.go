package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/kafkaio"
	sourceoffsets "github.com/sluice-project/sluice/executor/offsets"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/executor/validate/framework"
)

// fence takes the place of the producers of an exactly-once source in the old cluster, as its leader would before new tasks
// start: a worker that hangs, and comes back, commits nothing any more. How many there are says the task count record.
func (t *take) fence(ctx context.Context, p *planned) error {
	if !p.source || p.Fence == 0 || p.present && !t.handedBack {
		return nil // the tasks of one that runs already fence one another
	}
	java, err := t.old.worker.Client(config.Producer, values(p.LoggedConnector))
	if err != nil {
		return err
	}
	for n := range p.Fence {
		id := sourceoffsets.TransactionalID(t.old.worker.GroupID(), p.Name, n)
		if err := t.old.initialise(ctx, java, id); err != nil {
			return fmt.Errorf("transactional id %s: its producer in the old cluster cannot be fenced: %w", id, err)
		}
	}
	return nil
}

// initialise initialises transactions under an id: what is open is aborted, and an older producer fenced.
func (c *cluster) initialise(ctx context.Context, client kafkaio.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	p, err := kafkaio.NewProducer(kafkaio.ProducerConfig{Client: client, TransactionalID: id, MessageTimeout: writeTime, Logger: c.log, ClientID: "sluice-migrate"})
	if err != nil {
		return err
	}
	defer p.Close()
	return p.InitTransactions(ctx)
}

// values are a config's, without those that are null.
func values(c topics.LoggedConnector) map[string]string {
	out := map[string]string{}
	for _, e := range c.Config {
		if e.Value != nil {
			out[e.Key] = *e.Value
		}
	}
	return out
}

// offsetsTopics are the topics of source offsets: the workers', and those of connectors that name one of their own.
func (c *cluster) offsetsTopics(ctx context.Context) ([]string, error) {
	list, _, err := c.configs(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{c.worker.OffsetsTopic().Name}
	for _, one := range list {
		if own := strings.TrimSpace(values(one)[framework.OffsetsTopic]); own != "" && !slices.Contains(out, own) {
			out = append(out, own)
		}
	}
	return out, nil
}
