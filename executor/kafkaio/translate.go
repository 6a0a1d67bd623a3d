package kafkaio

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/internal/keystore"
)

// rule says what becomes of one of Java's keys.
type rule struct {
	// to is librdkafka's key; empty where the key has no effect here.
	to string
	// value translates the value; nil keeps it.
	value func(v string) (string, error)
	// quiet: not worth a warning, because it means nothing outside the JVM or Sluice does it by itself.
	quiet bool
	// refuse says why the key cannot be had; empty where it can.
	refuse string
}

const (
	forAll      = 1<<RoleProducer | 1<<RoleConsumer | 1<<RoleAdmin
	forProducer = 1 << RoleProducer
	forConsumer = 1 << RoleConsumer
)

// entry is a line of the table: for which roles it holds.
type entry struct {
	roles int
	key   string
	rule  rule
}

func same(roles int, keys ...string) (out []entry) {
	for _, k := range keys {
		out = append(out, entry{roles, k, rule{to: k}})
	}
	return out
}

func quiet(roles int, keys ...string) (out []entry) {
	for _, k := range keys {
		out = append(out, entry{roles, k, rule{quiet: true}})
	}
	return out
}

func without(roles int, keys ...string) (out []entry) {
	for _, k := range keys {
		out = append(out, entry{roles, k, rule{}})
	}
	return out
}

