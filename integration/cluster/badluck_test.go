//go:build integration

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/integration/harness"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// TestBadLuck runs on two clusters: one whose etcd has three members, and one with a small member of its own.
func TestBadLuck(t *testing.T) {
	bin, kafka := harness.Binaries(t, root), harness.StartKafka(t, root)
	t.Run("ThreeMembersOfEtcd", func(t *testing.T) {
		s := unlucky(t, bin, kafka, harness.Options{Etcd: 3, Replicas: 2})
		s.run("EtcdAwayAtTheStart_IsWaitedForAndNothingRuns", s.etcdAwayAtTheStart)
		s.run("EtcdWithoutQuorum_ReadsAnswerWritesAreRefusedAndNothingRestarts", s.etcdWithoutQuorum)
		s.run("AnExecutorOfTheSameName_TheOlderOneIsRefusedAndNothingRunsTwice", s.twins)
		s.run("ALateReport_OfAnEpochThatIsOverChangesNothing", s.lateReports)
		s.run("AReplicaOfAnotherVersion_ServesBesideTheOthers", s.anotherVersion)
	})
	t.Run("OneMemberOfEtcd", func(t *testing.T) {
		s := unlucky(t, bin, kafka, harness.Options{Etcd: 1, Replicas: 2, EtcdFlags: []string{"--quota-backend-bytes", fmt.Sprint(16 << 20)}})
		s.run("EtcdRestoredFromAnOlderSnapshot_NothingIsGrantedUntilTheEraIsRaised", s.restored)
		s.run("EtcdFull_CreatesAreRefusedAndWhatRunsGoesOn", s.etcdFull)
	})
}

