package process

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-project/sluice/internal/props"
)

// kinds are the three processes as far as their keys go.
var kinds = map[string]Kind{
	"sluice-controlplane": {Name: "sluice-controlplane", Def: ControlPlaneDef},
	"sluice-gateway":      {Name: "sluice-gateway", Def: GatewayDef},
	"sluice-executor":     {Name: "sluice-executor", Def: ExecutorDef, Worker: true},
}

// worker is a Kafka Connect worker's file, as Kafka ships it and people extend it.
const worker = `bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
offset.flush.interval.ms=10000
listeners=http://localhost:8083
rest.advertised.host.name=connect.example
plugin.path=/usr/local/share/java
producer.linger.ms=5
`

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "worker.properties")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBadLuck_OneWorkerFileServesAllThreeProcesses(t *testing.T) {
	path := file(t, worker+"sluice.control.plane=cp:8082\nsluice.etcd.endpoints=http://etcd:2379\nsluice.pool=heavy\nsluice.session.ttl.ms=20000\n")
	for name, k := range kinds {
		s, err := load(k, path, nil, nil)
		if err != nil || len(s.warnings) > 0 {
			t.Errorf("%s: %v %q", name, err, s.warnings)
			continue
		}
		if name == "sluice-gateway" && (s.Values.String(Listeners) != "http://localhost:8083" || s.Values.List(ControlPlane)[0] != "cp:8082") {
			t.Errorf("the gateway does not take its part: %v", s.Values)
		}
		if name == "sluice-controlplane" && (s.MS(SessionTTL) != 20*time.Second || s.Values.List(EtcdEndpoints)[0] != "http://etcd:2379") {
			t.Errorf("the control plane does not take its part: %v", s.Values)
		}
	}
}

func TestBadLuck_AnUnknownKeyOfSluicesEndsTheStartWithTheNearestNamed(t *testing.T) {
	for name, k := range kinds {
		_, err := load(k, file(t, worker+"sluice.etcd.endpoint=http://etcd:2379\nsluice.pol=heavy\n"), []string{"SLUICE_SLUICE_LOG_LEVL=debug"}, nil)
		want := "invalid configuration: sluice.etcd.endpoint: Sluice has no such key; the nearest is sluice.etcd.endpoints\n" +
			"sluice.log.levl (from SLUICE_SLUICE_LOG_LEVL): Sluice has no such key; the nearest is sluice.log.level\n" +
			"sluice.pol: Sluice has no such key; the nearest is sluice.pool"
		if !errors.Is(err, props.ErrInvalid) || cmp.Diff(want, said(err)) != "" {
			t.Errorf("%s: %s", name, cmp.Diff(want, said(err)))
		}
	}
}

// said is what a person reads, without the words by which the worker's part marks its lines.
func said(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "worker config: ", "")
}

