package process

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-project/sluice/connectors/configdef"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/internal/keystore"
)

// The keys that code asks for by name.
const (
	logLevel    = "sluice.log.level"
	logFormat   = "sluice.log.format"
	AdminListen = "sluice.admin.listen"
	stopTimeout = "sluice.stop.timeout.ms"
	otlpMetrics = "sluice.otlp.metrics"
	profiles    = "sluice.pprof"
	tlsCert     = "sluice.tls.cert.file"
	tlsKey      = "sluice.tls.key.file"
	tlsCA       = "sluice.tls.ca.file"

	ControlPlane = "sluice.control.plane"

	ClusterID     = "sluice.cluster.id"
	ReplicaID     = "sluice.replica.id"
	GrpcListen    = "sluice.grpc.listen"
	GrpcAdvertise = "sluice.grpc.advertise"
	EtcdEndpoints = "sluice.etcd.endpoints"
	EtcdCert      = "sluice.etcd.tls.cert.file"
	EtcdKey       = "sluice.etcd.tls.key.file"
	EtcdCA        = "sluice.etcd.tls.ca.file"
	EtcdUser      = "sluice.etcd.username"
	EtcdPassword  = "sluice.etcd.password"
	DataDir       = "sluice.data.dir"
	SessionTTL    = "sluice.session.ttl.ms"
	SessionMargin = "sluice.session.margin.ms"
	FastFailover  = "sluice.session.fast.failover.ms"
	StaticMax     = "sluice.static.stability.max.ms"
	ElectionTTL   = "sluice.election.ttl.ms"

	Listeners       = "listeners"
	AdminListeners  = "admin.listeners"
	AllowOrigin     = "access.control.allow.origin"
	AllowMethods    = "access.control.allow.methods"
	ResponseHeaders = "response.http.headers.config"
	ClientAuth      = "ssl.client.auth"
	Protocols       = "ssl.enabled.protocols"
	CipherSuites    = "ssl.cipher.suites"

	// Where a key below one of these is given, listeners and admin.listeners take their ssl.* keys from there alone.
	ListenersTLS      = "listeners.https."
	AdminListenersTLS = "admin.listeners.https."
)

type adder func(name string, t configdef.Type, def string, v configdef.Validator, doc string)

func define(fill ...func(adder)) *configdef.Def {
	d := configdef.New()
	for _, f := range fill {
		f(func(name string, t configdef.Type, def string, v configdef.Validator, doc string) {
			k := configdef.Key{Name: name, Type: t, Validator: v, Importance: importanceOf(name), Doc: doc}
			if def != "" || t == configdef.List {
				k.Default = configdef.Text(def)
			}
			d.Define(k)
		})
	}
	return d
}

// importanceOf is high for what most people set, low for what few need to know.
func importanceOf(name string) configdef.Importance {
	switch name {
	case ControlPlane, ClusterID, GrpcListen, EtcdEndpoints, DataDir, Listeners:
		return configdef.High
	case logFormat, profiles, stopTimeout, SessionTTL, SessionMargin, FastFailover, StaticMax, ElectionTTL, AdminListeners, AllowOrigin, AllowMethods, ResponseHeaders:
		return configdef.Low
	}
	return configdef.Medium
}

// common are the keys of every process.
func common(admin string) func(adder) {
	return func(add adder) {
		add(logLevel, configdef.String, "info", configdef.InIgnoreCase("debug", "info", "warn", "error"), "How much is logged, to the standard error stream.")
		add(logFormat, configdef.String, "text", configdef.In("text", "json"), "The form of the log's lines: text, or json, one object each.")
		add(AdminListen, configdef.String, admin, nil, "Where /livez, /readyz and /metrics are served, host:port. Port 0 takes a free one; the log says which.")
		add(otlpMetrics, configdef.Boolean, "false", nil, "Whether what /metrics serves is also exported by OTLP (gRPC), as OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRIC_EXPORT_INTERVAL and OpenTelemetry's other variables say.")
		add(profiles, configdef.Boolean, "false", nil, "Whether /debug/pprof/ is served beside /metrics: profiles of the process's CPU, memory and goroutines, for whoever reaches the address.")
		add(stopTimeout, configdef.Long, "30000", configdef.AtLeast(1), "How long the process has to end after SIGTERM; what has not ended then is cut off. An executor gives its units back within it.")
		add(tlsCert, configdef.String, "", nil, "The PEM file of the certificate that this process shows to Sluice's other processes. It is read again at each handshake.")
		add(tlsKey, configdef.String, "", nil, "The PEM file of that certificate's key.")
		add(tlsCA, configdef.String, "", nil, "The PEM file of the authority that all of Sluice's processes have their certificates from. All three, or none: then the processes talk in the clear.")
	}
}

