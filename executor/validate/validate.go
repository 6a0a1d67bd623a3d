package validate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// Validator validates connector configs. Safe for concurrent use once its fields are set.
type Validator struct {
	Registry *plugin.Registry
	Worker   config.Worker
	Clock    clock.Clock
	// Resolve replaces references (`${file:...}`); nil leaves them. Answers show the references.
	Resolve func(ctx context.Context, configs ...map[string]string) (*secrets.Set, error)
	// CheckClient says whether a Kafka client can be made of a Java client config; nil means that any can.
	CheckClient func(role config.Role, java map[string]string) error
}

// Validate is Validator.Validate with the real clock, for a config without nulls.
func Validate(ctx context.Context, reg *plugin.Registry, worker config.Worker, connector map[string]string) (*sluicev1.ValidateResult, error) {
	c := &sluicev1.Config{}
	for _, k := range slices.Sorted(maps.Keys(connector)) {
		v := connector[k]
		c.Entries = append(c.Entries, &sluicev1.ConfigEntry{Key: k, Value: &v})
	}
	return Validator{Registry: reg, Worker: worker, Clock: clock.Real()}.Validate(ctx, c)
}

// Validate answers for a config, which has references unresolved and may hold nulls. It takes at most the
// worker's plugin call timeout for each of the few calls of the plugin. Errors are *errs.Error:
// ConfigInvalid without connector.class, ClassUnknown, or Internal where the plugin fails.
func (v Validator) Validate(ctx context.Context, c *sluicev1.Config) (*sluicev1.ValidateResult, error) {
	s := &state{Validator: v, raw: map[string]string{}, byName: map[string]*sluicev1.ConfigInfo{}}
	for _, e := range c.GetEntries() {
		if e.Value == nil {
			s.nulls = append(s.nulls, e.GetKey())
			delete(s.raw, e.GetKey())
		} else {
			s.raw[e.GetKey()] = e.GetValue()
		}
	}
	class, ok := s.raw[framework.Class]
	if !ok {
		return nil, errs.New(errs.ConfigInvalid, "Connector config %s contains no connector type", javaMap(c))
	}
	var err error
	if s.plugin, err = v.Registry.Connector(class); err != nil {
		return nil, errs.New(errs.ClassUnknown, "%s", err)
	}
	s.config = s.raw
	if v.Resolve != nil {
		if s.secrets, err = v.Resolve(ctx, s.raw); err != nil {
			return nil, errs.New(errs.ConfigInvalid, "Connector config of %s: its references cannot be resolved: %s", class, err)
		}
		s.config = s.secrets.Configs[0]
	}
	if err := s.run(ctx); err != nil {
		var known *errs.Error
		if errors.As(err, &known) {
			return nil, errs.New(known.Reason, "%s", s.secrets.Scrub(known.Message))
		}
		return nil, errs.New(errs.Internal, "%s", s.secrets.Scrub(err.Error()))
	}
	s.scrub()
	out := &sluicev1.ValidateResult{Name: class, ErrorCount: int32(s.count()), Groups: s.groups, Configs: s.infos,
		PluginClass: s.plugin.Class, PluginVersion: s.plugin.Version,
		Refusal: s.plugin.Refusal, Warnings: s.warnings(),
		Type: sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE}
	if s.sink() {
		out.Type = sluicev1.ConnectorType_CONNECTOR_TYPE_SINK
	}
	if s.sink() || v.Worker.ExactlyOnce() {
		out.TaskClass = sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED
	}
	return out, nil
}

