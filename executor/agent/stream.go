package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"
	"unique"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/executor/supervisor"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/logkey"
	"github.com/sluice-project/sluice/internal/run"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

const (
	welcomeTimeout = 10 * time.Second
	// registerTimeout bounds one storing of the catalogue.
	registerTimeout = 30 * time.Second
	chunk           = 256 << 10
	maxCommands     = 16
)

func epochOf(e *sluicev1.Epoch) lease.Epoch {
	return lease.Epoch{Era: e.GetEra(), Revision: e.GetRevision()}
}

func epochTo(e lease.Epoch) *sluicev1.Epoch {
	return &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}
}

func (a *Agent) sleep(ctx context.Context, d time.Duration) bool {
	t := a.cfg.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *Agent) jitter(least, most time.Duration) time.Duration {
	return least + rand.N(most-least) //nolint:gosec // spreads, and keeps no secret
}

// heartbeats renews the session until it lapses.
func (a *Agent) heartbeats(ctx context.Context, id string, opened <-chan struct{}) error {
	select {
	case <-opened:
	case <-ctx.Done():
		return nil
	}
	for {
		err := a.beat(ctx, id)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
		if errors.Is(err, errLapsed) {
			return err
		}
		a.cfg.Logger.Info("heartbeats were interrupted, and go on", logkey.Err, err)
		if !a.sleep(ctx, a.jitter(50*time.Millisecond, 500*time.Millisecond)) {
			return nil
		}
	}
}

// beat sends heartbeats on one stream.
func (a *Agent) beat(parent context.Context, id string) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	s, err := a.beats.Heartbeat(ctx)
	if err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		a.mu.Lock()
		every := a.times.Heartbeat()
		a.mu.Unlock()
		// In this order: where the machine stands still in between, wall time is not the older one.
		sent, wall := a.cfg.Clock.Boot(), a.cfg.Clock.Now()
		if err := s.Send(&sluicev1.HeartbeatRequest{Session: id, Number: n}); err != nil {
			return err
		}
		// A replica that cannot renew does not answer: another is asked then.
		r, err := within(ctx, every, cancel, s.Recv)
		if err != nil {
			return err
		}
		if r.GetNumber() != n {
			return fmt.Errorf("heartbeat %d was answered where %d was sent", r.GetNumber(), n)
		}
		if r.GetLapsed() {
			a.lapse()
			return errLapsed
		}
		a.mu.Lock()
		if a.session == id && !a.lapsed {
			a.right.Acknowledged(sent, wall)
			a.change()
		}
		a.mu.Unlock()
		if !a.sleep(ctx, every-(a.cfg.Clock.Boot()-sent)) {
			return ctx.Err()
		}
	}
}

// within calls f, and cancel where f takes longer than d.
func within[T any](ctx context.Context, d time.Duration, cancel context.CancelFunc, f func() (T, error)) (T, error) {
	limit, done := context.WithTimeout(ctx, d)
	defer done()
	defer context.AfterFunc(limit, cancel)()
	return f()
}

type stream = grpc.BidiStreamingClient[sluicev1.AttachRequest, sluicev1.AttachResponse]

