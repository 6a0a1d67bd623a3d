package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// DefaultPool is the pool of connectors and executors that name none.
const DefaultPool = "default"

// attempts is how many executors are asked before a lost stream is the caller's problem.
const attempts = 3

// Any returns a live session whose executor has the connector plugin, by class or alias, in any pool.
// Errors: NoExecutor, NoExecutorForPlugin, ClassUnknown, each with what there is.
func (c *Commander) Any(_ context.Context, class string) (session string, err error) {
	return c.pick("", class, nil)
}

// Validate has a config validated by an executor of the pool that has its connector.class. Errors as
// of Any and Run.
func (c *Commander) Validate(ctx context.Context, pool string, config *sluicev1.Config) (*sluicev1.ValidateResult, error) {
	class := ""
	for _, e := range config.GetEntries() {
		if e.GetKey() == "connector.class" {
			class = e.GetValue()
		}
	}
	cmd := &sluicev1.Command{Command: &sluicev1.Command_Validate{Validate: &sluicev1.ValidateCommand{Config: config}}}
	result, err := c.runAny(ctx, cmd, func(tried map[string]bool) (string, error) { return c.pick(pool, class, tried) })
	if err != nil {
		return nil, err
	}
	v := result.GetValidate()
	if v == nil {
		return nil, errors.New("command: the executor answered a validation with something else (bug)")
	}
	return v, nil
}

// Fence has the last instance of a Kafka-fenced unit fenced by some live executor, first one of the
// given pool. config is the connector config that the instance ran with.
func (c *Commander) Fence(ctx context.Context, pool string, u unit.ID, e lease.Epoch, config *sluicev1.Config) error {
	cmd := &sluicev1.Command{Command: &sluicev1.Command_Fence{Fence: &sluicev1.FenceCommand{
		Unit: u.String(), Epoch: &sluicev1.Epoch{Era: e.Era, Revision: e.Revision}, ConnectorConfig: config,
	}}}
	result, err := c.runAny(ctx, cmd, func(tried map[string]bool) (string, error) { return c.pickLive(pool, tried) })
	if err != nil {
		return fmt.Errorf("command: fence %s at %s: %w", u, e, err)
	}
	if result.GetFence() == nil {
		return fmt.Errorf("command: the executor answered the fence of %s with something else (bug)", u)
	}
	return nil
}

// runAny asks one executor, and another where its stream was lost.
func (c *Commander) runAny(ctx context.Context, cmd *sluicev1.Command, pick func(tried map[string]bool) (string, error)) (*sluicev1.CommandResult, error) {
	tried := map[string]bool{}
	var last error
	for range attempts {
		session, err := pick(tried)
		if err != nil {
			if last != nil {
				return nil, last
			}
			return nil, err
		}
		result, err := c.Run(ctx, session, cmd)
		if !errors.Is(err, ErrStreamLost) && !errors.Is(err, ErrNoStream) {
			return result, err
		}
		tried[session] = true
		last = errs.New(errs.NoExecutor, "The executor of session %s went away before it answered: try again", session)
	}
	return nil, last
}

// live says whether a session's executor can be asked.
func live(s *state.Session) bool {
	return s.Value.GetReplica() != "" && s.Value.GetLostSinceMs() == 0
}

// pick chooses a live session of a pool (any, where it is empty) whose executor has a connector class.
func (c *Commander) pick(pool, class string, tried map[string]bool) (string, error) {
	snap := c.view.View()
	var fit, inPool []*state.Session
	pools, withPlugin := map[string]bool{}, map[string]bool{}
	for _, s := range snap.Sessions {
		if !live(s) {
			continue
		}
		pools[s.Value.GetPool()] = true
		has := slices.ContainsFunc(s.Value.GetPlugins(), func(p *sluicev1.Plugin) bool { return isConnector(p) && named(p, class) })
		if has {
			withPlugin[s.Value.GetPool()] = true
		}
		if pool != "" && s.Value.GetPool() != pool {
			continue
		}
		inPool = append(inPool, s)
		if has && !tried[s.ID] {
			fit = append(fit, s)
		}
	}
	if len(fit) > 0 {
		return c.choose(fit), nil
	}
	switch {
	case len(pools) == 0:
		return "", errs.New(errs.NoExecutor, "No executor is connected, and %s needs one: start one", class)
	case len(withPlugin) > 0:
		return "", errs.New(errs.NoExecutorForPlugin, "No connected executor of pool %s has the plugin %s; pools that have it: %s. Set sluice.pool to one of them", pool, class, list(withPlugin))
	case known(snap, class):
		return "", errs.New(errs.NoExecutorForPlugin, "The plugin %s is known, but no executor that has it is connected; pools with executors: %s", class, list(pools))
	case len(inPool) == 0:
		return "", errs.New(errs.NoExecutor, "No executor of pool %s is connected; pools with executors: %s. Set sluice.pool to one of them", pool, list(pools))
	}
	return "", errs.New(errs.ClassUnknown, "Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", class, available(snap))
}

