package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/props"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// open are the prefixes below which keys have meanings of their own.
var open = []string{
	"producer.override.", "consumer.override.", "admin.override.", framework.TopicCreation,
	framework.KeyConverter + ".", framework.ValueConverter + ".", framework.HeaderConverter + ".",
	framework.Transforms + ".", framework.Predicates + ".", "sluice.",
}

// warnings names the keys that nobody knows, each with the nearest that somebody does. Kafka Connect passes
// them on to the connector, which may know them all the same, so they are no errors.
func (s *state) warnings() (out []string) {
	if s.plugin.Refusal != "" {
		return nil // such a config is for another system
	}
	var known []string
	for _, i := range s.infos {
		if i.GetDefinition() != nil {
			known = append(known, i.GetValue().GetName())
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.config)) {
		if slices.Contains(known, k) || slices.ContainsFunc(open, func(p string) bool { return strings.HasPrefix(k, p) }) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: unknown key, passed on to the connector as it is; the nearest known key is %s", k, props.Nearest(k, known)))
	}
	if s.secrets != nil {
		for _, r := range s.secrets.Unresolved {
			out = append(out, r+": it stays as it is")
		}
	}
	return out
}

// NameOf is the connector's name as a config has it, for logs; empty where it has none.
func NameOf(c *sluicev1.Config) (name string) {
	for _, e := range c.GetEntries() {
		if e.GetKey() == framework.Name {
			name = e.GetValue()
		}
	}
	return name
}
