package harness

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-project/sluice/internal/history"
)

// Options say how large a cluster is. Zero counts are one.
type Options struct {
	Etcd, Replicas, Gateways int
	// Executors are the executors' pools, one for each.
	Executors []string
	// TTL and Margin are the session's; zero are Sluice's defaults.
	TTL, Margin time.Duration
	// Kafka is the broker, not started by this cluster.
	Kafka *Kafka
	// Root is the module's directory.
	Root string
	// LogLevel of the executors; debug has polls and commits in the history. Default info.
	LogLevel string
	// ExecutorFlags are given to each executor.
	ExecutorFlags []string
	// EtcdFlags are given to each member of etcd.
	EtcdFlags []string
}

// Cluster is a running Sluice.
type Cluster struct {
	Etcd, Replicas, Gateways, Executors []*Process
	// ToControlPlane are an executor's proxies to the replicas, by executor.
	ToControlPlane [][]*Proxy
	Dir            string
	t              testing.TB
	bin            string
	grpc           []string
	endpoints      string
	o              Options
}

// Binaries builds all programs, the executor with PartitionedSource and Witness, into a directory that lives as long as the test.
func Binaries(t testing.TB, root string) string {
	t.Helper()
	return binaries(t, root, "-tags", "faults")
}

// Release builds all programs as they are published.
func Release(t testing.TB, root string) string {
	t.Helper()
	return binaries(t, root)
}

