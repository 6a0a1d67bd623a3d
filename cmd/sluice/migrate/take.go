package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/executor/mirror"
	"github.com/sluice-project/sluice/executor/pluginpath"
	"github.com/sluice-project/sluice/executor/topics"
	"github.com/sluice-project/sluice/internal/clock"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// errProblems says that something of the report stands against a take-over.
var errProblems = errors.New("nothing was changed: the report names what is in the way")

// migrationKey is the header of calls that may write to a cluster that is handed back.
const migrationKey = "sluice-migration"

// api is the control plane.
type api struct {
	connectors sluicev1.ConnectorServiceClient
	plugins    sluicev1.PluginServiceClient
	cluster    sluicev1.ClusterServiceClient
}

// take is one take-over.
type take struct {
	api      api
	old, new *cluster
	// only are the connectors to take; empty takes the whole cluster.
	only            []string
	rest            *oldREST
	dryRun, skip    bool
	clock           clock.Clock
	out             io.Writer
	timeout         time.Duration // of each call and of each wait
	handedBack      bool
	list            []*planned
	gone            []string // connectors of Sluice that the topic does not have any more (return after a hand-back)
	problems, notes []string
}

// planned is one connector of the report.
type planned struct {
	topics.LoggedConnector
	config   *sluicev1.Config
	source   bool
	present  bool // Sluice has it with this config
	differs  bool // Sluice has it with another
	problems []string
}

func (t *take) say(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

func (t *take) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(metadata.AppendToOutgoingContext(ctx, migrationKey, "1"), t.timeout)
}

// run reports, and then takes over.
func (t *take) run(ctx context.Context) error {
	if err := t.look(ctx); err != nil {
		return err
	}
	blocked := t.report()
	if blocked || t.dryRun {
		if blocked {
			return errProblems
		}
		t.say("dry run: nothing was changed")
		return nil
	}
	return t.move(ctx)
}

// look finds out what there is and what stands in the way. It changes nothing.
func (t *take) look(ctx context.Context) error {
	problem := func(format string, args ...any) { t.problems = append(t.problems, fmt.Sprintf(format, args...)) }
	list, skipped, err := t.old.configs(ctx)
	if err != nil {
		return err
	}
	for _, s := range skipped {
		t.notes = append(t.notes, "skipped, as a Kafka Connect worker would: "+s)
	}
	for _, name := range t.only {
		if !slices.ContainsFunc(list, func(c topics.LoggedConnector) bool { return c.Name == name }) {
			problem("--connector %s: topic %s has no such connector", name, t.old.worker.ConfigTopic().Name)
		}
	}
	hb, err := t.getHandBack(ctx)
	if err != nil {
		return err
	}
	t.handedBack = hb.GetHandedBack()
	sameKafka := t.old.id == t.new.id
	if len(t.only) == 0 {
		if err := t.old.vacant(ctx); err != nil {
			problem("%v, or take single connectors with --connector and --rest", err)
		}
	} else {
		if t.rest == nil {
			problem("--connector needs --rest, the REST API of the old cluster: the connector is stopped there first")
		}
		if t.handedBack {
			problem("the cluster is handed back to Kafka Connect: take it whole")
		}
		for _, x := range [][3]string{{"config.storage.topic", t.old.worker.ConfigTopic().Name, t.new.worker.ConfigTopic().Name}, {"status.storage.topic", t.old.worker.StatusTopic().Name, t.new.worker.StatusTopic().Name}} {
			if sameKafka && x[1] == x[2] {
				problem("%s=%s is that of the old cluster, which goes on: Sluice's executors need one of their own (say with --executor-properties which they have)", x[0], x[1])
			}
		}
	}
	if err := t.examine(ctx, list); err != nil {
		return err
	}
	ids := []string{mirror.TransactionalID(t.new.worker.GroupID())}
	for _, p := range t.list {
		// The id of exactly-once sources is their first task's: it may be in use, and nothing is changed here.
		if p.source && !p.present && !p.differs && !t.new.worker.ExactlyOnce() {
			ids = append(ids, t.new.worker.GroupID()+"-"+p.Name+"-offsets")
		}
	}
	t.problems = append(t.problems, t.new.checkTransactions(ctx, ids)...)
	return nil
}

func (t *take) getHandBack(ctx context.Context) (*sluicev1.GetHandBackResponse, error) {
	ctx, cancel := t.call(ctx)
	defer cancel()
	return t.api.cluster.GetHandBack(ctx, &sluicev1.GetHandBackRequest{})
}

