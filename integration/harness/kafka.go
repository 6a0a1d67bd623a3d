package harness

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// KafkaVersion is the broker's.
const KafkaVersion = "4.3.1"

// Kafka is a broker of one node.
type Kafka struct {
	*Process
	// Addr is its bootstrap address. ProxiedAddr is another, all of whose traffic goes through Proxy. SASLAddr is a third,
	// of a broker with ACLs, for its users alone.
	Addr, ProxiedAddr, SASLAddr string
	Proxy                       *Proxy
	jars                        string
	t                           testing.TB
}

// Jars are Kafka's, fetched once into the user's cache. root is the module's directory.
func Jars(t testing.TB, root string) string {
	t.Helper()
	return Fetch(t, filepath.Join(root, "integration/kafka/pom.xml"), "kafka-"+KafkaVersion)
}

// Fetch has Maven copy what a pom names into a directory of the user's cache, once.
func Fetch(t testing.TB, pom, name string) string {
	t.Helper()
	Need(t, "java", "a JDK of at least 17", "openjdk-17-jdk-headless")
	Need(t, "mvn", "Maven", "maven")
	return Cached(t, name, func(ctx context.Context, dir string) *exec.Cmd {
		return exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	})
}

// Need fails where a program is not there, and says how to install it.
func Need(t testing.TB, program, what, packages string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: install %s (Debian: apt-get install -y --no-install-recommends %s)", program, what, packages)
	}
}

// Cached is a directory of the user's cache that commands, one after the other, have filled, once.
func Cached(t testing.TB, name string, fill ...func(ctx context.Context, dir string) *exec.Cmd) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "sluice", name)
	if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, f := range fill {
		if out, err := f(t.Context(), dir).CombinedOutput(); err != nil {
			t.Fatalf("fetching %s: %v\n%s", name, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// FreePort is a port that nobody listens on. Not one of those that the system gives to outgoing connections (from 32768 on
// where nothing else is set): a process that is killed and started again needs its port free all the while.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 15000 + int(lastPort.Add(1)%15000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // a test's own listener
		if err != nil {
			continue
		}
		_ = l.Close()
		return port
	}
	t.Fatal("none of a hundred ports between 15000 and 30000 is free")
	return 0
}

// lastPort begins anywhere, so that packages that are tested at once are unlikely to meet, and gives each port once.
var lastPort = func() *atomic.Uint32 { n := new(atomic.Uint32); n.Store(rand.Uint32N(15000)); return n }() //nolint:gosec // no secret

func freeAddr(t testing.TB) string { return fmt.Sprintf("127.0.0.1:%d", FreePort(t)) }

// StartKafka starts a broker and waits until it listens.
func StartKafka(t testing.TB, root string) *Kafka {
	t.Helper()
	return startKafka(t, root, nil)
}

// StartKafkaWithACLs starts a broker with Kafka's StandardAuthorizer. Users come by SASL/PLAIN to SASLAddr, each with its
// name and -secret as its password, and may do what ACLs say; who comes to Addr may do anything.
func StartKafkaWithACLs(t testing.TB, root string, users ...string) *Kafka {
	t.Helper()
	return startKafka(t, root, users)
}

func startKafka(t testing.TB, root string, users []string) *Kafka {
	t.Helper()
	jars, dir := Jars(t, root), t.TempDir()
	addr, behind, controller := freeAddr(t), freeAddr(t), freeAddr(t)
	proxy := NewProxy(t, behind)
	conf := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[1]s
listeners=PLAINTEXT://%[2]s,PROXIED://%[3]s,CONTROLLER://%[1]s
advertised.listeners=PLAINTEXT://%[2]s,PROXIED://%[4]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=%[5]s/logs
num.partitions=1
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`, controller, addr, behind, proxy.Addr(), dir)
	k := &Kafka{Addr: addr, ProxiedAddr: proxy.Addr(), Proxy: proxy, jars: jars, t: t}
	if len(users) > 0 {
		k.SASLAddr = freeAddr(t)
		for _, key := range []string{"\nlisteners=", "\nadvertised.listeners="} {
			text = strings.Replace(text, key, key+"USERS://"+k.SASLAddr+",", 1)
		}
		text = strings.Replace(text, "protocol.map=", "protocol.map=USERS:SASL_PLAINTEXT,", 1) +
			"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:ANONYMOUS\n" +
			"sasl.enabled.mechanisms=PLAIN\nlistener.name.users.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required"
		for _, u := range users {
			text += fmt.Sprintf(" user_%s=%q", u, u+"-secret")
		}
		text += ";\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(k.Tool("kafka.tools.StorageTool", "random-uuid"))
	k.Tool("kafka.tools.StorageTool", "format", "-t", id, "-c", conf)
	k.Process = &Process{Name: "kafka", t: t, dir: dir, bin: "java", args: []string{"-Xmx1g", "-cp", jars + "/*", "kafka.Kafka", conf}}
	k.Start()
	t.Cleanup(k.Kill)
	Await(t, "Kafka listens on "+addr, 2*time.Minute, func() bool { return listens(addr) })
	return k
}

func listens(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second) //nolint:noctx // it has a timeout
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// Produce writes one record.
func (k *Kafka) Produce(topic, value string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.t.Context()), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", "-Xmx256m", "-cp", k.jars+"/*", "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", k.Addr, "--topic", topic)
	cmd.Stdin = strings.NewReader(value + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("producing to %s: %v\n%s", topic, err, out)
	}
}

// Tool runs one of Kafka's console tools by its class.
func (k *Kafka) Tool(class string, args ...string) string {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.t.Context()), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx256m", "-cp", k.jars + "/*", class}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		k.t.Fatalf("%s %v: %v\n%s%s", class, args, err, out, errs.String())
	}
	return string(out)
}