// attach opens a stream and serves it until it ends.
func (a *Agent) attach(parent context.Context, session *run.Group, id string, welcomed func()) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	s, err := a.client.Attach(ctx)
	if err != nil {
		return err
	}
	held := a.sup.Held()
	a.mu.Lock()
	a.stream++
	a.drop = cancel
	hello := a.hello(id, held)
	sent := make(map[string]*sluicev1.Epoch, len(a.releases))
	for _, r := range a.releases {
		sent[r.GetUnit()] = r.GetEpoch()
	}
	for u := range a.statuses {
		a.dirty[u] = true // the newest stream is told everything
	}
	a.mu.Unlock()
	if err := s.Send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Hello{Hello: hello}}); err != nil {
		return err
	}
	m, err := within(ctx, welcomeTimeout, cancel, s.Recv)
	if err != nil {
		return err
	}
	if r := m.GetRefusal(); r != nil {
		return a.refused(r)
	}
	w := m.GetWelcome()
	if w == nil {
		return fmt.Errorf("the stream began with %T, not with welcome", m.GetMessage())
	}
	times := lease.Times{TTL: time.Duration(w.GetTtlMs()) * time.Millisecond, Margin: time.Duration(w.GetMarginMs()) * time.Millisecond}
	if times.TTL <= 0 || times.Margin <= 0 {
		return fmt.Errorf("the control plane's welcome has ttl_ms %d and margin_ms %d: both must be above 0 (bug)", w.GetTtlMs(), w.GetMarginMs())
	}
	a.mu.Lock()
	a.static = time.Duration(w.GetStaticStabilityMaxMs()) * time.Millisecond
	if times != a.times {
		a.times, a.right = times, lease.NewRight(times)
	}
	a.opened = true
	a.wanted, a.whole = map[unit.ID]*wish{}, false
	for _, r := range w.GetReleased() {
		a.acked(r)
	}
	a.change()
	a.mu.Unlock()
	a.cfg.Logger.Info("attached to the control plane", slog.String(logkey.Replica, w.GetReplica()), slog.String(logkey.Session, id))
	welcomed()
	g := run.New(ctx, "agent-stream")
	defer func() {
		cancel()
		_ = g.Stop(context.WithoutCancel(ctx)) // its goroutines end with ctx
	}()
	if err := g.Go(func(ctx context.Context) error { defer cancel(); return a.write(ctx, s, sent) }); err != nil {
		return err
	}
	if err := g.Go(func(ctx context.Context) error { return a.register(ctx, id) }); err != nil {
		return err
	}
	return a.read(session, id, s)
}

func (a *Agent) refused(r *sluicev1.Refusal) error {
	err := fmt.Errorf("%w (%s): %s", errRefused, r.GetReason(), r.GetMessage())
	if r.GetReason() == "session.lapsed" || r.GetReason() == "session.superseded" {
		return fmt.Errorf("%w: %w", errLapsed, err)
	}
	return err
}

// hello is the stream's first message. Under mu.
func (a *Agent) hello(id string, held []supervisor.Held) *sluicev1.Hello {
	h := &sluicev1.Hello{Session: id, Stream: a.stream, Executor: a.cfg.Executor, Pool: a.cfg.Pool, Version: a.cfg.Version,
		Labels: a.cfg.Labels, Capacity: int32(a.cfg.Capacity), Draining: a.draining, KafkaClusterId: a.cfg.ClusterID(), //nolint:gosec // a count of units
		HighestEpoch: epochTo(a.highest), Process: a.process}
	for _, p := range a.cfg.Plugins {
		h.Plugins = append(h.Plugins, &sluicev1.Plugin{Class: p.GetClass(), Type: p.GetType(), Version: p.GetVersion(), Aliases: p.GetAliases()})
	}
	if len(held) > 0 {
		h.PreviousSession = a.previous
	}
	for _, u := range held {
		h.Held = append(h.Held, &sluicev1.HeldUnit{Unit: u.Unit.String(), Epoch: epochTo(u.Epoch), Suspended: u.Suspended})
	}
	for _, r := range a.releases {
		h.Releases = append(h.Releases, r)
	}
	return h
}

// acked forgets a release that was written. Under mu.
func (a *Agent) acked(r *sluicev1.ReleaseAck) {
	u, err := unit.Parse(r.GetUnit())
	if err != nil {
		return
	}
	if p := a.releases[u]; p != nil && proto.Equal(p.GetEpoch(), r.GetEpoch()) {
		delete(a.releases, u)
		if st := a.statuses[u]; st != nil && epochOf(st.GetEpoch()).Compare(epochOf(r.GetEpoch())) <= 0 {
			delete(a.statuses, u)
			delete(a.dirty, u)
		}
	}
}