// examine validates every connector that is to be taken, and compares it with what Sluice has.
func (t *take) examine(ctx context.Context, list []topics.LoggedConnector) error {
	have, err := t.have(ctx)
	if err != nil {
		return err
	}
	sources, known, err := t.classes(ctx)
	if err != nil {
		return err
	}
	// The file may have come from another machine: then its folders are not here.
	if note := pluginpath.Note(ctx, t.old.worker.PluginPath(), func(class string) bool { return known[class] }); note != "" {
		t.notes = append(t.notes, note)
	}
	found := map[string]bool{}
	for _, c := range list {
		found[c.Name] = true
		if len(t.only) > 0 && !slices.Contains(t.only, c.Name) {
			continue
		}
		p := &planned{LoggedConnector: c, config: &sluicev1.Config{}}
		class := ""
		for _, e := range c.Config {
			p.config.Entries = append(p.config.Entries, &sluicev1.ConfigEntry{Key: e.Key, Value: e.Value})
			if e.Key == "connector.class" && e.Value != nil {
				class = *e.Value
			}
		}
		t.list = append(t.list, p)
		p.source = sources[class]
		if mine, ok := have[c.Name]; ok {
			p.present = sameConfig(mine.GetConfig(), p.config)
			p.differs = !p.present
			if p.differs && !t.handedBack {
				p.problems = append(p.problems, "Sluice has a connector of this name with another config: delete it, or give it the same config")
			}
		}
		if err := t.validate(ctx, class, p); err != nil {
			return err
		}
		if c.Inconsistent {
			t.notes = append(t.notes, c.Name+": its task set is not whole in the topic; Sluice plans its own")
		}
	}
	if t.handedBack && len(t.only) == 0 {
		for name := range have {
			if !found[name] {
				t.gone = append(t.gone, name)
			}
		}
		slices.Sort(t.gone)
	}
	return nil
}

// have lists Sluice's connectors.
func (t *take) have(ctx context.Context) (map[string]*sluicev1.ConnectorInfo, error) {
	ctx, cancel := t.call(ctx)
	defer cancel()
	return connectors(ctx, t.api)
}

// classes are the classes of sources that Sluice knows, and all that it knows, with their aliases.
func (t *take) classes(ctx context.Context) (sources, all map[string]bool, err error) {
	ctx, cancel := t.call(ctx)
	defer cancel()
	r, err := t.api.plugins.ListPlugins(ctx, &sluicev1.ListPluginsRequest{})
	if err != nil {
		return nil, nil, err
	}
	sources, all = map[string]bool{}, map[string]bool{}
	for _, p := range r.GetPlugins() {
		for _, name := range append(p.GetAliases(), p.GetClass()) {
			all[name] = true
			if p.GetType() == sluicev1.PluginType_PLUGIN_TYPE_SOURCE {
				sources[name] = true
			}
		}
	}
	return sources, all, nil
}

func connectors(ctx context.Context, a api) (map[string]*sluicev1.ConnectorInfo, error) {
	r, err := a.connectors.ListConnectors(ctx, &sluicev1.ListConnectorsRequest{Expand: []string{"info"}})
	if err != nil {
		return nil, err
	}
	out := map[string]*sluicev1.ConnectorInfo{}
	for _, c := range r.GetConnectors() {
		out[c.GetName()] = c.GetInfo()
	}
	return out, nil
}

func (t *take) validate(ctx context.Context, class string, p *planned) error {
	ctx, cancel := t.call(ctx)
	defer cancel()
	r, err := t.api.plugins.ValidateConfig(ctx, &sluicev1.ValidateConfigRequest{Plugin: class, Config: p.config})
	switch status.Code(err) {
	case codes.OK:
		for _, i := range r.GetConfigs() {
			for _, e := range i.GetValue().GetErrors() {
				p.problems = append(p.problems, i.GetValue().GetName()+": "+e)
			}
		}
		return nil
	case codes.InvalidArgument, codes.NotFound:
		p.problems = append(p.problems, status.Convert(err).Message())
		return nil
	case codes.Unavailable:
		// Nobody who has the plugin is alive; where nobody at all is, that is another matter.
		if x, lerr := t.api.cluster.ListExecutors(ctx, &sluicev1.ListExecutorsRequest{}); lerr == nil && len(x.GetExecutors()) > 0 {
			p.problems = append(p.problems, status.Convert(err).Message())
			return nil
		}
		return fmt.Errorf("no executor of Sluice is alive: start them with the same worker properties first: %w", err)
	}
	return err
}

func sameConfig(a, b *sluicev1.Config) bool {
	return slices.EqualFunc(a.GetEntries(), b.GetEntries(), func(x, y *sluicev1.ConfigEntry) bool {
		return x.GetKey() == y.GetKey() && (x.Value == nil) == (y.Value == nil) && x.GetValue() == y.GetValue()
	})
}

// report prints what would be done, and says whether something is in the way.
func (t *take) report() (blocked bool) {
	t.say("%d connectors in topic %s:", len(t.list), t.old.worker.ConfigTopic().Name)
	for _, p := range t.list {
		what := p.Target
		switch {
		case len(p.problems) > 0 && t.skip:
			what = "skipped"
		case len(p.problems) > 0:
			what, blocked = "would not run", true
		case p.present:
			what += ", is in Sluice already"
		case p.differs:
			what += ", its config changed since it was handed back"
		}
		t.say("  %-30s %s", p.Name, what)
		for _, e := range p.problems {
			// Kafka Connect's own message goes on with every class there is.
			e, _, _ = strings.Cut(e, ", available connectors are:")
			t.say("      %s", e)
		}
	}
	for _, name := range t.gone {
		t.say("  %-30s was deleted since the cluster was handed back", name)
	}
	for _, n := range t.notes {
		t.say("note: %s", n)
	}
	for _, p := range t.problems {
		t.say("problem: %s", p)
	}
	if blocked {
		t.say("connectors that would not run can be left out with --skip-unsupported")
	}
	return blocked || len(t.problems) > 0
}