// table is Java's clients (Kafka 4.3) against librdkafka 2.11. Keys that are not in it are unknown to Java
// too, and get a warning as they do there.
var table = slices.Concat(
	same(forAll, "bootstrap.servers", "client.id", "security.protocol", "sasl.mechanism", "sasl.kerberos.service.name",
		"connections.max.idle.ms", "reconnect.backoff.ms", "reconnect.backoff.max.ms",
		"retry.backoff.ms", "retry.backoff.max.ms", "socket.connection.setup.timeout.ms", "ssl.key.password", "ssl.cipher.suites",
		"sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.scope"),
	[]entry{
		{forAll, "client.dns.lookup", rule{to: "client.dns.lookup", value: oneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")}},
		// Java's is when metadata is refreshed; librdkafka's of the same name only how long it may be used.
		{forAll, "metadata.max.age.ms", rule{to: "topic.metadata.refresh.interval.ms"}},
		{forAll, "request.timeout.ms", rule{to: "socket.timeout.ms"}},
		{forAll, "send.buffer.bytes", rule{to: "socket.send.buffer.bytes", value: systemSize}},
		{forAll, "receive.buffer.bytes", rule{to: "socket.receive.buffer.bytes", value: systemSize}},
		{forAll, "ssl.truststore.certificates", rule{to: "ssl.ca.pem", value: pem}},
		{forAll, "ssl.keystore.certificate.chain", rule{to: "ssl.certificate.pem", value: pem}},
		{forAll, "ssl.keystore.key", rule{to: "ssl.key.pem", value: pem}},
		{forAll, "ssl.endpoint.identification.algorithm", rule{to: "ssl.endpoint.identification.algorithm", value: identification}},
		{forAll, "sasl.login.callback.handler.class", rule{refuse: "login callbacks are Java classes: use sasl.oauthbearer.token.endpoint.url with a client id and its secret"}},
		{forAll, "sasl.client.callback.handler.class", rule{refuse: "client callbacks are Java classes"}},
		{forProducer, "compression.type", rule{to: "compression.type", value: oneOf("none", "gzip", "snappy", "lz4", "zstd")}},
		{forProducer, "max.request.size", rule{to: "message.max.bytes"}},
		{forProducer, "buffer.memory", rule{to: "queue.buffering.max.kbytes", value: kilobytes}},
		{forProducer, "delivery.timeout.ms", rule{to: "message.timeout.ms", value: endless}},
		{forProducer, "max.in.flight.requests.per.connection", rule{to: "max.in.flight"}},
		{forProducer, "partitioner.class", rule{to: "partitioner", value: partitioner}},
		{forProducer, "partitioner.ignore.keys", rule{to: "partitioner", value: ignoreKeys}},
		{forProducer, "interceptor.classes", rule{value: onlyEmpty("interceptors are Java classes")}},
		{forConsumer, "interceptor.classes", rule{value: onlyEmpty("interceptors are Java classes")}},
		{forConsumer, "fetch.max.wait.ms", rule{to: "fetch.wait.max.ms"}},
		{forConsumer, "isolation.level", rule{to: "isolation.level", value: oneOf("read_committed", "read_uncommitted")}},
		{forConsumer, "auto.offset.reset", rule{to: "auto.offset.reset", value: offsetReset}},
		{forConsumer, "partition.assignment.strategy", rule{to: "partition.assignment.strategy", value: assignors}},
		{forConsumer, "group.protocol", rule{to: "group.protocol", value: oneOf("classic")}},
	},
	same(forProducer, "acks", "batch.size", "linger.ms", "enable.idempotence", "transactional.id", "transaction.timeout.ms"),
	same(forConsumer, "group.id", "group.instance.id", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms",
		"fetch.min.bytes", "fetch.max.bytes", "max.partition.fetch.bytes", "check.crcs", "client.rack", "allow.auto.create.topics"),
	quiet(forAll, "key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "metric.reporters",
		"metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "auto.include.jmx.reporter", "enable.metrics.push",
		"default.api.timeout.ms", "socket.connection.setup.timeout.max.ms", "retries", "ssl.protocol", "ssl.provider",
		"ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "security.providers",
		"metadata.recovery.strategy", "metadata.recovery.rebootstrap.trigger.ms", "sasl.login.class", "config.providers",
		// Taken apart by hand below, from several keys together.
		"sasl.jaas.config", "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.type",
		"ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.type"),
	quiet(forProducer, "max.block.ms", "metadata.max.idle.ms", "partitioner.adaptive.partitioning.enable",
		"partitioner.availability.timeout.ms", "compression.gzip.level", "compression.lz4.level", "compression.zstd.level"),
	quiet(forConsumer, "enable.auto.commit", "auto.commit.interval.ms", "exclude.internal.topics", "max.poll.records"),
	without(forAll, "ssl.enabled.protocols", "ssl.engine.factory.class", "sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin",
		"sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor", "sasl.login.refresh.buffer.seconds",
		"sasl.login.refresh.min.period.seconds", "sasl.login.refresh.window.factor", "sasl.login.refresh.window.jitter"),
	without(forConsumer, "group.remote.assignor"),
)

// rules is the table by role and key.
var rules = func() [3]map[string]rule {
	var out [3]map[string]rule
	for r := range out {
		out[r] = map[string]rule{}
		for _, e := range table {
			if e.roles&(1<<r) != 0 {
				out[r][e.key] = e.rule
			}
		}
	}
	return out
}()

// Translate makes librdkafka's settings of Java's. warnings name, in order, the keys that have no effect,
// and why. An error wraps ErrConfig and names the key, and never a value that may be secret.
func Translate(role Role, java map[string]string) (librd map[string]string, warnings []string, err error) {
	out := base(role)
	keys := make([]string, 0, len(java))
	for k := range java {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		r, known := rules[role][k]
		v := strings.TrimSpace(java[k])
		switch {
		case !known && elsewhere(k):
		case !known:
			warnings = append(warnings, k+" is not known")
		case r.refuse != "" && v != "":
			return nil, nil, fmt.Errorf("%w: %s: %s", ErrConfig, k, r.refuse)
		case r.refuse != "":
		case r.to == "" && r.value != nil:
			if _, err := r.value(v); err != nil {
				return nil, nil, fmt.Errorf("%w: %s: %w", ErrConfig, k, err)
			}
		case r.to == "" && !r.quiet:
			warnings = append(warnings, k+" has no effect here")
		case r.to == "" || v == "" && k != "ssl.endpoint.identification.algorithm":
		default:
			if r.value != nil {
				if v, err = r.value(v); err != nil {
					return nil, nil, fmt.Errorf("%w: %s: %w", ErrConfig, k, err)
				}
				if v == "" {
					continue
				}
			}
			out[r.to] = v
		}
	}
	if err := stores(java, out); err != nil {
		return nil, nil, err
	}
	if err := jaas(java["sasl.jaas.config"], out); err != nil {
		return nil, nil, err
	}
	if out["sasl.oauthbearer.token.endpoint.url"] != "" {
		out["sasl.oauthbearer.method"] = "oidc"
	}
	return out, warnings, nil
}

// Principal is who a client is to Kafka, as ACLs name it; empty where that depends on the broker, as for certificates
// and tokens.
func Principal(c Client) string {
	librd, _, err := Translate(RoleAdmin, c)
	switch protocol := strings.ToUpper(librd["security.protocol"]); {
	case err != nil:
		return ""
	case protocol == "" || protocol == "PLAINTEXT":
		return "User:ANONYMOUS"
	case strings.HasPrefix(protocol, "SASL_") && librd["sasl.username"] != "":
		return "User:" + librd["sasl.username"]
	}
	return ""
}

// elsewhere tells keys that a client of another role knows: a worker's file has them all side by side.
func elsewhere(key string) bool {
	for r := range rules {
		if _, ok := rules[r][key]; ok {
			return true
		}
	}
	return false
}

func oneOf(allowed ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if l := strings.ToLower(v); slices.Contains(allowed, l) {
			return l, nil
		}
		return "", fmt.Errorf("%q is not supported: use %s", v, strings.Join(allowed, ", "))
	}
}

func onlyEmpty(why string) func(string) (string, error) {
	return func(v string) (string, error) {
		if v != "" {
			return "", fmt.Errorf("%s and cannot run here: remove %q", why, v)
		}
		return "", nil
	}
}

func systemSize(v string) (string, error) {
	if v == "-1" {
		return "0", nil
	}
	return v, nil
}

func kilobytes(v string) (string, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1024 {
		return "", fmt.Errorf("%q is not a size in bytes of at least 1024", v)
	}
	return strconv.FormatInt(n/1024, 10), nil
}

// endless: Connect sets 2147483647 for "never"; librdkafka's is 0.
func endless(v string) (string, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return "", fmt.Errorf("%q is not a time in ms", v)
	}
	if n >= 1<<31-1 {
		return "0", nil
	}
	return v, nil
}

