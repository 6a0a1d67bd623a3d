package pluginpath

import (
	"context"
	"log/slog"
	"strings"
)

// Report says in the log what a plugin.path holds and what of it has no counterpart: a line each at most.
func Report(ctx context.Context, paths []string, known func(class string) bool, log *slog.Logger) {
	if len(paths) == 0 {
		return
	}
	found, problems := Scan(ctx, paths)
	if ctx.Err() != nil {
		return
	}
	if len(problems) > 0 {
		log.Warn("plugin.path cannot be read whole", slog.String("problems", some(problems)))
	}
	foreign := Foreign(found, known)
	log.Info("plugin.path was looked at: its Java plugins are not loaded, plugins of Sluice are compiled in",
		slog.String("path", strings.Join(paths, ",")), slog.Int("plugins", len(found)), slog.Int("counterparts", len(found)-len(foreign)))
	if len(foreign) > 0 {
		log.Warn("plugin.path holds Java plugins that this executor has no counterpart of: configs that name them are refused", slog.String("plugins", some(foreign)))
	}
}

// Note is Report for a person, in one line; empty where there is nothing to say.
func Note(ctx context.Context, paths []string, known func(class string) bool) string {
	found, _ := Scan(ctx, paths)
	if foreign := Foreign(found, known); len(foreign) > 0 {
		return "plugin.path holds Java plugins that Sluice has no counterpart of: " + some(foreign)
	}
	return ""
}