// move takes the connectors over.
func (t *take) move(ctx context.Context) error {
	t.list = slices.DeleteFunc(t.list, func(p *planned) bool { return len(p.problems) > 0 })
	names := map[string]bool{}
	for _, p := range t.list {
		if len(t.only) > 0 && !p.present {
			t.say("stopping %s in the old cluster", p.Name)
			limit, done := context.WithTimeout(ctx, t.timeout)
			err := errors.Join(t.rest.stop(limit, p.Name), t.emptied(limit, p))
			done()
			if err != nil {
				return err
			}
		}
		if !p.present || t.handedBack { // the offsets of one that runs already are its own
			names[p.Name] = true
		}
	}
	for _, p := range t.list {
		if err := t.fence(ctx, p); err != nil {
			return fmt.Errorf("connector %s: %w", p.Name, err)
		}
	}
	if t.old.id != t.new.id || t.old.worker.OffsetsTopic().Name != t.new.worker.OffsetsTopic().Name {
		n, err := copyOffsets(ctx, t.old, t.new, names)
		if err != nil {
			return err
		}
		t.say("copied %d source offsets to topic %s", n, t.new.worker.OffsetsTopic().Name)
	}
	for _, p := range t.list {
		if err := t.bring(ctx, p); err != nil {
			return fmt.Errorf("connector %s: %w", p.Name, err)
		}
	}
	for _, name := range t.gone {
		call, done := t.call(ctx)
		_, err := t.api.connectors.DeleteConnector(call, &sluicev1.DeleteConnectorRequest{Name: name})
		done()
		if err != nil && status.Code(err) != codes.NotFound {
			return fmt.Errorf("connector %s: %w", name, err)
		}
		t.say("%s is deleted", name)
	}
	if t.handedBack {
		call, done := t.call(ctx)
		defer done()
		if _, err := t.api.cluster.EndHandBack(call, &sluicev1.EndHandBackRequest{}); err != nil {
			return err
		}
		t.say("the hand-back is ended: Sluice runs the connectors again")
	}
	return nil
}

// emptied waits until a sink's consumer group has no members: the new ones must not share it with the old.
func (t *take) emptied(ctx context.Context, p *planned) error {
	if p.source {
		return nil
	}
	group := "connect-" + p.Name
	for _, e := range p.Config {
		if e.Key == "consumer.override.group.id" && e.Value != nil {
			group = *e.Value
		}
	}
	for {
		n, err := t.old.members(ctx, group)
		if err == nil && n == 0 {
			return nil
		}
		select {
		case <-t.clock.After(500 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("group %s has %d members though connector %s is stopped", group, n, p.Name), err)
		}
	}
}

// bring creates one connector with its state, or gives the one that is there what changed. The offsets are where they
// have to be by now, so that it may start at once; done again, it changes nothing.
func (t *take) bring(ctx context.Context, p *planned) error {
	ctx, cancel := t.call(ctx)
	defer cancel()
	target := sluicev1.TargetState(sluicev1.TargetState_value["TARGET_STATE_"+p.Target])
	if !p.present && !p.differs {
		initial := target
		if !p.TargetSet { // nobody ever asked for a state: there is no record of one, and none is to appear
			initial = sluicev1.TargetState_TARGET_STATE_UNSPECIFIED
		}
		if _, err := t.api.connectors.CreateConnector(ctx, &sluicev1.CreateConnectorRequest{Name: p.Name, Config: p.config, InitialState: initial}); err != nil {
			return err
		}
		t.say("%s is taken over, %s", p.Name, p.Target)
		return nil
	}
	if p.present && !t.handedBack {
		t.say("%s is there already", p.Name)
		return nil
	}
	if p.differs {
		if _, err := t.api.connectors.PutConnectorConfig(ctx, &sluicev1.PutConnectorConfigRequest{Name: p.Name, Config: p.config}); err != nil {
			return err
		}
	}
	if !p.TargetSet {
		return nil
	}
	var err error
	switch target {
	case sluicev1.TargetState_TARGET_STATE_PAUSED:
		_, err = t.api.connectors.PauseConnector(ctx, &sluicev1.PauseConnectorRequest{Name: p.Name})
	case sluicev1.TargetState_TARGET_STATE_STOPPED:
		_, err = t.api.connectors.StopConnector(ctx, &sluicev1.StopConnectorRequest{Name: p.Name})
	default:
		_, err = t.api.connectors.ResumeConnector(ctx, &sluicev1.ResumeConnectorRequest{Name: p.Name})
	}
	if err == nil {
		t.say("%s is as it was in Kafka Connect, %s", p.Name, p.Target)
	}
	return err
}
