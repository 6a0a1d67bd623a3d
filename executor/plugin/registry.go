package plugin

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/run"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Registry is what an executor has. Immutable.
type Registry struct {
	connectors []connectors.Plugin // sinks, then sources, each by class
	byName     map[string]int
	converters []converter.Info // by class
	values     map[string]int
	headers    map[string]int
	defs       map[string]*configdef.Def
	chain
}

// New makes a registry. It refuses a class or alias that two plugins claim (ErrDuplicate), and a
// description that is not complete (ErrInvalid).
func New(plugins []connectors.Plugin, converters []converter.Info) (*Registry, error) {
	r := &Registry{byName: map[string]int{}, values: map[string]int{}, headers: map[string]int{}, defs: map[string]*configdef.Def{}}
	r.connectors = slices.Clone(plugins)
	slices.SortStableFunc(r.connectors, func(a, b connectors.Plugin) int {
		return cmp.Or(-cmp.Compare(a.Type, b.Type), cmp.Compare(a.Class, b.Class))
	})
	for i, p := range r.connectors {
		if err := checkPlugin(p); err != nil {
			return nil, err
		}
		if err := r.define(p.Class, p.Config); err != nil {
			return nil, err
		}
		if p.EmbedsFramework {
			r.defs[p.Class] = r.embed(r.defs[p.Class])
		}
		for _, name := range names(p.Class, p.Aliases, "Connector") {
			if j, ok := r.byName[name]; ok {
				return nil, fmt.Errorf("%w: %q is claimed by %s and by %s", ErrDuplicate, name, r.connectors[j].Class, p.Class)
			}
			r.byName[name] = i
		}
	}
	r.converters = slices.Clone(converters)
	slices.SortStableFunc(r.converters, func(a, b converter.Info) int { return cmp.Compare(a.Class, b.Class) })
	for i, c := range r.converters {
		if c.Class == "" || c.New == nil && c.NewHeader == nil {
			return nil, fmt.Errorf("%w: converter %q: it needs a class, and a constructor (New or NewHeader)", ErrInvalid, c.Class)
		}
		if err := r.define(c.Class, c.Config); err != nil {
			return nil, err
		}
		for _, kind := range []struct {
			has    bool
			index  map[string]int
			suffix string
		}{{c.New != nil, r.values, "Converter"}, {c.NewHeader != nil, r.headers, "HeaderConverter"}} {
			if !kind.has {
				continue
			}
			for _, name := range names(c.Class, c.Aliases, kind.suffix) {
				if j, ok := kind.index[name]; ok {
					return nil, fmt.Errorf("%w: %q is claimed by %s and by %s", ErrDuplicate, name, r.converters[j].Class, c.Class)
				}
				kind.index[name] = i
			}
		}
	}
	return r, r.addChain()
}

func checkPlugin(p connectors.Plugin) error {
	switch {
	case p.Class == "":
		return fmt.Errorf("%w: a connector has no class", ErrInvalid)
	case p.Type == connectors.Source && p.NewSource != nil && p.NewSink == nil:
	case p.Type == connectors.Sink && p.NewSink != nil && p.NewSource == nil:
	default:
		return fmt.Errorf("%w: connector %s: it needs exactly the one constructor that its type names (NewSource or NewSink)", ErrInvalid, p.Class)
	}
	return nil
}

// define reads a plugin's definition, once.
func (r *Registry) define(class string, f func() *configdef.Def) error {
	if _, ok := r.defs[class]; ok {
		return fmt.Errorf("%w: class %s is there twice", ErrDuplicate, class)
	}
	d := configdef.New()
	if f != nil {
		if err := run.Call(func() error { d = f(); return nil }); err != nil {
			return fmt.Errorf("%s: its config definition: %w", class, err)
		}
		if d == nil {
			return fmt.Errorf("%w: %s: its config definition is nil", ErrInvalid, class)
		}
	}
	r.defs[class] = d
	return nil
}

// embed puts the framework's plain keys before a plugin's own.
func (r *Registry) embed(own *configdef.Def) *configdef.Def {
	d := configdef.New()
	for _, k := range framework.Common(framework.Options{Plugins: framework.Plugins{Find: r.Find}}) {
		d.Define(k)
	}
	for _, k := range own.Keys() {
		d.Define(k)
	}
	return d
}

