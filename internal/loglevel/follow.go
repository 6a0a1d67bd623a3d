package loglevel

import (
	"context"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// retryFollow is how long a process that lost the control plane waits before it follows again.
const retryFollow = time.Second

// Follow keeps the levels as the cluster sets them, until ctx ends. executor is empty for a process that is none. An
// older control plane, which has nothing to follow, is asked again like one that is away.
func (l *Levels) Follow(ctx context.Context, client sluicev1.LoggerServiceClient, executor string, c clock.Clock) error {
	for ctx.Err() == nil {
		_ = l.follow(ctx, client, executor) // whatever ended it, it is followed again
		select {
		case <-c.After(retryFollow):
		case <-ctx.Done():
		}
	}
	return nil
}

func (l *Levels) follow(ctx context.Context, client sluicev1.LoggerServiceClient, executor string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.FollowLevels(ctx, &sluicev1.FollowLevelsRequest{Executor: executor})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		l.Take(m.GetSettings())
	}
}