// Offsets has a connector's offsets read by an executor of its pool. Errors as of Any and Run.
func (c *Commander) Offsets(ctx context.Context, pool, class, connector string, config *sluicev1.Config) ([]*sluicev1.PartitionOffset, error) {
	cmd := &sluicev1.Command{Command: &sluicev1.Command_Offsets{Offsets: &sluicev1.OffsetsCommand{Connector: connector, Config: config}}}
	result, err := c.runAny(ctx, cmd, func(tried map[string]bool) (string, error) { return c.pick(pool, class, tried) })
	if err != nil {
		return nil, err
	}
	if result.GetOffsets() == nil {
		return nil, errors.New("command: the executor answered the question for offsets with something else (bug)")
	}
	return result.GetOffsets().GetOffsets(), nil
}

// Topics has a connector's active topics listed, or forgotten, by some live executor, first one of the given pool.
func (c *Commander) Topics(ctx context.Context, pool, connector string, forget bool) ([]string, error) {
	cmd := &sluicev1.Command{Command: &sluicev1.Command_Topics{Topics: &sluicev1.TopicsCommand{Connector: connector, Forget: forget}}}
	result, err := c.runAny(ctx, cmd, func(tried map[string]bool) (string, error) { return c.pickLive(pool, tried) })
	if err != nil {
		return nil, err
	}
	if result.GetTopics() == nil {
		return nil, errors.New("command: the executor answered the question for topics with something else (bug)")
	}
	return result.GetTopics().GetTopics(), nil
}

// progressTimeout is what an executor has to say what its tasks do: it looks nothing up.
const progressTimeout = 5 * time.Second

// Progress asks a session's executor what a connector's tasks do there. Errors as of Run.
func (c *Commander) Progress(ctx context.Context, session, connector string) ([]*sluicev1.TaskProgress, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, progressTimeout, errs.New(errs.ExecutorTimeout, "Executor %s did not answer within %s", c.executor(session), progressTimeout))
	defer cancel()
	cmd := &sluicev1.Command{TimeoutMs: progressTimeout.Milliseconds(), Command: &sluicev1.Command_Progress{Progress: &sluicev1.ProgressCommand{Connector: connector}}}
	result, err := c.Run(ctx, session, cmd)
	if err != nil {
		return nil, err
	}
	if result.GetProgress() == nil {
		return nil, errors.New("command: the executor answered the question for progress with something else (bug)")
	}
	return result.GetProgress().GetTasks(), nil
}

// pickLive chooses a live session, of the pool where it has one.
func (c *Commander) pickLive(pool string, tried map[string]bool) (string, error) {
	var fit, others []*state.Session
	for _, s := range c.view.View().Sessions {
		switch {
		case !live(s) || tried[s.ID]:
		case s.Value.GetPool() == pool:
			fit = append(fit, s)
		default:
			others = append(others, s)
		}
	}
	if len(fit) == 0 {
		fit = others
	}
	if len(fit) == 0 {
		return "", errs.New(errs.NoExecutor, "No executor is connected that could do this: start one")
	}
	return c.choose(fit), nil
}

// choose takes turns among the sessions that do not drain, or among all where all do.
func (c *Commander) choose(from []*state.Session) string {
	if staying := slices.DeleteFunc(slices.Clone(from), func(s *state.Session) bool { return s.Value.GetDraining() }); len(staying) > 0 {
		from = staying
	}
	slices.SortFunc(from, func(a, b *state.Session) int { return strings.Compare(a.ID, b.ID) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	return from[c.turn%uint64(len(from))].ID
}

func isConnector(p *sluicev1.Plugin) bool {
	return p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_SINK || p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_SOURCE
}

func named(p *sluicev1.Plugin, class string) bool {
	return p.GetClass() == class || slices.Contains(p.GetAliases(), class)
}

// known says whether any pool's catalogue has the connector class.
func known(snap *state.Snapshot, class string) bool {
	return slices.ContainsFunc(snap.Plugins, func(p *state.Plugin) bool {
		return isConnector(p.Value.GetPlugin()) && named(p.Value.GetPlugin(), class)
	})
}

// available lists the connectors of live executors and of the catalogue, in Kafka Connect's form.
func available(snap *state.Snapshot) string {
	descs := map[string]bool{}
	add := func(p *sluicev1.Plugin) {
		if !isConnector(p) {
			return
		}
		kind := "sink"
		if p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_SOURCE {
			kind = "source"
		}
		descs[fmt.Sprintf("PluginDesc{klass=class %[1]s, name='%[1]s', version='%[2]s', encodedVersion=%[2]s, type=%[3]s, typeName='%[3]s'}", p.GetClass(), p.GetVersion(), kind)] = true
	}
	for _, p := range snap.Plugins {
		add(p.Value.GetPlugin())
	}
	for _, s := range snap.Sessions {
		for _, p := range s.Value.GetPlugins() {
			add(p)
		}
	}
	return list(descs)
}

func list(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
