package validate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/connectors/converter"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/executor/plugin"
	"github.com/sluice-project/sluice/executor/secrets"
	"github.com/sluice-project/sluice/executor/validate"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/errs"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type src struct{ connectors.SourceConnector }

func (src) SupportsExactlyOnce(config map[string]string) bool { return config["file"] != "" }

type snk struct{ connectors.SinkConnector }

// careful adds to its definition.
type careful struct{ connectors.SourceConnector }

func (careful) Check(config map[string]string, fail func(key, message string)) {
	if config["topic"] == "" {
		fail("topic", "and it is bad")
		fail("free", "nobody defines it")
	}
}

// picky validates by itself.
type picky struct{ connectors.SourceConnector }

func (picky) Validate(_ context.Context, config map[string]string) []configdef.Value {
	if config["topic"] == "panic" {
		panic("boom")
	}
	return []configdef.Value{{Name: "topic", Visible: true, Errors: []string{"not today"}}, {Name: "tasks.max", Visible: true, Errors: []string{"too many"}}}
}

func def(keys ...configdef.Key) func() *configdef.Def {
	return func() *configdef.Def {
		d := configdef.New()
		for _, k := range keys {
			k.Importance = configdef.High
			d.Define(k)
		}
		return d
	}
}

// coder is a converter with the keys of JsonConverter that the recorded answers show.
type coder struct{ converter.Converter }

func (coder) Configure(config map[string]string, _ bool) error {
	if config["converter.type"] == "" {
		return errors.New("no converter.type")
	}
	if config["decimal.format"] == "odd" {
		return errors.New("odd format")
	}
	return nil
}

type headCoder struct{ converter.HeaderConverter }

func (headCoder) Configure(map[string]string) error { return nil }