func controlPlaneKeys(add adder) {
	add(ClusterID, configdef.String, "sluice", configdef.NonEmptyWithoutControlChars(), "The name under which etcd keeps this cluster. Replicas of one cluster have the same.")
	add(ReplicaID, configdef.String, "", configdef.Func("no blanks or slashes", checkReplica), "The replica's name, its own among those that run. Without it, the Advertised address.")
	add(GrpcListen, configdef.String, ":8082", configdef.NonEmpty(), "Where the control API and the executors' sessions are served (gRPC), host:port.")
	add(GrpcAdvertise, configdef.String, "", nil, "Where the other replicas reach this one, host:port. Without it, what it listens on.")
	add(EtcdEndpoints, configdef.List, "", nil, "The members of etcd, as http://host:port or https://host:port. Without it, this replica runs a member of its own in sluice.data.dir, and must be the only one.")
	add(EtcdCA, configdef.String, "", nil, "The PEM file of the authority of etcd's certificates.")
	add(EtcdCert, configdef.String, "", nil, "The PEM file of the certificate that is shown to etcd.")
	add(EtcdKey, configdef.String, "", nil, "The PEM file of that certificate's key.")
	add(EtcdUser, configdef.String, "", nil, "The user at etcd, where it wants one.")
	add(EtcdPassword, configdef.Password, "", nil, "The user's password.")
	add(DataDir, configdef.String, "", nil, "The directory of this replica's own etcd member. Not together with sluice.etcd.endpoints.")
	add(SessionTTL, configdef.Long, "10000", seconds, "How long an executor may run its units after a heartbeat that was acknowledged, in whole seconds. The same in all replicas.")
	add(SessionMargin, configdef.Long, "5000", seconds, "How much longer its session is kept, before another executor is given its units; in whole seconds. The same in all replicas.")
	add(FastFailover, configdef.Long, "1000", configdef.AtLeast(0), "How long an executor whose connection broke has to come back before its sinks and exactly-once sources move.")
	add(StaticMax, configdef.Long, "3600000", configdef.AtLeast(0), "How long sinks and exactly-once sources go on without the control plane.")
	add(ElectionTTL, configdef.Long, "2000", seconds, "How long a leader that died leads on, in whole seconds.")
}

func gatewayKeys(add adder) {
	listeners := configdef.Func("http://host:port or https://host:port, one or more", checkListeners)
	add(Listeners, configdef.List, "http://:8083", listeners, "Where the REST API is served: http://host:port or https://host:port, one or more. Without a host, on all addresses.")
	add(AdminListeners, configdef.String, "", listeners, "Where /admin/loggers is served, and nothing else, as in listeners. Without the key, on listeners; with an empty value, nowhere.")
	add(AllowOrigin, configdef.String, "", nil, "The origins whose pages may call the API (CORS): a list of origins or patterns of some, or *. Empty is none.")
	add(AllowMethods, configdef.String, "", nil, "The methods that a browser is told of: GET, POST and HEAD where it is empty.")
	add(ResponseHeaders, configdef.String, "", nil, "Headers of every answer: rules `<action> <header>:<value>` between commas, the action set, add, setDate or addDate. A rule with a comma is in double quotes.")
	add(keystore.KeyLocation, configdef.String, "", nil, "The file of the certificate and key of https listeners. Where a key `listeners.https.…` is given, they take their ssl.* keys from there alone; `admin.listeners.https.…` likewise. Kafka's clients have the keys without a prefix too.")
	add(keystore.KeyType, configdef.String, "", nil, "The form of that file: JKS or PKCS12, told apart by what it holds, or PEM.")
	add(keystore.KeyStorePassword, configdef.Password, "", nil, "The password of that file, of JKS and PKCS12.")
	add(keystore.KeyPassword, configdef.Password, "", nil, "The password of the key in it. Without it, the file's.")
	add(keystore.KeyText, configdef.Password, "", nil, "The key of https listeners itself, PEM, instead of a file.")
	add(keystore.ChainText, configdef.Password, "", nil, "The certificate with its chain for ssl.keystore.key, PEM.")
	add(keystore.TrustLocation, configdef.String, "", nil, "The file of the authorities whose certificates callers of https listeners may show.")
	add(keystore.TrustType, configdef.String, "", nil, "The form of that file, as ssl.keystore.type.")
	add(keystore.TrustPassword, configdef.Password, "", nil, "The password of that file. A JKS file can be read without it.")
	add(keystore.TrustText, configdef.Password, "", nil, "These authorities themselves, PEM, instead of a file.")
	add(ClientAuth, configdef.String, "none", configdef.In("required", "requested", "none"), "Whether a caller of https listeners has to show a certificate from those authorities: required; requested, only a true one where it shows one; none.")
	add(Protocols, configdef.List, "TLSv1.2,TLSv1.3", nil, "The versions of TLS that https listeners speak: TLSv1.2, TLSv1.3.")
	add(CipherSuites, configdef.List, "", nil, "The cipher suites of TLSv1.2 that https listeners take. Empty is Go's choice, which TLSv1.3 always has.")
}

