package elasticsearch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/bulk"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/logkey"
)

// task is one sink task.
type task struct {
	clk   clock.Clock
	parse func(config map[string]string) (*settings, error)

	tc       connectors.SinkTaskContext
	log      *slog.Logger
	s        *settings
	client   *client.Client
	sender   *bulk.Sender
	targets  targets
	reporter connectors.ErrantRecordReporter
	// to are where the records of a batch go, in their order.
	to []*target
	// refused is what the server did not take of the batch that is being put, where there is a reporter. The sender's
	// goroutines append to it, one at a time, before Flush returns.
	refused []bulk.Rejected
}

// Start implements connectors.SinkTask. It asks the server who we are; that the server is away fails no task.
func (t *task) Start(ctx context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	s, err := t.parse(config)
	if err != nil {
		return configError(err)
	}
	t.tc, t.log, t.s, t.reporter = tc, tc.Logger(), s, tc.Reporter()
	if t.reporter == nil && s.reports != "" {
		return configError(fmt.Errorf("elasticsearch: %s=%s needs a dead letter queue: set errors.deadletterqueue.topic.name", s.reports, report))
	}
	if err := s.docs.prepare(); err != nil {
		return err
	}
	t.client = client.New(s.client, t.clk)
	t.targets = targets{s: s, client: t.client, byTopic: map[string]*target{}}
	conf := s.bulk
	conf.Settle, conf.Log = t.settle, t.log
	if err := t.ask(ctx); err != nil {
		return err
	}
	t.sender, err = bulk.New(conf, t.client, t.clk)
	return err
}

// ask asks the server once. That it does not allow to be asked for its version is no error, and many proxies do not.
func (t *task) ask(ctx context.Context) error {
	const doing = "asking the server who it is"
	a, err := t.client.Once(ctx, http.MethodGet, "/", client.ContentJSON, nil, new(bytes.Buffer))
	if err != nil {
		err = t.client.Unanswered(doing, err)
	} else if a.Status == http.StatusUnauthorized || a.Away() {
		err = t.client.Refused(doing, a)
	}
	if class, _ := connectors.ClassOf(err); class == connectors.TransientError {
		t.log.Warn("the server does not answer yet", logkey.Err, err)
		return nil
	}
	return err
}

// Put implements connectors.SinkTask. Without a dead letter queue it returns once everything is buffered, else once everything
// is answered.
func (t *task) Put(ctx context.Context, b *connectors.SinkBatch) error {
	if t.to = t.to[:0]; len(b.Records) > 0 {
		for i := range b.Records {
			to, err := t.targets.of(ctx, &b.Records[i])
			if err != nil {
				return t.again(err)
			}
			t.to = append(t.to, to)
		}
	}
	if err := t.fill(ctx, b); err != nil || t.reporter == nil || len(b.Records) == 0 {
		return err
	}
	if err := t.sender.Flush(ctx); err != nil {
		return err
	}
	return t.reportRefused(ctx, b)
}

// again has a batch come again of which nothing was written yet, where that may help.
func (t *task) again(err error) error {
	if class, _ := connectors.ClassOf(err); class != connectors.TransientError {
		return err
	}
	t.tc.Retry(t.s.client.Backoff)
	return connectors.Retriable(err)
}

// fill makes lines of a batch.
func (t *task) fill(ctx context.Context, b *connectors.SinkBatch) error {
	t.refused = t.refused[:0]
	if err := t.sender.Begin(); err != nil {
		return err
	}
	defer t.sender.End()
	for i := range b.Records {
		r := &b.Records[i]
		room, err := t.sender.Room(ctx)
		if err != nil {
			return err
		}
		to := t.to[i]
		op := bulk.Op{Source: bulk.Source{Topic: to.topic, Partition: r.Partition, Offset: r.Offset, Record: i}}
		left, err := t.s.docs.add(room, to, r, op)
		if err == nil {
			continue
		}
		if err := t.invalid(ctx, r, op.Source, err, bool(left)); err != nil {
			return err
		}
	}
	return nil
}

// invalid deals with a record that cannot become a document.
func (t *task) invalid(ctx context.Context, r *connectors.SinkRecord, at bulk.Source, what error, left bool) error {
	what = fmt.Errorf("%s: %w", at, what)
	if !errors.Is(what, ErrRecord) && !errors.Is(what, converter.ErrData) {
		return what
	}
	if t.reporter != nil && !(left && t.s.reportsAsked) {
		if _, err := t.reporter.Report(ctx, r, what); err != nil {
			return err
		}
	}
	if left || t.s.drop {
		return nil
	}
	return connectors.Classify(connectors.DataError, fmt.Errorf("%w (with %s=true such records are left out)", what, dropKey))
}

// settle takes what the server refuses. It is called by the sender's goroutines, one at a time.
func (t *task) settle(list []bulk.Rejected) error {
	if t.reporter != nil {
		t.refused = append(t.refused, list...)
		return nil
	}
	for i := range list {
		if err := t.judged(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// judged is what the config says of a refused document: nil where it is left out.
func (t *task) judged(r *bulk.Rejected) error {
	switch how, key := t.behavior(r); how {
	case fail:
		return connectors.Classify(connectors.DataError, fmt.Errorf("%w (with %s=ignore or warn such documents are left out)", cause(r), key))
	case warn:
		t.log.Warn("a document is left out", logkey.Topic, r.Topic, logkey.Partition, r.Partition, logkey.Offset, r.Offset, logkey.Err, cause(r))
	}
	return nil
}

// behavior is what becomes of a refused document, and the key that says so.
func (t *task) behavior(r *bulk.Rejected) (how, key string) {
	if r.Conflict {
		return t.s.conflict, conflictKey
	}
	return t.s.malformed, malformedKey
}

// cause says what is wrong with a refused document.
func cause(r *bulk.Rejected) error {
	if r.Conflict {
		return invalid("%s: the document has this version or a newer one: %s", r.Source, r.Error)
	}
	return invalid("%s: the server refuses the document: %s", r.Source, r.Error)
}

// reportRefused reports what the server refused of a batch, and fails where the config says so.
func (t *task) reportRefused(ctx context.Context, b *connectors.SinkBatch) (failure error) {
	for i := range t.refused {
		r := &t.refused[i]
		if how, _ := t.behavior(r); how == report || !t.s.reportsAsked && !r.Conflict {
			if _, err := t.reporter.Report(ctx, &b.Records[r.Record], cause(r)); err != nil {
				return err
			}
		}
		if err := t.judged(r); failure == nil {
			failure = err
		}
	}
	return failure
}

// Flush implements connectors.Flusher: everything that was put is answered.
func (t *task) Flush(ctx context.Context, _ map[connectors.TopicPartition]int64) error {
	return t.sender.Flush(ctx)
}

// Stop implements connectors.SinkTask.
func (t *task) Stop(ctx context.Context) error {
	if t.sender == nil {
		return nil
	}
	err := t.sender.Stop(ctx)
	t.client.Close()
	return err
}