func binaries(t testing.TB, root string, flags ...string) string {
	t.Helper()
	bin := t.TempDir()
	args := append([]string{"build", "-o", bin + "/"}, flags...)
	build := exec.CommandContext(t.Context(), "go", append(args, "./cmd/...", "./integration/harness/etcdmember")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// Start starts a cluster and waits until it serves and all executors are ready.
func Start(t testing.TB, o Options, bin string) *Cluster {
	t.Helper()
	c := &Cluster{t: t, bin: bin, o: o, Dir: t.TempDir()}
	if o.LogLevel == "" {
		c.o.LogLevel = "info"
	}
	c.startEtcd(max(1, o.Etcd))
	for range max(1, o.Replicas) {
		c.grpc = append(c.grpc, freeAddr(t))
	}
	for i := range c.grpc {
		c.AddReplica(i)
	}
	for range max(1, o.Gateways) {
		c.Gateways = append(c.Gateways, c.start(fmt.Sprintf("gateway-%d", len(c.Gateways)), "sluice-gateway",
			"--config", c.example("worker.properties"), "--listeners", "http://"+freeAddr(t), "--sluice.control.plane", strings.Join(c.grpc, ",")))
	}
	for _, pool := range o.Executors {
		c.AddExecutor(pool, o.Kafka.Addr)
	}
	for _, all := range [][]*Process{c.Replicas, c.Gateways, c.Executors} {
		for _, p := range all {
			p.AwaitReady()
		}
	}
	for _, x := range c.Executors {
		c.AwaitHealthy(x)
	}
	t.Cleanup(func() {
		if dir := os.Getenv("SLUICE_KEEP_LOGS"); dir != "" {
			_ = os.CopyFS(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")), os.DirFS(c.Dir)) // for a person's eyes
		}
	})
	return c
}

func (c *Cluster) example(name string) string {
	return filepath.Join(c.o.Root, "deploy/examples", name)
}

// start starts a process; what is common to all is added.
func (c *Cluster) start(name, program string, args ...string) *Process {
	c.t.Helper()
	if program != "etcdmember" {
		args = append(args, "--sluice.log.format", "json", "--sluice.admin.listen", freeAddr(c.t))
	}
	p := &Process{Name: name, t: c.t, dir: c.Dir, bin: filepath.Join(c.bin, program), args: args}
	p.Start()
	c.t.Cleanup(p.Kill)
	return p
}

func (c *Cluster) startEtcd(n int) {
	c.t.Helper()
	var peers, clients, members []string
	for i := range n {
		peers, clients = append(peers, "http://"+freeAddr(c.t)), append(clients, "http://"+freeAddr(c.t))
		members = append(members, fmt.Sprintf("e%d=%s", i, peers[i]))
	}
	for i := range n {
		c.Etcd = append(c.Etcd, c.start(fmt.Sprintf("etcd-%d", i), "etcdmember", append([]string{"--name", fmt.Sprintf("e%d", i),
			"--data-dir", filepath.Join(c.Dir, fmt.Sprintf("e%d", i)), "--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i],
			"--listen-client-urls", clients[i], "--advertise-client-urls", clients[i], "--initial-cluster", strings.Join(members, ","),
			"--log-level", "warn", "--unsafe-no-fsync", "--initial-cluster-token", c.Dir}, c.o.EtcdFlags...)...))
	}
	c.endpoints = strings.Join(clients, ",")
}

// AddReplica starts replica i of the control plane.
func (c *Cluster) AddReplica(i int) *Process {
	c.t.Helper()
	args := []string{"--config", c.example("controlplane.properties"), "--sluice.etcd.endpoints", c.endpoints, "--sluice.grpc.listen", c.grpc[i], "--sluice.grpc.advertise", c.grpc[i]}
	if c.o.TTL > 0 {
		args = append(args, "--sluice.session.ttl.ms", fmt.Sprint(c.o.TTL.Milliseconds()), "--sluice.session.margin.ms", fmt.Sprint(c.o.Margin.Milliseconds()))
	}
	p := c.start(fmt.Sprintf("replica-%d", i), "sluice-controlplane", args...)
	c.Replicas = append(c.Replicas, p)
	return p
}

// AddExecutor starts an executor in a pool. It reaches the replicas by proxies of its own.
func (c *Cluster) AddExecutor(pool, kafka string) *Process {
	c.t.Helper()
	n := len(c.Executors)
	var proxies []*Proxy
	var addrs []string
	for _, a := range c.grpc {
		p := NewProxy(c.t, a)
		proxies, addrs = append(proxies, p), append(addrs, p.Addr())
	}
	c.ToControlPlane = append(c.ToControlPlane, proxies)
	name := fmt.Sprintf("executor-%d", n)
	p := c.start(name, "sluice-executor", append([]string{"--config", c.example("worker.properties"), "--bootstrap.servers", kafka, "--sluice.control.plane", strings.Join(addrs, ","),
		"--sluice.pool", pool, "--sluice.advertise", name + ":8094", "--sluice.log.level", c.o.LogLevel, "--offset.flush.interval.ms", "500",
		"--offset.storage.replication.factor", "1", "--config.storage.replication.factor", "1", "--status.storage.replication.factor", "1"}, c.o.ExecutorFlags...)...)
	c.Executors = append(c.Executors, p)
	return p
}

// AwaitHealthy waits until /readyz says ok.
func (c *Cluster) AwaitHealthy(p *Process) {
	c.t.Helper()
	p.AwaitReady()
	Await(c.t, p.Name+" answers /readyz with 200", time.Minute, func() bool {
		code, _, err := Call("GET", "http://"+p.Ready("admin")+"/readyz", nil)
		return err == nil && code == 200
	})
}

// REST is gateway i's address.
func (c *Cluster) REST(i int) string { return c.Gateways[i].Ready("rest") }

// Histories reads the histories of all executors' lives, in the order of their times: all run on one machine's clock.
func (c *Cluster) Histories() []history.Event {
	c.t.Helper()
	var out []history.Event
	for _, x := range c.Executors {
		for _, path := range x.Logs() {
			f, err := os.Open(path)
			if err != nil {
				c.t.Fatal(err)
			}
			events, err := history.Parse(f, filepath.Base(path))
			_ = f.Close()
			if err != nil {
				c.t.Fatal(err)
			}
			out = append(out, events...)
		}
	}
	slices.SortStableFunc(out, func(a, b history.Event) int { return cmp.Compare(a.End, b.End) })
	return out
}