// unlucky is a cluster with a load that trickles.
func unlucky(t *testing.T, bin string, kafka *harness.Kafka, o harness.Options) *story {
	t.Helper()
	o.Executors, o.TTL, o.Margin, o.Kafka, o.Root, o.LogLevel = []string{"default", "default"}, ttl, margin, kafka, root, "debug"
	s := &story{Cluster: harness.Start(t, o, bin), t: t, kafka: kafka, lines: 1_000_000, dir: t.TempDir()}
	s.more(100)
	s.create()
	s.awaitLines(s.sofar(), time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	wait := s.trickle(ctx)
	t.Cleanup(func() { stop(); wait() })
	return s
}

// run runs one piece of bad luck. After it everything runs, every line arrives, and the history has no violation.
func (s *story) run(name string, f func(t *testing.T)) {
	s.t.Run(name, func(t *testing.T) {
		whole := s.t
		s.t = t
		defer func() { s.t = whole }()
		f(t)
		s.awaitAllRunning()
		s.awaitLines(s.sofar(), time.Minute)
		s.check()
	})
}

func (s *story) awaitAllRunning() {
	s.t.Helper()
	for i := range lanes {
		s.AwaitRunning(s.t, fmt.Sprintf("src-%d", i), 1)
		s.AwaitRunning(s.t, fmt.Sprintf("dst-%d", i), 1)
	}
}

// answers wants an answer, by the request and the whole answer.
func answers(t *testing.T, want harness.Answer, method, url, body string) {
	t.Helper()
	got, err := harness.Ask(method, url, body)
	if err != nil || got != want {
		t.Errorf("%s %s: %+v %v\nwant %+v", method, url, got, err, want)
	}
}

// idle is the config of a connector that does nothing.
const idle = `{"connector.class":"VerifiableSink","topics":"nothing","tasks.max":"1"}`

// put creates an idle connector, as soon as somebody answers again.
func (s *story) put(t *testing.T, name string) {
	t.Helper()
	harness.Await(t, name+" is created", time.Minute, func() bool {
		a, err := harness.Ask("PUT", s.REST(0)+"/connectors/"+name+"/config", idle)
		if err == nil && a.Code != 200 && a.Code != 201 && a.Code != 503 {
			t.Fatalf("PUT %s: %+v", name, a)
		}
		return err == nil && a.Code != 503
	})
}

// refused is Kafka Connect's body of an error.
func refused(code int, message string) harness.Answer {
	b, _ := json.Marshal(map[string]any{"error_code": code, "message": message}) // it always encodes
	return harness.Answer{Code: code, Body: string(b)}
}

func (s *story) etcdAwayAtTheStart(t *testing.T) {
	for _, all := range [][]*harness.Process{s.Executors, s.Gateways, s.Replicas, s.Etcd} {
		for _, p := range all {
			p.Kill()
		}
	}
	before := starts(s.Histories())
	for _, all := range [][]*harness.Process{s.Replicas, s.Gateways, s.Executors} {
		for _, p := range all {
			p.Start()
		}
	}
	s.Gateways[0].AwaitReady()
	probe := func(p *harness.Process, path string, code int, words ...string) {
		t.Helper()
		got, text := 0, ""
		harness.Await(t, fmt.Sprintf("%s answers %s with %d", p.Name, path, code), 30*time.Second, func() bool {
			got, text = p.Probe(path)
			return got == code
		})
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s says %q on %s, without %q", p.Name, text, path, w)
			}
		}
	}
	var asked sync.WaitGroup // it waits a while for a replica
	away := refused(503, fmt.Sprintf("No replica of the control plane at %s can be reached: try again", strings.Join(s.ControlPlane(), ", ")))
	asked.Go(func() { answers(t, away, "GET", s.REST(0)+"/connectors", "") })
	for _, p := range slices.Concat(s.Replicas, s.Gateways, s.Executors) {
		probe(p, "/livez", 200, "ok")
	}
	for _, r := range s.Replicas {
		probe(r, "/readyz", 503, append([]string{"the replica has not read the store yet", "etcd"}, s.Endpoints()...)...)
		harness.Await(t, r.Name+" says that it waits for etcd", 30*time.Second, func() bool { return r.Said("etcd does not answer yet", s.Endpoints()[0]) > 0 })
	}
	probe(s.Gateways[0], "/readyz", 503, append([]string{"no replica of the control plane at", "can be reached"}, s.ControlPlane()...)...)
	for _, x := range s.Executors {
		harness.Await(t, x.Name+" has Kafka", 30*time.Second, func() bool { _, text := x.Probe("/readyz"); return !strings.Contains(text, "Kafka") })
		probe(x, "/readyz", 503, "no session with the control plane: no replica acknowledges heartbeats")
	}
	asked.Wait()
	if now := starts(s.Histories()); !equal(before, now) {
		t.Errorf("something started without etcd: %v, before %v", now, before)
	}
	pids := s.pids()
	for _, e := range s.Etcd {
		e.Start()
	}
	for _, p := range slices.Concat(s.Replicas, s.Executors) {
		s.AwaitHealthy(p)
	}
	harness.Await(t, "the gateway serves", 30*time.Second, func() bool {
		a, err := harness.Ask("GET", s.REST(0)+"/connectors", "")
		return err == nil && a.Code == 200 && a.Warning == ""
	})
	s.awaitAllRunning()
	if now := s.pids(); !slices.Equal(pids, now) {
		t.Errorf("processes %v, before %v: something was restarted", now, pids)
	}
}

// rightOver is what an executor says then.
const rightOver = "the right to run units has ended"

// overs counts how often the executors have said it.
func (s *story) overs() map[*harness.Process]int {
	out := map[*harness.Process]int{}
	for _, x := range s.Executors {
		out[x] = x.Said(rightOver)
	}
	return out
}

