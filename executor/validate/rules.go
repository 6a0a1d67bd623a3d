package validate

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/validate/framework"
	"github.com/sluice-project/sluice/internal/pluginversion"
)

// groupPrefix begins the name of a sink's consumer group.
const groupPrefix = "connect-"

func (s *state) text(key string) string { return strings.TrimSpace(s.config[key]) }

// checkSink checks what spans several of a sink's keys.
func (s *state) checkSink() {
	list, regex, dead := s.text(framework.Topics), s.text(framework.TopicsRegex), s.text(framework.DeadLetters)
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
		topics := strings.Split(list, ",")
		for i := range topics {
			topics[i] = strings.TrimSpace(topics[i])
		}
		if slices.Contains(topics, dead) {
			s.fail(framework.Topics, "The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector", dead, strings.Join(topics, ", "))
		}
	}
	if dead != "" && regex != "" {
		if re, err := regexp.Compile("^(?:" + regex + ")$"); err == nil && re.MatchString(dead) {
			s.fail(framework.TopicsRegex, "The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector", dead, regex)
		}
	}
	if worker := s.Worker.GroupID(); worker != "" {
		if _, given := s.config[groupOverride]; !given && groupPrefix+s.config[framework.Name] == worker {
			s.fail(framework.Name, "Consumer group for sink connector named %s conflicts with Connect worker group %s", s.config[framework.Name], worker)
		}
	}
}

const groupOverride = "consumer.override.group.id"

// checkSource checks what depends on the worker.
func (s *state) checkSource() {
	if strings.EqualFold(s.text(framework.ExactlyOnce), "required") && s.Worker.ExactlyOnce() != "enabled" {
		s.fail(framework.ExactlyOnce, "This worker does not have exactly-once source support enabled.")
	}
	if strings.EqualFold(s.text(framework.Boundary), "connector") {
		s.fail(framework.Boundary, "The connector does not support connector-defined transaction boundaries with the provided configuration.")
	}
}

// checkVersions wants every *.plugin.version to take the one that there is.
func (s *state) checkVersions() {
	for _, k := range []string{"connector", framework.KeyConverter, framework.ValueConverter, framework.HeaderConverter} {
		spec, given := s.config[k+framework.PluginVersion]
		i := s.byName[k+framework.PluginVersion]
		if !given || i == nil || i.GetDefinition().DefaultValue == nil {
			continue
		}
		wanted, err := pluginversion.Parse(spec)
		if err != nil {
			s.fail(k+framework.PluginVersion, "%s", err.Error())
			continue
		}
		have, class := i.GetDefinition().GetDefaultValue(), s.plugin.Class
		if k != "connector" {
			class = s.byName[k].GetValue().GetValue()
		}
		if !wanted.Allows(have) {
			s.fail(k+framework.PluginVersion, "Plugin %s not found that matches the version range %s, available versions: [%s]", class, wanted, have)
		}
	}
}

// roles are the clients that the connector will have.
func (s *state) roles() []config.Role {
	uses := func(prefix string) bool {
		for k := range s.config {
			if strings.HasPrefix(k, prefix) {
				return true
			}
		}
		return false
	}
	switch {
	case !s.sink() && s.Worker.TopicCreation() && uses(framework.TopicCreation):
		return []config.Role{config.Producer, config.Admin}
	case !s.sink():
		return []config.Role{config.Producer}
	case s.text(framework.DeadLetters) != "":
		return []config.Role{config.Producer, config.Consumer, config.Admin}
	}
	return []config.Role{config.Consumer}
}

