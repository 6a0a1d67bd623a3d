package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluice-project/sluice/executor/config"
)

const minimal = `group.id=g
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=JsonConverter
value.converter.schemas.enable=false
offset.storage.topic=connect-offsets
config.storage.topic=connect-configs
status.storage.topic=connect-status
`

func load(t *testing.T, file string, env []string, flags map[string]string) (config.Worker, []string) {
	t.Helper()
	w, warnings, err := config.Load([]byte(file), env, flags)
	if err != nil {
		t.Fatal(err)
	}
	return w, warnings
}

func TestTheDefaultsAreKafkaConnects(t *testing.T) {
	w, warnings := load(t, minimal, nil, nil)
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	got := fmt.Sprintln(w.OffsetFlushInterval(), w.OffsetFlushTimeout(), w.TaskShutdownTimeout(), w.TopicCreation(), w.TopicTracking(), w.TopicTrackingReset(),
		w.ExactlyOnce(), w.Policy(), w.HeaderConverter().Class, w.Pool(), w.Capacity(), w.Standalone(), w.ContinueOnLeaseLoss())
	if want := "1m0s 5s 5s true true true false All org.apache.kafka.connect.storage.SimpleHeaderConverter default 0 false false\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, s := range []struct {
		name                    string
		partitions, replication int
	}{{"connect-offsets", 25, 3}, {"connect-configs", 1, 3}, {"connect-status", 5, 3}} {
		for _, spec := range []any{w.OffsetsTopic(), w.ConfigTopic(), w.StatusTopic()} {
			text := fmt.Sprintf("%+v", spec)
			if strings.Contains(text, s.name) && text != fmt.Sprintf("{Name:%s Partitions:%d Replication:%d Config:map[cleanup.policy:compact]}", s.name, s.partitions, s.replication) {
				t.Error(text)
			}
		}
	}
	if d := cmp.Diff(config.Converter{Class: "JsonConverter", Config: map[string]string{"schemas.enable": "false"}}, w.ValueConverter()); d != "" {
		t.Error(d)
	}
}

