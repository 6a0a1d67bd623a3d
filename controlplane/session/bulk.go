package session

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/command"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Bounds of the bulk calls, in bytes but for maxTasks (DESIGN 3).
const (
	maxTasks      = 100_000
	maxTaskConfig = 512 << 10
	maxTaskSet    = 16 << 20
	maxAnswer     = 4 << 20
	answerChunk   = 256 << 10
)

// RegisterPlugins implements SessionService.
func (s *Server) RegisterPlugins(ctx context.Context, req *sluicev1.RegisterPluginsRequest) (*sluicev1.RegisterPluginsResponse, error) {
	session, err := s.lookUp(ctx, req.GetSession())
	if err != nil {
		return nil, err
	}
	pool := req.GetPool()
	if pool == "" {
		pool = session.Value.GetPool()
	}
	if pool != session.Value.GetPool() {
		return nil, errs.New(errs.RequestMalformed, "pool: %q is not the session's, %q", pool, session.Value.GetPool())
	}
	if len(req.GetPlugins()) > maxPlugins {
		return nil, errs.New(errs.RequestMalformed, "plugins: %d are too many: at most %d", len(req.GetPlugins()), maxPlugins)
	}
	for _, p := range req.GetPlugins() {
		if p.GetClass() == "" || p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_UNSPECIFIED {
			return nil, errs.New(errs.RequestMalformed, "plugins: %q has no class or no type", p.GetClass())
		}
	}
	if err := s.store.RegisterPlugins(ctx, pool, req.GetPlugins()); err != nil {
		return nil, translate(err)
	}
	return &sluicev1.RegisterPluginsResponse{}, nil
}

