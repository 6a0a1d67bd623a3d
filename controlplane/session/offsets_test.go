package session_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestAttach_TheHolderOfOffsetsGetsItsRequestAndIsAskedForTheUnitOnceThatIsGone(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 0)
	st.update("a", func(c *storev1.Connector) { c.TargetState, c.Restart = sluicev1.TargetState_TARGET_STATE_STOPPED, 3 })
	text := `{"p":9007199254740993}`
	request := func(id string) {
		st.change(func(s *state.Snapshot, rev int64) {
			s.Offsets = map[string]*state.Offsets{"a": {Connector: "a", ModRevision: rev, Value: &storev1.Offsets{Id: id, Offsets: []*sluicev1.PartitionOffset{{Partition: &text}}}}}
		})
	}
	request("1")
	e := r.attach(t, hi("s1", 1, "x1:1"))
	e.welcome()
	e.desired()
	st.assign(unit.Offsets("a"), "s1", "x1:1", func(a *storev1.Assignment) { a.Fingerprint = []byte("1") })
	d := e.desired()
	wantUnits(t, d, "offsets:a")
	u := d.GetUnits()[0]
	if u.GetOffsets().GetId() != "1" || u.GetOffsets().GetOffsets()[0].GetPartition() != text || u.GetConnectorConfig() == nil ||
		u.GetTargetState() != sluicev1.TargetState_TARGET_STATE_STARTED || u.GetRelease() != 0 || u.GetRestart() != 0 {
		t.Errorf("%v", u)
	}
	request("2")
	if u := e.desired().GetUnits()[0]; u.GetRelease() != sluicev1.ReleaseMode_RELEASE_MODE_LEAVE || u.GetOffsets() != nil {
		t.Errorf("it holds another request: %v", u)
	}
	_, err := r.client.CompleteOffsets(t.Context(), &sluicev1.CompleteOffsetsRequest{Session: "s1", Connector: "a", Id: "1", Result: &sluicev1.OffsetsResult{}})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a stale result: %v", err)
	}
	if _, err = r.client.CompleteOffsets(t.Context(), &sluicev1.CompleteOffsetsRequest{Session: "s1"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty one: %v", err)
	}
}