func pem(v string) (string, error) {
	if !strings.Contains(v, "-----BEGIN ") {
		return "", fmt.Errorf("not in PEM form: it has to contain -----BEGIN …")
	}
	return v, nil
}

func identification(v string) (string, error) {
	if v == "" {
		return "none", nil
	}
	return oneOf("https", "none")(v)
}

func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

func partitioner(v string) (string, error) {
	switch simple(v) {
	case "", "DefaultPartitioner", "BuiltInPartitioner":
		return "murmur2_random", nil
	case "UniformStickyPartitioner":
		return "random", nil
	}
	return "", fmt.Errorf("%q is a Java class and cannot run here: leave it out for Kafka's own partitioner", v)
}

func ignoreKeys(v string) (string, error) {
	if strings.EqualFold(v, "true") {
		return "random", nil
	}
	return "", nil
}

func offsetReset(v string) (string, error) {
	switch v := strings.ToLower(v); v {
	case "earliest", "latest":
		return v, nil
	case "none":
		return "error", nil
	}
	return "", fmt.Errorf("%q is not supported: use earliest, latest or none", v)
}

func assignors(v string) (string, error) {
	var out []string
	for _, c := range strings.Split(v, ",") {
		switch simple(strings.TrimSpace(c)) {
		case "RangeAssignor", "range":
			out = append(out, "range")
		case "RoundRobinAssignor", "roundrobin":
			out = append(out, "roundrobin")
		case "CooperativeStickyAssignor", "cooperative-sticky":
			out = append(out, "cooperative-sticky")
		case "":
		default:
			return "", fmt.Errorf("%q cannot run here: use RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor", c)
		}
	}
	// Java's default names range first and cooperative-sticky for upgrades; librdkafka does not mix the two.
	if len(out) > 1 && slices.Contains(out, "cooperative-sticky") {
		out = slices.DeleteFunc(out, func(s string) bool { return s == "cooperative-sticky" })
	}
	return strings.Join(out, ","), nil
}

// stores translates key and trust stores. librdkafka reads PEM files by itself; what Java alone reads is handed over as
// PEM in memory.
func stores(java, out map[string]string) error {
	k := keystore.Keys(java)
	if f := strings.TrimSpace(java[keystore.TrustLocation]); f != "" && k.PEM(keystore.TrustType) {
		out["ssl.ca.location"] = f
	} else if f != "" {
		authorities, err := k.Authorities()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		out["ssl.ca.pem"] = keystore.CertificatesPEM(authorities)
	}
	f := strings.TrimSpace(java[keystore.KeyLocation])
	switch {
	case f == "":
		return nil
	case k.PEM(keystore.KeyType):
		out["ssl.certificate.location"], out["ssl.key.location"] = f, f
		return nil
	}
	id, err := k.Identity()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if out["ssl.key.pem"], err = keystore.KeyPEM(id); err != nil {
		return fmt.Errorf("%w: %s: %s: %w", ErrConfig, keystore.KeyLocation, f, err)
	}
	out["ssl.certificate.pem"] = keystore.ChainPEM(id)
	delete(out, "ssl.key.password") // the key is in the clear by now
	return nil
}

var jaasOption = regexp.MustCompile(`([A-Za-z_][\w.]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]+))`)

// jaasClass is what may be quoted of sasl.jaas.config: whatever else it begins with may be the password.
var jaasClass = regexp.MustCompile(`^([\w.$]*LoginModule)(?:\s+|;|$)`)

// jaas translates sasl.jaas.config. Its errors never quote it: it has a password in it.
func jaas(v string, out map[string]string) error {
	if v = strings.TrimSpace(v); v == "" {
		return nil
	}
	m := jaasClass.FindStringSubmatch(v)
	if m == nil {
		return fmt.Errorf("%w: sasl.jaas.config: it must begin with the class of a login module and a blank", ErrConfig)
	}
	class, rest := m[1], v[len(m[0]):]
	opts := map[string]string{}
	for _, m := range jaasOption.FindAllStringSubmatch(rest, -1) {
		opts[m[1]] = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2]) + m[3] + m[4]
	}
	put := func(option, key string, needed bool) error {
		if opts[option] == "" && needed {
			return fmt.Errorf("%w: sasl.jaas.config: %s has no option %s", ErrConfig, simple(class), option)
		}
		if opts[option] != "" {
			out[key] = opts[option]
		}
		return nil
	}
	switch simple(class) {
	case "PlainLoginModule", "ScramLoginModule":
		if err := put("username", "sasl.username", true); err != nil {
			return err
		}
		return put("password", "sasl.password", true)
	case "OAuthBearerLoginModule":
		for option, key := range map[string]string{"clientId": "sasl.oauthbearer.client.id", "clientSecret": "sasl.oauthbearer.client.secret", "scope": "sasl.oauthbearer.scope"} {
			if err := put(option, key, false); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%w: sasl.jaas.config: the login module %q is not supported: use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule", ErrConfig, simple(class))
}