// ofControlPlane is the one key that gateways and executors share.
func ofControlPlane(add adder) {
	add(ControlPlane, configdef.List, "localhost:8082", configdef.NonEmpty(), "The control plane's replicas, host:port pairs; or one name that stands for all of them.")
}

// listenerForm is Kafka Connect's form of a listener.
var listenerForm = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// Listener is one address to listen on.
type Listener struct {
	// Secure is https.
	Secure bool
	// Address is host:port.
	Address string
}

// ParseListeners reads a list of listeners.
func ParseListeners(list string) ([]Listener, error) {
	var out []Listener
	for l := range strings.SplitSeq(list, ",") {
		m := listenerForm.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			return nil, errors.New("Listener doesn't have the right format (protocol://hostname:port).")
		}
		secure := strings.EqualFold(m[1], "https")
		if !secure && !strings.EqualFold(m[1], "http") {
			return nil, errors.New("Listener protocol must be either \"http\" or \"https\".")
		}
		if port, err := strconv.Atoi(m[3]); err != nil || port < 0 || port > 65535 {
			return nil, fmt.Errorf("%s is no port: it must be from 0 to 65535", m[3])
		}
		out = append(out, Listener{secure, net.JoinHostPort(m[2], m[3])})
	}
	return out, nil
}

// seconds are what etcd's leases are reckoned in.
var seconds = configdef.Func("whole seconds in milliseconds, from 1000 on", func(name string, v *string) error {
	if v == nil {
		return nil
	}
	if n, err := strconv.ParseInt(*v, 10, 64); err == nil && (n < 1000 || n%1000 != 0) {
		return configdef.Invalid(name, *v, "It must be whole seconds in milliseconds, at least 1000")
	}
	return nil
})

func checkReplica(name string, v *string) error {
	if v != nil && strings.ContainsFunc(*v, func(r rune) bool { return r <= ' ' || r == '/' }) {
		return configdef.Invalid(name, *v, "It must have neither blanks nor slashes")
	}
	return nil
}

func checkListeners(name string, v *string) error {
	if v == nil || *v == "" && name == AdminListeners {
		return nil
	}
	if _, err := ParseListeners(*v); err != nil {
		return configdef.Invalid(name, *v, err.Error())
	}
	return nil
}

// The definitions of the three processes. An executor has the worker's keys beside it.
var (
	ControlPlaneDef = define(controlPlaneKeys, common(":8092"))
	GatewayDef      = define(gatewayKeys, ofControlPlane, common(":8093"))
	ExecutorDef     = define(common(":8094"))
	// RESTDef are the keys of the REST API alone, for a process that is all in one.
	RESTDef = define(gatewayKeys)
)

// AllKeys are those that any process knows, but for the worker's. One that ends in a dot stands for all below it.
func AllKeys() []string {
	seen := map[string]bool{}
	out := []string{ListenersTLS, AdminListenersTLS}
	for _, d := range []*configdef.Def{ControlPlaneDef, GatewayDef, ExecutorDef} {
		for _, k := range d.Keys() {
			if !seen[k.Name] {
				seen[k.Name] = true
				out = append(out, k.Name)
			}
		}
	}
	return out
}

// known says whether any process knows a key.
func known(key string) bool {
	for _, d := range []*configdef.Def{ControlPlaneDef, GatewayDef, ExecutorDef} {
		if _, ok := d.Key(key); ok {
			return true
		}
	}
	return config.Known(key)
}