const (
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	jsonConverter   = "org.apache.kafka.connect.json.JsonConverter"
	simpleConverter = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

func registry(t testing.TB) *plugin.Registry {
	t.Helper()
	file := configdef.Key{Name: "file", Type: configdef.String}
	topic := configdef.Key{Name: "topic", Type: configdef.String, Required: true, Validator: configdef.NonEmpty()}
	batch := configdef.Key{Name: "batch.size", Type: configdef.Int, Default: configdef.Text("2000")}
	password := configdef.Key{Name: "pw", Type: configdef.Password, Validator: configdef.Func("", func(name string, v *string) error {
		if v == nil {
			return nil
		}
		return configdef.Invalid(name, *v, "weak")
	})}
	r, err := plugin.New([]connectors.Plugin{
		{Class: "org.apache.kafka.connect.file.FileStreamSourceConnector", Version: "4.3.1", Type: connectors.Source, Config: def(file, topic, batch), NewSource: func() connectors.SourceConnector { return src{} }},
		{Class: "org.apache.kafka.connect.file.FileStreamSinkConnector", Version: "4.3.1", Type: connectors.Sink, Config: def(file), NewSink: func() connectors.SinkConnector { return snk{} }},
		{Class: "x.Picky", Version: "1", Type: connectors.Source, Config: def(topic), NewSource: func() connectors.SourceConnector { return picky{} }},
		{Class: "x.Careful", Version: "1", Type: connectors.Source, Config: def(topic), NewSource: func() connectors.SourceConnector { return careful{} }},
		{Class: "x.Definer", Version: "1", Type: connectors.Source, Config: def(topic), NewSource: func() connectors.SourceConnector { return definer{} }},
		{Class: "x.Whole", Version: "1", Type: connectors.Source, Config: def(topic), EmbedsFramework: true, Refusal: "it is not run", NewSource: func() connectors.SourceConnector { return src{} }},
		{Class: "x.Secret", Version: "1", Type: connectors.Source, Config: def(password, topic), NewSource: func() connectors.SourceConnector { return src{} }},
	}, []converter.Info{
		{Class: stringConverter, Version: "4.3.1", New: func() converter.Converter { return coder{} }, NewHeader: func() converter.HeaderConverter { return headCoder{} }, Config: def(configdef.Key{Name: "converter.encoding", Type: configdef.String, Default: configdef.Text("UTF-8")})},
		{Class: jsonConverter, Version: "4.3.1", New: func() converter.Converter { return coder{} }, NewHeader: func() converter.HeaderConverter { return headCoder{} }, Config: def(
			configdef.Key{Name: "schemas.enable", Type: configdef.Boolean, Default: configdef.Text("true"), Group: "Schemas"},
			configdef.Key{Name: "schemas.cache.size", Type: configdef.Int, Default: configdef.Text("1000"), Group: "Schemas", OrderInGroup: 1},
			configdef.Key{Name: "schema.content", Type: configdef.String, Group: "Schemas", OrderInGroup: 2},
			configdef.Key{Name: "decimal.format", Type: configdef.String, Default: configdef.Text("BASE64"), Group: "Serialization"},
			configdef.Key{Name: "replace.null.with.default", Type: configdef.Boolean, Default: configdef.Text("true"), Group: "Serialization", OrderInGroup: 1})},
		{Class: simpleConverter, Version: "4.3.1", NewHeader: func() converter.HeaderConverter { return headCoder{} }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func worker(t testing.TB, more string) config.Worker {
	t.Helper()
	w, _, err := config.Load([]byte("group.id=connect-g\nkey.converter=StringConverter\nvalue.converter=String\noffset.storage.topic=o\nconfig.storage.topic=c\nstatus.storage.topic=s\n"+more), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// pairs makes a config; the value "NULL" is a null.
func pairs(kv ...string) *sluicev1.Config {
	c := &sluicev1.Config{}
	for i := 0; i < len(kv); i += 2 {
		e := &sluicev1.ConfigEntry{Key: kv[i], Value: &kv[i+1]}
		if kv[i+1] == "NULL" {
			e.Value = nil
		}
		c.Entries = append(c.Entries, e)
	}
	return c
}

func problems(r *sluicev1.ValidateResult) (out []string) {
	for _, i := range r.GetConfigs() {
		for _, e := range i.Value.Errors {
			out = append(out, i.Value.Name+" | "+e)
		}
	}
	return out
}

func source(kv ...string) []string {
	return append([]string{"name", "v", "connector.class", "FileStreamSource", "topic", "t"}, kv...)
}

func sink(kv ...string) []string {
	return append([]string{"name", "v", "connector.class", "FileStreamSink"}, kv...)
}

func TestAnswersAreThoseOfKafkaConnect(t *testing.T) {
	missing := func(k string) string {
		return k + ` | Missing required configuration "` + k + `" which has no default value.`
	}
	neither := "Must configure one of topics or topics.regex"
	both := "topics and topics.regex are mutually exclusive options, but both are set."
	for _, c := range []struct {
		name   string
		config []string
		worker string
		count  int32 // where it is not len(want)
		want   []string
	}{
		{name: "good", config: source("file", "f", "tasks.max", " +2 ")},
		{name: "topic missing", config: []string{"name", "v", "connector.class", "FileStreamSource"}, want: []string{missing("topic")}},
		{name: "nothing but the class", config: []string{"connector.class", "FileStreamSource"}, want: []string{missing("name"), missing("topic")}},
		{name: "many wrong", config: []string{"name", "", "connector.class", "FileStreamSource", "topic", "", "tasks.max", "x", "batch.size", "1.5", "errors.tolerance", "x", "errors.retry.timeout", "abc", "config.action.reload", "maybe", "exactly.once.support", "x", "transaction.boundary", "x", "transaction.boundary.interval.ms", "-5"}, want: []string{
			"name | Invalid value  for configuration name: String may not be empty",
			"tasks.max | Invalid value x for configuration tasks.max: Not a number of type INT",
			"tasks.max | Invalid value null for configuration tasks.max: Value must be non-null",
			"config.action.reload | Invalid value maybe for configuration config.action.reload: String must be one of: none, restart",
			"errors.retry.timeout | Invalid value abc for configuration errors.retry.timeout: Not a number of type LONG",
			"errors.tolerance | Invalid value x for configuration errors.tolerance: String must be one of: none, all",
			"exactly.once.support | Invalid value x for configuration exactly.once.support: String must be one of (case insensitive): REQUIRED, REQUESTED",
			"transaction.boundary | Invalid value x for configuration transaction.boundary: String must be one of (case insensitive): INTERVAL, POLL, CONNECTOR",
			"transaction.boundary.interval.ms | Invalid value -5 for configuration transaction.boundary.interval.ms: Value must be at least 0",
			"topic | Invalid value  for configuration topic: String must be non-empty",
			"batch.size | Invalid value 1.5 for configuration batch.size: Not a number of type INT",
		}},
		{name: "tasks.max zero", config: source("tasks.max", "0"), want: []string{"tasks.max | Invalid value 0 for configuration tasks.max: Value must be at least 1"}},
		{name: "bad boolean", config: source("errors.log.enable", "yes"), want: []string{"errors.log.enable | Invalid value yes for configuration errors.log.enable: Expected value to be either true or false"}},
		{name: "unknown keys", config: source("zz", "1")},
		{name: "nulls of the framework's keys", config: source("tasks.max", "NULL", "transforms", "NULL", "key.converter", "NULL", "name", "NULL", "topic", "NULL"), want: []string{
			"name | Null value can not be supplied as the configuration value.",
			"tasks.max | Invalid value null for configuration tasks.max: Value must be non-null",
			"tasks.max | Null value can not be supplied as the configuration value.",
			"key.converter | Null value can not be supplied as the configuration value.",
			"transforms | Invalid value null for configuration transforms: entry must be non null",
			"transforms | Null value can not be supplied as the configuration value.",
		}},
		{name: "aliases twice", config: source("transforms", "a,a", "topic.creation.groups", "g, g"), want: []string{
			"transforms | Invalid value [a, a] for configuration transforms: Duplicate alias provided.",
			"topic.creation.groups | Invalid value [g, g] for configuration topic.creation.groups: Duplicate alias provided.",
			`transforms.a.type | Missing required configuration "transforms.a.type" which has no default value.`}},
		{name: "numbers are shown as they were read", config: source("tasks.max", " +0 "), want: []string{"tasks.max | Invalid value 0 for configuration tasks.max: Value must be at least 1"}},
		{name: "a connector as converter", config: source("header.converter", "FileStreamSink"), want: []string{
			"header.converter | Class class org.apache.kafka.connect.file.FileStreamSinkConnector does not implement the HeaderConverter interface"}},
		{name: "one of Java's classes as converter", config: source("value.converter", "java.lang.String"), want: []string{
			"value.converter | Class class java.lang.String does not implement the Converter interface"}},
		{name: "a converter's version that is not there", config: source("value.converter", "Json", "value.converter.plugin.version", "[1,2)", "value.converter.schemas.enable", "maybe"), want: []string{
			"value.converter | Plugin " + jsonConverter + " not found that matches the version range [1,2), available versions: [4.3.1, 4.3.1]",
			"value.converter.plugin.version | Plugin " + jsonConverter + " not found that matches the version range [1,2), available versions: [4.3.1, 4.3.1]"}},
		{name: "a converter's version that is none", config: source("value.converter.plugin.version", "[1"), want: []string{"value.converter.plugin.version | Unbounded range: [1"}},
		{name: "a converter's type", config: source("value.converter", "Json", "value.converter.converter.type", "tail"), want: []string{
			"value.converter.converter.type | Invalid value tail for configuration converter.type: String must be one of: key, value, header"}},
		{name: "a version within a range", config: source("connector.plugin.version", "[4.0,5.0)")},
		{name: "the latest version", config: source("connector.plugin.version", "latest")},
		{name: "an empty version", config: sink("connector.plugin.version", ""), want: []string{
			"connector.class | Plugin org.apache.kafka.connect.file.FileStreamSinkConnector not found that matches the version range [,], available versions: [4.3.1]",
			"connector.plugin.version | Plugin org.apache.kafka.connect.file.FileStreamSinkConnector not found that matches the version range [,], available versions: [4.3.1]"}},
		{name: "the offsets topic empty", config: source("offsets.storage.topic", " "), want: []string{"offsets.storage.topic | Invalid value  for configuration offsets.storage.topic: String must be non-empty"}},
		{name: "topics of commas", config: sink("topics", "a,,"), want: []string{"topics | Configuration 'topics' values must not be duplicated."}},
		{name: "an empty topic", config: sink("topics", "a,"), want: []string{"topics | Configuration 'topics' values must not be empty."}},
		{name: "the connector checks by itself too", config: []string{"name", "v", "connector.class", "x.Careful", "topic", ""}, want: []string{
			"free | nobody defines it", "topic | Invalid value  for configuration topic: String must be non-empty", "topic | and it is bad"}},
		{name: "a connector with the framework's keys", config: []string{"name", "", "connector.class", "x.Whole", "tasks.max", "0", "topic", "t", "key.converter", "Nope"}, want: []string{
			"name | Invalid value  for configuration name: String may not be empty", "tasks.max | Invalid value 0 for configuration tasks.max: Value must be at least 1",
			"key.converter | Invalid value Nope for configuration key.converter: Class Nope could not be found."}},
		{name: "a null value", config: source("zz", "NULL", "file", "NULL"), want: []string{"zz | Null value can not be supplied as the configuration value."}},
		{name: "converters", config: source("value.converter", jsonConverter, "value.converter.schemas.enable", "maybe", "key.converter", stringConverter),
			want: []string{"value.converter.schemas.enable | Invalid value maybe for configuration schemas.enable: Expected value to be either true or false"}},
		{name: "an unknown converter", config: source("value.converter", "Nope"), want: []string{"value.converter | Invalid value Nope for configuration value.converter: Class Nope could not be found."}},
		{name: "a converter that is none", config: source("value.converter", simpleConverter), want: []string{"value.converter | Class class " + simpleConverter + " does not implement the Converter interface"}},
		{name: "a converter that refuses", config: source("value.converter", "Json", "value.converter.decimal.format", "odd"), want: []string{
			"value.converter | Invalid value " + jsonConverter + " for configuration value.converter: " + jsonConverter + ": configure: odd format"}},
		{name: "a converter's keys without the converter", config: source("value.converter.schemas.enable", "maybe")},
		{name: "overrides", config: source("producer.override.linger.ms", "5", "producer.override.acks", "all")},
		{name: "overrides denied", worker: "connector.client.config.override.policy=None", config: source("producer.override.linger.ms", "5", "consumer.override.group.id", "x"),
			want: []string{"producer.override.linger.ms | The 'None' policy does not allow 'linger.ms' to be overridden in the connector configuration."}},
		{name: "overrides of the clients of an offsets topic", worker: "connector.client.config.override.policy=Principal", config: source("offsets.storage.topic", "o", "consumer.override.x", "1", "admin.override.sasl.mechanism", "PLAIN", "producer.override.y", "2"), want: []string{
			"producer.override.y | The 'Principal' policy does not allow 'y' to be overridden in the connector configuration.",
			"consumer.override.x | The 'Principal' policy does not allow 'x' to be overridden in the connector configuration."}},
		{name: "overrides where the worker has exactly-once", worker: "exactly.once.source.support=enabled\nconnector.client.config.override.policy=None", config: source("admin.override.x", "1"), want: []string{
			"admin.override.x | The 'None' policy does not allow 'x' to be overridden in the connector configuration."}},
		{name: "topic creation", config: source("topic.creation.default.partitions", "0", "topic.creation.groups", "g")},
		{name: "a version that is not there", config: source("connector.plugin.version", "99.0"), want: []string{
			"connector.class | Plugin org.apache.kafka.connect.file.FileStreamSourceConnector not found that matches the version range [99.0,99.0], available versions: [4.3.1]",
			"connector.plugin.version | Plugin org.apache.kafka.connect.file.FileStreamSourceConnector not found that matches the version range [99.0,99.0], available versions: [4.3.1]"}},
		{name: "exactly once without the worker's", config: source("exactly.once.support", "Required"), want: []string{
			"exactly.once.support | This worker does not have exactly-once source support enabled.",
			"exactly.once.support | The connector does not support exactly-once semantics with the provided configuration."}},
		{name: "exactly once that the connector can give", config: source("exactly.once.support", "required", "file", "f"), want: []string{
			"exactly.once.support | This worker does not have exactly-once source support enabled."}},
		{name: "the connector's boundaries", config: source("transaction.boundary", "connector"), want: []string{"transaction.boundary | The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition."}},
		{name: "boundaries that the connector defines", config: []string{"name", "v", "connector.class", "x.Definer", "topic", "t", "transaction.boundary", "Connector"}},
		{name: "exactly once of a worker and a connector that have it", worker: "exactly.once.source.support=enabled", config: source("exactly.once.support", "required", "file", "f")},
		{name: "exactly once of a connector that does not say", worker: "exactly.once.source.support=enabled", config: []string{"name", "v", "connector.class", "x.Definer", "topic", "t", "exactly.once.support", "required"}, want: []string{
			"exactly.once.support | The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created)."}},
		{name: "sink", config: sink("topics", "t", "file", "f")},
		{name: "dead letters", config: sink("topics", "a", "errors.deadletterqueue.topic.name", "d", "errors.deadletterqueue.context.headers.enable", "true")},
		{name: "sink by regex", config: sink("topics.regex", "b.*")},
		{name: "sink by a regex of Java's alone", config: sink("topics.regex", `b(?!ad)[a-z&&[^c]]*+`)},
		{name: "a regex that Java refuses", config: sink("topics.regex", "("), want: []string{"topics.regex | Invalid value ( for configuration topics.regex: Invalid regex: Unclosed group near index 1\n("}},
		{name: "a regex that is not supported", config: sink("topics.regex", `\G.`), want: []string{"topics.regex | Invalid value \\G. for configuration topics.regex: Invalid regex: \\G is not supported\n\\G."}},
		{name: "sink without topics", config: sink("topics", ""), want: []string{"topics | " + neither, "topics.regex | " + neither}},
		{name: "sink with both", config: sink("topics", "a", "topics.regex", "b.*"), want: []string{"topics | " + both, "topics.regex | " + both}},
		{name: "topics with blanks and doubles", config: sink("topics", " a, b ,a,,"), want: []string{"topics | Configuration 'topics' values must not be duplicated."}},
		{name: "dead letters in topics", config: sink("topics", "a,b", "errors.deadletterqueue.topic.name", "b"), want: []string{
			"topics | The DLQ topic 'b' may not be included in the list of topics ('topics=[a, b]') consumed by the connector"}},
		{name: "dead letters match the regex", config: sink("topics.regex", "b.*", "errors.deadletterqueue.topic.name", "bad"), want: []string{
			"topics.regex | The DLQ topic 'bad' may not be matched by the regex for the topics ('topics.regex=b.*') consumed by the connector"}},
		{name: "the worker's group", config: append(sink("topics", "a"), "name", "g"), want: []string{"name | Consumer group for sink connector named g conflicts with Connect worker group connect-g"}},
		{name: "the worker's group as an override", config: sink("topics", "a", "consumer.override.group.id", "connect-g"), want: []string{"consumer.override.group.id | Consumer group connect-g conflicts with Connect worker group connect-g"}},
		{name: "the connector validates by itself", config: []string{"name", "v", "connector.class", "x.Picky", "topic", "t"}, want: []string{"tasks.max | too many", "topic | not today"}},
	} {
		v := validate.Validator{Registry: registry(t), Worker: worker(t, c.worker), Clock: clock.Real()}
		r, err := v.Validate(t.Context(), pairs(c.config...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(c.want, problems(r)); d != "" || int(r.ErrorCount) != len(c.want) {
			t.Errorf("%s: %d errors: %s", c.name, r.ErrorCount, d)
		}
	}
}

func TestTheShapeOfAnAnswer(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs(source("value.converter", "Json", "key.converter", stringConverter, "producer.override.sasl.jaas.config", "hush")...))
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "FileStreamSource" || r.PluginClass != "org.apache.kafka.connect.file.FileStreamSourceConnector" || r.PluginVersion != "4.3.1" ||
		r.Type != sluicev1.ConnectorType_CONNECTOR_TYPE_SOURCE || r.TaskClass != sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE {
		t.Error(r)
	}
	if d := cmp.Diff([]string{"Common", "Transforms", "Predicates", "Error Handling", "Topic Creation", "Exactly Once Support", "offsets.topic", "Serialization", "Schemas"}, r.Groups); d != "" {
		t.Error(d)
	}
	var names []string
	values := map[string]string{}
	for _, i := range r.Configs {
		names = append(names, i.Value.Name)
		values[i.Value.Name] = fmt.Sprint(i.Value.GetValue(), " ", i.GetDefinition().GetDefaultValue(), " ", len(i.Value.RecommendedValues), " ", i.GetDefinition().GetOrder())
	}
	// 24 framework keys, 3 own, 1 override, 2 of StringConverter, 6 of JsonConverter.
	if len(names) != 36 || names[0] != "name" || names[24] != "file" || names[27] != "producer.override.sasl.jaas.config" {
		t.Errorf("%d: %v", len(names), names)
	}
	if d := cmp.Diff([]string{"decimal.format", "converter.type", "schemas.cache.size", "replace.null.with.default", "schemas.enable", "schema.content"},
		strings.Fields(strings.ReplaceAll(strings.Join(names[30:], " "), "value.converter.", ""))); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]string{
		"key.converter":                      stringConverter + " " + stringConverter + " 2 6",
		"value.converter":                    jsonConverter + " " + stringConverter + " 2 8",
		"header.converter":                   simpleConverter + " " + simpleConverter + " 3 10",
		"value.converter.plugin.version":     "4.3.1 4.3.1 1 9",
		"connector.plugin.version":           "4.3.1 4.3.1 1 3",
		"value.converter.converter.type":     "value  0 -1",
		"key.converter.converter.encoding":   "UTF-8 UTF-8 0 -1",
		"producer.override.sasl.jaas.config": "[hidden]  0 -1",
		"tasks.max":                          "1 1 0 4",
	} {
		if values[name] != want {
			t.Errorf("%s: %q, want %q", name, values[name], want)
		}
	}
	s, err := v.Validate(t.Context(), pairs(sink("topics", " a, b ")...))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Configs) != 25 || s.TaskClass != sluicev1.UnitClass_UNIT_CLASS_KAFKA_FENCED || s.Type != sluicev1.ConnectorType_CONNECTOR_TYPE_SINK {
		t.Errorf("sink: %d keys, %v", len(s.Configs), s.TaskClass)
	}
	if d := cmp.Diff([]string{"Common", "Transforms", "Predicates", "Error Handling"}, s.Groups); d != "" {
		t.Error(d)
	}
	if i := slices.IndexFunc(s.Configs, func(i *sluicev1.ConfigInfo) bool { return i.Value.Name == "topics" }); s.Configs[i].Value.GetValue() != "a,b" {
		t.Error(s.Configs[i])
	}
}

func TestThereIsNoAnswerWithoutAClass(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	for _, c := range []struct {
		config []string
		reason errs.Reason
		want   string
	}{
		{[]string{"topic", "t"}, errs.ConfigInvalid, "Connector config {topic=t} contains no connector type"},
		{[]string{}, errs.ConfigInvalid, "Connector config {} contains no connector type"},
		{[]string{"connector.class", "NULL", "a.password", "x"}, errs.ConfigInvalid, "Connector config {connector.class=null, a.password=[hidden]} contains no connector type"},
		{[]string{"connector.class", "Nope"}, errs.ClassUnknown, "Failed to find any class that implements Connector and which name matches Nope, available connectors are: PluginDesc{"},
		{[]string{"connector.class", ""}, errs.ClassUnknown, "which name matches , available connectors are: "},
		{[]string{"connector.class", jsonConverter}, errs.ClassUnknown, "which name matches " + jsonConverter + ", available"},
		{[]string{"connector.class", "x.Picky", "topic", "panic"}, errs.Internal, "x.Picky.Validate: panic: boom"},
	} {
		_, err := v.Validate(t.Context(), pairs(c.config...))
		if errs.ReasonOf(err) != c.reason || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.config, err)
		}
	}
}

func TestCheckIsKafkaConnectsRefusal(t *testing.T) {
	r, err := validate.Validate(t.Context(), registry(t), worker(t, ""), map[string]string{"name": "a", "connector.class": "FileStreamSource", "tasks.max": "-1"})
	if err != nil {
		t.Fatal(err)
	}
	want := "Connector configuration is invalid and contains the following 2 error(s):\nInvalid value -1 for configuration tasks.max: Value must be at least 1\nMissing required configuration \"topic\" which has no default value.\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
	if err := validate.Check(r); errs.ReasonOf(err) != errs.ConfigInvalid || err.Error() != want {
		t.Errorf("%v", err)
	}
	if err := validate.Check(&sluicev1.ValidateResult{}); err != nil {
		t.Error(err)
	}
}

func TestNoAnswerShowsASecret(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("f", []byte("k=hunter22"), 0o600); err != nil {
		t.Fatal(err)
	}
	resolver, _, err := secrets.New(map[string]string{"config.providers": "file", "config.providers.file.class": "File"})
	if err != nil {
		t.Fatal(err)
	}
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real(),
		Resolve: resolver.Resolve,
		CheckClient: func(_ config.Role, java map[string]string) error {
			return fmt.Errorf("sasl.jaas.config: %s is no login module", java["sasl.jaas.config"])
		}}
	r, err := v.Validate(t.Context(), pairs("name", "v", "connector.class", "x.Secret", "pw", "${file:f:k}", "topic", "${file:f:k}", "tasks.max", "${file:f:k}",
		"producer.override.acks", "all", "producer.override.sasl.jaas.config", "${file:f:k}", "typo", "${vault:x}"))
	if err != nil {
		t.Fatal(err)
	}
	if text := r.String(); strings.Contains(text, "hunter22") {
		t.Error(text)
	}
	if text := strings.Join(r.GetWarnings(), "\n"); !strings.Contains(text, "typo: ${vault:x}: config.providers of the worker names no such provider") {
		t.Error(text)
	}
	got := strings.Join(problems(r), "\n")
	for _, want := range []string{"tasks.max | Invalid value ${file:f:k} for", "pw | Invalid value", "producer.override.sasl.jaas.config | sasl.jaas.config: "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	for _, i := range r.Configs {
		if i.Value.Name == "topic" && i.Value.GetValue() != "${file:f:k}" {
			t.Errorf("topic: %v", i.Value)
		}
	}
}

func TestAnOverrideOfTheWrongTypeIsAnError(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	for _, c := range []struct {
		config []string
		want   string
	}{
		{sink("topics", "t", "consumer.override.max.poll.records", "x"), "Invalid value x for configuration consumer.override.max.poll.records: Not a number of type INT"},
		{source("producer.override.linger.ms", "1.5"), "Invalid value 1.5 for configuration producer.override.linger.ms: Not a number of type LONG"},
		{source("topic.creation.groups", "", "admin.override.sasl.kerberos.ticket.renew.jitter", "often"), "Invalid value often for configuration admin.override.sasl.kerberos.ticket.renew.jitter: Not a number of type DOUBLE"},
	} {
		_, err := v.Validate(t.Context(), pairs(c.config...))
		if errs.ReasonOf(err) != errs.ConfigInvalid || err == nil || err.Error() != c.want {
			t.Errorf("%q: %v", c.config, err)
		}
	}
}

// Names and order are a Kafka Connect worker's.
func TestOverridesAreShownWithKafkasDefinitions(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs(source("producer.override.linger.ms", " 5 ", "producer.override.acks", " all", "producer.override.zz", "1",
		"producer.override.sasl.jaas.config", "hush", "producer.override.interceptor.classes", "a, b", "consumer.override.x", "1", "producer.override.", "x", "producer.override.retries", "NULL")...))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range r.Configs[27:] { // the null comes first, the framework's keys, and the plugin's
		got = append(got, fmt.Sprintf("%s=%s %s %s", i.Value.Name, i.Value.GetValue(), i.GetDefinition().GetType(), i.GetDefinition().GetDisplayName()))
	}
	want := []string{
		"batch.size=2000 INT batch.size",
		"producer.override.zz=1  ", "producer.override.retries= INT retries", "producer.override.acks=all STRING acks",
		"producer.override.sasl.jaas.config=[hidden] PASSWORD sasl.jaas.config", "producer.override.interceptor.classes=a,b LIST interceptor.classes",
		"producer.override.linger.ms=5 LONG linger.ms",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTheWorkersGroupIsShownWhereASinkOverridesIt(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs(sink("topics", "t", "consumer.override.group.id", "mine")...))
	if err != nil {
		t.Fatal(err)
	}
	first, last := r.Configs[0], r.Configs[len(r.Configs)-1]
	if first.Value.Name != "consumer.override.group.id" || first.Definition != nil || first.Value.GetValue() != "mine" ||
		last.Value.Name != "consumer.override.group.id" || last.GetDefinition().GetType() != "STRING" || r.ErrorCount != 0 {
		t.Errorf("%v ... %v", first, last)
	}
}

func TestAConnectorWithTheFrameworksKeysShowsThemPlain(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs("name", "v", "connector.class", "x.Whole", "topic", "t", "no.such", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if r.ErrorCount != 0 || r.Refusal != "it is not run" || len(r.Warnings) != 0 || r.Configs[0].Value.Name != "name" || r.Configs[19].Value.Name != "topic.creation.groups" || r.Configs[24].Value.Name != "topic" {
		t.Errorf("%d errors, refusal %q, warnings %q", r.ErrorCount, r.Refusal, r.Warnings)
	}
	for _, i := range r.Configs[:19] {
		hidden := strings.HasSuffix(i.Value.Name, ".converter.plugin.version")
		if i.Value.Visible == hidden || strings.HasSuffix(i.Value.Name, ".converter") && (i.Value.Value != nil || i.Definition.DefaultValue != nil || len(i.Value.RecommendedValues) > 0) {
			t.Error(i)
		}
	}
}

func TestUnknownKeysAreWarnedOfAndNeverRefused(t *testing.T) {
	v := validate.Validator{Registry: registry(t), Worker: worker(t, ""), Clock: clock.Real()}
	r, err := v.Validate(t.Context(), pairs(source("task.max", "2", "tasks.max", "2", "fil", "f", "producer.override.zz", "1", "value.converter.x", "1", "transforms.a.type", "T",
		"topic.creation.g.include", "x", "sluice.pool", "p")...))
	if err != nil || r.ErrorCount != 0 {
		t.Fatal(r, err)
	}
	want := []string{
		"fil: unknown key, passed on to the connector as it is; the nearest known key is file",
		"task.max: unknown key, passed on to the connector as it is; the nearest known key is tasks.max",
	}
	if d := cmp.Diff(want, r.Warnings); d != "" {
		t.Error(d)
	}
}

// definer says where its transactions end.
type definer struct{ connectors.SourceConnector }

func (definer) DefinesTransactions(map[string]string) bool { return true }
