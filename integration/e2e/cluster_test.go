package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/sluice-project/sluice/connectors"
	"github.com/sluice-project/sluice/connectors/builtin/all"
	"github.com/sluice-project/sluice/connectors/conformance"
	"github.com/sluice-project/sluice/controlplane"
	"github.com/sluice-project/sluice/controlplane/election"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/controlplane/store/embed"
	"github.com/sluice-project/sluice/executor"
	"github.com/sluice-project/sluice/executor/config"
	"github.com/sluice-project/sluice/gateway"
	"github.com/sluice-project/sluice/internal/clock"
	"github.com/sluice-project/sluice/internal/lease"
	"github.com/sluice-project/sluice/internal/replicas"
)

// patience is how long a condition may take on a machine that is shared.
const patience = 60 * time.Second

func quiet() *slog.Logger {
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits until f is true; it is asked every 20 ms.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	ctx := limited(t)
	for !f() {
		select {
		case <-clock.Real().After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// cluster is a whole Sluice.
type cluster struct {
	t         testing.TB
	kafka     string
	kfake     *kfake.Cluster
	replicas  []*controlplane.ControlPlane
	executors []*executor.Executor
	hostile   *conformance.Hostile
	worker    map[string]string // what executors are given beside the rest
	rest      string
	etcd      *clientv3.Client

	// Of the executors that are started from now on: more plugins, and where they log.
	plugins []connectors.Plugin
	log     *slog.Logger
}

// times are short, so that failures are noticed within a test.
var times = lease.Times{TTL: 3 * time.Second, Margin: time.Second}

func newCluster(t testing.TB, replicas, executors int) *cluster {
	t.Helper()
	return newClusterWith(t, nil, replicas, executors)
}

// newClusterWith gives executors keys of their own.
func newClusterWith(t testing.TB, worker map[string]string, replicas, executors int) *cluster {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c := newClusterOn(t, strings.Join(k.ListenAddrs(), ","), worker, replicas, executors)
	c.kfake = k
	return c
}

// newClusterOn runs on a Kafka of the test's own.
func newClusterOn(t testing.TB, kafka string, worker map[string]string, replicas, executors int) *cluster {
	t.Helper()
	c := &cluster{t: t, kafka: kafka, worker: worker, hostile: conformance.NewHostile(), log: quiet()}
	if replicas == 0 {
		return c // Kafka alone
	}
	etcd, err := embed.StartScratch(limited(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.check(etcd.Stop(limited(t))) })
	c.etcd = etcd.Client()
	var addresses []string
	for i := range replicas {
		id := fmt.Sprintf("r%d", i+1)
		elect := func(s *store.Store) election.Elector {
			return election.NewEtcd(etcd.Client(), s.LeaderPrefix(), id, time.Second, clock.Real(), quiet())
		}
		r, err := controlplane.New(controlplane.Config{ReplicaID: id, Listen: "127.0.0.1:0", Times: times}, store.NewEtcd(etcd.Client()), elect, clock.Real(), quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(limited(t)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Kill)
		c.replicas = append(c.replicas, r)
		addresses = append(addresses, r.Addr())
	}
	g, err := gateway.New(gateway.Config{Listen: "127.0.0.1:0", ControlPlane: addresses}, clock.Real(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(limited(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.check(g.Stop(limited(t))) })
	c.rest = "http://" + g.Addr()
	for i := range executors {
		c.startExecutor(fmt.Sprintf("x%d:1", i+1), addresses)
	}
	return c
}

func (c *cluster) check(err error) {
	if err != nil {
		c.t.Errorf("%v", err)
	}
}

func (c *cluster) startExecutor(name string, addresses []string) {
	c.t.Helper()
	given := map[string]string{"bootstrap.servers": c.kafka}
	maps.Copy(given, c.worker)
	w, _, err := config.Load([]byte(`group.id=e2e
offset.storage.topic=connect-offsets
config.storage.topic=connect-configs
status.storage.topic=connect-status
offset.storage.replication.factor=1
config.storage.replication.factor=1
status.storage.replication.factor=1
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.flush.interval.ms=500
task.shutdown.graceful.timeout.ms=2000
`), nil, given)
	if err != nil {
		c.t.Fatal(err)
	}
	var conns [2]*grpc.ClientConn
	for i := range conns {
		if conns[i], err = replicas.Dial(addresses, replicas.One, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	plugins := append(append([]connectors.Plugin{}, all.Plugins()...), c.hostile.Source(), c.hostile.Sink(), many())
	plugins = append(plugins, c.plugins...)
	x, err := executor.New(executor.Config{Worker: w, Advertise: name, Streams: conns[0], Heartbeats: conns[1], Plugins: plugins, Clock: clock.Real(), Logger: c.log.With("x", name)})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := x.Start(limited(c.t)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		x.Kill()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	c.executors = append(c.executors, x)
	n := len(c.executors)
	await(c.t, name+" is known", func() bool { return len(c.replicas[0].Store().View().Sessions) >= n })
}

// call makes a REST call and returns its status and body.
func (c *cluster) call(method, path string, body any) (int, string) {
	c.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(limited(c.t), method, c.rest+path, r)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (c *cluster) create(name string, conf map[string]string) {
	c.t.Helper()
	if code, body := c.call("POST", "/connectors", map[string]any{"name": name, "config": conf}); code != 201 {
		c.t.Fatalf("creating %s: %d %s", name, code, body)
	}
}

type statusBody struct {
	Connector struct {
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace"`
	} `json:"connector"`
	Tasks []struct {
		ID       int    `json:"id"`
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace"`
	} `json:"tasks"`
}

func (c *cluster) status(name string) (s statusBody) {
	_, body := c.call("GET", "/connectors/"+name+"/status", nil)
	_ = json.Unmarshal([]byte(body), &s) // a 404 leaves it empty
	return s
}

func (c *cluster) running(name string, tasks int) {
	c.t.Helper()
	await(c.t, name+" runs", func() bool {
		s := c.status(name)
		if s.Connector.State != "RUNNING" || len(s.Tasks) != tasks {
			return false
		}
		for _, task := range s.Tasks {
			if task.State != "RUNNING" {
				return false
			}
		}
		return true
	})
}

// text writes a file of n lines.
func text(t testing.TB, n int) string {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "line %07d äöü\n", i)
	}
	path := filepath.Join(t.TempDir(), "in.txt")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines counts how often each line is in a file.
func lines(path string) map[string]int {
	b, _ := os.ReadFile(path) // not there yet: none
	out := map[string]int{}
	for _, l := range strings.SplitAfter(string(b), "\n") {
		if strings.HasSuffix(l, "\n") {
			out[l]++
		}
	}
	return out
}
