package mirror

import (
	"strings"
	"testing"

	"github.com/sluice-project/sluice/connectors"
)

func find(t *testing.T, alias string) connectors.Plugin {
	t.Helper()
	for _, p := range Plugins() {
		if p.Aliases[len(p.Aliases)-1] == alias {
			return p
		}
	}
	t.Fatalf("nothing is called %s", alias)
	return connectors.Plugin{}
}

// How many keys there are of their own, and what is wrong with a config that has nothing, is MirrorMaker's.
func TestDefinitions_AreMirrorMakers(t *testing.T) {
	for alias, n := range map[string]int{"MirrorSource": 94, "MirrorCheckpoint": 89, "MirrorHeartbeat": 78} {
		p := find(t, alias)
		if got := len(p.Config().Keys()); got != n || !p.EmbedsFramework {
			t.Errorf("%s has %d keys, want %d", alias, got, n)
		}
		var wrong []string
		for _, v := range p.Config().Validate(nil) {
			wrong = append(wrong, v.Errors...)
		}
		if len(wrong) != 1 || wrong[0] != `Missing required configuration "source.cluster.alias" which has no default value.` {
			t.Errorf("%s: %q", alias, wrong)
		}
	}
}

func TestValues_AreCheckedAsMirrorMakerDoes(t *testing.T) {
	for _, c := range []struct{ alias, key, value, want string }{
		{"MirrorSource", "topics", "a,a", "Configuration 'topics' values must not be duplicated."},
		{"MirrorSource", "offset-syncs.topic.location", "here", "Invalid value here for configuration offset-syncs.topic.location: String must be one of: source, target"},
		{"MirrorSource", "metric.names.formats", "", "Configuration 'metric.names.formats' must not be empty. Valid values include: [legacy, new]"},
		{"MirrorSource", "topic.filter.class", "x.Y", "Invalid value x.Y for configuration topic.filter.class: Class x.Y could not be found."},
		{"MirrorSource", "replication.policy.class", pkg + "IdentityReplicationPolicy", ""},
		{"MirrorSource", "sasl.login.refresh.window.factor", "2", "Invalid value 2.0 for configuration sasl.login.refresh.window.factor: Value must be no more than 1.0"},
		{"MirrorCheckpoint", "groups", "g,", "Configuration 'groups' values must not be empty."},
		{"MirrorHeartbeat", "heartbeats.topic.replication.factor", "40000", "Invalid value 40000 for configuration heartbeats.topic.replication.factor: Not a number of type SHORT"},
	} {
		got := ""
		for _, v := range find(t, c.alias).Config().Validate(map[string]string{"source.cluster.alias": "s", c.key: c.value}) {
			got += strings.Join(v.Errors, "\n")
		}
		if got != c.want {
			t.Errorf("%s=%s:\n got %s\nwant %s", c.key, c.value, got, c.want)
		}
	}
}

func TestCheck_SpansKeysAsMirrorMakerDoes(t *testing.T) {
	for _, c := range []struct {
		alias  string
		config map[string]string
		want   string // keys with an error
	}{
		{"MirrorSource", map[string]string{exactlyOnce: "required"}, exactlyOnce},
		{"MirrorSource", map[string]string{exactlyOnce: "required", "consumer.isolation.level": "read_committed"}, ""},
		{"MirrorSource", map[string]string{exactlyOnce: "required", "consumer.isolation.level": "read_committed", "source.consumer.isolation.level": "x"}, exactlyOnce},
		{"MirrorSource", map[string]string{emitOffsetSyncs: "false"}, ""},
		{"MirrorSource", map[string]string{emitOffsetSyncs: "false", "offset-syncs.topic.location": "source"}, emitOffsetSyncs},
		{"MirrorCheckpoint", map[string]string{emitOffsetSyncs: "false"}, emitOffsetSyncs},
		{"MirrorCheckpoint", map[string]string{"emit.checkpoints.enabled": "false"}, "emit.checkpoints.enabled"},
		{"MirrorCheckpoint", map[string]string{"emit.checkpoints.enabled": "false", "enabled": "false"}, ""},
	} {
		got := ""
		find(t, c.alias).NewSource().(connectors.Checker).Check(c.config, func(key, message string) {
			got += key
			if message == "" {
				t.Errorf("%s: no message", key)
			}
		})
		if got != c.want {
			t.Errorf("%s %v: %q, want %q", c.alias, c.config, got, c.want)
		}
	}
}

func TestNothingRuns(t *testing.T) {
	for _, p := range Plugins() {
		c := p.NewSource()
		err := c.Start(t.Context(), nil, nil)
		_, planned := c.TaskConfigs(t.Context(), 1)
		if p.Refusal == "" || err == nil || err.Error() != p.Refusal || planned == nil || c.NewTask().Start(t.Context(), nil, nil) == nil || c.Stop(t.Context()) != nil {
			t.Errorf("%s: %v", p.Class, err)
		}
	}
}
