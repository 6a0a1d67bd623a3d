package framework

import (
	"slices"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/javaregex"
)

// DefaultGroup is the group of topics that is always there, and comes last.
const DefaultGroup = "default"

// CreationGroups are the groups of topic.creation.groups, in order, without the default one.
func CreationGroups(config map[string]string) (out []string) {
	for _, g := range configdef.SplitList(config[TopicCreation+"groups"]) {
		if g != "" && g != DefaultGroup && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// CreationDef is the definition of the topic.creation.* keys that a source config has: Kafka Connect's
// TopicCreationConfig. The default group's replication factor and partitions have to be given, and are the
// defaults of the other groups. The default group has no include and exclude: what is given is ignored.
func CreationDef(config map[string]string) *configdef.Def {
	def := configdef.New()
	key := func(group, name string, t configdef.Type, v configdef.Validator, def *string) configdef.Key {
		return configdef.Key{Name: TopicCreation + group + "." + name, Type: t, Default: def, Required: def == nil, Validator: v, Importance: configdef.Low, Width: "LONG"}
	}
	def.Define(key(DefaultGroup, "replication.factor", configdef.Short, replication(), nil))
	def.Define(key(DefaultGroup, "partitions", configdef.Int, partitions(), nil))
	// Where the default group's are wrong, that is the fault; the others' have none of their own.
	inherited := map[string]*string{}
	for _, v := range def.Validate(config) {
		inherited[v.Name] = configdef.Text("-1")
		if len(v.Errors) == 0 {
			inherited[v.Name] = v.Value
		}
	}
	for _, g := range CreationGroups(config) {
		def.Define(key(g, "include", configdef.List, patterns(), configdef.Text("")))
		def.Define(key(g, "exclude", configdef.List, patterns(), configdef.Text("")))
		def.Define(key(g, "replication.factor", configdef.Short, replication(), inherited[TopicCreation+DefaultGroup+".replication.factor"]))
		def.Define(key(g, "partitions", configdef.Int, partitions(), inherited[TopicCreation+DefaultGroup+".partitions"]))
	}
	return def
}

func replication() configdef.Validator {
	return countOrBrokers("Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
		"Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default")
}

func partitions() configdef.Validator {
	return countOrBrokers("Positive number, or -1 to use the broker's default", "Number of partitions must be positive, or -1 to use the broker's default")
}

func countOrBrokers(describe, message string) configdef.Validator {
	return configdef.Func(describe, func(name string, value *string) error {
		if value != nil && (*value == "0" || (*value)[0] == '-' && *value != "-1") {
			return configdef.Invalid(name, *value, message)
		}
		return nil
	})
}

// patterns is the validator of lists of Java's regular expressions.
func patterns() configdef.Validator {
	return configdef.Func("regular expressions", func(name string, value *string) error {
		for _, p := range configdef.SplitList(*value) {
			if _, err := javaregex.Compile(p); err != nil {
				return configdef.Invalid(name, configdef.Shown(value), "Syntax error in regular expression: "+err.Error())
			}
		}
		return nil
	})
}
