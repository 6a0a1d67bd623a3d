package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/elasticsearch/client"
	"github.com/sluice-project/sluice/internal/logkey"
)

const contentLines = "application/x-ndjson"

// send sends operations of a bulk until each is done or rejected. It fails where a try more would not help, or was the last.
func (s *Sender) send(ctx context.Context, b *Bulk, ops []Op) error {
	doing := fmt.Sprintf("writing %d documents", len(ops))
	for attempt := 0; ; attempt++ {
		left, err := s.try(ctx, doing, b, ops)
		if err == nil {
			return nil
		}
		if errors.Is(err, errHalve) { // the halves find what is to blame, and the others are written; order is kept
			if err := s.send(ctx, b, ops[:len(ops)/2]); err != nil {
				return err
			}
			return s.send(ctx, b, ops[len(ops)/2:])
		}
		if class, _ := connectors.ClassOf(err); class != connectors.TransientError || ctx.Err() != nil {
			return err
		}
		if attempt >= s.client.Retries() {
			return connectors.Classify(connectors.TransientError, fmt.Errorf("%w (after max.retries=%d)", err, s.client.Retries()))
		}
		s.conf.Log.Warn("a bulk request is tried again", slog.Int("documents", len(left)), slog.Int("attempt", attempt+1), logkey.Err, err)
		if err := s.client.Pause(ctx, attempt); err != nil {
			return err
		}
		ops = left
	}
}

// try sends operations once. It returns those that are to be tried again, and why.
func (s *Sender) try(ctx context.Context, doing string, b *Bulk, ops []Op) ([]Op, error) {
	a, err := s.client.Once(ctx, http.MethodPost, path, contentLines, b.lines(ops), &b.answer)
	if err != nil {
		return ops, s.client.Unanswered(doing, err)
	}
	if !a.OK() {
		e, may := tooMuch(a)
		switch {
		case !may:
			return ops, s.client.Refused(doing, a)
		case len(ops) == 1:
			return nil, s.settle([]Rejected{{Op: ops[0], Error: e}})
		}
		return nil, errHalve
	}
	list, err := items(a.Body, len(ops))
	if err != nil {
		return nil, connectors.Classify(connectors.ConfigError, fmt.Errorf("elasticsearch: %s: %w", doing, err))
	}
	return s.judged(b, ops, list)
}

// errHalve says that a request was refused for what one of its operations may be to blame for.
var errHalve = errors.New("elasticsearch: the request is to be halved (bug)")

// judged sorts operations by their answers.
func (s *Sender) judged(b *Bulk, ops []Op, list []item) ([]Op, error) {
	var bad []Rejected
	var busy, failed error
	verdicts := make([]verdict, len(list))
	for i, it := range list {
		op := &ops[i]
		v, e := judge(op, it)
		switch verdicts[i] = v; v {
		case again:
			if busy == nil {
				busy = connectors.Classify(connectors.TransientError, fmt.Errorf("elasticsearch: %s: a node of %s could not take it: %d, %s", op.Source, s.client.Where(), it.Status, e))
			}
		case rejected, conflict:
			bad = append(bad, Rejected{Op: *op, Conflict: v == conflict, Error: e})
		case fatal:
			if failed == nil {
				failed = s.fatal(op, it.Status, e)
			}
		}
	}
	if err := s.settle(bad); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	if busy == nil {
		return nil, nil
	}
	if s.conf.InOrder {
		b.followersAgain(ops, verdicts)
	}
	var left []Op
	for i := range ops {
		if verdicts[i] == again {
			left = append(left, ops[i])
		}
	}
	return left, busy
}

// fatal is an answer that no record is to blame for.
func (s *Sender) fatal(op *Op, status int, e client.Error) error {
	class, hint := connectors.OtherError, ""
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		class, hint = connectors.AuthorisationError, ": the user of connection.username may not write there"
	case http.StatusNotFound:
		class, hint = connectors.ConfigError, ": it was deleted, perhaps; a restart of the task makes it again"
	}
	return connectors.Classify(class, fmt.Errorf("elasticsearch: %s: %s answers %d%s: %s", op.Source, s.client.Where(), status, hint, e))
}

// String is the source in messages.
func (s Source) String() string {
	return fmt.Sprintf("the record of %s-%d at offset %d", s.Topic, s.Partition, s.Offset)
}