// write sends what there is to say: states first, so that a release never overtakes the state before it.
func (a *Agent) write(ctx context.Context, s stream, sent map[string]*sluicev1.Epoch) error {
	drained := false
	for {
		a.mu.Lock()
		var out []*sluicev1.AttachRequest
		if len(a.dirty) > 0 {
			r := &sluicev1.StatusReport{}
			for u := range a.dirty {
				r.Statuses = append(r.Statuses, a.statuses[u])
			}
			clear(a.dirty)
			out = append(out, &sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: r}})
		}
		for u, e := range a.fences {
			if d := a.wanted[u]; d != nil && d.epoch == e && d.unfenced {
				out = append(out, &sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Fence{Fence: &sluicev1.FenceReport{Unit: u.String(), Epoch: epochTo(e)}}})
				d.unfenced = false
			}
		}
		for u, e := range a.ready {
			out = append(out, &sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Prepared{Prepared: &sluicev1.Prepared{Unit: u.String(), Epoch: epochTo(e)}}})
		}
		clear(a.ready) // the next stream asks for it again
		for _, r := range a.releases {
			if !proto.Equal(sent[r.GetUnit()], r.GetEpoch()) {
				sent[r.GetUnit()] = r.GetEpoch()
				out = append(out, &sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Release{Release: r}})
			}
		}
		if a.draining && !drained {
			drained = true
			out = append(out, &sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Drain{Drain: &sluicev1.Drain{}}})
		}
		a.mu.Unlock()
		for _, m := range out {
			if err := s.Send(m); err != nil {
				return err
			}
		}
		select {
		case <-a.notify:
		case <-ctx.Done():
			return nil
		}
	}
}

// register stores the catalogue; it is tried again while the stream lives.
func (a *Agent) register(ctx context.Context, id string) error {
	for {
		limit, cancel := context.WithTimeout(ctx, registerTimeout)
		_, err := a.client.RegisterPlugins(limit, &sluicev1.RegisterPluginsRequest{Session: id, Pool: a.cfg.Pool, Plugins: a.cfg.Plugins})
		cancel()
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // the stream is gone
		}
		a.cfg.Logger.Info("registering the plugins is tried again", logkey.Err, err)
		if !a.sleep(ctx, a.jitter(200*time.Millisecond, 2*time.Second)) {
			return nil
		}
	}
}

// read takes what the control plane sends.
func (a *Agent) read(session *run.Group, id string, s stream) error {
	busy := make(chan struct{}, maxCommands)
	for n := uint64(0); ; {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetMessage().(type) {
		case *sluicev1.AttachResponse_Refusal:
			return a.refused(m.Refusal)
		case *sluicev1.AttachResponse_ReleaseAck:
			a.mu.Lock()
			a.acked(m.ReleaseAck)
			a.change()
			a.mu.Unlock()
		case *sluicev1.AttachResponse_Desired:
			if n++; m.Desired.GetNumber() != n {
				return fmt.Errorf("delta %d came where %d was due", m.Desired.GetNumber(), n)
			}
			a.desired(s.Context(), m.Desired)
		case *sluicev1.AttachResponse_Command:
			select {
			case busy <- struct{}{}:
			default:
				continue // the control plane's deadline answers
			}
			// A command may outlive its stream, not its session.
			if err := session.Go(func(ctx context.Context) error {
				defer func() { <-busy }()
				a.command(ctx, id, m.Command)
				return nil
			}); err != nil {
				return err
			}
		}
	}
}