// SubmitPlan implements SessionService.
func (s *Server) SubmitPlan(g grpc.ClientStreamingServer[sluicev1.SubmitPlanRequest, sluicev1.SubmitPlanResponse]) error {
	in, err := receive(s, g.Context(), g.Recv)
	if err != nil {
		return err
	}
	first, err := in.next(g.Context(), s, "the header of the plan")
	if errors.Is(err, io.EOF) {
		return errs.New(errs.RequestMalformed, "plan: it is empty: a header is needed")
	}
	if err != nil {
		return err
	}
	h := first.GetHeader()
	switch {
	case h == nil:
		return errs.New(errs.RequestMalformed, "plan: the first chunk has no header")
	case h.GetConnector() == "":
		return errs.New(errs.RequestMalformed, "plan: connector is empty")
	case h.GetTaskCount() < 0 || h.GetTaskCount() > maxTasks:
		return errs.New(errs.RequestMalformed, "plan: task_count %d is not between 0 and %d", h.GetTaskCount(), maxTasks)
	case h.GetTaskClass() == sluicev1.UnitClass_UNIT_CLASS_UNSPECIFIED:
		return errs.New(errs.RequestMalformed, "plan: task_class is not said")
	}
	tasks, err := s.tasks(g.Context(), in, first)
	if err != nil {
		return err
	}
	if _, err := s.lookUp(g.Context(), h.GetSession()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(g.Context(), openTimeout)
	defer cancel()
	changed, err := s.store.SubmitPlan(ctx, store.Plan{
		Connector: h.GetConnector(), Incarnation: h.GetIncarnation(), Generation: h.GetConfigGeneration(), Epoch: epoch(h.GetEpoch()),
		Sequence: h.GetSequence(), PluginVersion: h.GetPluginVersion(), TaskClass: h.GetTaskClass(), Tasks: tasks,
	})
	if err != nil {
		return translate(err)
	}
	return g.SendAndClose(&sluicev1.SubmitPlanResponse{Changed: changed})
}

// tasks puts a plan's chunks together.
func (s *Server) tasks(ctx context.Context, in *inbox[*sluicev1.SubmitPlanRequest], chunk *sluicev1.SubmitPlanRequest) ([]*sluicev1.Config, error) {
	h := chunk.GetHeader()
	var tasks []*sluicev1.Config
	size := 0
	for {
		for _, t := range chunk.GetTasks() {
			n := proto.Size(t)
			if n > maxTaskConfig {
				return nil, errs.New(errs.ConfigTooLarge, "The config of task %s-%d has %d bytes, at most %d are stored; its largest key is %s", h.GetConnector(), len(tasks), n, maxTaskConfig, largest(t))
			}
			if size += n; size > maxTaskSet {
				return nil, errs.New(errs.ConfigTooLarge, "The task configs of connector %s have more than %d bytes together: lower tasks.max or what each task is given", h.GetConnector(), maxTaskSet)
			}
			tasks = append(tasks, t)
		}
		if len(tasks) > int(h.GetTaskCount()) {
			return nil, errs.New(errs.RequestMalformed, "plan: there are more than the %d tasks that its header says", h.GetTaskCount())
		}
		var err error
		chunk, err = in.next(ctx, s, "the next chunk of the plan")
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(tasks) != int(h.GetTaskCount()) {
		return nil, errs.New(errs.RequestMalformed, "plan: there are %d tasks, the header says %d", len(tasks), h.GetTaskCount())
	}
	return tasks, nil
}

// largest is the key with the longest value.
func largest(c *sluicev1.Config) string {
	key, n := "", -1
	for _, e := range c.GetEntries() {
		if l := len(e.GetKey()) + len(e.GetValue()); l > n {
			key, n = e.GetKey(), l
		}
	}
	return key
}

// CompleteCommand implements SessionService. An answer for another replica is handed on.
func (s *Server) CompleteCommand(g grpc.ClientStreamingServer[sluicev1.CompleteCommandRequest, sluicev1.CompleteCommandResponse]) error {
	in, err := receive(s, g.Context(), g.Recv)
	if err != nil {
		return err
	}
	var session, id string
	var encoded []byte
	for n := 0; ; n++ {
		m, err := in.next(g.Context(), s, "the next chunk of the answer")
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if n == 0 {
			session, id = m.GetSession(), m.GetId()
		}
		if encoded = append(encoded, m.GetChunk()...); len(encoded) > maxAnswer {
			return errs.New(errs.RequestMalformed, "command %s: its answer has more than %d bytes", id, maxAnswer)
		}
	}
	result := &sluicev1.CommandResult{}
	if err := proto.Unmarshal(encoded, result); err != nil {
		return errs.New(errs.RequestMalformed, "command %s: its answer is no CommandResult: %v", id, err)
	}
	err = s.commands.Complete(session, id, result)
	if errors.Is(err, command.ErrNotWaiting) {
		err = s.commands.Forward(g.Context(), session, id, encoded, answerChunk)
	}
	if err != nil {
		return err
	}
	return g.SendAndClose(&sluicev1.CompleteCommandResponse{})
}

// CompleteOffsets implements SessionService.
func (s *Server) CompleteOffsets(ctx context.Context, req *sluicev1.CompleteOffsetsRequest) (*sluicev1.CompleteOffsetsResponse, error) {
	if req.GetConnector() == "" || req.GetResult() == nil {
		return nil, errs.New(errs.RequestMalformed, "connector, result: both are needed")
	}
	if _, err := s.lookUp(ctx, req.GetSession()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	r := &sluicev1.OffsetsResult{Reason: req.GetResult().GetReason(), Message: cut(req.GetResult().GetMessage()), Complete: req.GetResult().GetComplete()}
	if err := s.store.CompleteOffsets(ctx, req.GetConnector(), epoch(req.GetEpoch()), req.GetId(), r); err != nil {
		return nil, translate(err)
	}
	return &sluicev1.CompleteOffsetsResponse{}, nil
}

// translate gives the store's errors the reasons that executors know.
func translate(err error) error {
	switch {
	case errors.Is(err, store.ErrPlanStale), errors.Is(err, store.ErrNotFound):
		return errs.New(errs.PlanStale, "The plan is for a config, an incarnation or a planner that is not the present one, or the connector is stopped")
	case errors.Is(err, store.ErrOffsetsStale):
		return errs.New(errs.PlanStale, "Nobody waits for these offsets to be altered any more, or another executor alters them")
	case errors.Is(err, store.ErrTooLarge):
		return errs.New(errs.ConfigTooLarge, "%v", err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return unavailable(err)
	}
	return err
}
