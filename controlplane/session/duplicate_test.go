package session_test

import (
	"testing"

	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestAttach_TheStreamOfTheOlderOfTwoProcessesWithOneAddressEndsAndItsSessionIsLost(t *testing.T) {
	st := newFakeStore()
	r1, r2 := newReplica(t, "r1", st), newReplica(t, "r2", st)
	old := hi("s1", 1, "x:1")
	old.Process = "old"
	older := r1.attach(t, old)
	older.welcome()
	bystander := r1.attach(t, hi("s3", 1, "y:1"))
	bystander.welcome()
	bystander.desired()
	fresh := hi("s2", 1, "x:1")
	fresh.Process = "new"
	newer := r2.attach(t, fresh)
	newer.welcome()
	newer.desired()
	const want = "Another process is connected as executor x:1 (session s2): give each its own advertised address"
	if f := older.refusal(); f.GetReason() != "executor.duplicate" || f.GetMessage() != want {
		t.Errorf("refusal %v", f)
	}
	// It is as one whose connection died: what can be fenced moves at once.
	await(t, "the older session is lost", func() bool {
		v := st.View().Sessions["s1"]
		return v.Value.GetLostSinceMs() > 0 && v.Value.GetReplica() == ""
	})
	if v := st.View().Sessions["s2"]; v.Value.GetLostSinceMs() != 0 || v.Value.GetReplica() != "r2" {
		t.Errorf("the newer session: %v", v.Value)
	}
	newer.quiet(0)
	bystander.quiet(0)
	// Its lease is not renewed any more, so that the rest moves when it has lapsed: wherever its heartbeats go.
	for _, r := range []*replica{r1, r2} {
		s, err := r.client.Heartbeat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n, id := range []string{"s1", "s2", "s3"} {
			if err := s.Send(&sluicev1.HeartbeatRequest{Session: id, Number: uint64(n + 1)}); err != nil {
				t.Fatal(err)
			}
			if a, err := s.Recv(); err != nil || a.GetLapsed() != (id == "s1") {
				t.Errorf("heartbeat of %s: %v %v", id, a, err)
			}
		}
	}
	if n := peek(st, func() int { return st.renewals }); n != 4 {
		t.Errorf("%d leases were renewed, not those of the two others", n)
	}
}
