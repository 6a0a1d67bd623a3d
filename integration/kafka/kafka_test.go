//go:build integration

package kafka

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const version = "4.3.1"

// libs are the jars of Kafka, fetched once into the user's cache.
func libs(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install a JDK of at least 17 and Maven (Debian: apt-get install -y openjdk-17-jdk-headless maven)", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "sluice", "kafka-"+version)
	if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
		return dir
	}
	out, err := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-f", "pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("fetching Kafka %s: %v\n%s", version, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tool runs one of Kafka's console tools.
func tool(t *testing.T, libs, class string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx256m", "-cp", libs + "/*", class}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", class, args, err, out, errs.String())
	}
	return string(out)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// await asks f every 50 ms.
func await(t *testing.T, what string, limit time.Duration, f func() bool) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// end stops a process that the test started.
func end(cmd *exec.Cmd, sig syscall.Signal) {
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait() // it was ended: that is what it says
}

// broker starts a KRaft broker and returns its address.
func broker(t *testing.T, libs string) string {
	t.Helper()
	dir, port, controller := t.TempDir(), freePort(t), freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	conf := filepath.Join(dir, "server.properties")
	text := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%d
listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d
advertised.listeners=PLAINTEXT://%s
controller.listener.names=CONTROLLER
log.dirs=%s/logs
num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`, controller, address, controller, address, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(tool(t, libs, "kafka.tools.StorageTool", "random-uuid"))
	tool(t, libs, "kafka.tools.StorageTool", "format", "-t", id, "-c", conf)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "java", "-Xmx1g", "-cp", libs+"/*", "kafka.Kafka", conf)
	log, err := os.Create(filepath.Join(dir, "kafka.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(cmd, syscall.SIGTERM) })
	await(t, "Kafka listens on "+address, time.Minute, func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return address
}

func TestMainJob_OnRealKafka(t *testing.T) {
	jars := libs(t)
	kafka := broker(t, jars)
	bin := filepath.Join(t.TempDir(), "sluice")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/sluice")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	began := time.Now()
	dev := exec.CommandContext(context.WithoutCancel(t.Context()), bin, "dev", "--bootstrap-servers", kafka, "--rest-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--log-level", "warn")
	dev.Stderr = os.Stderr
	stdout, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(dev, syscall.SIGKILL) })
	rest := ""
	for lines := bufio.NewScanner(stdout); rest == "" && lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 4 && f[0] == "ready" {
			rest = strings.TrimPrefix(f[1], "rest=")
		}
	}
	t.Logf("start to ready: %v", time.Since(began).Round(time.Millisecond))

	const n = 100_000
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "line %07d of a text that goes through a real Kafka, as wide as a line of a log often is: äöü\n", i)
	}
	if err := os.WriteFile(in, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	before, moved := cpu(dev.Process.Pid), time.Now()
	post(t, rest, "src", map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "lines", "tasks.max": "1"})
	post(t, rest, "dst", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "lines", "tasks.max": "1", "consumer.override.metadata.max.age.ms": "200"})
	await(t, "the sink runs", time.Minute, func() bool {
		return strings.Contains(get(t, rest+"/connectors/dst/status"), `"id":0,"state":"RUNNING"`)
	})
	t.Logf("POST to RUNNING: %v at most", time.Since(moved).Round(time.Millisecond))
	await(t, "every line", 2*time.Minute, func() bool {
		s, err := os.Stat(out)
		return err == nil && s.Size() >= int64(text.Len())
	})
	took := time.Since(moved)
	b, err := os.ReadFile(out)
	if err != nil || sha256.Sum256(b) != sha256.Sum256(text.Bytes()) {
		t.Errorf("the copy is not equal to the text (%v)", err)
	}
	t.Logf("%d records through both connectors in %v, %.2f us of CPU each, %d MiB resident", n, took.Round(time.Millisecond),
		float64((cpu(dev.Process.Pid)-before).Microseconds())/n, resident(dev.Process.Pid))

	// Kafka's own tools see what Kafka Connect would have left.
	ends := tool(t, jars, "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", kafka, "--topic", "lines")
	if strings.TrimSpace(ends) != fmt.Sprintf("lines:0:%d", n) {
		t.Errorf("GetOffsetShell: %q", ends)
	}
	first := tool(t, jars, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", kafka, "--topic", "lines", "--from-beginning", "--max-messages", "2", "--timeout-ms", "30000")
	if want := strings.Join(strings.SplitAfter(text.String(), "\n")[:2], ""); first != want {
		t.Errorf("ConsoleConsumer: %q, want %q", first, want)
	}
	await(t, "the group has committed everything", time.Minute, func() bool {
		g := tool(t, jars, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", kafka, "--describe", "--group", "connect-dst")
		return strings.Contains(g, fmt.Sprint(n)) && strings.Contains(g, "lines")
	})
	position := fmt.Sprintf(`{"position":%d}`, text.Len())
	await(t, "the source's offset is in connect-offsets", time.Minute, func() bool {
		o := tool(t, jars, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", kafka, "--topic", "connect-offsets", "--from-beginning",
			"--timeout-ms", "5000", "--formatter-property", "print.key=true")
		return strings.Contains(o, `["src",{"filename":"`+in+`"}]`+"\t"+position)
	})
	topics := tool(t, jars, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", kafka, "--describe", "--topic", "connect-offsets")
	if !strings.Contains(topics, "PartitionCount: 25") || !strings.Contains(topics, "cleanup.policy=compact") {
		t.Errorf("connect-offsets: %s", topics)
	}
	states := tool(t, jars, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", kafka, "--topic", "connect-status", "--from-beginning",
		"--timeout-ms", "5000", "--isolation-level", "read_committed", "--formatter-property", "print.key=true")
	for _, want := range []string{"status-connector-src\t", "status-task-dst-0\t", "status-topic-lines:connector-src\t", `"state":"RUNNING"`} {
		if !strings.Contains(states, want) {
			t.Errorf("connect-status has no %q:\n%s", want, states)
		}
	}
	end(dev, syscall.SIGTERM)
}

func post(t *testing.T, rest, name string, conf map[string]string) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"name": name, "config": conf})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(rest+"/connectors", "application/json", bytes.NewReader(b)) //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("creating %s: %s", name, res.Status)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url) //nolint:noctx,gosec // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// cpu is what a process has used, of Linux's clock of 100 ticks a second.
func cpu(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // elsewhere than on Linux: 0
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks time.Duration
	if len(f) > 12 {
		var u, s int64
		_, _ = fmt.Sscan(f[11], &u)
		_, _ = fmt.Sscan(f[12], &s)
		ticks = time.Duration(u + s)
	}
	return ticks * 10 * time.Millisecond
}

// resident is a process's memory in MiB.
func resident(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) // elsewhere than on Linux: 0
	var size, pages int64
	_, _ = fmt.Sscan(string(b), &size, &pages)
	return pages * int64(os.Getpagesize()) >> 20
}