func equal(a, b map[string]int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (s *story) pids() (out []int) {
	for _, p := range slices.Concat(s.Replicas, s.Gateways, s.Executors) {
		out = append(out, p.PID())
	}
	return out
}

func (s *story) etcdWithoutQuorum(t *testing.T) {
	s.kafka.Produce("quorum", "first")
	copied := filepath.Join(s.dir, "quorum.txt")
	s.Put(t, "quorum", map[string]string{"connector.class": "FileStreamSink", "file": copied, "topics": "quorum", "tasks.max": "1"})
	s.AwaitRunning(t, "quorum", 1)
	before, overs := starts(s.Histories()), s.overs()
	for _, e := range s.Etcd[1:] {
		e.Kill()
	}
	var asked sync.WaitGroup // all at once: each waits for etcd for some seconds
	const stale = `199 sluice "the store is not available: this answer is from a cache and may be stale"`
	for path, words := range map[string]string{"/connectors/quorum/status": `"state":"RUNNING"`, "/connectors": `"src-0"`, "/connectors/src-0/config": `"FileStreamSource"`, "/v1/executors": `"executor-0:8094"`} {
		asked.Go(func() {
			a, err := harness.Ask("GET", s.REST(0)+path, "")
			if err != nil || a.Code != 200 || a.Warning != stale || !strings.Contains(a.Body, words) {
				t.Errorf("GET %s: %+v %v", path, a, err)
			}
		})
	}
	away := refused(503, "The store is not available, so nothing was changed or it is not known whether it was: try again")
	asked.Go(func() { answers(t, away, "PUT", s.REST(0)+"/connectors/new/config", idle) })
	asked.Go(func() { answers(t, away, "POST", s.REST(0)+"/connectors", `{"name":"new","config":`+idle+`}`) })
	asked.Go(func() { answers(t, away, "PUT", s.REST(0)+"/connectors/src-0/pause", "") })
	asked.Go(func() { answers(t, away, "DELETE", s.REST(0)+"/connectors/src-0", "") })
	asked.Wait()
	for _, r := range s.Replicas {
		if code, text := r.Probe("/readyz"); code != 200 {
			t.Errorf("%s is not ready though it can answer reads: %d %s", r.Name, code, text)
		}
	}
	for _, x := range s.Executors {
		harness.Await(t, "the right of "+x.Name+" has ended", time.Minute, func() bool { return x.Said(rightOver) > overs[x] })
	}
	s.kafka.Produce("quorum", "without quorum")
	harness.Await(t, "the sink wrote what came without quorum", 30*time.Second, func() bool {
		b, _ := os.ReadFile(copied) // not there yet
		return strings.Contains(string(b), "without quorum")
	})
	for _, e := range s.Etcd[1:] {
		e.Start()
	}
	harness.Await(t, "reads carry no warning", time.Minute, func() bool {
		a, err := harness.Ask("GET", s.REST(0)+"/connectors", "")
		return err == nil && a.Code == 200 && a.Warning == ""
	})
	s.awaitAllRunning()
	s.awaitLines(s.sofar(), time.Minute)
	if now := starts(s.Histories()); !equal(before, now) {
		t.Errorf("something restarted: %v, before %v", now, before)
	}
	answers(t, harness.Answer{Code: 204}, "DELETE", s.REST(0)+"/connectors/quorum", "")
}

func (s *story) twins(t *testing.T) {
	older := s.Executors[0]
	twin := s.AddTwin(older)
	defer func() {
		s.Executors = slices.DeleteFunc(s.Executors, func(p *harness.Process) bool { return p == twin })
	}()
	twin.AwaitReady()
	s.AwaitHealthy(twin)
	harness.Await(t, older.Name+" says that its stream was refused", 30*time.Second, func() bool {
		return older.Said(`"level":"ERROR"`, "executor.duplicate", "Another process is connected as executor "+older.Name+":8094", "give each its own advertised address") > 0
	})
	harness.Await(t, older.Name+" is not ready", 30*time.Second, func() bool { code, _ := older.Probe("/readyz"); return code == 503 })
	if code, text := older.Probe("/livez"); code != 200 {
		t.Errorf("%s is not live: %d %s", older.Name, code, text)
	}
	// What the older one held runs elsewhere, once its session has lapsed.
	harness.Await(t, "the twin's is the one session of "+older.Name, time.Minute, func() bool {
		return strings.Count(s.CLI(0, "executors", "list"), older.Name+":8094") == 1
	})
	s.awaitAllRunning()
	s.awaitLines(s.sofar(), time.Minute)
	// The twin goes: the older one is let in again, without a restart.
	twin.Stop()
	s.AwaitHealthy(older)
	s.awaitAllRunning()
	s.check() // with the twin's history
}

// assignment is one of GET /v1/assignments.
type assignment struct {
	Unit, Executor, Session string
	Epoch                   struct{ Era, Revision string }
}

func (s *story) assignment(unit string) assignment {
	s.t.Helper()
	for _, one := range s.all() {
		if one.Unit == unit {
			return one
		}
	}
	return assignment{}
}

func (s *story) all() []assignment {
	s.t.Helper()
	a, err := harness.Ask("GET", s.REST(0)+"/v1/assignments", "")
	if err != nil || a.Code != 200 {
		s.t.Fatalf("%+v %v", a, err)
	}
	return decode[struct{ Assignments []assignment }](s.t, a.Body).Assignments
}

func (e assignment) epoch() *sluicev1.Epoch {
	out := &sluicev1.Epoch{}
	_, _ = fmt.Sscan(e.Epoch.Era, &out.Era) // proto JSON leaves zero out
	_, _ = fmt.Sscan(e.Epoch.Revision, &out.Revision)
	return out
}

func (s *story) lateReports(t *testing.T) {
	const task, planner = "task:src-0/0", "connector:src-0"
	x := s.holder("src-0")
	old, oldPlanner := s.assignment(task), s.assignment(planner)
	over := x.Said(rightOver)
	x.Pause()
	harness.Await(t, "another executor runs src-0", time.Minute, func() bool { return s.moved("src-0", x) })
	now, nowPlanner := s.assignment(task), s.assignment(planner)
	before := starts(s.Histories())
	x.Continue()
	s.AwaitHealthy(x)
	if x.Said(rightOver) == over {
		t.Errorf("%s did not notice that its right had ended", x.Name)
	}
	s.unchanged(t, before, now)
	// What a slower network would have brought later still: the reports of the epoch that is over, over a stream of their own.
	forged := s.forge(t, x)
	failed := &sluicev1.UnitStatus{Unit: task, Epoch: old.epoch(), State: sluicev1.State_STATE_FAILED, Trace: "late"}
	forged.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{failed}}}})
	forged.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Fence{Fence: &sluicev1.FenceReport{Unit: task, Epoch: old.epoch()}}})
	release := &sluicev1.Release{Unit: task, Epoch: old.epoch(), Outcome: sluicev1.ReleaseOutcome_RELEASE_OUTCOME_CLEAN}
	forged.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Release{Release: release}})
	forged.acked(release) // it is over for the one who says it
	// The same revision in another era is another epoch.
	other := &sluicev1.Epoch{Era: 7, Revision: now.epoch().GetRevision()}
	failed.Epoch, release.Epoch = other, other
	forged.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{failed}}}})
	forged.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Release{Release: release}})
	forged.acked(release)
	kv, err := s.etcd(t).Get(t.Context(), "/sluice/sluice/connectors/src-0")
	if err != nil || len(kv.Kvs) != 1 {
		t.Fatal(kv, err)
	}
	incarnation := kv.Kvs[0].CreateRevision
	for _, e := range []*sluicev1.Epoch{oldPlanner.epoch(), {Era: 7, Revision: nowPlanner.epoch().GetRevision()}} {
		if err := forged.plan("src-0", incarnation, e); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a plan of epoch %v: %v", e, err)
		}
	}
	s.unchanged(t, before, now)
}

