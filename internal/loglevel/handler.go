package loglevel

import (
	"context"
	"log/slog"
	"math"

	"github.com/sluice-project/sluice/internal/logkey"
)

// Everything is the level of the handler that is given to Levels.Handler.
const Everything = slog.Level(math.MinInt)

// Handler lets through what a logger's level lets through: that of the component that a line names, else root's. next
// decides nothing: its own level must let everything through.
func (l *Levels) Handler(next slog.Handler) slog.Handler {
	return &handler{levels: l, logger: l.get(Root), next: next}
}

type handler struct {
	levels *Levels
	logger *logger
	next   slog.Handler
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.Level(h.logger.level.Load())
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error { return h.next.Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := &handler{levels: h.levels, logger: h.logger, next: h.next.WithAttrs(attrs)}
	for _, a := range attrs {
		if a.Key == logkey.Component {
			out.logger = h.levels.get(a.Value.String())
		}
	}
	return out
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{levels: h.levels, logger: h.logger, next: h.next.WithGroup(name)}
}
