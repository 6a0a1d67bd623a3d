package taskstats

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-project/sluice/internal/clock"
)

// Registry has the tasks that run in an executor. A nil Registry has none. Safe for concurrent use.
type Registry struct {
	mu    sync.Mutex
	tasks map[*Task]struct{}
}

// NewRegistry returns one without tasks.
func NewRegistry() *Registry { return &Registry{tasks: map[*Task]struct{}{}} }

// Add lists a task until the returned function is called.
func (r *Registry) Add(t *Task) (remove func()) {
	if r == nil {
		return func() {}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[t] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.tasks, t)
	}
}

// all lists the tasks: by connector, by number, the newest run of each last.
func (r *Registry) all() []*Task {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Task, 0, len(r.tasks))
	for t := range r.tasks {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *Task) int {
		return cmp.Or(strings.Compare(a.Connector, b.Connector), cmp.Compare(a.Task, b.Task), a.since.Compare(b.since))
	})
	return out
}

// Views reads the numbers of a connector's tasks, of all where connector is empty. Of two runs of a task, the older one
// having been left behind, the newer counts.
func (r *Registry) Views(connector string) []View {
	var out []View
	for _, t := range r.all() {
		if connector != "" && t.Connector != connector {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Connector == t.Connector && out[n-1].Task == t.Task {
			out = out[:n-1]
		}
		out = append(out, t.View())
	}
	return out
}

// Run takes samples until ctx ends.
func (r *Registry) Run(ctx context.Context, c clock.Clock) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.After(Every):
		}
		for _, t := range r.all() {
			t.Sample()
		}
	}
}
