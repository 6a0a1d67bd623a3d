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
	"github.com/sluice-project/sluice/connectors/configdef/kafkaclients"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/errs"
	"github.com/sluice-project/sluice/internal/javaregex"
	"github.com/sluice-project/sluice/internal/pluginversion"
	"github.com/sluice-project/sluice/internal/run"
)

// groupPrefix begins the name of a sink's consumer group.
const groupPrefix = "connect-"

func (s *state) text(key string) string { return strings.TrimSpace(s.config[key]) }

// checkSink checks what spans several of a sink's keys.
func (s *state) checkSink() {
	list, regex, dead := s.text(framework.Topics), s.text(framework.TopicsRegex), configdef.Trim(s.config[framework.DeadLetters])
	both := func(message string) {
		s.fail(framework.Topics, "%s", message)
		s.fail(framework.TopicsRegex, "%s", message)
	}
	switch {
	case list != "" && regex != "":
		both("topics and topics.regex are mutually exclusive options, but both are set.")
	case list == "" && regex == "":
		both("Must configure one of topics or topics.regex")
	}
	if dead != "" && list != "" {
		var topics []string
		for _, t := range configdef.SplitList(list) {
			if t != "" && !slices.Contains(topics, t) {
				topics = append(topics, t)
			}
		}
		if slices.Contains(topics, dead) {
			s.fail(framework.Topics, "The DLQ topic '%s' may not be included in the list of topics ('topics=%s') consumed by the connector", dead, configdef.ListText(topics))
		}
	}
	if given := s.config[framework.TopicsRegex]; dead != "" && regex != "" {
		if re, err := javaregex.Compile(given); err == nil && re.Matches(dead) {
			s.fail(framework.TopicsRegex, "The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector", dead, given)
		}
	}
	s.checkGroup()
}

const groupOverride = "consumer.override.group.id"

// checkGroup refuses the consumer group of a Kafka Connect worker.
func (s *state) checkGroup() {
	worker := s.Worker.GroupID()
	if worker == "" {
		return
	}
	if given, ok := s.config[groupOverride]; ok || slices.Contains(s.nulls, groupOverride) {
		v := s.value(groupOverride) // Kafka Connect has it there, right or wrong
		if given == worker {
			v.Errors = append(v.Errors, "Consumer group "+given+" conflicts with Connect worker group "+worker)
		}
		return
	}
	if v := s.value(framework.Name); v.Value != nil && groupPrefix+*v.Value == worker {
		v.Errors = append(v.Errors, "Consumer group for sink connector named "+*v.Value+" conflicts with Connect worker group "+worker)
	}
}

// checkSource checks what depends on the worker, and on what the connector can do.
func (s *state) checkSource() {
	if v := s.value(framework.ExactlyOnce); len(v.Errors) == 0 && v.Value != nil && strings.EqualFold(*v.Value, "required") {
		if !s.Worker.ExactlyOnce() {
			v.Errors = append(v.Errors, "This worker does not have exactly-once source support enabled.")
		}
		if problem := s.exactlyOnce(); problem != "" {
			v.Errors = append(v.Errors, problem)
		}
	}
	if v := s.value(framework.Boundary); len(v.Errors) == 0 && v.Value != nil && strings.EqualFold(*v.Value, "connector") {
		if problem := s.boundaries(); problem != "" {
			v.Errors = append(v.Errors, problem)
		}
	}
}

// exactlyOnce says why the connector cannot provide exactly-once; empty where it can.
func (s *state) exactlyOnce() string {
	var supported, known bool
	err := run.Call(func() error {
		c, err := plugin.NewSource(s.plugin)
		if err != nil {
			return err
		}
		if c, ok := c.(connectors.ExactlyOnceSource); ok {
			supported, known = c.SupportsExactlyOnce(maps.Clone(s.config)), true
		}
		return nil
	})
	switch {
	case err != nil:
		return "An unexpected error occurred during validation: " + err.Error()
	case !known:
		return "The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created)."
	case !supported:
		return "The connector does not support exactly-once semantics with the provided configuration."
	}
	return ""
}

