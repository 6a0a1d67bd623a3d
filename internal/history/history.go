// Package history is what executors log about their units, and the checker that reads it (DESIGN 4.13): every grant,
// start, suspension, stop and release at level info, and every poll and commit at level debug. Promise 2 is proved on
// these histories, not on end states.
//
// A line's message is `history`; boot_ns, begin_ns and end_ns are times since the machine's start in nanoseconds, equal
// for all processes of a machine.
package history

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
)

// Message is the message of every line.
const Message = "history"

// The events.
const (
	Granted   = "granted"   // the executor heard of the unit with this epoch
	Started   = "started"   // an instance was made: from here on the plugin may act
	Suspended = "suspended" // the right ended: the plugin does nothing
	Resumed   = "resumed"
	Stopped   = "stopped" // the instance has returned
	Abandoned = "abandoned"
	Released  = "released"
	Fenced    = "fenced"    // a successor's fence took effect: its member joined
	Polled    = "polled"    // one Poll of a source: begin_ns, end_ns, partitions
	Produced  = "produced"  // what was polled is handed to the producer: partitions
	Committed = "committed" // one commit that succeeded: begin_ns, end_ns
	RightOver = "right_over"
	RightRuns = "right_runs"
)

// Record logs an event of a unit whose logger carries unit and epoch.
func Record(log *slog.Logger, c clock.Clock, event string, more ...slog.Attr) {
	write(log, slog.LevelInfo, event, append(more, slog.Int64("boot_ns", int64(c.Boot()))))
}

// Acts says whether acts are recorded: ask once, before the hot path.
func Acts(log *slog.Logger) bool { return log.Enabled(context.Background(), slog.LevelDebug) }

// Act logs what was done from begin until now.
func Act(log *slog.Logger, c clock.Clock, event string, begin time.Duration, more ...slog.Attr) {
	write(log, slog.LevelDebug, event, append(more, slog.Int64("begin_ns", int64(begin)), slog.Int64("end_ns", int64(c.Boot()))))
}

func write(log *slog.Logger, level slog.Level, event string, attrs []slog.Attr) {
	log.LogAttrs(context.Background(), level, Message, append([]slog.Attr{slog.String("event", event)}, attrs...)...)
}