func TestPropertiesAreJavas(t *testing.T) {
	w, _ := load(t, "# comment\n! comment\n"+minimal+`
  client.id : a\u00e9\tb\
      c
bootstrap.servers   h1:9092, h2:9092
producer.password=x\=y${file:/a:b}
offset.storage.segment.bytes=1 `+"\n", nil, nil)
	for key, want := range map[string]string{"client.id": "aé\tbc", "bootstrap.servers": "h1:9092, h2:9092", "producer.password": "x=y${file:/a:b}"} {
		if got, _ := w.Get(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if got := w.OffsetsTopic().Config["segment.bytes"]; strings.TrimSpace(got) != "1" {
		t.Errorf("the topic's own config: %q", got)
	}
	latin, _ := load(t, minimal+"client.id=\xe9", nil, nil)
	if latin.ClientID() != "é" {
		t.Errorf("ISO-8859-1: %q", latin.ClientID())
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := minimal + "offset.flush.interval.ms=1\noffset.flush.timeout.ms=1\nsluice.pool=f\n"
	w, _ := load(t, file, []string{"SLUICE_OFFSET_FLUSH_INTERVAL_MS=2", "SLUICE_OFFSET_FLUSH_TIMEOUT_MS=2", "SLUICE_POOL=e", "SLUICE_CONSUMER_A___B__C=v", "PATH=/"},
		map[string]string{"offset.flush.interval.ms": "3"})
	if w.OffsetFlushInterval() != 3*time.Millisecond || w.OffsetFlushTimeout() != 2*time.Millisecond || w.TaskShutdownTimeout() != 5*time.Second || w.Pool() != "e" {
		t.Error(w)
	}
	if v, ok := w.Get("consumer.a_b-c"); !ok || v != "v" {
		t.Error("SLUICE_CONSUMER_A___B__C is not consumer.a_b-c")
	}
}

func TestWhatHasNoEffectIsNamedOnce(t *testing.T) {
	_, warnings := load(t, minimal+"plugin.path=/p\nplugin.discovery=Service_Load\nsession.timeout.ms=1\nrest.extension.classes=h\ninter.worker.key.size=1\noffset.storage.file.filename=f\nzz=1\nfoo.bar=secret-value\nconfig.storage.cleanup.policy=delete\n",
		[]string{"SLUICE_SERVICE_HOST=10.0.0.1"}, nil)
	want := []string{
		"These worker keys mean nothing to Sluice and are ignored: config.storage.cleanup.policy, inter.worker.key.size, offset.storage.file.filename, rest.extension.classes, session.timeout.ms",
		"These worker keys are known neither to Kafka Connect nor to Sluice and are ignored: foo.bar, service.host, zz",
	}
	if d := cmp.Diff(want, warnings); d != "" {
		t.Error(d)
	}
}

func TestErrorsSayKeyValueAndWhatWouldBeRight(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		env  string
		want string
	}{
		"not a number":       {line: "offset.flush.interval.ms=x", want: "Invalid value x for configuration offset.flush.interval.ms: Not a number of type LONG"},
		"from where":         {env: "SLUICE_OFFSET_FLUSH_INTERVAL_MS=0", want: "Value must be at least 1 (from SLUICE_OFFSET_FLUSH_INTERVAL_MS)"},
		"unknown sluice key": {line: "sluice.leas.loss=continue", want: "sluice.leas.loss: Sluice has no such key; the nearest is sluice.lease.loss"},
		"empty class":        {line: "key.converter=", want: "key.converter is empty: name a converter"},
		"partitions":         {line: "offset.storage.partitions=0", want: "Number of partitions must be positive, or -1 to use the broker's default"},
		"replication":        {line: "status.storage.replication.factor=-2", want: "Replication factor must be positive"},
		"policy":             {line: "connector.client.config.override.policy=com.example.Own", want: "All, None, Principal or Allowlist"},
		"discovery":          {line: "plugin.discovery=scan", want: "Invalid value scan for configuration plugin.discovery: String must be one of (case insensitive): "},
		"one topic twice":    {line: "status.storage.topic=connect-configs", want: "config.storage.topic names the same topic"},
		"labels":             {line: "sluice.labels=a", want: `The label "a" is no name=value pair`},
		"eos":                {line: "exactly.once.source.support=yes", want: "DISABLED"},
	} {
		var env []string
		if c.env != "" {
			env = []string{c.env}
		}
		_, _, err := config.Load([]byte(minimal+c.line), env, nil)
		if !errors.Is(err, config.ErrInvalid) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	_, _, err := config.Load(nil, nil, nil)
	for _, key := range []string{"group.id", "key.converter", "value.converter", "offset.storage.topic", "config.storage.topic", "status.storage.topic"} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Missing required configuration %q which has no default value.", key)) {
			t.Errorf("%s is not named: %v", key, err)
		}
	}
	if _, _, err := config.Load([]byte(minimal), []string{"SLUICE_POOL=a", "SLUICE_SLUICE_POOL=b"}, nil); err == nil || !strings.Contains(err.Error(), "SLUICE_SLUICE_POOL") {
		t.Errorf("two variables for one key: %v", err)
	}
}

func TestAWorkerWithoutAGroupIsStandalone(t *testing.T) {
	w, _ := load(t, "key.converter=StringConverter\nvalue.converter=StringConverter\noffset.storage.file.filename=/f\n", nil, nil)
	if !w.Standalone() || w.OffsetsFile() != "/f" {
		t.Error(w)
	}
}

func TestClientsAreMadeInKafkaConnectsOrder(t *testing.T) {
	w, _ := load(t, minimal+`bootstrap.servers=w:1
security.protocol=SASL_SSL
sasl.jaas.config=j
request.timeout.ms=7
ssl.client.auth=required
producer.linger.ms=1
producer.acks=1
consumer.bootstrap.servers=c:1
admin.listeners=http://x
`, nil, nil)
	base := func(more ...string) map[string]string {
		m := map[string]string{"bootstrap.servers": "w:1", "security.protocol": "SASL_SSL", "sasl.jaas.config": "j"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	connector := map[string]string{"producer.override.acks": "all", "consumer.override.group.id": "x", "topic": "t"}
	for role, want := range map[config.Role]map[string]string{
		config.Producer: base("linger.ms", "1", "acks", "all"),
		config.Consumer: base("bootstrap.servers", "c:1", "group.id", "x"),
		config.Admin:    base("request.timeout.ms", "7"),
	} {
		got, err := w.Client(role, connector)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", role, d)
		}
	}
	if d := cmp.Diff(base("request.timeout.ms", "7"), w.Internal()); d != "" {
		t.Error(d)
	}
}

func TestThePolicyDecidesOverOverrides(t *testing.T) {
	for _, c := range []struct {
		policy, key string
		ok          bool
	}{
		{"All", "acks", true}, {"None", "acks", false}, {"None", "sasl.jaas.config", false},
		{"Principal", "sasl.jaas.config", true}, {"Principal", "sasl.mechanism", true}, {"Principal", "security.protocol", true}, {"Principal", "acks", false},
		{"Allowlist", "linger.ms", true}, {"Allowlist", "acks", false},
		{"org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy", "acks", false},
	} {
		w, _ := load(t, minimal+"connector.client.config.override.allowlist=linger.ms, batch.size\nconnector.client.config.override.policy="+c.policy, nil, nil)
		err := w.CheckOverride(c.key)
		_, cerr := w.Client(config.Producer, map[string]string{"producer.override." + c.key: "v"})
		if (err == nil) != c.ok || (cerr == nil) != c.ok {
			t.Errorf("%s, %s: %v, %v", c.policy, c.key, err, cerr)
			continue
		}
		if want := fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", w.Policy(), c.key); err != nil && (err.Error() != want || !errors.Is(err, config.ErrOverride) || !errors.Is(cerr, config.ErrOverride)) {
			t.Errorf("%v, want %s", err, want)
		}
		if cerr != nil && !strings.Contains(cerr.Error(), "Client Config Overrides not allowed ["+c.key+"]") {
			t.Error(cerr)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2hunter2"
	keys := []string{"ssl.keystore.password", "ssl.key.password", "sasl.jaas.config", "producer.sasl.jaas.config", "ssl.keystore.key", "consumer.ssl.truststore.password", "value.converter.basic.auth.password", "sasl.oauthbearer.client.secret"}
	file := minimal
	for _, k := range keys {
		file += k + "=" + secret + "\n"
	}
	file += "ssl.keystore.location=/visible\nsasl.oauthbearer.token.endpoint.url=/visible\n"
	w, warnings := load(t, file, nil, nil)
	for _, text := range []string{w.String(), fmt.Sprint(w), fmt.Sprintf("%v %+v %#v", w, w, w), fmt.Sprint(w.Redacted()), fmt.Sprint(warnings)} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	if strings.Count(w.String(), "/visible") != 2 {
		t.Errorf("too much is hidden: %s", w)
	}
}

func TestAnyKeyThatIsDefinedCanBeGivenByTheEnvironment(t *testing.T) {
	defs := config.Definitions()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(defs).Draw(t, "key")
		name := "SLUICE_" + strings.NewReplacer("_", "___", "-", "__", ".", "_").Replace(strings.ToUpper(d.Name))
		for _, value := range []string{d.Default, "PLAINTEXT", "a=b", "8080", "http"} { // one of them is valid for every key
			w, _, err := config.Load([]byte(minimal), []string{name + "=" + value}, nil)
			if value == "" || err != nil {
				continue
			}
			if got, ok := w.Get(d.Name); !ok || got != value {
				t.Fatalf("%s does not give %s", name, d.Name)
			}
			return
		}
		t.Fatalf("%s cannot be given", d.Name)
	})
}

func TestReferencesInTheWorkersConfig_AreResolvedAtTheStartAndNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kafka.properties")
	if err := os.WriteFile(path, []byte("password=w0rker-pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	jaas := `org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${file:` + path + `:password}";`
	given := map[string]string{"bootstrap.servers": "b:9092", "group.id": "g", "offset.storage.topic": "o", "config.storage.topic": "c", "status.storage.topic": "s",
		"key.converter": "K", "value.converter": "V", "value.converter.pw": "${file:" + path + ":password}", "sasl.jaas.config": jaas,
		"client.id": "${file:" + path + ":none}", "config.providers": "file", "config.providers.file.class": "FileConfigProvider"}
	w, warnings, err := config.Load(nil, nil, given)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Internal()["sasl.jaas.config"]; !strings.Contains(got, `password="w0rker-pw"`) {
		t.Errorf("%s", got)
	}
	if got := w.ValueConverter().Config["pw"]; got != "w0rker-pw" {
		t.Errorf("%s", got)
	}
	if text := w.String() + fmt.Sprintf("%#v", w); strings.Contains(text, "w0rker") {
		t.Errorf("%s", text)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "client.id: ${file:") {
		t.Errorf("%v", warnings)
	}
	given["sluice.capacity"] = "${file:" + path + ":password}"
	if _, _, err = config.Load(nil, nil, given); err == nil || strings.Contains(err.Error(), "w0rker") || !strings.Contains(err.Error(), "sluice.capacity") {
		t.Errorf("%v", err)
	}
	given["config.providers.file.class"] = "com.example.Vault"
	if _, _, err = config.Load(nil, nil, given); !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), `config.providers.file.class is "com.example.Vault", which is not here`) {
		t.Errorf("%v", err)
	}
}
