package storetest

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluice-project/sluice/controlplane/state"
	"github.com/sluice-project/sluice/controlplane/store"
	"github.com/sluice-project/sluice/internal/unit"
	storev1 "github.com/sluice-project/sluice/proto/sluice/store/v1"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

func offsets(id string) *storev1.Offsets {
	p, o := `{"p":1}`, `{"lsn":9007199254740993}`
	return &storev1.Offsets{Id: id, Offsets: []*sluicev1.PartitionOffset{{Partition: &p, Offset: &o}}}
}

// alter grants offsets: of a connector for its request.
func (e *env) alter(c *state.Connector, s *state.Session) *state.Assignment {
	e.t.Helper()
	u := unit.Offsets(c.Name)
	e.must(e.Apply(e.t.Context(), e.guard, []state.Action{state.Grant{Unit: u, SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: s.ID},
		Offsets: e.see().Offsets[c.Name], ConnectorMod: c.ModRevision}}))
	return e.see().Assignments[u]
}

func offsetsRequested(t *testing.T, e *env) {
	c := e.connector("c/ä")
	e.must(e.RequestOffsets(t.Context(), c, time.Minute, offsets("1")))
	o := e.see().Offsets[c.Name]
	if o == nil || o.Value.GetIncarnation() != c.Incarnation || o.Value.GetDeadlineMs() == 0 || !proto.Equal(o.Value.GetOffsets()[0], offsets("").GetOffsets()[0]) {
		t.Fatalf("%v", o)
	}
	e.is(e.RequestOffsets(t.Context(), c, time.Minute, offsets("2")), store.ErrOffsetsBusy)
	if ended, err := e.EndOffsets(t.Context(), o); err != nil || !ended || e.see().Offsets[c.Name] != nil {
		t.Fatalf("it was not ended: %v", err)
	}
	changed, err := e.UpdateConnector(t.Context(), c.Name, func(c *state.Connector) (*storev1.Connector, error) {
		v := proto.CloneOf(c.Value)
		v.TargetState = sluicev1.TargetState_TARGET_STATE_STARTED
		return v, nil
	})
	e.must(err)
	e.is(e.RequestOffsets(t.Context(), c, time.Minute, offsets("3")), store.ErrOffsetsBusy)
	large := offsets("4")
	*large.Offsets[0].Offset = `{"x":"` + strings.Repeat("x", store.MaxOffsets) + `"}`
	e.is(e.RequestOffsets(t.Context(), changed, time.Minute, large), store.ErrTooLarge)
	e.must(e.RequestOffsets(t.Context(), changed, time.Minute, offsets("5")))
	if ended, err := e.EndOffsets(t.Context(), o); err != nil || ended {
		t.Fatalf("another request was ended: %v", err)
	}
}

func offsetsGranted(t *testing.T, e *env) {
	c, s := e.connector("c"), e.session("s")
	e.must(e.RequestOffsets(t.Context(), c, time.Minute, offsets("1")))
	seen := e.see().Offsets["c"]
	resumed, err := e.UpdateConnector(t.Context(), "c", func(c *state.Connector) (*storev1.Connector, error) {
		v := proto.CloneOf(c.Value)
		v.Restart++
		return v, nil
	})
	e.must(err)
	if e.alter(c, s) != nil {
		t.Fatal("granted though the connector has changed")
	}
	a := e.alter(resumed, s)
	if a == nil || !e.see().Offsets["c"].Value.GetStarted() {
		t.Fatal("not granted, or not marked as started")
	}
	if ended, err := e.EndOffsets(t.Context(), seen); err != nil || ended {
		t.Fatal("a request that was started was taken back")
	}
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.DropOffsets{Connector: "c", Mod: e.see().Offsets["c"].ModRevision}}))
	if e.see().Offsets["c"] == nil {
		t.Fatal("dropped while its unit is held")
	}
	// A request that is taken back is not granted any more.
	d := e.connector("d")
	e.must(e.RequestOffsets(t.Context(), d, time.Minute, offsets("1")))
	gone := e.see().Offsets["d"]
	_, err = e.EndOffsets(t.Context(), gone)
	e.must(err)
	e.must(e.Apply(t.Context(), e.guard, []state.Action{state.Grant{Unit: unit.Offsets("d"), SessionMod: s.ModRevision, Value: &storev1.Assignment{Session: "s"}, Offsets: gone, ConnectorMod: d.ModRevision}}))
	if v := e.see(); v.Assignments[unit.Offsets("d")] != nil || v.Offsets["d"] != nil {
		t.Fatal("a request that was taken back was granted")
	}
}

func offsetsCompleted(t *testing.T, e *env) {
	c, s := e.connector("c"), e.session("s")
	e.must(e.RequestOffsets(t.Context(), c, time.Minute, offsets("1")))
	a := e.alter(c, s)
	done := &sluicev1.OffsetsResult{Complete: true}
	e.is(e.CompleteOffsets(t.Context(), "c", stale(a.Epoch), "1", done), store.ErrOffsetsStale)
	e.is(e.CompleteOffsets(t.Context(), "c", a.Epoch, "2", done), store.ErrOffsetsStale)
	e.is(e.CompleteOffsets(t.Context(), "no", a.Epoch, "1", done), store.ErrOffsetsStale)
	if e.see().Offsets["c"].Value.GetResult() != nil {
		t.Fatal("a stale result was written")
	}
	e.must(e.CompleteOffsets(t.Context(), "c", a.Epoch, "1", done))
	e.must(e.CompleteOffsets(t.Context(), "c", a.Epoch, "1", &sluicev1.OffsetsResult{Reason: "internal"}))
	if r := e.see().Offsets["c"].Value.GetResult(); !proto.Equal(r, done) {
		t.Fatalf("the first result counts: %v", r)
	}
}
