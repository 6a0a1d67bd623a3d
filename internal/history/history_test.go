package history_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/history"
)

func event(process, name, unit, epoch, class string, at int64, partitions ...string) string {
	var b bytes.Buffer
	c := clock.NewFake(time.Time{})
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})).With("unit", unit, "epoch", epoch)
	begin := c.Boot()
	c.Advance(time.Duration(at))
	switch name {
	case history.Polled, history.Produced, history.Committed:
		history.Act(log, c, name, begin+time.Duration(at)-1, slog.String("class", class), slog.Any("partitions", partitions))
	default:
		history.Record(log, c, name, slog.String("class", class))
	}
	return process + "\x00" + b.String()
}

func check(t *testing.T, lines ...string) string {
	t.Helper()
	logs := map[string]string{}
	for _, l := range lines {
		process, text, _ := strings.Cut(l, "\x00")
		logs[process] += text
	}
	var all []history.Event
	for process, text := range logs {
		events, err := history.Parse(strings.NewReader(text), process)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
	}
	return strings.Join(history.Check(all), "\n")
}

func TestCheck_SeesWhatBreaksPromise2(t *testing.T) {
	const x, f, u = "exclusive", "kafka-fenced", "task:c/0"
	for name, c := range map[string]struct {
		lines []string
		want  string // empty: nothing is wrong
	}{
		"a move": {lines: []string{event("a", history.Started, u, "0.5", x, 10), event("a", history.Produced, u, "0.5", x, 20, "p"), event("a", history.Released, u, "0.5", x, 30),
			event("b", history.Started, u, "0.7", x, 40), event("b", history.Produced, u, "0.7", x, 50, "p")}},
		"two at once": {lines: []string{event("a", history.Started, u, "0.5", x, 10), event("b", history.Started, u, "0.7", x, 40), event("a", history.Produced, u, "0.5", x, 50)},
			want: "before task:c/0 0.5 at a had produced for the last time"},
		"a poll that was under way may return late": {lines: []string{event("a", history.Started, u, "0.5", x, 10), event("a", history.Polled, u, "0.5", x, 20, "p"), event("b", history.Started, u, "0.7", x, 40)}},
		"the lower epoch last":                      {lines: []string{event("a", history.Started, u, "0.7", x, 10), event("b", history.Started, u, "0.5", x, 40)}, want: "which has the higher epoch"},
		"a partition in two tasks": {lines: []string{event("a", history.Started, u, "0.5", x, 10), event("a", history.Produced, u, "0.5", x, 20, "p"),
			event("b", history.Produced, "task:c/2", "0.7", x, 30, "p"), event("a", history.Produced, u, "0.5", x, 40, "p")}, want: "source c partition p"},
		"a commit after the fence": {lines: []string{event("b", history.Fenced, u, "0.7", f, 20), event("a", history.Committed, u, "0.5", f, 30)}, want: "after the fence of epoch 0.7"},
		"a commit before it":       {lines: []string{event("a", history.Committed, u, "0.5", f, 10), event("b", history.Fenced, u, "0.7", f, 20)}},
		"an act after the right":   {lines: []string{event("a", history.RightOver, "", "", "", 20), event("a", history.Produced, u, "0.5", x, 30)}, want: "after the right had ended"},
		"an act after it came back": {lines: []string{event("a", history.RightOver, "", "", "", 20), event("a", history.RightRuns, "", "", "", 25),
			event("a", history.Produced, u, "0.5", x, 30)}},
		"a start of what was released": {lines: []string{event("a", history.Released, u, "0.5", x, 20), event("a", history.Started, u, "0.5", x, 30)}, want: "after epoch 0.5 was released"},
	} {
		t.Run(name, func(t *testing.T) {
			got := check(t, c.lines...)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