// boundaries says why the connector's tasks cannot say where transactions end; empty where they can.
func (s *state) boundaries() string {
	var defines bool
	err := run.Call(func() error {
		c, err := plugin.NewSource(s.plugin)
		if err != nil {
			return err
		}
		if c, ok := c.(connectors.TransactionDefiner); ok {
			defines = c.DefinesTransactions(maps.Clone(s.config))
		}
		return nil
	})
	switch {
	case err != nil:
		return "An unexpected error occurred during validation: " + err.Error()
	case !defines:
		return "The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition."
	}
	return ""
}

// version wants connector.plugin.version to be the one that there is. Where it is not, Kafka Connect answers
// with the common keys alone, and version has done all there is to do.
func (s *state) version() (found bool, err error) {
	spec, given := s.config[framework.ConnectorVersion]
	if !given {
		return true, nil
	}
	want, err := pluginversion.Parse(spec)
	if err != nil {
		return false, errs.New(errs.ConfigInvalid, "%s", err) // the range is in it; the key is not, as in Kafka Connect
	}
	have := s.plugin.Version
	if have == "" || want.Allows(have) {
		return true, nil
	}
	def := configdef.New()
	for _, k := range framework.Common(framework.Options{ConnectorVersion: have, Plugins: framework.Plugins{Find: s.Registry.Framework().Find}}) {
		def.Define(k)
	}
	s.put(def)
	message := noVersion(s.plugin.Class, want, []string{have})
	s.fail(framework.Class, "%s", message)
	s.fail(framework.ConnectorVersion, "%s", message)
	s.value(framework.ConnectorVersion).Recommended = []string{have}
	s.checkNulls()
	s.answer(configdef.New(), nil)
	s.sections = len(s.infos)
	return false, nil
}

func noVersion(class string, want pluginversion.Requirement, have []string) string {
	return fmt.Sprintf("Plugin %s not found that matches the version range %s, available versions: %s", class, want, configdef.ListText(have))
}

// roles are the clients that the connector will have, each with Kafka's definition of its config.
func (s *state) roles() []role {
	producer, consumer, admin := role{config.Producer, kafkaclients.Producer}, role{config.Consumer, kafkaclients.Consumer}, role{config.Admin, kafkaclients.Admin}
	switch {
	case !s.sink() && (s.Worker.ExactlyOnce() || s.text(framework.OffsetsTopic) != ""): // they read offsets themselves
		return []role{producer, consumer, admin}
	case !s.sink() && s.uses(framework.TopicCreation):
		return []role{producer, admin}
	case !s.sink():
		return []role{producer}
	case s.text(framework.DeadLetters) != "":
		return []role{producer, consumer, admin}
	}
	return []role{consumer}
}

type role struct {
	config.Role
	def *configdef.Def
}

// uses says whether any key begins so.
func (s *state) uses(prefix string) bool {
	begins := func(k string) bool { return strings.HasPrefix(k, prefix) }
	return slices.ContainsFunc(slices.Collect(maps.Keys(s.config)), begins) || slices.ContainsFunc(s.nulls, begins)
}