// desired applies a delta of a stream with ctx.
func (a *Agent) desired(ctx context.Context, d *sluicev1.DesiredDelta) {
	a.tell.Lock()
	defer a.tell.Unlock()
	a.settle() // the right may have ended while the process stood still, and the stream with it
	if ctx.Err() != nil {
		return
	}
	var want []supervisor.Desired
	var prepare []supervisor.Spec
	var remove []unit.ID
	a.mu.Lock()
	for _, u := range d.GetUnits() {
		e := epochOf(u.GetEpoch())
		if e.Compare(a.highest) > 0 {
			a.highest = e
		}
		id, err := unit.Parse(u.GetUnit())
		if err != nil {
			continue // a unit of a later version
		}
		if u.GetPrepare() {
			prepare = append(prepare, specOf(id, u)) // it is not granted yet
			continue
		}
		if over, ok := a.over[id]; ok && e.Compare(over) <= 0 {
			continue // it was released, and the set does not know yet
		}
		spec := specOf(id, u)
		spec.ConnectorConfig = a.shared(id, spec.ConnectorConfig)
		a.wanted[id] = &wish{epoch: e, release: u.GetRelease() != 0, unfenced: u.GetPredecessorUnfenced(), config: spec.ConnectorConfig}
		want = append(want, supervisor.Desired{Spec: spec, Target: u.GetTargetState(), Release: u.GetRelease(),
			Deleted: u.GetRelease() == sluicev1.ReleaseMode_RELEASE_MODE_LEAVE && u.GetConnectorConfig() == nil})
	}
	for _, name := range d.GetRemoved() {
		if id, err := unit.Parse(name); err == nil {
			delete(a.wanted, id)
			remove = append(remove, id)
		}
	}
	whole := d.GetWhole() && !a.whole
	a.mu.Unlock()
	if whole {
		for _, id := range a.sup.Units() {
			if a.wanted[id] == nil { // written by this goroutine alone
				remove = append(remove, id)
			}
		}
	}
	for _, id := range remove {
		a.sup.Remove(id)
	}
	for _, w := range want {
		a.sup.Desire(w)
	}
	for _, spec := range prepare {
		a.sup.Prepare(spec)
	}
	a.mu.Lock()
	for _, id := range remove {
		delete(a.statuses, id)
		delete(a.dirty, id)
		delete(a.fences, id)
	}
	// Last: until then nothing that is to go is started, or goes on after a suspension.
	a.whole = a.whole || whole
	a.change()
	a.mu.Unlock()
	a.poke()
}

func specOf(id unit.ID, u *sluicev1.DesiredUnit) supervisor.Spec {
	class := unit.ClassExclusive // also where a later version has more of them: what acts only under the right harms nobody
	if u.GetClass() == sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED {
		class = unit.ClassKafkaFenced
	}
	return supervisor.Spec{Unit: id, Epoch: epochOf(u.GetEpoch()), Class: class,
		ConnectorConfig: mapOf(u.GetConnectorConfig()), TaskConfig: mapOf(u.GetTaskConfig()), Generation: u.GetConfigGeneration(),
		Incarnation: u.GetIncarnation(), TaskSet: u.GetTaskSet(), TaskCount: int(u.GetTaskCount()), Fingerprint: u.GetFingerprint(),
		Restart: u.GetRestart(), Offsets: u.GetOffsets(), PredecessorUnfenced: u.GetPredecessorUnfenced()}
}

// shared is a connector's config as the connector's own unit, or its first task, has it already where it is equal. Under mu.
func (a *Agent) shared(id unit.ID, config map[string]string) map[string]string {
	for _, of := range []unit.ID{unit.Connector(id.Name), unit.Task(id.Name, 0)} {
		if w := a.wanted[of]; w != nil && config != nil && maps.Equal(w.config, config) {
			return w.config
		}
	}
	return config
}

// mapOf is a config as a map; nulls are left out. It keeps one string of a key for all units: there are few keys, and many units.
func mapOf(c *sluicev1.Config) map[string]string {
	if c == nil {
		return nil
	}
	out := make(map[string]string, len(c.GetEntries()))
	for _, e := range c.GetEntries() {
		if e.Value != nil {
			out[unique.Make(e.GetKey()).Value()] = e.GetValue()
		} else {
			delete(out, e.GetKey())
		}
	}
	return out
}