// names are the names of a class by Kafka Connect's rule, each once: the class, its simple name, that
// without the suffix of its kind, and its aliases.
func names(class string, aliases []string, suffix string) []string {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	all := []string{class, simple}
	if short := strings.TrimSuffix(simple, suffix); short != "" {
		all = append(all, short)
	}
	if len(simple) > len("Converter") && suffix == "HeaderConverter" {
		all = append(all, strings.TrimSuffix(simple, "Converter"))
	}
	var out []string
	for _, n := range append(all, aliases...) {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Connector finds a connector by its class, simple name, simple name without Connector, or alias.
// Names are case-sensitive and not trimmed. The error is an *UnknownError.
func (r *Registry) Connector(name string) (connectors.Plugin, error) {
	if i, ok := r.byName[name]; ok {
		return r.connectors[i], nil
	}
	list := make([]string, len(r.connectors))
	for i, p := range r.connectors {
		kind := typeName(p.Type)
		list[i] = fmt.Sprintf("PluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, type=%s, typeName='%s', location='builtin'}",
			p.Class, p.Class, p.Version, p.Version, kind, kind)
	}
	return connectors.Plugin{}, &UnknownError{Name: name, text: fmt.Sprintf(
		"Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", name, strings.Join(list, ", "))}
}

// Converter finds a converter of keys and values by class or alias. The error is an *UnknownError.
func (r *Registry) Converter(name string) (converter.Info, error) {
	return r.converter(name, "Converter", r.values)
}

// HeaderConverter finds a header converter by class or alias. The error is an *UnknownError.
func (r *Registry) HeaderConverter(name string) (converter.Info, error) {
	return r.converter(name, "HeaderConverter", r.headers)
}

func (r *Registry) converter(name, kind string, index map[string]int) (converter.Info, error) {
	if i, ok := index[name]; ok {
		return r.converters[i], nil
	}
	return converter.Info{}, &UnknownError{Name: name, text: fmt.Sprintf(
		"Failed to find any class that implements %s and which name matches %s, available are: %s", kind, name, strings.Join(r.classes(index), ", "))}
}

func (r *Registry) classes(index map[string]int) []string {
	var out []string
	for i, c := range r.converters {
		if j, ok := index[c.Class]; ok && j == i {
			out = append(out, c.Class)
		}
	}
	return out
}

// Converters are the classes of all converters, sorted.
func (r *Registry) Converters() []string { return r.classes(r.values) }

// HeaderConverters are the classes of all header converters, sorted.
func (r *Registry) HeaderConverters() []string { return r.classes(r.headers) }

// Find resolves the name of anything at all, of whatever kind, to its class. The classes that transforms with forms
// for key and value have in common, and Java's own, exist too, though they are no plugins.
func (r *Registry) Find(name string) (class string, ok bool) {
	if i, ok := r.byName[name]; ok {
		return r.connectors[i].Class, true
	}
	for _, index := range []map[string]int{r.values, r.headers} {
		if i, ok := index[name]; ok {
			return r.converters[i].Class, true
		}
	}
	if i, ok := r.transformsByName[name]; ok {
		return r.transforms[i].Class, true
	}
	if i, ok := r.predicatesByName[name]; ok {
		return r.predicates[i].Class, true
	}
	_, forms := r.transformsByName[name+"$Key"]
	return name, forms || javaClass.MatchString(name)
}

var javaClass = regexp.MustCompile(`^java\.(lang|util|io|math)\.[A-Z]\w*$`)

// Framework is what the framework's keys may name, for their checks and recommendations.
func (r *Registry) Framework() framework.Plugins {
	version := func(name string, index map[string]int) []string {
		if i, ok := index[name]; ok && r.converters[i].Version != "" {
			return []string{r.converters[i].Version}
		}
		return nil
	}
	return framework.Plugins{
		Find: r.Find,
		Versions: func(class string) []string {
			if p, err := r.Connector(class); err == nil && p.Version != "" {
				return []string{p.Version}
			}
			return nil
		},
		Converters: framework.Kind{Classes: r.Converters(), Versions: func(class string) []string { return version(class, r.values) }},
		Headers:    framework.Kind{Classes: r.HeaderConverters(), Versions: func(class string) []string { return version(class, r.headers) }},
	}
}

// Def is the config definition of a class of this registry, without the framework's keys. It must not be
// changed. nil for a class that is not there.
func (r *Registry) Def(class string) *configdef.Def { return r.defs[class] }

func typeName(t connectors.Type) string {
	if t == connectors.Sink {
		return "sink"
	}
	return "source"
}

// List is the catalogue for RegisterPlugins, with definitions as GET /connector-plugins/{plugin}/config
// answers them: a connector's own keys, then the framework's. Sinks, sources, transforms, predicates,
// converters, header converters, each by class. Callers own it.
func (r *Registry) List() []*sluicev1.Plugin {
	var out []*sluicev1.Plugin
	for _, p := range r.connectors {
		kind := sluicev1.PluginType_PLUGIN_TYPE_SOURCE
		if p.Type == connectors.Sink {
			kind = sluicev1.PluginType_PLUGIN_TYPE_SINK
		}
		def := r.defs[p.Class]
		keys := slices.Clone(def.Keys())
		for _, k := range framework.Keys(p.Type, framework.Options{ConnectorVersion: p.Version}) {
			if _, own := def.Key(k.Name); !own {
				keys = append(keys, k)
			}
		}
		out = append(out, entry(kind, p.Class, names(p.Class, p.Aliases, "Connector")[1:], p.Version, keys))
	}
	out = append(out, r.listChain()...)
	for _, header := range []bool{false, true} {
		for _, c := range r.converters {
			switch {
			case header && c.NewHeader != nil:
				out = append(out, entry(sluicev1.PluginType_PLUGIN_TYPE_HEADER_CONVERTER, c.Class, names(c.Class, c.Aliases, "HeaderConverter")[1:], c.Version, r.ConverterKeys(c)))
			case !header && c.New != nil:
				out = append(out, entry(sluicev1.PluginType_PLUGIN_TYPE_CONVERTER, c.Class, names(c.Class, c.Aliases, "Converter")[1:], c.Version, r.ConverterKeys(c)))
			}
		}
	}
	return out
}

// ConverterKeys are the keys of a converter: converter.type first, which every one that converts keys and
// values has, then its own.
func (r *Registry) ConverterKeys(c converter.Info) []configdef.Key {
	def := r.defs[c.Class]
	if def == nil {
		return nil
	}
	keys := slices.Clone(def.Keys())
	if _, ok := def.Key(framework.ConverterType); !ok && c.New != nil {
		keys = slices.Insert(keys, 0, framework.ConverterTypeKey())
	}
	return keys
}

func entry(kind sluicev1.PluginType, class string, aliases []string, version string, keys []configdef.Key) *sluicev1.Plugin {
	p := &sluicev1.Plugin{Class: class, Aliases: aliases, Type: kind, Version: version}
	for _, k := range keys {
		p.Definition = append(p.Definition, framework.Proto(k))
	}
	return p
}