// Check turns an answer with errors into Kafka Connect's refusal of a create or update (ConfigInvalid); nil
// where there are none.
func Check(r *sluicev1.ValidateResult) error {
	if r.GetErrorCount() == 0 {
		return nil
	}
	var messages []string
	for _, i := range r.GetConfigs() {
		messages = append(messages, i.GetValue().GetErrors()...)
	}
	return errs.New(errs.ConfigInvalid, "Connector configuration is invalid and contains the following %d error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		r.GetErrorCount(), strings.Join(messages, "\n"))
}

// state is one validation.
type state struct {
	Validator
	plugin connectors.Plugin
	// raw is as given, config has references resolved; nulls were given as null.
	raw, config map[string]string
	nulls       []string
	secrets     *secrets.Set // what references came to; nil where none were resolved

	// keys and values are the framework's, and what its rules say of other keys: names has those in order.
	keys   []configdef.Key
	names  []string
	values map[string]*configdef.Value

	// What is answered.
	infos  []*sluicev1.ConfigInfo
	byName map[string]*sluicev1.ConfigInfo
	groups []string
	// sections is where the part begins in which a key counts once, however many errors it has.
	sections int
}

func (s *state) sink() bool { return s.plugin.Type == connectors.Sink }

// run validates as Kafka Connect's herder does: the framework's keys and what spans several of them, the
// converters, whose errors may end up at the keys that name them, the client overrides, the plugin's own.
func (s *state) run(ctx context.Context) error {
	found, err := s.version()
	if err != nil || !found {
		return err
	}
	s.framework()
	if s.sink() {
		s.checkSink()
	} else {
		s.checkSource()
	}
	s.checkNulls()
	var converters []section
	for _, k := range []string{framework.HeaderConverter, framework.KeyConverter, framework.ValueConverter} {
		one, err := s.converter(ctx, k)
		if err != nil {
			return err
		}
		converters = append(converters, one)
	}
	overrides, err := s.overrides()
	if err != nil {
		return err
	}
	def := s.Registry.Def(s.plugin.Class)
	own, err := s.ownValues(ctx, def)
	if err != nil {
		return err
	}
	s.answer(def, own)
	s.sections = len(s.infos)
	for _, one := range append(append(overrides, converters...), s.sluice()) {
		s.append(one)
	}
	return nil
}

// put takes over the values of the framework's keys.
func (s *state) put(def *configdef.Def) {
	s.keys, s.groups, s.values = def.Keys(), slices.Clone(def.Groups()), map[string]*configdef.Value{}
	for _, v := range def.Validate(s.config, s.nulls...) {
		s.values[v.Name] = &v
		s.names = append(s.names, v.Name)
	}
}

// value is what is said of a key so far. Of one that the framework does not know there is a new answer, which
// shows the value that was given.
func (s *state) value(name string) *configdef.Value {
	if v, ok := s.values[name]; ok {
		return v
	}
	v := &configdef.Value{Name: name, Visible: true}
	if given, ok := s.config[name]; ok {
		v.Value = &given
	}
	s.values[name] = v
	s.names = append(s.names, name)
	return v
}

func (s *state) fail(name, format string, args ...any) {
	v := s.value(name)
	v.Errors = append(v.Errors, fmt.Sprintf(format, args...))
}

// checkNulls refuses every null. Where the plugin has the key, its own answer will stand instead.
func (s *state) checkNulls() {
	for _, k := range s.nulls {
		s.fail(k, "Null value can not be supplied as the configuration value.")
	}
}

// answer lists, in Kafka Connect's order, what nobody defines, the framework's keys and the plugin's. Where
// both have a key, definition and value are the plugin's, at the framework's place.
func (s *state) answer(def *configdef.Def, own []configdef.Value) {
	keys, values := slices.Clone(s.keys), map[string]*configdef.Value{}
	defined := map[string]int{}
	for i, k := range keys {
		defined[k.Name] = i
	}
	for _, k := range def.Keys() {
		if i, ok := defined[k.Name]; ok {
			keys[i] = k
			continue
		}
		defined[k.Name] = len(keys)
		keys = append(keys, k)
	}
	put := func(v *configdef.Value) {
		values[v.Name] = v
		if _, ok := defined[v.Name]; !ok {
			s.add(nil, *v)
		}
	}
	for _, name := range configdef.HashOrder(s.names) {
		put(s.values[name])
	}
	for _, v := range own {
		put(&v)
	}
	for _, k := range keys {
		v, ok := values[k.Name]
		if !ok {
			v = &configdef.Value{Name: k.Name, Visible: true}
		}
		s.add(&k, *v)
	}
	s.addGroups(def.Groups())
}

// add appends an entry; key is nil for one without a definition.
func (s *state) add(key *configdef.Key, v configdef.Value) {
	info := &sluicev1.ConfigInfo{Value: &sluicev1.ConfigValue{Name: v.Name, Value: v.Value, RecommendedValues: v.Recommended, Errors: v.Errors, Visible: v.Visible}}
	if key != nil {
		info.Definition = framework.Proto(*key)
	}
	s.infos = append(s.infos, info)
	s.byName[v.Name] = info
}

func (s *state) addGroups(groups []string) {
	for _, g := range groups {
		if !slices.Contains(s.groups, g) {
			s.groups = append(s.groups, g)
		}
	}
}

// section is what is said of keys below a prefix.
type section struct {
	keys   []*configdef.Key // nil for a value without a definition
	values []configdef.Value
	groups []string
}

// add appends a value; its name and the key's get the prefix.
func (c *section) add(prefix string, key *configdef.Key, v configdef.Value) {
	if key != nil {
		k := *key
		if k.Group != "" && !slices.Contains(c.groups, k.Group) {
			c.groups = append(c.groups, k.Group)
		}
		k.Name, key = prefix+k.Name, &k
	}
	v.Name = prefix + v.Name
	c.keys, c.values = append(c.keys, key), append(c.values, v)
}

func (s *state) append(c section) {
	for i, v := range c.values {
		v.Visible = true // Kafka Connect loses it here
		s.add(c.keys[i], v)
	}
	s.addGroups(c.groups)
}

// framework answers for the framework's keys.
func (s *state) framework() {
	o := framework.Options{ConnectorVersion: s.plugin.Version, Plugins: s.Registry.Framework()}
	for _, c := range []struct {
		key    string
		into   *framework.Converter
		worker string
		find   func(string) (converter.Info, error)
	}{
		{framework.KeyConverter, &o.Key, s.Worker.KeyConverter().Class, s.Registry.Converter},
		{framework.ValueConverter, &o.Value, s.Worker.ValueConverter().Class, s.Registry.Converter},
		{framework.HeaderConverter, &o.Header, s.Worker.HeaderConverter().Class, s.Registry.HeaderConverter},
	} {
		if info, err := c.find(c.worker); err == nil {
			c.into.Default, c.into.Version = info.Class, info.Version
		}
		given, ok := s.config[c.key]
		if !ok {
			continue
		}
		c.into.Version = ""
		if info, err := c.find(strings.TrimSpace(given)); err == nil {
			c.into.Version = info.Version
		}
	}
	def := configdef.New()
	for _, k := range append(framework.Keys(s.plugin.Type, o), s.chain()...) {
		def.Define(k)
	}
	s.put(def)
}

// ownValues asks the connector itself where it validates, and its definition otherwise. Validators of a
// definition are the plugin's code too.
func (s *state) ownValues(ctx context.Context, def *configdef.Def) ([]configdef.Value, error) {
	given := maps.Clone(s.config)
	var out []configdef.Value
	err := plugin.Call(ctx, s.Clock, s.plugin.Class+".Validate", s.Worker.PluginCallTimeout(), func(ctx context.Context) error {
		var c any
		var err error
		if s.sink() {
			c, err = plugin.NewSink(s.plugin)
		} else {
			c, err = plugin.NewSource(s.plugin)
		}
		if err != nil {
			return err
		}
		if v, ok := c.(connectors.Validator); ok {
			out = v.Validate(ctx, given)
		} else {
			out = def.Validate(given, s.nulls...)
		}
		if v, ok := c.(connectors.Checker); ok {
			v.Check(given, func(key, message string) {
				i := slices.IndexFunc(out, func(v configdef.Value) bool { return v.Name == key })
				if i < 0 {
					i, out = len(out), append(out, configdef.Value{Name: key, Visible: true})
				}
				out[i].Errors = append(out[i].Errors, message)
			})
		}
		return nil
	})
	if errors.Is(err, plugin.ErrHung) {
		return nil, err // out may still be written
	}
	return out, err
}

// count is Kafka Connect's: messages of connector keys, and keys with errors of the other sections.
func (s *state) count() (n int) {
	for i, info := range s.infos {
		if e := len(info.Value.Errors); i < s.sections {
			n += e
		} else if e > 0 {
			n++
		}
	}
	return n
}

// scrub puts references back in the place of what they came to, wherever that is, and hides passwords in messages. A
// very short value is looked for in its own key's messages only.
func (s *state) scrub() {
	for _, i := range s.infos {
		// Copies: what is there may be the definition's own.
		i.Value.Errors, i.Value.RecommendedValues = s.scrubbed(i.Value.Errors), s.scrubbed(i.Value.RecommendedValues)
		if v := i.Value.Value; v != nil {
			clean := s.secrets.Scrub(*v)
			i.Value.Value = &clean
		}
	}
	for _, i := range s.infos {
		name := i.Value.Name
		raw, resolved := s.raw[name], s.config[name]
		hidden := i.GetDefinition().GetType() == string(configdef.Password)
		switch {
		case hidden:
			raw = configdef.Hidden
		case raw == resolved:
			continue
		default:
			i.Value.Value = &raw
		}
		for _, secret := range []string{resolved, strings.TrimSpace(resolved)} {
			if secret == "" {
				continue
			}
			for j, e := range i.Value.Errors {
				i.Value.Errors[j] = strings.ReplaceAll(e, secret, raw)
			}
		}
	}
}

func (s *state) scrubbed(texts []string) []string {
	if len(texts) == 0 {
		return nil
	}
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = s.secrets.Scrub(t)
	}
	return out
}

// javaMap prints a config as Java prints a map, with secrets hidden.
func javaMap(c *sluicev1.Config) string {
	parts := make([]string, 0, len(c.GetEntries()))
	for _, e := range c.GetEntries() {
		v := "null"
		switch {
		case e.Value == nil:
		case config.Secret(e.GetKey()):
			v = configdef.Hidden
		default:
			v = e.GetValue()
		}
		parts = append(parts, e.GetKey()+"="+v)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
