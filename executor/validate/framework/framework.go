package framework

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/internal/javaregex"
	"github.com/sluice-project/sluice/internal/pluginversion"
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
	BoundaryInterval   = "transaction.boundary.interval.ms"
	OffsetsTopic       = "offsets.storage.topic"
	ConverterType      = "converter.type"
	TopicCreation      = "topic.creation."
	PluginVersion      = ".plugin.version"
	DefaultHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

// Plugins is what there is to choose from. The zero Plugins knows nothing: every class is taken, and nothing
// is recommended.
type Plugins struct {
	// Versions are those of a connector, by class or alias.
	Versions func(class string) []string
	// Converters and Headers are the converters of keys and values, and of headers.
	Converters, Headers Kind
	// Find resolves the name or alias of any class at all.
	Find func(name string) (class string, ok bool)
}

// Kind is one kind of plugin.
type Kind struct {
	// Classes are the classes, in order.
	Classes []string
	// Versions are those of a class.
	Versions func(class string) []string
}

// Converter is where a converter's keys start from.
type Converter struct {
	// Default is the worker's class; empty for none.
	Default string
	// Version is that of the class which the config comes to; empty where it has none.
	Version string
}

// Options fill in what depends on worker and plugin. With none it is the plain definition, as a Java
// connector sees it that builds its own on Kafka Connect's.
type Options struct {
	// ConnectorVersion is the plugin's version; empty where it has none.
	ConnectorVersion   string
	Key, Value, Header Converter
	Plugins            Plugins
}

// Keys are the framework's keys of a source or sink, in Kafka Connect's order.
func Keys(t connectors.Type, o Options) []configdef.Key {
	if t == connectors.Sink {
		return append(Common(o), sink()...)
	}
	return append(Common(o), source()...)
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

// recommend recommends all classes of a kind.
func (k Kind) recommend(map[string]string) ([]string, bool) { return k.Classes, true }

// versions recommends the versions of the class that another key names; without a class the key does not
// matter.
func versions(of string, list func(class string) []string) func(map[string]string) ([]string, bool) {
	return func(parsed map[string]string) ([]string, bool) {
		class, ok := parsed[of]
		if !ok {
			return nil, false
		}
		if list == nil {
			return nil, true
		}
		return list(class), true
	}
}

// version is the validator of *.plugin.version: a version, or a range as Maven writes them.
func version() configdef.Validator {
	return configdef.Func("a version, a range of versions such as [1.0,2.0), or latest", func(_ string, value *string) error {
		if value == nil {
			return nil
		}
		_, err := pluginversion.Parse(*value)
		return err
	})
}

// concrete is the validator of classes: they have to be of the kind.
func (k Kind) concrete(class string) configdef.Validator {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	return configdef.Func("A concrete subclass of "+class+", A class with a public, no-argument constructor", func(_ string, value *string) error {
		if value == nil || k.Versions == nil || slices.Contains(k.Classes, *value) {
			return nil
		}
		return fmt.Errorf("Class class %s does not implement the %s interface", *value, simple)
	})
}

// aliases is the validator of lists of names.
func aliases(what string) configdef.Validator {
	return configdef.All(configdef.NonNull(), configdef.Func("unique "+what, func(name string, value *string) error {
		list := configdef.SplitList(*value)
		if len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
			return configdef.Invalid(name, configdef.Shown(value), "Duplicate alias provided.")
		}
		return nil
	}))
}

// pattern is the validator of Java's regular expressions; what javaregex does not support is refused, with the reason.
func pattern() configdef.Validator {
	return configdef.Func("valid regex", func(name string, value *string) error {
		if value == nil || *value == "" {
			return nil
		}
		if _, err := javaregex.Compile(*value); err != nil {
			return configdef.Invalid(name, *value, "Invalid regex: "+err.Error())
		}
		return nil
	})
}