// command runs a command and sends its result, in chunks.
func (a *Agent) command(parent context.Context, id string, c *sluicev1.Command) {
	ctx, cancel := context.WithTimeout(parent, max(time.Duration(c.GetTimeoutMs())*time.Millisecond, time.Second))
	defer cancel()
	var res *sluicev1.CommandResult
	err := run.Call(func() error { res = a.cfg.Command(ctx, c); return nil })
	if err != nil {
		res = &sluicev1.CommandResult{Result: &sluicev1.CommandResult_Error{Error: &sluicev1.CommandError{Reason: "internal", Message: err.Error()}}}
	}
	if err := a.complete(ctx, id, c.GetId(), res); err != nil {
		a.cfg.Logger.Info("the result of a command was not delivered", slog.String("command", c.GetId()), logkey.Err, err)
	}
}

func (a *Agent) complete(ctx context.Context, session, id string, res *sluicev1.CommandResult) error {
	b, err := proto.Marshal(res)
	if err != nil {
		return err
	}
	s, err := a.client.CompleteCommand(ctx)
	if err != nil {
		return err
	}
	for first := true; first || len(b) > 0; first = false {
		n := min(len(b), chunk)
		if err := s.Send(&sluicev1.CompleteCommandRequest{Session: session, Id: id, Chunk: b[:n]}); err != nil {
			break // CloseAndRecv says why
		}
		b = b[n:]
	}
	_, err = s.CloseAndRecv()
	return err
}

// WatchMirror follows connectors and their states, for the holder of system:mirror.
func (a *Agent) WatchMirror(ctx context.Context, e lease.Epoch) (grpc.ServerStreamingClient[sluicev1.WatchMirrorResponse], error) {
	id, _ := a.Session()
	return a.client.WatchMirror(ctx, &sluicev1.WatchMirrorRequest{Session: id, Epoch: epochTo(e)})
}

// CompleteOffsets says what a request to alter offsets came to.
func (a *Agent) CompleteOffsets(ctx context.Context, connector string, e lease.Epoch, id string, r *sluicev1.OffsetsResult) error {
	session, _ := a.Session()
	_, err := a.client.CompleteOffsets(ctx, &sluicev1.CompleteOffsetsRequest{Session: session, Connector: connector, Epoch: epochTo(e), Id: id, Result: r})
	return err
}

// ConfirmMirror says that Kafka has everything up to a marker of WatchMirror.
func (a *Agent) ConfirmMirror(ctx context.Context, e lease.Epoch, revision int64, quiet bool) error {
	id, _ := a.Session()
	_, err := a.client.ConfirmMirror(ctx, &sluicev1.ConfirmMirrorRequest{Session: id, Epoch: epochTo(e), Revision: revision, Quiet: quiet})
	return err
}

// SubmitPlan hands a plan over, in chunks of about 256 KiB.
func (a *Agent) SubmitPlan(ctx context.Context, h *sluicev1.PlanHeader, tasks []*sluicev1.Config) error {
	h.Session, _ = a.Session()
	s, err := a.client.SubmitPlan(ctx)
	if err != nil {
		return err
	}
	h.TaskCount = int32(len(tasks)) //nolint:gosec // bounded by tasks.max
	for first := true; first || len(tasks) > 0; first = false {
		m := &sluicev1.SubmitPlanRequest{}
		if first {
			m.Header = h
		}
		for size := 0; len(tasks) > 0 && (size == 0 || size+proto.Size(tasks[0]) < chunk); tasks = tasks[1:] {
			size += proto.Size(tasks[0])
			m.Tasks = append(m.Tasks, tasks[0])
		}
		if err := s.Send(m); err != nil {
			break // CloseAndRecv says why
		}
	}
	_, err = s.CloseAndRecv()
	return err
}