// overrides answers for the client overrides of the clients that the connector will have.
func (s *state) overrides() {
	for _, role := range s.roles() {
		prefix := role.OverridePrefix()
		var names []string
		refused := false
		for _, k := range slices.Sorted(maps.Keys(s.config)) {
			name, ok := strings.CutPrefix(k, prefix)
			if !ok || name == "" {
				continue
			}
			names = append(names, name)
			v := configdef.Value{Name: k, Visible: true, Value: configdef.Text(s.config[k])}
			if config.Secret(k) {
				v.Value = configdef.Text(configdef.Hidden)
				if s.raw[k] != s.config[k] {
					v.Value = configdef.Text(s.raw[k])
				}
			}
			if err := s.Worker.CheckOverride(name); err != nil {
				v.Errors, refused = append(v.Errors, err.Error()), true
			}
			if worker := s.Worker.GroupID(); k == groupOverride && s.sink() && s.text(k) == worker && worker != "" {
				v.Errors = append(v.Errors, "Consumer group "+worker+" conflicts with Connect worker group "+worker)
			}
			s.add(nil, v)
		}
		if s.CheckClient == nil || len(names) == 0 || refused {
			continue
		}
		java, err := s.Worker.Client(role, s.config)
		if err == nil {
			err = s.CheckClient(role, java)
		}
		if err == nil {
			continue
		}
		// The error goes to the key that it names.
		at := names[0]
		for _, n := range names {
			if strings.Contains(err.Error(), n) {
				at = n
			}
		}
		message := err.Error()
		for _, n := range names {
			if value := s.config[prefix+n]; config.Secret(n) && value != "" {
				message = strings.ReplaceAll(message, value, configdef.Hidden)
			}
		}
		s.fail(prefix+at, "%s", message)
	}
}

// converter answers for the settings of a converter that the connector names itself.
func (s *state) converter(ctx context.Context, key string) error {
	class := s.text(key)
	if class == "" || len(s.byName[key].GetValue().GetErrors()) > 0 {
		return nil
	}
	find, kind := s.Registry.Converter, strings.TrimSuffix(key, ".converter")
	if kind == "header" {
		find = s.Registry.HeaderConverter
	}
	info, err := find(class)
	if err != nil {
		return err // the entry of the key has no error: it was found before
	}
	conf := map[string]string{}
	for k, v := range s.config {
		if rest, ok := strings.CutPrefix(k, key+"."); ok && rest != "" && k != key+framework.PluginVersion {
			conf[rest] = v
		}
	}
	conf[framework.ConverterType] = kind
	def, groups := configdef.New(), []string{}
	for _, k := range hashOrder(s.Registry.ConverterKeys(info)) {
		def.Define(k)
		if k.Group != "" {
			groups = append(groups, k.Group)
		}
	}
	var values []configdef.Value
	var configured error
	err = plugin.Call(ctx, s.Clock, info.Class+".Configure", s.Worker.PluginCallTimeout(), func(context.Context) error {
		values = def.Validate(conf)
		for _, v := range values {
			if len(v.Errors) > 0 {
				return nil
			}
		}
		configured = configure(info, conf, kind)
		return nil
	})
	if errors.Is(err, plugin.ErrHung) {
		return err
	}
	if err == nil {
		err = configured
	}
	if err != nil {
		s.fail(key, "%s", configdef.Invalid(key, info.Class, err.Error()))
	}
	s.addGroups(groups)
	for _, v := range values {
		k, _ := def.Key(v.Name)
		k.Name, v.Name = key+"."+k.Name, key+"."+v.Name
		s.add(&k, v)
	}
	return nil
}

func configure(info converter.Info, conf map[string]string, kind string) (err error) {
	if kind == "header" {
		_, err = plugin.NewHeaderConverter(info, conf)
	} else {
		_, err = plugin.NewConverter(info, conf, kind == "key")
	}
	return err
}

// hashOrder puts keys into the order of a Java HashMap: Kafka Connect lists the settings and groups of
// converters so, and tools compare lists.
func hashOrder(keys []configdef.Key) []configdef.Key {
	size := uint32(16)
	for len(keys)*4 > int(size)*3 {
		size *= 2
	}
	bucket := func(k configdef.Key) uint32 {
		var h uint32
		for _, c := range utf16.Encode([]rune(k.Name)) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & (size - 1)
	}
	out := slices.Clone(keys)
	slices.SortStableFunc(out, func(a, b configdef.Key) int { return int(bucket(a)) - int(bucket(b)) })
	return out
}
