package loglevel

import (
	"context"
	"strings"

	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Service serves a process's loggers. What is not for this process alone goes to Elsewhere. Safe for concurrent use.
type Service struct {
	sluicev1.UnimplementedLoggerServiceServer
	Levels *Levels
	// Elsewhere sets a level, checked already, in other processes: all, or one executor.
	Elsewhere func(ctx context.Context, req *sluicev1.SetLoggerRequest) error
}

// ListLoggers implements LoggerService.
func (s *Service) ListLoggers(context.Context, *sluicev1.ListLoggersRequest) (*sluicev1.ListLoggersResponse, error) {
	return &sluicev1.ListLoggersResponse{Loggers: s.Levels.List()}, nil
}

// GetLogger implements LoggerService.
func (s *Service) GetLogger(_ context.Context, req *sluicev1.GetLoggerRequest) (*sluicev1.GetLoggerResponse, error) {
	l, err := s.Levels.Get(req.GetName())
	if err != nil {
		return nil, err
	}
	return &sluicev1.GetLoggerResponse{Logger: l}, nil
}

// SetLogger implements LoggerService.
func (s *Service) SetLogger(ctx context.Context, req *sluicev1.SetLoggerRequest) (*sluicev1.SetLoggerResponse, error) {
	if req.Level == nil {
		return nil, errs.New(errs.LevelMissing, "Desired 'level' parameter was not specified in request.")
	}
	level, err := Parse(req.GetLevel())
	if err != nil {
		return nil, err
	}
	if req.GetExecutor() != "" || strings.EqualFold(req.GetScope(), "cluster") {
		return &sluicev1.SetLoggerResponse{Elsewhere: true}, s.Elsewhere(ctx, &sluicev1.SetLoggerRequest{Name: normal(req.GetName()), Level: &level, Scope: "cluster", Executor: req.GetExecutor()})
	}
	changed, err := s.Levels.Set(req.GetName(), level)
	if err != nil {
		return nil, err
	}
	return &sluicev1.SetLoggerResponse{Changed: changed}, nil
}
