package validate

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/restart"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/internal/props"
)

// SluiceKeys are the keys of a connector's config that Kafka Connect does not have, but for sluice.pool, which the control
// plane checks.
func SluiceKeys() []configdef.Key {
	return append(restart.Keys(), configdef.Key{Name: secrets.AllowDerived, Type: configdef.Boolean, Default: configdef.Text("false"), Importance: configdef.Low,
		Group: "Secrets", OrderInGroup: 1, Width: "SHORT", DisplayName: "Allow derived secrets",
		Doc: "Whether configs of tasks may hold what references (${file:...}) came to under other keys than the connector's config has them. They are then stored and shown as they are."})
}

// sluice answers for those that are given. A config without any has Kafka Connect's answer, and nothing more.
func (s *state) sluice() section {
	def := configdef.New()
	var known []string
	for _, k := range SluiceKeys() {
		def.Define(k)
		known = append(known, k.Name)
	}
	var out section
	values := map[string]configdef.Value{}
	for _, v := range def.Validate(s.raw, s.nulls...) {
		values[v.Name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(s.raw)) {
		if !strings.HasPrefix(name, restart.Prefix) && !strings.HasPrefix(name, "sluice.secrets.") {
			continue
		}
		given := s.raw[name]
		k, ok := def.Key(name)
		v := values[name]
		switch {
		case !ok:
			v = configdef.Value{Name: name, Value: &given, Errors: []string{configdef.Invalid(name, given, "Sluice has no such key; the nearest is "+props.Nearest(name, known)).Error()}}
			out.add("", nil, v)
			continue
		case s.config[name] != given:
			v.Errors = []string{configdef.Invalid(name, given, "References are not resolved in this key").Error()}
		}
		out.add("", &k, v)
	}
	return out
}