// overrides answers for the overrides of the clients that the connector will have. One of the wrong type is
// an error: Kafka Connect answers nothing else then.
func (s *state) overrides() ([]section, error) {
	var out []section
	all := configdef.HashOrder(slices.Concat(slices.Sorted(maps.Keys(s.config)), s.nulls))
	for _, r := range s.roles() {
		prefix := r.OverridePrefix()
		var names []string
		for _, k := range all {
			if name, ok := strings.CutPrefix(k, prefix); ok && name != "" {
				names = append(names, name)
			}
		}
		var one section
		refused := false
		for _, name := range configdef.HashOrder(names) {
			key, v, err := s.override(r, name)
			if err != nil {
				return nil, err
			}
			if err := s.Worker.CheckOverride(name); err != nil {
				v.Errors, refused = append(v.Errors, err.Error()), true
			}
			one.add(prefix, key, v)
		}
		if len(names) > 0 && !refused {
			s.checkClient(r, &one)
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *state) override(r role, name string) (*configdef.Key, configdef.Value, error) {
	full := r.OverridePrefix() + name
	value, given := s.config[full]
	v := configdef.Value{Name: name, Visible: true}
	k, defined := r.def.Key(name)
	if !defined {
		k = configdef.Key{Name: full, Type: configdef.String}
	}
	if given {
		text := value
		if defined {
			k.Name = full // for the message
			parsed, err := k.Parse(value)
			if err != nil {
				return nil, v, errs.New(errs.ConfigInvalid, "%s", s.without(full, err.Error()))
			}
			k.Name, text = name, parsed
		}
		switch {
		case s.raw[full] != value:
			text = s.raw[full]
		case k.Type == configdef.Password || config.Secret(name):
			text = configdef.Hidden
		}
		v.Value = &text
	}
	if !defined {
		return nil, v, nil
	}
	return &k, v, nil
}

// without takes the value of a key out of a message where it is a secret.
func (s *state) without(key, message string) string {
	value, shown := s.config[key], s.raw[key]
	if config.Secret(key) && shown == value {
		shown = configdef.Hidden
	}
	if value == "" || shown == value {
		return message
	}
	return strings.ReplaceAll(message, value, shown)
}

// checkClient adds what the client itself says of its overrides, at the key that it names.
func (s *state) checkClient(r role, one *section) {
	if s.CheckClient == nil {
		return
	}
	java, err := s.Worker.Client(r.Role, s.config)
	if err == nil {
		err = s.CheckClient(r.Role, java)
	}
	if err == nil {
		return
	}
	at, message := 0, err.Error()
	for i, v := range one.values {
		if strings.Contains(err.Error(), strings.TrimPrefix(v.Name, r.OverridePrefix())) {
			at = i
		}
		message = s.without(v.Name, message)
	}
	one.values[at].Errors = append(one.values[at].Errors, message)
}

// converter answers for the settings of a converter that the connector names itself.
func (s *state) converter(ctx context.Context, key string) (section, error) {
	class, versionKey := s.text(key), key+framework.PluginVersion
	if class == "" || len(s.value(key).Errors) > 0 || len(s.value(versionKey).Errors) > 0 {
		return section{}, nil
	}
	find, kind := s.Registry.Converter, strings.TrimSuffix(key, ".converter")
	if kind == "header" {
		find = s.Registry.HeaderConverter
	}
	info, err := find(class)
	if err != nil {
		return section{}, err // the key has no error: it was found before
	}
	if spec, given := s.config[versionKey]; given && info.Version != "" {
		if want, err := pluginversion.Parse(spec); err == nil && !want.Allows(info.Version) {
			have := []string{info.Version}
			if info.New != nil && info.NewHeader != nil {
				have = append(have, info.Version) // Kafka Connect counts it as two plugins
			}
			s.fail(key, "%s", noVersion(info.Class, want, have))
			s.fail(versionKey, "%s", noVersion(info.Class, want, have))
			return section{}, nil
		}
	}
	conf, nulls := s.below(key + ".")
	if _, given := conf[framework.ConverterType]; !given {
		conf[framework.ConverterType] = kind
	}
	def, names := configdef.New(), []string{}
	for _, k := range s.Registry.ConverterKeys(info) {
		def.Define(k)
		names = append(names, k.Name)
	}
	var values []configdef.Value
	var configured error
	err = plugin.Call(ctx, s.Clock, info.Class+".Configure", s.Worker.PluginCallTimeout(), func(context.Context) error {
		values = def.Validate(conf, nulls...)
		for _, v := range values {
			if len(v.Errors) > 0 {
				return nil
			}
		}
		configured = configure(info, conf, kind)
		return nil
	})
	if errors.Is(err, plugin.ErrHung) {
		return section{}, err
	}
	if err == nil {
		err = configured
	}
	if err != nil {
		s.fail(key, "%s", configdef.Invalid(key, info.Class, err.Error()))
	}
	var out section
	for _, name := range configdef.HashOrder(names) {
		k, _ := def.Key(name)
		if i := slices.IndexFunc(values, func(v configdef.Value) bool { return v.Name == name }); i >= 0 {
			out.add(key+".", &k, values[i])
		}
	}
	return out, nil
}

// below are the keys below a prefix, without it.
func (s *state) below(prefix string) (conf map[string]string, nulls []string) {
	conf = map[string]string{}
	for k, v := range s.config {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			conf[rest] = v
		}
	}
	for _, k := range s.nulls {
		if rest, ok := strings.CutPrefix(k, prefix); ok && rest != "" {
			nulls = append(nulls, rest)
		}
	}
	return conf, nulls
}

func configure(info converter.Info, conf map[string]string, kind string) (err error) {
	if kind == "header" {
		_, err = plugin.NewHeaderConverter(info, conf)
	} else {
		_, err = plugin.NewConverter(info, conf, kind == "key")
	}
	return err
}
