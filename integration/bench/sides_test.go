//go:build integration

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-project/sluice/integration/harness"
)

// side is one of those that are measured, running.
type side struct {
	name, base string
	// procs are its processes; the first runs the tasks. None of Raw, which runs once a round.
	procs []*harness.Process
	// took is how long its processes took from their start to the first answer.
	took time.Duration
}

func (s *side) kill() {
	for _, p := range s.procs {
		p.Kill()
	}
}

// sides starts the two, and Raw where the job has it.
func (b *bench) sides() []*side {
	b.t.Helper()
	if b.job.Alone {
		return []*side{b.sluice()}
	}
	out := []*side{b.connect(), b.sluice()}
	if b.job.Raw() {
		out = append(out, &side{name: Raw})
	}
	return out
}

// asPublished is what connect-distributed.sh and kafka-run-class.sh of Kafka 4.3.1 give the JVM.
var asPublished = []string{"-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
	"-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true", "-Dcom.sun.management.jmxremote=true",
	"-Dcom.sun.management.jmxremote.authenticate=false", "-Dcom.sun.management.jmxremote.ssl=false"}

// connect starts a worker as it is published: the connectors on plugin.path, all else on the class path.
func (b *bench) connect() *side {
	b.t.Helper()
	jars := harness.Fetch(b.t, filepath.Join(root, "integration/harness/connect/pom.xml"), "connect-"+harness.KafkaVersion)
	all, err := filepath.Glob(filepath.Join(jars, "*.jar"))
	b.must(err)
	plugins := filepath.Join(b.dir, "plugins")
	_ = os.RemoveAll(plugins) // of an earlier worker
	b.must(os.MkdirAll(filepath.Join(plugins, "file"), 0o750))
	var path []string
	for _, jar := range all {
		switch name := filepath.Base(jar); {
		case strings.HasPrefix(name, "connect-file-"):
			b.must(os.Symlink(jar, filepath.Join(plugins, "file", name)))
		case !strings.HasPrefix(name, "connect-test-plugins-"):
			path = append(path, jar)
		}
	}
	if b.job.Direction == Table {
		plugins += "," + harness.DebeziumJDBC(b.t, root)
	}
	id := b.starts.Add(1)
	listen := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(b.t))
	file := filepath.Join(b.dir, "worker.properties")
	b.must(os.WriteFile(file, []byte(fmt.Sprintf(`bootstrap.servers=%s
group.id=bench-connect-%[2]d
config.storage.topic=bench-configs-%[2]d
offset.storage.topic=bench-offsets-%[2]d
status.storage.topic=bench-status-%[2]d
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.flush.interval.ms=10000
listeners=http://%[3]s
plugin.path=%[4]s
`, b.kafka.Addr, id, listen, plugins)), 0o600))
	logs := filepath.Join(b.dir, "log4j2.properties")
	b.must(os.WriteFile(logs, []byte(`appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %X{connector.context}%m (%c:%L)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
`), 0o600))
	args := append(asPublished[:len(asPublished):len(asPublished)], "-Dlog4j2.configurationFile="+logs, "-cp", strings.Join(path, ":"), "org.apache.kafka.connect.cli.ConnectDistributed", file)
	began := time.Now()
	s := &side{name: Connect, base: "http://" + listen, procs: []*harness.Process{harness.Run(b.t, "connect", "java", args...)}}
	b.answers(s)
	s.took = time.Since(began)
	return s
}

// sluice starts one process of each kind, with the same times as the worker's file.
func (b *bench) sluice() *side {
	b.t.Helper()
	id, began := b.starts.Add(1), time.Now()
	c := harness.Start(b.t, harness.Options{Executors: []string{"default"}, Kafka: b.kafka, Root: root, ExecutorFlags: []string{
		"--offset.flush.interval.ms", "10000", "--sluice.pprof", "true", "--group.id", fmt.Sprintf("bench-sluice-%d", id),
		"--config.storage.topic", fmt.Sprintf("sluice-configs-%d", id), "--offset.storage.topic", fmt.Sprintf("sluice-offsets-%d", id), "--status.storage.topic", fmt.Sprintf("sluice-status-%d", id)}}, b.bin)
	s := &side{name: Sluice, base: c.REST(0)}
	b.answers(s)
	s.took = time.Since(began)
	for _, all := range [][]*harness.Process{c.Executors, c.Replicas, c.Gateways, c.Etcd} {
		s.procs = append(s.procs, all...)
	}
	b.t.Logf("sluice: profiles at http://%s/debug/pprof/", c.Executors[0].Ready("admin"))
	return s
}

// dev starts `sluice dev`, with its own broker.
func (b *bench) dev() *side {
	b.t.Helper()
	began := time.Now()
	p := harness.Run(b.t, "dev", filepath.Join(b.bin, "sluice"), "dev", "--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--log-level", "warn")
	p.AwaitReady()
	s := &side{name: Dev, base: p.Ready("rest"), procs: []*harness.Process{p}}
	b.answers(s)
	s.took = time.Since(began)
	return s
}

// answers waits until a side's REST API answers.
func (b *bench) answers(s *side) {
	b.t.Helper()
	harness.Await(b.t, s.name+" answers", 10*time.Minute, func() bool {
		code, _, err := harness.Call("GET", s.base+"/connectors", nil)
		return err == nil && code == 200
	})
}