func TestBadLuck_AllWrongValuesAreNamedAtOnceWithKeyValueAndWhatIsRight(t *testing.T) {
	wrong := file(t, strings.ReplaceAll(worker, "localhost:8083", "localhost")+
		"sluice.log.level=loud\nsluice.session.ttl.ms=1500\nsluice.session.margin.ms=soon\nsluice.replica.id=a b\nsluice.capacity=-1\nsluice.labels=zone\noffset.flush.timeout.ms=0\n")
	const level = "Invalid value loud for configuration sluice.log.level: String must be one of (case insensitive): ERROR, INFO, DEBUG, WARN"
	for name, want := range map[string][]string{
		"sluice-controlplane": {
			"Invalid value a b for configuration sluice.replica.id: It must have neither blanks nor slashes",
			"Invalid value 1500 for configuration sluice.session.ttl.ms: It must be whole seconds in milliseconds, at least 1000",
			"Invalid value soon for configuration sluice.session.margin.ms: Not a number of type LONG",
			level,
		},
		"sluice-gateway": {
			"Invalid value http://localhost for configuration listeners: Listener doesn't have the right format (protocol://hostname:port).",
			level,
		},
		"sluice-executor": {
			level,
			"Invalid value 0 for configuration offset.flush.timeout.ms: Value must be at least 1",
			`Invalid value zone for configuration sluice.labels: The label "zone" is no name=value pair`,
			"Invalid value -1 for configuration sluice.capacity: Value must be at least 0",
		},
	} {
		_, err := load(kinds[name], wrong, nil, nil)
		if d := cmp.Diff("invalid configuration: "+strings.Join(want, "\n"), said(err)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	// A value of the environment or of a flag says where it is from: that is where it has to be corrected.
	_, err := load(kinds["sluice-gateway"], "", []string{"SLUICE_LOG_LEVEL=loud"}, map[string]string{Listeners: "ftp://x:1"})
	if d := cmp.Diff("invalid configuration: Invalid value ftp://x:1 for configuration listeners: Listener protocol must be either \"http\" or \"https\". (from --listeners)\n"+level+" (from SLUICE_LOG_LEVEL)", said(err)); d != "" {
		t.Error(d)
	}
}

func TestBadLuck_OtherUnknownKeysAreOneWarning(t *testing.T) {
	for name, k := range kinds {
		s, err := load(k, file(t, worker+"foo.bar=hunter2\nzz=1\n"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"These keys are known neither to Kafka Connect nor to Sluice and are ignored: foo.bar, zz"}
		if k.Worker {
			want = nil // the worker's part says it: sluice-executor's own test counts the lines
		}
		if d := cmp.Diff(want, s.warnings); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestBadLuck_AFileThatCannotBeReadIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no.properties")
	for name, k := range kinds {
		if _, err := load(k, missing, nil, nil); said(err) != "--config: open "+missing+": no such file or directory" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	a.cert = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, "ca")
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sign writes <name>.pem, and its key beside it where it makes one.
func (a *authority) sign(c *x509.Certificate, parent *x509.Certificate, name string) *x509.Certificate {
	a.t.Helper()
	a.n++
	c.SerialNumber = big.NewInt(a.n)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = then.Add(-time.Hour), then.Add(time.Hour)
	}
	key := a.key
	if parent == nil {
		parent = c
	} else {
		key = newKey(a.t)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", private)
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// leaf is a certificate of a process.
func (a *authority) leaf(name string, change func(*x509.Certificate)) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(c)
	}
	a.sign(c, a.cert, name)
}

// then is the time of the start.
var then = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestBadLuck_WrongTLSMaterialEndsTheStartWithTheKeyTheFileAndTheDate(t *testing.T) {
	a, other := newAuthority(t, "ours"), newAuthority(t, "theirs")
	a.leaf("good", nil)
	a.leaf("second", nil)
	a.leaf("expired", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = then.Add(-2*time.Hour), then.Add(-time.Hour) })
	a.leaf("early", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = then.Add(time.Hour), then.Add(2*time.Hour) })
	a.leaf("nameless", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil })
	a.leaf("server", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] })
	if err := os.WriteFile(a.path("text.pem"), []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(a.path("dir.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	in := func(text string) string {
		return strings.NewReplacer("ours/", a.dir+"/", "theirs/", other.dir+"/").Replace(text)
	}
	for _, c := range []struct{ cert, key, ca, want string }{
		{"ours/good.pem", "ours/good.key", "ours/ca.pem", ""},
		{"", "", "", ""},
		{"ours/good.pem", "ours/good.key", "", "sluice.tls.cert.file, sluice.tls.key.file and sluice.tls.ca.file: all three are needed for TLS between processes, or none"},
		{"", "", "ours/ca.pem", "sluice.tls.cert.file, sluice.tls.key.file and sluice.tls.ca.file: all three are needed for TLS between processes, or none"},
		{"ours/no.pem", "ours/good.key", "ours/ca.pem", "sluice.tls.cert.file: open ours/no.pem: no such file or directory"},
		{"ours/good.pem", "ours/no.key", "ours/ca.pem", "sluice.tls.key.file: open ours/no.key: no such file or directory"},
		{"ours/good.pem", "ours/good.key", "ours/no.pem", "sluice.tls.ca.file: open ours/no.pem: no such file or directory"},
		{"ours/dir.pem", "ours/good.key", "ours/ca.pem", "sluice.tls.cert.file: read ours/dir.pem: is a directory"},
		{"ours/text.pem", "ours/good.key", "ours/ca.pem", "sluice.tls.cert.file: ours/text.pem with sluice.tls.key.file: ours/good.key: tls: failed to find any PEM data in certificate input"},
		{"ours/good.pem", "ours/good.key", "ours/text.pem", "sluice.tls.ca.file: ours/text.pem holds no certificate in PEM form"},
		{"ours/good.pem", "ours/second.key", "ours/ca.pem", "sluice.tls.cert.file: ours/good.pem with sluice.tls.key.file: ours/second.key: tls: private key does not match public key"},
		{"ours/expired.pem", "ours/expired.key", "ours/ca.pem", "sluice.tls.cert.file: ours/expired.pem: the certificate expired at 2026-11-24T11:00:00Z"},
		{"ours/early.pem", "ours/early.key", "ours/ca.pem", "sluice.tls.cert.file: ours/early.pem: the certificate is valid only from 2026-11-24T13:00:00Z"},
		{"ours/nameless.pem", "ours/nameless.key", "ours/ca.pem", "sluice.tls.cert.file: ours/nameless.pem: the certificate names no host: it needs a subject alternative name"},
		{"ours/good.pem", "ours/good.key", "theirs/ca.pem", "sluice.tls.cert.file: ours/good.pem is no client's certificate from the authority of sluice.tls.ca.file: theirs/ca.pem: x509: certificate signed by unknown authority"},
		{"ours/server.pem", "ours/server.key", "ours/ca.pem", "sluice.tls.cert.file: ours/server.pem is no client's certificate from the authority of sluice.tls.ca.file: ours/ca.pem: x509: certificate specifies an incompatible key usage"},
	} {
		flags := map[string]string{tlsCert: in(c.cert), tlsKey: in(c.key), tlsCA: in(c.ca)}
		for name, k := range kinds {
			s, err := load(k, file(t, worker), nil, flags)
			if err != nil {
				t.Fatal(err)
			}
			creds, err := s.Credentials(then)
			if d := cmp.Diff(in(c.want), said(err)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if want := c.want == "" && c.cert != ""; (creds != nil) != want {
				t.Errorf("%s: %v: credentials %v", name, flags, creds)
			}
		}
	}
}
