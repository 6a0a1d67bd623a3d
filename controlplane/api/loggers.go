package api

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/loglevel"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// LoggerStore is what the service needs of the store.
type LoggerStore interface {
	Reader
	SetLogLevel(ctx context.Context, name, level, executor string) error
}

// Loggers serves LoggerService: this replica's own loggers, and the levels that are set for other processes. Safe for
// concurrent use.
type Loggers struct {
	loglevel.Service
	store LoggerStore
	once  sync.Once
	ended chan struct{}
}

// NewLoggers returns the service.
func NewLoggers(s LoggerStore, levels *loglevel.Levels) *Loggers {
	l := &Loggers{Service: loglevel.Service{Levels: levels}, store: s, ended: make(chan struct{})}
	l.Elsewhere = l.setElsewhere
	return l
}

// Stop ends whatever follows. It may be called more than once.
func (s *Loggers) Stop() { s.once.Do(func() { close(s.ended) }) }

func (s *Loggers) setElsewhere(ctx context.Context, req *sluicev1.SetLoggerRequest) error {
	if executor := req.GetExecutor(); executor != "" {
		known := false
		for _, x := range fresh(ctx, s.store).Sessions {
			known = known || x.Value.GetExecutor() == executor
		}
		if !known {
			return errs.New(errs.ExecutorNotFound, "No executor %q has a live session: see GET /v1/executors", executor)
		}
	}
	return s.store.SetLogLevel(ctx, req.GetName(), req.GetLevel(), req.GetExecutor())
}

// FollowLevels implements LoggerService.
func (s *Loggers) FollowLevels(req *sluicev1.FollowLevelsRequest, stream grpc.ServerStreamingServer[sluicev1.FollowLevelsResponse]) error {
	return s.follow(stream.Context(), req.GetExecutor(), func(settings []*sluicev1.LevelSetting) error {
		return stream.Send(&sluicev1.FollowLevelsResponse{Settings: settings})
	})
}

// Follow keeps this replica's own levels as they are set for all processes, until ctx ends.
func (s *Loggers) Follow(ctx context.Context) error {
	return s.follow(ctx, "", func(settings []*sluicev1.LevelSetting) error { s.Levels.Take(settings); return nil })
}

// follow hands over the settings of a process, at first and whenever they change.
func (s *Loggers) follow(ctx context.Context, executor string, give func([]*sluicev1.LevelSetting) error) error {
	changed, cancel := s.store.Subscribe()
	defer cancel()
	given := false
	last := s.store.View().LogLevels
	for {
		if now := s.store.View().LogLevels; !given || now != last {
			if err := give(settings(now, executor)); err != nil {
				return err
			}
			given, last = true, now
		}
		select {
		case <-changed:
		case <-s.ended:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// settings are those that a process takes.
func settings(v *storev1.LogLevels, executor string) []*sluicev1.LevelSetting {
	var out []*sluicev1.LevelSetting
	for _, s := range v.GetSettings() {
		if s.GetExecutor() == "" || s.GetExecutor() == executor {
			out = append(out, &sluicev1.LevelSetting{Name: s.GetName(), Level: s.GetLevel(), Number: s.GetNumber()})
		}
	}
	return out
}
