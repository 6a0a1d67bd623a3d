package api

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// askAtOnce is how many executors a call asks at the same time.
const askAtOnce = 32

// GetConnectorProgress implements ConnectorService. Nothing of it is kept: the executors that hold the tasks are asked
// (ADR 11). One that does not answer costs its own tasks' numbers, and not the answer.
func (s *Connectors) GetConnectorProgress(ctx context.Context, req *sluicev1.GetConnectorProgressRequest) (*sluicev1.GetConnectorProgressResponse, error) {
	view, c, err := s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	out := &sluicev1.GetConnectorProgressResponse{}
	holders := map[string][]*sluicev1.TaskProgress{} // by session
	for n := range int(c.Value.GetTaskSet().GetCount()) {
		t := &sluicev1.TaskProgress{Task: int32(n), State: word(taskState(n, reported(view, c, unit.Task(c.Name, n))).GetState()), Reason: "No executor has the task"} //nolint:gosec // at most the bound of a plan
		if a := view.Assignments[unit.Task(c.Name, n)]; a != nil {
			t.Executor, t.Reason = a.Value.GetExecutor(), ""
			holders[a.Value.GetSession()] = append(holders[a.Value.GetSession()], t)
		}
		out.Tasks = append(out.Tasks, t)
	}
	return out, s.ask(ctx, view, c.Name, holders)
}

// ask has each session fill its tasks in.
func (s *Connectors) ask(ctx context.Context, view *state.Snapshot, connector string, holders map[string][]*sluicev1.TaskProgress) error {
	group := run.New(ctx, "progress")
	free := make(chan struct{}, askAtOnce)
	var err error
	for session, tasks := range holders {
		if view.Sessions[session] == nil {
			told(tasks, nil, "The session of its executor has lapsed")
			continue
		}
		free <- struct{}{}
		if err = group.Go(func(ctx context.Context) error {
			defer func() { <-free }()
			found, err := s.validator.Progress(ctx, session, connector)
			why := "Its executor does not run it now"
			if err != nil {
				why = err.Error()
			}
			told(tasks, found, why)
			return nil
		}); err != nil {
			break
		}
	}
	all := context.WithoutCancel(ctx) // each ends with ctx by itself
	return errors.Join(err, group.Wait(all), group.Stop(all))
}

// told fills tasks in with what their executor said; why is why it said nothing of one.
func told(tasks, found []*sluicev1.TaskProgress, why string) {
	by := map[int32]*sluicev1.TaskProgress{}
	for _, f := range found {
		by[f.GetTask()] = f
	}
	for _, t := range tasks {
		f := by[t.GetTask()]
		if f == nil {
			t.Reason = why
			continue
		}
		state, executor := t.GetState(), t.GetExecutor()
		if f.GetState() != "" && state == word(sluicev1.State_STATE_RUNNING) {
			state = f.GetState()
		} else {
			f.Reason = ""
		}
		t.Reset()
		proto.Merge(t, f)
		t.State, t.Executor = state, executor
	}
}

// word is a state in Kafka Connect's spelling.
func word(s sluicev1.State) string { return strings.TrimPrefix(s.String(), "STATE_") }
