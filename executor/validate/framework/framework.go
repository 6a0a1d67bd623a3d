package framework

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// The keys that code asks for by name.
const (
	Name               = "name"
	Class              = "connector.class"
	ConnectorVersion   = "connector.plugin.version"
	TasksMax           = "tasks.max"
	KeyConverter       = "key.converter"
	ValueConverter     = "value.converter"
	HeaderConverter    = "header.converter"
	Transforms         = "transforms"
	Predicates         = "predicates"
	Topics             = "topics"
	TopicsRegex        = "topics.regex"
	DeadLetters        = "errors.deadletterqueue.topic.name"
	ExactlyOnce        = "exactly.once.support"
	Boundary           = "transaction.boundary"
	OffsetsTopic       = "offsets.storage.topic"
	ConverterType      = "converter.type"
	TopicCreation      = "topic.creation."
	PluginVersion      = ".plugin.version"
	DefaultHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

// Converter is what a converter's keys are to offer.
type Converter struct {
	// Default is the worker's class; empty for none.
	Default string
	// Recommended are the classes there are.
	Recommended []string
	// Version is that of the class which the config comes to; empty where it has none.
	Version string
}

// Options fill in what depends on worker and plugin.
type Options struct {
	// ConnectorVersion is the plugin's version; empty where it has none.
	ConnectorVersion   string
	Key, Value, Header Converter
}

// Keys are the framework's keys of a source or sink, in Kafka Connect's order.
func Keys(t connectors.Type, o Options) []configdef.Key {
	keys := common(o)
	if t == connectors.Sink {
		return append(keys, sink()...)
	}
	return append(keys, source()...)
}

// ConverterTypeKey is the key that every converter of keys and values has; the framework sets it.
func ConverterTypeKey() configdef.Key {
	return configdef.Key{Name: ConverterType, Type: configdef.String, Required: true, Importance: configdef.Low, OrderInGroup: -1, Width: "NONE",
		DisplayName: ConverterType, Doc: "How this converter will be used.", Validator: configdef.In("key", "value", "header")}
}

// Proto is a key's definition as the API shows it.
func Proto(k configdef.Key) *sluicev1.ConfigKey {
	out := &sluicev1.ConfigKey{Name: k.Name, Type: string(k.Type), Required: k.Required, Importance: string(k.Importance), Documentation: k.Doc,
		Width: k.Width, DisplayName: k.DisplayName, Dependents: slices.Clone(k.Dependents), Order: int32(k.OrderInGroup)}
	if k.Default != nil {
		v := *k.Default
		if k.Type == configdef.Password {
			v = configdef.Hidden
		}
		out.DefaultValue = &v
	}
	if k.Group != "" {
		out.Group = &k.Group
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// offer is a Recommend of fixed values.
func offer(values ...string) func(map[string]string) ([]string, bool) {
	var list []string
	for _, v := range values {
		if v != "" {
			list = append(list, v)
		}
	}
	return func(map[string]string) ([]string, bool) { return list, true }
}

// distinct is the validator of lists in Kafka 4.3.
func distinct() configdef.Validator {
	return configdef.Func("list without empty or duplicate values", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		seen := map[string]bool{}
		empty := false
		for _, v := range strings.Split(*value, ",") {
			if seen[v] {
				return listError("Configuration '" + name + "' values must not be duplicated.")
			}
			seen[v], empty = true, empty || v == ""
		}
		if empty {
			return listError("Configuration '" + name + "' values must not be empty.")
		}
		return nil
	})
}

// aliases is the validator of lists of aliases.
func aliases() configdef.Validator {
	return configdef.Func("unique aliases", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		parts := strings.Split(*value, ",")
		slices.Sort(parts)
		if len(slices.Compact(slices.Clone(parts))) != len(parts) {
			return configdef.Invalid(name, *value, "Duplicate alias provided.")
		}
		return nil
	})
}

type listError string

func (e listError) Error() string { return string(e) }

// pattern is the validator of regular expressions. They are Go's: Java's lookarounds, backreferences and
// possessive quantifiers are refused, with the reason.
func pattern() configdef.Validator {
	return configdef.Func("regular expression (RE2 syntax)", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		if _, err := regexp.Compile(*value); err != nil {
			return configdef.Invalid(name, *value, "Invalid regex: "+strings.TrimPrefix(err.Error(), "error parsing regexp: ")+"\n"+*value)
		}
		return nil
	})
}

// atLeastZeroOrNull takes no value, or one from 0 on.
func atLeastZeroOrNull() configdef.Validator {
	min := configdef.AtLeast(0)
	return configdef.Func("null, or "+min.String(), func(name string, value *string) error {
		if value == nil {
			return nil
		}
		return min.Check(name, value)
	})
}
