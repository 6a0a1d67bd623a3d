package session_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluice-project/sluice/internal/unit"
	sluicev1 "github.com/sluice-project/sluice/proto/sluice/v1"
)

// later is a field that only a later version has.
func later(m proto.Message) {
	b := protowire.AppendTag(nil, 15000, protowire.BytesType)
	m.ProtoReflect().SetUnknown(protoreflect.RawFields(protowire.AppendString(b, "of a later version")))
}

func TestAttach_WhatOnlyALaterVersionSaysIsIgnored(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	st.connector("a", 1)
	h := hi("s1", 1, "x:1")
	h.Version = "9.9.9-other"
	h.Held = []*sluicev1.HeldUnit{{Unit: "later:thing", Epoch: &sluicev1.Epoch{Revision: 1}}}
	h.Releases = []*sluicev1.Release{{Unit: "later:thing", Epoch: &sluicev1.Epoch{Revision: 1}, Outcome: 99}}
	later(h)
	e := r.attach(t, h)
	w := e.welcome()
	if len(w.GetReleased()) != 1 || w.GetReleased()[0].GetUnit() != "later:thing" {
		t.Errorf("the release of an unknown unit is not acknowledged, and would be repeated for ever: %v", w.GetReleased())
	}
	e.desired()
	ep := st.assign(unit.Task("a", 0), "s1", "x:1", nil)
	e.desired()
	// A message of an unknown variant, an unknown state of a known unit, a state of an unknown one, an unknown field.
	variant := &sluicev1.AttachRequest{}
	later(variant)
	e.send(variant)
	report := &sluicev1.StatusReport{Statuses: []*sluicev1.UnitStatus{
		{Unit: "later:thing", Epoch: &sluicev1.Epoch{Revision: ep.Revision}, State: sluicev1.State_STATE_RUNNING},
		{Unit: "task:a/0", Epoch: &sluicev1.Epoch{Revision: ep.Revision}, State: sluicev1.State_STATE_RUNNING},
	}}
	later(report)
	later(report.GetStatuses()[1])
	e.send(&sluicev1.AttachRequest{Message: &sluicev1.AttachRequest_Status{Status: report}})
	await(t, "the state that it knows is written, and no other", func() bool {
		return peek(st, func() bool {
			return len(st.batches) == 1 && len(st.batches[0]) == 1 && st.batches[0][0].Unit == unit.Task("a", 0)
		})
	})
	if v := st.View().Sessions["s1"].Value.GetVersion(); v != "9.9.9-other" {
		t.Errorf("version %q", v)
	}
	// The stream still serves: what comes next is sent.
	st.assign(unit.Connector("a"), "s1", "x:1", nil)
	wantUnits(t, e.desired(), "connector:a")
}

func TestHeartbeat_OfALaterVersionIsAcknowledged(t *testing.T) {
	st := newFakeStore()
	r := newReplica(t, "r1", st)
	r.attach(t, hi("s1", 1, "x:1")).welcome()
	s, err := r.client.Heartbeat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &sluicev1.HeartbeatRequest{Session: "s1", Number: 7}
	later(m)
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Recv(); err != nil || a.GetNumber() != 7 || a.GetLapsed() {
		t.Errorf("%v %v", a, err)
	}
}
