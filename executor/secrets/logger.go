package secrets

import (
	"context"
	"fmt"
	"log/slog"
)

// Logger is a logger whose lines hold no secrets.
func (s *Set) Logger(l *slog.Logger) *slog.Logger {
	if s == nil || s.hide == nil {
		return l
	}
	return slog.New(&handler{l.Handler(), s})
}

type handler struct {
	next slog.Handler
	set  *Set
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, h.set.Scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = h.attr(a)
	}
	return &handler{h.next.WithAttrs(out), h.set}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler { return &handler{h.next.WithGroup(name), h.set} }

func (h *handler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(h.set.Scrub(v.String()))
	case slog.KindGroup:
		var in []slog.Attr
		for _, g := range v.Group() {
			in = append(in, h.attr(g))
		}
		v = slog.GroupValue(in...)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			v = slog.AnyValue(h.set.Error(x))
		case nil:
		default:
			// A handler prints it in a way of its own: where a secret may be in it, only a text that has none is handed on.
			for _, text := range []string{fmt.Sprintf("%+v", x), fmt.Sprintf("%s", x)} {
				if clean := h.set.Scrub(text); clean != text {
					v = slog.StringValue(clean)
				}
			}
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}
