package session_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-project/sluice/controlplane/state"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func TestAttach_AStreamOfBeforeTheStoreWasRestoredEndsSoThatItsExecutorSaysWhatItHasSeen(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	e := r.attach(t, hi("s1", 1, "x:1"))
	e.welcome()
	e.desired()
	st.change(func(s *state.Snapshot, rev int64) {
		s.Revision = rev - 50
		old := *s.Sessions["s1"]
		s.Sessions["s1"] = &old
	})
	select {
	case err := <-e.err:
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "restored from an older snapshot") {
			t.Errorf("the stream ended: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the stream goes on")
	}
	again := hi("s1", 2, "x:1")
	again.HighestEpoch = &sluicev1.Epoch{Revision: 100}
	e = r.attach(t, again)
	e.welcome()
	e.desired()
	if v := st.View().Sessions["s1"].Value; v.GetHighestEpoch().GetRevision() != 100 || v.GetLostSinceMs() != 0 {
		t.Errorf("session %v", v)
	}
	st.change(func(*state.Snapshot, int64) {})
	e.quiet(50 * time.Millisecond)
}