// unchanged wants the unit as the new holder said, and nothing started anew.
func (s *story) unchanged(t *testing.T, before map[string]int, a assignment) {
	t.Helper()
	if now := s.assignment(a.Unit); now != a {
		t.Errorf("%+v, was %+v", now, a)
	}
	st, _ := s.Status("src-0")
	if len(st.Tasks) != 1 || st.Tasks[0].State != "RUNNING" || st.Tasks[0].WorkerID != a.Executor {
		t.Errorf("status %+v", st)
	}
	if now := starts(s.Histories()); now["task:src-0/0"] != before["task:src-0/0"] {
		t.Errorf("src-0 was started again: %v, before %v", now, before)
	}
}

// forged is a stream of a process that calls itself something else, of a pool that nothing is granted to.
type forged struct {
	t       *testing.T
	client  sluicev1.SessionServiceClient
	stream  grpc.BidiStreamingClient[sluicev1.AttachRequest, sluicev1.AttachResponse]
	session string
}

func (s *story) forge(t *testing.T, like *harness.Process) *forged {
	t.Helper()
	conn, err := grpc.NewClient(s.ControlPlane()[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(func() { cancel(); _ = conn.Close() })
	f := &forged{t: t, client: sluicev1.NewSessionServiceClient(conn), session: "forged-" + like.Name}
	if f.stream, err = f.client.Attach(ctx); err != nil {
		t.Fatal(err)
	}
	f.say(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Hello{Hello: &sluicev1.Hello{Session: f.session, Stream: 1, Executor: "forged:1", Pool: "forged", Process: "forged"}}})
	return f
}

func (f *forged) say(m *sluicev1.AttachRequest) {
	f.t.Helper()
	if err := f.stream.Send(m); err != nil {
		f.t.Fatal(err)
	}
}

// acked waits until a release is acknowledged: all that was said before it has been dealt with.
func (f *forged) acked(r *sluicev1.Release) {
	f.t.Helper()
	for {
		m, err := f.stream.Recv()
		if err != nil {
			f.t.Fatal(err)
		}
		if a := m.GetReleaseAck(); a.GetUnit() == r.GetUnit() && a.GetEpoch().GetRevision() == r.GetEpoch().GetRevision() {
			return
		}
	}
}

// plan submits a plan without tasks: were it taken, they would all go.
func (f *forged) plan(connector string, incarnation int64, e *sluicev1.Epoch) error {
	f.t.Helper()
	p, err := f.client.SubmitPlan(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	_ = p.Send(&sluicev1.SubmitPlanRequest{Header: &sluicev1.PlanHeader{Session: f.session, Connector: connector, Epoch: e, Sequence: 1, Incarnation: incarnation, ConfigGeneration: 1, TaskClass: sluicev1.UnitClass_UNIT_CLASS_EXCLUSIVE}}) // CloseAndRecv says why
	_, err = p.CloseAndRecv()
	return err
}

func (s *story) anotherVersion(t *testing.T) {
	const version = "9.9.9-other"
	other := s.Replicas[1]
	other.Kill()
	other.Becomes(s.Replica(version))
	other.Start()
	s.AwaitHealthy(other)
	before := starts(s.Histories())
	if other.Said(`"msg":"started"`, `"version":"`+version+`"`) != 1 {
		t.Errorf("%s does not log its version", other.Name)
	}
	if _, text := other.Probe("/metrics"); !strings.Contains(text, `version="`+version+`"`) {
		t.Error("the metrics do not say the version")
	}
	// Every executor has to go through it; and, where it leads, every grant.
	s.Replicas[0].Kill()
	for _, x := range s.Executors {
		s.AwaitHealthy(x)
	}
	rest := s.REST(0)
	a, err := harness.Ask("GET", rest+"/", "")
	if err != nil || !strings.Contains(a.Body, `"version":"4.3.1"`) {
		t.Errorf("GET /: %+v %v", a, err)
	}
	list := s.CLI(1, "executors", "list")
	if strings.Count(list, s.ControlPlane()[1]) != len(s.Executors) || strings.Contains(list, version) {
		t.Errorf("the executors do not say who serves them, and their own version:\n%s", list)
	}
	s.put(t, "version")
	s.AwaitRunning(t, "version", 1)
	s.Replicas[0].Start()
	s.AwaitHealthy(s.Replicas[0])
	// Asked through the old version, a command goes to an executor whose stream the other one has.
	answers(t, refused(400, "Connector configuration is invalid and contains the following 2 error(s):\nInvalid value none for configuration tasks.max: Not a number of type INT\n"+
		"Invalid value null for configuration tasks.max: Value must be non-null\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"), "PUT", rest+"/connectors/bad/config", `{"connector.class":"VerifiableSink","topics":"nothing","tasks.max":"none"}`)
	answers(t, harness.Answer{Code: 204}, "DELETE", rest+"/connectors/version", "")
	if now := starts(s.Histories()); !equal(before, now) {
		t.Errorf("something restarted: %v, before %v", now, before)
	}
	other.Kill()
	other.Becomes(s.Binary("sluice-controlplane"))
	other.Start()
	s.AwaitHealthy(other)
}

// etcd is a client of it.
func (s *story) etcd(t *testing.T) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: s.Endpoints(), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *story) restored(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "snapshot")
	s.Etcd[0].Kill()
	if err := os.CopyFS(copied, os.DirFS(s.EtcdData(0))); err != nil {
		t.Fatal(err)
	}
	s.Etcd[0].Start()
	// What comes now is not in the snapshot: a connector, the moves of units, and an executor's session.
	s.put(t, "later")
	s.AwaitRunning(t, "later", 1)
	x := s.holder("src-0")
	x.Kill()
	harness.Await(t, "src-0 runs elsewhere", time.Minute, func() bool { return s.moved("src-0", x) })
	x.Start()
	s.AwaitHealthy(x)
	s.awaitLines(s.sofar(), time.Minute)
	granted := func() (n int) {
		for _, r := range s.Replicas {
			n += r.Said(`"msg":"granting"`)
		}
		return n
	}
	before := granted()

	s.Etcd[0].Kill()
	if err := os.RemoveAll(s.EtcdData(0)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.EtcdData(0), os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	s.Etcd[0].Start()
	const what = "Nothing is granted until the key `era` is set to 1"
	says := func(r *harness.Process) bool {
		return r.Said(`"level":"ERROR"`, "etcd was restored: an operator has to act", "the store was restored from an older snapshot", what) > 0
	}
	harness.Await(t, "the leader says which value the era must have", time.Minute, func() bool { return says(s.leader()) })
	// What is wanted now is stored, and not granted.
	harness.Await(t, "what was created later is not there", time.Minute, func() bool {
		a, err := harness.Ask("GET", s.REST(0)+"/connectors/later", "")
		return err == nil && a == refused(404, "Connector later not found")
	})
	for _, y := range s.Executors {
		s.AwaitHealthy(y)
	}
	s.put(t, "wanted")
	// Another leader says the same.
	l := s.leader()
	l.Kill()
	harness.Await(t, "the next leader says which value the era must have", time.Minute, func() bool { return says(s.leader()) })
	l.Start()
	s.AwaitHealthy(l)
	if a := s.assignment("connector:wanted"); a.Executor != "" || granted() != before {
		t.Errorf("something was granted: %+v, %d grants, before %d", a, granted(), before)
	}

	for _, r := range s.Replicas {
		r.Stop()
	}
	if _, err := s.etcd(t).Put(t.Context(), "/sluice/sluice/era", "1"); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Replicas {
		r.Start()
	}
	for _, r := range s.Replicas {
		s.AwaitHealthy(r)
	}
	s.AwaitRunning(t, "wanted", 1)
	s.awaitAllRunning()
	for _, a := range s.all() {
		if a.Epoch.Era != "1" {
			t.Errorf("%+v: the epoch is of the old era", a)
		}
	}
}

func (s *story) etcdFull(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := s.etcd(t)
	before, overs := starts(s.Histories()), s.overs()
	var err error
	for n := 0; err == nil; n++ {
		_, err = c.Put(ctx, fmt.Sprintf("/elsewhere/%d", n%2), strings.Repeat("x", 1<<20))
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatal(err)
	}
	full := refused(503, "etcd's quota is used up, and nothing was changed: compact and defragment etcd, then disarm its NOSPACE alarm")
	answers(t, full, "PUT", s.REST(0)+"/connectors/full/config", idle)
	answers(t, full, "POST", s.REST(0)+"/connectors", `{"name":"full","config":`+idle+`}`)
	conn, err := grpc.NewClient(s.ControlPlane()[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	text := "VerifiableSink"
	_, err = sluicev1.NewConnectorServiceClient(conn).CreateConnector(ctx, &sluicev1.CreateConnectorRequest{Name: "full", Config: &sluicev1.Config{Entries: []*sluicev1.ConfigEntry{{Key: "connector.class", Value: &text}, {Key: "topics", Value: &text}}}})
	if reason := reasonOf(err); status.Code(err) != codes.ResourceExhausted || reason != "store.full" {
		t.Errorf("%v, reason %q", err, reason)
	}
	answers(t, refused(404, "Connector full not found"), "GET", s.REST(0)+"/connectors/full", "")
	s.pass(ttl + margin) // renewals need no room
	for x, n := range overs {
		if x.Said(rightOver) != n {
			t.Errorf("the right of %s ended", x.Name)
		}
	}
	s.awaitLines(s.sofar()+500, time.Minute) // what runs goes on, and later lines come too
	s.awaitAllRunning()

	now, err := c.Get(ctx, "/elsewhere/0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Delete(ctx, "/elsewhere/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compact(ctx, now.Header.Revision); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Defragment(ctx, s.Endpoints()[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AlarmDisarm(ctx, &clientv3.AlarmMember{}); err != nil {
		t.Fatal(err)
	}
	s.put(t, "full")
	s.AwaitRunning(t, "full", 1)
	if now := starts(s.Histories()); !equal(before, now) {
		t.Errorf("something restarted: %v, before %v", now, before)
	}
}

func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok {
			return i.GetReason()
		}
	}
	return ""
}
